"""What the figures of `maze-channels` show: each puts the results of all networks into one plot's panels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from procscope.envs.maze.pairs import ORIENTATIONS
from procscope.experiments.maze_channels_results import CHEESE, ChannelStudy, NetworkStudy
from procscope.interventions.direction_channels import DIRECTIONS, reading_text
from procscope.interventions.paired_play import paired_outcomes
from procscope.visualization.arm_success import ArmPanel, ArmResult, plot_arm_success
from procscope.visualization.channel_tuning import TunedChannels, plot_tuning
from procscope.visualization.logistic_plot import LogisticPanel, plot_logistic
from procscope.visualization.pair_pictures import NumberRow, plot_pairs
from procscope.visualization.sums_by_direction import SumsPanel, plot_sums_by_direction
from procscope.visualization.two_by_two import CountTable, plot_count_tables
from procscope.workbench.logistic_curve import binned_shares, logistic_curve
from procscope.workbench.statistics import wilson

Shares = tuple[tuple[float, float], tuple[float, float]]
TRAININGS_OF_STUDY = ("cheese-top-right", "half-full-size cheese-top-right")
"""Published numbers stand only beside networks trained so."""
_DISTRIBUTION = {"in": "cheese top right", "out": "cheese elsewhere"}


def short_name(model: str) -> str:
    """A network's name, or what tells its path from others."""
    path = Path(model)
    if path.suffix != ".safetensors":
        return model
    return path.parent.name if path.stem == "network" else path.stem


def pairs_figure(studies: Sequence[NetworkStudy]) -> Figure:
    """The first base maze that the channels are measured on, with the sums of every network's channels."""
    pairs = studies[0].example
    rows = [
        NumberRow(
            f"{short_name(study.model)}: {channel.channel} go-{channel.direction.name}",
            study.check.sums[0, :, :, channel.channel].ravel().tolist(),
        )
        for study in studies
        for channel in study.channels
    ]
    titles = [(first.name, second.name) for first, second in ORIENTATIONS]
    return plot_pairs([(pair.first, pair.second) for pair in pairs], titles, rows)


def tuning_figure(studies: Sequence[NetworkStudy]) -> Figure:
    """The ten channels of the largest effect in each network."""
    panels = []
    for study in studies:
        finder = study.finder
        channels = finder.strongest(10)
        labels = [f"{channel} {reading_text(finder.reading(channel))}" for channel in channels]
        title = short_name(study.model)
        panels.append(TunedChannels(title, labels, finder.tuning.T[channels], finder.effects[channels]))
    return plot_tuning(panels, [direction.name for direction in DIRECTIONS])


def sums_figure(studies: Sequence[NetworkStudy]) -> Figure:
    """Sums by right and wrong direction: a row a direction and distribution, a column a network."""

    def panel(study: NetworkStudy, channel: ChannelStudy, distribution: str) -> SumsPanel:
        readout = channel.readouts[distribution]
        try:
            area = readout.auroc
            note = f"AUROC {area.value:.3f} ({area.low:.3f}–{area.high:.3f})"
        except ValueError:
            note = "AUROC undefined"
        title = f"{short_name(study.model)}, channel {channel.channel}\n{_DISTRIBUTION[distribution]}"
        largest = max(float(each.sums.max()) for each in channel.readouts.values())
        return SumsPanel(
            title, readout.sums, readout.is_right, channel.direction.name, _threshold(channel), largest, note
        )

    return plot_sums_by_direction(
        [
            [panel(study, study.channels[place], distribution) for study in studies]
            for place in range(len(studies[0].channels))
            for distribution in CHEESE
        ]
    )


def decision_figure(
    studies: Sequence[NetworkStudy], direction: str, published: Mapping[str, Shares]
) -> Figure:
    """The study's tables for the channels of one direction: a row a distribution, a column a network."""
    name = direction.upper()

    def table(study: NetworkStudy, distribution: str) -> CountTable:
        channel = next(each for each in study.channels if each.direction.name == name)
        counts = (0, 0, 0, 0) if _threshold(channel) is None else channel.table(distribution)
        return CountTable(
            f"{short_name(study.model)}\n{_DISTRIBUTION[distribution]}",
            ((counts[0], counts[1]), (counts[2], counts[3])),
            rows=(f"mouse\n{name}", f"mouse\nnot {name}"),
            columns=(f"cheese is {name}", f"corner is {name}"),
            published=published[distribution] if study.training in TRAININGS_OF_STUDY else None,
        )

    return plot_count_tables([[table(study, distribution) for study in studies] for distribution in CHEESE])


def distance_figure(studies: Sequence[NetworkStudy], size: int) -> Figure:
    """A logistic curve for each channel: a row a direction, a column a network."""

    def panel(study: NetworkStudy, channel: ChannelStudy) -> LogisticPanel:
        title = f"{short_name(study.model)}\nchannel {channel.channel} (go-{channel.direction.name})"
        if _threshold(channel) is None:
            return LogisticPanel(title, None, (), "no threshold")
        squares = channel.pooled(size)
        if not len(squares):
            return LogisticPanel(title, None, (), "no squares")
        away, shows = squares.cheese_to_corner_cells, squares.shows_cheese
        bins = binned_shares(away, shows)
        try:
            curve = logistic_curve(away, shows)
        except ValueError:
            return LogisticPanel(title, None, bins, f"no slope, n {len(squares)}")
        note = f"slope {curve.slope.value:.2f} ({curve.slope.low:.2f} to {curve.slope.high:.2f})\nn {len(squares)}"
        return LogisticPanel(title, curve, bins, note)

    return plot_logistic(
        [
            [panel(study, study.channels[place]) for study in studies]
            for place in range(len(studies[0].channels))
        ],
        xlabel="cheese to corner (cells, straight)",
        ylabel="channel shows the cheese",
    )


def arms_figure(studies: Sequence[NetworkStudy]) -> Figure:
    """Success by arm: a row a direction, a column a network."""

    def panel(study: NetworkStudy, channel: ChannelStudy) -> ArmPanel:
        found = channel.found
        arms = [
            ("untouched", "black", found.original),
            ("zero", "vermilion", found.zero),
            ("mean", "orange", found.mean),
        ]
        arms += [("random, zero", "grey", each) for each in found.random.values()]
        arms += [("like norm, zero", "blue", each) for each in found.matched.values()]
        title = f"{short_name(study.model)}\nchannel {channel.channel} (go-{channel.direction.name})"
        return ArmPanel(
            title,
            [ArmResult(line, wilson(int(each.sum()), len(each)), colour) for line, colour, each in arms],
        )

    return plot_arm_success(
        [
            [panel(study, study.channels[place]) for study in studies]
            for place in range(len(studies[0].channels))
        ]
    )


def outcomes_figure(studies: Sequence[NetworkStudy], published: Mapping[str, Shares]) -> Figure:
    """The study's table of pairs of outcomes: a row a direction, a column a network."""

    def table(study: NetworkStudy, channel: ChannelStudy) -> CountTable:
        pairs = paired_outcomes(channel.found.original, channel.found.zero)
        return CountTable(
            f"{short_name(study.model)}\nchannel {channel.channel} (go-{channel.direction.name})",
            ((pairs.both_found, pairs.only_modified_found), (pairs.only_original_found, pairs.neither_found)),
            rows=("zeroed:\nfound", "zeroed:\nnot"),
            columns=("untouched:\nfound", "untouched:\nnot"),
            published=published.get(channel.direction.name.lower())
            if study.training in TRAININGS_OF_STUDY
            else None,
        )

    return plot_count_tables(
        [
            [table(study, study.channels[place]) for study in studies]
            for place in range(len(studies[0].channels))
        ]
    )


def _threshold(channel: ChannelStudy) -> float | None:
    try:
        return channel.threshold
    except ValueError:
        return None
