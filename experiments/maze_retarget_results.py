"""What `maze-retarget` finds about each network, as values.

Axes: `level` the mazes that are played, `cell` targets of a maze, `bin` of distances.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64

from procscope.envs.maze import MazeLevel
from procscope.interventions.goal_tracking import GoalTracking
from procscope.interventions.named_arms import UNTOUCHED
from procscope.interventions.retarget import EDIT, Retargeting
from procscope.interventions.retarget_study import MOVED, TunedEdit
from procscope.workbench.mean_intervals import mean_interval
from procscope.workbench.statistics import Interval, bootstrap

BIN_CELLS = 4
"""Width of a bin of distances, in steps."""


@dataclass(frozen=True, eq=False)
class PlayedLevel:
    """One maze, every cell of which was the target; see `retarget_study.study_level`."""

    level: MazeLevel
    repeats: int
    found: Mapping[str, Any]

    @property
    def cells(self) -> np.ndarray:
        """[cell, xy]"""
        return np.stack([np.array(self.found[axis], dtype=np.int64) for axis in "xy"], axis=1)

    @property
    def distance_cells(self) -> np.ndarray:
        """Steps from the mouse's start to each cell."""
        return np.array(self.found["distance_cells"], dtype=np.int64)

    def share(self, arm: str) -> Float64[np.ndarray, " cell"]:
        """Share of the episodes in which the mouse came to each cell when it was the target."""
        return np.array(self.found["came"][arm], dtype=np.float64) / self.repeats

    def path(self, arm: str) -> Float64[np.ndarray, " cell"]:
        """Geometric mean of the probabilities along the way to each cell, under the edit or untouched."""
        return np.array(self.found["path"][arm], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class RetargetStudy:
    """All results of one network."""

    model: str
    training: str
    tracked: Sequence[GoalTracking]
    """By hook point that was looked at."""
    tuned: Sequence[TunedEdit]
    """Every edit that was tried, the best first: that one was played."""
    levels: Sequence[PlayedLevel]
    example: Retargeting
    """The first of the levels with more episodes a cell: its heat map."""

    @property
    def where(self) -> dict[str, Any]:
        sae = self.tuned[0].edit.sae
        return {"model": self.model, "training": self.training} | ({} if sae is None else {"sae": sae})

    @property
    def chosen(self) -> GoalTracking:
        """What the channels do at the hook point of the edit that was played."""
        place = self.tuned[0].edit.hook_point
        return next(found for found in self.tracked if found.hook_point == place)

    @property
    def controls(self) -> list[str]:
        """Kinds of matched controls that were played."""
        return [arm for arm in self.levels[0].found["came"] if arm not in (EDIT, UNTOUCHED, MOVED)]

    @cached_property
    def _by_level(self) -> dict[str, Float64[np.ndarray, " level"]]:
        arms = (EDIT, UNTOUCHED, MOVED, *self.controls)
        return {arm: np.array([level.share(arm).mean() for level in self.levels]) for arm in arms}

    def reached(self, arm: str) -> Interval:
        """Mean over mazes of the share of targets come to, bootstrapped over mazes."""
        return mean_interval(self._by_level[arm])

    def difference(self, arm: str, other: str) -> Interval:
        """How much larger that share is in one arm than in another, on the same mazes."""
        gained = self._by_level[arm] - self._by_level[other]
        if np.ptp(gained) == 0:
            raise ValueError(f"the two differ by {gained[0]:.3g} in each of {len(gained)} mazes: no interval")
        return mean_interval(gained)

    def path_gain(self) -> Interval:
        """The same for the probability along the way, edit less untouched."""
        gained = np.array([(level.path(EDIT) - level.path(UNTOUCHED)).mean() for level in self.levels])
        return mean_interval(gained)

    def slope(self, arm: str, other: str | None = None) -> Interval:
        """Change of the share (or of the gain over another arm) per step of distance, by least squares.

        Bootstrapped over mazes. Raises ValueError: all targets lie equally far.
        """
        rows = np.arange(len(self.levels))
        distances = [level.distance_cells.astype(float) for level in self.levels]
        gains = [level.share(arm) - (0 if other is None else level.share(other)) for level in self.levels]
        if np.ptp(np.concatenate(distances)) == 0:
            raise ValueError("all targets lie equally far from the mouse: no slope exists")
        # Sums of a level suffice for the slope of any set of them.
        sums = np.array(
            [
                (len(x), x.sum(), y.sum(), (x * x).sum(), (x * y).sum())
                for x, y in zip(distances, gains, strict=True)
            ]
        )

        def of_rows(drawn: np.ndarray) -> float:
            n, x, y, xx, xy = sums[drawn].sum(axis=0)
            return float((xy - x * y / n) / (xx - x * x / n))

        return bootstrap(of_rows, rows, rng=np.random.default_rng(0))

    def by_distance(self, arm: str) -> dict[float, Interval]:
        """By the middle of each bin of distances that at least two mazes have: mean share, bootstrapped over mazes."""
        last = max(int(level.distance_cells.max()) for level in self.levels)
        found = {}
        for start in range(1, last + 1, BIN_CELLS):
            means = []
            for level in self.levels:
                inside = (level.distance_cells >= start) & (level.distance_cells < start + BIN_CELLS)
                if inside.any():
                    means.append(level.share(arm)[inside].mean())
            if len(means) > 1:
                middle = start + (BIN_CELLS - 1) / 2
                found[middle] = mean_interval(np.array(means))
        return found

    def by_cell(self, arm: str) -> Float64[np.ndarray, "y x"]:
        """Mean share of the mazes in which a cell was a target; NaN where it never was."""
        size = self.levels[0].level.size
        total, count = np.zeros((size, size)), np.zeros((size, size))
        for level in self.levels:
            x, y = level.cells.T
            total[y, x] += level.share(arm)
            count[y, x] += 1
        return np.divide(total, count, out=np.full((size, size), np.nan), where=count > 0)

    def rows(self) -> pd.DataFrame:
        """Every maze and target cell with its shares, as a table."""
        parts = []
        for number, level in enumerate(self.levels):
            columns = {"network": self.model, "maze": number, "x": level.cells[:, 0], "y": level.cells[:, 1]}
            columns |= {"distance_cells": level.distance_cells, "episodes": level.repeats}
            columns |= {arm: level.share(arm) for arm in level.found["came"]}
            parts.append(pd.DataFrame(columns))
        return pd.concat(parts, ignore_index=True)
