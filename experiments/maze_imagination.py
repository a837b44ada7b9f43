"""maze-imagination: does a network that must find its way hold the states of the path ahead?

S2's wish, the same question for an agent that chooses, and its negative result, tried on what we have: planners of
our own, which learn where a flood from the mouse ends or what the best move is, and the zoo's maze policies. Both are
read by the adversarial decoder of S2 and by probes. `maze_imagination_policies.py` holds the study of one policy,
`maze_imagination_report.py` how it is told.
"""

import functools

from procscope.experiments.life_imagination import describe, trainings_of
from procscope.experiments.maze_imagination_numbers import PlannerResults, PolicyResults, record_numbers
from procscope.experiments.maze_imagination_policies import (
    PathsMember,
    PolicyMember,
    study_paths,
    study_policy,
)
from procscope.experiments.maze_imagination_report import write_report
from procscope.experiments.maze_imagination_setup import SCALES, Config
from procscope.imagination.network_study import study_network
from procscope.workbench.checkpoints import load_network
from procscope.workbench.experiments import Experiment
from procscope.workbench.parallel import parallel_map
from procscope.workbench.runs import RunRecord


def run(config: Config, record: RunRecord) -> None:
    """Train and measure the planners, read the policies, then record the numbers and write the report."""
    kept, trainings = record.members(), trainings_of(record)
    planners = {target: config.members(target, record.seed) for target in config.planners}
    pending = kept.pending([member for each in planners.values() for member in each])
    study = functools.partial(study_network, trainings=trainings)
    for index, result in parallel_map(
        study, pending, workers=config.workers, backend=config.backend, description="planners"
    ):
        kept.put(pending[index], result)
        record.log(describe(pending[index], result))

    paths = PathsMember(config.frames, config.steps, record.seed)
    knowing_next = kept.get_or_compute(paths, study_paths)["knowing_next"]
    policies = []
    for name in config.models:
        model = load_network(name)
        training = " ".join(model.header.variant) or "no variant"
        record.network(model.name, model.weights_hash, training)
        member = PolicyMember(
            model.weights_hash, config.frames, config.steps, config.adversarial_updates, record.seed
        )
        record.log(f"reading {name}")
        found = kept.get_or_compute(member, functools.partial(study_policy, model=model))
        policies.append(PolicyResults(model.name, training, found, knowing_next))

    results = [
        PlannerResults(target, each, [kept.get(member) for member in each])
        for target, each in planners.items()
    ]
    write_report(record_numbers(record, results, policies), config, results, policies, trainings)


EXPERIMENT = Experiment(
    name="maze-imagination",
    question="Does a network that must find its way in a maze, a planner of ours or a policy of the zoo, hold the "
    "states of the "
    "path ahead in any layer, and can they be decoded?",
    targets=("S2.planner", "S2.planning"),
    scales=SCALES,
    run=run,
)
