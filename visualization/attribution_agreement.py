"""Estimated effects against exact ones: a panel for each hook point, a point for each site.

When to use: with `procscope.interventions.circuits.agreement.compare_effects`. Nothing is computed here; points on the
dashed line are estimated exactly.

Axes: `site` those that were patched exactly.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from procscope.workbench.figures import COLOURS, ORDER, panel_grid, styled

_SIDE_INCHES = 2.35


class AgreementPanel(NamedTuple):
    """One hook point."""

    title: str
    exact: Float[np.ndarray, " site"]
    estimates: dict[str, Float[np.ndarray, " site"]]
    """By method; the name stands in the legend, with its correlation if the caller writes that there."""


@styled()
def plot_agreement(panels: Sequence[AgreementPanel], *, columns: int = 4) -> Figure:
    """The panels, so many in a row, each on its own scale, equal along both axes.

    Raises ValueError: no panels, or estimates of another number of sites.
    """
    if any(one.shape != panel.exact.shape for panel in panels for one in panel.estimates.values()):
        raise ValueError(
            f"expected as many estimates as exact effects in every panel; given "
            f"{[(p.exact.shape, [e.shape for e in p.estimates.values()]) for p in panels]}"
        )
    figure, axes = panel_grid(
        len(panels), columns, panel_inches=(_SIDE_INCHES, _SIDE_INCHES + 0.75), margin_inches=0.3
    )
    for panel, axis in zip(panels, axes, strict=True):
        for i, (name, estimate) in enumerate(panel.estimates.items()):
            axis.scatter(
                panel.exact, estimate, s=11, color=COLOURS[ORDER[i]], alpha=0.65, linewidth=0, label=name
            )
        every = np.concatenate([panel.exact, *panel.estimates.values()])
        margin = 0.06 * float(every.max() - every.min()) or 1.0
        ends = (float(every.min()) - margin, float(every.max()) + margin)
        axis.plot(ends, ends, color=COLOURS["grey"], linewidth=0.9, linestyle="--", zorder=0)
        axis.set(xlim=ends, ylim=ends, aspect="equal")
        axis.set_title(panel.title, fontsize=9)
        axis.tick_params(labelsize=7.5)
        axis.legend(
            fontsize=7.5, handletextpad=0.1, borderpad=0.1, loc="upper center", bbox_to_anchor=(0.5, -0.1)
        )
    figure.supxlabel("exact effect", fontsize=10)
    figure.supylabel("estimated effect", fontsize=10)
    return figure
