"""How `maze-retarget` tells what it found. Every number in the prose is quoted from the run's own (`Ledger`)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from procscope.experiments.maze_channels_figures import short_name
from procscope.experiments.maze_retarget_numbers import TARGET
from procscope.experiments.maze_retarget_results import RetargetStudy
from procscope.experiments.maze_retarget_setup import Config
from procscope.interventions.named_arms import UNTOUCHED
from procscope.interventions.retarget import EDIT
from procscope.interventions.retarget_study import MOVED
from procscope.visualization.distance_curves import DistanceCurve, DistancePanel, plot_distance_curves
from procscope.visualization.vector_field import HeatPanel, plot_heat_panels
from procscope.workbench.ledger import Ledger
from procscope.workbench.verdict_text import verdicts_text

_COLOURS = {EDIT: "vermilion", UNTOUCHED: "black", MOVED: "green"}
_CONTROL_COLOURS = ("blue", "sky", "grey")


def write_report(ledger: Ledger, config: Config, studies: Sequence[RetargetStudy]) -> None:
    """Add prose, figures and tables to the record."""
    record = ledger.record
    record.say(
        "In short",
        "Asked: some channels show where the cheese is. If the spot of another cell is set in them to what they show "
        "at a cheese, and the rest of their maps to their mean without one, does the mouse go to that cell? Every cell "
        "that it can reach is the target in turn, in mazes that neither the channels nor the edit were chosen on; its "
        "cheese stays where it is.\n\n" + "\n".join(_line(ledger, study) for study in studies),
    )
    record.say("Claims", verdicts_text(record, TARGET))
    record.figure(
        "distance",
        distance_figure(studies),
        f"Share of episodes in which the mouse comes to the target, by the target's distance, over {config.mazes} "
        "mazes with 95% bootstrap intervals over mazes: with the edit, untouched, with the same edit of other channels "
        "and at another spot, and with the cheese itself moved to the target.",
    )
    record.figure(
        "cells",
        cells_figure(studies),
        f"Left: one maze, {config.example_repeats} episodes a cell: how often each cell was come to with the edit and "
        "untouched; rings: told from untouched (exact McNemar, Holm over the cells). Right: the gain of each cell, "
        f"averaged over those of the {config.mazes} mazes in which it was a target (the start is bottom left); losses "
        "are shown as 0.",
    )
    record.table(
        "tracking",
        pd.DataFrame([row for study in studies for row in tracking_rows(study)]),
        "The channels that track the cheese best at each hook point: mean change by the cheese at its own position in "
        "standard deviations of the channel, and the share of the change within one position (chance beside it).",
    )
    record.table(
        "tuning",
        pd.DataFrame([row for study in studies for row in tuning_rows(study)]),
        "Every edit that was tried on the tuning mazes, the best first: mean gain of the probability of the way to the "
        "target (geometric mean of its steps).",
    )
    record.table(
        "cells", pd.concat([study.rows() for study in studies]), "Every target cell of every maze, by arm."
    )
    record.say(
        "What differs from the source",
        "- The networks: IMPALA 16-32-32, where the source has 64-128-128; channels by a score, where it has eleven "
        "chosen by eye.\n"
        f"- Mazes of {config.size} x {config.size} cells. Success is coming to the cell in play; the source multiplies "
        "the probabilities along the way, which is measured here beside it.\n"
        "- Channels, place and size of the edit are chosen on other mazes than those that are played.\n"
        "- The rest of a map becomes its mean without cheese, where the source sets it to zero: these maps may lie "
        "before a ReLU, where zero is no absence.\n"
        "- Controls that the source lacks: other channels of like norm, random ones, another spot.",
    )


def _line(ledger: Ledger, study: RetargetStudy) -> str:
    best = study.tuned[0]

    def quote(quantity: str, **where) -> str:
        return ledger.quote(f"{TARGET}/{quantity}", model=study.model, **where)

    controls = "; ".join(
        f"{control}: {quote('reached', arm=control, interval=False)}" for control in study.controls
    )
    return (
        f"- `{short_name(study.model)}`: {best.edit.units} {', '.join(map(str, best.edit.channels))} of "
        f"`{best.edit.hook_point}`, at {best.times:g} times their mark of the cheese; "
        f"{quote('concentration', interval=False)} of the cheese's mark lies within one position of it. The mouse "
        f"comes to {quote('reached', arm=EDIT)} of the targets, untouched to {quote('reached', arm=UNTOUCHED)}, with "
        f"the cheese moved there to {quote('reached', arm=MOVED)} (controls: {controls}). The edit's gain, "
        f"{quote('gain')}, changes by {quote('gain_slope')} a step of distance."
    )


def distance_figure(studies: Sequence[RetargetStudy]) -> Figure:
    """Share come to, by distance: a column a network, a curve an arm."""

    def panel(study: RetargetStudy) -> DistancePanel:
        colours = _COLOURS | dict(zip(study.controls, _CONTROL_COLOURS, strict=False))
        curves = []
        for arm, colour in colours.items():
            found = study.by_distance(arm)
            curves.append(
                DistanceCurve(arm, colour, np.array(list(found), dtype=float), list(found.values()))
            )
        return DistancePanel(short_name(study.model), curves)

    return plot_distance_curves(
        [panel(study) for study in studies],
        xlabel="target's distance from the mouse (steps)",
        ylabel="come to (share of episodes)",
    )


def cells_figure(studies: Sequence[RetargetStudy]) -> Figure:
    """Heat maps: a row a network, the example with the edit and without, and the mean gain over all mazes."""
    panels = []
    for study in studies:
        level, example = study.example.level, study.example
        gain = study.by_cell(EDIT) - study.by_cell(UNTOUCHED)
        y, x = np.nonzero(np.isfinite(gain))
        name = short_name(study.model)
        panels += [
            HeatPanel(
                f"{name}\nspot set", level, example.cells, example.reached(EDIT), marked=example.told()
            ),
            HeatPanel("untouched", level, example.cells, example.reached(UNTOUCHED)),
            HeatPanel(
                "gain, mean over mazes",
                level,
                np.stack([x, y], axis=1),
                np.clip(gain[y, x], 0, 1),
                walls=False,
            ),
        ]
    return plot_heat_panels(panels, label="come to (share of episodes)", columns=3)


def tracking_rows(study: RetargetStudy, count: int = 4) -> list[dict]:
    """The best channels of each hook point."""
    return [
        {
            "network": study.model,
            "hook_point": found.hook_point,
            "channel": channel,
            "response": float(found.response[channel]),
            "concentration": float(found.concentration[channel]),
            "chance": found.chance,
        }
        for found in study.tracked
        for channel in found.strongest(count)
    ]


def tuning_rows(study: RetargetStudy) -> list[dict]:
    """Every edit that was tried."""
    return [
        {
            "network": study.model,
            "hook_point": one.edit.hook_point,
            "units": one.edit.units,
            "channels": " ".join(map(str, one.edit.channels)),
            "times": one.times,
            "path_gain": one.gain,
        }
        for one in study.tuned
    ]
