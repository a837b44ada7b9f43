// Numbers as people read them.
"use strict";

(function (procscope) {
  const count = new Intl.NumberFormat("en");
  const NONE = "–";

  function digits(value, n) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size >= 10 ** 5 || size < 10 ** -4) return value.toExponential(1).replace("e", "e").replace("-", "−");
    return value.toPrecision(Math.max(n, Math.floor(Math.log10(size)) + 1)).replace("-", "−");
  }

  procscope.format = {
    NONE,
    /** 12,345 */
    count: (value) => (value === null || value === undefined ? NONE : count.format(value)),
    /** 0.42, three digits that count. */
    number: (value, n = 3) => (value === null || value === undefined ? NONE : digits(value, n)),
    /** +0.42 or −0.42 */
    signed: (value, n = 2) =>
      value === null || value === undefined ? NONE : (value > 0 ? "+" : "") + digits(value, n),
    /** 0.31 of shares and scores, two places. */
    score: (value) => (value === null || value === undefined ? NONE : value.toFixed(2).replace("-", "−")),
    /** 1.2% */
    percent(value) {
      if (value === null || value === undefined) return NONE;
      const share = 100 * value;
      if (share === 0) return "0%";
      return (share >= 10 ? share.toFixed(0) : share >= 0.1 ? share.toFixed(1) : share.toPrecision(1)) + "%";
    },
    /** "1 frame", "2 frames" */
    plural: (n, one, many = one + "s") => `${count.format(n)} ${n === 1 ? one : many}`,
  };
})(window.procscope);
