/** The inside of an element that shows an app or a part of one: its shadow root, out of reach of the page's styles. */

import { element, settled, styleLink } from "./dom.js";

export class Box {
  /** Where the app is drawn. A page may style it as `::part(app)`. */
  stage = element("div", { class: "ar-stage", part: "app" });
  #skeleton = element("div", { class: "ar-skeleton", "aria-hidden": "true" }, element("i"));
  #box = element("div", { class: "ar-box" }, this.stage, this.#skeleton);
  #root;
  #observer = new ResizeObserver(() => this.#fit());

  constructor(host) {
    const style = styleLink("box.css");
    this.#root = host.attachShadow({ mode: "open" });
    this.#root.append(style, this.#box);
    this.#skeleton.hidden = true;
    /** Resolves when what is drawn in here has its styles. */
    this.ready = settled(style);
  }

  /** Puts something over the app. */
  add(node) {
    this.#box.append(node);
  }

  /** What a screen reader calls the app. */
  set label(text) {
    this.#box.role = "group";
    this.#box.ariaLabel = text;
  }

  get isEmpty() {
    return this.stage.childElementCount === 0;
  }

  loading() {
    this.stage.inert = false;
    this.#box.ariaBusy = "true";
    this.#skeleton.hidden = !this.isEmpty;
  }

  shown() {
    this.stage.inert = false;
    this.#box.ariaBusy = null;
    this.#skeleton.hidden = true;
    this.watch();
  }

  /** The app is dead; gives whether the viewer was in there. */
  ended() {
    const { activeElement } = this.#root;
    this.#box.ariaBusy = null;
    this.#skeleton.hidden = true;
    this.stage.inert = true;
    return this.stage.contains(activeElement);
  }

  /** Keeps the height while the content is exchanged, until the function that it gives is called. */
  hold() {
    const { style } = this.#box;
    style.minHeight = `${this.#box.offsetHeight}px`;
    return () => {
      style.minHeight = "";
    };
  }

  /** Lets what is wider than the box be scrolled in there, so that the page is not. */
  watch() {
    this.#observer.disconnect();
    [this.stage, ...this.stage.children].forEach((node) => this.#observer.observe(node));
  }

  #fit() {
    const { scrollWidth, clientWidth } = this.stage;
    this.stage.classList.toggle("ar-overflowing", scrollWidth > clientWidth + 1);
  }

  /** Empties the box. */
  clear() {
    this.#observer.disconnect();
    this.stage.replaceChildren();
    this.stage.inert = false;
    this.#box.ariaBusy = null;
    this.#skeleton.hidden = true;
  }
}
