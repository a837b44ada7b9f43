"""Success by what levels are told apart by: a panel a property, a line a policy, with Wilson's 95% intervals."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from procscope.agents.evaluate import Evaluation
from procscope.agents.outcomes import OUTCOMES
from procscope.workbench.figures import COLOURS, ORDER, styled, subplots


@styled()
def plot_success(found: Mapping[str, Evaluation], game: str) -> Figure:
    """The success of policies, by name, on the levels of one game.

    Groups of levels that some evaluation lacks have no point in its line; the number of levels of a group stands above
    the axis where all have the same.
    """
    properties = OUTCOMES[game].properties
    figure, axes = subplots(
        1, len(properties), width_inches=1.2 + 4.2 * len(properties), height_inches=3.6, squeeze=False
    )
    for panel, of_level in zip(axes[0], properties, strict=True):
        names = {
            group.least: group.name for evaluation in found.values() for group in evaluation.by[of_level.name]
        }
        places = {least: place for place, least in enumerate(sorted(names))}
        for number, (label, evaluation) in enumerate(found.items()):
            groups = evaluation.by[of_level.name]
            x = np.array([places[group.least] for group in groups], float)
            x += 0.08 * (number - (len(found) - 1) / 2)
            value, low, high = np.array([group.success[:3] for group in groups]).T
            panel.errorbar(
                x,
                value,
                yerr=[value - low, high - value],
                fmt="o-",
                color=COLOURS[ORDER[number % len(ORDER)]],
                label=label,
            )
        panel.set_xticks(range(len(places)), [names[least] for least in sorted(names)])
        panel.set(
            xlabel=f"{of_level.name} ({of_level.unit})" if of_level.name != of_level.unit else of_level.name,
            ylim=(-0.02, 1.04),
        )
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        counts = {
            group.least: group.success.n
            for evaluation in found.values()
            for group in evaluation.by[of_level.name]
        }
        for least, place in places.items():
            panel.text(
                place, 0.005, f"n={counts[least]}", ha="center", va="bottom", fontsize=7, color="#5B626B"
            )
    axes[0, 0].set_ylabel("goal reached (share of levels)")
    axes[0, -1].legend(loc="lower left", bbox_to_anchor=(0, 0.06))
    return figure
