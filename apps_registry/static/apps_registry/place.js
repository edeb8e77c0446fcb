/** The place of the app on its page: what stands in the HTML, and what the browser says of the page. */

export function readConfig() {
  return JSON.parse(document.getElementById("apps-registry-session").textContent);
}

export function stylesheet() {
  const link = document.querySelector("link[data-apps-registry-style]");
  return link?.href ?? new URL("page.css", import.meta.url).href;
}

export function socketUrl(path) {
  const url = new URL(path, window.location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}

/** Whether the page shows the outline of an app that still loads. */
export function hasSkeleton() {
  return document.querySelector(".ar-skeleton") != null;
}

export function removeSkeleton() {
  document.querySelectorAll(".ar-skeleton").forEach((skeleton) => skeleton.remove());
}

/** Resolves when the network comes back or the viewer looks at the page again. */
export function returning(signal) {
  const { promise, resolve } = Promise.withResolvers();
  window.addEventListener("online", resolve, { signal });
  const look = () => document.visibilityState === "visible" && resolve();
  document.addEventListener("visibilitychange", look, { signal });
  return promise;
}

/** Keeps the page's height while its content is exchanged, so that the viewer stays where they were. */
export function holdScroll() {
  const { body } = document;
  const { scrollX, scrollY } = window;
  body.style.minHeight = `${body.scrollHeight}px`;
  return () => {
    window.scrollTo(scrollX, scrollY);
    body.style.minHeight = "";
  };
}

/** Where BokehJS puts the document: one element for all roots, or one for each. */
export function placesOf({ roots = {}, element, use_for_title: useForTitle }) {
  return {
    element: document.getElementById(element) ?? document.body,
    roots: Object.values(roots).map((id) => document.getElementById(id)),
    useForTitle,
  };
}
