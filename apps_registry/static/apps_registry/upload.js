/**
 * Sends a form with a file while the page stays: it shows how far that is, and what is refused leaves the form as it
 * was, the chosen file too. Without this script the browser sends the form.
 */

const form = document.querySelector("form[data-ar-upload]");
const fields = form.querySelector("[data-ar-fields]");
const button = form.querySelector("[type=submit]");
const progress = form.querySelector(".ar-progress");
const bar = progress.querySelector("progress");
const words = progress.querySelector("span");
const file = form.elements.namedItem("file");
const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

function size(bytes) {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), UNITS.length - 1);
  return `${Math.round(bytes / 1024 ** power)} ${UNITS[power]}`;
}

function say(text, part = null) {
  progress.hidden = !text;
  words.textContent = text;
  if (part === null) bar.removeAttribute("value");
  else bar.value = part;
}

/** Shows what is wrong with a field, in place of what was. */
function mark(field, errors) {
  const input = field.querySelector("input, select, textarea");
  field.querySelector(".errorlist")?.remove();
  field.classList.toggle("ar-wrong", errors !== null);
  input.toggleAttribute("aria-invalid", errors !== null);
  if (errors === null) return null;
  errors.setAttribute("role", "alert");
  (field.querySelector("fieldset") ?? field).append(errors);
  input.setAttribute("aria-invalid", "true");
  if (errors.id) input.setAttribute("aria-describedby", errors.id);
  return input;
}

function list(text) {
  const errors = document.createElement("ul");
  errors.className = "errorlist";
  errors.append(Object.assign(document.createElement("li"), { textContent: text }));
  return errors;
}

/** Takes over the errors of the answer's form. Whether it had one. */
function takeErrors(answer) {
  const other = answer.querySelector("form[data-ar-upload]");
  if (other === null) return false;
  fields.querySelector(".ar-alert")?.remove();
  const alert = other.querySelector(".ar-alert");
  if (alert) fields.prepend(alert);
  let first = null;
  for (const field of fields.querySelectorAll("[data-field]")) {
    const same = other.querySelector(`[data-field="${field.dataset.field}"]`);
    const input = mark(field, same?.querySelector(".errorlist") ?? null);
    first ??= input;
  }
  first?.focus();
  return true;
}

/** Why the server did not take the form: in its own words, as far as they are for people. */
function sentence(request, answer) {
  const type = request.getResponseHeader("Content-Type") ?? "";
  if (type.includes("html")) return answer.querySelector("main p:not([aria-hidden])")?.textContent ?? "";
  if (!type.includes("json")) return request.responseText;
  try {
    return JSON.parse(request.responseText).detail ?? "";
  } catch {
    return "";
  }
}

function finish(request) {
  const answer = new DOMParser().parseFromString(request.responseText, "text/html");
  const went = new URL(request.responseURL);
  if (request.status === 200 && went.pathname !== location.pathname) {
    location.assign(went);
    return;
  }
  button.disabled = false;
  say("");
  if (takeErrors(answer)) return;
  const reason = sentence(request, answer).trim().slice(0, 300);
  mark(file.closest("[data-field]"), list(reason || "The server could not take the file."));
}

function fail() {
  button.disabled = false;
  say("");
  mark(file.closest("[data-field]"), list("The connection broke. Nothing is published; please try again."));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const chosen = file.files[0];
  const most = Number(file.dataset.most);
  if (chosen && chosen.size > most) {
    mark(file.closest("[data-field]"), list(`The file is bigger than ${size(most)}.`))?.focus();
    return;
  }
  const request = new XMLHttpRequest();
  request.upload.addEventListener("progress", ({ loaded, total }) =>
    loaded < total ? say(`Sending: ${Math.round((100 * loaded) / total)} %`, loaded / total) : say("Reading the file…"),
  );
  request.addEventListener("load", () => finish(request));
  request.addEventListener("error", fail);
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "text/html");
  button.disabled = true;
  say("Sending…");
  request.send(new FormData(form));
});

// Another file is another attempt
file.addEventListener("change", () => mark(file.closest("[data-field]"), null));
// A page that the browser kept is as it was left
addEventListener("pageshow", () => {
  button.disabled = false;
  say("");
});
