"""What the analysis `probe` finds: every reading of every network, and the probes themselves."""

from dataclasses import dataclass
from typing import NamedTuple

from procscope.probes.direction import LinearProbe
from procscope.probes.findings import Studied
from procscope.probes.targets import TargetData

TRAINED, PIXELS = "trained", "pixels"


class Place(NamedTuple):
    """What was read: of which network, where, how."""

    source: str
    """`trained`, `untrained 0`, `untrained 1`, …, `pixels`."""
    hook_point: str
    read: str


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """What was found, and on what."""

    studied: dict[Place, Studied]
    data: dict[tuple[int, ...], TargetData]
    """Targets by the map whose positions are samples; () where frames are."""
    probes: tuple[LinearProbe, ...]
    """Of the trained network, fitted to all frames."""
    missing: dict[str, str]
    """Baselines that could not be had, with the reason."""
