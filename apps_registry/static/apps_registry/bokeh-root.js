/** `<bokeh-root for="ID" name="plot">`: the place of one root of the session of a `<bokeh-app id="ID" apart>`. */

import { addPlace, isServed, removePlace } from "./apart.js";
import { Box } from "./box.js";
import { element } from "./dom.js";

/** The element that a place belongs to may come a little later. */
const ALONE_MS = 3000;

/** What the session does with the element of a place. */
class Place {
  #element;
  #box;
  #missing = element("p", { class: "ar-missing" });
  #said = "";

  constructor(host) {
    this.#element = host;
    this.#box = new Box(host);
    this.#missing.hidden = true;
    this.#box.add(this.#missing);
  }

  /** The name of the root whose place this is. */
  get name() {
    return this.#element.getAttribute("name");
  }

  /** Holds these elements, each with a root in it, and nothing else; gives whether one of them is new in here. */
  show(holders) {
    const { stage } = this.#box;
    const isSame = stage.childElementCount === holders.length && holders.every((one, at) => one === stage.children[at]);
    if (!isSame) {
      stage.replaceChildren(...holders);
      this.#box.watch();
    }
    this.#missing.hidden = true;
    return !isSame;
  }

  /** Follows the state of the session; null: there is none. */
  enter(state) {
    if (state == null) {
      this.#element.removeAttribute("state");
      this.#box.clear();
      return;
    }
    this.#element.setAttribute("state", state);
    if (state === "loading") {
      this.#box.loading();
    } else if (state === "live") {
      this.#box.shown();
    }
  }

  hold() {
    return this.#box.hold();
  }

  ended() {
    return this.#box.ended();
  }

  /** The session has no root of this name, but these. */
  missing(names) {
    const has = names.length > 0 ? `It has: ${names.join(", ")}.` : "None of its roots has a name.";
    this.say(`This app has no part “${this.name}”.`, has);
  }

  say(text, more = "") {
    this.#missing.textContent = text;
    this.#missing.hidden = false;
    if (this.#said !== text) {
      this.#said = text;
      console.warn(`${text} ${more}`, this.#element);
    }
  }
}

export class BokehRoot extends HTMLElement {
  static observedAttributes = ["for", "name"];
  #place = new Place(this);
  #id = null;
  #alone = null;

  connectedCallback() {
    this.#id = this.getAttribute("for") ?? "";
    addPlace(this.#id, this.#place);
    this.#alone = setTimeout(() => this.#lookAround(), ALONE_MS);
  }

  disconnectedCallback() {
    clearTimeout(this.#alone);
    removePlace(this.#id, this.#place);
  }

  attributeChangedCallback() {
    if (this.isConnected && this.#id != null) {
      this.disconnectedCallback();
      this.connectedCallback();
    }
  }

  #lookAround() {
    if (!isServed(this.#id)) {
      this.#place.say("The app of this part is not on this page.", `There is no <bokeh-app id="${this.#id}" apart>.`);
    }
  }
}
