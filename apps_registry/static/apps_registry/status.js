/**
 * What is said about a session: loading, lost, restored, failed, ended.
 *
 * It builds its own elements, which its owner puts into a shadow root together with status.css, so that it looks
 * and works the same in any page. With `isEmbedded` it stays within the box around it and leaves the focus alone;
 * else it speaks for the whole page.
 */

import { button, element } from "./dom.js";
import { dialogNode, panelNode, putDetail, toastNode } from "./failure.js";

const PASSING_MS = 5000;
const MAX_TOASTS = 2;
const LOADING_DELAY_MS = 150;
const SLOW_START_MS = 8000;

export class Status {
  #spoken = element("div", { class: "ar-spoken", role: "status", "aria-live": "polite" });
  #stack = element("div", { class: "ar-stack" });
  #isEmbedded;
  #ending = null;
  #notice = null;
  #ticking = null;
  #later = [];
  #toasts = new Map();

  /** What is spoken begins with this, where more than one app may have something to say. */
  label = "";

  constructor({ isEmbedded }) {
    this.#isEmbedded = isEmbedded;
    const place = isEmbedded ? "ar-within" : "ar-over";
    this.node = element("div", { class: `ar-status ${place}` }, this.#spoken, this.#stack);
  }

  /** Says that the app loads: not at once, and in other words when it takes long. */
  loading({ isVisible }) {
    this.#leaveEnding();
    this.say("Loading the app…", { isVisible, isBusy: true, after: LOADING_DELAY_MS });
    this.#later.push(
      setTimeout(() => this.say("Still starting. Some apps take a while.", { isBusy: true }), SLOW_START_MS),
    );
  }

  loaded() {
    this.#leaveEnding();
    this.hush();
    this.#speak("");
  }

  /** Takes everything away. */
  clear() {
    this.loaded();
    [...this.#toasts.keys()].forEach((words) => this.#dropToast(words));
  }

  /**
   * Shows one line, in place of the one before, and speaks `spoken` in its stead when that is given.
   *
   * `countdown` is {attempt, until}, until a `performance.now()` time; `action` adds a button; `after` waits some
   * ms, so that what is over soon is never shown; `isPassing` takes the line away in the end.
   */
  say(text, { after = 0, ...options } = {}) {
    this.hush();
    if (after > 0) {
      this.#later.push(setTimeout(() => this.#show(text, options), after));
    } else {
      this.#show(text, options);
    }
  }

  #show(text, options) {
    const { spoken = text, countdown, action, isPassing, isBusy, isVisible = true, tone = "" } = options;
    this.#speak(spoken);
    if (!isVisible) {
      return;
    }
    const count = element("span", { class: "ar-count", "aria-hidden": "true" });
    this.#notice = element(
      "div",
      { class: `ar-notice ${tone} ${isBusy ? "busy" : ""}` },
      element("span", { class: "ar-mark", "aria-hidden": "true" }),
      element("span", { class: "ar-text" }, text, count),
      action && button(action, "quiet"),
    );
    this.#stack.append(this.#notice);
    if (countdown != null) {
      this.#countDown(count, countdown);
    }
    if (isPassing) {
      this.#later.push(setTimeout(() => this.hush(), PASSING_MS));
    }
  }

  // Words that are there already are not set again, for a screen reader would repeat them at every try.
  #speak(words) {
    const text = words && this.label ? `${this.label}: ${words}` : words;
    if (this.#spoken.textContent !== text) {
      this.#spoken.textContent = text;
    }
  }

  #countDown(count, { attempt, until }) {
    const tick = () => {
      const seconds = Math.ceil((until - performance.now()) / 1000);
      count.textContent = seconds > 0 ? ` Attempt ${attempt} in ${seconds} s.` : "";
    };
    tick();
    this.#ticking = setInterval(tick, 500);
  }

  /** Takes the line away, and what was to be said later; what is spoken stays until other words come. */
  hush() {
    clearInterval(this.#ticking);
    this.#later.forEach(clearTimeout);
    this.#later = [];
    this.#notice?.remove();
    this.#notice = null;
  }

  /** Shows a message from the people who run the site, until it is dismissed. */
  tell(text) {
    this.#toast(text, { tone: "news" });
  }

  /** Shows a failure that the session survived. */
  complain({ title, text, reference, detail }) {
    this.#toast([title, text].filter(Boolean).join(". "), { tone: "bad", reference, detail });
  }

  // The same words again only count up.
  #toast(words, { detail, ...options }) {
    const times = (this.#toasts.get(words)?.times ?? 0) + 1;
    this.#dropToast(words);
    const text = times > 1 ? `${words} (${times} times)` : words;
    const node = toastNode(text, { ...options, dismiss: () => this.#dropToast(words) });
    this.#toasts.set(words, { node, times });
    this.#stack.prepend(node);
    if (this.#toasts.size > MAX_TOASTS) {
      this.#dropToast(this.#toasts.keys().next().value);
    }
    void putDetail(detail, node);
  }

  #dropToast(words) {
    this.#toasts.get(words)?.node.remove();
    this.#toasts.delete(words);
  }

  /**
   * Shows why the session has ended. `actions` (the first is the main one) have a `label` and a `run` or `href`;
   * `detail` may be a promise. What covers something (`coversApp`) can be put aside on a page of its own, to look
   * at what is left of the app; a line with the main action stays then. `takesFocus` is for a viewer who was in
   * the app that is now gone.
   */
  end({ actions, coversApp, takesFocus, ...words }) {
    this.#leaveEnding();
    this.hush();
    if (this.#isEmbedded) {
      this.#endWithin({ ...words, actions }, takesFocus);
    } else {
      this.#endOver({ ...words, actions }, coversApp);
    }
  }

  #endWithin(words, takesFocus) {
    this.#ending = panelNode(words);
    this.node.prepend(this.#ending);
    this.#speak([words.title, words.text].filter(Boolean).join(". "));
    if (takesFocus) {
      this.#ending.querySelector(".ar-title").focus({ preventScroll: true });
    }
  }

  #endOver({ actions, ...words }, isModal) {
    const aside = isModal ? [{ label: "Look at the page", run: () => dialog.close() }] : [];
    const dialog = dialogNode({ ...words, actions: [...actions, ...aside] });
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (this.#ending === dialog) {
        this.say(`${words.title}.`, { action: actions[0], tone: "bad" });
      }
    });
    this.#ending = dialog;
    this.#stack.after(dialog);
    if (isModal) {
      dialog.showModal();
    } else {
      dialog.show();
    }
  }

  #leaveEnding() {
    this.#ending?.remove();
    this.#ending = null;
  }
}
