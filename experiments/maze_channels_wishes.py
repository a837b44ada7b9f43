"""maze-channels-wishes: what the channel-121 study did in passing, or wished for: the second half of `maze-channels`.

An eighth of the layer taken away at once (S3.zero16), by zero, mean and minimum, on many mazes; where the mouse and its
channels point at decision squares, in numbers that can be followed over a training (`--over-training`); circuits of the
two kinds of corridor cells; mazes without the lattice; the systematic search for channels at every hook point.
`maze_channels_wishes_setup.py` holds the scales, `…_results.py` and `…_numbers.py` what is measured, `…_report.py` how
it is told, and docs/experiments/maze-channels.md what was found.
"""

import numpy as np

from procscope.activations.channel_sums import channel_sums
from procscope.activations.forward import to_input
from procscope.envs.actions import Move
from procscope.envs.level_frames import LevelFrames, frames_from_seeds, frames_of_levels
from procscope.envs.maze.pairs import SMALLEST_PAIR, direction_pairs
from procscope.envs.maze.variants import mouse_at_decision_square, mouse_where_possible
from procscope.experiments.maze_channels_results import CHEESE
from procscope.experiments.maze_channels_wishes_numbers import WISHES, ZERO16, record_numbers
from procscope.experiments.maze_channels_wishes_report import write_report
from procscope.experiments.maze_channels_wishes_results import DIRECTIONS, LatticeReadouts, WishStudy
from procscope.experiments.maze_channels_wishes_setup import (
    SCALES,
    Config,
    Mazes,
    draw_mazes,
    squares_of_levels,
)
from procscope.experiments.maze_networks import open_networks, training_of
from procscope.interventions.apply import with_hook_points
from procscope.interventions.channel_search import search_channels
from procscope.interventions.corridor_circuits import study_corridors
from procscope.interventions.direction_channels import find_direction_channels
from procscope.interventions.many_channels import ablate_many
from procscope.interventions.split import find_layout
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.experiments import Experiment
from procscope.workbench.runs import RunRecord

OUTPUTS = ("logits", "value")


def run(config: Config, record: RunRecord) -> None:
    """Draw mazes, study each network on them, record the numbers, write the report."""
    mazes = draw_mazes(config, record.seed)
    models = open_networks(config.models, record)
    studies = [study_network(model, mazes, config, record) for model in models]
    write_report(record_numbers(record, studies), config, studies)


def study_network(model: LoadedModel, mazes: Mazes, config: Config, record: RunRecord) -> WishStudy:
    """Everything about one network."""
    record.log(f"studying {model.name}")
    network = model.network

    def show(seeds: list[int], distribution: str, *possible: Move) -> LevelFrames:
        return frames_from_seeds("maze", seeds, [CHEESE[distribution], mouse_where_possible(possible)])

    def decisions(distribution: str) -> LevelFrames:
        shown = frames_from_seeds("maze", mazes.decisions, [CHEESE[distribution], mouse_at_decision_square])
        return shown.where(shown.labels["at_decision_square"])

    rng = np.random.default_rng(record.seed)
    bases = [direction_pairs(SMALLEST_PAIR, rng) for _ in range(config.base_mazes)]
    finder = find_direction_channels(network, bases, config.hook_point)
    squares = show(mazes.squares, "in", *Move)

    lattice = {}
    for direction in DIRECTIONS:
        shown = {
            on: frames_of_levels(squares_of_levels(config.size, config.squares, rng, direction, lattice=on))
            for on in (True, False)
        }
        read = {on: channel_sums(network, frames, config.hook_point) for on, frames in shown.items()}
        lattice[direction] = LatticeReadouts(finder.best([direction]), read[True], read[False], direction)

    return WishStudy(
        model.name,
        training_of(model),
        finder,
        {
            each: channel_sums(network, show(mazes.calibration, "in", each), config.hook_point)
            for each in DIRECTIONS
        },
        {each: channel_sums(network, decisions(each), config.hook_point) for each in CHEESE},
        ablate_many(
            network,
            finder.strongest(max(1, round(config.share * finder.n_channels))),
            mazes.fields,
            config.hook_point,
            played=mazes.played,
            seed=record.seed,
            max_steps=config.max_steps,
        ),
        study_corridors(network, mazes.corridors, config.hook_point, rng, share=config.share),
        lattice,
        search_channels(network, bases, squares, hook_points_of(model)),
        channel_sums(network, squares, config.hook_point),
        config.hook_point,
    )


def hook_points_of(model: LoadedModel) -> list[str]:
    """All but the outputs, in the order in which a forward pass comes to them."""
    sample = to_input(np.zeros((2, 64, 64, 3), np.uint8))
    layout = find_layout(with_hook_points(model.network, ()), sample, ())
    return [name for name in layout.order if name not in OUTPUTS]


EXPERIMENT = Experiment(
    name="maze-channels-wishes",
    question="Without an eighth of the layer, does the mouse still head for the cheese? When in training does it seek "
    "the corner? Do corridor cells have circuits of their own, do channels say a direction in mazes without the "
    "lattice, and what does a systematic search for such channels find?",
    targets=(ZERO16, WISHES),
    scales=SCALES,
    run=run,
)
