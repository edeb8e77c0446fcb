/** Small helps on the pages over data: copying, selects that act at once, answers that are not sent again. */

async function copy(button) {
  const source = document.getElementById(button.dataset.arCopy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
  } catch {
    // Without https there is no clipboard
    getSelection().selectAllChildren(source);
    button.textContent = "Press Ctrl+C";
  }
}

for (const button of document.querySelectorAll("[data-ar-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => void copy(button));
}

for (const form of document.querySelectorAll("form[data-ar-submit]")) {
  form.addEventListener("change", () => form.requestSubmit());
}

const here = new URL(location.href);
if (here.searchParams.has("said")) {
  // What was done is said once
  here.searchParams.delete("said");
  history.replaceState(null, "", here);
}
if (document.querySelector("[data-ar-once]")) {
  // To load this page again is not to make another token
  history.replaceState(null, "", location.href);
}
