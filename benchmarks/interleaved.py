"""Compare ways of doing the same work on a machine that does other things too: in short rounds, turn by turn.

Every round times each way once, in an order that changes from round to round; a ratio is taken within a round, where
both ways met the same machine, and the median over rounds is reported with its middle half.
"""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from tqdm import tqdm


class Ratio(NamedTuple):
    """Median over rounds, and the bounds of the middle half of them."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3f}  ({self.low:.3f} to {self.high:.3f})"


class Rounds(NamedTuple):
    """Seconds that each way took, one entry per round."""

    seconds: dict[str, np.ndarray]

    def speed(self, way: str, baseline: str) -> Ratio:
        """How fast a way is against another: 1 as fast, 0.5 half as fast."""
        ratios = self.seconds[baseline] / self.seconds[way]
        return Ratio(*np.quantile(ratios, [0.5, 0.25, 0.75]))

    def rate(self, way: str, amount: int) -> float:
        """Amount per second, when a round does so much."""
        return amount / float(np.median(self.seconds[way]))


def interleave(ways: Mapping[str, Callable[[], object]], seconds: float, least_rounds: int = 8) -> Rounds:
    """Time all ways, turn by turn, until about so many seconds are over; the first round is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    order = list(ways)
    for name in order:
        ways[name]()
    began = time.perf_counter()
    with tqdm(desc="rounds", leave=False) as progress:
        while (now := time.perf_counter()) - began < seconds or len(taken[order[0]]) < least_rounds:
            order.append(order.pop(0))
            for name in order:
                now = time.perf_counter()
                ways[name]()
                taken[name].append(time.perf_counter() - now)
            progress.update()
    return Rounds({name: np.array(values) for name, values in taken.items()})
