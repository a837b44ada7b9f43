"""Batch normalisation that is there while a network learns and gone when it is done.

When: to train a network without residual sums. In `InterpretableCnn` the signal of a Heist frame drowns at first in
what all frames have in common, and for tens of thousands of frames it learns nothing; normalised it learns at once.
What is folded in at the end is the plain network again, layer by layer, with the same outputs.

    training = BatchNormalised(network)          # batch statistics after every convolution and hidden layer
    ...
    network = training.folded()                  # a plain network in evaluation mode

Source: Ioffe & Szegedy 2015 (arXiv:1502.03167); the folding is `torch.nn.utils.fusion`'s.
"""

import copy

from jaxtyping import Num
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from procscope.agents.networks.outputs import PolicyOutput

HEADS = ("policy_head", "value_head")


class _Normalised(nn.Module):
    """A layer, and the normalisation of its outputs."""

    def __init__(self, layer: nn.Conv2d | nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        self.norm = (
            nn.BatchNorm2d(layer.out_channels)
            if isinstance(layer, nn.Conv2d)
            else nn.BatchNorm1d(layer.out_features)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.layer(x))

    def folded(self) -> nn.Conv2d | nn.Linear:
        """One layer with these outputs in evaluation mode."""
        if isinstance(self.layer, nn.Conv2d):
            return fuse_conv_bn_eval(self.layer, self.norm)
        return fuse_linear_bn_eval(self.layer, self.norm)


class BatchNormalised(nn.Module):
    """A copy of a network with batch normalisation after every convolution and linear layer but the heads."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        for path, layer in list(self.network.named_modules()):
            if isinstance(layer, nn.Conv2d | nn.Linear) and path not in HEADS:
                _replace(self.network, path, _Normalised(layer))

    def forward(self, frames: Num[Tensor, "batch 3 64 64"]) -> PolicyOutput:
        """The network's output, with the batch's statistics in training mode."""
        return self.network(frames)

    def folded(self) -> nn.Module:
        """A plain network with this one's outputs in evaluation mode; the two share nothing."""
        network = copy.deepcopy(self.network).eval()
        for path, module in list(network.named_modules()):
            if isinstance(module, _Normalised):
                _replace(network, path, module.folded())
        return network


def _replace(network: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, module)
