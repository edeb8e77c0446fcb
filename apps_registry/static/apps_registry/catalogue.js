/** Searches the catalogue while one types. Without this file the form does so when it is sent. */

const PAUSE_MS = 150;
const form = document.querySelector("form.ar-search");
const field = form.elements.namedItem("q");
let running = null;
let timer = 0;

function address() {
  const url = new URL(form.action);
  const query = field.value.trim();
  if (query) url.searchParams.set("q", query);
  return url;
}

async function load(url, signal) {
  const response = await fetch(url, { headers: { Accept: "text/html" }, signal });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  return [page.getElementById("ar-results"), page.getElementById("ar-count")];
}

async function search() {
  clearTimeout(timer);
  running?.abort();
  running = new AbortController();
  const url = address();
  try {
    const [results, count] = await load(url, running.signal);
    document.getElementById("ar-results").replaceWith(results);
    document.getElementById("ar-count").textContent = count.textContent.trim();
    history.replaceState(null, "", url);
  } catch (error) {
    // Another page came, such as that of a login that has ended: the browser shows it
    if (error.name !== "AbortError") location.assign(url);
  }
}

field.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(search, PAUSE_MS);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  void search();
});
