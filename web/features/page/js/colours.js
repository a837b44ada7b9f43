// Colours of heat: viridis for maps by themselves, and two that lie over a frame and let it be seen.
"use strict";

(function (procscope) {
  const VIRIDIS = [
    [68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142],
    [31, 158, 137], [53, 183, 121], [110, 206, 88], [181, 222, 43], [253, 231, 37],
  ];
  // Hues that the games' own pictures hardly use.
  const MAGENTA = [255, 0, 150];
  const CYAN = [0, 225, 255];

  function between(stops, share) {
    const place = Math.max(0, Math.min(1, share)) * (stops.length - 1);
    const low = Math.min(Math.floor(place), stops.length - 2);
    return stops[low].map((value, i) => Math.round(value + (stops[low + 1][i] - value) * (place - low)));
  }

  procscope.colours = {
    /** @param {number} share - 0 to 1 @returns {[number, number, number, number]} */
    map: (share) => [...between(VIRIDIS, share), 255],
    /** Over a frame: an activation, or what adds to it (magenta) and takes from it (cyan); nothing at 0. */
    overFrame: (share) => [...(share > 0 ? MAGENTA : CYAN), Math.round(255 * Math.min(1, Math.abs(share)) ** 0.8)],
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
