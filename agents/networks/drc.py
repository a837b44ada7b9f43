"""DRC: a recurrent policy that thinks several times about each frame, in ConvLSTM layers that keep a map of the world.

When to use: to ask whether a network plans. It holds a map of 16x16 positions, about a cell of an easy maze each, and
goes over it `ticks` times a frame; what it holds then is handed on to the next frame. All that the heads read is the
memory of the last layer.

Source: Guez et al. 2019, An investigation of model-free planning (arXiv:1901.03559), section 3, whose DRC(D, N) has D
layers and N ticks; the same networks are taken apart by Taufeeque et al. 2024 (arXiv:2407.15421) and Bush et al. 2025
(arXiv:2504.01871) in Sokoban. As there: every layer sees the encoded frame at every tick; the first layer also sees
the last one's map of the tick before; a layer's own map is pooled (largest value and mean of each channel) and the
result told to all positions. Here the pooled values go straight to the gates instead of through the 3x3 kernels, which
differs at the border alone; the heads do not see the encoded frame past the memory; a border channel is left out.

    output = network(frames, network.initial_state(len(frames)))
    output = network(next_frames, output.state, first=ended)     # a new episode begins where `ended` was true

Hook points (B the batch, C channels, s the width of the map):

    state_in             B D 2 C s s     the state received, zero where an episode begins; 0 is h, 1 is c
    encoder1_pre  encoder1   B C 16 16   first convolution before and after its ReLU
    encoded_pre   encoded    B C s s     second convolution
    layerI.input         B 4C s s        what the encoded frame adds to the gates of layer I = 1 .. D, at every tick
    layerI.tickJ.pooled  B 4C            what the pooled map adds
    layerI.tickJ.gates   B 4C s s        input, forget, output gate and candidate before their non-linearities
    layerI.tickJ.cell    B C s s         c
    layerI.tickJ.hidden  B C s s         h
    state                B D 2 C s s     the state handed on
    fc_pre  fc           B hidden        before the ReLU, after it
    logits               B 15            one per raw action (`procscope.envs.actions`)
    value                B               expected discounted return

Axes: `time` frames of an episode one after the other; `layer`; `part` h and c; `row col` of the map from the top.

Cost: 35 million multiply-adds a frame. On one core of the machine on which IMPALA (16, 32, 32) does 900 frames/s
forward and 290 in training: 640 and 230, with 8x8 maps of 24 channels 1,100 and 400 (`channels_last`).
"""

import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor, nn
from torch.nn import functional as F

from procscope.activations.hooks import HookedNetwork, HookPoint
from procscope.agents.networks.initial_weights import SMALL_HEAD, initialise_zero_sum, scale_weights
from procscope.agents.networks.outputs import RecurrentOutput
from procscope.envs.actions import N_ACTIONS

Map = Float[Tensor, "batch channel row col"]


class Tick(nn.Module):
    """The hook points of one pass over the map."""

    def __init__(self) -> None:
        super().__init__()
        self.pooled, self.gates, self.cell, self.hidden = (HookPoint() for _ in range(4))


class ConvLstmLayer(nn.Module):
    """A ConvLSTM (Shi et al. 2015, arXiv:1506.04214) whose gates also see a frame and a pooled summary of its map."""

    def __init__(self, channels: int, ticks: int) -> None:
        super().__init__()
        self.weights_frame = nn.Conv2d(channels, 4 * channels, 3, padding=1)
        self.weights_maps = nn.Conv2d(2 * channels, 4 * channels, 3, padding=1, bias=False)
        self.weights_pooled = nn.Linear(2 * channels, 4 * channels, bias=False)
        self.input = HookPoint()
        for number in range(1, ticks + 1):
            self.add_module(f"tick{number}", Tick())

    def forward(
        self, frame: Float[Tensor, "batch gate row col"], below: Map, hidden: Map, cell: Map, tick: int
    ) -> tuple[Map, Map]:
        """The layer's h and c after a tick.

        Args:
            frame: what the encoded frame adds to the gates (`weights_frame`), the same at every tick.
            below: h of the layer below, at the first layer that of the last layer a tick before.
            hidden: h of this layer a tick before.
            cell: its c.
            tick: number of the tick, from 1.
        """
        points = self.get_submodule(f"tick{tick}")
        assert isinstance(points, Tick)
        summary = torch.cat([hidden.amax(dim=(2, 3)), hidden.mean(dim=(2, 3))], dim=1)
        pooled = points.pooled(self.weights_pooled(summary))
        gates = self.weights_maps(torch.cat([below, hidden], dim=1))
        gates = points.gates(
            gates.add_(frame).add_(pooled[:, :, None, None])
        )  # in place: copies took a fifth of the pass
        write, keep, show, candidate = gates.chunk(4, dim=1)
        cell = points.cell(keep.sigmoid() * cell + write.sigmoid() * candidate.tanh())
        return points.hidden(show.sigmoid() * cell.tanh()), cell


class Drc(HookedNetwork):
    """Recurrent policy and value network for 64x64 RGB frames, uint8 or floats of 0..255.

    Args:
        channels: of the encoder and of each layer's map.
        layers: ConvLSTM layers, D.
        ticks: passes over all layers for each frame, N.
        map_size: width of the maps, 16 or 8.
        hidden: units of the fully connected layer.
        n_actions: logits.
    """

    def __init__(
        self,
        channels: int = 16,
        layers: int = 2,
        ticks: int = 3,
        map_size: int = 16,
        hidden: int = 256,
        n_actions: int = N_ACTIONS,
    ) -> None:
        super().__init__()
        if map_size not in (8, 16) or min(channels, layers, ticks) < 1:
            raise ValueError(
                "map_size must be 8 or 16, and channels, layers and ticks at least 1; given: "
                f"{map_size}, {channels}, {layers}, {ticks}"
            )
        self.channels, self.n_layers, self.ticks, self.map_size = channels, layers, ticks, map_size
        self.hidden, self.n_actions = hidden, n_actions
        self.weights_encoder1 = nn.Conv2d(3, channels, 8, stride=4, padding=2)
        self.weights_encoder2 = nn.Conv2d(channels, channels, 4, stride=2, padding=1)
        if map_size == 16:
            self.weights_encoder2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.state_in, self.encoder1_pre, self.encoder1 = (HookPoint() for _ in range(3))
        self.encoded_pre, self.encoded = HookPoint(), HookPoint()
        for number in range(1, layers + 1):
            self.add_module(f"layer{number}", ConvLstmLayer(channels, ticks))
        self.weights_fc = nn.Linear(channels * map_size**2, hidden)
        self.policy_head = nn.Linear(hidden, n_actions)
        self.value_head = nn.Linear(hidden, 1)
        self.state, self.fc_pre, self.fc, self.logits, self.value = (HookPoint() for _ in range(5))
        self._initialise()
        self.setup()

    @torch.no_grad()
    def _initialise(self) -> None:
        """Zero-sum weights; a cell keeps most of what it holds at first, so that gradients reach earlier frames.

        What passes through gates comes out smaller, so the way from the frame to the heads begins louder. Without, 150
        steps did not teach 512 frames of small mazes by heart (loss 1.39, four moves at random); so, nearly (0.37).
        """
        initialise_zero_sum(self)
        scale_weights(3.0, self.weights_encoder1, *(layer.weights_frame for layer in self.layers()))
        scale_weights(2.0, self.weights_fc)
        for layer in self.layers():
            assert layer.weights_frame.bias is not None
            layer.weights_frame.bias[self.channels : 2 * self.channels] = 1  # of the gate that keeps
        scale_weights(SMALL_HEAD, self.policy_head, self.value_head)

    def layers(self) -> list[ConvLstmLayer]:
        """The ConvLSTM layers, the first first."""
        found = [self.get_submodule(f"layer{number}") for number in range(1, self.n_layers + 1)]
        return [layer for layer in found if isinstance(layer, ConvLstmLayer)]

    def initial_state(self, batch_size: int) -> Float[Tensor, "batch layer part channel row col"]:
        """The state before the first frame of `batch_size` episodes: zeros."""
        shape = (batch_size, self.n_layers, 2, self.channels, self.map_size, self.map_size)
        return torch.zeros(shape, device=self.policy_head.weight.device)

    def forward(
        self,
        frames: Num[Tensor, "batch 3 64 64"],
        state: Float[Tensor, "episode layer part channel row col"] | None = None,
        first: Bool[Tensor, "batch"] | None = None,
    ) -> RecurrentOutput:
        """Logits, value and new state of one frame of each episode, with values 0..255.

        Args:
            state: what the last call returned, or `initial_state`.
            first: whether a frame is the first of its episode: then its state counts as zero. Without a state,
                all must be.

        Raises ValueError: no state where one is needed, or one of another shape.
        """
        begun = self._begin(self._checked_state(state, first, len(frames)), first)
        new_state = self.state(self._think(self._inputs(self._encode(frames)), begun))
        return RecurrentOutput(*self._heads(new_state[:, -1, 0]), new_state)

    def unroll(
        self,
        frames: Num[Tensor, "time batch 3 64 64"],
        state: Float[Tensor, "batch layer part channel row col"],
        first: Bool[Tensor, "time batch"],
    ) -> RecurrentOutput:
        """Logits [time, batch, action], values [time, batch] and the last state of frames in a row, for training.

        The same as calling the network frame by frame, but encoder and heads see all frames at once. Hooks inside
        the layers run once for each frame, the others once for all of them. Where every frame begins an episode,
        nothing is handed on and all are thought about at once.
        """
        if bool(first.all()):
            alone = self(frames.flatten(0, 1), first=first.flatten())
            logits, value, state = (part.unflatten(0, frames.shape[:2]) for part in alone)
            return RecurrentOutput(logits, value, state[-1])
        inputs = [
            part.unflatten(0, frames.shape[:2]) for part in self._inputs(self._encode(frames.flatten(0, 1)))
        ]
        read = []
        for time in range(len(frames)):
            begun = self._begin(state, first[time])
            state = self.state(self._think([part[time] for part in inputs], begun))
            read.append(state[:, -1, 0])
        logits, value = self._heads(torch.cat(read))
        shape = frames.shape[:2]
        return RecurrentOutput(logits.unflatten(0, shape), value.unflatten(0, shape), state)

    def _checked_state(self, state: Tensor | None, first: Tensor | None, batch_size: int) -> Tensor:
        if state is None:
            if first is None or not bool(first.all()):
                raise ValueError(
                    "a recurrent network needs the state that it returned with the frame before; none was given. "
                    f"At the start of all episodes pass state=network.initial_state({batch_size})"
                )
            return self.initial_state(batch_size)
        expected = tuple(self.initial_state(0).shape[1:])
        if tuple(state.shape) != (batch_size, *expected):
            raise ValueError(
                f"expected a state of shape {(batch_size, *expected)} for {batch_size} frames; given: "
                f"{tuple(state.shape)}. A state belongs to one network and the same episodes in the same order"
            )
        return state

    def _begin(self, state: Tensor, first: Tensor | None) -> Tensor:
        """The state with that of new episodes set to zero."""
        if first is not None:
            state = state.masked_fill(first[:, None, None, None, None, None], 0)
        return self.state_in(state)

    def _encode(self, frames: Tensor) -> Tensor:
        x = self.encoder1(F.relu(self.encoder1_pre(self.weights_encoder1(frames.float() / 255))))
        return self.encoded(F.relu(self.encoded_pre(self.weights_encoder2(x))))

    def _inputs(self, encoded: Tensor) -> list[Tensor]:
        return [layer.input(layer.weights_frame(encoded)) for layer in self.layers()]

    def _think(self, inputs: list[Tensor], state: Tensor) -> Tensor:
        """All ticks of one frame: the new state."""
        layers = self.layers()
        hidden, cell = list(state[:, :, 0].unbind(1)), list(state[:, :, 1].unbind(1))
        for tick in range(1, self.ticks + 1):
            for index, layer in enumerate(layers):
                below = hidden[index - 1]  # of the first layer, the last one's of the tick before
                hidden[index], cell[index] = layer(inputs[index], below, hidden[index], cell[index], tick)
        return torch.stack([torch.stack(hidden, 1), torch.stack(cell, 1)], 2)

    def _heads(self, top: Tensor) -> tuple[Tensor, Tensor]:
        x = self.fc(F.relu(self.fc_pre(self.weights_fc(top.flatten(1)))))
        return self.logits(self.policy_head(x)), self.value(self.value_head(x).squeeze(-1))
