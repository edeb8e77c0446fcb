/**
 * Opens the session of an app's own page: this site's, or one that the app renders with its own template.
 *
 * It reads the JSON of the element `#apps-registry-session`, and tells the page's own scripts of each state by the
 * event `apps-registry-session` on `document`, with `detail` = `{state, document, name}`: "loading", "live", "lost"
 * or "ended", and BokehJS's document, which is another one after each reconnection.
 */

import { element, settled, styleLink } from "./dom.js";
import { readConfig } from "./door.js";
import { hasSkeleton, holdScroll, placesOf, removeSkeleton } from "./place.js";
import { remedy } from "./policy.js";
import { bokehOfPage } from "./scripts.js";
import { Status } from "./status.js";
import { Supervisor } from "./supervisor.js";

class OwnPage {
  isEmbedded = false;
  status = new Status({ isEmbedded: false });
  hold = holdScroll;
  bokeh = bokehOfPage;
  shown = removeSkeleton;
  #config = readConfig();
  #mark = element("div", { "data-session-state": "loading", class: "ar-status-host" });

  constructor() {
    const style = styleLink("status.css");
    const { node } = this.status;
    node.hidden = true;
    void settled(style).then(() => {
      node.hidden = false;
    });
    this.#mark.attachShadow({ mode: "open" }).append(style, node);
    document.body.append(this.#mark);
  }

  async config() {
    return this.#config;
  }

  places() {
    return placesOf(this.#config);
  }

  loading() {
    this.status.loading({ isVisible: !hasSkeleton() });
  }

  ended() {
    removeSkeleton();
    return false;
  }

  restart() {
    window.location.reload();
    return false;
  }

  async actions(close, retry) {
    const { kind, label } = remedy(close);
    const { catalogueUrl: href } = this.#config;
    const leave = href ? [{ label: "All apps", href }] : [];
    if (kind === "leave" && href) {
      return leave;
    }
    return [{ label, run: kind === "retry" ? retry : () => window.location.reload() }, ...leave];
  }

  tell(state, bokehDocument) {
    this.#mark.dataset.sessionState = state;
    const detail = { state, document: bokehDocument, name: this.#config.name };
    document.dispatchEvent(new CustomEvent("apps-registry-session", { detail }));
  }
}

void new Supervisor(new OwnPage()).run();
