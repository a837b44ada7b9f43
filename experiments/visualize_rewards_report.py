"""Numbers and prose of `visualize-rewards`, network by network."""

import base64
import io
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from procscope.workbench.figures import panel_grid, styled
from procscope.workbench.mean_intervals import bootstrap_means
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval


def report_network(record: RunRecord, name: str, kind: str, found: Mapping[str, Any]) -> None:
    """Put one network's numbers, table and figure into the record."""
    rng = np.random.default_rng((record.seed, 2))
    where = {"model": name, "training": kind, "network": kind}
    file_name = re.sub(r"[^A-Za-z0-9_-]+", "-", name)
    nothing = found["from_nothing"]
    for quantity in ("reward", "scrambled", "pink_to_cyan"):
        value = _mean(nothing[quantity], rng)
        record.metric(f"C5.vis-denovo/{quantity}", value, where, unit="reward")
    rows = []
    for start, of_start in found["seeded"].items():
        for steps, rewards in of_start["rewards"].items():
            value = _mean(rewards, rng)
            place = where | {"start": start, "steps": int(steps)}
            record.metric("C5.vis-dataset/reward", value, place, unit="reward")
            rows.append({"start": start, "steps": int(steps), **value._asdict()})
    moved, still = (np.array(found["seeded"][start]["change_col"]) for start in ("translated", "original"))
    record.metric("C5.vis-dataset/change_moves", _mean((moved - still).tolist(), rng), where, unit="pixels")
    record.table(
        f"seeded_{file_name}", pd.DataFrame(rows), "Predicted rewards of changed transitions, by steps."
    )
    record.figure(
        f"pictures_{file_name}",
        plot_pairs(found),
        "Frame and next frame: three pictures from nothing, then a transition and the same after more and more steps.",
    )
    n_actions = len(nothing["moved"])
    dead = n_actions - sum(nothing["moved"])
    record.say(
        name,
        f"From nothing, {np.mean(nothing['reward']):.1f} on average over actions, {np.mean(nothing['scrambled']):.1f} "
        f"when the pixels are scrambled, {np.mean(nothing['pink_to_cyan']):.1f} for pink that turns to cyan. "
        f"{dead} of {n_actions} actions had no gradient at any step.",
    )


@styled()
def plot_pairs(found: Mapping[str, Any]) -> Figure:
    """Frame and next frame, side by side."""
    panels = [(f"from nothing, action {i}", png) for i, png in enumerate(found["from_nothing"]["pictures"])]
    for start, of_start in found["seeded"].items():
        panels += [
            (f"{start}, {steps} steps", png)
            for steps, png in zip(of_start["rewards"], of_start["pictures"], strict=True)
        ]
    figure, axes = panel_grid(len(panels), 3, panel_inches=(2.7, 1.6))
    for (title, png), axis in zip(panels, axes, strict=True):
        axis.imshow(Image.open(io.BytesIO(base64.b64decode(png))))
        axis.set(xticks=[], yticks=[])
        axis.grid(visible=False)
        axis.set_title(title, fontsize=8)
    return figure


def _mean(values: list[float], rng: np.random.Generator) -> Interval:
    return bootstrap_means(np.array(values)[:, None], rng=rng)[0]
