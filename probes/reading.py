"""Which numbers of an activation a probe reads: all, means, squares, one position, or each by itself.

How a map [channel, row, col] is read, as text:

    flat           all its numbers: the most that a linear probe can have
    pooled         the mean of each channel over positions: what is there, not where (as the dissertation's probes)
    4x4            the mean of each channel over each of 4 x 4 squares of positions: what is where, in few numbers
    3,4            the channels at row 3, column 4 alone
    each-position  the channels at every position, each a sample of its own: one probe for all positions, which may ask
                   `here(agent_row, agent_col)`

A vector [unit] has one reading, whatever is asked, but for positions, of which it has none.

    Reading.of("4x4").apply(maps)                   # [sample, dimension]
    Reading.of("4x4").spread(direction, (32, 16, 16))   # back onto a map: what changes the reading by that much

Axes: `frame`, `sample` frames or frame x position, `dimension` what is read of one.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Shaped


@dataclass(frozen=True)
class Reading:
    """Which numbers of an activation are read; made from text by `of`."""

    kind: str
    """`flat`, `pooled`, `grid`, `position` or `each-position`."""
    position: tuple[int, ...] = ()
    """Row and column of a `position`; rows and columns of a `grid`."""

    @classmethod
    def of(cls, text: "str | Reading") -> "Reading":
        """From `flat`, `pooled`, `4x4`, `each-position`, or a position: `3,4`. Raises ValueError: anything else."""
        if isinstance(text, Reading):
            return text
        if text in ("flat", "pooled", "each-position"):
            return cls(text)
        for kind, mark, least in (("grid", "x", 1), ("position", ",", 0)):
            parts = text.split(mark)
            if len(parts) == 2 and all(part.isdecimal() and int(part) >= least for part in parts):
                return cls(kind, (int(parts[0]), int(parts[1])))
        raise ValueError(
            f"expected flat, pooled, each-position, squares such as 4x4 or a position such as 3,4 (row, column); "
            f"given {text!r}"
        )

    def __str__(self) -> str:
        mark = {"grid": "x", "position": ","}.get(self.kind)
        return self.kind if mark is None else mark.join(map(str, self.position))

    def shape(self, of_frame: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of one sample. Raises ValueError: a position that the activation has not."""
        if len(of_frame) == 1:
            if self.kind in ("position", "each-position"):
                raise ValueError(
                    f"expected a map [channel, row, col] to be read at {self}; this hook point gives {of_frame[0]} "
                    "numbers "
                    "a frame. Read it flat"
                )
            return of_frame
        if self.kind == "flat":
            return of_frame
        if self.kind == "position" and any(
            at >= size for at, size in zip(self.position, of_frame[1:], strict=True)
        ):
            raise ValueError(
                f"expected a position of the {of_frame[1]} x {of_frame[2]} map, rows and columns from 0; given {self}"
            )
        if self.kind == "grid":
            if any(size % parts for parts, size in zip(self.position, of_frame[1:], strict=True)):
                raise ValueError(
                    f"expected squares into which the {of_frame[1]} x {of_frame[2]} map can be divided; given {self}"
                )
            return (*of_frame[:1], *self.position)
        return of_frame[:1]

    def samples_per_frame(self, of_frame: tuple[int, ...]) -> int:
        """1, but for `each-position`."""
        return int(np.prod(of_frame[1:])) if self.kind == "each-position" else 1

    def apply(self, activations: Shaped[np.ndarray, "frame ..."]) -> Shaped[np.ndarray, "sample dimension"]:
        """The numbers that are read."""
        if activations.ndim == 2:
            return activations
        flat = activations.reshape(*activations.shape[:2], -1)
        if self.kind == "flat":
            return activations.reshape(len(activations), -1)
        if self.kind == "pooled":
            # By torch: float16 means in float32, many times faster than by NumPy.
            return torch.from_numpy(np.ascontiguousarray(flat)).to(torch.float32).mean(dim=2).numpy()
        if self.kind == "each-position":
            return flat.transpose(0, 2, 1).reshape(-1, flat.shape[1])
        if self.kind == "grid":
            n, (channels, rows, cols) = len(activations), self.shape(activations.shape[1:])
            squares = activations.reshape(n, channels, rows, -1, cols, activations.shape[3] // cols)
            means = torch.from_numpy(np.ascontiguousarray(squares)).to(torch.float32).mean(dim=(3, 5))
            return means.reshape(n, -1).numpy()
        return activations[(slice(None), slice(None), *self.position)]

    def spread(
        self, values: Shaped[np.ndarray, " dimension"], of_frame: tuple[int, ...]
    ) -> Shaped[np.ndarray, "..."]:
        """What is read put back where it was read: a change by that much of the reading of an activation [*of_frame].

        Raises ValueError: another number of values than is read of such an activation.
        """
        shape = self.shape(of_frame)
        if values.size != np.prod(shape):
            raise ValueError(
                f"expected {int(np.prod(shape))} numbers, as {self} reads of {of_frame}; given {values.size}"
            )
        found = values.reshape(shape)
        if len(of_frame) == 1 or self.kind == "flat":
            return found
        if self.kind == "grid":
            return found.repeat(of_frame[1] // shape[1], axis=1).repeat(of_frame[2] // shape[2], axis=2)
        whole = np.broadcast_to(found[:, None, None], of_frame)
        if self.kind != "position":
            return whole.copy()
        here = np.zeros(of_frame[1:], bool)
        here[self.position] = True
        return np.where(here, whole, 0)

    def positions_each(self, of_frame: tuple[int, ...]) -> int:
        """Of how many positions each number that is read is the mean."""
        if len(of_frame) == 1 or self.kind not in ("pooled", "grid"):
            return 1
        return int(np.prod(of_frame[1:])) // (int(np.prod(self.position)) if self.kind == "grid" else 1)
