"""life-imagination: does a network that is taught only the last state of a sequence imagine the states between?

Replicates S2, Visualizing neural network imagination: tables 1 to 3, the order of learning, width and depth, and a
growing picture. `life_imagination_setup.py` holds the rows and scales, `life_imagination_numbers.py` what is measured,
`life_imagination_report.py` how it is told.
"""

import functools
from pathlib import Path
from typing import Any

from procscope.experiments.life_imagination_numbers import RowResults, record_numbers
from procscope.experiments.life_imagination_report import write_report
from procscope.experiments.life_imagination_setup import SCALES, Config
from procscope.imagination.network_study import StudyMember, study_network
from procscope.imagination.training_config import ImaginerConfig
from procscope.workbench.experiments import Experiment
from procscope.workbench.parallel import parallel_map
from procscope.workbench.runs import RunRecord


def run(config: Config, record: RunRecord) -> None:
    """Train and measure every row's networks, one member each, then record the tables and write the report."""
    members = {row.name: config.members(row, record.seed) for row in config.chosen()}
    kept = record.members()
    trainings = trainings_of(record)
    pending = kept.pending([member for each in members.values() for member in each])
    study = functools.partial(study_network, trainings=trainings)
    for index, result in parallel_map(
        study, pending, workers=config.workers, backend=config.backend, description="networks"
    ):
        kept.put(pending[index], result)
        record.log(describe(pending[index], result))
    rows = [RowResults(row, [kept.get(member) for member in members[row.name]]) for row in config.chosen()]
    write_report(record_numbers(record, rows), config, rows, members, trainings)


def trainings_of(record: RunRecord) -> Path:
    """Where trained networks are kept, beside the experiments' own directories: all experiments share them."""
    return record.directory.parent.parent / "imaginers"


def describe(member: StudyMember, result: dict[str, Any]) -> str:
    """A finished network in a line of the log."""
    training = member.training
    others = training.differs_from(ImaginerConfig(training.world, training.world_steps, training.steps))
    words = (
        f"{training.world.name}: {training.world_steps} world steps, {training.steps} core steps"
        + "".join(f", {name.replace('_', ' ')} {value}" for name, (value, _) in others.items())
    )
    if result["plain"] is None:
        return f"{words}: accuracy {result['accuracy']:.4f}, does not count"
    return (
        f"{words}: accuracy {result['accuracy']:.4f} after {result['updates']} updates in {result['seconds']:.0f} s, "
        f"metric {result['plain']['literal']:.3f}, with the adversarial decoder {result['adversarial']['literal']:.3f}"
    )


EXPERIMENT = Experiment(
    name="life-imagination",
    question="Does a network that is trained to predict only the last state of a Game of Life sequence represent the "
    "states between, and can they be decoded?",
    targets=("S2.table1", "S2.table2", "S2.table3", "S2.learning-order", "S2.width-depth", "S2.wishes"),
    scales=SCALES,
    run=run,
)
