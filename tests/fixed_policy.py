"""Policies of which one knows what they do: a network with given logits, and the shortest way as a table of frames."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from procscope.agents.experts.grid import GridExpert
from procscope.agents.networks.outputs import PolicyOutput
from procscope.envs.engine import scratch_engine
from procscope.envs.maze import MazeLevel


class FixedPolicy(nn.Module):
    """The same logits for every frame: 0 for `action` and -60 for all else; zeros without an action."""

    def __init__(self, action: int | None = None) -> None:
        super().__init__()
        logits = torch.zeros(15)
        if action is not None:
            logits -= 60
            logits[action] = 0
        self.fixed = nn.Parameter(logits)

    def forward(self, frames: Tensor) -> PolicyOutput:
        return PolicyOutput(
            self.fixed.expand(len(frames), 15), frames.new_zeros(len(frames), dtype=torch.float32)
        )


class ShortestWay:
    """Plays what `GridExpert` advises, having learned the frame of every cell on the way by heart."""

    def __init__(self, states: Sequence[bytes]) -> None:
        self.table: dict[bytes, int] = {}
        for state in states:
            level = MazeLevel.from_state(state)
            on_the_way = [level.with_mouse(*cell).to_state(state) for cell in level.shortest_path()[:-1]]
            pictures = scratch_engine("maze", level.mode).render(self._both_ways(on_the_way))
            actions = GridExpert().advise(on_the_way).actions
            for picture, action in zip(pictures, [*actions, *actions], strict=True):
                self.table[picture.tobytes()] = int(action)

    @staticmethod
    def _both_ways(states: list[bytes]) -> list[bytes]:
        """The states with the mouse facing right and left."""
        from procscope.envs.state import EngineState

        parsed = [EngineState.parse(state) for state in states]
        return [state.with_agent(is_reflected=flag).serialise() for flag in (0, 1) for state in parsed]

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        logits = np.full((len(frames), 15), -60, dtype=np.float32)
        for row, frame in enumerate(frames):
            logits[row, self.table[frame.tobytes()]] = 0
        return logits
