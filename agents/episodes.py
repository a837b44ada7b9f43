"""Play given levels to their end, many side by side, with action noise that belongs to the episode.

Episode i gets the i-th starting state and the i-th row of action noise, whatever else is played: two policies,
or one policy with and without an intervention, given the same states and seed are paired episode by episode
(common random numbers), and the result does not depend on how many games are played at once.

    episodes = play_episodes(policy, [level.to_state() for level in levels], seed=0)
    episodes.success.mean()

A network with a memory begins every episode with an empty one.

Cost: the network's forward pass; only games still in play are passed through it.

Axes: `episode` in the order of the states; `action` the 15 raw actions.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from tqdm import tqdm

from procscope.activations.acting import policy_logits
from procscope.activations.memory import PolicyMemory, is_recurrent
from procscope.agents.loops import FULLY_SHOWN, Loops
from procscope.envs.actions import MOVE_TO_ACTION, N_ACTIONS, Move
from procscope.envs.engine import ALL_SEEDS, Engine, EngineOptions
from procscope.envs.state.batch import read_batch
from procscope.envs.state.write import write_batch

LogitsOf = Callable[[UInt8[np.ndarray, "frame 64 64 3"]], Float32[np.ndarray, "frame action"]]
"""A policy as a function from frames to logits."""

#: An episode cut short is *stuck* if the agent saw at most this many cells in its last `STUCK_STEPS` steps.
STUCK_CELLS = 4
STUCK_STEPS = 32


class Episodes(NamedTuple):
    """What became of each episode."""

    success: Bool[np.ndarray, "episode"]
    """The goal was reached within the steps allowed."""
    steps: Int64[np.ndarray, "episode"]
    """Steps played."""
    last_cell: Int64[np.ndarray, "episode xy"]
    """World cell of the agent when an episode was cut short; (-1, -1) where it ended by itself, as at the goal."""
    stuck: Bool[np.ndarray, "episode"]
    """Cut short while moving between at most four cells."""


@dataclass(frozen=True)
class NetworkPolicy:
    """A network as a policy; `play_episodes` carries what it remembers of each game."""

    network: torch.nn.Module
    batch_size: int = 64
    """Frames a pass."""

    def __call__(self, frames: UInt8[np.ndarray, "frame 64 64 3"]) -> Float32[np.ndarray, "frame action"]:
        """Logits of single frames. Raises ValueError if the network has a memory."""
        return policy_logits(self.network, frames, self.batch_size)


def policy(network: torch.nn.Module, batch_size: int = 64) -> NetworkPolicy:
    """A network as a policy."""
    return NetworkPolicy(network, batch_size)


def play_episodes(
    logits_of: LogitsOf,
    states: Sequence[bytes],
    *,
    seed: int = 0,
    greedy: bool = False,
    max_steps: int = 500,
    games: int = 64,
    first_episode: int = 0,
    progress: str | None = None,
) -> Episodes:
    """Play every state to its end, or for `max_steps` steps.

    Args:
        logits_of: the policy; it sees the frames of the games still in play. A function has no memory; a network
            may have one (`policy`).
        states: first states of the episodes, of one game and mode.
        seed: of the action noise; not used when greedy.
        greedy: take the most probable raw action instead of a sampled one. In the maze, rounds of a loop that a
            policy without memory cannot leave are then not played (`procscope.agents.loops`).
        max_steps: steps after which an episode is cut short, sooner where the game's own time runs out (a maze's
            after 500).
        games: games played side by side.
        first_episode: number of the first state, where these are some of more: its noise is then the same as if all
            were played at once.
        progress: label of a progress bar; None for no bar.

    Raises ValueError if `max_steps` or `games` is less than 1.
    """
    if max_steps < 1 or games < 1:
        raise ValueError(f"max_steps and games must be at least 1; given: {max_steps}, {games}")
    n = len(states)
    result = Episodes(
        np.zeros(n, bool), np.zeros(n, np.int64), np.full((n, 2), -1, np.int64), np.zeros(n, bool)
    )
    if n == 0:
        return result
    engine = engine_for(states[0], min(games, n))
    states, limits = outlasting(states, max_steps)
    # One generator: row i of the noise is the same however many episodes follow.
    noise_source = np.random.default_rng(seed)
    if not greedy:
        for _ in range(first_episode):
            noise_source.gumbel(size=(max_steps, N_ACTIONS))
    noise: dict[int, np.ndarray] = {}
    episode_of = np.full(engine.num_envs, -1)
    trails: dict[int, deque] = {}
    memory = None
    if isinstance(logits_of, NetworkPolicy) and is_recurrent(logits_of.network):
        memory = PolicyMemory(logits_of.network, engine.num_envs, batch_size=logits_of.batch_size)
    loops, repeats = Loops(), greedy and memory is None and engine.options.game in FULLY_SHOWN
    following = 0
    actions = np.full(engine.num_envs, MOVE_TO_ACTION[Move.STAY], np.int32)
    with tqdm(total=n, desc=progress, unit="episode", disable=progress is None) as bar:
        while True:
            idle = np.flatnonzero(episode_of < 0)[: n - following]
            if len(idle):
                fresh = range(following, following + len(idle))
                engine.set_states([states[episode] for episode in fresh], idle.tolist())
                episode_of[idle] = fresh
                for episode in fresh:
                    trails[episode] = deque(maxlen=STUCK_STEPS)
                    if not greedy:
                        noise[episode] = noise_source.gumbel(size=(max_steps, N_ACTIONS)).astype(np.float32)
                following += len(idle)
            slots = np.flatnonzero(episode_of >= 0)
            if not len(slots):
                return result
            playing = episode_of[slots]
            frames = engine.frames[slots]
            if repeats:
                for episode, frame in zip(playing.tolist(), frames, strict=True):
                    limits[episode] -= loops.steps_to_skip(
                        episode, frame, int(result.steps[episode]), int(limits[episode]), STUCK_STEPS
                    )
            if memory is not None:
                logits = memory.logits(frames, result.steps[playing] == 0, slots)
            else:
                logits = logits_of(frames)
            if not greedy:
                logits = logits + np.stack(
                    [noise[episode][result.steps[episode]] for episode in playing.tolist()]
                )
            actions[slots] = logits.argmax(axis=1)
            engine.act(actions)
            result.steps[playing] += 1
            ended = engine.first[slots]
            result.success[playing] = ended & (engine.ended_complete[slots] > 0)
            _follow_last_steps(engine, slots[~ended], playing[~ended], result, trails, limits)
            finished = ended | (result.steps[playing] >= limits[playing])
            for episode in playing[finished].tolist():
                noise.pop(episode, None)
                trails.pop(episode)
                result.steps[episode] += loops.forget(episode)
            episode_of[slots[finished]] = -1
            bar.update(int(finished.sum()))


def _follow_last_steps(
    engine: Engine,
    slots: np.ndarray,
    playing: np.ndarray,
    result: Episodes,
    trails: dict[int, deque],
    limits: np.ndarray,
) -> None:
    """Read where the agent is, in the last steps before an episode is cut short, and judge it at the end."""
    late = result.steps[playing] > limits[playing] - STUCK_STEPS
    if not late.any():
        return
    cells = np.floor(read_batch(engine.get_states(slots[late].tolist())).agent_xy).astype(np.int64)
    for episode, cell in zip(playing[late].tolist(), cells, strict=True):
        trails[episode].append(tuple(cell))
        if result.steps[episode] >= limits[episode]:
            result.last_cell[episode] = cell
            result.stuck[episode] = len(set(trails[episode])) <= STUCK_CELLS


def outlasting(states: Sequence[bytes], max_steps: int) -> tuple[list[bytes], Int64[np.ndarray, "episode"]]:
    """The states, such that the engine does not end them for time, and the steps allowed in each.

    An engine whose time runs out starts the next level in that same step: where the agent was is then lost. So time
    is counted here, and the engine gets a step more.
    """
    batch = read_batch(states)
    left = (batch.timeout - batch.cur_time).astype(np.int64)
    timeouts = np.where(left <= max_steps, batch.timeout + 1, batch.timeout)
    return write_batch(batch, timeout=timeouts), np.minimum(left, max_steps)


def engine_for(state: bytes, games: int) -> Engine:
    """An engine that plays states like this one; the states' own options decide the rest."""
    batch = read_batch([state])
    return Engine(EngineOptions(batch.game, batch.mode, num_envs=games, level_seeds=ALL_SEEDS))
