"""Two policies on the same levels with the same action noise: who reaches the goal where the other does not?

Pairs of episodes tell far more than two success rates: levels that both solve, or neither does, say nothing about the
difference, and drop out. The interval of the difference is Newcombe's for pairs, the test McNemar's exact one
(`procscope.workbench.statistics`).

    comparison = compare(evaluate(first, **options), evaluate(second, **options))

Cost: two evaluations.

Axes: `episode` in the order of the levels.
"""

from typing import NamedTuple

import numpy as np

from procscope.agents.evaluate import Evaluation
from procscope.workbench.statistics import Interval, mcnemar_exact, paired_difference


class Comparison(NamedTuple):
    """What the episodes of two policies say of the difference between them."""

    first: Interval
    """Success of the first policy."""
    second: Interval
    difference: Interval
    """Success of the second less that of the first."""
    only_first: int
    """Levels that the first policy alone solved."""
    only_second: int
    mcnemar_p: float
    """Two-sided exact p-value of no difference."""
    steps_difference: float | None
    """Mean steps of the second less those of the first where both reached the goal; None where they never did."""


def compare(first: Evaluation, second: Evaluation) -> Comparison:
    """Compare two evaluations of the same levels.

    Raises ValueError when they are of different numbers of episodes, or of levels that differ.
    """
    if len(first.episodes.success) != len(second.episodes.success) or any(
        name not in first.groups or not np.array_equal(first.groups[name], groups)
        for name, groups in second.groups.items()
    ):
        raise ValueError(
            "expected two evaluations of the same levels; these differ in their number or in "
            f"{', '.join(second.groups)}. Evaluate both with the same seeds, variants and episodes"
        )
    one, other = first.episodes.success, second.episodes.success
    both = one & other
    steps = second.episodes.steps[both] - first.episodes.steps[both]
    only_first, only_second = int((one & ~other).sum()), int((other & ~one).sum())
    return Comparison(
        first=first.success,
        second=second.success,
        difference=paired_difference(other, one),
        only_first=only_first,
        only_second=only_second,
        mcnemar_p=mcnemar_exact(only_first, only_second),
        steps_difference=float(steps.mean()) if both.any() else None,
    )
