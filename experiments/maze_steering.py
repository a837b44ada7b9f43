"""maze-steering: what does the mouse do when the cheese vector, or the top-right vector, is added to its activations?

At every hook point and several strengths, with noise of equal norm and another maze's vector as controls, on the same
mazes. `maze_steering_setup.py` holds the scales, `procscope.interventions.steering_study` what is done at one hook
point, `maze_steering_results.py` and `maze_steering_numbers.py` what is made of it, `maze_steering_report.py` how it is
told, and docs/experiments/maze-steering.md what was found.
"""

from procscope.activations.forward import to_input
from procscope.envs.engine import scratch_engine
from procscope.experiments.maze_networks import open_networks, training_of
from procscope.experiments.maze_steering_numbers import TARGETS, record_numbers
from procscope.experiments.maze_steering_report import write_report
from procscope.experiments.maze_steering_results import PlaceResult, SteeringStudy
from procscope.experiments.maze_steering_setup import CLAIMED, SCALES, Config
from procscope.interventions.apply import with_hook_points
from procscope.interventions.split import find_layout
from procscope.interventions.steering_study import SteeredPlace, maze_levels, study_place
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.experiments import Experiment
from procscope.workbench.members import Members
from procscope.workbench.parallel import parallel_map
from procscope.workbench.runs import RunRecord

OUTPUTS = ("logits", "value")
"""What a network says: adding to it is no intervention on what it computes."""


def run(config: Config, record: RunRecord) -> None:
    """Steer every network at every hook point, record the numbers, write the report."""
    models = open_networks(config.models, record)
    planned = [(model, plan(model, config, record.seed)) for model in models]
    members = record.members()
    compute_missing([place for _, places in planned for place in places], members, config.workers)
    studies = [
        SteeringStudy(
            model.name,
            training_of(model),
            config.strengths,
            [PlaceResult(place.hook_point, members.get(place)) for place in places],
        )
        for model, places in planned
    ]
    write_report(record_numbers(record, studies), config, studies)


def plan(model: LoadedModel, config: Config, seed: int) -> list[SteeredPlace]:
    """The hook points of a network, in the order in which a forward pass comes to them."""
    mazes = config.drawn(seed)
    sample = to_input(scratch_engine("maze").render([maze_levels(mazes)[0].to_state()] * 2))
    named = (*config.hook_points, *config.played_hook_points)
    layout = find_layout(with_hook_points(model.network, named), sample, named)
    wanted = set(named) if config.hook_points else set(layout.order)
    return [
        SteeredPlace(
            model.name,
            model.weights_hash,
            name,
            mazes,
            config.strengths,
            CLAIMED,
            config.played_mazes if name in (config.played_hook_points or (name,)) else 0,
            config.field_mazes,
            seed,
        )
        for name in layout.order
        if name in wanted and name not in OUTPUTS
    ]


def compute_missing(places: list[SteeredPlace], members: Members, workers: int) -> None:
    """Study the places that have no result yet, and keep each as soon as it is there."""
    pending = members.pending(places)
    for index, found in parallel_map(study_place, pending, workers=workers, description="hook points"):
        members.put(pending[index], found)


EXPERIMENT = Experiment(
    name="maze-steering",
    question="Does a maze network ignore the cheese when the cheese vector is taken from its activations, and go to "
    "the top-right corner when the top-right vector is added; at which hook points, and by more than noise does?",
    targets=tuple(TARGETS.values()),
    scales=SCALES,
    run=run,
)
