// The table of latents. Only the rows in sight are in the page, so that thousands cost what forty do.
"use strict";

(function (procscope) {
  const { h, replace } = procscope.dom;
  const { format, address, query } = procscope;
  const MARGIN_ROWS = 6;

  const arrow = (latent) => {
    const place = procscope.columns.action[latent];
    return place < 0 ? null : procscope.overview.actions[place];
  };

  /** A number with a bar behind it. */
  function barred(text, share, kind) {
    const bar = h("span", { class: `bar ${kind}`, "aria-hidden": "true" });
    bar.style.width = `${100 * Math.max(0, Math.min(1, share || 0))}%`;
    return [h("span", { class: "bar-text" }, text), bar];
  }

  const score = (name, title, hint) => ({
    name, title, hint, width: "5.2rem", kind: "number",
    cell: (latent) => barred(format.score(procscope.columns[name][latent]), procscope.columns[name][latent], "plain"),
  });

  /** From 1 in 100,000 samples to all of them, in powers of ten. */
  const rateShare = (rate) => (rate > 0 ? 1 + Math.log10(rate) / 5 : 0);
  const largest = (values) => Math.max(...values.map((value) => Math.abs(value ?? 0)), 1e-9);

  function allColumns() {
    const { columns } = procscope;
    const maximum = largest(columns.maximum);
    const effect = columns.effect && largest(columns.effect);
    return [
      { name: "latent", title: "Latent", width: "7.2rem", kind: "latent", ascends: true, cell: (latent) => [
        procscope.overview.frames && !query.isDead(latent) ? procscope.pictures.thumbnail(latent) : h("span", { class: "frame none" }),
        h("a", { href: address.link({ latent: String(latent) }), tabindex: "-1" }, String(latent))] },
      { name: "rate", title: "Firing rate", hint: "share of samples in which it is above 0; the bar in powers of ten", width: "7rem", kind: "number",
        cell: (latent) => query.isDead(latent) ? h("span", { class: "dead-word" }, "dead")
          : barred(format.percent(columns.rate[latent]), rateShare(columns.rate[latent]), "plain") },
      columns.statement && { name: "statement", title: "Says", hint: "the statement that it tells best", width: "minmax(12rem, 1fr)", kind: "statement", ascends: true,
        cell: (latent) => h("span", { class: columns.lift[latent] > 0 ? "" : "vague", title: query.statementOf(latent) }, query.statementOf(latent)) },
      columns.f1 && score("lift", "Lift", "of F1 over saying the statement always: 0 says nothing, 1 is perfect"),
      columns.f1 && score("f1", "F1", "of the statement, on levels it was not chosen on"),
      columns.f1 && score("precision", "Precision", "share of its firings in which the statement is true"),
      columns.f1 && score("recall", "Recall", "share of the statement's samples in which it fires"),
      columns.effect && { name: "effect", title: "Effect", hint: "the action that it changes most", width: "9.5rem", kind: "effect",
        cell: (latent) => {
          const [action, value] = [arrow(latent), columns.effect[latent]];
          if (!action || value === null) return null;
          return h("span", { class: `change ${procscope.actions.tone(value)}` },
            barred([h("span", { class: "glyph", "aria-hidden": "true" }, procscope.actions.glyph(action)), action.name, " ", h("b", {}, format.signed(value))],
              Math.abs(value) / effect, "toned"));
        } },
      { name: "maximum", title: "Maximum", hint: "its largest activation", width: "5.6rem", kind: "number",
        cell: (latent) => barred(format.number(columns.maximum[latent]), columns.maximum[latent] / maximum, "plain") },
      { name: "cosine", title: "Nearest", hint: "cosine to the nearest decoder direction of another latent", width: "5.2rem", kind: "number",
        cell: (latent) => barred(format.score(columns.cosine[latent]), columns.cosine[latent], "plain") },
    ].filter(Boolean);
  }

  /** @param {HTMLElement} view */
  procscope.table = (view) => {
    const columns = allColumns();
    const toolbar = procscope.toolbar(columns);
    const headers = columns.map((column) => h("div", { role: "columnheader", class: `cell ${column.kind}`, title: column.hint },
      h("button", { tabindex: "0", onclick: () => sortBy(column) }, column.title)));
    const head = h("div", { role: "row", class: "row headers", "aria-rowindex": "1" }, headers);
    const body = h("div", { role: "rowgroup", class: "rows" });
    const empty = h("p", { class: "empty", hidden: true }, "No latent is like this. ",
      h("button", { onclick: () => address.change({ q: "", show: "all", says: "", acts: "" }) }, "Show all"));
    const grid = h("div", { class: "table", role: "grid", tabindex: "0", "aria-label": "Latents", "aria-readonly": "true" },
      h("div", { role: "rowgroup", class: "head-group" }, head), body, empty);
    grid.style.setProperty("--columns", columns.map((column) => column.width).join(" "));
    replace(view, procscope.head.overview(), toolbar.element, grid);

    let latents = [];
    let marked = 0; // place in `latents`
    let shownFor = "";
    /** @type {Map<number, HTMLElement>} by place */
    const rows = new Map();
    const rowHeight = () => parseFloat(getComputedStyle(grid).getPropertyValue("--row-height"));

    function sortBy(column) {
      const now = query.sortOf(address.read().sort);
      const descending = now.name === column.name ? !now.descending : !column.ascends;
      address.change({ sort: (descending ? "-" : "") + column.name });
    }

    function row(place) {
      const latent = latents[place];
      const element = h("div", { role: "row", class: query.isDead(latent) ? "row dead" : "row", id: `row-${latent}`, "aria-rowindex": place + 2,
        onclick: (event) => event.target.closest("a") || address.go({ latent: String(latent) }) },
        columns.map((column) => h("div", { role: "gridcell", class: `cell ${column.kind}`, "data-name": column.name }, column.cell(latent))));
      return element;
    }

    function draw() {
      const height = rowHeight();
      const first = Math.max(0, Math.floor(grid.scrollTop / height) - MARGIN_ROWS);
      const last = Math.min(latents.length, Math.ceil((grid.scrollTop + grid.clientHeight) / height) + MARGIN_ROWS);
      for (const [place, element] of rows) {
        if (place >= first && place < last) continue;
        element.remove();
        rows.delete(place);
      }
      for (let place = first; place < last; place++) {
        let element = rows.get(place);
        if (!element) {
          element = row(place);
          rows.set(place, element);
          body.append(element);
        }
        element.style.transform = `translateY(${place * height}px)`;
        element.setAttribute("aria-selected", String(place === marked));
      }
      body.style.height = `${latents.length * height}px`;
      grid.setAttribute("aria-activedescendant", rows.has(marked) ? `row-${latents[marked]}` : "");
    }

    function reveal() {
      const height = rowHeight();
      const room = grid.clientHeight - head.offsetHeight;
      const top = marked * height;
      if (top < grid.scrollTop) grid.scrollTop = top;
      else if (top + height > grid.scrollTop + room) grid.scrollTop = top + height - room;
    }

    function mark(place) {
      if (!latents.length) return;
      marked = Math.max(0, Math.min(latents.length - 1, place));
      reveal();
      draw();
    }

    let asked = false;
    grid.addEventListener("scroll", () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        draw();
      });
    });
    new ResizeObserver(() => grid.clientHeight && draw()).observe(grid);

    return {
      /** The latents in the order of the table. */
      latents: () => latents,
      /** Filter and sort as the address says. */
      update(state) {
        const { q, sort, show, says, acts } = state;
        const wanted = JSON.stringify([q, sort, show, says, acts]);
        if (wanted !== shownFor) {
          shownFor = wanted;
          latents = query.select(state);
          marked = 0;
          grid.scrollTop = 0;
          body.replaceChildren();
          rows.clear();
          const sorted = query.sortOf(sort);
          headers.forEach((header, i) => {
            const direction = sorted.descending ? "descending" : "ascending";
            header.setAttribute("aria-sort", columns[i].name === sorted.name ? direction : "none");
          });
          grid.setAttribute("aria-rowcount", String(latents.length + 1));
          empty.hidden = latents.length > 0;
          procscope.dom.say(format.plural(latents.length, "latent"));
        }
        toolbar.update(state, latents.length);
      },
      draw,
      focus: () => grid.focus({ preventScroll: true }),
      mark,
      /** Mark a latent, if it is in the table. */
      markLatent: (latent) => latents.includes(latent) && mark(latents.indexOf(latent)),
      move: (step) => mark(marked + step),
      page: () => Math.max(1, Math.floor((grid.clientHeight - head.offsetHeight) / rowHeight()) - 1),
      open: () => latents.length && address.go({ latent: String(latents[marked]) }),
      focusSearch: () => document.getElementById("search").focus(),
    };
  };
})(window.procscope);
