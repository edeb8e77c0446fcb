/** Elements made by script: all text goes in as text, and no attribute needs more than the strictest policy allows. */

/** An element with attributes, `text`, listeners in `on`, and children (null ones are left out). */
export function element(tag, { text, on = {}, ...attributes } = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  for (const [type, listener] of Object.entries(on)) {
    node.addEventListener(type, listener);
  }
  if (text != null) {
    node.textContent = text;
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

/** A button that runs something, or a link that looks like one. */
export function button({ label, run, href, target }, kind) {
  if (href != null) {
    const elsewhere = target == null ? {} : { target, rel: "noopener" };
    return element("a", { class: `ar-button ${kind}`, href, text: label, ...elsewhere });
  }
  return element("button", { class: `ar-button ${kind}`, type: "button", text: label, on: { click: run } });
}

/** A link to a stylesheet that stands beside this script. */
export function styleLink(name) {
  return element("link", { rel: "stylesheet", href: new URL(name, import.meta.url).href });
}

/** Resolves when a link has loaded its stylesheet, or could not. */
export function settled(link) {
  return new Promise((resolve) => {
    link.addEventListener("load", resolve, { once: true });
    link.addEventListener("error", resolve, { once: true });
  });
}
