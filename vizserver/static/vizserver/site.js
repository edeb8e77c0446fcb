// Loaded before the page is drawn, so that a chosen theme does not flash.
(() => {
  // The admin's own key and words, so that one choice holds for both.
  const KEY = "theme";
  const root = document.documentElement;

  function read() {
    try {
      return localStorage.getItem(KEY) || "auto";
    } catch {
      return "auto"; // storage may be forbidden
    }
  }

  function write(theme) {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // then the choice holds for this page only
    }
  }

  function show(theme) {
    root.dataset.theme = theme;
  }

  function offerThemes(choice) {
    choice.value = read();
    choice.addEventListener("change", () => {
      write(choice.value);
      show(choice.value);
    });
  }

  function closeFromOutside(menu) {
    document.addEventListener("click", (event) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
    document.addEventListener("keydown", (event) => {
      if (menu.open && event.key === "Escape") {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    });
  }

  show(read());
  document.addEventListener("DOMContentLoaded", () => {
    const choice = document.getElementById("theme-choice");
    if (choice) offerThemes(choice);
    const menu = document.querySelector(".user-menu");
    if (menu) closeFromOutside(menu);
  });
})();
