"""The same network before it learned anything: what a probe finds there, the architecture gives away.

    network = untrained_like(model, seed=0)        # another draw of the initial weights

Random convolutions of a picture are useful features in themselves (Rahimi and Recht 2007), so a probe's score on a
trained layer means little without the score on the same layer untrained.

Cost: making the network; reading it is a forward pass over all frames (IMPALA 16-32-32: 1,000 frames/s a core).
"""

import copy

import torch
from torch import nn

from procscope.activations.hooks import HookedModules
from procscope.workbench import plugins
from procscope.workbench.checkpoints import LoadedModel


def untrained_like(model: LoadedModel | nn.Module, seed: int) -> nn.Module:
    """A network of the same kind with initial weights of its own, in evaluation mode.

    A checkpoint's network is built anew by its architecture. Of another module a copy is made, in which every part
    draws its weights as PyTorch does by default (`reset_parameters`).

    Raises ValueError: a module some of whose weights no `reset_parameters` draws.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if isinstance(model, LoadedModel):
            device = next(model.network.parameters()).device
            build = plugins.load("procscope.architectures", model.header.architecture)
            return build(**model.header.options).to(device).eval()
        bare = model.model if isinstance(model, HookedModules) else model
        fresh = copy.deepcopy(bare)
        own = [
            (name, part)
            for name, part in fresh.named_modules()
            if any(True for _ in part.parameters(recurse=False))
        ]
        for name, part in own:
            if not hasattr(part, "reset_parameters"):
                raise ValueError(
                    f"expected parts that can draw their weights anew; {type(part).__name__} at {name or 'the top'} "
                    "has "
                    "weights of its own and no reset_parameters. Make the untrained network yourself"
                )
            part.reset_parameters()  # type: ignore[operator]
        return fresh.eval()
