"""probe-to-cause: does steering along a probe's direction do to behaviour what the probe says that it means?

At several depths of each policy, probes are fitted to some levels; on others, activations are moved along their
directions, and along control directions of equal length, and what the probes read is erased. Is a better probe a
better handle? `probe_to_cause_setup.py` says what is steered in each game, `probe_to_cause_handles.py` how directions
are made, `probe_to_cause_claims.py` what a moved reading claims, `probe_to_cause_study.py` what is measured at a place,
`probe_to_cause_results.py` and `probe_to_cause_numbers.py` what is made of it, `probe_to_cause_report.py` how it is
told, and docs/experiments/probe-to-cause.md what was found. What can be read at all is asked by `policy_probes.py`.
"""

from procscope.experiments.policy_probes import default_hook_points, drawn_for, networks_of
from procscope.experiments.policy_probes_setup import first_seed
from procscope.experiments.probe_to_cause_numbers import TARGETS, record_numbers
from procscope.experiments.probe_to_cause_report import write_report
from procscope.experiments.probe_to_cause_results import Dot, Place, dots_of
from procscope.experiments.probe_to_cause_setup import CAUSES, SCALES, Config
from procscope.experiments.probe_to_cause_study import SteeredHook, measure_hook
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.experiments import Experiment
from procscope.workbench.parallel import parallel_map
from procscope.workbench.runs import RunRecord


def run(config: Config, record: RunRecord) -> None:
    """Steer every network at every hook point, record the numbers, write the report."""
    members, dots = record.members(), list[Dot]()
    for model in networks_of(config.models, config.games, record):
        hooks = plan(model, config, record.seed)
        pending = members.pending(hooks)
        for index, found in parallel_map(
            measure_hook, pending, workers=config.workers, description=f"{model.name}, hook points"
        ):
            members.put(pending[index], found)
        for depth, steered in enumerate(hooks):
            place = Place(model.name, model.header.game, steered.hook_point, depth)
            dots += dots_of(place, CAUSES[model.header.game], members.get(steered))
    write_report(record_numbers(record, config, dots), config, dots)


def plan(model: LoadedModel, config: Config, seed: int) -> list[SteeredHook]:
    """The hook points of a network."""
    return [
        SteeredHook(
            model.name,
            model.weights_hash,
            hook_point,
            drawn_for(model, config.fitted, seed),
            drawn_for(model, config.tested, seed, first_seed(seed, "tested")),
            config.strengths,
            config.told,
            config.squares,
            config.folds,
            seed,
        )
        for hook_point in config.hook_points or default_hook_points(model)
    ]


EXPERIMENT = Experiment(
    name="probe-to-cause",
    question="Does steering along a probe's direction do to a policy's behaviour what the probe says that it means, "
    "beyond random, untrained and shuffled directions of equal length; does erasing what a probe reads undo it; and "
    "is a better probe a better handle?",
    targets=TARGETS,
    scales=SCALES,
    run=run,
)
