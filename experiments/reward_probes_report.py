"""How `reward-probes` tells what it found: Tables 5.3 to 5.9 with the published numbers beside, a figure, prose.

Intervals are bootstrapped over levels. A *share* is a probe's squared error over that of guessing the mean.

Axes: `quantity` of a score's sums.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from procscope.experiments.reward_probes_study import LAYERS, ProbeScore, quantities_of
from procscope.probes.level_intervals import level_interval
from procscope.probes.scores import Score
from procscope.workbench.figures import COLOURS, ORDER, styled, subplots
from procscope.workbench.ledger import Ledger
from procscope.workbench.metrics import Metric
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval

ERROR, GUESS = 3, 4
"""Places of the squared errors of probe and guess among the sums of a `Score`."""


class NetworkProbes(NamedTuple):
    """One network's probes."""

    name: str
    kind: str
    game: str
    scores: list[ProbeScore]

    @property
    def where(self) -> dict[str, str]:
        return {"model": self.name, "training": self.kind, "network": self.kind}

    def score(self, weights: str, data: str, layer: int, quantity: str) -> Score:
        return next(one.score for one in self.scores if one[:4] == (weights, data, layer, quantity))

    def quantities(self, data: str) -> tuple[str, ...]:
        return tuple(quantities_of(self.game, data))

    @property
    def parts(self) -> tuple[str, ...]:
        """Which transitions it was probed on: `all`, and `filtered` where there are some."""
        return tuple(data for data in ("all", "filtered") if self.quantities(data))


class LossRow(NamedTuple):
    """One number of Tables 5.3 to 5.9."""

    network: str
    transitions: str
    quantity: str
    layer: str
    loss: str
    published: str
    untrained: str
    published_untrained: str
    share_of_guessing: str


def write_report(record: RunRecord, studies: Sequence[NetworkProbes]) -> None:
    """Record all numbers; add tables, figures and prose."""
    ledger = Ledger(record)
    for study in studies:
        rng = np.random.default_rng(record.seed)
        for data in study.parts:
            _record(ledger, study, data, rng)
    record.say("In short", "\n".join(_in_short(ledger, study) for study in studies))
    for study in studies:
        for data in study.parts:
            record.table(
                f"{_slug(study)}-{data}",
                [
                    _row(ledger, study, data, quantity, layer)
                    for quantity in study.quantities(data)
                    for layer in LAYERS
                ],
                f"`{study.name}`, {_WORDS[data]}: squared error of linear probes on held-out levels, of the network "
                "and of an untrained one, with the text's numbers beside.",
            )
    record.figure("shares", plot_shares(studies), "Squared error of probes over that of guessing, by layer.")
    record.say("What differs from the published set-up", _DIFFERENCES)


_WORDS = {"all": "all transitions", "filtered": "transitions with the goal nearer than 6 cells"}

_DIFFERENCES = (
    "- Networks are narrower, see smaller pictures and learned from fewer transitions; their cards say how many."
    "\n- Probes are exact and cross-validated over levels; the text trains them by Adam for 5 to 50 epochs on nine "
    "tenths of the *transitions*, so that a level is on both sides, and some of its losses are above those of guessing."
    "\n- Distances are those of the frame, from centre to centre in cells. Levels, policy and so the spread of the "
    "distances are others: compare shares of guessing rather than losses."
    "\n- The untrained network is another draw of the same architecture. Intervals are ours."
)


def _target(study: NetworkProbes, data: str) -> str:
    return "C5.probe-filtered" if data == "filtered" else f"C5.probe-{study.game}"


def _record(ledger: Ledger, study: NetworkProbes, data: str, rng: np.random.Generator) -> None:
    target = _target(study, data)
    for quantity in study.quantities(data):
        first = study.score("trained", data, LAYERS[0], quantity)
        ledger.add(
            f"{target}/guess_loss",
            lambda s=first: s.interval("guess_mse", rng),
            study.where | {"quantity": quantity},
            "cells",
        )
        for layer in LAYERS:
            for weights in ("trained", "untrained"):
                score = study.score(weights, data, layer, quantity)
                where = study.where | {"quantity": quantity, "layer": layer, "weights": weights}
                ledger.add(f"{target}/test_loss", lambda s=score: s.interval("mse", rng), where, "cells")
                ledger.add(f"{target}/share", lambda s=score: _share(s, rng), where, "share")
            where = study.where | {"quantity": quantity, "layer": layer}
            ledger.add(
                f"{target}/of_best_baseline",
                lambda q=quantity, at=layer: _of_best_baseline(study, data, at, q, rng),
                where,
                "share",
            )
    if study.game == "coinrun":
        ledger.add(
            f"{target}/layer2_lead",
            lambda: _lead(study, data, rng),
            study.where | {"quantity": "distance"},
            "share",
        )
    ledger.add(f"{target}/least_of_best_baseline", lambda: _least(study, data, rng), study.where, "share")


def _share(score: Score, rng: np.random.Generator) -> Interval:
    return level_interval(score.sums, lambda s: s[..., ERROR] / s[..., GUESS], rng=rng)


def _of_best_baseline(
    study: NetworkProbes, data: str, layer: int, quantity: str, rng: np.random.Generator
) -> Interval:
    """A probe's error over the lower one of guessing and the untrained network's probe."""
    trained = study.score("trained", data, layer, quantity).sums
    untrained = study.score("untrained", data, layer, quantity).sums
    joined = np.stack([trained[:, ERROR], trained[:, GUESS], untrained[:, ERROR]], axis=1)
    return level_interval(joined, lambda s: s[..., 0] / np.minimum(s[..., 1], s[..., 2]), rng=rng)


def _lead(study: NetworkProbes, data: str, rng: np.random.Generator) -> Interval:
    """How much lower the share at layer 2 is than at the best of the other layers."""
    sums = [study.score("trained", data, layer, "distance").sums for layer in LAYERS]
    joined = np.stack([*(part[:, ERROR] for part in sums), sums[0][:, GUESS]], axis=1)
    second = LAYERS.index(2)
    others = [place for place in range(len(LAYERS)) if place != second]
    return level_interval(
        joined, lambda s: (s[..., others].min(axis=-1) - s[..., second]) / s[..., -1], rng=rng
    )


def _least(study: NetworkProbes, data: str, rng: np.random.Generator) -> Interval:
    """The lowest error over the lowest baseline, of all layers and quantities."""
    places = [(layer, quantity) for quantity in study.quantities(data) for layer in LAYERS]
    least = min(places, key=lambda place: _ratio(study, data, *place))
    return _of_best_baseline(study, data, *least, rng)


def _ratio(study: NetworkProbes, data: str, layer: int, quantity: str) -> float:
    trained = study.score("trained", data, layer, quantity).sums.sum(axis=0)
    untrained = study.score("untrained", data, layer, quantity).sums.sum(axis=0)
    return float(trained[ERROR] / min(trained[GUESS], untrained[ERROR]))


def _row(ledger: Ledger, study: NetworkProbes, data: str, quantity: str, layer: int) -> LossRow:
    target, at = _target(study, data), {"model": study.name, "quantity": quantity, "layer": layer}
    found = {
        weights: ledger.find(f"{target}/test_loss", weights=weights, **at)
        for weights in ("trained", "untrained")
    }
    published = {
        weights: "–" if not isinstance(one, Metric) or one.published is None else f"{one.published:g}"
        for weights, one in found.items()
    }
    losses = {
        weights: "–" if not isinstance(one, Metric) else f"{float(one.value):.4g}"
        for weights, one in found.items()
    }
    return LossRow(
        study.kind,
        data,
        quantity,
        str(layer),
        losses["trained"],
        published["trained"],
        losses["untrained"],
        published["untrained"],
        ledger.quote(f"{target}/share", weights="trained", **at),
    )


def _in_short(ledger: Ledger, study: NetworkProbes) -> str:
    lines = []
    for data in study.parts:
        target = _target(study, data)
        quantity = "distance"
        told = [
            f"layer {layer} "
            + ledger.quote(
                f"{target}/share",
                interval=False,
                model=study.name,
                quantity=quantity,
                layer=layer,
                weights="trained",
            )
            + " (untrained "
            + ledger.quote(
                f"{target}/share",
                interval=False,
                model=study.name,
                quantity=quantity,
                layer=layer,
                weights="untrained",
            )
            + ")"
            for layer in LAYERS
        ]
        least = ledger.quote(f"{target}/least_of_best_baseline", model=study.name)
        lines.append(
            f"- `{study.name}`, {_WORDS[data]}: error of a probe of the distance, as a share of guessing's: "
            f"{', '.join(told)}. The lowest error over the lowest baseline, of all quantities and layers: {least}."
        )
    return "\n".join(lines)


def _slug(study: NetworkProbes) -> str:
    return "".join(
        c if c.isalnum() else "-" for c in study.name.rsplit("/", 1)[-1].removesuffix(".safetensors")
    ).strip("-")


@styled()
def plot_shares(studies: Sequence[NetworkProbes]) -> Figure:
    """One panel a network and part of the transitions: shares by layer, trained as lines, untrained dashed."""
    panels = [(study, data) for study in studies for data in study.parts]
    figure, axes = subplots(
        len(panels), 1, width_inches=6, height_inches=2.4 * len(panels) + 0.9, sharex=True, squeeze=False
    )
    for panel, (study, data) in zip(axes[:, 0], panels, strict=True):
        for number, quantity in enumerate(study.quantities(data)):
            for weights, style in (("trained", "-"), ("untrained", ":")):
                sums = [study.score(weights, data, layer, quantity).sums.sum(axis=0) for layer in LAYERS]
                shares = [each[ERROR] / each[GUESS] for each in sums]
                label = quantity if weights == "trained" else None
                panel.plot(
                    LAYERS, shares, style, marker="o", color=COLOURS[ORDER[number % len(ORDER)]], label=label
                )
        panel.axhline(1, color=COLOURS["grey"], linewidth=1)
        panel.set(ylabel="error / guessing", title=f"{study.name}, {data} (dotted: untrained)", xticks=LAYERS)
        panel.legend(fontsize="small", ncols=2)
    axes[-1, 0].set(xlabel="layer")
    return figure
