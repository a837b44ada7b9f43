"""Which hook point carries what a layer of weights writes, so that clusters of a graph can be lesioned and read.

    where = layer_hook_points(policy, frames[:1])
    where["block2.unit1.weights1"]                     # "block2.unit1.conv1"

A graph's layers are named by the modules that hold their weights; a `HookedNetwork` names its activations. Found by
one pass: the hook point that is given the very tensor that the layer has made. In any other network the module's own
output is the hook point.

Cost: one forward pass.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from procscope.activations.capture import evaluation_mode
from procscope.activations.hooks import HookedNetwork, HookPoint


def layer_hook_points(network: nn.Module, example: Any) -> dict[str, str]:
    """The hook point of each linear or convolutional layer that has one, by the layer's name in a `weight_graph`."""
    layers: dict[nn.Module, str] = {
        module: name for name, module in network.named_modules() if isinstance(module, nn.Linear | _ConvNd)
    }
    if not isinstance(network, HookedNetwork):
        return {name: name for name in layers.values()}
    written: dict[str, Tensor] = {}
    found: dict[str, str] = {}

    def keep(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        written[layers[module]] = output

    def look(activation: Tensor, /, *, hook: HookPoint) -> None:
        for name, output in written.items():
            if output is activation:
                found[name] = hook.name or ""

    handles = [module.register_forward_hook(keep) for module in layers]
    try:
        with evaluation_mode(network), torch.no_grad(), network.hooks([(lambda _: True, look)]):
            network(example)
    finally:
        for handle in handles:
            handle.remove()
    return found
