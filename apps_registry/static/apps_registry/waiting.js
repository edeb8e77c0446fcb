/** Waiting that ends, with nothing left behind, when its signal aborts. */

/** What `promise` gives, or a rejection as soon as the signal aborts. */
export async function whileAlive(promise, signal) {
  signal.throwIfAborted();
  const { promise: end, reject } = Promise.withResolvers();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  return Promise.race([promise, end]).finally(() => signal.removeEventListener("abort", onAbort));
}

export async function sleep(milliseconds, signal) {
  const { promise, resolve } = Promise.withResolvers();
  const timer = setTimeout(resolve, milliseconds);
  return whileAlive(promise, signal).finally(() => clearTimeout(timer));
}

/** Never resolves. */
export function forever(signal) {
  return whileAlive(new Promise(() => undefined), signal);
}

/** Resolves when the network comes back or the viewer looks at the page again. */
export function returning(signal) {
  const { promise, resolve } = Promise.withResolvers();
  window.addEventListener("online", resolve, { signal });
  const look = () => document.visibilityState === "visible" && resolve();
  document.addEventListener("visibilitychange", look, { signal });
  return promise;
}
