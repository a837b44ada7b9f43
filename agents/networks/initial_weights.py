"""Initial weights that let a signal through: He et al. 2015 (arXiv:1502.01852) with zero biases.

With PyTorch's own default the signal of a frame has all but vanished behind a dozen layers, and learning starts
late. Heads start small, so that the first policy is nearly uniform.
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
