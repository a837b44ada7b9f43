"""A sweep as a table and its frontiers: fvu against l0, dead share against width, return against fvu; stability.

Axes: `row` a member of the sweep.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from procscope.saes.sweep import SweepRow
from procscope.workbench.atomic import write_bytes_atomically
from procscope.workbench.figures import COLOURS, ORDER, panel_grid, styled, subplots, write_figure
from procscope.workbench.statistics import wilson


def write_sweep(rows: Sequence[SweepRow], out: Path) -> str:
    """Write `sweep.csv`, `frontier.png` and, with several seeds, `stability.png`; gives the table as text."""
    table = pd.DataFrame(rows)
    write_bytes_atomically(out / "sweep.csv", table.to_csv(index=False).encode())
    write_figure(plot_frontiers(rows), out / "frontier.png")
    if any(row.stability is not None for row in rows):
        write_figure(plot_stability(rows), out / "stability.png")
    return table.to_string(index=False)


@styled()
def plot_frontiers(rows: Sequence[SweepRow]) -> Figure:
    """The three frontiers of a sweep; the third where levels were played."""
    played = [row for row in rows if row.success is not None]
    n_panels = 3 if played else 2
    figure, panels = panel_grid(n_panels, n_panels, panel_inches=(3.9, 3.2), margin_inches=1.0)
    widths, ks = sorted({row.width for row in rows}), sorted({row.k for row in rows})
    for i, width in enumerate(widths):
        of_width = [row for row in rows if row.width == width]
        colour, label = COLOURS[ORDER[i % len(ORDER)]], f"width {width:,}"
        means = [[row for row in of_width if row.k == k] for k in ks if any(row.k == k for row in of_width)]
        panels[0].plot(
            [fmean(row.l0 for row in group) for group in means],
            [fmean(row.fvu for row in group) for group in means],
            color=colour,
            linewidth=1.2,
        )
        panels[0].plot([r.l0 for r in of_width], [r.fvu for r in of_width], "o", color=colour, label=label)
        if played:
            shown = [row for row in of_width if row.success is not None]
            shares = [wilson(round(r.levels * (r.success or 0)), r.levels) for r in shown]
            panels[2].errorbar(
                [r.fvu for r in shown],
                [share.value for share in shares],
                [[s.value - s.low for s in shares], [s.high - s.value for s in shares]],
                fmt="o",
                color=colour,
                label=label,
                linewidth=1,
            )
    for i, k in enumerate(ks):
        of_k = [row for row in rows if row.k == k]
        colour = COLOURS[ORDER[i % len(ORDER)]]
        panels[1].plot(*_means(of_k, "dead_share"), color=colour, linewidth=1.2)
        panels[1].plot(
            [r.width for r in of_k], [r.dead_share for r in of_k], "s", color=colour, label=f"k {k}"
        )
    survey = max(row.survey_samples for row in rows)
    panels[0].set(xlabel="l0 (active latents a sample)", ylabel="fvu", xscale="log", title="Reconstruction")
    panels[1].set(
        xlabel="width (latents)", ylabel="dead share", xscale="log", title=f"Dead on {survey:,} samples"
    )
    panels[1].set_ylim(-0.02, 1.02)
    _name_ticks(panels[0], ks)
    _name_ticks(panels[1], widths)
    if played:
        panels[2].set(
            xlabel="fvu",
            ylabel="success, reconstruction spliced in",
            title=f"In play, {played[0].levels} levels (95%)",
            ylim=(-0.03, 1.03),
        )
    for panel in panels[:n_panels]:
        panel.legend(fontsize=8)
    return figure


@styled()
def plot_stability(rows: Sequence[SweepRow]) -> Figure:
    """Mean cosine of matched latents of different seeds, against width."""
    figure, axes = subplots(width_inches=4.8, height_inches=3.2)
    known = [row for row in rows if row.stability is not None]
    for i, k in enumerate(sorted({row.k for row in known})):
        of_k = [row for row in known if row.k == k]
        axes.plot(*_means(of_k, "stability"), "o-", color=COLOURS[ORDER[i % len(ORDER)]], label=f"k {k}")
    axes.set(
        xlabel="width (latents)",
        ylabel="mean cosine of matched live latents",
        xscale="log",
        ylim=(0, 1.02),
        title="Stability across seeds",
    )
    _name_ticks(axes, sorted({row.width for row in known}))
    axes.legend()
    return figure


def _name_ticks(axes: Axes, values: Sequence[int]) -> None:
    """The values themselves on a logarithmic axis, not powers of ten."""
    axes.set_xticks(values, [f"{value:,}" for value in values])
    axes.minorticks_off()


def _means(rows: Sequence[SweepRow], name: str) -> tuple[list[int], list[float]]:
    """Widths, and the mean over seeds of a column at each."""
    widths = sorted({row.width for row in rows})
    return widths, [fmean(getattr(row, name) for row in rows if row.width == width) for width in widths]
