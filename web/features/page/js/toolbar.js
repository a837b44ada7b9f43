// Search and filters above the table. What they say stands in the address.
"use strict";

(function (procscope) {
  const { h } = procscope.dom;
  const { address, query, format } = procscope;

  const counted = (values) => {
    const counts = new Map();
    for (const value of values) if (value) counts.set(value, (counts.get(value) || 0) + 1);
    return counts;
  };

  const latents = () => Array.from({ length: procscope.overview.sae.n_latents }, (_, latent) => latent);

  function choice(name, title, all, options) {
    return h("select", { "aria-label": title, "data-filter": name, onchange: (event) => address.change({ [name]: event.target.value }) },
      h("option", { value: "" }, all),
      options.map(([value, text]) => h("option", { value }, text)));
  }

  /** @param {{name: string, title: string}[]} columns */
  procscope.toolbar = (columns) => {
    const search = h("input", { type: "search", id: "search", placeholder: "Search   /", autocomplete: "off", spellcheck: "false",
      "aria-label": "Search latents", oninput: () => address.change({ q: search.value }) });
    const dead = procscope.overview.survey.dead;
    const show = h("div", { class: "segments", role: "group", "aria-label": "Which latents" },
      [["all", "All"], ["live", "Live"], ["dead", `Dead ${format.count(dead)}`]].map(([value, text]) =>
        h("button", { "data-show": value, onclick: () => address.change({ show: value }) }, text)));
    const said = [...counted(latents().map(query.statementOf))].sort((a, b) => b[1] - a[1]);
    const says = said.length ? choice("says", "Statement", "Any statement", said.map(([name, n]) => [name, `${name} (${n})`])) : null;
    const acted = counted(latents().map(query.actionOf));
    const acts = acted.size
      ? choice("acts", "Action changed most", "Any action", procscope.overview.actions.filter((one) => acted.has(one.name))
          .map((one) => [one.name, `${procscope.actions.glyph(one)} ${one.name} (${acted.get(one.name)})`.trim()]))
      : null;
    const sort = h("select", { "aria-label": "Sort", class: "sort", onchange: () => address.change({ sort: sort.value }) },
      columns.flatMap(({ name, title }) => [["-", "↓"], ["", "↑"]].map(([sign, arrow]) => h("option", { value: sign + name }, `${title} ${arrow}`))));
    const count = h("output", { class: "count" });
    const bar = h("div", { class: "toolbar", role: "search" }, search, show, says, acts, sort, count);
    return {
      element: bar,
      /** Show what the address says. */
      update(state, n) {
        if (document.activeElement !== search || search.value !== state.q) search.value = state.q;
        for (const button of show.children) button.setAttribute("aria-pressed", String(button.dataset.show === state.show));
        if (says) says.value = state.says;
        if (acts) acts.value = state.acts;
        const { name, descending } = query.sortOf(state.sort);
        sort.value = (descending ? "-" : "") + name;
        count.textContent = `${format.count(n)} of ${format.count(procscope.overview.sae.n_latents)}`;
      },
    };
  };
})(window.procscope);
