"""Pictures of levels for people, drawn by the engine at 512 x 512 pixels.

When: `_repr_png_` of a level in a notebook, `procscope level show --out`. Never for networks, which see 64 x
64 (`Engine.render`): the large mode slows every call of the engine by an order of magnitude, so it has an
engine of its own, which is made at the first picture.
Cost: about 1 ms a picture, and 10 ms for its PNG.

Axes: `row col rgb` from the top left.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from procscope.envs.engine import scratch_engine
from procscope.envs.frames import LARGE_FRAME_SIZE
from procscope.envs.state.offsets import locate


def level_pictures(states: Sequence[bytes]) -> UInt8[np.ndarray, "state 512 512 3"]:
    """A picture of each state, which must be of one game; (0, 512, 512, 3) for none."""
    if not states:
        return np.empty((0, LARGE_FRAME_SIZE, LARGE_FRAME_SIZE, 3), np.uint8)
    games = {locate(state).game for state in states}
    if len(games) > 1:
        raise ValueError(
            f"pictures are drawn for one game at a time; given: states of {', '.join(sorted(games))}"
        )
    return scratch_engine(games.pop(), large_frames=True, num_envs=1).render_large(states)


def png_bytes(picture: UInt8[np.ndarray, "row col 3"]) -> bytes:
    """The picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def level_png(state: bytes) -> bytes:
    """A PNG of the level that the state is in."""
    return png_bytes(level_pictures([state])[0])


def write_png(path: str | Path, state: bytes) -> None:
    """Write a PNG of the level that the state is in to a file, making its folder if need be."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(level_png(state))
