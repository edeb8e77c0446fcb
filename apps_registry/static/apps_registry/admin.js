/* Copies the address of a guest link, and closes the filters of a list. */

async function copy(button) {
  const field = button.parentElement.querySelector("input");
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    button.textContent = "Copied";
  } catch {
    // Without https there is no clipboard; the address is selected now
    button.textContent = "Press Ctrl+C";
    field.focus();
  }
}

function closeFilter(isLeft) {
  const open = document.querySelector(".ar-filter[open]");
  if (open && isLeft(open)) open.open = false;
  return open;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-ar-copy]");
  if (button) copy(button);
  closeFilter((filter) => !filter.contains(event.target));
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeFilter(() => true)?.querySelector("summary").focus();
});
