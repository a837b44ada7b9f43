"""life-causality: are the states between in the core's activations, and does the network use them?

Our own questions about the networks of `life-imagination`, whose trainings it takes up where they are there (same
`--out`) and else makes. Probes ask whether a true state can be read from a step's activations, also where the decoder
does not show it; flips ask whether changing one cell of the state that a step holds changes the last state as the
rules say.
`life_causality_report.py` tells what was found.
"""

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from procscope.experiments.life_causality_report import CausalResults, record_numbers, write_report
from procscope.experiments.life_imagination import trainings_of
from procscope.experiments.life_imagination_setup import ROWS
from procscope.experiments.life_imagination_setup import Config as ImaginationConfig
from procscope.imagination.cell_flips import FlipResult, flip_cells
from procscope.imagination.life import Life
from procscope.imagination.network_study import network_of
from procscope.imagination.state_probes import probe_table
from procscope.imagination.trainer import board_generator
from procscope.imagination.training_config import ImaginerConfig
from procscope.workbench.experiments import Experiment
from procscope.workbench.parallel import parallel_map
from procscope.workbench.runs import RunRecord

_STREAM = 30
"""Of boards."""


@dataclass(frozen=True)
class Config:
    """Settings of `life-causality`; the defaults are those of the small scale."""

    rows: tuple[str, ...] = ("2 steps", "3 steps", "3 steps, no autoencoder", "3 steps, weights not shared")
    """Names of rows of `life-imagination`."""
    runs: int = 1
    """Networks of each row."""
    max_updates: int = 20_000
    """Of a training; the other settings are those of `life-imagination`."""
    accuracy: float = 0.99
    settle_updates: int = 500
    width: int = 20
    probed: int = 300
    """Sequences on which probes are fitted; two thirds as many measure them."""
    known: int = 4000
    """Sequences that give the mean state for each pattern."""
    flips: int = 1000
    """Sequences with a flip each, for every step."""
    workers: int = 2
    backend: str = "processes"
    """"processes" on this machine, or "ray" on a Ray cluster whose machines share the output directory."""

    def __post_init__(self) -> None:
        known = [row.name for row in ROWS]
        if unknown := [name for name in self.rows if name not in known]:
            raise ValueError(f"unknown rows: {', '.join(unknown)}. Rows: {'; '.join(known)}")


@dataclass(frozen=True)
class CausalMember:
    """Everything that one network's numbers depend on."""

    training: ImaginerConfig = field(default_factory=ImaginerConfig)
    probed: int = 300
    known: int = 4000
    flips: int = 1000
    seed: int = 0
    version: int = 1


def run(config: Config, record: RunRecord) -> None:
    """Train what is missing, probe and flip every network, then record the numbers and write the report."""
    training = ImaginationConfig(
        width=config.width,
        accuracy=config.accuracy,
        settle_updates=config.settle_updates,
        max_updates=config.max_updates,
    )
    members = {
        row.name: [
            CausalMember(
                training.training(row, 1000 * record.seed + number),
                config.probed,
                config.known,
                config.flips,
                record.seed,
            )
            for number in range(config.runs)
        ]
        for row in ROWS
        if row.name in config.rows
    }
    kept = record.members()
    pending = kept.pending([member for each in members.values() for member in each])
    study = functools.partial(study_causes, trainings=trainings_of(record))
    for index, result in parallel_map(
        study, pending, workers=config.workers, backend=config.backend, description="networks"
    ):
        kept.put(pending[index], result)
    rows = [CausalResults(name, [kept.get(member) for member in each]) for name, each in members.items()]
    write_report(record_numbers(record, rows), rows)


def study_causes(member: CausalMember, trainings: Path) -> dict[str, Any]:
    """Probes and flips of one network; None in place of both where it does not count."""
    trained = network_of(member.training, trainings)
    found: dict[str, Any] = {
        "accuracy": trained.accuracy,
        "counts": trained.counts,
        "weights_hash": trained.weights_hash,
        "probes": None,
        "flips": None,
    }
    if not trained.counts:
        return found
    config = member.training
    world, steps = config.world, config.world_steps
    assert isinstance(world, Life)

    def boards(n: int, number: int):
        return world.rollouts(n, steps, board_generator(member.seed, _STREAM, number))

    untrained = config.network(seed=config.seed + 500_000)
    probes = probe_table(
        trained.network, untrained, world, boards(member.probed, 0), boards(2 * member.probed // 3, 1)
    )
    found["probes"] = {name: table.tolist() for name, table in probes._asdict().items()}
    known, flipped = boards(member.known, 2), boards(member.flips, 3)
    found["flips"] = [
        {
            arm: _means(result)
            for arm, result in flip_cells(
                trained.network,
                world,
                step,
                step + 1,
                known,
                flipped,
                board_generator(member.seed, _STREAM + 1, step),
            ).items()
        }
        for step in range(1, min(config.steps, steps))
    ]
    return found


def _means(result: FlipResult) -> dict[str, float]:
    return {
        "changed": float(np.nanmean(result.changed)),
        "kept": float(np.nanmean(result.kept)),
        "exact": float(result.exact.mean()),
    }


EXPERIMENT = Experiment(
    name="life-causality",
    question="Are the states between the first and the last in the activations of a network that is taught the last "
    "one, and does the last state change as the rules say when a cell of them is flipped half-way?",
    targets=("S2.causality",),
    scales={
        "smoke": Config(
            rows=("2 steps", "3 steps"),
            max_updates=60,
            settle_updates=20,
            accuracy=0.6,
            width=8,
            probed=30,
            known=100,
            flips=40,
            workers=1,
        ),
        "small": Config(),
        "long": Config(runs=3, rows=tuple(row.name for row in ROWS[:5])),
    },
    run=run,
)
