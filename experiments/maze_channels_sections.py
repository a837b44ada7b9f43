"""The five questions of `maze-channels`, one function each: what was asked, what was found, what was claimed.

What the figures show is put together in `maze_channels_figures.py`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from procscope.experiments.maze_channels_figures import (
    arms_figure,
    decision_figure,
    distance_figure,
    outcomes_figure,
    pairs_figure,
    short_name,
    sums_figure,
    tuning_figure,
)
from procscope.experiments.maze_channels_numbers import GOOD_AUROC
from procscope.experiments.maze_channels_results import ChannelStudy, NetworkStudy
from procscope.experiments.maze_channels_setup import Config
from procscope.workbench.ledger import Ledger
from procscope.workbench.verdict_text import verdicts_text

PUBLISHED_TABLES = {
    "up": {"in": ((0.995, 0.002), (0.0, 0.003)), "out": ((0.347, 0.604), (0.044, 0.005))},
    "right": {"in": ((0.98, 0.0), (0.0, 0.02)), "out": ((0.33, 0.65), (0.0, 0.02))},
}
PUBLISHED_OUTCOMES = {"up": ((0.366, 0.157), (0.035, 0.422))}


def tell_pair_finder(ledger: Ledger, config: Config, studies: Sequence[NetworkStudy]) -> None:
    def line(study: NetworkStudy) -> str:
        found = [
            f"{channel.channel} for {channel_name(channel)} (selectivity "
            f"{ledger.quote('S3.pair-finder/selectivity', **place_of(study, channel))} on other pairs; "
            f"{ledger.quote('S3.pair-finder/mass_near_mouse', interval=False, **place_of(study, channel))} of a high "
            "sum lies within one map position of the mouse)"
            for channel in study.channels
        ]
        return (
            f"- `{short_name(study.model)}`: channel {' and channel '.join(found)}. Of the ten channels with the "
            f"largest effect, "
            f"{ledger.quote('S3.pair-finder/direction_channels', interval=False, model=study.model)} tell their "
            f"direction on random mazes, in distribution, with an AUROC of {GOOD_AUROC} or more."
        )

    ledger.record.say(
        "Which channels say where to go?",
        "Asked: in two mazes that differ in one wall, so that the first step to the cheese is another, which channels "
        'of the layer before the flattening differ? A channel\'s "effect" is the mean difference of its sum over the '
        'map within such pairs, over four orientations. It is "read" as the directions in which its mean sum lies '
        "above the middle between its lowest and its highest. Of the channels read as UP alone, the one of the largest "
        "effect is the go-UP channel, as channel 121 was; likewise for RIGHT.\n\n"
        f"Here {config.base_mazes} random mazes of 7 x 7 cells choose the channels, and {config.base_mazes} others "
        'measure them, so that a channel\'s numbers are not flattered by its having been chosen. "Selectivity" is (a - '
        "b) / (a + b), with a the mean sum where the direction is right and b the highest mean sum for another.\n\n"
        "Found:\n" + "\n".join(map(line, studies)) + "\n\n" + verdicts_text(ledger.record, "S3.pair-finder"),
    )
    ledger.record.figure(
        "pairs",
        pairs_figure(studies),
        "One pair of mazes in its four orientations, as in the study's first figure, and beneath each maze the sum of "
        "the go-UP and the go-RIGHT channel of each network. The title is the first step to the cheese. Each row is "
        "shaded from its lowest to its highest sum.",
    )
    ledger.record.figure(
        "tuning",
        tuning_figure(studies),
        "The ten channels of the largest effect in each network: mean sum over the mazes in which each direction is "
        "the right first step, shaded by row, and the effect.",
    )


def tell_sum_vs_direction(ledger: Ledger, config: Config, studies: Sequence[NetworkStudy]) -> None:
    def line(study: NetworkStudy, channel: ChannelStudy) -> str:
        at = place_of(study, channel)
        above = "S3.sum-vs-direction/precision_above_threshold"
        return (
            f"- `{short_name(study.model)}`, {channel_name(channel)}: threshold "
            f"{ledger.quote('S3.sum-vs-direction/threshold', **at)}; above it the direction is right in "
            f"{ledger.quote(above, **at, distribution='in')} in distribution and "
            f"{ledger.quote(above, **at, distribution='out')} out of it. AUROC falls by "
            f"{ledger.quote('S3.sum-vs-direction/auroc_in_minus_out', **at)}."
        )

    ledger.record.say(
        "Does the sum tell the way to the cheese?",
        "Asked: on random mazes, with the mouse on a random square from which the direction is possible, is the sum "
        "higher where that direction is the next step to the cheese? The study says so in a figure: very clean with "
        "the cheese in the top-right 5x5, less so elsewhere; above a sum of 30 the cheese is almost certainly UP, in "
        "distribution only.\n\n"
        "A sum of 30 means nothing in another network. The threshold here is the lowest above which the direction is "
        f"right on at least 99% of {config.squares} squares in distribution, on mazes that are used for nothing else. "
        "It stands in for the study's 30 in all that follows.\n\n"
        "Found:\n" + _lines(studies, line) + "\n\n" + verdicts_text(ledger.record, "S3.sum-vs-direction"),
    )
    ledger.record.figure(
        "sums",
        sums_figure(studies),
        "Sums of each channel on random squares, where its direction is the next step (up) and where it is not "
        "(down), as shares of the squares of either kind. The dashed line is the threshold; dots are means with 95% "
        "intervals.",
    )


def tell_decision_squares(ledger: Ledger, config: Config, studies: Sequence[NetworkStudy]) -> None:
    def expert(study: NetworkStudy) -> str:
        target = "S3.decision-square-2x2"

        def quote(quantity: str, distribution: str, moves: str = "summed") -> str:
            where = {"model": study.model, "distribution": distribution, "moves": moves}
            return ledger.quote(f"{target}/{quantity}", interval=False, **where)

        agree, corner, anywhere = "agreement_with_expert", "goes_to_corner", "agreement_with_expert_anywhere"
        return (
            f"- `{short_name(study.model)}`: at decision squares it takes the way to the cheese in "
            f"{quote(agree, 'in')} in distribution and {quote(agree, 'out')} out of it (its single likeliest raw "
            f"action in {quote(agree, 'in', 'raw')} and {quote(agree, 'out', 'raw')}), the way to the corner in "
            f"{quote(corner, 'in')} and {quote(corner, 'out')}. On squares anywhere in the maze it moves as the expert "
            f"in {quote(anywhere, 'in')} and {quote(anywhere, 'out')}: most cells are corridors, where nothing is "
            "decided."
        )

    def matched(study: NetworkStudy, channel: ChannelStudy) -> str:
        at = place_of(study, channel)
        return (
            f"- `{short_name(study.model)}`, {channel_name(channel)}: "
            f"{ledger.quote('S3.decision-square-2x2/matched_in_minus_out', **at)}"
        )

    ledger.record.say(
        "When the channel is high, is it obeyed, and is it right?",
        "Asked: at the decision square, where one direction leads to the cheese and another to the top-right corner, "
        "with the channel's sum above the threshold: does the mouse's most likely move (the 15 raw actions summed into "
        "5 moves) follow the channel, and does the channel show the cheese or the corner? Squares from which the "
        "channel's direction leads to neither are counted apart (the study never met one).\n\n"
        "What the networks do at all decision squares, whatever their channels say:\n"
        + "\n".join(map(expert, studies))
        + "\n\nThe study's author notes that decision squares lie nearer to the target in distribution. At like "
        "distances from the square to cheese and to corner (within 2 steps each), the channel points to the cheese "
        "more often in distribution than out of it by:\n"
        + _lines(studies, matched)
        + "\n\n"
        + verdicts_text(ledger.record, "S3.decision-square-2x2"),
    )
    for direction, published in PUBLISHED_TABLES.items():
        ledger.record.figure(
            f"decisions-{direction}",
            decision_figure(studies, direction, published),
            f"Decision squares where the go-{direction.upper()} channel is above its threshold: shares of all such "
            "squares, with the study's beneath.",
        )


def tell_distance(ledger: Ledger, config: Config, studies: Sequence[NetworkStudy]) -> None:
    def line(study: NetworkStudy, channel: ChannelStudy) -> str:
        at = place_of(study, channel)
        return (
            f"- `{short_name(study.model)}`, {channel_name(channel)}: slope {ledger.quote('S3.distance/slope', **at)} "
            f"log odds per cell; out of distribution alone {ledger.quote('S3.distance/slope_out_only', **at)}"
        )

    ledger.record.say(
        "Where does the channel change its target?",
        "Asked: does a high channel show the cheese less often the farther the cheese is from the corner? The study "
        "shows a figure. Here a logistic regression on the straight distance, over the same squares as the tables "
        "above, with those in distribution thinned to their share of a cheese that is anywhere (25 cells of "
        f"{config.size}², as the study did). The slope out of distribution alone tells a gradual change from a mere "
        "difference of the two distributions.\n\n"
        "Found:\n" + _lines(studies, line) + "\n\n" + verdicts_text(ledger.record, "S3.distance"),
    )
    ledger.record.figure(
        "distance",
        distance_figure(studies, config.size),
        "Share of high decision squares where the channel shows the way to the cheese, against the distance of cheese "
        "and corner: shares in bins and the logistic fit, with 95% intervals.",
    )


def tell_zeroing(ledger: Ledger, config: Config, studies: Sequence[NetworkStudy]) -> None:
    def line(study: NetworkStudy, channel: ChannelStudy) -> str:
        at = place_of(study, channel)

        def quote(quantity: str, **where: Any) -> str:
            return ledger.quote(f"S3.zeroing/{quantity}", **at, **where)

        return (
            f"- `{short_name(study.model)}`, {channel_name(channel)}: found in {quote('original_found')} untouched; "
            f"zeroed {quote('found_difference', arm='zero')} (McNemar p {quote('mcnemar_p', arm='zero')}), at its mean "
            f"{quote('found_difference', arm='mean')}; beyond random channels "
            f"{quote('difference_from_control', arm='random')}, beyond channels of like norm "
            f"{quote('difference_from_control', arm='matched')}"
        )

    ledger.record.say(
        "Does the channel cause it?",
        "Asked: with the cheese exactly on the bottom-right cell, going up is rarely right. Is the cheese found more "
        "often when the go-UP channel is set to zero? Every arm plays the same "
        f"{config.played_mazes} mazes of {config.played_size} x {config.played_size} cells that have a decision "
        f"square, with sampled actions, the same action noise and {config.max_steps} steps.\n\n"
        "Controls that the study lacked: the channel at its mean in place of zero, which later layers may never meet; "
        f"and {config.controls} random channels and {config.controls} of like norm, zeroed one at a time. Channels "
        "that the pair finder reads as the same direction, and silent ones, are no controls. For the go-RIGHT channel, "
        "which the study did not zero, the opposite is to be expected: right is where this cheese is.\n\n"
        "Found, as changes of the share of mazes in which the cheese is found:\n"
        + _lines(studies, line)
        + "\n\n"
        + verdicts_text(ledger.record, "S3.zeroing"),
    )
    ledger.record.figure(
        "arms",
        arms_figure(studies),
        "Mazes in which the cheese is found, by arm, with 95% intervals; each control channel has a point of its own. "
        "The dotted line is the untouched network.",
    )
    ledger.record.figure(
        "outcomes",
        outcomes_figure(studies, PUBLISHED_OUTCOMES),
        "The same mazes played by the untouched network and by the one with the channel at zero.",
    )


def _lines(studies: Sequence[NetworkStudy], line: Callable[[NetworkStudy, ChannelStudy], str]) -> str:
    return "\n".join(line(study, channel) for study in studies for channel in study.channels)


def channel_name(channel: ChannelStudy) -> str:
    return f"go-{channel.direction.name}"


def place_of(study: NetworkStudy, channel: ChannelStudy) -> dict[str, Any]:
    return {"model": study.model, "direction": channel.direction.name.lower()}
