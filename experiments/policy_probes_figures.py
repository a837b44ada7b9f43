"""The figures of `policy-probes`: skills by what is asked and depth, moves ahead, the cheese where it is ignored.

Axes: `row` what is asked, `column` hook points in the order of the forward pass, then baselines.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from procscope.experiments.policy_probes_games import GAMES, PLAN_STEPS
from procscope.experiments.policy_probes_numbers import PARTING
from procscope.experiments.policy_probes_results import FOLLOWED, IGNORED, ProbedNetwork
from procscope.experiments.policy_probes_study import PIXELS
from procscope.probes.skill import Skill
from procscope.workbench.figures import COLOURS, ORDER, SEQUENTIAL, styled, subplots

PLAN = [one.name for one in GAMES["maze"].asked if one.parts[0].startswith("plan_")]
"""What is asked of the moves ahead, in their order; the same in Heist."""


@styled()
def plot_skills(studies: Sequence[ProbedNetwork]) -> Figure:
    """Of one game: a panel a network, in each cell the skill and below it the selectivity."""
    rows = max(len(study.asked) for study in studies)
    figure, axes = subplots(
        len(studies),
        1,
        width_inches=9.2,
        height_inches=(0.42 * rows + 1.2) * len(studies),
        squeeze=False,
    )
    for axis, study in zip(axes[:, 0], studies, strict=True):
        names = [one.name for one in study.asked]
        columns = [*study.hook_points, "untrained,\nbest place", "picture", "table"]
        values, told = np.full((len(names), len(columns)), np.nan), {}
        for i, name in enumerate(names):
            cells = [_trained(study, name, place) for place in study.hook_points]
            best = [study.skill(name, place, 1) for place in study.hook_points]
            there = [one.value() for one in best if one is not None]
            cells += [(max(there), None) if there else None]
            cells += [_alone(study.skill(name, PIXELS)), _alone(study.lookup(name))]
            for j, cell in enumerate(cells):
                if cell is not None:
                    values[i, j] = cell[0]
                    told[i, j] = f"{cell[0]:.2f}" + ("" if cell[1] is None else f"\n({cell[1]:.2f})")
        axis.imshow(values, vmin=0, vmax=1, cmap=SEQUENTIAL, aspect="auto")
        for (i, j), text in told.items():
            colour = "white" if values[i, j] < 0.6 else COLOURS["black"]
            axis.text(j, i, text, ha="center", va="center", fontsize=7, color=colour, linespacing=0.95)
        axis.axvline(len(study.hook_points) - 0.5, color="white", linewidth=3)
        axis.set(title=study.model, xticks=range(len(columns)), yticks=range(len(names)))
        axis.set_xticklabels(columns, fontsize=8)
        axis.set_yticklabels(names, fontsize=8)
        axis.grid(visible=False)
    return figure


def _trained(study: ProbedNetwork, name: str, place: str) -> tuple[float, float | None] | None:
    skill, control = study.skill(name, place), study.skill(name, place, what="control")
    if skill is None:
        return None
    return skill.value(), None if control is None else skill.value() - control.value()


def _alone(skill: Skill | None) -> tuple[float, None] | None:
    return None if skill is None else (skill.value(), None)


@styled()
def plot_plans(studies: Sequence[ProbedNetwork], seed: int, resamples: int) -> Figure:
    """Skill by steps ahead, a panel a network: each at the place that reads most, beside all that guesses."""
    figure, axes = subplots(
        1, len(studies), width_inches=2.9 * len(studies) + 0.4, height_inches=3.4, sharey=True, squeeze=False
    )
    for axis, study in zip(axes[0], studies, strict=True):
        answered = {one.name for one in study.asked}
        steps = [(step, name) for step, name in zip(PLAN_STEPS, PLAN, strict=True) if name in answered]
        places = {name: study.best_place(name) for _, name in steps}
        lines = {
            "trained, best place": [study.skill(name, places[name]) for _, name in steps],
            "untrained, same place": [study.skill(name, places[name], 1) for _, name in steps],
            "picture": [study.skill(name, PIXELS) for _, name in steps],
            "table of the current move": [study.lookup(name, ("plan_1", "room")) for _, name in steps],
            "and of the goal's side": [
                study.lookup(name, ("plan_1", "room", "side") if step > 1 else ("side",))
                for step, name in steps
            ],
        }
        for number, (label, skills) in enumerate(lines.items()):
            drawn = [
                (step, skill.interval(np.random.default_rng(seed), resamples))
                for (step, _), skill in zip(steps, skills, strict=True)
                if skill is not None
            ]
            if drawn:
                x, found = zip(*drawn, strict=True)
                middle = np.array([one.value for one in found])
                ends = np.abs(np.array([[one.low for one in found], [one.high for one in found]]) - middle)
                axis.errorbar(x, middle, ends, marker="o", color=COLOURS[ORDER[number]], label=label)
        axis.set(title=study.model, xlabel="moves ahead", xscale="log")
        axis.set_xticks(PLAN_STEPS, [str(step) for step in PLAN_STEPS])
        axis.minorticks_off()
        axis.axhline(0, color=COLOURS["grey"], linewidth=1)
    axes[0, 0].set(ylabel="skill of the move's probe")
    axes[0, -1].legend(fontsize=7.5)
    return figure


@styled()
def plot_parting(studies: Sequence[ProbedNetwork], seed: int, resamples: int) -> Figure:
    """Mazes: how well the cheese's place is read where the network follows it, and where it ignores it."""
    figure, axes = subplots(
        len(PARTING),
        len(studies),
        width_inches=2.9 * len(studies) + 0.4,
        height_inches=2.5 * len(PARTING),
        sharey="row",
        squeeze=False,
    )
    for row, name in enumerate(PARTING):
        for axis, study in zip(axes[row], studies, strict=True):
            places = [place for place in study.hook_points if study.skill(name, place) is not None]
            for number, which in enumerate((FOLLOWED, IGNORED)):
                chosen = study.part(which)
                found = []
                for place in places:
                    skill = study.skill(name, place)
                    assert skill is not None
                    try:
                        found.append(skill.where(chosen).interval(np.random.default_rng(seed), resamples))
                    except ValueError:  # too few such frames
                        found.append(None)
                drawn = [(i, one) for i, one in enumerate(found) if one is not None]
                if drawn:
                    x, kept = zip(*drawn, strict=True)
                    middle = np.array([one.value for one in kept])
                    ends = np.abs(np.array([[one.low for one in kept], [one.high for one in kept]]) - middle)
                    label = f"{which}: {int(chosen.sum())} frames"
                    axis.errorbar(
                        np.array(x) + 0.06 * number,
                        middle,
                        ends,
                        marker="o",
                        color=COLOURS[ORDER[number]],
                        label=label,
                    )
            axis.set_xticks(range(len(places)), places, rotation=30, ha="right", fontsize=8)
            axis.set(title=study.model if row == 0 else None, ylim=(-0.1, 1.05))
            axis.legend(fontsize=7.5, loc="best")
        axes[row, 0].set(ylabel=name)
    return figure
