"""What is probed and how: the options of the analysis `probe`, shared by all who run a study of probes."""

from dataclasses import dataclass
from typing import Literal

from procscope.probes.ridge import ALPHAS, checked_alphas
from procscope.probes.targets import Kind

Extra = Literal["monotone", "thresholds", "isotonic", "quantile", "mlp", "description"]
"""Probes beside the linear one (of classes: the logistic one), and description lengths."""


@dataclass(frozen=True)
class ProbeSettings:
    """What to read, where, with which probes, and against which baselines."""

    target: tuple[str, ...] = ()
    """What to read: columns or expressions of the cache's labels, such as distance_to_goal_cells, "distance**2",
    "min(1 / distance_to_goal_cells, 5)", "agent_row < 32", best_move, "ahead(best_move, 3)" (see docs/probes.md)."""

    hook: tuple[str, ...] = ()
    """Hook points to read; all of the cache by default."""

    read: tuple[str, ...] = ("pooled", "flat")
    """How a map is read: pooled (what is there, not where), flat (all its numbers), 4x4 (means over 4 x 4 squares),
    3,4 (the channels at row 3, column 4), each-position (every position a sample; targets may then ask
    here(agent_row, agent_col))."""

    only_where: str = ""
    """Only frames where this holds: "distance_to_goal_cells < 6", "goal_visible and not agent_moving"."""

    kind: Kind = "auto"
    """Whether targets are numbers or classes. auto: truth values, text, moves and kinds are classes."""

    allow_future: bool = False
    """Take targets from the future of the frame, too: returns, steps to the end, later labels. Otherwise refused."""

    also: tuple[Extra, ...] = ("monotone", "thresholds")
    """Beside the linear probe: monotone (the best monotone recoding of the target), thresholds (is it above c?),
    isotonic, quantile (the median), mlp (the non-linear bound), description (minimum description length). Monotone
    and thresholds cost nothing more; none with --also alone."""

    alphas: tuple[float, ...] = ALPHAS
    """Ridge strengths (scikit-learn's alpha); the best on other levels counts."""

    standardise: bool = True
    """Divide each number by its standard deviation in the training levels before it is penalised."""

    folds: int = 5
    """Cross-validation: levels are split into so many parts."""

    leave_one_level_out: bool = False
    """Beside the folds, predict each level by a probe of all others."""

    frames: int = 0
    """At most so many frames, as whole levels drawn at random; 0 for all."""

    memory_frames: int = 20_000
    """At most so many frames for probes that are fitted by steps, in memory: logistic, isotonic, quantile, mlp."""

    untrained: int = 1
    """So many untrained networks of the same kind are read, too. Needs a cache with frames."""

    pixels: bool = True
    """Read the picture itself, too (16 x 16 squares). Needs a cache with frames."""

    control_by: tuple[str, ...] = ()
    """Labels that tell types of frames apart for the control task; by default the agent's place in the picture."""

    center: float = 0.0
    """For each-position: where in its square of the picture a position looks, 0.5 for the middle; 0 for what the
    architecture says (IMPALA's pools look to the upper left)."""

    model: str = ""
    """Name or path of the network, for the untrained one. By default the installed one with the cache's hash."""

    resamples: int = 2000
    """Of the bootstrap over levels."""

    device: str = "cpu"
    """Where the untrained network runs."""

    def __post_init__(self) -> None:
        checked_alphas(self.alphas)
        if min(self.frames, self.untrained) < 0 or self.memory_frames < 2 or self.resamples < 100:
            raise ValueError(
                f"expected frames and untrained from 0 on, memory_frames from 2 and resamples from 100 on; given "
                f"{self.frames}, {self.untrained}, {self.memory_frames}, {self.resamples}"
            )
        if not self.read:
            raise ValueError("expected at least one way to read a layer: pooled, flat, each-position or 3,4")
