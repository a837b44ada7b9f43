// The histogram of a latent's activations, and maps over cells and positions.
"use strict";

(function (procscope) {
  const { h, s } = procscope.dom;
  const { format, colours } = procscope;
  const [WIDTH, HEIGHT] = [340, 150];
  const EDGE = { left: 40, right: 8, top: 8, bottom: 34 };

  /**
   * @param {number[]} counts - samples by equal parts of 0 to the maximum
   * @param {number} maximum
   * @param {number | null} threshold - of the statement, if there is one
   */
  function histogram(counts, maximum, threshold) {
    const inner = { width: WIDTH - EDGE.left - EDGE.right, height: HEIGHT - EDGE.top - EDGE.bottom };
    const top = Math.max(1, Math.ceil(Math.log10(Math.max(...counts, 1) + 1)));
    // Powers of ten; a count of one still has a height.
    const y = (count) => (count > 0 ? inner.height * ((Math.log10(count) + 0.3) / (top + 0.3)) : 0);
    const x = (value) => EDGE.left + (inner.width * value) / maximum;
    const base = EDGE.top + inner.height;
    const bar = inner.width / counts.length;
    const total = counts.reduce((sum, count) => sum + count, 0);
    const ticks = Array.from({ length: top + 1 }, (_, i) => 10 ** i);
    const label = (value) => (value >= 1000 ? `${value / 1000}k` : String(value));
    return s("svg", { class: "histogram", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
        "aria-label": `Histogram of ${format.count(total)} activations above 0, the largest ${format.number(maximum)}` },
      ticks.map((count) => [
        s("line", { class: "grid", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: base - y(count), y2: base - y(count) }),
        s("text", { class: "tick", x: EDGE.left - 5, y: base - y(count), dy: "0.32em", "text-anchor": "end" }, label(count)),
      ]),
      counts.map((count, i) => s("rect", { class: "bin", x: EDGE.left + i * bar + 0.5, width: bar - 1, y: base - y(count), height: y(count) },
        s("title", {}, `${format.number((maximum * i) / counts.length)} to ${format.number((maximum * (i + 1)) / counts.length)}: ${format.plural(count, "sample")}`))),
      threshold !== null && threshold > 0 && threshold < maximum && s("g", {},
        s("line", { class: "threshold", x1: x(threshold), x2: x(threshold), y1: EDGE.top, y2: base }),
        s("text", { class: "tick", x: x(threshold) + 4, y: EDGE.top + 8 }, "threshold")),
      s("line", { class: "axis", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: base, y2: base }),
      [0, 0.5, 1].map((share) => s("text", { class: "tick", x: x(maximum * share), y: base + 13,
        "text-anchor": share === 1 ? "end" : share ? "middle" : "start" }, format.number(maximum * share))),
      s("text", { class: "tick name", x: EDGE.left + inner.width / 2, y: HEIGHT - 4, "text-anchor": "middle" }, "activation (units of the latent)"),
      s("text", { class: "tick name", x: 9, y: EDGE.top + inner.height / 2, "text-anchor": "middle",
        transform: `rotate(-90 9 ${EDGE.top + inner.height / 2})` }, "samples"));
  }

  /**
   * A map of means. The pointer, or the arrow keys, ask what a place has.
   * @param {{values: Int8Array, maximum: number, shape: [number, number], upwards: boolean, names: [string, string],
   *   label: string, about: (row: number, column: number) => string}} map - values in 127ths, -1 for none;
   *   `upwards` if row 0 is at the bottom
   */
  function heatMap(map) {
    const [rows, columns] = map.shape;
    const canvas = h("canvas", { class: "map-canvas", "aria-hidden": "true" });
    [canvas.width, canvas.height] = [columns, rows];
    const picture = canvas.getContext("2d").createImageData(columns, rows);
    const flipped = (row) => (map.upwards ? rows - 1 - row : row);
    let best = 0;
    map.values.forEach((value, i) => {
      if (value > map.values[best]) best = i;
      const [row, column] = [flipped(Math.floor(i / columns)), i % columns];
      if (value >= 0) picture.data.set(colours.map(value / 127), 4 * (row * columns + column));
    });
    canvas.getContext("2d").putImageData(picture, 0, 0);
    const place = { row: Math.floor(best / columns), column: best % columns };
    const mark = h("span", { class: "map-mark", "aria-hidden": "true" });
    const read = h("output", { class: "map-read" });
    const show = () => {
      const value = map.values[place.row * columns + place.column];
      const mean = value < 0 ? "never there" : `mean ${format.number((map.maximum * value) / 127)}`;
      read.textContent = `${map.label} (${map.names[0]} ${map.upwards ? place.column : place.row}, ${map.names[1]} ${map.upwards ? place.row : place.column}): ${mean}${map.about(place.row, place.column)}`;
      mark.style.left = `${(100 * place.column) / columns}%`;
      mark.style.top = `${(100 * flipped(place.row)) / rows}%`;
      mark.style.width = `${100 / columns}%`;
      mark.style.height = `${100 / rows}%`;
    };
    const move = (row, column) => {
      place.row = Math.max(0, Math.min(rows - 1, row));
      place.column = Math.max(0, Math.min(columns - 1, column));
      show();
    };
    const box = h("div", { class: "map-box", tabindex: "0", role: "img",
      "aria-label": `${map.label}s by mean activation; arrow keys ask for one` }, canvas, mark);
    box.style.aspectRatio = `${columns} / ${rows}`;
    box.addEventListener("pointermove", (event) => {
      const bounds = box.getBoundingClientRect();
      const row = Math.floor(((event.clientY - bounds.top) / bounds.height) * rows);
      move(flipped(Math.max(0, Math.min(rows - 1, row))), Math.floor(((event.clientX - bounds.left) / bounds.width) * columns));
    });
    box.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      move(place.row + (map.upwards ? -step[0] : step[0]), place.column + step[1]);
    });
    show();
    const ramp = h("span", { class: "ramp", "aria-hidden": "true" });
    ramp.style.backgroundImage = colours.ramp(colours.map, 0, 1);
    return h("div", { class: "map" }, box,
      h("div", { class: "legend" }, h("span", {}, "0"), ramp, h("span", {}, format.number(map.maximum))), read);
  }

  procscope.charts = { histogram, heatMap };
})(window.procscope);
