"""The network that a training begins with: new weights from a seed, or those of a trained network."""

import torch
from torch import nn

from procscope.workbench.checkpoints import load_network
from procscope.workbench.plugins import load


def starting_network(architecture: str, options: dict, seed: int, start_from: str | None = None) -> nn.Module:
    """A network of the architecture, in channels_last memory; the global random state is left as it was.

    Args:
        options: keyword arguments of the architecture.
        seed: of new weights.
        start_from: a name or path of a network of the same architecture and options to take the weights of.

    Raises ValueError: an unknown architecture, options that it does not take, or another network to start from.
    """
    build = load("procscope.architectures", architecture)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build(**options)
    except TypeError as error:
        raise ValueError(f"{architecture} cannot be built with the options {options}: {error}") from error
    if start_from is not None:
        try:
            network.load_state_dict(load_network(start_from).network.state_dict())
        except RuntimeError as error:
            first = " ".join(str(error).splitlines()[:2])  # it has a line for every tensor
            raise ValueError(
                f"start_from must be a network like the one to train; {start_from} is another. {first}"
            ) from error
    return network.to(memory_format=torch.channels_last)
