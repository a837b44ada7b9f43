"""How networks that were attacked are compared: numbers, a table, examples, prose. For the analysis and the experiment.

Axes: `example`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from procscope.rewardnets.robustness import ATTACKS, TRAINED_ON, Attacked, JudgedNetwork
from procscope.workbench.figures import COLOURS, ORDER, styled, subplots
from procscope.workbench.ledger import Ledger
from procscope.workbench.mean_intervals import bootstrap_means
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import wilson

TARGET = "C5.advtrain"
SHOWN = 4
"""Examples of each attack in the figure."""


class AttackRow(NamedTuple):
    """One attack on one network."""

    network: str
    attack: str
    examples: int
    before: str
    after: str
    fooled: str


def report_networks(
    record: RunRecord,
    networks: Sequence[JudgedNetwork],
    rng: np.random.Generator,
    more: Mapping[str, Any] | None = None,
) -> Ledger:
    """Record losses and attacks of all networks; table and figures.

    Args:
        more: further keys of every number's `where`.
    """
    ledger = Ledger(record)
    for network in networks:
        where = {"model": network.name, "training": network.training, "network": network.training} | dict(
            more or {}
        )
        ledger.add(f"{TARGET}/test_loss", lambda one=network: one.loss, where, "reward²", network.n)
        ledger.add(
            f"{TARGET}/test_share",
            lambda one=network: one.loss / one.floor,
            where,
            "share",
            network.n,
        )
        for name, attacked in network.attacked.items():
            at = where | {"attack": name}
            both = np.stack([attacked.after, attacked.before], axis=1).astype(float)
            after, before = bootstrap_means(both, rng=rng)
            ledger.add(f"{TARGET}/attacked_reward", lambda i=after: i, at, "reward")
            ledger.add(f"{TARGET}/reward_before", lambda i=before: i, at, "reward")
            squared = float((attacked.after.astype(float) ** 2).mean())
            ledger.add(f"{TARGET}/attacked_loss", lambda v=squared: v, at, "reward²", len(attacked.after))
            share = wilson(int(attacked.fooled.sum()), len(attacked.fooled))
            ledger.add(f"{TARGET}/fooled_share", lambda i=share: i, at, "share")
    record.say("In short", _in_short(ledger, networks))
    record.table(
        "attacks",
        [_row(ledger, network, name) for network in networks for name in network.attacked],
        "Mean predicted reward before and after each attack, and the share of examples predicted above 5. All are "
        f"supposed to be worth 0; `{TRAINED_ON}`, the attack of adversarial training, begins with rewarded ones.",
    )
    record.figure(
        "attacks",
        plot_attacks(networks),
        "Predicted reward after each attack: mean and middle half of the examples.",
    )
    for number, network in enumerate(networks):
        if not all(len(attacked.pairs) for attacked in network.attacked.values()):
            continue  # kept as numbers alone
        record.figure(
            f"examples-{number}",
            plot_examples(network.attacked),
            f"What attacks on {network.name} ended with: frame and next frame, and the predicted reward.",
        )
    return ledger


def _in_short(ledger: Ledger, networks: Sequence[JudgedNetwork]) -> str:
    lines = []
    for network in networks:
        share = ledger.quote(f"{TARGET}/test_share", model=network.name)
        told = [
            f"{name} {ledger.quote(f'{TARGET}/attacked_reward', model=network.name, attack=name, interval=False)}"
            for name in network.attacked
        ]
        lines.append(
            f"- `{network.name}` ({network.training}): test loss {network.loss:.3f}, {share} of guessing's. "
            f"Predicted after attacks: {', '.join(told)}."
        )
    return "\n".join(lines)


def _row(ledger: Ledger, network: JudgedNetwork, attack: str) -> AttackRow:
    at: dict[str, Any] = {"model": network.name, "attack": attack}
    return AttackRow(
        network.name,
        attack,
        len(network.attacked[attack].after),
        ledger.quote(f"{TARGET}/reward_before", **at),
        ledger.quote(f"{TARGET}/attacked_reward", **at),
        ledger.quote(f"{TARGET}/fooled_share", **at),
    )


@styled()
def plot_attacks(networks: Sequence[JudgedNetwork]) -> Figure:
    """Predicted rewards after the attacks, on a symmetric logarithmic scale."""
    names = [name for name in ATTACKS if any(name in network.attacked for network in networks)]
    figure, axes = subplots(width_inches=8, height_inches=3.8)
    width = 0.7 / max(len(networks), 1)
    for number, network in enumerate(networks):
        for place, name in enumerate(names):
            if name not in network.attacked:
                continue
            after = network.attacked[name].after
            low, high = np.quantile(after, (0.25, 0.75))
            mean = float(after.mean())
            x = place + width * (number - (len(networks) - 1) / 2)
            axes.errorbar(
                x,
                mean,
                [[max(mean - low, 0)], [max(high - mean, 0)]],
                fmt="o",
                color=COLOURS[ORDER[number % len(ORDER)]],
                label=network.name if place == 0 else None,
            )
    axes.set_yscale("symlog", linthresh=1)
    axes.axhline(10, color=COLOURS["grey"], linewidth=1, linestyle="--")
    axes.set(ylabel="predicted reward", xticks=range(len(names)))
    axes.set_xticklabels([name.replace(" ", "\n", 1) for name in names])
    axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0))
    return figure


@styled()
def plot_examples(attacked: Mapping[str, Attacked]) -> Figure:
    """The most fooling examples of each attack."""
    figure, panels = subplots(
        len(attacked), SHOWN, width_inches=8, height_inches=1.15 * len(attacked), squeeze=False
    )
    for row, (name, found) in zip(panels, attacked.items(), strict=True):
        best = np.argsort(-found.after, kind="stable")[:SHOWN]
        for axes in row:
            axes.set_axis_off()
        for place, (axes, example) in enumerate(zip(row, best, strict=False)):
            pair = found.pairs[example]
            axes.imshow(np.concatenate([pair[..., :3], pair[..., 3:]], axis=1))
            title = f"{found.after[example]:.1f}"
            axes.set_title(f"{name}: {title}" if place == 0 else title, fontsize=7)
    return figure
