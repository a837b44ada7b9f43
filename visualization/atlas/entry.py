"""What an atlas keeps of one unit and one method: pictures, and what is measured of the first of them.

Entries are plain data, kept as members (JSON with PNGs inside), so that an atlas goes on where it was interrupted, and
other pages can show them.

Axes: `row col rgb` of a picture.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

_GAP = 2
"""Pixels between the frames of a pair."""


@dataclass(frozen=True)
class Shown:
    """One picture."""

    png: str
    """The file's bytes, base64."""
    caption: str
    """What it is, in a few words."""

    def opened(self) -> Image.Image:
        """The picture, in red, green and blue."""
        return Image.open(io.BytesIO(base64.b64decode(self.png))).convert("RGB")

    @property
    def is_pair(self) -> bool:
        """Whether it is a frame and the next one, side by side."""
        picture = self.opened()
        return picture.width > 1.5 * picture.height


@dataclass(frozen=True)
class AtlasEntry:
    """One unit by one method. What does not apply, or is not defined, is None."""

    unit: str
    method: str
    pictures: tuple[Shown, ...]
    value: float
    """The unit's mean in the first picture as it is shown; of a patch its value at the patch's place."""
    reach: float | None = None
    """`value` over the 99.9th percentile of frames; None where that is not above 0."""
    reach_from_median: float | None = None
    """The same, both counted from the median of frames."""
    seed_similarity: float | None = None
    slope: float | None = None
    """Spectral slope."""
    label: str = ""
    """What the forced choice was about."""
    eta_squared: float | None = None
    """How much of the unit the label explains on data."""
    unit_class: int | None = None
    """The class in which the unit is highest on data."""
    picture_class: int | None = None
    """The class that the first picture is taken for."""
    n_classes: int | None = None
    problem: str = ""
    """Why the pictures mean nothing: a dead unit, a flat objective."""

    @property
    def matches(self) -> bool | None:
        """Whether the forced choice falls on the unit's class; None where there was none."""
        return None if self.picture_class is None else self.picture_class == self.unit_class

    def as_json(self) -> dict[str, Any]:
        """Data from which `from_json` makes an equal entry."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "AtlasEntry":
        return cls(**{**data, "pictures": tuple(Shown(**one) for one in data["pictures"])})


def shown(picture: UInt8[np.ndarray, "row col channel"], caption: str) -> Shown:
    """A picture as a PNG; of six channels, the two frames side by side."""
    frames = np.split(picture, picture.shape[2] // 3, axis=2) if picture.shape[2] > 3 else [picture]
    buffer = io.BytesIO()
    Image.fromarray(_side_by_side(frames)).save(buffer, format="PNG", optimize=True)
    return Shown(base64.b64encode(buffer.getvalue()).decode(), caption)


def _side_by_side(frames: Sequence[np.ndarray]) -> np.ndarray:
    gap = np.full((frames[0].shape[0], _GAP, frames[0].shape[2]), 255, np.uint8)
    parts = [part for frame in frames for part in (frame, gap)][:-1]
    joined = np.concatenate(parts, axis=1)
    return joined[:, :, 0] if joined.shape[2] == 1 else joined
