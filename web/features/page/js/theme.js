// Light or dark: what the system asks for, until the reader chooses. Loaded first, so that nothing flashes.
"use strict";
window.procscope = window.procscope || {};

(function (procscope) {
  const KEY = "procscope-theme";
  const ORDER = ["system", "light", "dark"];

  /** @returns {"system" | "light" | "dark"} */
  function chosen() {
    try {
      const kept = localStorage.getItem(KEY);
      return ORDER.includes(kept) ? kept : "system";
    } catch {
      return "system"; // a browser may refuse storage to pages from disk
    }
  }

  function apply(theme) {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }

  procscope.theme = {
    chosen,
    /** Take the next of system, light and dark. @returns {string} the one taken. */
    next() {
      const theme = ORDER[(ORDER.indexOf(document.documentElement.dataset.theme || "system") + 1) % ORDER.length];
      apply(theme);
      try {
        localStorage.setItem(KEY, theme);
      } catch {
        // Then it holds for this visit.
      }
      return theme;
    },
  };
  apply(chosen());
})(window.procscope);
