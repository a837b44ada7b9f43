"""How much of everything `probe-to-cause` does at each scale, and what it steers in each game."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from procscope.experiments.policy_probes_games import GAMES
from procscope.experiments.policy_probes_setup import MODELS

Kind = Literal["move", "place", "here", "value", "side"]
"""What a probe's reading says of behaviour:

- move: the policy makes that move;
- place, here: it goes where the thing is said to lie; moved in numbers, or from one position of the map to another;
- value: its value falls as the thing gets farther;
- side: it goes to the side on which the thing is said to lie.
"""


class Cause(NamedTuple):
    """One thing that is read, and steered along."""

    name: str
    kind: Kind
    parts: tuple[str, ...]
    """Expressions of the labels; of a thing in a place its row and column in the picture."""
    only_where: str = ""


_ON_THE_WAY = "distance_to_goal_cells > 0"
CAUSES = {
    "maze": (
        Cause("next move", "move", ("plan_1",), _ON_THE_WAY),
        Cause("corner: first move to it", "move", ("best_move_to_corner",), "distance_to_corner_cells > 0"),
        Cause("cheese: place in numbers", "place", ("goal_row", "goal_col"), _ON_THE_WAY),
        Cause("cheese: is it here", "here", ("goal_row", "goal_col"), _ON_THE_WAY),
        Cause("cheese: straight distance", "value", ("goal_distance_euclidean",), _ON_THE_WAY),
        Cause("cheese: steps to it", "value", ("distance_to_goal_cells",), _ON_THE_WAY),
    ),
    "heist": (
        Cause("next move", "move", ("plan_1",), _ON_THE_WAY),
        Cause("next target: place in numbers", "place", ("next_row", "next_col"), _ON_THE_WAY),
        Cause("next key: place in numbers", "place", ("next_row", "next_col"), "next_target_kind == 0"),
        Cause("next key: is it here", "here", ("next_row", "next_col"), "next_target_kind == 0"),
        Cause("next target: steps to it", "value", ("steps_to_target_cells",), _ON_THE_WAY),
        Cause("gem: steps to it", "value", ("distance_to_goal_cells",), _ON_THE_WAY),
    ),
    "coinrun": (
        Cause("coin: to the right", "side", ("goal_col_exact > 32",), "goal_visible"),
        Cause("coin: distance", "value", ("goal_distance_euclidean",), "goal_visible"),
    ),
}
"""By game."""


@dataclass(frozen=True)
class Config:
    """Settings of `probe-to-cause`; the defaults are those of the small scale."""

    models: tuple[str, ...] = MODELS
    """Policies, by name or path."""
    games: tuple[str, ...] = ("maze", "heist", "coinrun")
    """Of these games; policies of others are left out."""
    hook_points: tuple[str, ...] = ()
    """Where they are read and steered; by default one for each size of map, the last maps, the last hidden vector."""
    fitted: int = 2000
    """Single frames that probes are fitted to, one a level."""
    tested: int = 256
    """Frames of other levels that are steered."""
    strengths: tuple[float, ...] = (1.0, 2.0, 4.0)
    """In natural standard deviations of the activations along the direction."""
    told: float = 2.0
    """The strength that claims, and the comparison of probes with handles, are about."""
    squares: int = 4
    """Rows and columns of squares over which maps are averaged, for all but "is it here"."""
    folds: int = 5
    workers: int = 1
    """Processes."""

    def __post_init__(self) -> None:
        unknown = set(self.games) - set(GAMES)
        if unknown or not self.games:
            raise ValueError(
                f"expected games among {', '.join(GAMES)}; given {', '.join(self.games) or 'none'}"
            )
        if self.told not in self.strengths or min(self.strengths) <= 0:
            raise ValueError(
                f"expected strengths above 0, {self.told:g} among them, which is told; given {self.strengths}. Change "
                "them together (--strengths, --told)"
            )
        if self.fitted < 100 or self.tested < 20 or self.folds < 2 or self.squares < 1:
            raise ValueError(
                "expected at least 100 frames to fit probes to, 20 to steer, two folds and one square; given "
                f"{self.fitted}, {self.tested}, {self.folds}, {self.squares}"
            )


SCALES = {
    "smoke": replace(
        Config(),
        models=("maze-easy-topright",),
        games=("maze",),
        hook_points=("conv_out", "fc"),
        fitted=240,
        tested=32,
        strengths=(2.0,),
        folds=3,
    ),
    "small": Config(),
    "long": replace(Config(), fitted=10_000, tested=1024, strengths=(0.5, 1.0, 2.0, 4.0, 8.0)),
}
