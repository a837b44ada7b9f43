// Which view is shown, and which key does what.
"use strict";

(function (procscope) {
  const { address } = procscope;
  const tableView = document.getElementById("table-view");
  const latentView = document.getElementById("latent-view");

  if (!procscope.overview || !procscope.columns) {
    tableView.textContent = "The folder data/ of this site is missing. Copy the whole folder, or build the site again.";
    return;
  }

  const table = procscope.table(tableView);
  let opened = "";

  function show() {
    const state = address.read();
    table.update(state);
    const isLatent = state.latent !== "";
    document.title = (isLatent ? `Latent ${state.latent} · ` : "") + procscope.head.shortName();
    procscope.enlarged.close();
    if (isLatent) {
      if (state.latent !== opened) latentView.replaceChildren();
      tableView.hidden = true;
      latentView.hidden = false;
      if (state.latent !== opened) scrollTo(0, 0);
      opened = state.latent;
      return procscope.latentPage(latentView, state.latent, table.latents());
    }
    latentView.hidden = true;
    latentView.replaceChildren();
    tableView.hidden = false;
    if (opened) {
      table.markLatent(Number(opened));
      table.focus();
    }
    opened = "";
    table.draw();
    return undefined;
  }

  function nextLatent(step) {
    const order = table.latents();
    const at = order.indexOf(Number(opened));
    const next = at < 0 ? Number(opened) + step : order[at + step];
    if (next >= 0 && next < procscope.overview.sae.n_latents) address.go({ latent: String(next) });
  }

  const inTable = {
    j: () => table.move(1), ArrowDown: () => table.move(1), k: () => table.move(-1), ArrowUp: () => table.move(-1),
    PageDown: () => table.move(table.page()), PageUp: () => table.move(-table.page()),
    Home: () => table.mark(0), End: () => table.mark(Infinity), Enter: () => table.open(),
  };
  const inLatent = {
    j: () => nextLatent(1), ArrowRight: () => nextLatent(1), k: () => nextLatent(-1), ArrowLeft: () => nextLatent(-1),
    Escape: () => address.go({ latent: "" }), h: () => procscope.heat.set(!procscope.heat.on),
  };
  const anywhere = {
    "/": () => {
      if (opened) address.go({ latent: "" });
      setTimeout(() => table.focusSearch()); // after the view has changed
    },
    "?": () => procscope.help.open(),
    t: () => (opened ? latentView : tableView).querySelector("button.theme").click(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.matches("input[type=search]")) {
      if (event.key === "Escape" && target.value) return address.change({ q: "" });
      if (!["Escape", "Enter", "ArrowDown"].includes(event.key)) return;
      event.preventDefault();
      return table.focus();
    }
    const moves = /^(Arrow|Page|Home|End)/.test(event.key); // a slider's own keys
    if (target.matches("select") || (target.matches("input") && moves) || (event.key === "Enter" && target.closest("a, button, summary"))) return;
    const action = (opened ? inLatent : inTable)[event.key] || anywhere[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  window.addEventListener("hashchange", show);
  matchMedia("(max-width: 47rem)").addEventListener("change", () => table.draw());
  procscope.heat.set(true);
  show();
})(window.procscope);
