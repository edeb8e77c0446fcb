/** How a failure, or the end of a session, is laid out: its words, its reference, what staff may see, what to do. */

import { button, element } from "./dom.js";

/** The line by which a failure is found in the log; null where there is none. */
export function referenceLine(reference) {
  if (!reference) {
    return null;
  }
  return element("p", { class: "ar-reference" }, "Reference: ", element("code", { text: reference }));
}

/** Adds a closed fold with what staff may see of a failure, once the promise `detail` gives it. */
export async function putDetail(detail, parent) {
  const text = await detail;
  if (text) {
    const summary = element("summary", { text: "Traceback" });
    parent.append(element("details", { class: "ar-detail" }, summary, element("pre", { text, tabindex: "0" })));
  }
}

/** What can be dismissed: a message, or a failure that the session survived. */
export function toastNode(text, { tone, reference, dismiss }) {
  const close = element("button", { class: "ar-close", type: "button", "aria-label": "Dismiss", text: "×" });
  close.addEventListener("click", dismiss);
  return element(
    "div",
    { class: `ar-toast ${tone}`, role: "alert" },
    element("p", { text }),
    close,
    referenceLine(reference),
  );
}

function endNode(tag, attributes, heading, { text, reference, detail, actions: [main, ...others] }) {
  const words = element("div", { class: "ar-words", id: "ar-text" }, text ? element("p", { text }) : null);
  words.append(referenceLine(reference) ?? "");
  void putDetail(detail, words);
  return element(
    tag,
    { ...attributes, "aria-labelledby": "ar-title", "aria-describedby": "ar-text" },
    heading,
    words,
    element("div", { class: "ar-actions" }, button(main, "main"), ...others.map((action) => button(action, "quiet"))),
  );
}

/** Says over a page of its own why the session has ended. */
export function dialogNode({ title, ...rest }) {
  // The heading takes the focus: a key pressed for the app must not press a button that has just appeared.
  const heading = element("h2", { id: "ar-title", text: title, tabindex: "-1", autofocus: "" });
  return endNode("dialog", { class: "ar-dialog" }, heading, rest);
}

/** Says it in the box of an app that is a part of somebody's page, of whose headings it knows nothing. */
export function panelNode({ title, ...rest }) {
  const heading = element("p", { class: "ar-title", id: "ar-title", text: title, tabindex: "-1" });
  return endNode("div", { class: "ar-panel", role: "group" }, heading, rest);
}
