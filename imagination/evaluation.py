"""What a network imagines of fresh sequences, measured: the metric, and which imagined state looks like which true one.

When: `evaluate(network, config, rollouts)` after a training, with the decoder that it was trained with or another one.

Cost: 10,000 sequences of 16x16 in 5 s on one core, of which the metric takes 0.1 s.

Axes: `imagined` i = 1 ... n; `time` j = 1 ... m, the first and the last state included.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from procscope.imagination.network import Decoder, Imaginer
from procscope.imagination.score import AGREEMENT, Scores, equal_cells, matching, score
from procscope.imagination.worlds import Rollouts, read_codes

_AT_ONCE = 256


class Evaluation(NamedTuple):
    """Means over sequences."""

    literal: float
    """The metric of S2, read literally (`score.py`)."""
    one_to_one: float
    """Its variant in which every state is used once."""
    matches: Float[np.ndarray, "imagined time"]
    """Share of sequences in which the imagined state matches the true one."""
    likeness: Float[np.ndarray, "imagined time"]
    """Mean share of cells that are equal."""


def evaluate(
    network: Imaginer,
    rollouts: Rollouts,
    levels: int,
    decoder: Decoder | None = None,
    agreement: float = AGREEMENT,
) -> Evaluation:
    """Imagine the states between and compare them with the true ones."""
    return evaluation_of(imagined_codes(network, rollouts, levels, decoder), rollouts, agreement)


def evaluation_of(
    imagined: Integer[np.ndarray, "sequence imagined row col"],
    rollouts: Rollouts,
    agreement: float = AGREEMENT,
) -> Evaluation:
    """The measures of given imagined states."""
    true = rollouts.states.cpu().numpy()
    scores: Scores = score(imagined, true, agreement)
    return Evaluation(
        float(scores.literal.mean()),
        float(scores.one_to_one.mean()),
        matching(imagined, true, agreement).mean(axis=0),
        equal_cells(imagined, true).mean(axis=0) / true[0, 0].size,
    )


def imagined_codes(
    network: Imaginer, rollouts: Rollouts, levels: int, decoder: Decoder | None = None
) -> Integer[np.ndarray, "sequence imagined row col"]:
    """What the network imagines of each sequence, as codes. Raises ValueError: the decoder is for another width."""
    return imagined_by(network, rollouts, levels, [network.decoder if decoder is None else decoder])[0]


@torch.no_grad()
def imagined_by(
    network: Imaginer, rollouts: Rollouts, levels: int, decoders: Sequence[Decoder]
) -> list[Integer[np.ndarray, "sequence imagined row col"]]:
    """The same by several decoders, from one pass through the network."""
    parts: list[list[Tensor]] = [[] for _ in decoders]
    for inputs in rollouts.inputs.split(_AT_ONCE):
        states = network.roll(network.encode(inputs))[:-1]
        for part, decoder in zip(parts, decoders, strict=True):
            part.append(torch.stack([read_codes(decoder(state), levels) for state in states], 1))
    return [torch.cat(part).cpu().numpy() for part in parts]
