/**
 * Watches over the session of one app in a page: opens it, shows its document, mends a lost connection, and says
 * what happens.
 *
 * What differs between an app's own page and an app in somebody else's is in its `host`:
 * - `status`: a Status; `isEmbedded`: whether more than this app is on the page;
 * - `config(signal)`: what is known of a new session (see door.js); `bokeh(config)`: BokehJS, or null;
 * - `places(document)`: where BokehJS puts the document; `hold()`: keeps the size of these places until the function
 *   that it gives is called;
 * - `loading()`, `shown()`, `ended()`: what becomes of the places, the last with whether the viewer was in them;
 * - `restart()`: takes up changed code, with whether that needs this supervisor; `actions(close, retry)`: what the
 *   viewer can do about an end;
 * - `tell(state, document)`: "loading", "live", "lost", "refused" (there was no session) or "ended".
 */

import { Closed, embedPlainly, openSession, supervisable } from "./bokehjs.js";
import { Refused } from "./door.js";
import { Loss } from "./loss.js";
import { WidgetMemory } from "./memory.js";
import { STEADY_MS, isSameViewer, verdict, wording } from "./policy.js";
import { Presence } from "./presence.js";
import { forever, sleep, whileAlive } from "./waiting.js";

const REOPEN_TIMEOUT_MS = 60_000;
// Who changes his own password gets his new cookie with an answer that comes after the socket was closed.
const RENEWAL_MS = 500;
const NO_SCRIPTS = { reason: "The scripts of this app could not be loaded. Please check the network and try again." };
const NOT_SHOWN = { code: 4500, reason: "This app could not be shown. Please try again." };

export class Supervisor {
  #host;
  #life = new AbortController();
  #loss;
  #config = null;
  #Bokeh = null;
  #memory = null;
  #session = null;
  #shownToken = null;
  #liveSince = null;
  #isRenewed = false;
  #loginEnd = null;

  constructor(host) {
    this.#host = host;
    this.#loss = new Loss(host.status, this.#signal);
  }

  get #signal() {
    return this.#life.signal;
  }

  /** Opens the session, and resolves when there is nothing more to watch over. */
  async run() {
    const probe = () => this.#liveSince != null && void this.#session.probe();
    const presence = new Presence({ signal: this.#signal, onReturn: probe });
    this.#begin();
    try {
      let attempt = 0;
      for (let goesOn = true; goesOn; ) {
        const { close, wasSteady } = await this.#live();
        attempt = wasSteady ? 1 : attempt + 1;
        await sleep(presence.quietTime, this.#signal);
        goesOn = await this.#goOn(close, attempt);
      }
    } catch (error) {
      if (!this.#signal.aborted) {
        throw error;
      }
    }
  }

  /** The app is no longer on the page: ends its session, and leaves nothing behind. */
  leave() {
    this.#life.abort();
    this.#session?.dispose();
    this.#host.status.clear();
  }

  #begin() {
    this.#tell("loading");
    this.#host.loading();
  }

  /** Opens and shows the session, and resolves to its end: `{code, reason}`, and whether it had been a good one. */
  async #live() {
    const close = await this.#connect().catch((error) => {
      this.#signal.throwIfAborted();
      if (error instanceof Closed || error instanceof Refused) {
        return error;
      }
      console.error(error);
      return NOT_SHOWN;
    });
    const wasSteady = this.#liveSince != null && performance.now() - this.#liveSince > STEADY_MS;
    this.#liveSince = null;
    return { close, wasSteady };
  }

  async #connect() {
    this.#config ??= await this.#host.config(this.#signal);
    this.#Bokeh ??= await this.#host.bokeh(this.#config);
    this.#signal.throwIfAborted();
    if (this.#Bokeh == null) {
      return NO_SCRIPTS;
    }
    return supervisable(this.#Bokeh) ? this.#keep(await this.#open()) : this.#embedPlainly();
  }

  #open() {
    return openSession(this.#Bokeh, {
      url: this.#config.socketUrl,
      token: this.#config.token,
      query: this.#query(),
      signal: this.#signal,
      onError: (text) => this.#complain(text),
      onMessage: (text) => this.#host.status.tell(text),
      // A first start may take as long as the server lets it; later a socket may open into nowhere.
      timeout: this.#isReturning ? REOPEN_TIMEOUT_MS : null,
    });
  }

  get #isReturning() {
    return this.#shownToken === this.#config.token;
  }

  /** What stands behind the `?`: the app's own arguments, and that the page has been here before. */
  #query() {
    const query = new URLSearchParams(this.#config.query);
    if (this.#isReturning) {
      query.set("bokeh-reconnect", "1");
    }
    return query.toString();
  }

  /** Shows a session until its socket closes. */
  async #keep(session) {
    try {
      await this.#show(session);
    } catch (error) {
      session.close();
      throw error;
    } finally {
      if (this.#signal.aborted) {
        session.dispose();
      }
    }
    return whileAlive(session.closed, this.#signal);
  }

  async #embedPlainly() {
    console.warn(`The page cannot watch over its session with BokehJS ${this.#Bokeh.version}.`);
    const { socketUrl: url, token } = this.#config;
    const places = this.#host.places({ roots: () => [] });
    await embedPlainly(this.#Bokeh, { url, token, ...places });
    this.#showLive();
    return forever(this.#signal);
  }

  async #show(session) {
    this.#signal.throwIfAborted();
    const before = this.#session;
    this.#memory ??= new WidgetMemory(this.#Bokeh.Models.get("LayoutDOM"));
    const lost = this.#memory.lostIn(session);
    const release = this.#host.hold();
    before?.dispose();
    this.#session = session;
    await session.render(this.#host.places(session.document));
    this.#signal.throwIfAborted();
    this.#memory.follow(session, lost);
    this.#showLive();
    release();
    if (before != null) {
      session.announceReconnected();
      await this.#restore(session, lost);
    }
  }

  async #restore(session, { fresh, records }) {
    const count = await this.#memory.restore(session, records);
    if (!fresh && !session.wants.notices) {
      return;
    }
    const opening = fresh ? "The app was started again." : "Connected again.";
    const text = count > 0 ? `${opening} Your settings were put back.` : opening;
    this.#host.status.say(text, { isPassing: true, tone: "good" });
  }

  #showLive() {
    this.#liveSince = performance.now();
    this.#shownToken = this.#config.token;
    this.#isRenewed = false;
    this.#loginEnd = null;
    this.#loss.end();
    this.#host.status.loaded();
    this.#host.shown();
    this.#tell("live");
  }

  #tell(state) {
    this.#host.tell(state, this.#session?.document ?? null);
  }

  /** Does what the end of a connection asks for; resolves to whether to connect again. */
  async #goOn(close, attempt) {
    switch (this.#verdict(close)) {
      case "restart":
        this.#forget();
        return this.#host.restart();
      case "renew":
        this.#forget();
        this.#isRenewed = true;
        this.#tell("lost");
        return true;
      case "recheck":
        this.#loginEnd = close;
        this.#tell("lost");
        await sleep(RENEWAL_MS, this.#signal);
        return true;
      case "stop":
        return this.#stop(this.#loginEnd ?? close);
      default:
        this.#tell("lost");
        await this.#loss.wait(close, attempt, this.#session?.wants);
        return true;
    }
  }

  /** The next try asks for all anew. */
  #forget() {
    this.#config = null;
    this.#Bokeh = null;
  }

  #verdict(close) {
    const said = verdict(close);
    const isPossible = {
      // A page of its own has the one token that came with it
      renew: this.#host.isEmbedded && !this.#isRenewed,
      recheck: this.#loginEnd == null,
      retry: true,
      restart: true,
    }[said];
    return isPossible && (said === "retry" || !(close instanceof Refused)) ? said : "stop";
  }

  /** Says why the session has ended; resolves to true once the viewer asks for another try on this page. */
  async #stop(close) {
    const { status, isEmbedded } = this.#host;
    const takesFocus = this.#host.ended();
    this.#tell(close instanceof Refused ? "refused" : "ended");
    const { promise: asked, resolve: retry } = Promise.withResolvers();
    const actions = await whileAlive(this.#host.actions(close, retry), this.#signal);
    const words = wording(close, this.#host);
    const detail = this.#detail(words.reference);
    status.end({ ...words, detail, actions, coversApp: this.#session != null, takesFocus });
    await whileAlive(asked, this.#signal);
    if (isEmbedded) {
      this.#forget();
    }
    if (!isSameViewer(close)) {
      this.#memory = null;
    }
    this.#isRenewed = false;
    this.#loginEnd = null;
    this.#begin();
    return true;
  }

  #complain(text) {
    const words = wording({ reason: text });
    this.#host.status.complain({ ...words, detail: this.#detail(words.reference) });
  }

  /** The traceback of a failure, where the server gives one to this viewer. */
  async #detail(reference) {
    const { errorsUrl: prefix } = this.#config ?? {};
    if (!prefix || !reference) {
      return "";
    }
    const asked = fetch(prefix + reference, { credentials: "include", signal: this.#signal });
    const response = await asked.catch(() => null);
    return response?.ok ? response.text() : "";
  }
}
