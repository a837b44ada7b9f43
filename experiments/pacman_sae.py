"""pacman-sae: live features of autoencoders on Ms. Pac-Man agents, and whether their number says how good the agent is.

S1 on the study's own 24 agents, where their folder is given (`--agents DIR`), each with an autoencoder of its own: live
features at one and the same survey, the score, the parabola of score on live features with intervals and without each
agent in turn. Without the folder, the same pipeline on toy agents that are trained here. `saes/pacman_study.py` is what
is done with one agent, `saes/quadratic_fit.py` the regression.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from procscope.agents.dqn.config import PRESETS, DQNConfig
from procscope.agents.dqn.training import train_dqn
from procscope.saes.pacman_study import AgentFound, AgentStudy, study_agent, with_weights
from procscope.saes.quadratic_fit import QuadraticFit, fit_quadratic
from procscope.workbench.experiments import Experiment
from procscope.workbench.figures import COLOURS, styled, subplots
from procscope.workbench.parallel import parallel_map
from procscope.workbench.runs import RunRecord


@dataclass(frozen=True)
class Config:
    """Which agents, and how much of each."""

    agents: str = ""
    """Directory of the study's agents (`*.safetensors`), in the order of their names; "" for toy agents of our own."""
    toy_agents: int = 8
    """Trained here where no directory is given; they differ in their seed."""
    toy_episodes: int = 4000
    study: AgentStudy = field(default_factory=lambda: AgentStudy(agent=""))
    """Of each agent; its file and game are filled in."""
    workers: int = 1


def run(config: Config, record: RunRecord) -> None:
    """Study every agent, then regress score on live features."""
    files, game = agents_of(config, record)
    planned = [
        replace(config.study, agent=file, game=game, weights=with_weights(file), study_seed=record.seed)
        for file in files
    ]
    kept = record.members()
    pending = kept.pending(planned)
    work = partial(study_agent, str(record.directory.parent / "work"))
    for index, found in parallel_map(work, pending, workers=config.workers, description="agents"):
        kept.put(pending[index], found)
    found = [AgentFound(**kept.get(one)) for one in planned]
    for file, one in zip(files, found, strict=True):
        name = Path(file).stem if config.agents else Path(file).parent.name
        record.network(name, with_weights(file), game)
        where = {"model": name, "game": game, "width": one.width}
        record.metric("S1.dead-features/live", one.live, where, unit="latents", n=one.survey_states)
        record.metric("S1.dead-features/dead_share", 1 - one.live / one.width, where, n=one.survey_states)
        record.metric("S1.topk-sae/fvu", one.fvu, where, n=one.survey_states)
        record.metric("S1.topk-sae/score", one.score, where, unit="points", n=one.score_games)
        record.metric(
            "S1.topk-sae/spliced_score", one.spliced_score, where, unit="points", n=one.spliced_games
        )
        record.metric("S1.feature-effect/top_consistency", one.top_consistency, where)
        record.metric("S1.feature-effect/random_consistency", one.random_consistency, where)
    record.table("agents", found, "Agents in the order of their files.")
    regress(found, game, record)


def agents_of(config: Config, record: RunRecord) -> tuple[list[str], str]:
    """Files of the agents and their game; toy agents are trained where no directory is given."""
    if config.agents:
        files = sorted(str(path) for path in Path(config.agents).glob("*.safetensors"))
        if not files:
            raise ValueError(f"expected the agents' .safetensors files in {config.agents}; there are none")
        record.say("Agents", f"The {len(files)} agents in the directory given.")
        return files, "ms-pacman"
    text = (
        f"No directory of agents was given (--agents DIR), so that {config.toy_agents} agents of the toy are trained "
        "and studied: the same steps, another game. Nothing here is about the study's own agents."
    )
    record.log(text)
    record.say("Agents", text)
    made = []
    for seed in range(config.toy_agents):
        options: dict[str, Any] = PRESETS["toy-pacman"] | {"episodes": config.toy_episodes, "seed": seed}
        folder = record.directory.parent / "agents" / f"toy-{config.toy_episodes}-{seed}"
        made.append(str(train_dqn(DQNConfig(game="toy-pacman", **options), folder)))
    return made, "toy-pacman"


def regress(found: list[AgentFound], game: str, record: RunRecord) -> None:
    """Score on live features and their square."""
    live, score = np.array([one.live for one in found], float), np.array([one.score for one in found])
    where = {"model": f"{len(found)} agents", "game": game, "width": found[0].width}
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
        "What was found",
        f"R² {fit.r2:.4f}, p {fit.p:.4f} (F test of both terms); a straight line {fit.linear_r2:.4f}. The parabola "
        f"{'is an inverted U within the data' if fit.is_inverted_u else 'is no inverted U within the data'}; it turns "
        f"at {fit.vertex:.0f} live features. Without one agent, p lies between {without.p.min():.4f} and "
        f"{without.p.max():.4f}.",
    )
    record.figure("density_vs_quality", plot_fit(fit), "Score against live features, an agent a point.")


@styled()
def plot_fit(fit: QuadraticFit) -> Figure:
    """Agents and the parabola."""
    figure, axes = subplots(width_inches=5.2, height_inches=3.6)
    axes.plot(fit.live, fit.score, "o", color=COLOURS["blue"])
    x = np.linspace(fit.live.min(), fit.live.max(), 200)
    axes.plot(x, fit.at(x), color=COLOURS["vermilion"])
    axes.set(xlabel="live features", ylabel="mean score (points)", title=f"R² {fit.r2:.3f}, p {fit.p:.3f}")
    return figure


_SMALL = AgentStudy(agent="", train_states=100_000, survey_states=100_000, samples=1_000_000)

EXPERIMENT = Experiment(
    name="pacman-sae",
    question="How many features of an autoencoder on a Ms. Pac-Man agent's hidden layer are ever live, what do they do "
    "to its choices, and does their number say how good the agent is?",
    targets=("S1.topk-sae", "S1.dead-features", "S1.feature-effect", "S1.density-vs-quality"),
    scales={
        "smoke": Config(
            toy_agents=1,
            toy_episodes=64,
            study=AgentStudy(
                agent="", width=64, k=8, train_states=2048, survey_states=2048, skip_steps=0, samples=16_384
            ),
        ),
        "small": Config(study=_SMALL),
        "paper": Config(),
    },
    run=run,
)
