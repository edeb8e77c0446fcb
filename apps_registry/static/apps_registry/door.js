/** What has to be known of a session before it opens: from the JSON of an app's own page, or from the app's door. */

import { LOST } from "./policy.js";

/** The server gives no session. `loginUrl` leads to where that may be mended. */
export class Refused extends Error {
  constructor({ code, message = "", reference = "", loginUrl = null }) {
    super(message);
    this.code = code;
    this.reason = message;
    this.reference = reference;
    this.loginUrl = loginUrl;
  }
}

/** Addresses in what a server says are meant as it would mean them: from its own address. */
function resolved(said, base) {
  const at = (path) => (path ? new URL(path, base).href : "");
  const all = (paths = []) => paths.map(at);
  return {
    ...said,
    query: base.search,
    socketUrl: at(said.ws_path).replace(/^http/, "ws"),
    catalogueUrl: at(said.catalogue_url),
    errorsUrl: at(said.errors_url),
    scriptUrls: all(said.script_urls),
    styleUrls: all(said.style_urls),
  };
}

/** What the page of an app says. */
export function readConfig() {
  const said = JSON.parse(document.getElementById("apps-registry-session").textContent);
  return resolved(said, new URL(window.location.href));
}

/** The address of an app as an attribute `src` names it. Throws `Refused` where that names none. */
export function appUrl(src) {
  if (!src || !URL.canParse(src, document.baseURI)) {
    throw new Refused({ code: 4404, message: "This page does not say which app belongs here." });
  }
  return new URL(src, document.baseURI);
}

function doorUrl(app, context) {
  const url = new URL(app);
  const signed = context ? new URLSearchParams({ "bokeh-context": context }) : "";
  url.pathname = `${url.pathname.replace(/\/$/, "")}/session`;
  url.search = [url.search.slice(1), signed].filter(String).join("&");
  url.hash = "";
  return url;
}

/** Where to log in, to come back to this very page if it is of the same site. */
function loginUrl(path, app) {
  if (!path) {
    return null;
  }
  const url = new URL(path, app);
  const { origin, href } = window.location;
  if (url.origin === origin) {
    url.searchParams.set("next", href.slice(origin.length));
  }
  return url.href;
}

async function refusal(response, app) {
  const { code, message, reference, login_url: login } = await response.json().catch(() => ({}));
  if (code == null && response.status >= 500) {
    return new Refused({ code: LOST });
  }
  return new Refused({ code: code ?? 4000 + response.status, message, reference, loginUrl: loginUrl(login, app) });
}

/** Asks the door of an app for a new session. Rejects with `Refused`. */
export async function fetchConfig(app, { context, signal }) {
  const headers = { Accept: "application/json" };
  const asked = fetch(doorUrl(app, context), { credentials: "include", headers, signal });
  const response = await asked.catch((error) => {
    signal.throwIfAborted();
    console.warn(`${app.href} does not answer this page.`, error);
    throw new Refused({ code: LOST });
  });
  if (!response.ok) {
    throw await refusal(response, app);
  }
  return resolved(await response.json(), app);
}

/** Where the viewer of an app can log in; null when the app does not ask for that. */
export async function askForLogin(app, options) {
  try {
    await fetchConfig(app, options);
    return null;
  } catch (error) {
    return error instanceof Refused ? error.loginUrl : null;
  }
}
