/** An app as a part of somebody's page: what the supervisor of its session has to do with the element around it. */

import { Apart } from "./apart.js";
import { mendAfterMove } from "./bokehjs.js";
import { appUrl, askForLogin, fetchConfig } from "./door.js";
import { retryLabel, wantsLogin } from "./policy.js";
import { loadResources } from "./scripts.js";
import { Status } from "./status.js";

/** The host of a `Supervisor`, for one opening of an app in an element with the box `box`. */
export class Embedded {
  isEmbedded = true;
  status = new Status({ isEmbedded: true });
  #element;
  #box;
  #apart;
  #name = "";
  #document = null;

  constructor(element, box) {
    this.#element = element;
    this.#box = box;
    const isApart = element.hasAttribute("apart");
    box.stage.classList.toggle("ar-parking", isApart);
    this.#apart = isApart ? new Apart(element.id, box.stage) : null;
    box.add(this.status.node);
  }

  async config(signal) {
    const config = await fetchConfig(this.#app, { context: this.#context, signal });
    this.#name = config.name;
    this.status.label = config.title;
    if (this.#apart == null) {
      this.#box.label = config.title;
    }
    return config;
  }

  get #app() {
    return appUrl(this.#element.getAttribute("src"));
  }

  get #context() {
    return this.#element.getAttribute("context");
  }

  async bokeh(config) {
    try {
      const [Bokeh] = await Promise.all([loadResources(config), this.#box.ready]);
      return Bokeh;
    } catch (error) {
      console.error(error);
      return null;
    }
  }

  places(document) {
    const places = this.#apart?.places(document) ?? { element: this.#box.stage, roots: [] };
    return { ...places, useForTitle: false };
  }

  hold() {
    return (this.#apart ?? this.#box).hold();
  }

  loading() {
    this.status.loading({ isVisible: this.#apart == null && !this.#box.isEmpty });
    if (this.#apart == null) {
      this.#box.loading();
    }
  }

  shown() {
    this.#box.shown();
  }

  ended() {
    const wasInBox = this.#box.ended();
    return this.#apart?.ended() || wasInBox;
  }

  restart() {
    return true;
  }

  async actions(close, retry) {
    const again = { label: retryLabel(close), run: retry };
    const href = close.loginUrl ?? (wantsLogin(close) ? await this.#loginUrl() : null);
    if (!href) {
      return [again];
    }
    // The way back to this page is known to its own site alone
    const isElsewhere = new URL(href).origin !== window.location.origin;
    return [{ label: "Log in", href, target: isElsewhere ? "_blank" : undefined }, again];
  }

  #loginUrl() {
    return askForLogin(this.#app, { context: this.#context, signal: new AbortController().signal });
  }

  tell(state, document) {
    this.#document = document;
    this.#apart?.enter(state);
    this.#element.setAttribute("state", state);
    const detail = { state, document, name: this.#name };
    const options = { bubbles: true, composed: true, detail };
    this.#element.dispatchEvent(new CustomEvent("apps-registry-session", options));
  }

  /** The element stands somewhere else. */
  moved() {
    mendAfterMove(this.#document);
  }

  /** Gives the element back as it was. */
  close() {
    this.#apart?.close();
    this.status.node.remove();
    this.#box.clear();
    this.#element.removeAttribute("state");
  }
}
