// Frames with heat maps over them, cut out of a sheet by the browser.
"use strict";

(function (procscope) {
  const { h } = procscope.dom;
  const COLUMNS = 8;

  /** One picture of a sheet. The sheet is moved behind a window of one picture's size. */
  function cut(source, place, n, alt) {
    const rows = Math.ceil(n / COLUMNS);
    const [row, column] = [Math.floor(place / COLUMNS), place % COLUMNS];
    const image = h("img", { src: source, alt, loading: "lazy", decoding: "async", draggable: "false" });
    image.style.width = `${100 * COLUMNS}%`;
    image.style.height = `${100 * rows}%`;
    image.style.transform = `translate(${(-100 * column) / COLUMNS}%, ${(-100 * row) / rows}%)`;
    return image;
  }

  function aspect(element) {
    const { width, height } = procscope.overview.frames;
    element.style.aspectRatio = `${width} / ${height}`;
    return element;
  }

  /** The heat of one frame as a canvas of a pixel a position, laid where the positions look. */
  function heatOver(values, place) {
    const { shape, center } = procscope.overview.heat;
    const { panels } = procscope.overview.frames;
    const [rows, columns] = shape;
    const canvas = h("canvas", { class: "heat", "aria-hidden": "true" });
    [canvas.width, canvas.height] = [columns * panels, rows];
    const picture = canvas.getContext("2d").createImageData(columns * panels, rows);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns * panels; column++) {
        const value = values[place * rows * columns + row * columns + (column % columns)];
        picture.data.set(procscope.colours.overFrame(value / 127), 4 * (row * columns * panels + column));
      }
    }
    canvas.getContext("2d").putImageData(picture, 0, 0);
    canvas.style.transform = `translate(${(100 * (center - 0.5)) / (columns * panels)}%, ${(100 * (center - 0.5)) / rows}%)`;
    return canvas;
  }

  procscope.pictures = {
    /** The top frame of a latent, small. */
    thumbnail(latent) {
      const each = procscope.overview.latents_a_sheet;
      const sheet = Math.floor(latent / each);
      const n = Math.min(each, procscope.overview.sae.n_latents - sheet * each);
      return aspect(h("span", { class: "frame" }, cut(`thumbnails/${sheet}.webp`, latent % each, n, "")));
    },
    /**
     * A frame of a latent.
     * @param {import("./data.js").Latent} record
     * @param {number} place - among its frames
     * @param {Int8Array | null} heat
     */
    frame(record, place, heat, alt) {
      const picture = cut(`latents/${record.latent}.webp`, place, record.frames.row.length, alt);
      return aspect(h("span", { class: "frame" }, picture, heat && heatOver(heat, place)));
    },
  };
})(window.procscope);
