"""maze-channels: do single channels say where to go, to the cheese or to the corner, and does the mouse obey?

Replicates S3, the channel-121 study; S3.zero16 and its author's wishes are in `maze_channels_wishes.py`.
`maze_channels_setup.py` holds the scales, `maze_channels_results.py` and `maze_channels_numbers.py` what is measured,
`maze_channels_report.py` how it is told, and docs/experiments/maze-channels.md what was found.
"""

import numpy as np

from procscope.activations.channel_sums import ChannelSums, channel_sums
from procscope.envs.actions import Move
from procscope.envs.level_frames import LevelFrames, frames_from_seeds
from procscope.envs.maze.pairs import SMALLEST_PAIR, direction_pairs
from procscope.envs.maze.variants import mouse_at_decision_square, mouse_where_possible
from procscope.experiments.maze_channels_numbers import record_numbers
from procscope.experiments.maze_channels_report import write_report
from procscope.experiments.maze_channels_results import CHEESE, ChannelStudy, NetworkStudy
from procscope.experiments.maze_channels_setup import SCALES, Config, Mazes, draw_mazes
from procscope.interventions.channel_arms import plan_channel_arms
from procscope.interventions.decision_squares import DecisionSquares
from procscope.interventions.direction_channels import find_direction_channels
from procscope.interventions.direction_readout import direction_readout, shares_near_mouse
from procscope.interventions.paired_play import play_arms
from procscope.workbench.checkpoints import LoadedModel, load_network
from procscope.workbench.experiments import Experiment
from procscope.workbench.runs import RunRecord


def run(config: Config, record: RunRecord) -> None:
    """Draw mazes, study each network on them, record the numbers, write the report."""
    mazes = draw_mazes(config, record.seed)
    studies = [study_network(load_network(model), mazes, config, record) for model in config.models]
    write_report(record_numbers(record, studies, config.size), config, studies)


def study_network(model: LoadedModel, mazes: Mazes, config: Config, record: RunRecord) -> NetworkStudy:
    """Find a network's direction channels on pairs, read them on random mazes, take them away in play."""
    training = " ".join(model.header.variant) or "no variant"
    record.network(model.name, model.weights_hash, training)
    record.log(f"studying {model.name}")

    def show(seeds: list[int], distribution: str, *possible: Move) -> LevelFrames:
        return frames_from_seeds("maze", seeds, [CHEESE[distribution], mouse_where_possible(possible)])

    def show_decisions(distribution: str) -> LevelFrames:
        shown = frames_from_seeds("maze", mazes.decisions, [CHEESE[distribution], mouse_at_decision_square])
        return shown.where(shown.labels["at_decision_square"])

    def read(shown: LevelFrames) -> ChannelSums:
        return channel_sums(model.network, shown, config.hook_point)

    # Which channels? They are chosen on some pairs and measured on others.
    rng = np.random.default_rng(record.seed)
    bases = [direction_pairs(SMALLEST_PAIR, rng) for _ in range(2 * config.base_mazes)]
    finder = find_direction_channels(model.network, bases[: config.base_mazes], config.hook_point)
    check = find_direction_channels(model.network, bases[config.base_mazes :], config.hook_point)

    # Do the ten of the largest effect mean the same on random mazes?
    readings = {channel: finder.reading(channel) for channel in finder.strongest(10)}
    sums = {
        reading: read(show(mazes.squares, "in", *reading)) for reading in set(readings.values()) if reading
    }
    top = {c: direction_readout(sums[reading], c, reading) for c, reading in readings.items() if reading}

    # The squares where the ways to the cheese and to the corner part
    decisions = {distribution: read(show_decisions(distribution)) for distribution in CHEESE}

    # The best go-UP and the best go-RIGHT channel: what they say, of what, and what happens without them
    channels = []
    for direction in (Move.UP, Move.RIGHT):
        channel = finder.best([direction])
        shown = {distribution: show(mazes.squares, distribution, direction) for distribution in CHEESE}
        calibration = read(show(mazes.calibration, "in", direction))
        same_job = [other for other in range(finder.n_channels) if direction in finder.reading(other)]
        arms = plan_channel_arms(
            model,
            channel,
            same_job,
            mazes.played,
            count=config.controls,
            seed=record.seed,
            hook_point=config.hook_point,
        )
        study = ChannelStudy(
            direction,
            channel,
            direction_readout(calibration, channel, [direction]),
            {d: direction_readout(read(frames), channel, [direction]) for d, frames in shown.items()},
            shares_near_mouse(model.network, shown["in"], channel, config.hook_point),
            {d: DecisionSquares.of(squares, channel, direction) for d, squares in decisions.items()},
            arms.map(play_arms(arms.all(), record.members(), config.workers)),
        )
        channels.append(study)
    corridors = {d: read(show(mazes.squares, d, *Move)) for d in CHEESE}
    return NetworkStudy(
        model.name, training, finder, check, bases[config.base_mazes], top, corridors, decisions, channels
    )


EXPERIMENT = Experiment(
    name="maze-channels",
    question="Do single channels of a maze network's last convolutional layer say where to go, do they mean the "
    "cheese or the top-right corner, and does the mouse obey them?",
    targets=("S3.pair-finder", "S3.sum-vs-direction", "S3.decision-square-2x2", "S3.distance", "S3.zeroing"),
    scales=SCALES,
    run=run,
)
