// The part of the address after #: which latent is open, and how the table is searched, filtered and sorted.
// So every view is a link, and the browser's back button goes back through them.
"use strict";

/**
 * @typedef {object} State
 * @property {string} latent - "" for the table
 * @property {string} q - search
 * @property {string} sort - a column, with - before it for the largest first; "" for the default
 * @property {"all" | "live" | "dead"} show
 * @property {string} says - a statement, or ""
 * @property {string} acts - an action, or ""
 */

(function (procscope) {
  const DEFAULTS = { latent: "", q: "", sort: "", show: "all", says: "", acts: "" };

  /** @returns {State} */
  function read() {
    const given = new URLSearchParams(location.hash.slice(1));
    const state = { ...DEFAULTS };
    for (const name of Object.keys(DEFAULTS)) state[name] = given.get(name) ?? DEFAULTS[name];
    if (!["all", "live", "dead"].includes(state.show)) state.show = "all";
    return state;
  }

  /** @param {Partial<State>} changes @returns {string} the address of the view with these changes, from # on. */
  function link(changes) {
    const state = { ...read(), ...changes };
    const said = new URLSearchParams();
    for (const [name, value] of Object.entries(DEFAULTS)) if (state[name] !== value) said.set(name, state[name]);
    return "#" + said.toString();
  }

  procscope.address = {
    read,
    link,
    /** Go to a view, as a new step for the back button. @param {Partial<State>} changes */
    go(changes) {
      location.hash = link(changes);
    },
    /** Change the view without a new step: typing is not browsing. @param {Partial<State>} changes */
    change(changes) {
      const address = link(changes);
      if (address !== (location.hash || "#")) location.replace(address);
    },
  };
})(window.procscope);
