"""The numbers of `clusterability` that compare conditions with one another: what S0's words say beyond its tables."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from procscope.experiments.clusterability_setup import DENSE
from procscope.experiments.clusterability_studies import (
    ConditionResult,
    difference_interval,
    mean_of_networks,
    where_of,
)
from procscope.modularity.network_study import initial_n_cut
from procscope.modularity.shuffles import z_score
from procscope.workbench.ledger import Ledger
from procscope.workbench.statistics import Interval

REGULARISED = ("none", "dropout")


def record_claims(ledger: Ledger, results: Sequence[ConditionResult]) -> None:
    """Record differences between conditions, for the rows that were run."""
    by_row: dict[str, list[ConditionResult]] = {}
    for result in results:
        by_row.setdefault(result.condition.target, []).append(result)
    for target, record in RECORDERS.items():
        if target in by_row:
            try:
                record(ledger, by_row[target])
            except LookupError as missing:
                ledger.record.log(f"comparisons of {target} are left out: {missing}")


def _mlp(ledger: Ledger, results: list[ConditionResult]) -> None:
    for result in results:
        place = _place(result, "regularisation")
        _add(ledger, "C3.mlp/pruning_change", lambda r=result: _pruning_change(r), place)
    for data in ("MNIST", "Fashion-MNIST"):
        plain, dropout = (_find(results, data=data, regularisation=kind) for kind in REGULARISED)
        _add(
            ledger,
            "C3.mlp/dropout_change",
            lambda p=plain, d=dropout: difference_interval(_cuts(d, "pruned"), _cuts(p, "pruned")),
            _place(plain),
        )


def _halves(ledger: Ledger, results: list[ConditionResult]) -> None:
    for data in ("MNIST", "Fashion-MNIST"):
        same, diff = (_find(results, data=data, pairing=pairing) for pairing in ("same", "diff"))
        for stage in ("unpruned", "pruned"):
            place = _place(same) | {"pruned": stage == "pruned"}
            if same.condition.target == "C3.halves":
                zs = lambda r, s=stage: r.z_scores(s, r.condition.measures[0])  # noqa: E731
                _add(
                    ledger,
                    "C3.halves/z_difference",
                    lambda z=zs, d=diff, s=same: difference_interval(z(d), z(s)),
                    place,
                )
            else:
                _add(
                    ledger,
                    "C3.stack/n_cut_difference",
                    lambda d=diff, s=same, g=stage: difference_interval(_cuts(d, g), _cuts(s, g)),
                    place,
                )


def _mixture(ledger: Ledger, results: list[ConditionResult]) -> None:
    for kind in REGULARISED:
        low, high = (_find(results, data=data, regularisation=kind) for data in ("LINES", "MNIST"))
        for data in ("LINES-MNIST", "LINES-MNIST-SEP"):
            mixed = _find(results, data=data, regularisation=kind)
            _add(
                ledger,
                "C3.mixture/between",
                lambda m=mixed, a=low, b=high: _between(
                    _cuts(m, "pruned"), _cuts(a, "pruned"), _cuts(b, "pruned")
                ),
                _place(mixed, "regularisation"),
            )


def _random(ledger: Ledger, results: list[ConditionResult]) -> None:
    for result in results:
        starts = np.array([initial_n_cut(study.training) for study in result.studies])
        _add(
            ledger,
            "C3.random/change_from_init",
            lambda r=result, s=starts: mean_of_networks(_cuts(r, "unpruned") - s),
            _place(result, "arm", "regularisation"),
        )


def _topology(ledger: Ledger, results: list[ConditionResult]) -> None:
    for result in results:
        layer, fixed = result.condition.measures
        every, kept = (result.measured("pruned", measure) for measure in (layer, fixed))
        place = _place(result, "regularisation")
        _add(
            ledger,
            "C3.topology/below_nonzero",
            lambda k=kept: mean_of_networks(np.array([z_score(test.n_cut, test.shuffled) for test in k])),
            place,
        )
        apart = np.array(
            [one.shuffled.mean() - other.shuffled.mean() for one, other in zip(kept, every, strict=True)]
        )
        _add(ledger, "C3.topology/nonzero_below_layer", lambda a=apart: mean_of_networks(a), place)


RECORDERS: dict[str, Callable[[Ledger, list[ConditionResult]], None]] = {
    "C3.mlp": _mlp,
    "C3.halves": _halves,
    "C3.stack": _halves,
    "C3.mixture": _mixture,
    "C3.random": _random,
    "C3.topology": _topology,
}


def _cuts(result: ConditionResult, stage: str) -> np.ndarray:
    measures = result.condition.measures
    return result.cuts(stage, DENSE if DENSE in measures else measures[0])


def _pruning_change(result: ConditionResult) -> Interval:
    """Paired: the same networks before and after."""
    return mean_of_networks(_cuts(result, "pruned") - _cuts(result, "unpruned"))


def _between(mixed: np.ndarray, low: np.ndarray, high: np.ndarray) -> Interval:
    """Where the mixture lies from one part (0) to the other (1); its networks' spread alone makes the interval."""
    apart = high.mean() - low.mean()
    if apart == 0:
        raise ValueError("the two parts have the same n-cut: nothing lies between them")
    return mean_of_networks((mixed - low.mean()) / apart)


def _find(results: Sequence[ConditionResult], **where: Any) -> ConditionResult:
    """Raises LookupError: the condition was not run."""
    for result in results:
        if all(result.condition.where[key] == value for key, value in where.items()):
            return result
    raise LookupError(f"{', '.join(map(str, where.values()))} was not run")


def _place(result: ConditionResult, *keys: str) -> dict[str, Any]:
    """`where` of a number that is about no single stage."""
    whole = where_of(result, "pruned")
    kept = {"model", "data", "network", "source", *keys}
    return {key: value for key, value in whole.items() if key in kept}


def _add(ledger: Ledger, id: str, compute: Callable[[], Interval], where: dict[str, Any]) -> None:
    ledger.add(id, compute, where, "1")
