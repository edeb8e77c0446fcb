/**
 * All that this site knows of BokehJS from the inside; tested with 3.10.2.
 *
 * From its public face: `Bokeh.embed`, `Bokeh.documents`, `Bokeh.Models`, `Bokeh.require`, and of a document
 * `config`, `roots`, `clear`, `on_change`, `on_message`, `event_manager`, `views_manager`. Not in its index, so guarded by
 * `supervisable`: `ClientConnection` (`connect`, `close`, `send`, `socket`, `session`, `closed_permanently`),
 * `ClientSession` (`document`, `handle`, `force_roundtrip`) and the event `ClientReconnected`.
 *
 * Every try to reconnect is a new ClientConnection with a new document. BokehJS's own `reconnect()` keeps the
 * document and fills it anew, which loses a reconnect in the middle of a message (its receiver still waits for
 * the rest of the old one), never tells a restarted server that the document is ready, and leaves callbacks of
 * the document with models of the old one.
 */

import { APP_FAILED, LEFT_PAGE } from "./policy.js";

const DEFAULT_TITLE = "Bokeh Application";
const MESSAGE_TO_VIEWER = "apps-registry-message";
const PROBE_TIMEOUT_MS = 10_000;
const UNANSWERED = 3000;

/** A socket that closed before its document came. */
export class Closed extends Error {
  constructor({ code, reason }) {
    super(reason || `The socket was closed with code ${code}.`);
    this.code = code;
    this.reason = reason;
  }
}

function internal(Bokeh, path, name) {
  try {
    return Bokeh.require(path)[name];
  } catch {
    return undefined;
  }
}

/** Whether this BokehJS has the parts that `openSession` builds on. */
export function supervisable(Bokeh) {
  const methods = internal(Bokeh, "client/connection", "ClientConnection")?.prototype ?? {};
  return ["connect", "close", "send"].every((name) => typeof methods[name] === "function");
}

/** BokehJS's own embedding, with its own notices: for a BokehJS that is not `supervisable`. */
export function embedPlainly(Bokeh, { url, token, element, roots, useForTitle }) {
  return Bokeh.embed.add_document_from_session(url, token, element, roots, useForTitle);
}

/**
 * What BokehJS takes for the places of roots: it asks for `[i]` when it draws root number i, also one that comes
 * later. `placeOf` gives the element for a root.
 */
export function rootPlaces(document, placeOf) {
  const get = (_, at) => {
    const root = document.roots()[at];
    return root == null ? undefined : placeOf(root);
  };
  return new Proxy([], { get });
}

/** Mends what a document loses when its elements are moved: the rules that its tables have added to their styles. */
export function mendAfterMove(document) {
  const isTable = ({ grid }) => typeof grid?.updateColumns === "function";
  for (const { grid } of document?.views_manager?.query(isTable) ?? []) {
    grid.updateColumns();
  }
}

function closing(connection) {
  const { socket } = connection;
  return new Promise((resolve) => {
    // BokehJS set its own `onclose` first, so that the document has heard of the loss by now.
    socket.addEventListener("close", ({ code, reason }) => {
      if (connection.session == null) {
        connection.closed_permanently = true;
      } else {
        connection.close();
      }
      resolve({ code, reason });
    });
  });
}

/** Closes the connection so that the server need not keep the session for a viewer who might come back. */
function leave(connection, socket) {
  socket.close(LEFT_PAGE);
  if (connection.session == null) {
    connection.closed_permanently = true;
  } else {
    connection.close();
  }
}

async function pulled(opening, closed, socket, connection) {
  try {
    return await opening;
  } catch (error) {
    if (socket.readyState !== WebSocket.OPEN) {
      throw new Closed(await closed);
    }
    connection.closed_permanently = true;
    socket.close(1000);
    const [, reason] = /^Error reply (.*)$/s.exec(error.message) ?? [];
    throw reason == null ? error : new Closed({ code: APP_FAILED, reason });
  }
}

/** Follows the patches of a session: what of them the server has answered, and with which errors. */
class Receipts {
  #open = new Map();
  #latest = null;

  constructor(connection, session, onError) {
    const send = connection.send.bind(connection);
    const handle = session.handle.bind(session);
    connection.send = (message) => {
      if (message.msgtype() === "PATCH-DOC") {
        this.#issue(message.msgid());
      }
      send(message);
    };
    session.handle = (message) => {
      this.#settle(message.reqid());
      if (message.msgtype() === "ERROR") {
        onError(message.content.text);
      }
      handle(message);
    };
  }

  #issue(id) {
    const { promise, resolve } = Promise.withResolvers();
    this.#latest = { answered: false, answer: promise, resolve };
    this.#open.set(id, this.#latest);
  }

  #settle(id) {
    const receipt = this.#open.get(id);
    if (receipt != null) {
      receipt.answered = true;
      receipt.resolve();
      this.#open.delete(id);
    }
  }

  get latest() {
    return this.#latest;
  }
}

/** A document on the page, and the socket that keeps it in step with the server. */
class LiveSession {
  #Bokeh;
  #session;
  #socket;
  #receipts;
  #isClosed = false;

  constructor(Bokeh, { session, connection, socket, closed, onError, onMessage }) {
    this.#Bokeh = Bokeh;
    this.#session = session;
    this.#socket = socket;
    this.#receipts = new Receipts(connection, session, onError);
    this.closed = closed;
    void closed.then(() => {
      this.#isClosed = true;
    });
    this.document = session.document;
    const { config } = this.document;
    /** Whether the app wants losses of the connection to be shown, and to be mended. */
    this.wants = { notices: config.notify_connection_status, reconnect: config.reconnect_session };
    config.setv({ notify_connection_status: false }, { sync: false });
    this.document.on_message(MESSAGE_TO_VIEWER, onMessage);
  }

  /** The receipt of the patch that the change being handled went out with; null while nothing can go out. */
  get receipt() {
    return this.#isClosed ? null : this.#receipts.latest;
  }

  async render({ element, roots, useForTitle }) {
    const { title } = document;
    await this.#Bokeh.embed.add_document_standalone(this.document, element, roots, useForTitle);
    if (this.document.title() === DEFAULT_TITLE) {
      document.title = title;
    }
  }

  /** Tells the app, as BokehJS does, that its viewer is back. */
  announceReconnected() {
    const ClientReconnected = internal(this.#Bokeh, "core/bokeh_events", "ClientReconnected");
    if (ClientReconnected != null) {
      this.document.event_manager.send_event(new ClientReconnected());
    }
  }

  /** Closes a socket that only looks alive, as after a laptop's sleep: the server has to answer. */
  async probe() {
    const late = setTimeout(() => this.#socket.close(UNANSWERED), PROBE_TIMEOUT_MS);
    await this.#session.force_roundtrip().catch(() => undefined);
    clearTimeout(late);
  }

  close() {
    this.#socket.close(1000);
  }

  /** Takes the document off the page. */
  dispose() {
    const { documents } = this.#Bokeh;
    this.document.views_manager?.clear();
    this.document.clear({ sync: false });
    const at = documents.indexOf(this.document);
    if (at >= 0) {
      documents.splice(at, 1);
    }
  }
}

/**
 * Opens a session and pulls its document, within `timeout` ms when that is given.
 *
 * `onError` gets the text of each error with which the server answers a change, `onMessage` each text that the
 * site has for the viewer; `signal` ends the session for good. Rejects with `Closed` when the socket closes first,
 * and with BokehJS's error when the document cannot be read.
 */
export async function openSession(Bokeh, { url, token, query, signal, timeout = null, ...listeners }) {
  signal.throwIfAborted();
  const ClientConnection = internal(Bokeh, "client/connection", "ClientConnection");
  const connection = new ClientConnection(url, token, query);
  const opening = connection.connect();
  const { socket } = connection;
  const closed = closing(connection);
  const onLeave = () => leave(connection, socket);
  signal.addEventListener("abort", onLeave);
  void closed.then(() => signal.removeEventListener("abort", onLeave));
  const late = timeout == null ? null : setTimeout(() => socket.close(UNANSWERED), timeout);
  const session = await pulled(opening, closed, socket, connection).finally(() => clearTimeout(late));
  return new LiveSession(Bokeh, { session, connection, socket, closed, ...listeners });
}
