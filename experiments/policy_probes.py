"""policy-probes: what do maze, Heist and CoinRun policies know of their goals, of the way, and of their next moves?

Linear probes at several depths of each policy, beside untrained networks, the picture, control tasks, and tables of
what the current move and other labels predict by themselves. `policy_probes_games.py` says what is asked of each game
and on which frames, `policy_probes_study.py` what is measured at one place, `policy_probes_results.py` and
`policy_probes_numbers.py` what is made of it, `policy_probes_report.py` how it is told, and
docs/experiments/policy-probes.md what was found. `probe_to_cause.py` asks whether behaviour rests on it.
"""

from procscope.experiments.heist_networks import PLACES
from procscope.experiments.maze_networks import open_networks, training_of
from procscope.experiments.policy_probes_games import GAMES, Drawn
from procscope.experiments.policy_probes_numbers import TARGETS, record_numbers
from procscope.experiments.policy_probes_report import write_report
from procscope.experiments.policy_probes_results import ProbedNetwork
from procscope.experiments.policy_probes_setup import SCALES, Config, first_seed
from procscope.experiments.policy_probes_study import (
    PIXELS,
    Place,
    measure_choices,
    measure_place,
    measure_tables,
)
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.experiments import Experiment
from procscope.workbench.members import Members
from procscope.workbench.parallel import parallel_map
from procscope.workbench.runs import RunRecord


def run(config: Config, record: RunRecord) -> None:
    """Probe every network at every place, record the numbers, write the report."""
    models = networks_of(config.models, config.games, record)
    members, studies = record.members(), []
    for model in models:
        drawn = drawn_for(model, config.frames, record.seed)
        hook_points = config.hook_points or default_hook_points(model)
        places = plan(model, hook_points, drawn, config, record.seed)
        compute_missing(places, members, config.workers, model.name)
        choices = members.get_or_compute(
            {"choices": model.weights_hash, "drawn": drawn, "version": 1},
            lambda _, model=model, drawn=drawn: measure_choices(model.name, drawn),
        )
        tables = members.get_or_compute(
            {"tables": drawn, "folds": config.folds, "seed": record.seed, "version": 1},
            lambda _, drawn=drawn: measure_tables(drawn, config.folds, record.seed),
        )
        found = {(one.draw, one.hook_point): members.get(one) for one in places if not one.closer}
        closer = {one.hook_point: members.get(one) for one in places if one.closer}
        studies.append(
            ProbedNetwork(
                model.name, model.header.game, training_of(model), hook_points, found, closer, tables, choices
            )
        )
    write_report(record_numbers(record, studies, config.resamples), config, studies)


def networks_of(names: tuple[str, ...], games: tuple[str, ...], record: RunRecord) -> list[LoadedModel]:
    """The networks of some games. Raises ValueError: none of these games, or a game that nothing is asked of."""
    chosen = []
    for model in open_networks(names, record):
        if model.header.game not in GAMES:
            raise ValueError(
                f"expected policies of {', '.join(GAMES)}; {model.name} plays {model.header.game}. Leave it out"
            )
        if model.header.game in games:
            chosen.append(model)
    if not chosen:
        raise ValueError(
            f"expected at least one policy of {', '.join(games)}; given {', '.join(names)}. Name others (--models), "
            "or other games (--games)"
        )
    return chosen


def default_hook_points(model: LoadedModel) -> tuple[str, ...]:
    """One for each size of map, the last maps, the last hidden vector.

    Raises ValueError: an architecture whose hook points must be named.
    """
    if model.header.architecture not in PLACES:
        raise ValueError(
            f"expected hook points for {model.name}, which is {model.header.architecture!r}: known are those of "
            f"{', '.join(PLACES)}. Name them (--hook-points)"
        )
    places = PLACES[model.header.architecture]
    return (*places.maps, places.vector)


def drawn_for(model: LoadedModel, frames: int, seed: int, first: int | None = None) -> Drawn:
    """The frames that a network is asked about: drawn as it was taught to see them."""
    looks = tuple(sorted(model.header.engine_options.items()))
    start = first_seed(seed, "fitted") if first is None else first
    return Drawn(model.header.game, model.header.mode, looks, start, frames)


def plan(
    model: LoadedModel, hook_points: tuple[str, ...], drawn: Drawn, config: Config, seed: int
) -> list[Place]:
    """The trained network at every hook point, untrained ones at the same, the picture, and closer looks."""

    def place(hook_point: str, draw: int = 0, closer: bool = False) -> Place:
        name, weights = ("", "") if hook_point == PIXELS else (model.name, model.weights_hash)
        return Place(name, weights, draw, hook_point, drawn, config.squares, config.folds, closer, seed)

    draws = range(config.untrained + 1)
    looked = hook_points[-2:] if config.closer else ()
    return [
        *(place(hook_point, draw) for draw in draws for hook_point in hook_points),
        place(PIXELS),
        *(place(hook_point, closer=True) for hook_point in looked),
    ]


def compute_missing(places: list[Place], members: Members, workers: int, name: str) -> None:
    """Measure the places that have no result yet, and keep each as soon as it is there."""
    pending = members.pending(places)
    for index, found in parallel_map(measure_place, pending, workers=workers, description=f"{name}, places"):
        members.put(pending[index], found)


EXPERIMENT = Experiment(
    name="policy-probes",
    question="What do policies of the maze, of Heist and of CoinRun know, and at which depth: where the goal is, how "
    "far, which key comes next, and their next moves; by more than untrained networks, the picture, and what other "
    "labels give away? And do networks that ignore the goal know it?",
    targets=TARGETS,
    scales=SCALES,
    run=run,
)
