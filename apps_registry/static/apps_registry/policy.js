/** What the end of a connection means: try again, begin anew, or stop; and when, and in which words. */

const SERVER_LEAVES = 1001;
const POLICY_VIOLATION = 1008;
const SERVER_RESTARTS = 1012;
const CODE_CHANGED = 4205;
const LOGIN_REQUIRED = 4401;
const OUT_OF_DATE = 4403;
const NOT_FOUND = 4404;
const NOT_YOURS = 4409;
const SESSION_ENDED = 4410;
const TOO_MANY_SESSIONS = 4429;
const LOGIN_ENDED = 4451;
const ACCESS_ENDED = 4452;
const APP_DISABLED = 4453;
const ENDED_BY_ADMIN = 4454;
const SESSION_IDLE = 4455;
const TOO_SLOW = 4508;

/** What a browser says of a connection that broke without a word. */
export const LOST = 1006;

/** The page closes a socket with this when its app leaves the page: nobody will come back for the session. */
export const LEFT_PAGE = 4000;
export const APP_FAILED = 4500;

const DELAYS_S = [0, 1, 2, 4, 8, 15, 30];
const MAX_ATTEMPTS = 24;

/** A connection that lived so long counts as a good one: the next loss starts with quick tries again. */
export const STEADY_MS = 10_000;

const FALLBACK_TEXTS = {
  4400: "The page and the server did not understand each other. Please load the page again.",
  [LOGIN_REQUIRED]: "Please log in to open this app.",
  [OUT_OF_DATE]: "This page is out of date. Please load it again.",
  [NOT_FOUND]: "There is no such app.",
  [NOT_YOURS]: "This session belongs to somebody else. Please load the page again.",
  [SESSION_ENDED]: "This session has ended. Please load the page again.",
  [TOO_MANY_SESSIONS]: "Too many people are using this app right now. Please try again in a minute.",
  [LOGIN_ENDED]: "You are no longer logged in. Please log in again.",
  [ACCESS_ENDED]: "You may no longer open this app.",
  [APP_DISABLED]: "This app has been switched off.",
  [ENDED_BY_ADMIN]: "This session was ended by an administrator.",
  [SESSION_IDLE]: "This session was closed because nobody used it.",
  [APP_FAILED]: "This app could not be started.",
  4504: "This app took too long to start.",
};
const UNKNOWN_TEXT = "The server has ended this session. Please load the page again.";

/**
 * What to do: "retry", "stop", "restart" (the app's code has changed), "renew" (the token is of no more use) or
 * "recheck" (the login of this browser may have been renewed meanwhile).
 */
export function verdict({ code }) {
  switch (code) {
    case CODE_CHANGED:
      return "restart";
    case OUT_OF_DATE:
    case SESSION_ENDED:
      return "renew";
    case LOGIN_ENDED:
      return "recheck";
    default:
      return code >= 1000 && (code < 4000 || code === TOO_SLOW) && code !== POLICY_VIOLATION ? "retry" : "stop";
  }
}

/** Milliseconds to wait before try number `attempt` (from 1); null when it is time to let the viewer decide. */
export function retryDelay(attempt, { code }, random = Math.random) {
  if (attempt > MAX_ATTEMPTS) {
    return null;
  }
  const base = 1000 * DELAYS_S[Math.min(attempt, DELAYS_S.length) - 1];
  // All tabs of a server that stops come back at once; they are spread, so that its successor can breathe.
  const isStop = attempt === 1 && [SERVER_LEAVES, SERVER_RESTARTS].includes(code);
  const spread = isStop ? 500 + 1500 * random() : base * 0.3 * random();
  return Math.round(base + spread);
}

/** Why the connection was lost, as far as that is known; else "". */
export function lossReason({ code, reason }) {
  return reason || (code === SERVER_RESTARTS ? "The server is restarting." : "");
}

/** Splits the server's words into a heading, the rest, and the reference of a failure. */
export function wording({ code, reason, reference: known = "" }, { isEmbedded = false } = {}) {
  const said = reason || FALLBACK_TEXTS[code] || UNKNOWN_TEXT;
  // There the app has a button of its own for that
  const words = isEmbedded ? said.replace(/ Please load (the page|it) again\./, "") : said;
  const [, text, reference = known] = /^(.*?)(?:\s*Reference: (\w+)\.?)?$/s.exec(words);
  const [, title, rest] = /^(.+?[.!?])(?:\s+(.*))?$/s.exec(text) ?? [null, text, ""];
  return { title: title.replace(/\.$/, ""), text: rest ?? "", reference };
}

/** Whether the viewer after this end is the one of before, to whom their settings may be given back. */
export function isSameViewer({ code }) {
  return ![LOGIN_REQUIRED, LOGIN_ENDED, NOT_YOURS, ACCESS_ENDED].includes(code);
}

/** Whether a login is what is missing. */
export function wantsLogin({ code }) {
  return [LOGIN_REQUIRED, LOGIN_ENDED].includes(code);
}

/** What the viewer of an app's own page can do: "reload" it, "retry" on it, or "leave" it; and how that is called. */
export function remedy({ code }) {
  switch (code) {
    case LOGIN_REQUIRED:
    case LOGIN_ENDED:
      return { kind: "reload", label: "Log in" };
    case TOO_MANY_SESSIONS:
      return { kind: "retry", label: "Try again" };
    case SESSION_IDLE:
      return { kind: "retry", label: "Open again" };
    case NOT_FOUND:
    case ACCESS_ENDED:
    case APP_DISABLED:
      return { kind: "leave", label: "All apps" };
    default:
      return { kind: "reload", label: code >= APP_FAILED ? "Try again" : "Load again" };
  }
}

/** How a new try is called in somebody else's page, which is not to be loaded again for one of its apps. */
export function retryLabel({ code }) {
  const isOver = [SESSION_ENDED, OUT_OF_DATE, NOT_YOURS, LOGIN_ENDED, ENDED_BY_ADMIN, SESSION_IDLE].includes(code);
  return isOver ? "Open again" : "Try again";
}
