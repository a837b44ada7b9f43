"""Activations of an agent that plays a vector of games by itself, such as a DQN, put down in the cache's format.

When to use: for games that `cache build` does not play: Ms. Pac-Man and its toy.

    played = collect_play(network, make_games("ms-pacman", 8), "fc1", Path("cache"), states=300_000, seed=0)
    played.scores                                  # of the games that ended

Games go on from block to block, so that states are those that the agent comes to over whole games; a block is therefore
no function of the seed alone, and a collection that was stopped begins anew. Labels are episode, step, action, reward,
and whether the game ended.

Cost: playing, Ms. Pac-Man about 700 states/s on one core. On disk 1 kB a state at 512 units, before compression.

Axes: `env` games of the vector, `frame` states, sorted by game within a block.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from gymnasium.vector import VectorEnv
from jaxtyping import Float64
from tqdm import tqdm

from procscope.activations.cache import ActivationCache
from procscope.activations.cache_format import ArraySpec, CacheSpec
from procscope.activations.cache_writer import BlockContents, open_for_writing, write_block
from procscope.activations.capture import capture
from procscope.workbench.checkpoints import weights_hash

BLOCK_STEPS = 256
"""Steps of every game in a block."""


class CollectedPlay(NamedTuple):
    """A cache, and how the games went."""

    cache: ActivationCache
    scores: Float64[np.ndarray, " game"]
    """Undiscounted points of the games that ended."""


def collect_play(
    network: torch.nn.Module,
    games: VectorEnv,
    hook_point: str,
    directory: Path,
    *,
    states: int,
    random_share: float = 0.0,
    skip_steps: int = 0,
    seed: int = 0,
    progress: str | None = None,
) -> CollectedPlay:
    """Play until there are so many states (rounded up to whole blocks), and write them down.

    Args:
        hook_point: a vector or map of the network.
        directory: of the cache; replaced.
        random_share: probability of a random action instead of the best.
        skip_steps: first steps of each game that are not written down (Ms. Pac-Man's music).
        seed: of the games and the random actions.
        progress: label of a progress bar.

    Raises ValueError: fewer than one state, a random_share that is no probability, an unknown hook point.
    """
    if states < 1 or not 0 <= random_share <= 1:
        raise ValueError(
            f"expected at least 1 state and a random_share in [0, 1]; given {states} and {random_share}"
        )
    rng = np.random.default_rng(seed)
    n, n_actions = games.num_envs, int(games.action_space[0].n)  # type: ignore[index]
    block_frames = n * BLOCK_STEPS
    frames, _ = games.reset(seed=seed)
    sample = capture(network, np.asarray(frames)[:1], [hook_point]).activations[hook_point]
    n_blocks = -(-states // block_frames)
    source = {
        "model": {"weights_hash": weights_hash(network.state_dict())},
        "sampling": {"random_share": random_share, "skip_steps": skip_steps, "games": n, "seed": seed},
    }
    spec = CacheSpec(
        n_blocks * block_frames,
        block_frames,
        {f"activations/{hook_point}": ArraySpec(sample.shape[1:], "float16")},
        source,
    )
    shutil.rmtree(directory, ignore_errors=True)
    episode, step, running = np.arange(n), np.zeros(n, np.int64), np.zeros(n)
    scores: list[float] = []
    waiting: list[dict[str, np.ndarray]] = []
    with (
        open_for_writing(directory, spec) as writer,
        tqdm(total=spec.n_frames, desc=progress, unit="state", disable=progress is None) as bar,
    ):
        held = [0] * n
        for block in range(n_blocks):
            while sum(held) < block_frames:
                read = capture(network, np.asarray(frames), [hook_point])
                drawn, explores = rng.integers(n_actions, size=n), rng.random(n) < random_share
                actions = np.where(explores, drawn, read.logits_of(network).argmax(axis=1))
                kept = step >= skip_steps
                row = {"env": np.arange(n), "episode": episode.copy(), "step": step.copy(), "action": actions}
                frames, rewards, terminated, truncated, _ = games.step(actions)
                done = np.logical_or(terminated, truncated)
                running += rewards
                row |= {"reward": np.asarray(rewards, np.float32), "done": done}
                row["activation"] = read.activations[hook_point]
                waiting.append({name: values[kept] for name, values in row.items()})
                held.append(int(kept.sum()))
                scores += running[done].tolist()
                running[done] = 0
                episode[done] = int(episode.max()) + 1 + np.arange(int(done.sum()))
                step = np.where(done, 0, step + 1)
            joined = {name: np.concatenate([part[name] for part in waiting]) for name in waiting[0]}
            order = np.lexsort((joined["step"][:block_frames], joined["episode"][:block_frames]))
            labels = {
                name: joined[name][:block_frames][order]
                for name in ("episode", "step", "action", "reward", "done")
            }
            arrays = {f"activations/{hook_point}": joined["activation"][:block_frames][order]}
            writer.commit(block, write_block(directory, spec, block, BlockContents(arrays, pa.table(labels))))
            waiting = [{name: values[block_frames:] for name, values in joined.items()}]
            held = [len(waiting[0]["env"])]
            bar.update(block_frames)
    return CollectedPlay(ActivationCache.open(directory), np.array(scores))
