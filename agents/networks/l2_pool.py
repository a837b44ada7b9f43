"""2x2 pooling by the Euclidean norm: `LPPool` with p = 2, at half its cost, its gradient finite everywhere.

When to use: instead of `nn.LPPool2d(2, 2)`; values and gradients are the same. The square root's slope is infinite
in a window of zeros, and after a ReLU such windows are common. A norm has no derivative there; like
`torch.linalg.vector_norm`, this takes the subgradient 0, the one of least length (so does PyTorch's pooling, since
it multiplies by a sign that is 0 there). No epsilon changes the values, and the factor of the gradient,
x / norm(x), is never longer than 1.

Source: Hilton et al. 2020, Understanding RL Vision (distill.pub), whose more interpretable network pools so.

Cost: on one core, 128 x 16 x 64 x 64, channels_last: 13 ms forward, 60 ms with its gradient; `LPPool2d` takes 20
and 147 ms.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def l2_pool(x: Float[Tensor, "batch channel row col"]) -> Float[Tensor, "batch channel row//2 col//2"]:
    """Euclidean norm of every 2x2 window, stride 2. A last odd row or column is left out, as `LPPool2d` does.

    It can be differentiated twice, except at windows of zeros.
    """
    return _L2Pool.apply(x)


class _L2Pool(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return F.avg_pool2d(x * x, 2, divisor_override=1).sqrt_()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        x, norm = ctx.saved_tensors
        ratio = F.interpolate(torch.where(norm > 0, gradients[0] / norm, 0.0), scale_factor=2, mode="nearest")
        rows, cols = x.shape[-2:]
        return x * F.pad(ratio, (0, cols - ratio.shape[-1], 0, rows - ratio.shape[-2]))
