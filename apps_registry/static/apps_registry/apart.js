/** Which `<bokeh-root>` stands for which root of the session of a `<bokeh-app apart>`, in whatever order they come. */

import { mendAfterMove, rootPlaces } from "./bokehjs.js";
import { element } from "./dom.js";

const places = new Map();
const sessions = new Map();

function placesFor(id) {
  return places.get(id) ?? new Set();
}

/** The `Place` of a `<bokeh-root>` is on the page. */
export function addPlace(id, place) {
  places.set(id, placesFor(id).add(place));
  sessions.get(id)?.settle();
}

export function removePlace(id, place) {
  const others = placesFor(id);
  others.delete(place);
  if (others.size === 0) {
    places.delete(id);
  }
  place.show([]);
  sessions.get(id)?.settle();
}

/** Whether there is an element for the places of this id. */
export function isServed(id) {
  return sessions.has(id);
}

/** The roots of one session; those that have no place on the page are drawn in `parking`. */
export class Apart {
  #id;
  #parking;
  #document = null;
  #drawn = new Map();
  #state = null;

  constructor(id, parking) {
    this.#id = id;
    this.#parking = parking;
    sessions.set(id, this);
  }

  /** Where BokehJS puts the roots of a document, which is the new one. */
  places(document) {
    this.#drawn.forEach((holder) => holder.remove());
    this.#drawn.clear();
    this.#document = document;
    return { element: this.#parking, roots: rootPlaces(document, (root) => this.#holderOf(root)) };
  }

  // A root keeps its holder, and moves in it from place to place.
  #holderOf(root) {
    if (!this.#drawn.has(root)) {
      this.#drawn.set(root, element("div", { class: "ar-root" }));
      this.settle();
    }
    return this.#drawn.get(root);
  }

  enter(state) {
    this.#state = state;
    this.settle();
  }

  /** Puts each root where it belongs by now. */
  settle() {
    const left = new Set(this.#drawn.keys());
    const moves = [...placesFor(this.#id)].map((place) => {
      const roots = [...left].filter(({ name }) => name === place.name);
      roots.forEach((root) => left.delete(root));
      const isMoved = place.show(roots.map((root) => this.#drawn.get(root)));
      place.enter(this.#state);
      if (roots.length === 0 && this.#state === "live") {
        place.missing([...this.#drawn.keys()].map(({ name }) => name).filter(Boolean));
      }
      return isMoved;
    });
    const unplaced = [...left].map((root) => this.#drawn.get(root));
    this.#parking.append(...unplaced.filter((holder) => holder.parentNode !== this.#parking));
    if (this.#state === "live" && moves.includes(true)) {
      mendAfterMove(this.#document);
    }
  }

  hold() {
    const releases = [...placesFor(this.#id)].map((place) => place.hold());
    return () => releases.forEach((release) => release());
  }

  /** Whether the viewer was in one of the roots, which are dead now. */
  ended() {
    return [...placesFor(this.#id)].map((place) => place.ended()).includes(true);
  }

  close() {
    // Another element may have taken over the name while this one was on its way out
    if (sessions.get(this.#id) === this) {
      sessions.delete(this.#id);
      for (const place of placesFor(this.#id)) {
        place.show([]);
        place.enter(null);
      }
    }
    this.#drawn.clear();
  }
}
