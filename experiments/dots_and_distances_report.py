"""How `dots-and-distances` tells what it found: Table 5.10 with the published numbers beside, figures, prose.

Intervals are bootstrapped over blocks of 1,000 pictures: they say how sure a number is of this network.

Axes: `block` of 1,000 pictures, `pool` of 10,000.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from procscope.experiments.dots_and_distances_study import LAYERS, StudiedDots
from procscope.probes.level_intervals import level_interval
from procscope.rewardnets.dots import dots_of_block
from procscope.rewardnets.dots_training import POOL
from procscope.workbench.figures import COLOURS, ORDER, styled, subplots
from procscope.workbench.ledger import Ledger
from procscope.workbench.runs import RunRecord

TARGET = "C5.dots"
PROBED = (1, 2, 3, 4)
"""The text's layers."""
KINDS = {
    "many-epochs": "regression, many epochs",
    "few-epochs": "regression, few epochs of more pictures",
    "classifier": "classification",
    "untrained": "untrained",
}
UNITS = {"classifier": "nats"}
"""Of the networks' own losses, where they are not squared widths of the picture."""
SQUARED = "squared widths"


class TableRow(NamedTuple):
    """A network: its own loss, then Table 5.10's losses of probes."""

    network: str
    seed: int
    own_loss: str
    guessing: str
    published_own_loss: str
    layer_1: str
    layer_2: str
    layer_3: str
    layer_4: str


def write_report(record: RunRecord, studies: Sequence[StudiedDots]) -> None:
    """Add metrics, the table, figures and prose to the record."""
    ledger, rng = Ledger(record), np.random.default_rng(record.seed)
    for studied in studies:
        _record(ledger, studied, rng)
    record.say("In short", _in_short(ledger, studies))
    record.table(
        "probes",
        [_table_row(ledger, studied) for studied in studies] + _published_rows(ledger, studies),
        "Held-out mean squared error of linear probes of the three distances, by layer (average of each map after its "
        "ReLU), and the networks' own losses; the last rows are Table 5.10's.",
    )
    record.figure(
        "layers",
        plot_layers(studies, published_shares(ledger, studies)),
        "Probes' error as a share of guessing's. Lines: the networks of this run; crosses: Table 5.10.",
    )
    trained = [studied for studied in studies if len(studied.train_losses)]
    if trained:
        record.figure(
            "training",
            plot_training(trained),
            "Loss in training, as a share of guessing's: means over 10,000 pictures.",
        )
    record.figure("pictures", plot_pictures(studies[0].study.training.side), "Pictures of the data set.")
    record.say("What differs from the published set-up", _differences(studies))


def _record(ledger: Ledger, studied: StudiedDots, rng: np.random.Generator) -> None:
    study = studied.study
    where = {"model": study.name, "training": study.kind, "network": study.kind}
    if len(studied.test_losses):
        unit = UNITS.get(study.kind, SQUARED)
        sums = np.stack([studied.test_losses, studied.test_guesses], axis=1)
        name = "test_cross_entropy" if study.kind in UNITS else "test_loss"
        ledger.add(f"{TARGET}/{name}", lambda: level_interval(sums, _mean_of(0, sums), rng=rng), where, unit)
        ledger.add(f"{TARGET}/test_share", lambda: level_interval(sums, _ratio, rng=rng), where, "share")
    for layer in LAYERS:
        at = where | {"layer": layer}
        sums = np.stack([studied.probe_losses[layer], studied.probe_guesses], axis=1)
        ledger.add(
            f"{TARGET}/probe_loss", lambda s=sums: level_interval(s, _mean_of(0, s), rng=rng), at, SQUARED
        )
        ledger.add(f"{TARGET}/probe_share", lambda s=sums: level_interval(s, _ratio, rng=rng), at, "share")
    if study.kind != "untrained":
        for layer in PROBED[1:]:
            sums = np.stack([studied.probe_losses[layer], studied.probe_losses[layer - 1]], axis=1)
            ledger.add(
                f"{TARGET}/probe_step",
                lambda s=sums: level_interval(s, _ratio, rng=rng),
                where | {"layer": layer},
                "share",
            )


def _ratio(sums: np.ndarray) -> np.ndarray:
    return np.asarray(sums[..., 0] / sums[..., 1])


def _mean_of(column: int, sums: np.ndarray):
    """The mean over as many blocks as there are; a resample has as many."""
    return lambda drawn: np.asarray(drawn[..., column] / len(sums))


def _in_short(ledger: Ledger, studies: Sequence[StudiedDots]) -> str:
    lines = [
        "Six dots lie on a white square, two of each colour. Networks learned to tell the mean of the three distances "
        "between dots of one colour, or whether it is among the smallest 0.93%. Linear probes of each layer then tell "
        "the three distances; 100% is as bad as guessing their means.\n"
    ]
    for studied in studies:
        if studied.study.kind == "untrained":
            continue
        name = studied.study.name
        shares = ", ".join(
            ledger.quote(f"{TARGET}/probe_share", model=name, layer=layer, interval=False) for layer in PROBED
        )
        own = ledger.quote(f"{TARGET}/test_share", model=name)
        lines.append(f"- `{name}`: its own loss is {own} of guessing's; probes at layers 1 to 4: {shares}.")
    untrained = [studied for studied in studies if studied.study.kind == "untrained"]
    if untrained:
        lowest = min(float(_share(studied, layer)) for studied in untrained for layer in PROBED)
        lines.append(
            f"- {len(untrained)} untrained networks: {100 * lowest:.1f}% at the least, at any of these layers."
        )
    return "\n".join(lines)


def _share(studied: StudiedDots, layer: int) -> float:
    return float(studied.probe_losses[layer].mean() / studied.probe_guesses.mean())


def _table_row(ledger: Ledger, studied: StudiedDots) -> TableRow:
    study = studied.study
    own = guess = "–"
    if len(studied.test_losses):
        own, guess = f"{studied.test_losses.mean():.4f}", f"{studied.test_guesses.mean():.4f}"
    name = "test_cross_entropy" if study.kind in UNITS else "test_loss"
    published = _published(ledger, name, {"network": study.kind}) if own != "–" else "–"
    losses = [f"{studied.probe_losses[layer].mean():.4f}" for layer in PROBED]
    return TableRow(KINDS[study.kind], study.training.seed, own, guess, published, *losses)


def _published_rows(ledger: Ledger, studies: Sequence[StudiedDots]) -> list[TableRow]:
    rows = []
    for kind in dict.fromkeys(studied.study.kind for studied in studies):
        losses = [_published(ledger, "probe_loss", {"network": kind, "layer": layer}) for layer in PROBED]
        rows.append(TableRow(f"{KINDS[kind]}, Table 5.10", -1, "", "", "", *losses))
    return rows


def _published(ledger: Ledger, quantity: str, where: Mapping[str, str | int]) -> str:
    """What stands beside a number in the text."""
    value = next(
        (
            entry.published
            for entry in ledger.record.metrics
            if entry.id == f"{TARGET}/{quantity}" and all(entry.where.get(k) == v for k, v in where.items())
        ),
        None,
    )
    return "–" if value is None else f"{value:g}"


def published_shares(ledger: Ledger, studies: Sequence[StudiedDots]) -> dict[str, list[float]]:
    """By kind of network, the published losses of layers 1 to 4 over the published loss of guessing."""
    found = {}
    for kind in dict.fromkeys(studied.study.kind for studied in studies):
        values = [_published(ledger, "probe_loss", {"network": kind, "layer": layer}) for layer in PROBED]
        if "–" not in values:
            found[kind] = [float(value) / 0.0498 for value in values]
    return found


def _differences(studies: Sequence[StudiedDots]) -> str:
    training = studies[0].study.training
    return (
        f"- Pictures of {training.side} x {training.side} pixels and {training.width:g} of the published channels "
        "(64 x 64 and 1 there)."
        "\n- Probes are the exact least-squares solution with a ridge strength chosen on other pictures, ten folds, "
        "where the text trains each for 10 epochs of Adam: no probe stops short here (layer 3 of the text's first "
        "network reached 0.0304 an epoch before the 0.0548 that it reports)."
        "\n- Every network has pictures of its own; they are drawn again in each epoch instead of being kept."
    )


@styled()
def plot_layers(studies: Sequence[StudiedDots], published: Mapping[str, Sequence[float]]) -> Figure:
    """Probes' error by layer."""
    figure, axes = subplots(width_inches=6, height_inches=4)
    kinds = list(dict.fromkeys(studied.study.kind for studied in studies))
    for number, kind in enumerate(kinds):
        colour = COLOURS[ORDER[number]]
        for seed, studied in enumerate(one for one in studies if one.study.kind == kind):
            shares = [_share(studied, layer) for layer in LAYERS]
            axes.plot(LAYERS, shares, "o-", color=colour, label=KINDS[kind] if seed == 0 else None, alpha=0.8)
        if kind in published:
            axes.plot(PROBED, published[kind], "x", color=colour, markersize=8)
    axes.set(xlabel="layer", ylabel="probes' error (share of guessing's)", ylim=(0, 1.15), xticks=LAYERS)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(loc="lower left")
    return figure


@styled()
def plot_training(studies: Sequence[StudiedDots]) -> Figure:
    """Training loss by pictures seen."""
    figure, axes = subplots(width_inches=6, height_inches=3.6)
    kinds = list(dict.fromkeys(studied.study.kind for studied in studies))
    for studied in studies:
        kind = studied.study.kind
        losses = studied.train_losses / studied.test_guesses.mean()
        first = studied is next(one for one in studies if one.study.kind == kind)
        axes.plot(
            POOL / 1000 * np.arange(1, len(losses) + 1),
            losses,
            color=COLOURS[ORDER[kinds.index(kind)]],
            label=KINDS[kind] if first else None,
            alpha=0.8,
        )
    axes.set(xlabel="pictures (thousands)", ylabel="loss (share of guessing's)", ylim=(0, 1.3))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend()
    return figure


@styled()
def plot_pictures(side: int, count: int = 6) -> Figure:
    """Some pictures, with the frames of Figure 5.19."""
    figure, panels = subplots(1, count, width_inches=9, height_inches=2.0)
    drawn = dots_of_block(0, 0, side)
    for axes, picture, label in zip(panels, drawn.pictures, drawn.labels, strict=False):
        axes.imshow(picture.transpose(1, 2, 0))
        axes.set(xticks=[], yticks=[], title=f"{label:.3f}")
        axes.spines[["top", "right"]].set_visible(True)
    return figure
