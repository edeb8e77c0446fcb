/**
 * `<bokeh-app src="/apps/sales?region=EU">`: an app in any page; and `<bokeh-root for="ID" name="plot">`: one root of
 * the session of a `<bokeh-app id="ID" src="..." apart>`, in a place of its own.
 *
 * The attribute `state` says how the session is: "loading", "live", "lost", "refused" or "ended". So does the event
 * `apps-registry-session`, which bubbles, with `detail` = `{state, document, name}`: BokehJS's document, which is
 * another one after each reconnection, and the name of the app.
 */

import { BokehRoot } from "./bokeh-root.js";
import { Box } from "./box.js";
import { Embedded } from "./embedded.js";
import { Supervisor } from "./supervisor.js";

/** What takes an element from the page and puts it back so soon, as scripts do that swap pages, has only moved it. */
const MOVING_MS = 100;

class BokehApp extends HTMLElement {
  static observedAttributes = ["src"];
  #box = new Box(this);
  #supervisor = null;
  #embedded = null;
  #leaving = null;

  connectedCallback() {
    clearTimeout(this.#leaving);
    // Turbo shows an old copy of a page while it fetches the new one
    const isPreview = document.documentElement.hasAttribute("data-turbo-preview");
    if (this.#supervisor != null) {
      this.#embedded.moved();
    } else if (!isPreview) {
      this.#open();
    }
  }

  disconnectedCallback() {
    this.#leaving = setTimeout(() => this.#close(), MOVING_MS);
  }

  // With this, `moveBefore` does not call the two above
  connectedMoveCallback() {
    this.#embedded?.moved();
  }

  attributeChangedCallback(_, before, after) {
    if (this.#supervisor != null && before !== after) {
      this.#close();
      if (this.isConnected) {
        this.#open();
      }
    }
  }

  #open() {
    this.#embedded = new Embedded(this, this.#box);
    this.#supervisor = new Supervisor(this.#embedded);
    void this.#supervisor.run();
  }

  #close() {
    this.#supervisor?.leave();
    this.#embedded?.close();
    this.#supervisor = this.#embedded = null;
  }
}

if (customElements.get("bokeh-app") == null) {
  customElements.define("bokeh-app", BokehApp);
  customElements.define("bokeh-root", BokehRoot);
}
