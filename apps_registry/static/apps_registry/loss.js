/** What is said and awaited between the loss of a connection and the next try. */

import { lossReason, retryDelay } from "./policy.js";
import { forever, returning, sleep } from "./waiting.js";

const BLIP_MS = 600;

function spokenLoss(text) {
  return `${text} Trying again.`;
}

export class Loss {
  #status;
  #signal;
  #reason = "";

  constructor(status, signal) {
    this.#status = status;
    this.#signal = signal;
  }

  /** The connection is there again. */
  end() {
    this.#reason = "";
  }

  /** Waits until it is time for try number `attempt`; `wants` as the app's session has it, null before the first. */
  async wait(close, attempt, wants) {
    const { notices, reconnect } = wants ?? { notices: true, reconnect: true };
    const delay = reconnect ? retryDelay(attempt, close) : null;
    const text = this.#text(close, { isFirst: wants == null });
    if (delay == null || (notices && delay > 0)) {
      await this.#waitAloud(text, delay, attempt);
    } else {
      await sleep(delay, this.#signal);
    }
    if (notices) {
      const spoken = spokenLoss(text);
      this.#status.say(`${text} Connecting…`, { spoken, isBusy: true, after: attempt === 1 ? BLIP_MS : 0 });
    }
  }

  #text(close, { isFirst }) {
    // Later tries fail without a word; what the server said at first still holds.
    this.#reason ||= lossReason(close);
    if (!navigator.onLine) {
      return "You are offline.";
    }
    return this.#reason || (isFirst ? "The server does not answer." : "Connection lost.");
  }

  /** Waits for `delay` ms (null: for the viewer), for the viewer's "Try now", or for their return to the page. */
  async #waitAloud(text, delay, attempt) {
    const { promise: asked, resolve: run } = Promise.withResolvers();
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#signal]);
    const waits = [asked, returning(signal)];
    if (delay == null) {
      this.#status.say(text, { tone: "bad", action: { label: "Connect again", run } });
      waits.push(forever(signal));
    } else {
      const countdown = { attempt, until: performance.now() + delay };
      this.#status.say(text, { spoken: spokenLoss(text), countdown, tone: "bad", action: { label: "Try now", run } });
      waits.push(sleep(delay, signal));
    }
    await Promise.race(waits).finally(() => over.abort());
  }
}
