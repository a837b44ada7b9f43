"""Terms of an objective that look at the pictures themselves: smoothness, and unlikeness of pictures of one unit.

    ChannelMean("conv_out", [3]) - 1e-3 * TotalVariation(1)           # fewer edges
    ChannelMean("conv_out", [3] * 4) + 0.1 * Diversity("conv_out", 4, of_each=4)  # four different pictures of a unit

When to use: the first against noise; the second to see whether a unit answers to several things: without it, four seeds
tend to give one picture four times.

Source: total variation as in Mahendran & Vedaldi 2015 (arXiv:1412.0035); diversity by the cosine similarity of Gram
matrices as in Lucid (Olah et al. 2017, "The Enemy of Feature Visualization").

Axes: `picture`, `channel`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from procscope.visualization.objectives import PICTURE, Objective


@dataclass(frozen=True)
class TotalVariation(Objective):
    """Mean absolute difference of neighbouring pixels, per channel of the picture, between 0 and 2."""

    pictures: int
    """Of the batch."""

    @property
    def count(self) -> int:
        return self.pictures

    @property
    def hook_points(self) -> tuple[str, ...]:
        return (PICTURE,)

    def of(self, activations: Mapping[str, Tensor]) -> Float[Tensor, " picture"]:
        shown = activations[PICTURE]
        down = (shown[:, :, 1:] - shown[:, :, :-1]).abs().flatten(1).mean(dim=1)
        right = (shown[:, :, :, 1:] - shown[:, :, :, :-1]).abs().flatten(1).mean(dim=1)
        return down + right

    def part(self, pictures: slice) -> "TotalVariation":
        return replace(self, pictures=len(range(*pictures.indices(self.count))))


@dataclass(frozen=True)
class SquaredContrast(Objective):
    """Mean squared distance of the picture's numbers from middle grey, between 0 and 1/4."""

    pictures: int
    """Of the batch."""

    @property
    def count(self) -> int:
        return self.pictures

    @property
    def hook_points(self) -> tuple[str, ...]:
        return (PICTURE,)

    def of(self, activations: Mapping[str, Tensor]) -> Float[Tensor, " picture"]:
        return ((activations[PICTURE] - 0.5) ** 2).flatten(1).mean(dim=1)

    def part(self, pictures: slice) -> "SquaredContrast":
        return replace(self, pictures=len(range(*pictures.indices(self.count))))


@dataclass(frozen=True)
class Diversity(Objective):
    """Less the mean cosine similarity of a picture's Gram matrix to those of the others of its group; -1: all alike.

    The Gram matrix of a map has the products of channels averaged over positions: what goes together, not where. Of a
    layer without maps it is that of one position.
    """

    hook_point: str
    pictures: int
    """Of the batch."""
    of_each: int
    """Pictures of one unit, one after the other. Raises ValueError: fewer than two, or groups that are not whole."""

    def __post_init__(self) -> None:
        if self.of_each < 2 or self.pictures < 1 or self.pictures % self.of_each:
            raise ValueError(
                f"expected groups of at least two pictures that make up all of them; given {self.pictures} pictures in "
                f"groups of {self.of_each}"
            )

    @property
    def count(self) -> int:
        return self.pictures

    @property
    def together(self) -> int:
        return self.of_each

    @property
    def hook_points(self) -> tuple[str, ...]:
        return (self.hook_point,)

    def of(self, activations: Mapping[str, Tensor]) -> Float[Tensor, " picture"]:
        values = activations[self.hook_point]
        values = values.flatten(2) if values.dim() > 2 else values[:, :, None]
        gram = torch.einsum("ncp,nkp->nck", values, values).flatten(1) / values.shape[2]
        gram = F.normalize(gram, dim=1, eps=1e-8).unflatten(0, (-1, self.of_each))
        alike = torch.einsum("gik,gjk->gij", gram, gram)
        others = alike.sum(dim=2) - alike.diagonal(dim1=1, dim2=2)
        return (-others / (self.of_each - 1)).flatten()

    def part(self, pictures: slice) -> "Diversity":
        start, stop, _ = pictures.indices(self.count)
        if start % self.of_each or (stop - start) % self.of_each:
            raise ValueError(
                f"expected whole groups of {self.of_each} pictures, given those from {start} to {stop}"
            )
        return replace(self, pictures=stop - start)
