/** What the end of a connection means: try again, load the page again, or stop; and when, and in which words. */

const CODE_CHANGED = 4205;
const TOO_MANY_SESSIONS = 4429;
const TOO_SLOW = 4508;
const LOGIN_REQUIRED = 4401;
const NOT_FOUND = 4404;
const POLICY_VIOLATION = 1008;
const SERVER_LEAVES = 1001;
const SERVER_RESTARTS = 1012;

const DELAYS_S = [0, 1, 2, 4, 8, 15, 30];
const MAX_ATTEMPTS = 24;

/** A connection that lived so long counts as a good one: the next loss starts with quick tries again. */
export const STEADY_MS = 10_000;

const FALLBACK_TEXTS = {
  4400: "The page and the server did not understand each other. Please load the page again.",
  4401: "Please log in to open this app.",
  4403: "This page is out of date. Please load it again.",
  4404: "There is no such app.",
  4409: "This session belongs to somebody else. Please load the page again.",
  4410: "This session has ended. Please load the page again.",
  4429: "Too many people are using this app right now. Please try again in a minute.",
  4500: "This app could not be started.",
  4504: "This app took too long to start.",
};
const UNKNOWN_TEXT = "The server has ended this session. Please load the page again.";

/** "reload" (at once), "stop" or "retry". */
export function verdict({ code }) {
  if (code === CODE_CHANGED) {
    return "reload";
  }
  const stops = (code >= 4000 && code !== TOO_SLOW) || code === POLICY_VIOLATION;
  return stops ? "stop" : "retry";
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
export function wording({ code, reason }) {
  const words = reason || FALLBACK_TEXTS[code] || UNKNOWN_TEXT;
  const [, text, reference] = /^(.*?)(?:\s*Reference: (\w+)\.?)?$/s.exec(words);
  const [, title, rest] = /^(.+?[.!?])(?:\s+(.*))?$/s.exec(text) ?? [null, text, ""];
  return { title: title.replace(/\.$/, ""), text: rest ?? "", reference: reference ?? "" };
}

/** What the viewer can do about a stop: "reload" the page, or "retry" on the same page; and how it is called. */
export function remedy({ code }) {
  switch (code) {
    case LOGIN_REQUIRED:
      return { kind: "reload", label: "Log in" };
    case TOO_MANY_SESSIONS:
      return { kind: "retry", label: "Try again" };
    case NOT_FOUND:
      return { kind: "leave", label: "All apps" };
    default:
      return { kind: "reload", label: code >= 4500 ? "Try again" : "Load again" };
  }
}
