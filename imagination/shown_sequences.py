"""Everything that a network shows of a sequence, in the order of its steps: for films and pictures.

When: `shown(network, rollouts, levels, decoder)` gives, for each sequence, the first state as the decoder shows it
from what the encoder made of it, the states between, and the last state that it predicts.

Axes: `sequence`; `shown_time` 0 the encoded first state, then the core's steps 1 ... T.
"""

import numpy as np
import torch
from jaxtyping import Integer

from procscope.imagination.network import Decoder, Imaginer
from procscope.imagination.worlds import Rollouts, read_codes


@torch.no_grad()
def shown(
    network: Imaginer, rollouts: Rollouts, levels: int, decoder: Decoder | None = None
) -> Integer[np.ndarray, "sequence shown_time row col"]:
    """Codes of all decoded states. Raises ValueError: the decoder is for another width."""
    decoder = network.decoder if decoder is None else decoder
    encoded = network.encode(rollouts.inputs)
    decoded = torch.stack([decoder(state) for state in [encoded, *network.roll(encoded)]], 1)
    return read_codes(decoded, levels).cpu().numpy()
