"""pacman-sae: live features of autoencoders on Ms. Pac-Man agents, and whether their number says how good the agent is.

S1 on the study's own 24 agents, where their folder is given (`--agents DIR`), each with an autoencoder of its own: live
features at one and the same survey, the score, the parabola of score on live features with intervals and without each
agent in turn. Without the folder, the same pipeline on toy agents that are trained here, whose hidden layers differ in
width: is the number of live features bound to that of units? For one agent, k, the training data and the
autoencoder's width are varied, too. `saes/pacman_study.py` is what is done with one agent, `saes/quadratic_fit.py` the
regression, `pacman_sae_report.py` what is recorded.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from procscope.agents.dqn.config import PRESETS, DQNConfig
from procscope.agents.dqn.training import train_dqn
from procscope.experiments.pacman_sae_report import (
    Agent,
    Studied,
    live_against_units,
    record_agent,
    regress,
    report_variations,
)
from procscope.saes.pacman_study import (
    HOOK_POINT,
    AgentFound,
    AgentStudy,
    open_agent,
    study_agent,
    with_weights,
)
from procscope.workbench.experiments import Experiment
from procscope.workbench.parallel import parallel_map
from procscope.workbench.runs import RunRecord


@dataclass(frozen=True)
class Config:
    """Which agents, and how much of each."""

    agents: str = ""
    """Directory of the study's agents (`*.safetensors`), in the order of their names; "" for toy agents of our own."""
    toy_widths: tuple[int, ...] = (64, 128, 256, 512)
    """Units of the hidden layer of agents that are trained here where no directory is given."""
    toy_seeds: int = 3
    """Agents of each width."""
    toy_episodes: int = 4000
    other_ks: tuple[int, ...] = ()
    """Of the first agent, further autoencoders with so many active latents,"""
    other_widths: tuple[int, ...] = ()
    """... of so many latents,"""
    other_train_states: tuple[int, ...] = ()
    """... and trained on so many states."""
    study: AgentStudy = field(default_factory=lambda: AgentStudy(agent=""))
    """Of each agent; its file and game are filled in."""
    workers: int = 1


def run(config: Config, record: RunRecord) -> None:
    """Study every agent, then regress score on live features, and vary one agent's autoencoder."""
    agents = agents_of(config, record)
    planned = [plan(agent, config.study, record.seed) for agent in agents]
    varied = variations(planned[0], config)
    results = study_all([*planned, *varied], config, record)
    studied = [Studied(agent, results[one]) for agent, one in zip(agents, planned, strict=True)]
    for agent, found in studied:
        record.network(agent.name, with_weights(agent.file), agent.game)
        record_agent(record, found, {"model": agent.name, "game": agent.game, "width": found.width})
    rows = [{"agent": agent.name, "units": agent.units, **found._asdict()} for agent, found in studied]
    record.table("agents", pd.DataFrame(rows), "All agents.")
    widths = sorted({agent.units for agent in agents})
    for units in widths:
        regress([found for agent, found in studied if agent.units == units], agents[0].game, units, record)
    if len(widths) > 1:
        live_against_units(studied, record)
    if varied:
        report_variations(agents[0], varied, [results[one] for one in varied], record)


def plan(agent: Agent, study: AgentStudy, seed: int) -> AgentStudy:
    """What is done with an agent."""
    return replace(
        study, agent=agent.file, game=agent.game, weights=with_weights(agent.file), study_seed=seed
    )


def variations(base: AgentStudy, config: Config) -> list[AgentStudy]:
    """One agent's study with another k, width or amount of training data, the rest the same."""
    changes: list[dict[str, Any]] = [
        *({"k": k} for k in config.other_ks),
        *({"width": width} for width in config.other_widths),
        *({"train_states": states} for states in config.other_train_states),
    ]
    return [replace(base, **change) for change in changes if replace(base, **change) != base]


def study_all(planned: list[AgentStudy], config: Config, record: RunRecord) -> dict[AgentStudy, AgentFound]:
    """Study what has no result yet, keep each as soon as it is done, and give all."""
    kept = record.members()
    pending = kept.pending(planned)
    work = partial(study_agent, str(record.directory.parent / "work"))
    for index, found in parallel_map(work, pending, workers=config.workers, description="agents"):
        kept.put(pending[index], found)
    return {one: AgentFound(**kept.get(one)) for one in planned}


def agents_of(config: Config, record: RunRecord) -> list[Agent]:
    """The agents; toy agents are trained where no directory is given."""
    if config.agents:
        files = sorted(str(path) for path in Path(config.agents).glob("*.safetensors"))
        if not files:
            raise ValueError(f"expected the agents' .safetensors files in {config.agents}; there are none")
        record.say("Agents", f"The {len(files)} agents in the directory given.")
        return [Agent(Path(file).stem, file, "ms-pacman", units_of(file)) for file in files]
    widths, seeds = ", ".join(map(str, config.toy_widths)), config.toy_seeds
    text = (
        f"No directory of agents was given (--agents DIR), so that agents of the toy are trained and studied, {seeds} "
        f"each with {widths} units: the same steps, another game. Nothing here is about the study's own agents."
    )
    record.log(text)
    record.say("Agents", text)
    made = []
    for units, seed in product(config.toy_widths, range(seeds)):
        options: dict[str, Any] = PRESETS["toy-pacman"] | {
            "network_options": {"width": units},
            "episodes": config.toy_episodes,
            "seed": seed,
        }
        name = f"toy-{units}-{config.toy_episodes}-{seed}"
        folder = record.directory.parent / "agents" / name
        file = str(train_dqn(DQNConfig(game="toy-pacman", **options), folder))
        made.append(Agent(name, file, "toy-pacman", units))
    return made


def units_of(file: str) -> int:
    """Units of the layer that is read."""
    return int(dict(open_agent(file).named_parameters())[f"weights_{HOOK_POINT}.bias"].shape[0])


_SMALL = AgentStudy(agent="", train_states=100_000, survey_states=100_000, samples=1_000_000)

EXPERIMENT = Experiment(
    name="pacman-sae",
    question="How many features of an autoencoder on a Ms. Pac-Man agent's hidden layer are ever live, what do they do "
    "to its choices, does their number say how good the agent is, and is it bound to the layer's width?",
    targets=("S1.topk-sae", "S1.dead-features", "S1.feature-effect", "S1.density-vs-quality"),
    scales={
        "smoke": Config(
            toy_widths=(32,),
            toy_seeds=1,
            toy_episodes=64,
            study=AgentStudy(
                agent="", width=64, k=8, train_states=2048, survey_states=2048, skip_steps=0, samples=16_384
            ),
        ),
        "small": Config(
            study=_SMALL,
            other_ks=(10, 25, 100),
            other_widths=(512, 1024, 4096),
            other_train_states=(25_000, 400_000),
        ),
        "paper": Config(),
    },
    run=run,
)
