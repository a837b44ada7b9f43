"""Which frames a block of a cache holds: rollouts, single frames of many levels, or given levels.

When to use: `collect.py` asks for blocks by number. Block b depends only on the cache's seed and b, so that
blocks can be made in any order, anywhere.

    rollouts   `num_envs` games play on from the start of an episode for `block_frames / num_envs` steps; rows
               are sorted by game and then by step, so that episodes lie in one piece. An episode that is still
               on when the block ends is cut there (its last row is not `done`): 16 games of 128 steps touch
               the episodes of a good player little, those of a random one (up to 500 steps) more.
    static     the first frame of each of `block_frames` levels, the agent where a rule puts it (`Game.placements`)
    levels     the first frame of each given level, in order
    pairs      transitions, a frame and the next one: see `pairs.py`

Static and given levels are not played: `action` is what the actor would do, `reward` is 0, and every frame
is the last of its episode.

A network with a memory, read or acting, begins every block of rollouts, and every single frame, with an empty one; in
rollouts it goes on from frame to frame and forgets where an episode ends. The hook points `state_in` and `state` are
what it remembers before a frame and after it.

Cost: rollouts are stepping with labels plus the forward passes; single frames 0.5 ms a level plus the same.

Axes: `frame` rows of the block, `env` games that step together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from procscope.activations.actors import Acting, Seen
from procscope.activations.capture import Captured
from procscope.activations.memory import Reader
from procscope.envs.engine import Engine, EngineOptions
from procscope.envs.games import game
from procscope.envs.labels import Columns, label_states
from procscope.envs.level_supply import LevelSupply
from procscope.envs.vector import ProcgenVectorEnv


@dataclass(frozen=True)
class SampledBlock:
    """The frames of a block with all that is stored of them."""

    frames: UInt8[np.ndarray, "frame row col rgb"]
    """What the agent saw."""

    labels: Columns
    """Column to [frame]: episode, step, action, reward, done and the columns of `procscope.envs.labels`."""

    captured: Captured
    """What the network that is read made of them."""

    counts: dict[str, int] = field(default_factory=dict)
    """Of what was played for them, where not all of it is kept."""


@runtime_checkable
class Sampler(Protocol):
    """Makes blocks by number."""

    def sample(self, block: int, n_frames: int, reader: Reader) -> SampledBlock:
        """The first `n_frames` frames of a block, and what the reader makes of them."""
        ...

    def close(self) -> None:
        """Free the games."""
        ...


@dataclass(frozen=True)
class Levels:
    """Which levels are played and how they look."""

    game: str
    mode: str
    variants: tuple[Any, ...]
    """Names of variants or functions (level, rng) -> level, in the order applied."""
    level_seeds: range
    variant_seed: int
    engine_options: tuple[tuple[str, Any], ...]
    """Further fields of `EngineOptions`."""
    num_threads: int = 0
    """Of the engine; changes nothing but the speed."""

    def games(self, num_envs: int, final_obs: bool = False) -> ProcgenVectorEnv:
        """So many games in these levels, with labels."""
        return ProcgenVectorEnv(
            self.game,
            num_envs,
            mode=self.mode,
            variants=self.variants,
            level_seeds=self.level_seeds,
            variant_seed=self.variant_seed,
            num_threads=self.num_threads,
            labels=True,
            final_obs=final_obs,
            **dict(self.engine_options),
        )


@dataclass
class RolloutSampler:
    """Episodes played by an actor."""

    levels: Levels
    acting: Acting
    seed: int
    num_envs: int
    block_frames: int

    @cached_property
    def _env(self) -> ProcgenVectorEnv:
        return self.levels.games(self.num_envs)

    def sample(self, block: int, n_frames: int, reader: Reader) -> SampledBlock:
        rng = np.random.default_rng((self.seed, block))
        env = self._env
        memory = reader.beside(self.num_envs)
        frames, infos = env.reset(seed=int(rng.integers(2**31)))
        episode = block * self.block_frames + np.arange(self.num_envs)
        next_episode = int(episode[-1]) + 1
        pictures: list[np.ndarray] = []
        rows: list[Columns] = []
        readings: list[Captured] = []
        for _ in range(self.block_frames // self.num_envs):
            pictures.append(frames)
            first = env.episode_steps == 0
            if self.acting.is_read or reader.is_recurrent:
                readings.append(memory.read(frames, first))
            seen = Seen(frames, infos["labels"], env.get_states(), first)
            actions = self.acting.act(seen, readings[-1] if readings else None, rng)
            row = {"episode": episode.copy(), "step": env.episode_steps, **infos["labels"]}
            frames, rewards, terminated, truncated, infos = env.step(actions)
            done = terminated | truncated
            rows.append(row | _played(actions, rewards, done))
            episode[done] = next_episode + np.arange(done.sum())
            next_episode += int(done.sum())
        labels = {name: _by_game([row[name] for row in rows], n_frames) for name in rows[0]}
        all_frames = _by_game(pictures, n_frames)
        captured = _joined(readings, n_frames) if readings else reader.single_frames(all_frames)
        return SampledBlock(all_frames, labels, captured)

    def close(self) -> None:
        if "_env" in self.__dict__:
            self._env.close()


@dataclass
class StillSampler:
    """One frame a level: of random levels (`given` is None), or of the given ones in order."""

    levels: Levels
    acting: Acting
    seed: int
    block_frames: int
    placement: str = "start"
    """`start`, or one of the game's `placements`."""
    given: tuple[Any, ...] | None = None
    """Level values such as `MazeLevel`."""

    @cached_property
    def _engine(self) -> Engine:
        options = EngineOptions(
            self.levels.game,
            self.levels.mode,
            num_envs=64,
            level_seeds=self.levels.level_seeds,
            num_threads=self.levels.num_threads,
            **dict(self.levels.engine_options),
        )
        return Engine(options)

    def sample(self, block: int, n_frames: int, reader: Reader) -> SampledBlock:
        rng = np.random.default_rng((self.seed, block))
        start = block * self.block_frames
        if self.given is None:
            states = self._random_states(rng)[:n_frames]
        else:
            states = [level.to_state() for level in self.given[start : start + n_frames]]
        frames, truth = self._engine.render(states), label_states(states)
        captured = reader.single_frames(frames)
        first = np.ones(len(frames), bool)
        actions = self.acting.act(Seen(frames, truth, states, first), captured, rng)
        which = {"episode": start + np.arange(n_frames), "step": np.zeros(n_frames, np.int64)}
        played = _played(actions, np.zeros(n_frames), np.ones(n_frames, bool))
        return SampledBlock(frames, which | truth | played, captured)

    def close(self) -> None:
        if "_engine" in self.__dict__:
            self._engine.close()

    def _random_states(self, rng: np.random.Generator) -> list[bytes]:
        low, high = self.levels.level_seeds.start, self.levels.level_seeds.stop
        seeds = rng.integers(low, high, self.block_frames)
        states = self._engine.levels(seeds.tolist())
        changes = list(self.levels.variants)
        if self.placement != "start":
            changes.append(game(self.levels.game).placements[self.placement])
        if not changes:
            return states
        supply = LevelSupply(self.levels.game, changes, variant_seed=self.levels.variant_seed)
        return supply.next_levels(states, seeds).states


def _played(actions: np.ndarray, rewards: np.ndarray, done: np.ndarray) -> Columns:
    return {"action": actions.astype(np.int32), "reward": rewards.astype(np.float32), "done": done}


def _by_game(steps: Sequence[np.ndarray], n_frames: int) -> np.ndarray:
    """The first rows of [env * step, ...] from one [env, ...] per step."""
    return np.stack(steps, axis=1).reshape(-1, *steps[0].shape[1:])[:n_frames]


def _joined(readings: Sequence[Captured], n_frames: int) -> Captured:
    def rows(arrays: Sequence[np.ndarray | None]) -> np.ndarray | None:
        present = [array for array in arrays if array is not None]
        return _by_game(present, n_frames) if present else None

    activations = {
        name: _by_game([reading.activations[name] for reading in readings], n_frames)
        for name in readings[0].activations
    }
    return Captured(activations, rows([r.logits for r in readings]), rows([r.value for r in readings]))
