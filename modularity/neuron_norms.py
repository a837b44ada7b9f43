"""Keep each hidden neuron's incoming weights at one norm, without changing what the network computes.

A ReLU neuron's incoming weights can be multiplied by c > 0 and its outgoing ones by 1 / c, and the network stays the
same function. A penalty on the graph would use that freedom: many near-zero weights make a low n-cut and mean
nothing. So after each step of training with `EigenvaluePenalty` every hidden neuron's incoming weights and bias are
brought to norm sqrt(2) (the norm that He's initialisation gives), and its outgoing weights make up for it.

Source: S0, algorithm 2. Convolutions are treated the same way, a channel being a neuron; pooling and flattening let
the factor pass. Between the layers only functions f with f(c x) = c f(x) may stand: ReLU, max and mean pooling,
dropout; not batch normalisation, with which incoming weights have no scale anyway.

Cost: about ten small operations a layer.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from procscope.modularity.regulariser import check_chain

NORM = 2**0.5
TINY = 1e-30


@torch.no_grad()
def normalise_neurons(layers: Sequence[nn.Module]) -> None:
    """Give every hidden neuron of a chain of layers incoming weights and bias of norm sqrt(2), in place.

    A neuron whose incoming weights and bias are all 0 stays so, and its outgoing weights become 0: it computes 0.

    Args:
        layers: each reading the one before; the last one's units are outputs and keep their weights.

    Raises ValueError: layers that do not connect.
    """
    check_chain(layers)
    pairs: Any = pairwise(layers)
    for layer, following in pairs:
        weight, bias, outgoing = layer.weight, layer.bias, following.weight
        units = weight.shape[0]
        incoming = weight if weight.dim() == 2 else weight.view(units, -1)
        norm = torch.linalg.vector_norm(incoming, dim=1)
        if bias is not None:
            norm = torch.hypot(norm, bias)
        factor = norm.div_(NORM)
        # 0 / tiny is 0: a dead neuron stays dead.
        divisor = factor.clamp_min(TINY)
        incoming.div_(divisor[:, None])
        if bias is not None:
            bias.div_(divisor)
        if outgoing.dim() == 2 and outgoing.shape[1] == units:
            outgoing.mul_(factor)
        else:  # [unit, channel, places]: a flattened map or a kernel has several weights for each channel
            outgoing.view(outgoing.shape[0], units, -1).mul_(factor[:, None])
