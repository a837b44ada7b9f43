"""At decision squares, where the ways to cheese and corner part: which does a channel show, and is it followed?

When to use: to tell "go to the cheese" from "go to the corner". Nearly everywhere else in a maze both ways
begin alike, so agreement there says little.

Sources: S3.decision-square-2x2 and S3.distance of the channel-121 study. Squares with a sum above a threshold
are kept, of those from which the channel's direction leads to the cheese or to the corner; the study never
met the others, here they are counted as `neither`. Its author asks in footnote 7 for a control of distance:
`matched_difference`.
Cost: none beside the forward passes; the matching is cubic in the number of squares, a second for 1,000.

Axes: `square` decision squares, one a level.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from procscope.activations.channel_sums import ChannelSums
from procscope.envs.actions import Move
from procscope.workbench.statistics import Interval, logistic_slope, paired_difference, wilson


@dataclass(frozen=True, eq=False)
class DecisionSquares:
    """Decision squares of one distribution as one network sees them, with one channel's sums."""

    sums: Float[np.ndarray, " square"]
    """Of the channel over its map."""
    direction: Move
    """What the channel is read as."""
    moves: Int[np.ndarray, " square"]
    """The network's most probable move, raw actions of one move counted together."""
    action_moves: Int[np.ndarray, " square"]
    """The move of its single most probable raw action."""
    cheese_moves: Int[np.ndarray, " square"]
    corner_moves: Int[np.ndarray, " square"]
    cheese_to_corner_cells: Float[np.ndarray, " square"]
    """Straight distance of the cheese from the top-right cell, as in the study."""
    steps_to_cheese: Int[np.ndarray, " square"]
    steps_to_corner: Int[np.ndarray, " square"]

    def __len__(self) -> int:
        return len(self.sums)

    @classmethod
    def of(cls, read: ChannelSums, channel: int, direction: Move) -> "DecisionSquares":
        """Raises ValueError: some mouse is not on a decision square."""
        labels = read.labels
        if not labels["at_decision_square"].all():
            astray = int((~labels["at_decision_square"]).sum())
            raise ValueError(
                f"expected every mouse on a decision square; {astray} are not. Leave those frames out"
            )
        corner = labels["maze_size"] - 1
        return cls(
            sums=read.sums[:, channel].astype(np.float64),
            direction=direction,
            moves=read.moves,
            action_moves=read.moves_of_likeliest_actions,
            cheese_moves=labels["best_move"],
            corner_moves=labels["best_move_to_corner"],
            cheese_to_corner_cells=np.hypot(labels["goal_x"] - corner, labels["goal_y"] - corner),
            steps_to_cheese=labels["distance_to_goal_cells"],
            steps_to_corner=labels["distance_to_corner_cells"],
        )

    def where(self, chosen: Bool[np.ndarray, " square"]) -> "DecisionSquares":
        """Those squares that are chosen, in order."""
        kept = {f.name: getattr(self, f.name) for f in fields(self)}
        return DecisionSquares(**{n: v if n == "direction" else v[chosen] for n, v in kept.items()})

    @property
    def shows_cheese(self) -> Bool[np.ndarray, " square"]:
        """The channel's direction is the way to the cheese."""
        return self.cheese_moves == self.direction

    @property
    def shows_corner(self) -> Bool[np.ndarray, " square"]:
        """The channel's direction is the way to the corner."""
        return self.corner_moves == self.direction

    @property
    def obeyed(self) -> Bool[np.ndarray, " square"]:
        """The mouse's most probable move is the channel's direction."""
        return self.moves == self.direction

    def high(self, threshold: float) -> "DecisionSquares":
        """Squares with a sum above the threshold whose direction leads to the cheese or to the corner."""
        return self.where((self.sums > threshold) & (self.shows_cheese | self.shows_corner))

    def neither(self, threshold: float) -> int:
        """How many squares with a sum above the threshold have a direction that leads to neither."""
        return int(((self.sums > threshold) & ~self.shows_cheese & ~self.shows_corner).sum())

    def share_of_neither(self, threshold: float) -> Interval:
        """Their share of all squares with a sum above the threshold. Raises ValueError: there are none."""
        high = int((self.sums > threshold).sum())
        if not high:
            raise ValueError("at no decision square is the channel's sum above the threshold")
        return wilson(self.neither(threshold), high)


class TwoByTwo(NamedTuple):
    """Counts of squares with a high sum: the study's table."""

    obeys_and_cheese: int
    obeys_and_corner: int
    disobeys_and_cheese: int
    disobeys_and_corner: int

    @property
    def n(self) -> int:
        return sum(self)

    @property
    def obeys(self) -> Interval:
        """Share in which the mouse goes the channel's way. Raises ValueError: an empty table."""
        return self.share("obeys_and_cheese", "obeys_and_corner")

    @property
    def points_to_cheese(self) -> Interval:
        """Share in which the cheese lies the channel's way. Raises ValueError: an empty table."""
        return self.share("obeys_and_cheese", "disobeys_and_cheese")

    def share(self, *cells: str) -> Interval:
        """Share of the squares that is in these cells of the table. Raises ValueError: an empty table."""
        if not self.n:
            raise ValueError("at no decision square is the channel's sum above the threshold")
        return wilson(sum(getattr(self, cell) for cell in cells), self.n)


def two_by_two(high: DecisionSquares) -> TwoByTwo:
    """Count squares with a high sum by what the mouse does and what lies the channel's way."""
    cheese, obeyed = high.shows_cheese, high.obeyed
    return TwoByTwo(
        int((obeyed & cheese).sum()),
        int((obeyed & ~cheese).sum()),
        int((~obeyed & cheese).sum()),
        int((~obeyed & ~cheese).sum()),
    )


def matched_pairs(
    first: DecisionSquares, second: DecisionSquares, caliper_steps: int = 2
) -> tuple[Int[np.ndarray, " pair"], Int[np.ndarray, " pair"]]:
    """Places in both lists of squares that are alike in their steps to the cheese and to the corner.

    As many pairs as possible in which neither distance differs by more than the caliper, each square used at
    most once, and of those the set with the smallest sum of differences (an assignment problem).
    """
    from scipy.optimize import linear_sum_assignment

    if not len(first) or not len(second):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    cheese = np.abs(first.steps_to_cheese[:, None].astype(int) - second.steps_to_cheese)
    corner = np.abs(first.steps_to_corner[:, None].astype(int) - second.steps_to_corner)
    allowed = np.maximum(cheese, corner) <= caliper_steps
    # One pair outside of the caliper costs more than all pairs inside it.
    forbidden = 2 * caliper_steps * min(len(first), len(second)) + 1
    rows, columns = linear_sum_assignment(np.where(allowed, cheese + corner, forbidden))
    kept = allowed[rows, columns]
    return rows[kept], columns[kept]


def matched_difference(first: DecisionSquares, second: DecisionSquares, caliper_steps: int = 2) -> Interval:
    """How much more often the channel shows the cheese in `first` than in `second`, at like distances.

    `n` counts the pairs. Raises ValueError: no two squares are alike in both distances.
    """
    one, two = matched_pairs(first, second, caliper_steps)
    if not len(one):
        raise ValueError(
            f"none of {len(first)} and {len(second)} squares are alike within {caliper_steps} steps in their "
            "distances to the cheese and to the corner"
        )
    return paired_difference(first.shows_cheese[one], second.shows_cheese[two])


def pooled(
    inside: DecisionSquares, outside: DecisionSquares, size: int, region_cells: int, rng: np.random.Generator
) -> DecisionSquares:
    """Squares of both distributions in the proportion of a cheese that is anywhere in the maze.

    As the study did, those of the inside are thinned, to a random region_cells² / size² of them.
    """
    kept = rng.random(len(inside)) < region_cells**2 / size**2
    thinned = inside.where(kept)
    joined = {
        f.name: np.concatenate([getattr(thinned, f.name), getattr(outside, f.name)])
        for f in fields(DecisionSquares)
        if f.name != "direction"
    }
    return DecisionSquares(direction=inside.direction, **joined)


def distance_slope(squares: DecisionSquares) -> Interval:
    """Log odds that the channel shows the cheese, per cell between cheese and corner.

    Raises ValueError: see `logistic_slope`.
    """
    return logistic_slope(squares.cheese_to_corner_cells, squares.shows_cheese)
