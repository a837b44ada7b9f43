"""The adversarial decoder on a policy: what do its layers between show, when the ends are taught?

When: to ask of an agent that chooses what S2 asks of a network that predicts. The maps of several layers (or ticks)
of one width stand for the core's states; each is spread over the cells of the world. The decoder is taught that the
first shows where the mouse is (the autoencoder's part: that is seen in the frame) and that the last shows the cell
that the policy is about to step on (the prediction's part: that is what it puts out). Of the layers between it is
only to show what looks like a mouse's cell in that maze, by the discriminator. If they held the path ahead, the cells
on it should come out.

Both taught ends are single cells, so that the loss is the cross-entropy of which cell it is: one in 225 cells would
not weigh against the discriminator otherwise. A state is one cell, so that two states match at 95% of the cells even
if both are wrong: the metric is taken with an agreement of 100% here, and the literal one stands beside its floor.

Axes: `layer`; `frame`; `channel row col` maps on cells.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from procscope.imagination.adversarial import AdversarialConfig, StageBatch, Taught, fool
from procscope.imagination.discriminator import Discriminator
from procscope.imagination.network import Decoder
from procscope.imagination.path_frames import PathFrames

Maps = Float[Tensor, "frame channel row col"]


class Shown(NamedTuple):
    """What the decoder shows of other frames, as cells."""

    first: Integer[np.ndarray, "frame row col"]
    between: Integer[np.ndarray, "frame imagined row col"]
    last: Integer[np.ndarray, "frame row col"]


def policy_decoder(
    layers: Sequence[Maps],
    paths: PathFrames,
    next_cells: Float[Tensor, "frame row col"],
    stage: AdversarialConfig,
) -> Decoder:
    """Train a decoder and a discriminator on these frames.

    Args:
        layers: maps of at least three layers of one width, on cells, in the order in which the policy makes them.
        next_cells: 1 at the cell that the policy is about to step on.

    Raises ValueError: fewer than three layers, or of several widths.
    """
    widths = {layer.shape[1] for layer in layers}
    if len(layers) < 3 or len(widths) != 1:
        raise ValueError(
            f"expected at least three layers of one width, so that one lies between two that are taught; given: "
            f"{len(layers)} layers of widths {sorted(widths)}"
        )
    side = layers[0].shape[-1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stage.seed)
        decoder = Decoder(widths.pop(), layers=1, kernel=3, border="dead")
        discriminator = Discriminator(side, given=1)
        fool(decoder, discriminator, _batches(layers, paths, next_cells, stage), stage, torch.sigmoid)
    return decoder


@torch.no_grad()
def decoded_cells(decoder: Decoder, layers: Sequence[Maps], paths: PathFrames) -> Shown:
    """The free cell of the highest value in what the decoder shows of each layer."""
    free = torch.from_numpy(np.ascontiguousarray(paths.free))
    codes = []
    for layer in layers:
        values = decoder(layer).masked_fill(~free, -torch.inf).flatten(1)
        cells = torch.nn.functional.one_hot(values.argmax(1), values.shape[1])
        codes.append(cells.view(free.shape).to(torch.uint8).numpy())
    return Shown(codes[0], np.stack(codes[1:-1], 1), codes[-1])


def _batches(
    layers: Sequence[Maps], paths: PathFrames, next_cells: Tensor, stage: AdversarialConfig
) -> Iterator[StageBatch]:
    rng = np.random.default_rng(stage.seed)
    n = len(paths.frames)
    mouse = torch.from_numpy(np.ascontiguousarray(paths.states[:, 0])).float()
    free = torch.from_numpy(np.ascontiguousarray(paths.free)).float()[:, None]
    for _ in range(stage.updates):
        seen = torch.from_numpy(rng.integers(n, size=stage.batch))
        others = rng.integers(n, size=stage.batch * (len(layers) - 2))
        times = rng.integers(paths.states.shape[1], size=len(others))
        yield StageBatch(
            [
                Taught(layers[0][seen], mouse[seen], "cell"),
                Taught(layers[-1][seen], next_cells[seen], "cell"),
            ],
            [layer[seen] for layer in layers[1:-1]],
            torch.from_numpy(paths.states[others, times]).float(),
            free[seen],
            free[torch.from_numpy(others)],
        )
