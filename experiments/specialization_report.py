"""How `specialization` tells what it found: S0's tables with the published numbers beside, lesions, figures, prose."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from procscope.experiments.clusterability_networks import stand_ins
from procscope.experiments.specialization_figures import (
    FisherPoint,
    plot_examples,
    plot_fisher,
    plot_percentiles,
)
from procscope.experiments.specialization_numbers import MeasureTest
from procscope.experiments.specialization_setup import CHECKS, Condition, Config
from procscope.experiments.specialization_studies import (
    LESION_MEASURES,
    MEASURES,
    PICTURE_MEASURES,
    ConditionGroups,
    PartitionStudy,
    example_pictures,
)
from procscope.modularity.specialization_statistics import centred_percentiles, null_fisher
from procscope.workbench.ledger import Ledger
from procscope.workbench.metrics import Metric

TITLES = {
    "accuracy": "Accuracy drop",
    "class": "Class range",
    "score": "Picture score",
    "entropy": "Output entropy",
}
EXAMPLES = 6
"""Groups whose pictures are shown."""
LESIONS = 12
"""Groups in the table of single lesions."""


class TableRow(NamedTuple):
    """One condition under one partition, for two measures; as in Tables 4.1 to 4.6."""

    condition: str
    partition: str
    groups: int
    fisher: str
    published: str
    p: str
    effect: str
    published_effect: str
    fisher_2: str
    published_2: str
    p_2: str
    effect_2: str
    published_effect_2: str


class LesionRow(NamedTuple):
    """One group of one network."""

    layer: str
    cluster: int
    neurons: int
    accuracy_drop: str
    random_drop: str
    percentile: str
    worst_class: str
    best_class: str


def write_report(ledger: Ledger, config: Config, tests: Sequence[MeasureTest]) -> None:
    """Add prose, tables and figures to the record."""
    record = ledger.record
    record.say("In short", _in_short(tests, config))
    conditions = list(dict.fromkeys(one.groups.condition for one in tests))
    for measures, name in ((LESION_MEASURES, "lesions"), (PICTURE_MEASURES, "pictures")):
        rows = [
            _table_row(ledger, condition, pair)
            for condition in conditions
            for pair in _pairs(tests, condition, measures)
        ]
        if rows:
            record.table(name, rows, _caption(measures))
    for row in dict.fromkeys(condition.row for condition in conditions):
        panels = {
            TITLES[measure]: [_point(ledger, one) for one in tests if _is(one, row, measure)]
            for measure in MEASURES
        }
        record.figure(
            f"fisher-{row}",
            plot_fisher(panels, null_fisher(config.randoms)),
            "High: more groups than by chance are more special than random groups of their size and layer.",
        )
    for condition in conditions:
        if condition.row not in CHECKS:
            _tell_network(ledger, config, condition, tests)
    record.say("What differs from the published set-up", _differences(config))


def _tell_network(ledger: Ledger, config: Config, condition: Condition, tests: Sequence[MeasureTest]) -> None:
    """Percentiles, single lesions and pictures of one kind of network."""
    record, name = ledger.record, condition.network
    of_network = [one for one in tests if one.groups.condition == condition]
    for measure in ("accuracy", "score"):
        panels = {
            _partition(one.groups): np.concatenate(one.test.percentiles)
            for one in of_network
            if one.measure == measure
        }
        record.figure(
            f"percentiles-{name}-{measure}",
            plot_percentiles(panels),
            f"{TITLES[measure]}, {name}: percentiles of all groups of all networks; the line is that of random groups.",
        )
    first = next((one.groups for one in of_network if one.groups.networks[0].groups), None)
    if first is None:
        return
    record.table(
        f"single-lesions-{name}",
        _lesion_rows(first),
        f"The {LESIONS} most important groups of the first {name}, {_partition(first)}: accuracy lost by the lesion, "
        "the mean of random groups of the same size in the same layer, and the classes that lose most and least.",
    )
    study = PartitionStudy(
        condition.trainings(1)[0],
        first.input,
        first.scope,
        condition.k,
        config.randoms,
        config.steps,
        config.test_samples,
        config.correlation_samples,
    )
    shown = example_pictures(study, record.directory.parent / "members", EXAMPLES)
    if shown is not None:
        record.figure(
            f"pictures-{name}",
            plot_examples(shown),
            f"What excites the largest groups of the first {name} most ({_partition(first)}), with the score reached; "
            "below, random groups of the same size.",
        )


def _lesion_rows(groups: ConditionGroups) -> list[LesionRow]:
    network = groups.networks[0]
    true, random = network.measures["accuracy"]
    percentiles = centred_percentiles(true, random)
    return [
        LesionRow(
            network.groups[i].layer,
            network.groups[i].cluster,
            len(network.groups[i].units),
            f"{100 * true[i]:.1f}%",
            f"{100 * random[i].mean():.1f}%",
            f"{percentiles[i]:.3f}",
            f"{network.class_drops[i].argmax()} ({100 * network.class_drops[i].max():.0f}%)",
            f"{network.class_drops[i].argmin()} ({100 * network.class_drops[i].min():.0f}%)",
        )
        for i in np.argsort(-true)[:LESIONS].tolist()
    ]


def _in_short(tests: Sequence[MeasureTest], config: Config) -> str:
    lines = [
        "A network's neurons are clustered by its weights or by how its activations correlate, over the whole network "
        f"or layer by layer ({config.k} clusters). Each cluster's part in each layer is compared with {config.randoms} "
        "random groups of the same size in the same layer. Significant means after Benjamini and Hochberg's correction "
        f"for all {len(tests)} tests of this run.\n"
    ]
    main = [one for one in tests if one.groups.condition.row not in CHECKS]
    for measure in MEASURES:
        chosen = [one for one in main if one.measure == measure]
        if chosen:
            effects = [one.test.effect.mean for one in chosen]
            lines.append(
                f"- {TITLES[measure]}: significant in {sum(one.significant for one in chosen)} of {len(chosen)} "
                f"conditions; mean effects {min(effects):.2f} to {max(effects):.2f} (1 is none)."
            )
    return "\n".join(lines)


def _differences(config: Config) -> str:
    return (
        stand_ins(mnist=config.mnist, cifar10=config.cifar10)
        + "\n- Neurons are correlated over training pictures; lesions are judged on the test set."
        "\n- Networks keep one grey channel, where the published ones were trained again on three for Lucid's sake."
        "\n- ImageNet's networks are left out: they need its pictures and published weights."
    )


def _pairs(
    tests: Sequence[MeasureTest], condition: Condition, measures: Sequence[str]
) -> list[tuple[MeasureTest, MeasureTest]]:
    first, second = (
        [one for one in tests if one.groups.condition == condition and one.measure == measure]
        for measure in measures
    )
    return list(zip(first, second, strict=True))


def _table_row(ledger: Ledger, condition: Condition, pair: tuple[MeasureTest, MeasureTest]) -> TableRow:
    return TableRow(
        _name(condition),
        _partition(pair[0].groups),
        pair[0].test.n_groups,
        *(text for one in pair for text in _cells(ledger, one)),  # pyright: ignore[reportArgumentType]
    )


def _cells(ledger: Ledger, one: MeasureTest) -> tuple[str, ...]:
    star = "*" if one.significant else ""
    error = one.test.effect.standard_error
    return (
        f"{one.test.fisher.value:.2f}{star}",
        _published(ledger, one, "fisher"),
        f"{one.test.p_value:.2g}",
        f"{one.test.effect.mean:.3f} ± {error:.3f}",
        _published(ledger, one, "effect"),
    )


def _published(ledger: Ledger, one: MeasureTest, quantity: str) -> str:
    found = ledger.find(f"{one.target}/{one.measure}_{quantity}", **one.where)
    return f"{found.published:g}" if isinstance(found, Metric) and found.published is not None else ""


def _point(ledger: Ledger, one: MeasureTest) -> FisherPoint:
    published = _published(ledger, one, "fisher")
    value, low, high, _ = one.test.fisher
    name = f"{_name(one.groups.condition)}, {_partition(one.groups)}"
    return FisherPoint(name, value, low, high, float(published) if published else None, one.significant)


def _is(one: MeasureTest, row: str, measure: str) -> bool:
    return one.groups.condition.row == row and one.measure == measure


def _name(condition: Condition) -> str:
    more = {
        "k-robust": f", k = {condition.k}",
        "redundancy": f", {condition.training.regularisation.replace('none', 'unregularised')}",
    }
    return condition.network + more.get(condition.row, "")


def _partition(groups: ConditionGroups) -> str:
    return f"{groups.input}, {groups.scope}"


def _caption(measures: Sequence[str]) -> str:
    first, second = (TITLES[measure] for measure in measures)
    low = (
        "; low entropies are special, so that an effect below 1 is coherence" if "entropy" in measures else ""
    )
    return (
        f"{first} (first five numbers), then {second.lower()}: Fisher's statistic (* significant), the published one, "
        f"p-value, effect with its standard error, the published one{low}."
    )
