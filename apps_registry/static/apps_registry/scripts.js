/**
 * Loads scripts and stylesheets for apps, each once for the page, however many elements want it and whoever put it
 * there first.
 */

/** A script that says nothing for so long will never run: it came in by `innerHTML`. */
const SILENT_MS = 3000;
const SCRIPT_TYPES = ["", "text/javascript", "application/javascript"];
const BOKEHJS = /^(bokeh(?:-(?:api|gl|widgets|tables|mathjax))?)(?:[-.](?:\d|min\b).*)?\.js$/;

const early = new Set(document.scripts);
const outcomes = new WeakMap();
const inserted = new Map();
const ran = new Set();

// Events of scripts do not bubble, but they pass here on their way down.
for (const type of ["load", "error"]) {
  const note = ({ target }) => target instanceof HTMLScriptElement && outcomes.set(target, type);
  document.addEventListener(type, note, true);
}

/** The nonce that the page gives its own scripts, where it has a policy that asks for one. */
function nonce() {
  return document.querySelector("script[nonce]")?.nonce ?? "";
}

function on(target, ...types) {
  return Promise.race(
    types.map((type) => new Promise((resolve) => target.addEventListener(type, resolve, { once: true }))),
  );
}

function isParsed() {
  const [navigation] = performance.getEntriesByType("navigation");
  return document.readyState === "complete" || navigation?.domContentLoadedEventEnd > 0;
}

/** Resolves to whether a script of the page has run. */
async function hasRun(script) {
  const known = () => outcomes.get(script);
  if (known() == null && early.has(script)) {
    if (!script.async && !isParsed()) {
      await on(document, "DOMContentLoaded");
    } else if (document.readyState !== "complete") {
      await Promise.race([on(script, "load", "error"), on(window, "load")]);
    }
    // Its events may have gone by before this script began
    return known() !== "error";
  }
  if (known() == null) {
    await Promise.race([on(script, "load", "error"), new Promise((resolve) => setTimeout(resolve, SILENT_MS))]);
  }
  return known() === "load";
}

/** "bokeh-widgets" for ".../bokeh-widgets-3.10.2.min.js", and for a name with a hash in it; null for no part of BokehJS. */
function partOfBokeh(url) {
  return BOKEHJS.exec(url.split(/[?#]/)[0].split("/").at(-1))?.[1] ?? null;
}

/** The BokehJS of this version on the page, of any version when none is named; null when there is none. */
function bokehOf(version) {
  const { Bokeh } = window;
  if (Bokeh == null || !version) {
    return Bokeh ?? null;
  }
  // Python writes 3.11.0rc1 where JavaScript writes 3.11.0-rc.1
  const plain = (text) => text.replace(/[^\da-z]/g, "");
  return Bokeh[Object.keys(Bokeh).find((name) => plain(name) === plain(version))] ?? null;
}

/** Whether the page has got a script, once those that it names have run: this one, or its like in BokehJS. */
async function isThere(url, version) {
  const scripts = [...document.scripts].filter(({ src, type }) => src && SCRIPT_TYPES.includes(type));
  // All of them, for each copy of BokehJS takes the place of the one before
  const haveRun = async (found) => (await Promise.all(found.map(hasRun))).includes(true);
  const part = partOfBokeh(url);
  if ((await haveRun(scripts.filter(({ src }) => src === url))) && (part == null || bokehOf(version) != null)) {
    return true;
  }
  const likeHasRun = part != null && (await haveRun(scripts.filter(({ src }) => partOfBokeh(src) === part)));
  return bokehOf(version) != null && (likeHasRun || part === "bokeh");
}

async function insert(url) {
  const script = document.createElement("script");
  script.nonce = nonce();
  script.src = url;
  // Those of one app are fetched side by side, and run in their order
  script.async = false;
  const done = on(script, "load", "error");
  document.head.append(script);
  if ((await done).type === "error") {
    script.remove();
    throw new Error(`${url} could not be loaded.`);
  }
}

function insertOnce(url) {
  if (!inserted.has(url)) {
    const loading = insert(url);
    inserted.set(url, loading);
    // A later try is a new one
    loading.catch(() => inserted.delete(url));
  }
  return inserted.get(url);
}

async function loadScripts(urls, version) {
  const others = urls.filter((url) => !inserted.has(url));
  const there = await Promise.all(others.map((url) => isThere(url, version)));
  const missing = new Set(others.filter((_, at) => !there[at]));
  await Promise.all(urls.filter((url) => missing.has(url) || inserted.has(url)).map(insertOnce));
}

function loadStyle(url) {
  if (![...document.querySelectorAll("link[rel=stylesheet]")].some(({ href }) => href === url)) {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = url;
    document.head.append(link);
  }
}

function run(text) {
  if (!ran.has(text)) {
    ran.add(text);
    const script = document.createElement("script");
    script.nonce = nonce();
    script.textContent = text;
    document.head.append(script);
  }
}

/** Loads all that an app needs; resolves to BokehJS. Rejects when a script cannot be loaded. */
export async function loadResources({ scriptUrls, styleUrls, raw_scripts: texts = [], bokeh_version: version }) {
  styleUrls.forEach(loadStyle);
  await loadScripts(scriptUrls, version);
  texts.forEach(run);
  return bokehOf(version) ?? bokehOf();
}

/** Resolves once the scripts that stand in the page have run: to BokehJS, or to null when it is not among them. */
export async function bokehOfPage() {
  if (document.readyState === "loading") {
    await on(document, "DOMContentLoaded");
  }
  if (window.Bokeh == null && document.readyState !== "complete") {
    await on(window, "load");
  }
  return window.Bokeh ?? null;
}
