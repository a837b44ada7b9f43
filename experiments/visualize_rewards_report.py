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
from procscope.workbench.metrics import Metric, Undefined
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval

FROM_NOTHING = {
    "reward": "from nothing",
    "scrambled": "the same, pixels scrambled",
    "pink_to_cyan": "pink, then cyan",
}


def report_network(record: RunRecord, name: str, kind: str, found: Mapping[str, Any]) -> None:
    """Put one network's numbers, table and figure into the record."""
    rng = np.random.default_rng((record.seed, 2))
    where = {"model": name, "training": kind, "network": kind}
    file_name = re.sub(r"[^A-Za-z0-9_-]+", "-", name)
    nothing = found["from_nothing"]
    rows = [
        _row(
            record.metric(f"C5.vis-denovo/{quantity}", _mean(nothing[quantity], rng), where, unit="reward"),
            picture=picture,
        )
        for quantity, picture in FROM_NOTHING.items()
    ]
    for start, of_start in found["seeded"].items():
        for steps, rewards in of_start["rewards"].items():
            place = where | {"start": start, "steps": int(steps)}
            metric = record.metric("C5.vis-dataset/reward", _mean(rewards, rng), place, unit="reward")
            rows.append(_row(metric, picture=start, steps=int(steps)))
    for quantity in ("change", "gradient"):
        moved, still = (
            np.array(found["seeded"][start][f"{quantity}_col"]) for start in ("translated", "original")
        )
        shift = _mean((moved - still).tolist(), rng)
        record.metric(f"C5.vis-dataset/{quantity}_moves", shift, where, unit="pixels")
    record.table(
        f"rewards_{file_name}",
        pd.DataFrame(rows),
        "Predicted rewards beside the published ones: 15 actions from nothing, changed transitions by steps. The "
        "published changes are of one transition and, by the published code, unbounded; here they stay within 0 to 1.",
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


def _row(metric: Metric | Undefined, **what: str | int) -> dict[str, Any]:
    assert isinstance(metric, Metric)
    published = {"published": metric.published, "verdict": metric.verdict}
    return (
        what
        | {"reward": metric.value, "low": metric.ci_low, "high": metric.ci_high, "n": metric.n}
        | published
    )


def _mean(values: list[float], rng: np.random.Generator) -> Interval:
    return bootstrap_means(np.array(values)[:, None], rng=rng)[0]
