"""The network that imagines: an encoder, a convolutional core that is applied T times, and a decoder.

When: to train on first and last states of a world (`training.py`) and then to decode what the core held between.

    network = Imaginer(steps=3)
    last = network(rollouts.inputs)                     # the last state
    between = network.imagine(rollouts.inputs)          # T - 1 states that it was never taught, 0 to 1

Source: S2.model: all parts convolutional, the core's weights shared by all steps or not, 20 channels and one layer in
encoder and decoder found best. The text says no more. What it leaves open follows the authors' own code
(github.com/wichersn/visualize-nn-imagination): kernels of 3x3, leaky ReLUs of slope 0.3, at least three layers a
step, a core that adds to its state (`residual`), and a decoder whose last layer is linear.

Hook points (B the batch, C channels, n the board's side, T steps, K = 1 ... T):

    encoderI                 B C n n   after the leaky ReLU of encoder layer I
    encoded                  B C n n   what the core begins with
    stepK.hiddenI            B C n n   after the leaky ReLU of the core's layer I = 1 ... of step K, but the last
    stepK.added              B C n n   after that of its last layer, in a residual core: what is added to the state
    stepK.state              B C n n   what is handed on, and what is decoded
    decoderI                 B C n n   after the leaky ReLU of decoder layer I, but the last
    decoded                  B n n     the last state: about 0 for dead, about 1 for alive

`decode` and `imagine` pass no hook point of the decoder: only a whole forward pass does, once.

Cost: 5.6 million multiply-adds a board of 16x16 with the defaults. Use `channels_last` inputs on a CPU.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from procscope.activations.hooks import HookedNetwork, HookPoint
from procscope.imagination.borders import BorderConv
from procscope.imagination.worlds import World

SLOPE = 0.3
"""Of the leaky ReLUs, for what is below 0."""
State = Float[Tensor, "batch channel row col"]
Inputs = Float[Tensor, "batch input row col"]


class Decoder(nn.Module):
    """From the core's states to a state of the world: values that are to be 0 to 1, not clipped.

    Args:
        width: channels of the states that it reads.
        layers: convolutions; all but the last give `width` channels and a leaky ReLU.
    """

    def __init__(self, width: int, layers: int, kernel: int, border: str) -> None:
        super().__init__()
        self.width = width
        self.layers = nn.ModuleList(
            BorderConv(width, width if index < layers - 1 else 1, kernel, border) for index in range(layers)
        )

    def forward(self, states: State, points: Sequence[HookPoint] = ()) -> Float[Tensor, "batch row col"]:
        """The values. `points` are called after the hidden layers. Raises ValueError: states of another width."""
        if states.shape[1] != self.width:
            raise ValueError(
                f"this decoder reads states of {self.width} channels; given: {states.shape[1]}. A decoder belongs to "
                "networks of its own width: take the decoder that was trained with this network, or build one with "
                f"width={states.shape[1]}"
            )
        for index, layer in enumerate(self.layers[:-1]):
            states = F.leaky_relu(layer(states), SLOPE)
            states = points[index](states) if points else states
        return self.layers[-1](states).squeeze(1)


class Step(nn.Module):
    """The hook points of one step of the core."""

    def __init__(self, block_layers: int, residual: bool) -> None:
        super().__init__()
        for index in range(1, block_layers):
            self.add_module(f"hidden{index}", HookPoint())
        if residual:
            self.added = HookPoint()
        self.state = HookPoint()

    def points(self) -> list[HookPoint]:
        """In the order in which they are passed."""
        return [point for point in self.children() if isinstance(point, HookPoint)]


class Imaginer(HookedNetwork):
    """Predicts the last state of a sequence from its first.

    Args:
        steps: applications of the core, T, at least 2.
        width: channels of all inner maps.
        shared: whether every step uses the same weights ("RNN") or its own.
        encoder_layers: convolutions of the encoder.
        block_layers: convolutions of each step.
        residual: whether a step adds to the state, or puts another in its place.
        decoder_layers: convolutions of the decoder.
        kernel: rows and columns of every kernel, odd.
        border: what lies beyond the board's edge; must be the world's.
        channels: of the input.

    Raises ValueError: a step count of 1, an even kernel, or a number below 1.
    """

    def __init__(
        self,
        steps: int,
        width: int = 20,
        shared: bool = True,
        encoder_layers: int = 1,
        block_layers: int = 3,
        residual: bool = True,
        decoder_layers: int = 1,
        kernel: int = 3,
        border: str = "torus",
        channels: int = 1,
    ) -> None:
        super().__init__()
        if steps < 2:
            raise ValueError(
                f"expected at least 2 steps of the core; given: {steps}. After one step comes the last state, which is "
                "taught, so that no state is left to be imagined between the first and the last"
            )
        if min(width, encoder_layers, block_layers, decoder_layers, channels) < 1:
            raise ValueError(
                "expected at least 1 channel and 1 layer in every part; given: width "
                f"{width}, layers {encoder_layers}, {block_layers}, {decoder_layers}, input channels {channels}"
            )
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(
                f"expected an odd kernel, which has a middle, so that maps keep the board's size; given: {kernel}"
            )
        self.steps, self.width, self.shared, self.residual = steps, width, shared, residual
        self.kernel, self.border, self.channels = kernel, border, channels
        self.weights_encoder = nn.ModuleList(
            BorderConv(width if index else channels, width, kernel, border) for index in range(encoder_layers)
        )
        self.weights_core = nn.ModuleList(
            nn.ModuleList(BorderConv(width, width, kernel, border) for _ in range(block_layers))
            for _ in range(1 if shared else steps)
        )
        self.decoder = Decoder(width, decoder_layers, kernel, border)
        for index in range(1, encoder_layers + 1):
            self.add_module(f"encoder{index}", HookPoint())
        self.encoded = HookPoint()
        for number in range(1, steps + 1):
            self.add_module(f"step{number}", Step(block_layers, residual))
        for index in range(1, decoder_layers):
            self.add_module(f"decoder{index}", HookPoint())
        self.decoded = HookPoint()
        self.setup()

    @classmethod
    def for_world(cls, world: World, steps: int, **options: Any) -> "Imaginer":
        """A network for the boards of a world. Raises ValueError: also for boards smaller than the kernel."""
        network = cls(steps, border=world.border, channels=world.channels, **options)
        network.check_side(world.side)
        return network

    def forward(self, inputs: Inputs) -> Float[Tensor, "batch row col"]:
        """The last state."""
        points = [self.get_submodule(f"decoder{index}") for index in range(1, len(self.decoder.layers))]
        return self.decoded(self.decoder(self.roll(self.encode(inputs))[-1], points))  # pyright: ignore

    def encode(self, inputs: Inputs) -> State:
        """The state that the core begins with. Raises ValueError: boards of another kind than the network's."""
        if inputs.ndim != 4 or inputs.shape[1] != self.channels:
            raise ValueError(
                f"expected boards of shape (batch, {self.channels}, rows, columns); given: {tuple(inputs.shape)}"
            )
        self.check_side(min(inputs.shape[2:]))
        states = inputs
        for index, layer in enumerate(self.weights_encoder, 1):
            states = self.get_submodule(f"encoder{index}")(F.leaky_relu(layer(states), SLOPE))
        return self.encoded(states)

    def roll(self, encoded: State) -> list[State]:
        """The core's state after each of its T steps."""
        states, found = encoded, []
        for number in range(1, self.steps + 1):
            points = self.get_submodule(f"step{number}")
            assert isinstance(points, Step)
            block = self.weights_core[0 if self.shared else number - 1]
            assert isinstance(block, nn.ModuleList)
            before = states
            for layer, point in zip(block, points.points(), strict=not self.residual):
                states = point(F.leaky_relu(layer(states), SLOPE))
            if self.residual:
                states = points.state(before + states)
            found.append(states)
        return found

    def decode(self, states: State) -> Float[Tensor, "batch row col"]:
        """The world's state that the core's state shows."""
        return self.decoder(states)

    @torch.no_grad()
    def imagine(
        self, inputs: Inputs, decoder: Decoder | None = None
    ) -> Float[Tensor, "batch imagined row col"]:
        """The T - 1 states between the first and the last, decoded, from 0 to 1 (S2.model, inference).

        The last step's state is left out: the decoder was taught to show it. Another `decoder` may read the states,
        such as one that the adversarial stage made. Raises ValueError: that one is for another width.
        """
        decoder = self.decoder if decoder is None else decoder
        return torch.stack([decoder(state) for state in self.roll(self.encode(inputs))[:-1]], 1).clamp(0, 1)

    def check_side(self, side: int) -> None:
        """Raises ValueError: the board is smaller than the kernel, which would then see a cell twice."""
        if side < self.kernel:
            raise ValueError(
                f"boards must have at least as many rows and columns as the kernel, {self.kernel}; given: {side}. Take "
                "larger boards or a smaller kernel"
            )
