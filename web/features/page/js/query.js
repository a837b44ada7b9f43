// Which latents are in the table, and in which order. Nothing here touches the page.
//
//   goal row            both words in the statement or the action
//   "row < 32"          these words together
//   f1>0.6 rate<1%      comparisons of columns
//   17                  latent 17
"use strict";

(function (procscope) {
  const FIELDS = {
    rate: "rate", f1: "f1", precision: "precision", recall: "recall", lift: "lift",
    effect: "effect", max: "maximum", cos: "cosine",
  };
  const COMPARISON = /^(\w+)(<=|>=|<|>|=)([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(%?)$/i;
  const ORDER = {
    "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b, "=": (a, b) => a === b,
  };

  const count = () => procscope.overview.sae.n_latents;
  const isDead = (latent) => procscope.columns.rate[latent] === 0;

  function statementOf(latent) {
    const place = (procscope.columns.statement || [])[latent];
    return place === undefined || place < 0 ? "" : procscope.overview.statements[place].name;
  }

  function actionOf(latent) {
    const place = (procscope.columns.action || [])[latent];
    return place === undefined || place < 0 ? "" : procscope.overview.actions[place].name;
  }

  let texts = null;
  function textOf(latent) {
    if (!texts) {
      texts = Array.from({ length: count() }, (_, one) => {
        const action = actionOf(one);
        const verb = (procscope.columns.effect || [])[one] < 0 ? "discourages" : "encourages";
        return [statementOf(one), action && `${verb} ${action}`, isDead(one) ? "dead" : "live"].join("\n").toLowerCase();
      });
    }
    return texts[latent];
  }

  /** @param {string} text @returns {(latent: number) => boolean} */
  function matcher(text) {
    const alone = text.trim().match(/^#?(\d+)$/);
    if (alone) return (latent) => latent === Number(alone[1]);
    const tests = [...text.matchAll(/"([^"]*)"?|(\S+)/g)].map(([, quoted, word]) => {
      const compared = word && word.match(COMPARISON);
      const field = compared && FIELDS[compared[1].toLowerCase()];
      if (field) {
        const bound = Number(compared[3]) / (compared[4] ? 100 : 1);
        const values = procscope.columns[field] || [];
        return (latent) => values[latent] != null && ORDER[compared[2]](values[latent], bound);
      }
      const wanted = (quoted ?? word).toLowerCase();
      return (latent) => textOf(latent).includes(wanted);
    });
    return (latent) => tests.every((test) => test(latent));
  }

  /** Which columns can be sorted by: name to values. */
  function sortValues(name) {
    if (name === "latent") return Array.from({ length: count() }, (_, one) => one);
    if (name === "statement") return Array.from({ length: count() }, (_, one) => statementOf(one) || null);
    if (name === "effect") return (procscope.columns.effect || []).map((value) => (value === null ? null : Math.abs(value)));
    return procscope.columns[name];
  }

  procscope.query = {
    FIELDS, isDead, statementOf, actionOf,
    defaultSort: () => (procscope.columns.lift ? "-lift" : "-rate"),
    /** @param {string} sort @returns {{name: string, descending: boolean}} the default if it is of no column. */
    sortOf(sort) {
      const asked = sortValues(sort.replace(/^-/, "")) ? sort : procscope.query.defaultSort();
      return { name: asked.replace(/^-/, ""), descending: asked.startsWith("-") };
    },
    /** @param {import("./address.js").State} state @returns {number[]} latents in order. */
    select(state) {
      const fits = matcher(state.q);
      const chosen = [];
      for (let latent = 0; latent < count(); latent++) {
        if (state.show !== "all" && isDead(latent) !== (state.show === "dead")) continue;
        if (state.says && statementOf(latent) !== state.says) continue;
        if (state.acts && actionOf(latent) !== state.acts) continue;
        if (fits(latent)) chosen.push(latent);
      }
      const { name, descending } = procscope.query.sortOf(state.sort);
      const values = sortValues(name);
      const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
      // What has no value comes last either way; equals stay in the order of their numbers.
      return chosen.sort((a, b) => {
        const [x, y] = [values[a] ?? null, values[b] ?? null];
        if (x === null || y === null) return (x === null) - (y === null) || a - b;
        return (descending ? -compare(x, y) : compare(x, y)) || a - b;
      });
    },
  };
})(window.procscope);
