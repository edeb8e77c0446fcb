/** Whether the viewer is here: what the browser says of it while the signal lasts. */

const LEAVING_MS = 3000;
const LONG_ABSENCE_MS = 20_000;

export class Presence {
  #leftAt = -Infinity;

  /** `onReturn` is called when a connection may have died unseen: after a time offline, or a long one elsewhere. */
  constructor({ signal, onReturn }) {
    let hiddenAt = performance.now();
    const look = () => {
      if (document.visibilityState === "hidden") {
        hiddenAt = performance.now();
      } else if (performance.now() - hiddenAt > LONG_ABSENCE_MS) {
        onReturn();
      }
    };
    const onLeave = () => {
      this.#leftAt = performance.now();
    };
    window.addEventListener("online", onReturn, { signal });
    window.addEventListener("beforeunload", onLeave, { signal });
    document.addEventListener("visibilitychange", look, { signal });
  }

  /** Milliseconds for which a lost connection is no news, for the browser is about to leave the page. */
  get quietTime() {
    return performance.now() - this.#leftAt < LEAVING_MS ? LEAVING_MS : 0;
  }
}
