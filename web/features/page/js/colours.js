// Colours of heat: viridis for maps by themselves, and two that lie over a frame and let it be seen.
"use strict";

(function (procscope) {
  const VIRIDIS = [
    [68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142],
    [31, 158, 137], [53, 183, 121], [110, 206, 88], [181, 222, 43], [253, 231, 37],
  ];
  const HOT = [[120, 28, 109], [188, 55, 84], [237, 105, 37], [251, 155, 6], [252, 255, 164]];
  const WARM = [255, 122, 26];
  const COOL = [40, 150, 255];

  function between(stops, share) {
    const place = Math.max(0, Math.min(1, share)) * (stops.length - 1);
    const low = Math.min(Math.floor(place), stops.length - 2);
    return stops[low].map((value, i) => Math.round(value + (stops[low + 1][i] - value) * (place - low)));
  }

  procscope.colours = {
    /** @param {number} share - 0 to 1 @returns {[number, number, number, number]} */
    map: (share) => [...between(VIRIDIS, share), 255],
    /** What a latent's activation looks like over a frame: nothing at 0. */
    activation: (share) => (share <= 0 ? [0, 0, 0, 0] : [...between(HOT, share), Math.round(255 * (0.35 + 0.65 * share))]),
    /** What adds to it, and what takes from it. */
    attribution: (share) => [...(share > 0 ? WARM : COOL), Math.round(255 * Math.min(1, Math.abs(share)) ** 0.7)],
    /** A background for the legend. */
    ramp(colour, from, to) {
      const stops = Array.from({ length: 12 }, (_, i) => {
        const [r, g, b, a] = colour(from + ((to - from) * i) / 11);
        return `rgba(${r}, ${g}, ${b}, ${(a / 255).toFixed(3)})`;
      });
      return `linear-gradient(to right, ${stops.join(", ")})`;
    },
  };
})(window.procscope);
