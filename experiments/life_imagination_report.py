"""How `life-imagination` tells what it found: tables, pictures, films, and what differs from the text.

Every number in the prose is quoted from the run's own numbers (`Ledger`).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from procscope.experiments.life_imagination_numbers import PLAIN, RowResults, table_of_row
from procscope.experiments.life_imagination_setup import GROWING, ROWS, Config
from procscope.imagination.confusion_plot import Confusion, plot_confusions
from procscope.imagination.growing_picture import subset_and_coverage
from procscope.imagination.network_study import StudyMember, measured_rollouts, network_of
from procscope.imagination.shown_sequences import shown
from procscope.imagination.study_film import study_film
from procscope.workbench.figures import styled, subplots
from procscope.workbench.ledger import Ledger
from procscope.workbench.run_intervals import mean_of_runs
from procscope.workbench.statistics import Interval

_DECODERS = ("plain", "adversarial")
_NAMES = {"plain": "own", "adversarial": "adversarial"}


class TableRow(NamedTuple):
    """A line of the table of all rows."""

    row: str
    networks: int
    counted: int
    published: str
    metric: str
    without_adversarial: str
    with_adversarial: str
    one_to_one: str
    highest_floor: str
    updates: str
    minutes: str


def write_report(
    ledger: Ledger,
    config: Config,
    rows: list[RowResults],
    members: dict[str, list[StudyMember]],
    trainings: Path,
) -> None:
    """Add prose, tables, figures and films to the record."""
    _in_short(ledger, config, rows)
    _tell_confusions(ledger, rows)
    _tell_learning_order(ledger, rows)
    for each in rows:
        film = study_film(members[each.row.name], each.results, trainings, config.filmed)
        if film is not None:
            ledger.record.animation(
                f"film-{each.row.name.replace(',', '').replace(' ', '-')}",
                film,
                f"{each.row.name}: the first {config.filmed} measured sequences and what the first network shows of "
                "them. Grey frames: taught; green: matches the true state of its time in 95% of the cells; orange: "
                "matches another state between; red: matches none.",
            )
    _tell_growing(ledger, rows, members, trainings)
    _differences(ledger, config)


def _in_short(ledger: Ledger, config: Config, rows: list[RowResults]) -> None:
    discarded = sum(len(each.results) - len(each.counted) for each in rows)
    trained = sum(len(each.results) for each in rows)
    boards = [result["share_for_boards"] for each in rows for result in each.results]
    ledger.record.say(
        "In short",
        "Networks of three parts, an encoder, a core that is applied several times and a decoder, are taught the "
        "last state of a sequence from its first. Then the decoder is applied to what the core held in between, and "
        f"what it shows is compared with the true states between on {config.sequences} sequences each. The metric "
        "counts imagined states that match a true one in 95% of the cells. As in the text, each network counts with "
        "the better of two decoders: its own, and one that learned anew with a discriminator.\n\n"
        f"{discarded} of {trained} networks missed 99% accuracy on the last state and are left out. Making boards took "
        f"{100 * max(boards):.1f}% of the training time at most.",
    )
    ledger.record.table(
        "rows",
        [_table_row(ledger, each) for each in rows],
        "Means over networks. Highest floor: the largest metric of what knows nothing (a copy of the first or of the "
        "last state, a dead board, an untrained network). Updates and minutes: medians of a training, on one core.",
    )


def _table_row(ledger: Ledger, each: RowResults) -> TableRow:
    name, target, counted = each.row.name, table_of_row(each.row.name), each.counted

    def mean(values: np.ndarray) -> str:
        return f"{values.mean():.3f}" if len(values) else ""

    floors = [float(values.mean()) for values in each.floors().values()]
    return TableRow(
        name,
        len(each.results),
        len(counted),
        "" if each.row.published is None else f"{each.row.published:.2f}",
        ledger.quote(f"{target}/metric", row=name),
        mean(each.values("plain")),
        mean(each.values("adversarial")),
        ledger.quote(f"{target}/one_to_one", row=name, interval=False),
        f"{max(floors):.3f}" if floors else "",
        f"{np.median([result['updates'] for result in each.results]):.0f}",
        f"{np.median([result['seconds'] for result in each.results]) / 60:.1f}",
    )


def _tell_confusions(ledger: Ledger, rows: list[RowResults]) -> None:
    panels = [
        Confusion(
            f"{each.row.name}\n({_NAMES[decoder]} decoder)", each.values(decoder, "matches").mean(axis=0)
        )
        for each in rows
        if each.counted and each.row.name != GROWING.name
        for decoder in _DECODERS
    ]
    if panels:
        ledger.record.figure(
            "confusion",
            plot_confusions(panels),
            "Which imagined state matches which true one: share of sequences, means over networks. A network whose "
            "steps are the world's fills the diagonal from h1 and s2.",
        )


def _tell_learning_order(ledger: Ledger, rows: list[RowResults]) -> None:
    plain = next((each for each in rows if each.row.name == PLAIN and each.counted), None)
    if plain is None:
        return
    ledger.record.say(
        "In which order are the states learned?",
        "The text finds that the states between are right before the last one is, although only the last one is "
        "taught. Here, by the decoder as it was at the time, the third state reaches 98% of its cells in "
        f"{ledger.quote('S2.learning-order/reached', state='third')} of the networks and the second in "
        f"{ledger.quote('S2.learning-order/reached', state='second')}; where it does, the third leads the last by "
        f"{ledger.quote('S2.learning-order/lead', state='third')} updates and the second by "
        f"{ledger.quote('S2.learning-order/lead', state='second')}.",
    )
    ledger.record.figure(
        "learning-order",
        plot_learning(plain),
        "Cells that are right in each state while the networks learn; one line a network. The last state is taught, "
        "the others are imagined and shown by the network's own decoder.",
    )


@styled()
def plot_learning(each: RowResults) -> Figure:
    """Similarity of each state to the true one over the updates, one line a network and state."""
    figure, axes = subplots(width_inches=6.4, height_inches=3.4)
    states = len(each.counted[0]["reached_98"])
    for index in range(states):
        column = 3 + index if index < states - 1 else 2
        for number, result in enumerate(each.counted):
            curve = np.array(result["curve"])
            label = f"state {index + 2}" + (" (taught)" if index == states - 1 else "")
            axes.plot(
                curve[:, 0],
                curve[:, column],
                color=f"C{index}",
                linewidth=1.3,
                alpha=0.8,
                label=label if number == 0 else None,
            )
    axes.axhline(0.98, color="#8A9099", linewidth=1, linestyle="--")
    axes.set(xlabel="updates", ylabel="share of cells that are right", ylim=(None, 1.005))
    axes.legend()
    return figure


def _tell_growing(
    ledger: Ledger, rows: list[RowResults], members: dict[str, list[StudyMember]], trainings: Path
) -> None:
    each = next((each for each in rows if each.row.name == GROWING.name and each.counted), None)
    if each is None:
        return
    subsets, coverages = [], []
    for member, result in zip(members[GROWING.name], each.results, strict=True):
        if result["counts"]:
            rollouts = measured_rollouts(member).part(slice(0, 256))
            network = network_of(member.training, trainings).network
            growth = subset_and_coverage(shown(network, rollouts, 2)[:, 1:-1], rollouts)
            subsets.append(growth.subset)
            coverages.append(growth.coverage)
    for index in range(len(coverages[0])):
        for quantity, values in (("subset", subsets), ("coverage", coverages)):
            column = np.array([value[index] for value in values])
            ledger.add(
                f"S2.wishes/{quantity}",
                lambda column=column: mean_of_finite(column),
                {"state": index + 2},
                "share",
            )
    lines = [
        f"state {index + 2}: {ledger.quote('S2.wishes/subset', state=index + 2, interval=False)} of what is shown "
        f"belongs to the picture, of which {ledger.quote('S2.wishes/coverage', state=index + 2, interval=False)} is "
        "there"
        for index in range(len(coverages[0]))
    ]
    ledger.record.say(
        "A rule that must reach a picture",
        "The text's further work: targets of growing cellular automata, whose states between are said to be usually "
        "subsets of the target. A network is taught to turn one live cell into a heart round it, in four steps, and "
        "nobody says how. "
        "Shown by its own decoder:\n\n" + "\n".join(f"- {line}" for line in lines),
    )


def mean_of_finite(values: Float[np.ndarray, " run"]) -> Interval:
    """The mean over networks in which the quantity is defined. Raises ValueError: in none."""
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        raise ValueError("no imagined state has a live cell")
    return mean_of_runs(finite)


def _differences(ledger: Ledger, config: Config) -> None:
    training = config.training(ROWS[1], seed=0)
    ledger.record.say(
        "What differs from the text, and what it leaves open",
        "- The number of networks: the text has 6 to 42 a row.\n"
        "- Not stated in the text, and as in the authors' code (github.com/wichersn/visualize-nn-imagination): kernels "
        f"of 3x3, leaky ReLUs, a core of {training.block_layers} layers a step that adds to its state, a linear "
        "decoder and squared errors of both states, cells beyond the edge dead, nine of ten first states run on "
        "before; the adversarial stage with a new decoder, which is taught alone at first, and a small discriminator.\n"
        f"- Neither stated nor as in the code: boards of {training.world.side}x{training.world.side} (there 20x20); "
        f"Adam with a learning rate of {training.learning_rate:g} on {training.batch} boards an update (there up to "
        f"0.001 on 200 to 512); {training.settle_updates} updates after 99% of the last state's cells are right on "
        f"fresh boards; {config.adversarial_updates} updates of the adversarial stage.\n"
        "- The authors' configurations search widths, layers and learning rates for the largest metric; how the "
        "networks of the tables were drawn from such searches is not stated. Here the settings are the same in all "
        "rows; they were chosen by some ten trial networks with seed 0 (docs/imagination.md).\n"
        "- Since the optimiser is not stated, only the order of learning is compared, not the number of updates.\n"
        "- The text's rows of tables 1 and 3 with the same settings are averages over different subsets of its "
        "networks (22 and 10); here both rest on the same networks.\n"
        "- Widths above 20 are not named in the text: 40 and 80 here, taken together.",
    )
