"""How `maze-channels` tells what it found: question by question, what was asked, what was found, what differs.

Every number in the prose is quoted from the run's own numbers (`Ledger`). What the figures show is put
together in `maze_channels_figures.py`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

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
from procscope.experiments.maze_channels_results import (
    CHEESE,
    GOOD_AUROC,
    ChannelStudy,
    NetworkStudy,
    reading_rows,
)
from procscope.experiments.maze_channels_setup import Config
from procscope.workbench.ledger import Ledger
from procscope.workbench.verdict_text import verdicts_text


def write_report(ledger: Ledger, config: Config, studies: Sequence[NetworkStudy]) -> None:
    """Add prose, figures and tables of all networks to the record."""
    for section in (
        _in_short,
        _pair_finder,
        _sum_vs_direction,
        _decision_squares,
        _distance,
        _zeroing,
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
        at = _place(study, channel)
        quantities = (
            "sum-vs-direction/auroc",
            "decision-square-2x2/points_to_cheese",
            "decision-square-2x2/obeys",
        )
        both = [
            ledger.quote(f"S3.{quantity}", interval=False, **at, distribution=distribution)
            for quantity in quantities
            for distribution in CHEESE
        ]
        change = ledger.quote("S3.zeroing/found_difference", **at, arm="zero")
        name = f"{channel.channel} {_name(channel)}"
        return ShortRow(short_name(study.model), study.training, name, *both, change)

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


def _pair_finder(ledger: Ledger, config: Config, studies: Sequence[NetworkStudy]) -> None:
    def line(study: NetworkStudy) -> str:
        found = [
            f"{channel.channel} for {_name(channel)} (selectivity "
            f"{ledger.quote('S3.pair-finder/selectivity', **_place(study, channel))} on other pairs; "
            f"{ledger.quote('S3.pair-finder/mass_near_mouse', interval=False, **_place(study, channel))} of a high sum "
            "lies within one map position of the mouse)"
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


def _sum_vs_direction(ledger: Ledger, config: Config, studies: Sequence[NetworkStudy]) -> None:
    def line(study: NetworkStudy, channel: ChannelStudy) -> str:
        at = _place(study, channel)
        above = "S3.sum-vs-direction/precision_above_threshold"
        return (
            f"- `{short_name(study.model)}`, {_name(channel)}: threshold "
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


def _decision_squares(ledger: Ledger, config: Config, studies: Sequence[NetworkStudy]) -> None:
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
        at = _place(study, channel)
        return (
            f"- `{short_name(study.model)}`, {_name(channel)}: "
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


def _distance(ledger: Ledger, config: Config, studies: Sequence[NetworkStudy]) -> None:
    def line(study: NetworkStudy, channel: ChannelStudy) -> str:
        at = _place(study, channel)
        return (
            f"- `{short_name(study.model)}`, {_name(channel)}: slope {ledger.quote('S3.distance/slope', **at)} log "
            f"odds per cell; out of distribution alone {ledger.quote('S3.distance/slope_out_only', **at)}"
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


def _zeroing(ledger: Ledger, config: Config, studies: Sequence[NetworkStudy]) -> None:
    def line(study: NetworkStudy, channel: ChannelStudy) -> str:
        at = _place(study, channel)

        def quote(quantity: str, **where: Any) -> str:
            return ledger.quote(f"S3.zeroing/{quantity}", **at, **where)

        return (
            f"- `{short_name(study.model)}`, {_name(channel)}: found in {quote('original_found')} untouched; zeroed "
            f"{quote('found_difference', arm='zero')} (McNemar p {quote('mcnemar_p', arm='zero')}), at its mean "
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
        "- Not done: zeroing 16 channels at once (S3.zero16).",
    )
    ledger.record.table(
        "channels",
        [row for study in studies for row in reading_rows(study, short_name(study.model))],
        "Every channel that responds to the pairs at all, by effect, with its mean sum where each direction is the "
        "right first step; for the ten of the largest effect in each network also the AUROC of the reading on random "
        "mazes.",
    )


PUBLISHED_TABLES = {
    "up": {"in": ((0.995, 0.002), (0.0, 0.003)), "out": ((0.347, 0.604), (0.044, 0.005))},
    "right": {"in": ((0.98, 0.0), (0.0, 0.02)), "out": ((0.33, 0.65), (0.0, 0.02))},
}
PUBLISHED_OUTCOMES = {"up": ((0.366, 0.157), (0.035, 0.422))}


def _lines(studies: Sequence[NetworkStudy], line: Callable[[NetworkStudy, ChannelStudy], str]) -> str:
    return "\n".join(line(study, channel) for study in studies for channel in study.channels)


def _name(channel: ChannelStudy) -> str:
    return f"go-{channel.direction.name}"


def _place(study: NetworkStudy, channel: ChannelStudy) -> dict[str, Any]:
    return {"model": study.model, "direction": channel.direction.name.lower()}
