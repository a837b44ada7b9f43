"""How `heist-goals` tells what it found. Every number in the prose is quoted from the run's own (`Ledger`)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from procscope.experiments.heist_goals_numbers import BEST, TARGET
from procscope.experiments.heist_goals_results import GoalStudy
from procscope.experiments.heist_goals_setup import Config
from procscope.experiments.heist_pair_means import mean
from procscope.experiments.maze_channels_figures import short_name
from procscope.interventions.named_arms import UNTOUCHED
from procscope.probes.goal_switch import HELD
from procscope.visualization.distance_curves import DistanceCurve, DistancePanel, plot_distance_curves
from procscope.visualization.likeness import LikenessPanel, plot_likeness
from procscope.visualization.scores_by_thing import ScorePanel, plot_scores
from procscope.workbench.ledger import Ledger
from procscope.workbench.verdict_text import verdicts_text

_CIRCUIT_COLOURS = {"wall": "blue", "key place": "vermilion", "key there": "green"}


def write_report(ledger: Ledger, config: Config, studies: Sequence[GoalStudy]) -> None:
    """Add prose, figures and tables to the record."""
    record = ledger.record
    record.say(
        "In short",
        "Asked: where its key lies, the agent goes to the key; where it holds the key, to the lock. Is there an "
        "edit that makes it go to the lock while the key lies there? What carries the wall, the key's place, and "
        "that there is a key; does each entity have a channel; which directions feed the probe; are distances "
        "held?\n\n" + "\n".join(_line(ledger, study) for study in studies),
    )
    record.say("Claims", verdicts_text(record, TARGET))
    record.figure(
        "switch",
        switch_figure(studies),
        f"In play, {config.pairs} levels x {config.repeats} episodes: how often the agent comes to the lock's gate "
        "before the key, and how often without a detour (95% bootstrap over levels).",
    )
    record.figure(
        "circuits",
        circuits_figure(studies),
        "Share of what tells a minimal pair apart that a patch of so many channels carries: the best ones, "
        "ordered on other pairs.",
    )
    record.figure(
        "entities",
        plot_likeness(
            [
                LikenessPanel(short_name(study.model), study.vectors.things, study.vectors.cosines)
                for study in studies
            ]
        ),
        "Likeness (cosine) of what the entities add to all channels at their own place.",
    )
    record.table(
        "edits",
        pd.DataFrame([row for study in studies for row in edit_rows(study)]),
        "Every edit on single frames (controls included) and in play.",
    )
    record.table(
        "channels",
        pd.DataFrame([row for study in studies for row in channel_rows(study)]),
        "The channels that carry most alone, by circuit and hook point.",
    )
    record.say(
        "What differs from the source",
        "- The source asks; it has no results. Pairs, edits, controls and measures are ours.\n"
        "- The eigen-analysis is of mean products of a probe's gradients, which any network has; the work that "
        "the source names takes the weights of a bilinear layer.\n"
        "- That a network holds its key is shown in a corner of the picture, and the key is gone from where it "
        "lay: both differ in a pair.",
    )


def _line(ledger: Ledger, study: GoalStudy) -> str:
    def quote(quantity: str, **where) -> str:
        return ledger.quote(f"{TARGET}/{quantity}", model=study.model, **where)

    best = study.best_edit()
    circuits = "; ".join(f"{circuit}: {quote('one_channel', circuit=circuit)}" for circuit in study.circuits)
    last = study.distances[-1].hook_point
    return (
        f"- `{short_name(study.model)}`: with the key lying there the agent comes to the lock's gate first in "
        f"{quote('gate_first', arm=UNTOUCHED)} of episodes, with the key really held in "
        f"{quote('gate_first', arm=HELD)}. The edit that gains most on half of the levels ({best}) gains "
        f"{quote('switched_gain', arm=BEST)} on the others; its clean episodes differ from those with the key held "
        f"by {quote('clean_of_held', arm=BEST)}. The best single channel of `{study.map_point}` carries of what "
        f"tells the pairs apart: {circuits}. Keys of different colours add patterns with a cosine of "
        f"{quote('likeness', things='keys')} to each other, {quote('likeness', things='keys and gem')} to the "
        f"gem's, {quote('likeness', things='keys and locks')} to the locks'. The probe is right in "
        f"{quote('probe_accuracy', erased=0)}; its gradients are spread over {quote('eigen_directions')} "
        "directions, and erasing the first of them costs "
        f"{quote('erased_over_random', erased=study.erased[0].directions)} more than a random one. From `{last}`, "
        f"the way's length is read with R² {quote('distance_r2', hook_point=last, target='path')}, what the "
        f"straight distance does not tell of it with {quote('path_over_euclid')}. With the key held and lying too "
        f"it goes to the key in {quote('goes_to_key', key='held, lying too')}, with neither to the lock in "
        f"{quote('goes_to_lock', key='neither held nor lying')}; of two keys its first move is the same whatever "
        f"the lock's colour in {quote('ignores_lock_colour')}."
    )


def switch_figure(studies: Sequence[GoalStudy]) -> Figure:
    """A panel a network: gate first, and clean, by arm."""
    panels = []
    for study in studies:
        scores = {
            name: {arm: mean(getattr(played, column)) for arm, played in study.play.items()}
            for name, column in (("gate first", "gate_first"), ("without a detour", "clean"))
        }
        panels.append(ScorePanel(short_name(study.model), scores))
    return plot_scores(panels, xlabel="share of episodes")


def circuits_figure(studies: Sequence[GoalStudy]) -> Figure:
    """A panel for each network and hook point, a curve for each circuit."""
    panels = []
    for study in studies:
        names = list(next(iter(study.circuits.values())))
        for name in names:
            curves = []
            for circuit, colour in _CIRCUIT_COLOURS.items():
                share = study.circuits[circuit][name].share
                curves.append(
                    DistanceCurve(circuit, colour, np.array(list(share), dtype=float), list(share.values()))
                )
            panels.append(DistancePanel(f"{short_name(study.model)}\n{name}", curves))
    return plot_distance_curves(panels, xlabel="channels patched", ylabel="share of the difference")


def edit_rows(study: GoalStudy) -> list[dict]:
    """Every arm."""
    rows = []
    for arm in study.effects:
        share = study.share(arm)
        row = {
            "network": study.model,
            "arm": arm,
            "share_of_held": share.value,
            "low": share.low,
            "high": share.high,
        }
        row["first_move_switched"] = study.switched(arm).value
        if arm in study.play:
            played = study.play[arm]
            row |= {"gate_first": played.gate_first.mean(), "key_first": played.key_first.mean()}
            row["clean"] = played.clean.mean()
        rows.append(row)
    return rows


def channel_rows(study: GoalStudy, count: int = 8) -> list[dict]:
    """The best channels of every circuit."""
    return [
        {
            "network": study.model,
            "circuit": circuit,
            "hook_point": name,
            "channel": channel,
            "share_alone": found.alone[channel],
            "tracker_rank": study.handles.tracked.strongest(len(found.order)).index(channel) + 1
            if name == study.map_point
            else None,
        }
        for circuit, by_place in study.circuits.items()
        for name, found in by_place.items()
        for channel in found.order[:count]
    ]
