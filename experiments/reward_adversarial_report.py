"""How `reward-adversarial` tells what it found: pairs of networks compared, Tables 5.8 and 5.9, attacks, prose.

Axes: `run` pairs of networks.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from procscope.experiments.reward_adversarial_study import KINDS, LAYERS, TARGETS, Studied
from procscope.rewardnets.adversarial_report import TARGET, report_networks
from procscope.rewardnets.robustness import ATTACKS, TRAINED_ON
from procscope.workbench.figures import COLOURS, ORDER, styled, subplots
from procscope.workbench.ledger import Ledger
from procscope.workbench.run_intervals import mean_of_runs
from procscope.workbench.runs import RunRecord


class ProbeRow(NamedTuple):
    """Mean over networks of a probe's loss as a share of guessing's, as Tables 5.8 and 5.9."""

    target: str
    transitions: str
    layer: int
    standard: str
    adversarial: str


def write_report(
    record: RunRecord, studies: Sequence[Studied], shrink: int, width: float, transitions: int
) -> None:
    """Add metrics, tables, figures and prose to the record."""
    networks = [studied.judged for studied in studies]
    for studied in studies:
        record.network(studied.judged.name, "", studied.study.kind)
    ledger = report_networks(record, networks, np.random.default_rng(record.seed))
    pairs = _pairs(studies)
    _record_pairs(ledger, pairs)
    for studied in studies:
        _record_probes(ledger, studied)
    record.say("Pairs of networks", _pairs_in_words(ledger, pairs))
    rows = _probe_rows(studies)
    if rows:
        record.table(
            "probes",
            rows,
            "Held-out error of linear probes of the distance to the goal, as a share of guessing's; mean over "
            "networks. Published: Tables 5.3 and 5.8 (15 epochs and adversarial), 5.6 and 5.9 (filtered).",
        )
        record.figure("probes", plot_probes(studies), "The same by layer; one line a network.")
    record.say(
        "What differs from the published set-up",
        f"- {transitions:,} thinned transitions in place of 900,173 of all; {width:g} of the published channels"
        + (f", pictures shrunk {shrink} times." if shrink > 1 else ".")
        + "\n- Several pairs of networks from the same initial weights and batches, where the text has one adversarial "
        "network of many attempts beside networks trained otherwise.\n- Probes are exact ridge regressions with whole "
        "levels held out, of the thinned transitions.\n- All attacks but `rewarded start`, `more steps`, `from "
        "nothing` and `noise` are ours.",
    )


def _pairs(studies: Sequence[Studied]) -> list[tuple[Studied, Studied]]:
    """(standard, adversarial) of each seed."""
    by_kind = {
        kind: {each.study.training.reward.seed: each for each in studies if each.study.kind == kind}
        for kind in KINDS
    }
    return [(one, by_kind["adversarial"][seed]) for seed, one in by_kind["standard"].items()]


def _record_pairs(ledger: Ledger, pairs: Sequence[tuple[Studied, Studied]]) -> None:
    """What adversarial training changes, pair by pair: Student's intervals over pairs."""
    where = {"model": f"{len(pairs)} pairs", "training": "pairs"}
    costs = np.array([other.judged.loss - one.judged.loss for one, other in pairs])
    ledger.add(f"{TARGET}/loss_cost", lambda: mean_of_runs(costs), where, "reward²")
    for attack in ATTACKS:
        if all(attack in each.judged.attacked for pair in pairs for each in pair):
            drops = np.array(
                [
                    one.judged.attacked[attack].after.mean() - other.judged.attacked[attack].after.mean()
                    for one, other in pairs
                ],
                float,
            )
            ledger.add(
                f"{TARGET}/reward_drop", lambda d=drops: mean_of_runs(d), where | {"attack": attack}, "reward"
            )


def _record_probes(ledger: Ledger, studied: Studied) -> None:
    where = {"model": studied.judged.name, "training": studied.study.kind, "network": studied.study.kind}
    for probed in studied.probes:
        at = where | {"layer": probed.layer, "target": probed.target, "filtered": probed.filtered}
        ledger.add(
            f"{TARGET}/probe_loss",
            lambda p=probed: p.loss,
            at,
            "cells" if probed.target == TARGETS[0] else "1",
        )
        ledger.add(f"{TARGET}/probe_share", lambda p=probed: p.share, at, "share")


def _pairs_in_words(ledger: Ledger, pairs: Sequence[tuple[Studied, Studied]]) -> str:
    model = f"{len(pairs)} pairs"
    lines = [
        f"{len(pairs)} pairs of networks, the same but for the adversarial examples (and clipped gradients). "
        f"Intervals are Student's, over pairs.\n\n- Test loss costs {ledger.quote(f'{TARGET}/loss_cost', model=model)}."
    ]
    for attack in ATTACKS:
        try:
            drop = ledger.quote(f"{TARGET}/reward_drop", model=model, attack=attack)
        except KeyError:
            continue
        kind = "trained on" if attack == TRAINED_ON else "not trained on"
        lines.append(f"- {attack} ({kind}): predicted reward falls by {drop}.")
    return "\n".join(lines)


def _probe_rows(studies: Sequence[Studied]) -> list[ProbeRow]:
    rows = []
    for target in TARGETS:
        for filtered in (False, True):
            for layer in LAYERS:
                shares = {kind: _shares(studies, kind, target, filtered, layer) for kind in KINDS}
                if all(len(found) for found in shares.values()):
                    told = [f"{100 * found.mean():.1f}%" for found in shares.values()]
                    rows.append(ProbeRow(target, "goal near" if filtered else "all", layer, *told))
    return rows


def _shares(studies: Sequence[Studied], kind: str, target: str, filtered: bool, layer: int) -> np.ndarray:
    return np.array(
        [
            probed.share.value
            for studied in studies
            if studied.study.kind == kind
            for probed in studied.probes
            if (probed.target, probed.filtered, probed.layer) == (target, filtered, layer)
        ]
    )


@styled()
def plot_probes(studies: Sequence[Studied]) -> Figure:
    """Probes' error of the distance by layer, of all transitions and of those with the goal near."""
    figure, panels = subplots(1, 2, width_inches=8, height_inches=3.4, sharey=True)
    for axes, filtered in zip(panels, (False, True), strict=True):
        for number, kind in enumerate(KINDS):
            label: str | None = kind
            for studied in studies:
                found = [
                    (probed.layer, probed.share.value)
                    for probed in studied.probes
                    if probed.target == TARGETS[0] and probed.filtered == filtered
                ]
                if studied.study.kind == kind and found:
                    axes.plot(
                        *zip(*found, strict=True), "o-", color=COLOURS[ORDER[number]], alpha=0.8, label=label
                    )
                    label = None
        axes.axhline(1, color=COLOURS["grey"], linewidth=1, linestyle="--")
        axes.set(
            xlabel="layer", xticks=LAYERS, title="goal nearer than 6 cells" if filtered else "all transitions"
        )
    panels[0].set(ylabel="probes' error (share of guessing's)")
    panels[0].legend()
    return figure
