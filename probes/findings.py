"""What a study of probes finds in one reading of a network.

Axes: `bin`, `threshold`, `column` as in `monotone.py`, `thresholds.py`, `ridge.py`.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from procscope.probes.description import Description
from procscope.probes.monotone import Recoding
from procscope.probes.ridge import RidgeFit
from procscope.probes.scores import Score
from procscope.probes.thresholds import ThresholdProbes
from procscope.workbench.statistics import Interval


class Finding(NamedTuple):
    """One probe of one target."""

    target: str
    probe: str
    """`linear`, `logistic`, `isotonic`, `quantile`, `mlp`."""
    score: Score
    control: Score | None
    """The same probe on the control task; None where there is none."""
    alpha: float | None = None


class ThresholdCurve(NamedTuple):
    """How well "above c" is told on held-out levels, for every c."""

    probes: ThresholdProbes
    auroc: tuple[Interval, ...]


@dataclass(eq=False)
class Studied:
    """What all probes found in one reading."""

    findings: list[Finding] = field(default_factory=list)
    recodings: dict[str, Recoding] = field(default_factory=dict)
    thresholds: dict[str, ThresholdCurve] = field(default_factory=dict)
    descriptions: dict[str, Description] = field(default_factory=dict)
    left_out_r2: dict[str, float] = field(default_factory=dict)
    pinball: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Mean pinball loss of the median probe and of the training levels' median, on held-out levels."""
    fit: RidgeFit | None = None
    columns: dict[str, slice] = field(default_factory=dict)
    """Where in `fit` a target's columns are."""
    notes: list[str] = field(default_factory=list)
    """What a reader must know."""
