"""The figures of `probe-to-cause`: probe's skill against its effect, and effects by strength.

Axes: `dot` one network, hook point and thing.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from procscope.experiments.probe_to_cause_handles import CONTROLS
from procscope.experiments.probe_to_cause_numbers import Pairs, erased_pairs, steered_pairs
from procscope.experiments.probe_to_cause_results import Dot
from procscope.workbench.figures import COLOURS, ORDER, panel_grid, styled, subplots
from procscope.workbench.statistics import Interval

KINDS = {
    "move": "a move",
    "place": "a place, in numbers",
    "here": "a place, on the map",
    "value": "a distance",
    "side": "a side",
}
_MARKS = {"maze": "o", "heist": "s", "coinrun": "^"}


@styled()
def plot_handles(dots: Sequence[Dot], strength: float, seed: int) -> Figure:
    """Left: effect beyond controls by skill, with intervals; right: what erasure takes away beyond controls."""
    figure, axes = subplots(1, 2, width_inches=10.4, height_inches=4.6)
    panels = (
        (steered_pairs(dots, strength), lambda dot: dot.over_controls(strength)),
        (erased_pairs(dots), lambda dot: dot.erased_over_controls()),
    )
    for axis, (pairs, interval_of) in zip(axes, panels, strict=True):
        _scatter(axis, pairs, interval_of, seed)
    told = "1 is as if it were true"
    axes[0].set(title=f"steering, {strength:g} natural deviations", ylabel=f"effect beyond controls ({told})")
    axes[1].set(title="erasing", ylabel="share lost beyond controls")
    axes[0].legend(fontsize=7.5, loc="upper left")
    return figure


def _scatter(axis, pairs: Pairs, interval_of, seed: int) -> None:
    seen = set()
    for dot, skill, effect in zip(pairs.dots, pairs.skill, pairs.effect, strict=True):
        colour = COLOURS[ORDER[list(KINDS).index(dot.kind)]]
        across = dot.skill.interval(np.random.default_rng(seed), 400)
        up = interval_of(dot)
        key = (dot.kind, dot.place.game)
        label = None if key in seen else f"{KINDS[dot.kind]}, {dot.place.game}"
        seen.add(key)
        axis.errorbar(
            skill,
            effect,
            yerr=_ends(up, effect),
            xerr=_ends(across, skill),
            marker=_MARKS[dot.place.game],
            color=colour,
            elinewidth=0.6,
            capsize=0,
            markersize=4.5,
            linestyle="none",
            label=label,
        )
    axis.axhline(0, color=COLOURS["grey"], linewidth=1)
    axis.set(xlabel="skill of the probe (0 guessing, 1 never wrong)")


def _ends(interval: Interval, middle: float) -> np.ndarray:
    return np.maximum([[middle - interval.low], [interval.high - middle]], 0)


@styled()
def plot_strengths(dots: Sequence[Dot], strengths: Sequence[float]) -> Figure:
    """A panel for each network and thing: effects by strength, a line a hook point, controls dashed."""
    panels = list(dict.fromkeys((dot.place.model, dot.cause.name) for dot in dots))
    figure, axes = panel_grid(len(panels), 6, panel_inches=(2.3, 2.1))
    for axis, (model, name) in zip(axes, panels, strict=True):
        chosen = [dot for dot in dots if (dot.place.model, dot.cause.name) == (model, name)]
        for dot in chosen:
            colour = COLOURS[ORDER[dot.place.depth % len(ORDER)]]
            try:
                own = [dot.effect(strength).value for strength in strengths]
                controls = [
                    np.mean([dot.effect(strength, kind).value for kind in CONTROLS]) for strength in strengths
                ]
            except ValueError:
                continue
            axis.plot(strengths, own, marker="o", markersize=3, color=colour, label=dot.place.hook_point)
            axis.plot(strengths, controls, linestyle=":", linewidth=1, color=colour)
        axis.axhline(0, color=COLOURS["grey"], linewidth=0.8)
        axis.set_title(f"{model}\n{name}", fontsize=7.5, fontweight="normal")
        axis.tick_params(labelsize=7)
        axis.set_xscale("log", base=2)
        axis.set_xticks(strengths, [f"{one:g}" for one in strengths])
    axes[0].legend(fontsize=6)
    return figure
