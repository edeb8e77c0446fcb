/** The place of the app on its own page: what stands in the HTML. */

/** Whether the page shows the outline of an app that still loads. */
export function hasSkeleton() {
  return document.querySelector(".ar-skeleton") != null;
}

export function removeSkeleton() {
  document.querySelectorAll(".ar-skeleton").forEach((skeleton) => skeleton.remove());
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
