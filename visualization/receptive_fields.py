"""Which pixels a place of a map can depend on, exactly, asked of the network itself.

When to use: to cut out of a frame what a unit has seen. Nothing needs to be known of the layers: a row of the picture
is set to NaN, and the places that become NaN are those that depend on it, through convolutions, pools and sums of any
kind, whatever the weights (0 x NaN is NaN). The same for columns.

    fields = receptive_fields(network, "block2.res1")
    fields.box(3, 5)                       # Box(top, left, bottom, right) in pixels, cut at the picture's edge
    fields.crop(3, 5, at_most=24)          # no more than 24 x 24 pixels about its centre

A layer without maps has one place. Fields of deep layers cover the whole picture, and what counts most in them lies
near the centre; `crop` is for those.

Cost: one forward pass of 128 pictures, on plain convolutions of the CPU (the quick ones work on tiles or spectra, where
NaN spreads): 0.3 s to 3 s for IMPALA 16-32-32.

Axes: `row col` of a map, from the top left; pixels likewise.
"""

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import nn

from procscope.activations.capture import evaluation_mode
from procscope.activations.hooks import HookedNetwork, hook_modules
from procscope.visualization.optimise_inputs import activations_at

_GREY = 127.0
_PROBES_AT_ONCE = 32


class Box(NamedTuple):
    """Pixels from `top` to below `bottom`, and from `left` to left of `right`."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        return self.bottom - self.top, self.right - self.left


@dataclass(frozen=True, eq=False)
class ReceptiveFields:
    """The pixels of each place of a hook point. Fields of convolutions are rectangles: rows and columns go apart."""

    hook_point: str
    rows: Int[np.ndarray, "row 2"]
    """First and last-plus-one pixel row that each row of the map depends on."""
    cols: Int[np.ndarray, "col 2"]
    picture: tuple[int, int]
    """Rows and columns of the picture."""

    def box(self, row: int, col: int) -> Box:
        """What a place can depend on. Raises ValueError: no such place."""
        if not (0 <= row < len(self.rows) and 0 <= col < len(self.cols)):
            raise ValueError(
                f"expected a place of the {len(self.rows)} x {len(self.cols)} map of {self.hook_point!r}, given row "
                f"{row}, column {col}"
            )
        (top, bottom), (left, right) = self.rows[row].tolist(), self.cols[col].tolist()
        return Box(top, left, bottom, right)

    def centre(self, row: int, col: int) -> tuple[float, float]:
        """Middle of the field in pixels, as it would be if the picture had no edge."""
        self.box(row, col)
        return _centre(self.rows, row, self.picture[0]), _centre(self.cols, col, self.picture[1])

    def crop(self, row: int, col: int, at_most: int) -> Box:
        """The field, or a square of `at_most` pixels about its centre, moved into the picture, if that is smaller."""
        box = self.box(row, col)
        if max(box.size) <= at_most:
            return box
        top, left = (
            int(np.clip(round(middle - at_most / 2), 0, max(0, side - at_most)))
            for middle, side in zip(self.centre(row, col), self.picture, strict=True)
        )
        return Box(top, left, min(top + at_most, self.picture[0]), min(left + at_most, self.picture[1]))


def receptive_fields(
    network: nn.Module, hook_point: str, shape: tuple[int, int, int] = (3, 64, 64)
) -> ReceptiveFields:
    """The receptive fields of a hook point, for pictures of a shape (channels, rows, columns).

    Raises ValueError: an unknown hook point, one that no pixel reaches, or one whose places depend on nothing.
    """
    on_cpu = all(weight.device.type == "cpu" for weight in network.parameters())
    network = network if on_cpu else copy.deepcopy(network).cpu()
    hooked = network if isinstance(network, HookedNetwork) else hook_modules(network, [hook_point])
    with torch.inference_mode(), evaluation_mode(network), _plain_convolutions():
        reached = {axis: _reached(hooked, hook_point, shape, axis) for axis in (1, 2)}
    if not all(touched.any(axis=0).all() for touched in reached.values()):
        raise ValueError(
            f"expected every place of {hook_point!r} to depend on the picture; some depend on no pixel, or the network "
            "replaces NaN on the way"
        )
    rows, cols = (_ends(reached[axis]) for axis in (1, 2))
    return ReceptiveFields(hook_point, rows, cols, shape[1:])


def _reached(
    network: HookedNetwork, hook_point: str, shape: tuple[int, int, int], axis: int
) -> Bool[np.ndarray, "pixel place"]:
    """Whether each row (axis 1) or column (2) of the picture reaches each row or column of the map."""
    parts = []
    for start in range(0, shape[axis], _PROBES_AT_ONCE):
        lines = range(start, min(start + _PROBES_AT_ONCE, shape[axis]))
        inputs = torch.full((len(lines), *shape), _GREY)
        for probe, line in enumerate(lines):
            inputs[probe].select(axis, line).fill_(torch.nan)
        found = activations_at(network, inputs, [hook_point])[hook_point].isnan()
        maps = found if found.ndim == 4 else found.flatten(1)[:, :, None, None]
        parts.append(maps.any(dim=1).any(dim=2 if axis == 1 else 1))
    return torch.cat(parts).numpy()


def _ends(reached: Bool[np.ndarray, "pixel place"]) -> Int[np.ndarray, "place 2"]:
    first = reached.argmax(axis=0)
    last = len(reached) - reached[::-1].argmax(axis=0)
    return np.stack([first, last], axis=1)


def _centre(ends: Int[np.ndarray, "place 2"], place: int, side: int) -> float:
    """Edges that the picture's own edge does not cut lie a stride apart, and so tell where those that it cuts would."""
    stride = side / len(ends)
    low, high = ends[-1, 0], ends[0, 1]
    if len(ends) == 1 or low == 0 or high == side:
        return stride * (place + 0.5)
    return (low - stride * (len(ends) - 1 - place) + high + stride * place) / 2


@contextmanager
def _plain_convolutions() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of another vendor's devices, which these settings speak of as well
        with torch.backends.mkldnn.flags(enabled=False), torch.backends.nnpack.flags(enabled=False):
            yield
