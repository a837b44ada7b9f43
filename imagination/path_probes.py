"""Does a layer know where the path goes? A choice among the cells that lie k steps away from the mouse.

When: on a policy's maps beside `policy_decoder.py`. A probe that says "this cell is on the path" can score well by
knowing what is near the mouse. So it has to choose: of all cells that are exactly k steps away, which one is on the
way to the cheese? Chance is one over their number; frames with a single such cell do not count. At k = 1 the choice
is the policy's own next move, which a layer near the output must hold; what is further is a plan.

A layer's map is spread over the cells (bilinear), and a logistic regression reads the 3x3 cells round each candidate,
the same for all cells. It is fitted on some mazes and measured on others. The same probe on the frame's own pixels,
and on the layer of an untrained network, say what needs no plan.

Axes: `frame`; `channel row col` maps on cells from the top; `candidate` cells k steps away, of all frames in a row.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from procscope.envs.paths import distance_maps
from procscope.imagination.path_frames import PathFrames
from procscope.imagination.state_probes import fit_probe


class Choices(NamedTuple):
    """Whether a probe chose the right cell; the frames of one step count are the same for every probe."""

    right: Bool[np.ndarray, " choice"]
    """One entry for each frame with a choice."""
    chance: float
    """Mean of one over the number of candidates, on the same frames."""


def on_cells(
    maps: Float[np.ndarray, "frame channel map_row map_col"] | UInt8[np.ndarray, "frame 64 64 3"], side: int
) -> Float[Tensor, "frame channel row col"]:
    """A layer's maps, or frames, spread over the cells of the world; each channel scaled to unit size."""
    tensor = torch.from_numpy(np.ascontiguousarray(maps)).float()
    if tensor.shape[-1] == 3:
        tensor = tensor.permute(0, 3, 1, 2)
    spread = F.interpolate(
        tensor, size=(side, side), mode="bilinear", align_corners=False, antialias=tensor.shape[-1] > side
    )
    return spread / spread.std(dim=(0, 2, 3), keepdim=True).clamp_min(1e-6)


def choose_cell(
    fitted: Float[Tensor, "frame channel row col"],
    fitted_paths: PathFrames,
    measured: Float[Tensor, "measured_frame channel row col"],
    measured_paths: PathFrames,
    steps: int,
) -> Choices:
    """Fit on some frames, choose in others. Raises ValueError: in no frame is there a choice."""
    features, right, _ = candidates(fitted, fitted_paths, steps)
    weights = fit_probe(features, right)
    features, right, frame = candidates(measured, measured_paths, steps)
    scores = (features @ weights).numpy()
    rights, frames = right.numpy(), frame.numpy()
    order = np.lexsort((-scores, frames))
    first = np.r_[True, np.diff(frames[order]) > 0]
    hits = rights[order][first]
    counts = np.bincount(frames)
    return Choices(hits, float((1 / counts[counts > 0]).mean()))


def chance_knowing_next(paths: PathFrames, steps: int) -> float:
    """Of a choice by one who knows the cell that comes next and nothing more: one over the candidates beyond it.

    A layer that holds the policy's next move alone does no better, so that this, and not `Choices.chance`, is what a
    plan must be above. On the frames that have a choice; all arguments as above.
    """
    mouse, following = paths.states[:, 0] == 1, paths.states[:, 1]
    _, rows, columns = np.nonzero(following)
    beyond = distance_maps(paths.free & ~mouse, np.stack([columns, rows], 1)) == steps - 1
    choosing = (paths.steps_away == steps).sum(axis=(1, 2)) > 1
    return float((1 / beyond[choosing].sum(axis=(1, 2))).mean())


def candidates(
    maps: Float[Tensor, "frame channel row col"], paths: PathFrames, steps: int
) -> tuple[Float[Tensor, "candidate feature"], Bool[Tensor, " candidate"], Int[Tensor, " candidate"]]:
    """Features of the cells that lie so many steps away, whether each is on the path, and its frame.

    Raises ValueError: no frame has two of them.
    """
    there = paths.steps_away == steps
    there &= (there.sum(axis=(1, 2)) > 1)[:, None, None]
    frame, row, column = (torch.from_numpy(index) for index in np.nonzero(there))
    if len(frame) == 0:
        raise ValueError(
            f"no frame has two cells {steps} steps away from the mouse, so that there is nothing to choose"
        )
    padded = F.pad(maps, (1, 1, 1, 1))
    around = [padded[frame, :, row + dy, column + dx] for dy in range(3) for dx in range(3)]
    features = torch.cat([*around, torch.ones(len(frame), 1)], 1)
    right = torch.from_numpy(paths.states[:, steps] == 1)[frame, row, column]
    return features, right, frame
