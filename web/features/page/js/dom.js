// Elements from values. Text from the data only ever becomes text nodes and attributes, never markup.
"use strict";

(function (procscope) {
  const SVG = "http://www.w3.org/2000/svg";

  /**
   * @param {Element} element
   * @param {Record<string, any>} properties - `on…` are listeners, `class` and others attributes; null leaves one out.
   * @param {any[]} children - elements, text, numbers, lists of these; null leaves one out.
   */
  function fill(element, properties, children) {
    for (const [name, value] of Object.entries(properties || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (name === "variables") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
      else element.setAttribute(name, value === true ? "" : String(value));
    }
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return element;
  }

  procscope.dom = {
    /** @returns {HTMLElement} */
    h: (tag, properties, ...children) => fill(document.createElement(tag), properties, children),
    /** @returns {SVGElement} */
    s: (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children),
    /** Put children in place of what an element holds. */
    replace(element, ...children) {
      element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    },
    /** Say something to those who cannot see it change. */
    say(text) {
      document.getElementById("status").textContent = text;
    },
  };
})(window.procscope);
