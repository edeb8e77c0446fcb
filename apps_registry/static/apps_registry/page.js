/**
 * Opens the session of an app's page, shows its document, and says what happens to it.
 *
 * It runs in this site's pages and in those that an app renders with its own template. It reads the JSON of the
 * element `#apps-registry-session`, and tells the page's own scripts of each state by the event
 * `apps-registry-session` on `document`, with `detail` = `{state, document}`: "live", "lost" or "ended", and
 * BokehJS's document, which is another one after each reconnection.
 */

import { Closed, bokehLoaded, embedPlainly, openSession, supervisable } from "./bokehjs.js";
import { WidgetMemory } from "./memory.js";
import { hasSkeleton, holdScroll, placesOf, removeSkeleton, returning } from "./place.js";
import { readConfig, socketUrl, stylesheet } from "./place.js";
import { STEADY_MS, lossReason, remedy, retryDelay, verdict, wording } from "./policy.js";
import { Status } from "./status.js";

const BLIP_MS = 600;
const LEAVING_MS = 3000;
const LONG_ABSENCE_MS = 20_000;
const REOPEN_TIMEOUT_MS = 60_000;
const NO_SCRIPTS = { reason: "The scripts of this app could not be loaded. Please check the network and try again." };
const NOT_SHOWN = { code: 4500, reason: "This app could not be shown. Please try again." };

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function spokenLoss(text) {
  return `${text} Trying again.`;
}

class Page {
  #config = readConfig();
  #status = new Status(stylesheet());
  #Bokeh = null;
  #memory = null;
  #session = null;
  #liveSince = null;
  #lossReason = "";
  #leftAt = -Infinity;

  async run() {
    this.#status.loading({ isVisible: !hasSkeleton() });
    this.#Bokeh = await bokehLoaded();
    if (this.#Bokeh == null) {
      void this.#stop(NO_SCRIPTS);
    } else if (supervisable(this.#Bokeh)) {
      await this.#supervise();
    } else {
      await this.#embedPlainly();
    }
  }

  async #embedPlainly() {
    console.warn(`The page cannot watch over its session with BokehJS ${this.#Bokeh.version}.`);
    try {
      const url = socketUrl(this.#config.ws_path);
      await embedPlainly(this.#Bokeh, { url, token: this.#config.token, ...placesOf(this.#config) });
      this.#showLive();
    } catch (error) {
      console.error(error);
      void this.#stop(NOT_SHOWN);
    }
  }

  async #supervise() {
    this.#memory = new WidgetMemory(this.#Bokeh.Models.get("LayoutDOM"));
    this.#watchPresence();
    let attempt = 0;
    for (let goesOn = true; goesOn; ) {
      const close = await this.#live();
      attempt = this.#wasSteady() ? 1 : attempt + 1;
      goesOn = await this.#goOn(close, attempt);
    }
  }

  #wasSteady() {
    return this.#liveSince != null && performance.now() - this.#liveSince > STEADY_MS;
  }

  /** Opens and shows the session, and resolves to its end: `{code, reason}`. */
  async #live() {
    this.#liveSince = null;
    let session = null;
    try {
      session = await openSession(this.#Bokeh, {
        url: socketUrl(this.#config.ws_path),
        token: this.#config.token,
        query: this.#query(),
        onError: (text) => this.#complain(text),
        // A first start may take as long as the server lets it; later a socket may open into nowhere.
        timeout: this.#session == null ? null : REOPEN_TIMEOUT_MS,
      });
      await this.#show(session);
      return await session.closed;
    } catch (error) {
      session?.close();
      if (error instanceof Closed) {
        return error;
      }
      console.error(error);
      return NOT_SHOWN;
    }
  }

  /** What stands behind the `?`: the page's own arguments, and that it has been here before. */
  #query() {
    const query = new URLSearchParams(window.location.search);
    if (this.#session != null) {
      query.set("bokeh-reconnect", "1");
    }
    return query.toString();
  }

  async #show(session) {
    const before = this.#session;
    const lost = this.#memory.lostIn(session);
    const release = holdScroll();
    before?.dispose();
    this.#session = session;
    await session.render(placesOf(this.#config));
    this.#memory.follow(session, lost);
    release();
    this.#showLive();
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
    this.#status.say(text, { isPassing: true, tone: "good" });
  }

  #showLive() {
    this.#liveSince = performance.now();
    this.#lossReason = "";
    removeSkeleton();
    this.#status.loaded();
    this.#tell("live");
  }

  #tell(state) {
    this.#status.mark(state);
    const detail = { state, document: this.#session?.document ?? null };
    document.dispatchEvent(new CustomEvent("apps-registry-session", { detail }));
  }

  /** Does what the end of a connection asks for; resolves to whether to connect again. */
  async #goOn(close, attempt) {
    if (performance.now() - this.#leftAt < LEAVING_MS) {
      await sleep(LEAVING_MS);
    }
    switch (verdict(close)) {
      case "reload":
        window.location.reload();
        return false;
      case "stop":
        return this.#stop(close);
      default:
        await this.#waitToRetry(close, attempt);
        return true;
    }
  }

  async #waitToRetry(close, attempt) {
    this.#tell("lost");
    const wants = this.#session?.wants ?? { notices: true, reconnect: true };
    const delay = wants.reconnect ? retryDelay(attempt, close) : null;
    const text = this.#lossText(close);
    if (delay == null || (wants.notices && delay > 0)) {
      await this.#waitAloud(text, delay, attempt);
    } else {
      await sleep(delay);
    }
    if (wants.notices) {
      const spoken = spokenLoss(text);
      this.#status.say(`${text} Connecting…`, { spoken, isBusy: true, after: attempt === 1 ? BLIP_MS : 0 });
    }
  }

  #lossText(close) {
    // Later tries fail without a word; what the server said at first still holds.
    this.#lossReason ||= lossReason(close);
    if (!navigator.onLine) {
      return "You are offline.";
    }
    return this.#lossReason || (this.#session == null ? "The server does not answer." : "Connection lost.");
  }

  /** Waits for `delay` ms (null: for the viewer), for the viewer's "Try now", or for their return to the page. */
  async #waitAloud(text, delay, attempt) {
    const { promise: asked, resolve: run } = Promise.withResolvers();
    const listening = new AbortController();
    const waits = [asked, returning(listening.signal)];
    if (delay == null) {
      this.#status.say(text, { tone: "bad", action: { label: "Connect again", run } });
    } else {
      const countdown = { attempt, until: performance.now() + delay };
      this.#status.say(text, { spoken: spokenLoss(text), countdown, tone: "bad", action: { label: "Try now", run } });
      waits.push(sleep(delay));
    }
    await Promise.race(waits);
    listening.abort();
  }

  #complain(text) {
    const words = wording({ reason: text });
    this.#status.toast({ ...words, detail: this.#detail(words.reference) });
  }

  /** The traceback of a failure, where the server gives one to this viewer. */
  async #detail(reference) {
    const { errors_url: prefix } = this.#config;
    if (!prefix || !reference) {
      return "";
    }
    const response = await fetch(prefix + reference).catch(() => null);
    return response?.ok ? response.text() : "";
  }

  /** Says why the session has ended; resolves to true once the viewer asks for another try on this page. */
  #stop(close) {
    removeSkeleton();
    this.#tell("ended");
    const words = wording(close);
    const { promise: asked, resolve } = Promise.withResolvers();
    const actions = this.#remedies(close, () => {
      this.#tell("loading");
      dialog.close();
      this.#status.loading({ isVisible: true });
      resolve(true);
    });
    const isModal = this.#session != null;
    const dialog = this.#status.end({ ...words, detail: this.#detail(words.reference), actions, isModal });
    return asked;
  }

  #remedies(close, retry) {
    const { kind, label } = remedy(close);
    const { catalogue_url: href } = this.#config;
    const leave = href ? [{ label: "All apps", href }] : [];
    if (kind === "leave" && href) {
      return leave;
    }
    return [{ label, run: kind === "retry" ? retry : () => window.location.reload() }, ...leave];
  }

  #watchPresence() {
    let hiddenAt = performance.now();
    const probe = () => this.#status.state === "live" && this.#session.probe();
    window.addEventListener("online", probe);
    window.addEventListener("beforeunload", () => {
      this.#leftAt = performance.now();
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") {
        hiddenAt = performance.now();
      } else if (performance.now() - hiddenAt > LONG_ABSENCE_MS) {
        void probe();
      }
    });
  }
}

void new Page().run();
