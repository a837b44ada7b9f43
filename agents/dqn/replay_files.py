"""What DQN learns from, on disk: immutable files of some steps each, so that a commit writes the new ones alone.

A file is named by the numbers of its first step and the one after its last. Files of the last commit stay until the
next one is decided; whatever is then no longer needed is deleted. Cost: lz4, about 1 GB/s of pictures; Atari's take
about a thirtieth of their size.
"""

from pathlib import Path

import numpy as np
import torch
from numcodecs import Blosc
from safetensors import safe_open
from safetensors.torch import save

from procscope.agents.dqn.replay import PictureReplay
from procscope.workbench.atomic import write_bytes_atomically

FOLDER = "replay"
FILE_BYTES = 2**26
"""Bytes of pictures in a file, before they are compressed."""


def write_replay(replay: PictureReplay, run: Path) -> None:
    """Write the steps that are not on disk yet. Until `forget_old_files` the older ones are there too."""
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    for first, end in _parts(replay):
        path = _path(folder, first, end)
        if not path.exists():
            write_bytes_atomically(path, _encoded(replay.steps(max(first, replay.first_kept), end)))


def read_replay(replay: PictureReplay, run: Path, added: int) -> None:
    """Fill `replay` as it was when `added` steps had been added to it and `write_replay` was called."""
    replay.added = added
    parts = _parts(replay)
    for first, end in parts:
        steps = _decoded(_path(run / FOLDER, first, end), replay)
        replay.put(end - len(steps["actions"]), steps)
    replay.added = added


def forget_old_files(replay: PictureReplay, run: Path) -> None:
    """Delete what the replay as it is now does not need."""
    needed = {_path(run / FOLDER, first, end) for first, end in _parts(replay)}
    for path in (run / FOLDER).iterdir():
        if path not in needed:
            path.unlink()


def _parts(replay: PictureReplay) -> list[tuple[int, int]]:
    """First and end of the files that hold the steps kept now; only the last may be shorter than the others."""
    frame_bytes = int(np.prod(replay.obs_shape)) * replay.n_envs
    length = max(1, min(FILE_BYTES // frame_bytes, replay.buffer_size))
    starts = range(replay.first_kept // length * length, replay.added, length)
    return [(first, min(first + length, replay.added)) for first in starts]


def _path(folder: Path, first: int, end: int) -> Path:
    return folder / f"{first:012d}-{end:012d}.safetensors"


def _encoded(steps: dict[str, np.ndarray]) -> bytes:
    frames = np.ascontiguousarray(steps.pop("frames"))
    packed = np.frombuffer(bytearray(Blosc("lz4", clevel=5).encode(frames.reshape(-1))), np.uint8)
    return save(
        {"frames": torch.from_numpy(packed)} | {name: torch.from_numpy(a) for name, a in steps.items()}
    )


def _decoded(path: Path, replay: PictureReplay) -> dict[str, np.ndarray]:
    with safe_open(path, framework="np") as file:
        steps = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    frames = np.frombuffer(Blosc().decode(steps["frames"].tobytes()), np.uint8)
    channels, rows, columns = replay.obs_shape
    return steps | {"frames": frames.reshape(-1, replay.n_envs, rows, columns, channels)}
