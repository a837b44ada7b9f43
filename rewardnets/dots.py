"""Dots and distances: pictures of six dots, where it is known what a network has to find out.

    drawn = draw_dots(10_000, side=32, rng=np.random.default_rng(0))
    drawn.pictures, drawn.distances, drawn.labels

Two red, two blue and two green dots of radius 0.05 fall evenly on a white square of width 1, whole dots inside; later
ones cover earlier ones. The label is the mean of the three distances between dots of one colour. Its mean is
`MEAN_LABEL`. As a classification: is it below `CUT_OFF`, the 0.93% quantile, which is CoinRun's share of rewards?

When to use: as the data of the dissertation's section 5.9, and for any probe whose right answer must be known.
Pictures cost 0.1 ms each at 32 x 32, 0.4 ms at 64 x 64, and are made as they are needed (`dots_of_block`), never kept:
nine million of them would fill 110 GB.

Source: dissertation, section 5.9 and Figure 5.19. The authors draw with Matplotlib, whose red, blue and green (0, 128,
0) these are; edges are smoothed here too: a pixel is coloured by how much of it the dot covers.

Axes: `picture`, `rgb`, `row` from the top, `col`; `pair` red, blue, green; `dot` of the pair; `xy` with y upwards.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt8

RADIUS = 0.05
COLOURS = np.array([(255, 0, 0), (0, 0, 255), (0, 128, 0)], np.float32)
"""Of the pairs, in the order in which they are drawn."""
MEAN_LABEL = 3 / 50 * (2 + math.sqrt(2) + 5 * math.log(1 + math.sqrt(2)))
"""0.4692: 0.9 times the mean distance between two points of a unit square."""
CUT_OFF = 0.1859
"""The 0.93% quantile of the label: 0.18590 by 20 million draws, with a standard error of 0.00007."""
BLOCK = 1000
"""Pictures in a block."""
_PICTURES_AT_ONCE = 500


@dataclass(frozen=True, eq=False)
class DotPictures:
    """Some pictures and what is true of them."""

    pictures: UInt8[np.ndarray, "picture rgb row col"]
    """Contiguous with colours last."""
    distances: Float32[np.ndarray, "picture pair"]
    """Between the centres of the dots of each colour, in widths of the square."""

    @property
    def labels(self) -> Float32[np.ndarray, " picture"]:
        """The mean of the three distances."""
        return self.distances.mean(axis=1)


def draw_dots(count: int, side: int, rng: np.random.Generator) -> DotPictures:
    """Random pictures of `side` x `side` pixels. Raises ValueError: fewer than one, or a side below 8."""
    if count < 1 or side < 8:
        raise ValueError(f"expected at least one picture of at least 8 pixels a side; given {count}, {side}")
    centres = rng.uniform(RADIUS, 1 - RADIUS, size=(count, len(COLOURS), 2, 2))
    apart = centres[:, :, 0] - centres[:, :, 1]
    return DotPictures(pictures_of(centres, side), np.hypot(apart[..., 0], apart[..., 1]).astype(np.float32))


def dots_of_block(seed: int, block: int, side: int) -> DotPictures:
    """The `BLOCK` pictures of one block: a function of its seed and number alone."""
    return draw_dots(BLOCK, side, np.random.default_rng([seed, block]))


def pictures_of(
    centres: Float[np.ndarray, "picture pair dot xy"], side: int
) -> UInt8[np.ndarray, "picture rgb row col"]:
    """Draw dots at given centres.

    A pixel's share of a dot is taken to grow evenly from 0 to 1 over one pixel's width across the dot's edge.
    """
    middle = (np.arange(side, dtype=np.float32) + 0.5) / side
    drawn = np.empty((len(centres), side, side, 3), np.uint8)
    for start in range(0, len(centres), _PICTURES_AT_ONCE):
        part = centres[start : start + _PICTURES_AT_ONCE].astype(np.float32)
        canvas = np.full((len(part), side, side, 3), 255, np.float32)
        for pair, colour in enumerate(COLOURS):
            for dot in range(part.shape[2]):
                x, y = part[:, pair, dot].T
                across = (middle[None] - x[:, None]) ** 2
                down = (1 - middle[None] - y[:, None]) ** 2
                distance = np.sqrt(down[:, :, None] + across[:, None, :])
                covered = np.clip((RADIUS - distance) * side + 0.5, 0, 1)
                # Only the pixels of the dot: a fiftieth of the picture.
                at = np.nonzero(covered)
                canvas[at] += covered[at][:, None] * (colour - canvas[at])
        drawn[start : start + len(part)] = np.rint(canvas)
    return drawn.transpose(0, 3, 1, 2)
