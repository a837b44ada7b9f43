// Which keys do what, and what the search understands.
"use strict";

(function (procscope) {
  const { h } = procscope.dom;
  const KEYS = [
    ["j  k  or  ↓  ↑", "next and previous latent, in the order of the table"],
    ["Enter", "open the latent that is marked"],
    ["Esc", "back to the table; out of the search"],
    ["/", "search"],
    ["h", "heat maps on and off"],
    ["t", "theme: as the system has it, light, dark"],
    ["?", "this help"],
  ];
  const SEARCHES = [
    ["goal row", "both words in the statement or the action"],
    ['"row < 32"', "these words together"],
    ["encourages left", "by the action that it changes most"],
    ["f1>0.6 rate<1%", "comparisons: rate, f1, precision, recall, lift, effect, max, cos"],
    ["17", "latent 17"],
  ];
  const WORDS = [
    ["firing rate", "share of samples (frames, or positions of their maps) in which the latent is above 0"],
    ["dead", "above 0 in no sample of the survey, whose size stands on top"],
    ["says", "the statement about frames or positions that being above a threshold tells best; statement and threshold are chosen on half of the levels, precision, recall and F1 judged on the other"],
    ["lift", "how far F1 is from saying the statement always (0) to perfect (1); 0 and less says nothing"],
    ["effect", "what the network says of an action with the latent, less without it, less the mean over actions: above 0 it is encouraged"],
    ["cosine", "of the decoder directions of two latents"],
  ];

  let dialog = null;

  function part(title, rows, name) {
    return [h("h3", {}, title), h("dl", { class: "help-list" }, rows.map(([key, text]) =>
      h("div", {}, h("dt", {}, name === "kbd" ? h("kbd", {}, key) : name === "code" ? h("code", {}, key) : key), h("dd", {}, text))))];
  }

  procscope.help = {
    open() {
      if (!dialog) {
        dialog = h("dialog", { class: "help", "aria-labelledby": "help-title" },
          h("div", { class: "help-head" }, h("h2", { id: "help-title" }, "Help"),
            h("button", { onclick: () => dialog.close() }, "Close")),
          part("Keys", KEYS, "kbd"), part("Search", SEARCHES, "code"), part("Words", WORDS, ""));
        dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
        document.body.append(dialog);
      }
      dialog.showModal();
    },
  };
})(window.procscope);
