// The page of one latent.
"use strict";

(function (procscope) {
  const { h, replace } = procscope.dom;
  const { format, address, query, charts } = procscope;

  const quiet = (...text) => h("p", { class: "quiet" }, text);
  const section = (title, hint, ...children) =>
    h("section", {}, h("h2", {}, title, hint && h("span", { class: "hint" }, hint)), children);

  function missing(part) {
    const found = procscope.overview.missing.find((one) => one.part === part);
    return found ? quiet(`Not shown: ${found.reason}.`) : null;
  }

  /** A link to another latent. */
  const to = (latent, ...children) => h("a", { href: address.link({ latent: String(latent) }) }, children);

  // -- Frames ---------------------------------------------------------------

  function caption(record, place) {
    const { frames } = record;
    const parts = [frames.level_seed && `level ${frames.level_seed[place]}`, frames.step && `step ${frames.step[place]}`].filter(Boolean);
    return parts.length ? parts.join(" · ") : `frame ${frames.row[place]}`;
  }

  /** What fits under a small picture; the enlarged one has the rest. */
  function short(record, place) {
    const { step, row } = record.frames;
    return step ? `step ${step[place]}` : `#${row[place]}`;
  }

  function tiles(record, places, heat) {
    return h("ol", { class: "tiles" }, places.map((place, i) => {
      const value = format.number(record.frames.value[place]);
      const said = `${caption(record, place)}, activation ${value}`;
      const inside = procscope.overview.frames
        ? h("button", { class: "tile", "aria-label": `Enlarge: ${said}`, onclick: () => procscope.enlarged.open(record, heat, places, i) },
            procscope.pictures.frame(record, place, heat, said))
        : null;
      return h("li", {}, inside, h("span", { class: "tile-line", title: said }, h("b", {}, value), h("span", { class: "quiet" }, short(record, place))));
    }));
  }

  function heatControls() {
    const { heat } = procscope.overview;
    if (!heat) return missing("heat maps");
    const root = document.documentElement;
    const slider = h("input", { type: "range", min: "0", max: "100", value: String(procscope.heat.opacity), "aria-label": "Opacity of heat maps",
      oninput: () => procscope.heat.set(true, Number(slider.value)) });
    const toggle = h("button", { class: "heat-toggle", "aria-pressed": String(procscope.heat.on), title: "Heat maps (h)", onclick: () => procscope.heat.set(!procscope.heat.on) }, "Heat maps");
    const ramp = h("span", { class: "ramp", "aria-hidden": "true" });
    const signed = heat.kind === "attribution";
    ramp.style.backgroundImage = procscope.colours.ramp(procscope.colours.overFrame, signed ? -1 : 0, 1);
    const hint = signed
      ? `what each place of ${heat.hook_point} takes from the latent, or adds to it`
      : `the latent at each place of ${heat.hook_point}`;
    root.classList.toggle("heat-off", !procscope.heat.on);
    return h("div", { class: "controls" }, toggle, slider, ramp, h("span", { class: "hint" }, hint));
  }

  function quantileName(i) {
    const bounds = procscope.overview.survey.quantiles;
    return `${Math.round(100 * bounds[i])}–${Math.round(100 * bounds[i + 1])}%`;
  }

  function frameSections(record, heat) {
    const top = tiles(record, record.top, heat);
    const parts = record.quantiles.map((places, i) => [places, i]).reverse().filter(([places]) => places.length);
    return [
      section("Strongest frames", "at most one of an episode", heatControls(), missing("frames"), top),
      section("Frames by activation", `drawn at random from parts of the frames in which it is above 0, of ${format.count(procscope.overview.survey.sampled_frames)}`,
        parts.length
          ? h("div", { class: "quantiles" }, parts.map(([places, i]) =>
              h("div", { class: "quantile" }, h("h3", {}, quantileName(i)), tiles(record, [...places].reverse(), heat))))
          : quiet("It is above 0 in none of the frames that were drawn.")),
    ];
  }

  // -- What it says, does and is near to -------------------------------------

  function statement(record) {
    if (missing("meanings")) return section("What it says", "", missing("meanings"));
    const { label } = record;
    if (!label) return section("What it says", "", quiet("It is silent on the levels on which statements are chosen."));
    const known = procscope.overview.statements.find((one) => one.name === label.statement);
    const line = (name, value, ...note) => {
      const bar = h("span", { class: "bar plain" });
      bar.style.width = `${100 * Math.max(0, value || 0)}%`;
      return h("tr", {}, h("th", { scope: "row" }, name, note.length ? h("span", { class: "hint" }, note) : null),
        h("td", { class: "track" }, bar), h("td", { class: "number" }, format.score(value)));
    };
    const best = known.best_latent;
    return section("What it says", "judged on levels that it was not chosen on",
      h("p", { class: "statement" }, label.statement),
      label.lift > 0 ? null : quiet("No better than saying it always: the statement tells next to nothing of this latent."),
      h("table", { class: "scores" }, h("caption", { class: "unseen" }, "How well"), h("tbody", {},
        line("precision", label.precision), line("recall", label.recall), line("F1", label.f1), line("lift", label.lift))),
      h("table", { class: "scores" }, h("caption", {}, "F1 of the same statement by"), h("tbody", {},
        line("this latent", label.f1),
        best === record.latent ? null : line("the best latent", known.latent_f1, to(best, String(best))),
        line("the best single unit", known.unit_f1), line("a probe of all units", known.probe_f1))),
      quiet(`True of ${format.percent(known.share)} of ${format.plural(known.n_samples, "sample")}; it says so above ${format.number(label.threshold)}.`));
  }

  function effect(record) {
    if (missing("effects")) return section("Effect on actions", "", missing("effects"));
    if (!record.effects) return null;
    const { mean, by_frame: frames, agreement } = record.effects;
    return section("Effect on actions", `with it less without it, mean over ${format.plural(frames.length, "strong frame")}`,
      h("div", { class: "effect-parts" }, procscope.actions.rose(mean), procscope.actions.list(record.effects)),
      quiet(h("span", { class: "key more" }), "encouraged ", h("span", { class: "key less" }), "discouraged; a tick is a frame. ",
        `The sign is the mean's in ${format.percent(agreement)} of frames and actions.`));
  }

  async function maps(record) {
    const { cells, survey, heat } = procscope.overview;
    const found = [];
    if (record.cells && cells) {
      const values = await procscope.data.unpack(record.cells.values);
      found.push(section("Where the agent is when it fires", "mean over the frames of a cell, x to the right and y up", charts.heatMap({
        values, maximum: record.cells.maximum, shape: cells.shape, upwards: true, names: ["x", "y"], label: "cell",
        about: (row, column) => ` of ${format.plural(cells.frames[row][column], "frame")}` })));
    } else if (missing("map over cells")) found.push(section("Where the agent is when it fires", "", missing("map over cells")));
    if (record.positions) {
      const values = await procscope.data.unpack(record.positions.values);
      found.push(section("Where in the map it fires", `mean over frames, positions of ${heat ? heat.hook_point : "the map"}`, charts.heatMap({
        values, maximum: record.positions.maximum, shape: survey.positions, upwards: false, names: ["row", "column"], label: "position", about: () => "" })));
    }
    return found;
  }

  function nearest(record) {
    const { latents, cosines } = record.nearest;
    const thumbs = procscope.overview.frames;
    return section("Nearest latents", "cosine of decoder directions", h("ol", { class: "nearest" }, latents.map((latent, i) =>
      h("li", {}, to(latent, thumbs && !query.isDead(latent) ? procscope.pictures.thumbnail(latent) : h("span", { class: "frame none" }),
        h("span", { class: "nearest-number" }, String(latent)),
        h("span", { class: "nearest-says" }, query.isDead(latent) ? "dead" : query.statementOf(latent)),
        h("span", { class: "number" }, format.score(cosines[i])))))));
  }

  function atlas(record) {
    if (!record.atlas || !record.atlas.length) return null;
    return section("Made to excite it", "from an atlas of feature visualisation", record.atlas.map((made) =>
      h("div", { class: "atlas" }, h("h3", { title: made.description }, made.method),
        made.problem ? quiet(made.problem) : null,
        h("ul", {}, made.pictures.map(([png, text]) => h("li", {},
          h("img", { src: `data:image/png;base64,${png}`, alt: `${made.method}: ${text}`, loading: "lazy" }), h("span", { class: "tile-where" }, text)))))));
  }

  // -- The page ---------------------------------------------------------------

  function numbers(record) {
    const { survey } = procscope.overview;
    const rate = procscope.columns.rate[record.latent];
    return h("dl", { class: "numbers" }, [
      ["firing rate", format.percent(rate), `${format.count(record.firings)} samples`],
      ["active in", format.percent(record.active_frames / survey.n_frames), format.plural(record.active_frames, "frame")],
      ["maximum", format.number(record.maximum), ""],
      ["mean when active", format.number(record.mean_active), ""],
    ].map(([name, value, more]) => h("div", {}, h("dt", {}, name), h("dd", {}, h("b", {}, value), more && h("span", { class: "hint" }, more)))));
  }

  function bar(latent, order) {
    const at = order.indexOf(latent);
    const neighbour = (step, sign, name) => {
      const next = at < 0 ? latent + step : order[at + step];
      const there = next !== undefined && next >= 0 && next < procscope.overview.sae.n_latents;
      return there ? h("a", { class: "button", href: address.link({ latent: String(next) }), "aria-label": `${name} latent, ${next}`, title: `${name} (${step > 0 ? "j" : "k"})` }, sign)
        : h("span", { class: "button off", "aria-hidden": "true" }, sign);
    };
    return h("nav", { class: "latent-bar", "aria-label": "Latents" },
      h("a", { class: "button", href: address.link({ latent: "" }), title: "Back to the table (Esc)" }, "← All latents"),
      h("span", { class: "bar-name" }, procscope.head.shortName()),
      h("span", { class: "quiet" }, at < 0 ? "not in the table as it is filtered" : `${format.count(at + 1)} of ${format.count(order.length)}`),
      neighbour(-1, "‹", "Previous"), neighbour(1, "›", "Next"), procscope.head.themeButton(), procscope.head.helpButton());
  }

  function title(latent) {
    return h("h1", { tabindex: "-1" }, `Latent ${latent}`);
  }

  async function contents(record) {
    if (record.firings === 0) {
      return [title(record.latent),
        h("p", { class: "missing" }, h("strong", {}, "Dead"), ` It is above 0 in none of the ${format.count(procscope.overview.survey.n_frames)} frames of the survey, so there is nothing to show but its direction.`),
        nearest(record)];
    }
    const heat = record.heat ? await procscope.data.unpack(record.heat.values) : null;
    const label = query.statementOf(record.latent);
    return [
      h("div", { class: "latent-head" }, h("div", {}, title(record.latent), label ? h("p", { class: "statement" }, label) : null), numbers(record)),
      h("div", { class: "latent-parts" },
        h("div", { class: "latent-frames" }, frameSections(record, heat), h("div", { class: "maps" }, await maps(record)), atlas(record)),
        h("div", { class: "latent-facts" }, effect(record), statement(record),
          section("How strongly it fires", `samples above 0, of ${format.count(procscope.overview.survey.sampled_frames)} frames`,
            charts.histogram(record.histogram, record.maximum, record.label ? record.label.threshold : null)),
          nearest(record))),
    ];
  }

  let asked = 0;

  /** Draw the page of a latent. @param {HTMLElement} view @param {string} text - from the address @param {number[]} order - of the table */
  procscope.latentPage = async (view, text, order) => {
    const turn = ++asked;
    const n = procscope.overview.sae.n_latents;
    const latent = /^\d+$/.test(text) ? Number(text) : -1;
    if (latent < 0 || latent >= n) {
      replace(view, bar(-2, []), h("h1", { tabindex: "-1" }, "No such latent"), quiet(`This autoencoder has latents 0 to ${n - 1}; the link asks for “${text}”.`));
      return;
    }
    let parts;
    try {
      parts = await contents(await procscope.data.latent(latent));
    } catch (error) {
      parts = [title(latent), h("p", { class: "missing", role: "alert" }, error.message)];
    }
    if (turn !== asked) return; // another one was opened meanwhile
    replace(view, bar(latent, order), parts);
    view.querySelector("h1").focus({ preventScroll: true });
  };

  procscope.heat = {
    on: true,
    opacity: 75,
    /** Show heat maps or not, and how strongly. @param {boolean} on @param {number} [opacity] */
    set(on, opacity = procscope.heat.opacity) {
      Object.assign(procscope.heat, { on, opacity });
      document.documentElement.classList.toggle("heat-off", !on);
      document.documentElement.style.setProperty("--heat-opacity", String(opacity / 100));
      document.querySelectorAll(".heat-toggle").forEach((button) => button.setAttribute("aria-pressed", String(on)));
    },
  };
})(window.procscope);
