"""A short GIF of a policy playing levels it has not seen, several side by side, as it sees them.

When to use: `procscope zoo video NAME`, for a network's card. The levels are the first that the seed draws, not chosen.
An episode that has ended stays on its true last frame, with a green border where the goal was reached and a red one
elsewhere; one that goes on for longer than the video gets a grey one.

A file has to be small enough for a card, so frames are encoded in ever fewer colours, and in the end every second or
third step only, until it fits.

Cost: 4 levels of maze, 150 steps: 5 s on one core.

Axes: `step` frames of the video; `game` the levels side by side; `row col rgb` pixels from the top left.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8
from PIL import Image

from procscope.activations.acting import greedy_actions, sample_actions
from procscope.activations.memory import PolicyMemory
from procscope.envs.engine import TEST_SEEDS
from procscope.envs.level_supply import Variants
from procscope.envs.vector import ProcgenVectorEnv

LARGEST_FILE_BYTES = 500_000
STEPS_PER_SECOND = 12
HELD_SECONDS = 1.5
"""How long the last picture stands."""
BORDER = 3
"""Pixels of border round each game."""
GREEN, RED, GREY, WHITE = (40, 170, 70), (210, 50, 40), (150, 150, 150), (255, 255, 255)


@dataclass(frozen=True)
class _Encoding:
    scale: int
    """Pixels of the picture for each pixel of a frame."""
    every: int
    """Only every so many steps are shown."""
    colors: int


_ENCODINGS = (
    _Encoding(3, 1, 256),
    _Encoding(3, 1, 64),
    _Encoding(2, 1, 64),
    _Encoding(2, 1, 32),
    _Encoding(2, 2, 32),
    _Encoding(2, 3, 32),
    _Encoding(2, 4, 16),
    _Encoding(1, 4, 16),
)
"""From the best to the smallest; the first that fits is taken."""


@dataclass(frozen=True)
class Play:
    """Some episodes, side by side."""

    frames: UInt8[np.ndarray, "step game 64 64 3"]
    """What the policy saw; after an episode's end, its true last frame."""
    lengths: Int64[np.ndarray, "game"]
    """Steps of each episode within the video."""
    success: Bool[np.ndarray, "game"]
    """Whether it reached the goal."""
    ended: Bool[np.ndarray, "game"]
    """Whether it ended within the video."""
    level_seeds: Int64[np.ndarray, "game"]


def record_play(
    network: torch.nn.Module,
    *,
    game: str,
    mode: str = "easy",
    variants: Variants = (),
    engine_options: Mapping[str, Any] | None = None,
    games: int = 4,
    max_steps: int = 150,
    seed: int = 0,
    greedy: bool = False,
) -> Play:
    """Play one unseen level in each of some games, to its end or for `max_steps` steps.

    Args:
        variants: level variants in the order applied.
        engine_options: further fields of `EngineOptions`, as the network was trained with.
        seed: of the levels and the action noise.
        greedy: the most probable action instead of a sampled one.

    Raises ValueError for a game that is none of Procgen's, or fewer than one game or step.
    """
    if games < 1 or max_steps < 1:
        raise ValueError(f"games and max_steps must be at least 1; given: {games}, {max_steps}")
    env = ProcgenVectorEnv(
        game,
        games,
        mode=mode,
        variants=variants,
        level_seeds=TEST_SEEDS,
        seed=seed,
        variant_seed=seed,
        **(engine_options or {}),
    )
    rng, memory = np.random.default_rng(seed), PolicyMemory(network, games)
    frames, infos = env.reset(seed=seed)
    shown = [frames.copy()]
    level_seeds = infos["level_seed"].astype(np.int64)
    lengths = np.zeros(games, np.int64)
    success, ended = np.zeros(games, bool), np.zeros(games, bool)
    first = np.ones(games, bool)
    while not ended.all() and len(shown) <= max_steps:
        logits = memory.logits(frames, first)
        actions = greedy_actions(logits) if greedy else sample_actions(logits, rng)
        frames, rewards, terminated, truncated, infos = env.step(actions)
        first = terminated | truncated
        picture = shown[-1].copy()
        picture[~ended] = frames[~ended]
        for index in np.flatnonzero(first & ~ended):
            picture[index] = infos["final_obs"][index]
        shown.append(picture)
        lengths[~ended] += 1
        success |= terminated & ~ended & (rewards > 0)
        ended |= first
    env.close()
    return Play(np.stack(shown), lengths, success, ended, level_seeds)


def gif_bytes(play: Play, largest_bytes: int = LARGEST_FILE_BYTES) -> bytes:
    """The play as an animated GIF smaller than `largest_bytes`, in the best encoding that is.

    Raises ValueError: none is; fewer games or steps would be.
    """
    size = 0
    for encoding in _ENCODINGS:
        content = _encoded(play, encoding)
        size = len(content)
        if size < largest_bytes:
            return content
    raise ValueError(
        f"{len(play.frames)} frames of {play.frames.shape[1]} games take {size:,} bytes at the least; "
        f"expected fewer than {largest_bytes:,}. Record fewer games or steps"
    )


def _encoded(play: Play, encoding: _Encoding) -> bytes:
    steps = [*range(0, len(play.frames) - 1, encoding.every), len(play.frames) - 1]
    pictures = [Image.fromarray(_picture(play, step, encoding.scale)) for step in steps]
    palette = _palette(pictures, encoding.colors)
    flat = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    durations = [round(1000 * encoding.every / STEPS_PER_SECOND)] * (len(flat) - 1)
    file = io.BytesIO()
    flat[0].save(
        file,
        "GIF",
        save_all=True,
        append_images=flat[1:],
        duration=[*durations, round(1000 * HELD_SECONDS)],
        loop=0,
    )
    return file.getvalue()


def _picture(play: Play, step: int, scale: int) -> UInt8[np.ndarray, "row col 3"]:
    """The games of one step in a row, each in its border."""
    parts = []
    for game, frame in enumerate(play.frames[step]):
        is_last = step == len(play.frames) - 1
        over = play.ended[game] and step >= play.lengths[game]
        color = (GREEN if play.success[game] else RED) if over else GREY if is_last else WHITE
        enlarged = frame.repeat(scale, axis=0).repeat(scale, axis=1)
        size = len(enlarged) + 2 * BORDER
        part = np.empty((size, size, 3), np.uint8)
        part[:] = color
        part[BORDER:-BORDER, BORDER:-BORDER] = enlarged
        parts.append(part)
    return np.concatenate(parts, axis=1)


def _palette(pictures: Sequence[Image.Image], colors: int) -> Image.Image:
    """One palette for the whole video: colours that changed from frame to frame would flicker.

    It covers all colours, frequent or not: mouse and cheese are a few pixels.
    """
    chosen = [*pictures[:: max(1, len(pictures) // 12)], pictures[-1]]
    stacked = np.concatenate([np.asarray(picture) for picture in chosen])
    return Image.fromarray(stacked).quantize(
        colors, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )
