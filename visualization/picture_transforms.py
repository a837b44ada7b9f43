"""Small random changes of a picture before each pass, so that what is optimised does not hang on single pixels.

    transforms = PRESETS["lucid"]
    shown = transformed(pictures, transforms, generator)

Each is a value with its strength. All pictures of a batch are changed alike, so that pictures can be compared with one
another. After the last transform each picture is cut or padded with black to its own size again, in the middle.

Source: Lucid's transforms and standard list (Olah et al. 2017); `reward-network` is S0's, section 5.3: a shift of up
to 8 pixels. `small-network` is jitter and scaling, as S0's section 4.4.3 has for 28 x 28 pictures; their strengths are
not stated there and are ours.

`heist-notes` is the notes' code (S4.feature-vis): jitter of 8 and then 4 pixels, whole degrees up to 5, scale 0.95 to
1.05. There the picture is 72 x 72 and is cut to 64; here a border of 4 grey pixels stands for the rest.

Axes: `picture`, `channel`, `row`, `col`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

Pictures = Float[Tensor, "picture channel _row _col"]


class Transform(ABC):
    """A random change of a batch of pictures."""

    @abstractmethod
    def of(self, pictures: Pictures, generator: torch.Generator) -> Pictures:
        """The changed pictures, perhaps of another size."""


@dataclass(frozen=True)
class Pad(Transform):
    """A border of one brightness; nothing random in it."""

    pixels: int
    brightness: float = 0.5

    def of(self, pictures: Pictures, generator: torch.Generator) -> Pictures:
        return F.pad(pictures, (self.pixels,) * 4, value=self.brightness)


@dataclass(frozen=True)
class Jitter(Transform):
    """Cut off `pixels` rows and columns in all, more on one side or the other by chance."""

    pixels: int

    def of(self, pictures: Pictures, generator: torch.Generator) -> Pictures:
        rows, cols = (side - self.pixels for side in pictures.shape[2:])
        if min(rows, cols) < 1:
            raise ValueError(
                f"expected pictures larger than a jitter of {self.pixels}, given {_size(pictures)}"
            )
        top, left = (int(torch.randint(self.pixels + 1, (1,), generator=generator)) for _ in range(2))
        return pictures[:, :, top : top + rows, left : left + cols]


@dataclass(frozen=True)
class Shift(Transform):
    """Move by up to `pixels` either way, black where nothing comes in."""

    pixels: int

    def of(self, pictures: Pictures, generator: torch.Generator) -> Pictures:
        return Jitter(2 * self.pixels).of(F.pad(pictures, (self.pixels,) * 4), generator)


@dataclass(frozen=True)
class Scale(Transform):
    """Enlarge by one of some factors."""

    factors: tuple[float, ...]

    def of(self, pictures: Pictures, generator: torch.Generator) -> Pictures:
        factor = self.factors[int(torch.randint(len(self.factors), (1,), generator=generator))]
        size = [max(1, int(factor * side)) for side in pictures.shape[2:]]
        return F.interpolate(pictures, size, mode="bilinear", align_corners=False)


@dataclass(frozen=True)
class Rotate(Transform):
    """Turn by one of some angles, black in the corners."""

    degrees: tuple[float, ...]

    def of(self, pictures: Pictures, generator: torch.Generator) -> Pictures:
        angle = math.radians(self.degrees[int(torch.randint(len(self.degrees), (1,), generator=generator))])
        rows, cols = pictures.shape[2:]
        cos, sin = math.cos(angle), math.sin(angle)
        # Grid coordinates run from -1 to 1 along both sides, whatever their length.
        turn = torch.tensor([[cos, -sin * rows / cols, 0.0], [sin * cols / rows, cos, 0.0]])
        turn = turn.to(pictures).expand(len(pictures), 2, 3)
        grid = F.affine_grid(turn, list(pictures.shape), align_corners=False)
        return F.grid_sample(pictures, grid, mode="bilinear", align_corners=False)


PRESETS: dict[str, tuple[Transform, ...]] = {
    "none": (),
    "small-network": (Jitter(2), Scale(tuple(1 + step / 50 for step in range(-5, 6)))),
    "reward-network": (Shift(8),),
    "heist-notes": (
        Pad(4),
        Jitter(8),
        Rotate(tuple(map(float, range(-5, 6)))),
        Scale(tuple(1 + step / 100 for step in range(-5, 6))),
        Jitter(4),
    ),
    "lucid": (
        Pad(12),
        Jitter(8),
        Scale(tuple(1 + step / 50 for step in range(-5, 6))),
        Rotate((*map(float, range(-10, 11)), *(0.0,) * 5)),
        Jitter(4),
    ),
}


def transformed(
    pictures: Float[Tensor, "picture channel row col"],
    transforms: Sequence[Transform],
    generator: torch.Generator,
) -> Float[Tensor, "picture channel row col"]:
    """The pictures after all transforms, at their own size. Raises ValueError: a transform larger than they are."""
    rows, cols = pictures.shape[2:]
    for transform in transforms:
        pictures = transform.of(pictures, generator)
    down, right = rows - pictures.shape[2], cols - pictures.shape[3]
    if down or right:  # a negative padding cuts
        top, left = down // 2, right // 2
        pictures = F.pad(pictures, (left, right - left, top, down - top))
    return pictures


def _size(pictures: Tensor) -> str:
    return " x ".join(map(str, pictures.shape[2:]))
