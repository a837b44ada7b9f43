// One frame, large, with all that is known of it. Arrows go to the next, Escape closes.
"use strict";

(function (procscope) {
  const { h, replace } = procscope.dom;
  const { format } = procscope;
  const NAMES = { row: "row of the cache", episode: "episode", step: "step", level_seed: "level seed", action: "action taken" };

  let dialog = null;

  /** @param {string[]} actions */
  function facts(record, place) {
    const found = [["activation", format.number(record.frames.value[place], 4)]];
    for (const [name, text] of Object.entries(NAMES)) {
      const value = (record.frames[name] || [])[place];
      if (value === undefined) continue;
      const action = name === "action" && procscope.overview.actions[value];
      found.push([text, action ? `${action.name} (${value})` : String(value)]);
    }
    return h("dl", { class: "facts" }, found.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  }

  /** @param {number[]} places - in which the arrows go @param {number} at */
  function open(record, heat, places, at) {
    if (!dialog) {
      dialog = h("dialog", { class: "enlarged", "aria-label": "Frame" });
      dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
      document.body.append(dialog);
    }
    const show = (next) => {
      at = (next + places.length) % places.length;
      replace(
        dialog,
        h("div", { class: "enlarged-picture" }, procscope.pictures.frame(record, places[at], heat, `Frame ${at + 1}`)),
        facts(record, places[at]),
        h("div", { class: "enlarged-buttons" },
          h("button", { onclick: () => show(at - 1), "aria-label": "Previous frame" }, "←"),
          h("span", { class: "quiet" }, `${at + 1} of ${places.length}`),
          h("button", { onclick: () => show(at + 1), "aria-label": "Next frame" }, "→"),
          h("button", { onclick: () => dialog.close() }, "Close")),
      );
    };
    dialog.onkeydown = (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) {
        event.preventDefault();
        show(at + step);
      }
      event.stopPropagation();
    };
    show(at);
    dialog.showModal();
  }

  procscope.enlarged = { open, close: () => dialog && dialog.close() };
})(window.procscope);
