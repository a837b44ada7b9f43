"""Compare ways of doing the same work on a machine that does other things too: in short rounds, turn by turn.

Every round times each way once, in an order that changes from round to round; a ratio is taken within a round, where
both ways met the same machine, and the median over rounds is reported with its middle half. Beside the clock's time the
process's own CPU time is kept, which other processes hardly touch: of work that comes in bursts, as that of levels that
begin, only sums tell the cost, and `cpu_speed` compares those.
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
    cpu_seconds: dict[str, np.ndarray]
    """The same by the CPU time of this process, all threads together."""

    def speed(self, way: str, baseline: str) -> Ratio:
        """How fast a way is against another: 1 as fast, 0.5 half as fast."""
        ratios = self.seconds[baseline] / self.seconds[way]
        return Ratio(*np.quantile(ratios, [0.5, 0.25, 0.75]))

    def cpu_speed(self, way: str, baseline: str) -> float:
        """The same by the CPU time of all rounds together."""
        return float(self.cpu_seconds[baseline].sum() / self.cpu_seconds[way].sum())

    def rate(self, way: str, amount: int) -> float:
        """Amount per second, when a round does so much."""
        return amount / float(np.median(self.seconds[way]))


class Stopwatch:
    """For a way of which not all counts: the time between `start` and `stop`, summed up. The way returns it."""

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0

    def start(self) -> None:
        """From here on it counts."""
        self.cpu_seconds -= time.process_time()
        self.seconds -= time.perf_counter()

    def stop(self) -> None:
        """Up to here it counts."""
        self.seconds += time.perf_counter()
        self.cpu_seconds += time.process_time()


def interleave(ways: Mapping[str, Callable[[], object]], seconds: float, least_rounds: int = 8) -> Rounds:
    """Time all ways, turn by turn, until about so many seconds are over; the first round is not counted.

    A way that returns a `Stopwatch` took what that says.
    """
    taken: dict[str, list[Stopwatch]] = {name: [] for name in ways}
    order = list(ways)
    for name in order:
        ways[name]()
    began = time.perf_counter()
    with tqdm(desc="rounds", leave=False) as progress:
        while time.perf_counter() - began < seconds or len(taken[order[0]]) < least_rounds:
            order.append(order.pop(0))
            for name in order:
                whole = Stopwatch()
                whole.start()
                result = ways[name]()
                whole.stop()
                taken[name].append(result if isinstance(result, Stopwatch) else whole)
            progress.update()
    return Rounds(
        {name: np.array([watch.seconds for watch in watches]) for name, watches in taken.items()},
        {name: np.array([watch.cpu_seconds for watch in watches]) for name, watches in taken.items()},
    )
