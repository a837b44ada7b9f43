// The head of the table: what the site is of, and what could not be shown.
"use strict";

(function (procscope) {
  const { h } = procscope.dom;
  const { format } = procscope;

  /** The name without its folders, for titles; the whole is in the facts. */
  function shortName() {
    const { name, hook_point: hook, model } = procscope.overview.sae;
    return [model, hook].filter(Boolean).join(" · ") || name;
  }

  function facts() {
    const { sae, survey } = procscope.overview;
    const active = sae.activation === "top-k" ? `top-${sae.k}` : sae.activation;
    const samples = survey.samples_per_frame > 1 ? ` × ${survey.samples_per_frame} positions` : "";
    return [
      ["autoencoder", sae.name],
      ["network", sae.model || "not named"],
      ["hook point", `${sae.hook_point}, ${format.plural(sae.n_inputs, survey.samples_per_frame > 1 ? "channel" : "unit")}`],
      ["latents", `${format.count(sae.n_latents)}, ${active}`],
      ["survey", `${format.plural(survey.n_frames, "frame")}${samples}`],
      ["cache", sae.cache],
      ["played", [sae.played, sae.actor && `by ${sae.actor}`].filter(Boolean).join(", ") || "not said"],
      ...sae.metrics.map(({ name, value }) => [name.replaceAll("_", " "), format.number(value)]),
    ];
  }

  function missing() {
    const parts = procscope.overview.missing;
    if (!parts.length) return null;
    return h("div", { class: "missing", role: "note" },
      h("strong", {}, "Not shown here"),
      h("ul", {}, parts.map(({ part, reason }) => h("li", {}, h("b", {}, part), ": ", reason))));
  }

  function themeButton() {
    const button = h("button", { class: "theme", title: "Theme (t)" });
    const name = (theme) => {
      button.textContent = { system: "◐", light: "☀", dark: "☾" }[theme];
      button.setAttribute("aria-label", `Theme: ${theme}. Change it`);
    };
    button.addEventListener("click", () => {
      const theme = procscope.theme.next();
      document.querySelectorAll("button.theme").forEach((one) => one.dispatchEvent(new CustomEvent("themed", { detail: theme })));
    });
    button.addEventListener("themed", (event) => name(event.detail));
    name(procscope.theme.chosen());
    return button;
  }

  procscope.head = {
    shortName,
    missing,
    themeButton,
    helpButton: () => h("button", { onclick: procscope.help.open, "aria-label": "Help", title: "Help (?)" }, "?"),
    /** The head of the table. */
    overview() {
      const { sae, survey } = procscope.overview;
      return h("header", { class: "head" },
        h("div", { class: "head-line" },
          h("h1", {}, shortName()),
          h("p", { class: "head-numbers" },
            h("span", {}, h("b", {}, format.count(sae.n_latents)), " latents"),
            h("span", {}, h("b", {}, format.count(survey.dead)), ` dead on ${format.plural(survey.n_frames, "frame")}`),
            h("span", {}, h("b", {}, format.number(survey.l0)), " active a sample")),
          h("div", { class: "head-buttons" }, themeButton(), procscope.head.helpButton())),
        h("details", { class: "about" }, h("summary", {}, "About this autoencoder"),
          h("dl", { class: "facts" }, facts().map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))))),
        missing());
    },
  };
})(window.procscope);
