"""How `maze-channels` tells what it found: in short, question by question, and what differs from the study.

Every number in the prose is quoted from the run's own numbers (`Ledger`).
"""

from collections.abc import Sequence
from typing import NamedTuple

from procscope.experiments.maze_channels_figures import short_name
from procscope.experiments.maze_channels_results import CHEESE, ChannelStudy, NetworkStudy, reading_rows
from procscope.experiments.maze_channels_sections import (
    channel_name,
    place_of,
    tell_decision_squares,
    tell_distance,
    tell_pair_finder,
    tell_sum_vs_direction,
    tell_zeroing,
)
from procscope.experiments.maze_channels_setup import Config
from procscope.workbench.ledger import Ledger


def write_report(ledger: Ledger, config: Config, studies: Sequence[NetworkStudy]) -> None:
    """Add prose, figures and tables of all networks to the record."""
    for section in (
        _in_short,
        tell_pair_finder,
        tell_sum_vs_direction,
        tell_decision_squares,
        tell_distance,
        tell_zeroing,
        _differences,
    ):
        section(ledger, config, studies)


class ShortRow(NamedTuple):
    """A line of the first table: one channel of one network."""

    network: str
    trained_with: str
    channel: str
    auroc_in: str
    auroc_out: str
    shows_cheese_in: str
    shows_cheese_out: str
    obeyed_in: str
    obeyed_out: str
    found_when_zeroed: str


def _in_short(ledger: Ledger, config: Config, studies: Sequence[NetworkStudy]) -> None:
    def row(study: NetworkStudy, channel: ChannelStudy) -> ShortRow:
        at = place_of(study, channel)

        def both(quantity: str) -> tuple[str, str]:
            inside, outside = (
                ledger.quote(f"S3.{quantity}", interval=False, **at, distribution=each) for each in CHEESE
            )
            return inside, outside

        change = ledger.quote("S3.zeroing/found_difference", **at, arm="zero")
        name = f"{channel.channel} {channel_name(channel)}"
        return ShortRow(
            short_name(study.model),
            study.training,
            name,
            *both("sum-vs-direction/auroc"),
            *both("decision-square-2x2/points_to_cheese"),
            *both("decision-square-2x2/obeys"),
            change,
        )

    ledger.record.say(
        "In short",
        "The study of channel 121 took one network that was trained with the cheese always in the top-right 5x5 of a "
        'maze, found a channel of its last convolutional layer that says "go up", and showed that the mouse obeys '
        "it, that the channel means the cheese in distribution but mostly the corner out of it, and that the mouse "
        "finds a cheese in the opposite corner more often without it. The same is done here, step by step, with each "
        "network's own channels.\n\n"
        "There is one network of each kind so far, and one network is one case: a claim that is held below is "
        "held for that network, and stays undecided for networks trained so, as the last column of the table above "
        "says. Networks trained in other ways stand beside for comparison; no claim is judged on them.",
    )
    ledger.record.table(
        "in-short",
        [row(study, channel) for study in studies for channel in study.channels],
        '"In" is with the cheese in the top-right 5x5, "out" with the cheese elsewhere. AUROC: how well the sum tells '
        "the way on random squares. At decision squares with a high sum: how often the cheese lies the channel's way, "
        "and how often the mouse goes that way. Last, the change of the share of mazes with the cheese bottom right "
        "that are solved when the channel is set to zero.",
    )


def _differences(ledger: Ledger, config: Config, studies: Sequence[NetworkStudy]) -> None:
    ledger.record.say(
        "What differs from the study",
        "- The networks: IMPALA with 16, 32 and 32 channels (the study's has 64, 128 and 128), trained to imitate "
        "shortest paths and then on its own states, in place of PPO. The layer has 32 channels in place of 128, so "
        "one channel carries more of it.\n"
        f"- The mazes: {config.size} x {config.size} cells in place of 25 x 25, and {config.played_size} x "
        f"{config.played_size} in place of 15 x 15 where they are played. They are the engine's own of that size, from "
        "level seeds that no training has seen.\n"
        "- The pairs: many random mazes of 7 x 7 in place of one; what is said of a channel is measured on other mazes "
        "than it was chosen on.\n"
        "- The threshold: from the precision on other squares in distribution, in place of 30.\n"
        '- "In distribution" is the cheese in the top-right 5x5, for every network, also those trained otherwise.\n'
        "- Zeroing 16 channels at once (S3.zero16) is in the experiment `maze-channels-wishes`.",
    )
    ledger.record.table(
        "channels",
        [row for study in studies for row in reading_rows(study, short_name(study.model))],
        "Every channel that responds to the pairs at all, by effect, with its mean sum where each direction is the "
        "right first step; for the ten of the largest effect in each network also the AUROC of the reading on random "
        "mazes.",
    )
