"""Initial weights that let a signal through: He et al. 2015 (arXiv:1502.01852) with zero biases, and a variant.

With PyTorch's own default the signal of a frame has all but vanished behind a dozen layers, and learning starts
late. Heads start small, so that the first policy is nearly uniform.

In networks without residual sums most of the signal is not about the frame: frames of a game look mostly alike, and
what a ReLU lets through is never negative, so that a sum of many inputs is nearly the same number for all of them. In
`InterpretableCnn` with He's weights it varied by a sixth of its size from one Heist level to another at `fc1_pre`, and
36% of the units of `fc1` were zero for all levels. A unit whose weights sum to zero does not see what its inputs
have in common: two thirds and 1% (`initialise_zero_sum`).
"""

import torch
from torch import nn

#: Factor on the weights of policy and value heads.
SMALL_HEAD = 0.1


def initialise_he(network: nn.Module) -> None:
    """Draw every convolution's and linear layer's weights for ReLU units, in the order of `network.modules()`."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


@torch.no_grad()
def scale_weights(factor: float, *layers: nn.Conv2d | nn.Linear) -> None:
    """Multiply the weights, not the biases, of some layers."""
    for layer in layers:
        layer.weight.mul_(factor)


@torch.no_grad()
def initialise_zero_sum(network: nn.Module) -> None:
    """He's weights with the mean of each unit's weights taken away.

    They are made 1.2 times as large, since of what a ReLU makes of normal values with mean 0 only 0.68 of the second
    moment, which He's weights keep, is variance.
    """
    initialise_he(network)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            axes = tuple(range(1, module.weight.ndim))
            module.weight.sub_(module.weight.mean(axes, keepdim=True)).mul_(1.2)
