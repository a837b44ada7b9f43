"""Transitions as a way to sample a cache: a frame, the next frame, the action between them, its reward, and the truth.

When to use: for networks that take two frames, such as reward networks (`sample="pairs"` of a `CacheConfig`), and as
the data that they are trained on (`procscope.rewardnets.transitions`). A network that takes pairs says so by an
attribute `takes_pairs = True`; its inputs, and the `frames` of such a cache, have six channels: red, green and blue of
the frame, then of the next frame.

The next frame at an episode's end is the true one, which Procgen never shows (`procscope.envs.last_frames`), not that
of the next level. Columns of the next frame's labels have the prefix `next_`. A transition without reward can be kept
with a probability below 1, since all but one in a hundred have none; the column `weight` is then one over it, and 1
where there is a reward, so that weighted sums are those of all that was played. A block holds the first transitions
that were kept, by the time of play, sorted by game and then by step; its counts say how many were played.

Cost: stepping with labels and with the true last frames, about 1,500 steps a second on one core, beside the actor.

Axes: `env` games that step together; `kept` transitions of a step that are kept; `frame` rows of the block.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from torch import nn

from procscope.activations.actors import Acting, Seen
from procscope.activations.hooks import HookedModules
from procscope.activations.memory import Reader
from procscope.activations.sampling import Levels, SampledBlock
from procscope.envs.labels import Columns
from procscope.envs.vector import ProcgenVectorEnv

PREFIX = "next_"
"""Of the columns that label the next frame."""


def takes_pairs(network: nn.Module | None) -> bool:
    """Whether a network's inputs are a frame and the next one."""
    bare = network.model if isinstance(network, HookedModules) else network
    return bool(getattr(bare, "takes_pairs", False))


@dataclass
class PairSampler:
    """Transitions of episodes played by an actor."""

    levels: Levels
    acting: Acting
    seed: int
    num_envs: int
    keep_unrewarded: float = 1.0
    """Probability that a transition without reward is kept."""

    @cached_property
    def _env(self) -> ProcgenVectorEnv:
        return self.levels.games(self.num_envs, final_obs=True)

    def sample(self, block: int, n_frames: int, reader: Reader) -> SampledBlock:
        rng = np.random.default_rng((self.seed, block))
        env, played = self._env, _Played()
        frames, infos = env.reset(seed=int(rng.integers(2**31)))
        episode = (block << 20) + np.arange(self.num_envs)
        next_episode = int(episode[-1]) + 1
        while played.n_kept < n_frames:
            truth, steps = infos["labels"], env.episode_steps
            seen = Seen(frames, truth, env.get_states(), steps == 0)
            actions = self.acting.act(seen, None, rng)
            following, rewards, terminated, truncated, infos = env.step(actions)
            done = terminated | truncated
            keep = (rewards != 0) | (rng.random(self.num_envs) < self.keep_unrewarded)
            columns: Columns = {
                "episode": episode.copy(),
                "step": steps,
                **truth,
                **{PREFIX + name: values for name, values in _next_truth(infos, done).items()},
                "action": actions.astype(np.int32),
                "reward": rewards.astype(np.float32),
                "done": done,
                "weight": np.where(rewards != 0, 1, 1 / self.keep_unrewarded).astype(np.float32),
            }
            played.add(frames, _next_frames(following, infos, done), columns, keep)
            episode[done] = next_episode + np.arange(done.sum())
            next_episode += int(done.sum())
            frames = following
        pairs, labels = played.first(n_frames)
        return SampledBlock(pairs, labels, reader.single_frames(pairs), played.counts)

    def close(self) -> None:
        if "_env" in self.__dict__:
            self._env.close()


@dataclass
class _Played:
    """What was kept of the steps so far, and counts of all that was played."""

    pairs: list[UInt8[np.ndarray, "kept row col 6"]] = field(default_factory=list)
    rows: list[Columns] = field(default_factory=list)
    games: list[np.ndarray] = field(default_factory=list)
    n_kept: int = 0
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("transitions", "rewarded_transitions", "episodes", "rewarded_episodes"), 0
        )
    )

    def add(
        self,
        frames: UInt8[np.ndarray, "env row col 3"],
        next_frames: UInt8[np.ndarray, "env row col 3"],
        columns: Columns,
        keep: Bool[np.ndarray, "env"],
    ) -> None:
        rewarded, done = columns["reward"] != 0, columns["done"]
        self.counts["transitions"] += len(frames)
        self.counts["rewarded_transitions"] += int(rewarded.sum())
        self.counts["episodes"] += int(done.sum())
        self.counts["rewarded_episodes"] += int((rewarded & done).sum())
        if keep.any():
            self.pairs.append(np.concatenate([frames[keep], next_frames[keep]], axis=-1))
            self.rows.append({name: values[keep] for name, values in columns.items()})
            self.games.append(np.flatnonzero(keep))
            self.n_kept += int(keep.sum())

    def first(self, n_frames: int) -> tuple[UInt8[np.ndarray, "frame row col 6"], Columns]:
        """The first transitions by the time of play, sorted by game and then by step."""
        order = np.argsort(np.concatenate(self.games)[:n_frames], kind="stable")
        labels = {name: np.concatenate([row[name] for row in self.rows])[order] for name in self.rows[0]}
        return np.concatenate(self.pairs)[order], labels


def _next_frames(
    following: UInt8[np.ndarray, "env row col 3"], infos: dict[str, Any], done: Bool[np.ndarray, "env"]
) -> UInt8[np.ndarray, "env row col 3"]:
    if not done.any():
        return following
    next_frames = following.copy()
    next_frames[done] = np.stack(list(infos["final_obs"][done]))
    return next_frames


def _next_truth(infos: dict[str, Any], done: Bool[np.ndarray, "env"]) -> Columns:
    """The labels of the next frames; the level's seed is that of the frame itself."""
    following = {name: values for name, values in infos["labels"].items() if name != "level_seed"}
    if not done.any():
        return following
    last = infos["final_info"]["labels"]
    return {name: np.where(done, last[name], values) for name, values in following.items()}
