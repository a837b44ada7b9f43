"""What `pacman-sae` records of its agents: each one's numbers, the regression, live features by setting.

Metrics of one agent name it in `where["model"]`; those of several say how many there were.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Int64
from matplotlib.figure import Figure

from procscope.saes.pacman_study import AgentFound, AgentStudy
from procscope.saes.quadratic_fit import QuadraticFit, fit_quadratic
from procscope.workbench.figures import COLOURS, styled, subplots
from procscope.workbench.rank_correlation import correlation_of_entries
from procscope.workbench.runs import RunRecord


class Agent(NamedTuple):
    """One agent that is studied."""

    name: str
    file: str
    game: str
    units: int
    """Of the layer that is read."""


class Studied(NamedTuple):
    """An agent and what was measured of it."""

    agent: Agent
    found: AgentFound


def record_agent(record: RunRecord, one: AgentFound, where: dict[str, Any]) -> None:
    """The numbers of one agent."""
    record.metric("S1.dead-features/live", one.live, where, unit="latents", n=one.survey_states)
    record.metric("S1.dead-features/dead_share", 1 - one.live / one.width, where, n=one.survey_states)
    record.metric("S1.topk-sae/fvu", one.fvu, where, n=one.survey_states)
    record.metric("S1.topk-sae/score", one.score, where, unit="points", n=one.score_games)
    record.metric("S1.topk-sae/spliced_score", one.spliced_score, where, unit="points", n=one.spliced_games)
    record.metric("S1.feature-effect/top_consistency", one.top_consistency, where)
    record.metric("S1.feature-effect/random_consistency", one.random_consistency, where)


def regress(found: list[AgentFound], game: str, units: int, record: RunRecord) -> None:
    """Score on live features and their square, of agents with equally wide layers."""
    live, score = np.array([one.live for one in found], float), np.array([one.score for one in found])
    where = {"model": f"{len(found)} agents", "game": game, "width": found[0].width, "units": units}
    try:
        fit = fit_quadratic(live, score)
    except ValueError as error:
        record.undefined_metric("S1.density-vs-quality/r2", where, str(error))
        return
    rng = np.random.default_rng(record.seed)
    record.metric("S1.density-vs-quality/r2", fit.interval("r2", rng), where)
    record.metric("S1.density-vs-quality/p", fit.p, where, n=len(found))
    record.metric("S1.density-vs-quality/linear_r2", fit.linear_r2, where, n=len(found))
    record.metric(
        "S1.density-vs-quality/curvature",
        fit.interval("curvature", rng),
        where,
        unit="points per square of 100 features",
    )
    record.metric("S1.density-vs-quality/vertex", fit.vertex, where, unit="latents", n=len(found))
    without = fit.left_out()
    record.metric("S1.density-vs-quality/largest_p_without_one", float(without.p.max()), where, n=len(found))
    record.say(
        f"Score and live features, {len(found)} agents of {units} units",
        f"R² {fit.r2:.4f}, p {fit.p:.4f} (F test of both terms); a straight line {fit.linear_r2:.4f}. The parabola "
        f"{'is an inverted U within the data' if fit.is_inverted_u else 'is no inverted U within the data'}; it turns "
        f"at {fit.vertex:.0f} live features. Without one agent, p lies between {without.p.min():.4f} and "
        f"{without.p.max():.4f}.",
    )
    record.figure(
        f"density_vs_quality_{units}", plot_fit(fit), "Score against live features, an agent a point."
    )


def live_against_units(studied: list[Studied], record: RunRecord) -> None:
    """Is the number of live features bound to that of units?"""
    units = np.array([one.agent.units for one in studied])
    live = np.array([one.found.live for one in studied])
    latents = studied[0].found.width
    where = {"model": f"{len(studied)} agents", "game": studied[0].agent.game, "width": latents}
    found = correlation_of_entries(units, live, rng=np.random.default_rng(record.seed))
    record.metric("S1.superposition/live_and_units", found, where, unit="1")
    lines = [
        f"- {width} units: {', '.join(map(str, live[units == width].tolist()))} live features"
        for width in np.unique(units).tolist()
    ]
    record.say(
        "Live features and units",
        f"Rank correlation {found.value:.2f} [{found.low:.2f}, {found.high:.2f}] over {len(studied)} agents.\n\n"
        + "\n".join(lines),
    )
    record.figure(
        "live_against_units",
        plot_units(units, live),
        f"Live features of {latents:,} against units of the layer that is read, an agent a point.",
    )


def report_variations(
    agent: Agent, varied: list[AgentStudy], found: list[AgentFound], record: RunRecord
) -> None:
    """One agent's live features by k, width and training data."""
    rows = []
    for study, one in zip(varied, found, strict=True):
        where = {"model": agent.name, "k": study.k, "width": study.width, "train_states": study.train_states}
        record.metric("S1.superposition/live", one.live, where, unit="latents", n=one.survey_states)
        rows.append(
            {
                **{key: value for key, value in where.items() if key != "model"},
                "live": one.live,
                "survey_states": one.survey_states,
                "fvu": one.fvu,
                "spliced_score": one.spliced_score,
            }
        )
    record.table(
        "variations", pd.DataFrame(rows), f"{agent.name}: live features at one survey, a setting at a time."
    )


@styled()
def plot_fit(fit: QuadraticFit) -> Figure:
    """Agents and the parabola."""
    figure, axes = subplots(width_inches=5.2, height_inches=3.6)
    axes.plot(fit.live, fit.score, "o", color=COLOURS["blue"])
    x = np.linspace(fit.live.min(), fit.live.max(), 200)
    axes.plot(x, fit.at(x), color=COLOURS["vermilion"])
    axes.set(xlabel="live features", ylabel="mean score (points)", title=f"R² {fit.r2:.3f}, p {fit.p:.3f}")
    return figure


@styled()
def plot_units(units: Int64[np.ndarray, " agent"], live: Int64[np.ndarray, " agent"]) -> Figure:
    """Live features by the width of the layer, with the line on which they are equal."""
    figure, axes = subplots(width_inches=5.2, height_inches=3.6)
    axes.plot(units, live, "o", color=COLOURS["blue"], alpha=0.7)
    ends = np.array([units.min(), units.max()])
    axes.plot(ends, ends, ":", color=COLOURS["grey"], label="as many features as units")
    axes.set(xscale="log", yscale="log", xlabel="units of the layer", ylabel="live features")
    widths = np.unique(units).tolist()
    axes.set_xticks(widths, [str(width) for width in widths])
    axes.minorticks_off()
    axes.legend(frameon=False)
    return figure
