// What a latent does to the choice of an action: a compass rose of the directions, and a list of all of them.
"use strict";

(function (procscope) {
  const { h, s } = procscope.dom;
  const { format } = procscope;
  const ARROWS = { "-1,0": "←", "1,0": "→", "0,1": "↑", "0,-1": "↓", "-1,1": "↖", "1,1": "↗", "-1,-1": "↙", "1,-1": "↘", "0,0": "•" };
  const [INNER, OUTER] = [17, 84];

  const glyph = (action) => (action.step ? ARROWS[action.step.join(",")] : "");
  const tone = (value) => (value >= 0 ? "more" : "less");

  /** A sixteenth of a turn to either side of a direction. */
  function petal(step, length) {
    const middle = Math.atan2(-step[1], step[0]);
    const corner = (radius, angle) => `${(radius * Math.cos(angle)).toFixed(2)} ${(radius * Math.sin(angle)).toFixed(2)}`;
    const half = Math.PI / 11;
    const outer = INNER + length;
    return `M ${corner(INNER, middle - half)} L ${corner(outer, middle - half)} A ${outer} ${outer} 0 0 1 ${corner(outer, middle + half)} L ${corner(INNER, middle + half)} A ${INNER} ${INNER} 0 0 0 ${corner(INNER, middle - half)} Z`;
  }

  function roundUp(value) {
    const unit = 10 ** Math.floor(Math.log10(value));
    return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((n) => n * unit).find((bound) => bound >= value * 0.999);
  }

  /** @param {number[]} mean - by action */
  function rose(mean) {
    const actions = procscope.overview.actions;
    const placed = actions.map((action, i) => ({ ...action, value: mean[i] })).filter((one) => one.step);
    if (!placed.length) return null;
    const full = roundUp(Math.max(...mean.map(Math.abs), 1e-9));
    const size = (value) => ((OUTER - INNER) * Math.abs(value)) / full;
    const around = placed.filter((one) => one.step[0] || one.step[1]);
    const still = placed.find((one) => !one.step[0] && !one.step[1]);
    const said = placed.map((one) => `${one.name} ${format.signed(one.value)}`).join(", ");
    const at = (step, radius) => {
      const angle = Math.atan2(-step[1], step[0]);
      return { x: (radius * Math.cos(angle)).toFixed(1), y: (radius * Math.sin(angle)).toFixed(1) };
    };
    return s("svg", { class: "rose", viewBox: "-122 -108 244 216", role: "img", "aria-label": `Effect on directions: ${said}` },
      [0.5, 1].map((share) => s("circle", { class: "ring", r: INNER + (OUTER - INNER) * share })),
      around.map((one) => s("line", { class: "ring", ...Object.fromEntries(Object.entries(at(one.step, OUTER)).map(([k, v]) => [k + "2", v])) })),
      around.map((one) => s("path", { class: `petal ${tone(one.value)}`, d: petal(one.step, size(one.value)) },
        s("title", {}, `${one.name} ${format.signed(one.value, 3)}`))),
      still && s("circle", { class: `still ${tone(still.value)}`, r: INNER - 3, "fill-opacity": Math.min(1, Math.abs(still.value) / full).toFixed(2) },
        s("title", {}, `${still.name} ${format.signed(still.value, 3)}`)),
      around.map((one) => s("text", { class: "rose-value", ...at(one.step, OUTER + 15), "text-anchor": "middle", dy: "0.35em" }, format.signed(one.value))),
      s("text", { class: "rose-scale", x: 0, y: -INNER - (OUTER - INNER) / 2 - 2, "text-anchor": "middle" }, format.number(full / 2, 2)));
  }

  /** Every action: its mean as a bar, each frame as a tick, and the number. */
  function list(effects) {
    const actions = procscope.overview.actions;
    const ends = effects.by_frame.flat().concat(effects.mean).map(Math.abs);
    const full = Math.max(...ends, 1e-9);
    const x = (value) => (60 * value) / full;
    const bar = (i) => s("svg", { class: "effect-bar", viewBox: "-62 0 124 14", "aria-hidden": "true", preserveAspectRatio: "none" },
      s("line", { class: "zero", x1: 0, x2: 0, y1: 0, y2: 14 }),
      s("rect", { class: tone(effects.mean[i]), x: Math.min(0, x(effects.mean[i])), y: 3, width: Math.abs(x(effects.mean[i])), height: 8 }),
      effects.by_frame.map((frame) => s("line", { class: "one", x1: x(frame[i]), x2: x(frame[i]), y1: 2, y2: 12 })));
    return h("table", { class: "effects" },
      h("caption", { class: "unseen" }, "Effect on every action"),
      h("thead", { class: "unseen" }, h("tr", {}, ["action", "effect by frame", "mean"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, actions.map((action, i) => h("tr", {},
        h("th", { scope: "row" }, h("span", { class: "glyph", "aria-hidden": "true" }, glyph(action)), action.name),
        h("td", {}, bar(i)),
        h("td", { class: "number" }, format.signed(effects.mean[i]))))));
  }

  procscope.actions = { glyph, tone, rose, list };
})(window.procscope);
