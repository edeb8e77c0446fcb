/**
 * What the page says about its session: loading, lost, restored, failed, ended.
 *
 * It builds its own elements in a shadow root, so that it looks and works the same in the page of any app, and
 * takes all text as text. The host element is `<div data-session-state="STATE">`.
 */

const PASSING_MS = 5000;
const MAX_TOASTS = 2;
const LOADING_DELAY_MS = 150;
const SLOW_START_MS = 8000;

function element(tag, { text, on = {}, ...attributes } = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  for (const [type, listener] of Object.entries(on)) {
    node.addEventListener(type, listener);
  }
  if (text != null) {
    node.textContent = text;
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

function button({ label, run, href }, kind) {
  if (href != null) {
    return element("a", { class: `ar-button ${kind}`, href, text: label });
  }
  return element("button", { class: `ar-button ${kind}`, type: "button", text: label, on: { click: run } });
}

/** Adds a closed fold with what staff may see of a failure, once the promise `detail` gives it. */
async function putDetail(detail, parent) {
  const text = await detail;
  if (text) {
    const summary = element("summary", { text: "Traceback" });
    parent.append(element("details", { class: "ar-detail" }, summary, element("pre", { text, tabindex: "0" })));
  }
}

function referenceLine(reference) {
  if (!reference) {
    return null;
  }
  return element("p", { class: "ar-reference" }, "Reference: ", element("code", { text: reference }));
}

function toastNode(text, { reference, dismiss }) {
  const close = element("button", { class: "ar-close", type: "button", "aria-label": "Dismiss", text: "×" });
  close.addEventListener("click", dismiss);
  return element(
    "div",
    { class: "ar-toast", role: "alert" },
    element("p", { text }),
    close,
    referenceLine(reference),
  );
}

function dialogNode({ title, text, reference, actions: [main, ...others] }) {
  const words = element("div", { class: "ar-words", id: "ar-text" }, text ? element("p", { text }) : null);
  words.append(referenceLine(reference) ?? "");
  return element(
    "dialog",
    { class: "ar-dialog", "aria-labelledby": "ar-title", "aria-describedby": "ar-text" },
    // The heading takes the focus: a key pressed for the app must not press a button that has just appeared.
    element("h2", { id: "ar-title", text: title, tabindex: "-1", autofocus: "" }),
    words,
    element("div", { class: "ar-actions" }, button(main, "main"), ...others.map((action) => button(action, "quiet"))),
  );
}

export class Status {
  #host = element("div", { "data-session-state": "loading", class: "ar-status-host" });
  #spoken = element("div", { class: "ar-spoken", role: "status", "aria-live": "polite" });
  #stack = element("div", { class: "ar-stack" });
  #notice = null;
  #ticking = null;
  #later = [];
  #toasts = new Map();

  constructor(stylesheet) {
    const style = element("link", { rel: "stylesheet", href: stylesheet });
    const body = element("div", { class: "ar-status" }, this.#spoken, this.#stack);
    body.hidden = true;
    for (const event of ["load", "error"]) {
      style.addEventListener(event, () => {
        body.hidden = false;
      });
    }
    this.#host.attachShadow({ mode: "open" }).append(style, body);
    document.body.append(this.#host);
  }

  /** The state of the session, for this page's own scripts and styles. */
  get state() {
    return this.#host.dataset.sessionState;
  }

  mark(state) {
    this.#host.dataset.sessionState = state;
  }

  /** Says that the app loads: not at once, and in other words when it takes long. */
  loading({ isVisible }) {
    this.say("Loading the app…", { isVisible, isBusy: true, after: LOADING_DELAY_MS });
    this.#later.push(
      setTimeout(() => this.say("Still starting. Some apps take a while.", { isBusy: true }), SLOW_START_MS),
    );
  }

  loaded() {
    this.hush();
    this.#speak("");
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
  #speak(text) {
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

  /** Shows a failure that the session survived; the same one again only counts up. */
  toast({ title, text, reference, detail }) {
    const words = [title, text].filter(Boolean).join(". ");
    const times = (this.#toasts.get(words)?.times ?? 0) + 1;
    this.#dropToast(words);
    const node = toastNode(times > 1 ? `${words} (${times} times)` : words, {
      reference,
      dismiss: () => this.#dropToast(words),
    });
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
   * Shows why the session has ended, and returns the dialog. `actions` (the first is the main one) have a `label`
   * and a `run` or `href`; `detail` may be a promise. A modal dialog can be put aside, to look at what is left of
   * the app; a line with the main action stays then.
   */
  end({ title, text, reference, detail, actions, isModal }) {
    this.hush();
    const aside = isModal ? [{ label: "Look at the page", run: () => dialog.close() }] : [];
    const dialog = dialogNode({ title, text, reference, actions: [...actions, ...aside] });
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (this.state === "ended") {
        this.say(`${title}.`, { action: actions[0], tone: "bad" });
      }
    });
    this.#stack.after(dialog);
    if (isModal) {
      dialog.showModal();
    } else {
      dialog.show();
    }
    void putDetail(detail, dialog.querySelector(".ar-words"));
    return dialog;
  }
}
