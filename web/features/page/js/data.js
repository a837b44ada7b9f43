// What the site knows: the overview and the table at once, each latent when it is asked for.
"use strict";

/**
 * @typedef {object} Latent - one record, as `latent_record.py` writes it; a dead one has no frames.
 * @property {number} latent
 * @property {number} firings
 * @property {{row: number[], value: number[], episode?: number[], step?: number[], level_seed?: number[],
 *   action?: number[]}} [frames]
 * @property {number[]} [top] - places among its frames
 * @property {number[][]} [quantiles]
 */

(function (procscope) {
  const KEPT = 64;
  /** @type {Map<number, Promise<Latent>>} */
  const loaded = new Map();
  /** @type {Map<number, (latent: Latent) => void>} */
  const waiting = new Map();

  procscope.receiveOverview = (overview) => {
    procscope.overview = overview;
  };
  procscope.receiveTable = (table) => {
    procscope.columns = table;
  };
  procscope.receiveLatent = (record) => {
    const resolve = waiting.get(record.latent);
    waiting.delete(record.latent);
    if (resolve) resolve(record);
  };

  function load(latent) {
    return new Promise((resolve, reject) => {
      waiting.set(latent, resolve);
      const script = document.createElement("script");
      script.src = `latents/${latent}.js`;
      script.onload = () => script.remove();
      script.onerror = () => {
        script.remove();
        waiting.delete(latent);
        reject(new Error(`The file latents/${latent}.js is missing. Copy the whole folder of the site, or build it again.`));
      };
      document.head.append(script);
    }).then((record) => {
      if (record.build !== procscope.overview.build) throw new Error("The site was built anew. Reload the page.");
      return record;
    });
  }

  procscope.data = {
    /** @param {number} latent @returns {Promise<Latent>} */
    latent(latent) {
      const known = loaded.get(latent) || load(latent);
      loaded.delete(latent);
      loaded.set(latent, known); // the last asked for is the last to go
      known.catch(() => loaded.delete(latent));
      if (loaded.size > KEPT) loaded.delete(loaded.keys().next().value);
      return known;
    },
    /** Numbers of one byte each, as `scripts.packed` wrote them. @returns {Promise<Int8Array>} */
    async unpack(text) {
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
      return new Int8Array(await new Response(stream).arrayBuffer());
    },
  };
})(window.procscope);
