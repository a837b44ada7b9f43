"""An imaginer that computes the Game of Life exactly, with weights written by hand: its imagination is known.

With S the number of live neighbours plus half of the cell itself, a cell lives on where S is 2.5, 3 or 3.5. At all
multiples of 0.5 that occur, 2 (r(S - 2) - r(S - 2.5) - r(S - 3.5) + r(S - 4)) is 1 there and 0 elsewhere, for r the
ReLU; for a leaky one it is 1 - slope times as much, as the four terms' linear parts cancel.

A core that adds cannot take a cell away by what is never negative. So it keeps two sums: channel 0 of all states so
far, channel 1 of those before; their difference is the state.
"""

import torch

from procscope.imagination.network import SLOPE, Imaginer


def life_network(steps: int, residual: bool = True) -> Imaginer:
    """The state after step k is s_(k+1): channel 0 less channel 1, which a core that does not add leaves at 0."""
    network = Imaginer(steps=steps, width=5, block_layers=2, residual=residual)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.weights_encoder[0].weight[0, 0, 1, 1] = 1
        sums, combined = network.weights_core[0]
        for channel, sign in ((0, 1.0), (1, -1.0)):
            sums.weight[:4, channel] = sign
            sums.weight[:4, channel, 1, 1] = sign / 2
            sums.weight[4, channel, 1, 1] = sign
        sums.bias[:4] = torch.tensor([-2.0, -2.5, -3.5, -4.0])
        combined.weight[0, :4, 1, 1] = torch.tensor([2.0, -2.0, -2.0, 2.0]) / (1 - SLOPE)
        if residual:
            combined.weight[1, 4, 1, 1] = 1
        network.decoder.layers[0].weight[0, :2, 1, 1] = torch.tensor([1.0, -1.0])
    return network
