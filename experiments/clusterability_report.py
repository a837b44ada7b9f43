"""How the experiments on clusterability tell what they found: tables and figures, with the published numbers beside."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from procscope.experiments.clusterability_networks import stand_ins
from procscope.experiments.clusterability_setup import Config
from procscope.experiments.clusterability_studies import ConditionResult, where_of
from procscope.modularity.network_study import STAGES, Measure
from procscope.modularity.pictures import ConditionPoints, plot_conditions, plot_shuffles
from procscope.modularity.shuffles import left_p_value
from procscope.workbench.ledger import Ledger
from procscope.workbench.metrics import Metric

TITLES = {
    "C3.mlp": "Fully connected networks on pictures",
    "C3.halves": "Two pictures side by side",
    "C3.poly": "Polynomial regression",
    "C3.mixture": "Mixtures of two data sets",
    "C3.random": "Noise, learned or not",
    "C3.topology": "Shuffles that keep the topology",
    "C3.k": "The number of clusters",
    "C3.cnn": "Small convolutional networks",
    "C3.vgg": "VGG",
    "C3.stack": "Two pictures in two channels",
    "C3.clustreg": "The eigenvalue penalty",
    "C3.clustinit": "Clusterable initialisation",
}


class TableRow(NamedTuple):
    """One condition at one stage, as in S0's tables."""

    condition: str
    pruned: str
    n_cut: str
    published: str
    shuffles: str
    published_shuffles: str
    below_all: str
    train: str
    test: str


def write_report(
    ledger: Ledger, config: Config, results: Sequence[ConditionResult], own: Mapping[str, np.ndarray]
) -> None:
    """Add prose, a table and a figure for every row to the record."""
    record = ledger.record
    record.say(
        "In short",
        "A network is a graph of its neurons; its n-cut with 12 clusters is low if groups of neurons share strong "
        "weights and few lead out of them. The n-cut is compared with those of shuffles: the same network with each "
        f"layer's weights permuted. {config.networks} network(s) stand for each condition, {config.shuffles} shuffles "
        "for each network; each claim above has the rule that was written before the run.\n\n"
        "Data:\n\n" + stand_ins(mnist=config.mnist, fashion=config.fashion, cifar10=config.cifar10),
    )
    for target in dict.fromkeys(result.condition.target for result in results):
        tell_conditions(ledger, target, [result for result in results if result.condition.target == target])
    for name, cuts in own.items():
        record.figure(
            f"own-{name}",
            plot_shuffles(float(cuts[0]), {"layer": cuts[1:]}),
            f"`{name}`, an IMPALA policy of this project, among shuffles of its convolutions' weights.",
        )


def tell_conditions(ledger: Ledger, target: str, results: Sequence[ConditionResult]) -> None:
    """One row of the chapter: its table and its figure."""
    name = target.partition(".")[2]
    ledger.record.table(
        name,
        [
            table_row(ledger, result, stage, measure)
            for result in results
            for stage in STAGES
            for measure in result.condition.measures
        ],
        f"{TITLES[target]}. N-cuts and shuffles: means over networks; 'below all' counts networks with a lower n-cut "
        "than every shuffle of theirs.",
    )
    points = [
        _points(ledger, result, stage, measure)
        for result in results
        for stage in STAGES
        for measure in result.condition.measures
    ]
    ledger.record.figure(
        name,
        plot_conditions(points, TITLES[target]),
        "Each network's n-cut (dots) beside its shuffles' mean and standard deviation; crosses are published means.",
    )


def table_row(ledger: Ledger, result: ConditionResult, stage: str, measure: Measure) -> TableRow:
    tests = result.measured(stage, measure)
    below = sum(left_p_value(test.n_cut, test.shuffled) <= 1 / (len(test.shuffled) + 1) for test in tests)
    cuts, shuffled = (_metric(ledger, result, stage, measure, each) for each in ("n_cut", "shuffled_n_cut"))
    spread = np.mean([test.shuffled.std() for test in tests])
    return TableRow(
        _name(result, measure),
        "yes" if stage == "pruned" else "no",
        f"{cuts.value:.3f}",
        "" if cuts.published is None else f"{cuts.published:g}",
        f"{shuffled.value:.3f} ± {spread:.3f}",
        "" if shuffled.published is None else f"{shuffled.published:g}",
        f"{below}/{len(tests)}",
        f"{result.scores(stage, 'train_score').mean():.3f}",
        f"{result.scores(stage).mean():.3f}",
    )


def _points(ledger: Ledger, result: ConditionResult, stage: str, measure: Measure) -> ConditionPoints:
    tests = result.measured(stage, measure)
    cuts, shuffled = (_metric(ledger, result, stage, measure, each) for each in ("n_cut", "shuffled_n_cut"))
    both = cuts.published is not None and shuffled.published is not None
    return ConditionPoints(
        f"{_name(result, measure)}{', pruned' if stage == 'pruned' else ''}",
        result.cuts(stage, measure),
        np.array([test.shuffled.mean() for test in tests]),
        np.array([test.shuffled.std() for test in tests]),
        (float(cuts.published), float(shuffled.published)) if both else None,  # type: ignore[arg-type]
    )


def _metric(ledger: Ledger, result: ConditionResult, stage: str, measure: Measure, quantity: str) -> Metric:
    where: dict[str, Any] = where_of(result, stage)
    if len(result.condition.measures) > 1:
        where |= {"k": measure.k, "shuffle": measure.kind}
    found = ledger.find(f"{result.condition.target}/{quantity}", **where)
    if not isinstance(found, Metric):
        raise ValueError(f"{quantity} of {_name(result, measure)} is undefined: {found.reason}")
    return found


def _name(result: ConditionResult, measure: Measure) -> str:
    several = len(result.condition.measures) > 1
    words = [str(value) for value in result.condition.where.values()]
    return ", ".join(words + ([f"k = {measure.k}, {measure.kind}"] if several else []))
