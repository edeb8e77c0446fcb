/** Small helps on the pages over data: copying, what is to be seen first, answers that are not sent again. */

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

// What was refused is put right where it is wrong
document.querySelector(".ar-wrong :is(input:not([type=hidden]), select, textarea)")?.focus();

const tab = document.querySelector(".ar-tabs [aria-current]");
if (tab) {
  const tabs = tab.parentElement;
  tabs.scrollLeft += tab.getBoundingClientRect().right - tabs.getBoundingClientRect().right;
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
