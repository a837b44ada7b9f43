"""Latents in place of channels: what an SAE, or anything else with `encode`, makes of activations.

Axes: `frame`, `sample` frame x position, `channel`, `latent`.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor


@runtime_checkable
class Encoder(Protocol):
    """What latents are read from, such as an SAE."""

    def encode(self, activation: Tensor) -> Tensor:
        """The latents, [sample, latent] of [sample, channel]."""
        ...


def encoded(
    encoder: Encoder, activations: Shaped[np.ndarray, "frame ..."]
) -> Shaped[np.ndarray, "frame latent ..."]:
    """An encoder's latents: of each position's channels, or of all numbers if it takes so many.

    Raises ValueError: it takes neither.
    """
    x = torch.from_numpy(np.ascontiguousarray(activations)).to(torch.float32)
    places = x.movedim(1, -1) if x.ndim > 2 else x
    attempts: list[tuple[Tensor, Callable[[Tensor], Tensor]]] = [
        (places.reshape(-1, x.shape[1]), lambda z: z.reshape(*places.shape[:-1], -1).movedim(-1, 1)),
        (x.flatten(1), lambda z: z),
    ]
    problems = []
    with torch.inference_mode():
        for rows, back in attempts:
            try:
                latents = encoder.encode(rows)
            except (RuntimeError, ValueError) as error:
                problems.append(str(error).splitlines()[0][:100])
                continue
            return back(latents).contiguous().numpy()
    raise ValueError(
        f"expected an encoder of {x.shape[1]} channels, or of all {x[0].numel()} numbers of the hook point; this one "
        "takes "
        f"neither ({'; '.join(dict.fromkeys(problems))})"
    )
