"""Moments of play: a state of a game and the few actions played from it. What a search for adversarial *states* edits.

    starts = moments_of_play("coinrun-easy-atend", level_seeds, seed=0)
    played = play_moments(starts)                        # the last action's frame, next frame and true reward
    found = search_levels(starts, score, moment_edits("coinrun"), seed=0, allowed=stays_unrewarded)

A moment begins in a state that a policy reached by playing one of the engine's levels, and the engine plays its
actions. So all that moves, moves as it does in the game. Edits change what is in the level (its obstacles, ground,
coin and looks) and the actions; where the agent stands and how it moves is never set, only played. What no edit checks
is whether the policy would have come by the same way had the level been so from its beginning.

Cost: 0.1 ms a step, 1 ms an edit.

Axes: `moment`; pictures `row col rgb` from the top left.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int, UInt8

from procscope.activations.capture import evaluation_mode
from procscope.activations.forward import read_network, to_input
from procscope.envs.actions import N_ACTIONS
from procscope.envs.engine import Engine, EngineOptions, scratch_engine
from procscope.envs.games import game
from procscope.envs.level import Level
from procscope.workbench.checkpoints import load_network

MOST_ACTIONS = 8
_NOTHING = 4
_SET_BY_PLAY = ("agent-moved", "played-on", "mouse-moved")
"""Edits of levels that put the agent elsewhere, which here the actions do."""


@dataclass(frozen=True)
class Moment:
    """A state and what is played from it. Raises ValueError: no actions, more than `MOST_ACTIONS`, unknown ones."""

    level: Level
    """As it stands, in the midst of play."""
    actions: tuple[int, ...]
    """Raw actions; the last one is the transition that is judged."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.actions) <= MOST_ACTIONS or not set(self.actions) <= set(range(N_ACTIONS)):
            raise ValueError(
                f"expected 1 to {MOST_ACTIONS} raw actions of 0 to {N_ACTIONS - 1}; given {self.actions!r:.80}"
            )


class PlayedMoments(NamedTuple):
    """The last transitions of some moments."""

    frames: UInt8[np.ndarray, "moment row col rgb"]
    next_frames: UInt8[np.ndarray, "moment row col rgb"]
    """Where the episode ended, of the next level: such moments are not `goes_on`."""
    actions: Int[np.ndarray, " moment"]
    rewards: Float32[np.ndarray, " moment"]
    """The engine's, of all actions together."""
    goes_on: Bool[np.ndarray, " moment"]
    """The episode did not end, by the goal or otherwise."""

    @property
    def unrewarded(self) -> Bool[np.ndarray, " moment"]:
        """The transition is worth nothing, and the engine shows both its frames."""
        return self.goes_on & (self.rewards == 0)


def play_moments(moments: Sequence[Moment]) -> PlayedMoments:
    """Let the engine play them, 64 side by side. Raises ValueError: none, or of several games or modes."""
    worlds = {(moment.level.game, moment.level.mode) for moment in moments}
    if len(worlds) != 1:
        raise ValueError(f"expected moments of one game and mode, at least one; given {sorted(worlds)}")
    engine = scratch_engine(*worlds.pop())
    parts = [
        _played(engine, moments[start : start + engine.num_envs])
        for start in range(0, len(moments), engine.num_envs)
    ]
    return PlayedMoments(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _played(engine: Engine, moments: Sequence[Moment]) -> PlayedMoments:
    n = len(moments)
    engine.set_states([moment.level.to_state() for moment in moments], range(n))
    lengths = np.array([len(moment.actions) for moment in moments])
    shape = (n, *engine.frames.shape[1:])
    frames, next_frames = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    rewards, goes_on = np.zeros(n, np.float32), np.ones(n, bool)
    for step in range(lengths.max()):
        last, playing = lengths == step + 1, lengths > step
        frames[last] = engine.frames[:n][last]
        actions = np.full(engine.num_envs, _NOTHING, np.int32)
        actions[:n][playing] = [moment.actions[step] for moment in moments if len(moment.actions) > step]
        engine.act(actions)
        rewards[playing] += engine.rewards[:n][playing]
        goes_on[playing] &= ~engine.first[:n][playing]
        next_frames[last] = engine.frames[:n][last]
    taken = np.array([moment.actions[-1] for moment in moments])
    return PlayedMoments(frames, next_frames, taken, rewards, goes_on)


def stays_unrewarded(moments: Sequence[Moment]) -> Bool[np.ndarray, " moment"]:
    """Whether the true reward is 0 and the episode goes on: `allowed` of a search."""
    return play_moments(moments).unrewarded


def moments_of_play(
    policy: str, level_seeds: Sequence[int], *, seed: int = 0, most_steps: int = 500
) -> list[Moment]:
    """One moment for each level: shortly before a policy's episode in it ended, or anywhere in one that did not.

    From 2 to 12 steps before the end, so that what is at stake is in the picture; unrewarded all of them.

    Args:
        policy: a network's name or path; it draws its actions, and plays in the game and mode that it was made for.

    Raises ValueError: no seeds, or a network that is no policy.
    """
    if not len(level_seeds):
        raise ValueError("expected at least one level seed; given none")
    model = load_network(policy)
    name, mode = model.header.environment["game"], model.header.environment["mode"]
    engine = Engine(EngineOptions(name, mode, num_envs=len(level_seeds)))
    engine.set_states(scratch_engine(name, mode).levels([int(each) for each in level_seeds]))
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    before = rng.integers(2, 13, len(level_seeds))
    states: list[list[bytes]] = [[] for _ in level_seeds]
    actions: list[list[int]] = [[] for _ in level_seeds]
    playing = np.ones(len(level_seeds), bool)
    with evaluation_mode(model.network), torch.no_grad():
        for _ in range(most_steps):
            for place, state in zip(
                np.flatnonzero(playing), engine.get_states(np.flatnonzero(playing).tolist()), strict=True
            ):
                states[place] = [*states[place][-12:], state]
            logits = read_network(model.network, to_input(engine.frames)).logits
            if logits is None:
                raise ValueError(f"expected a policy, which gives logits; {policy} gives none")
            drawn = torch.multinomial(logits.softmax(dim=1), 1, generator=generator)[:, 0].numpy()
            for place in np.flatnonzero(playing):
                actions[place].append(int(drawn[place]))
            engine.act(drawn.astype(np.int32))
            playing &= ~engine.first
            if not playing.any():
                break
    engine.close()
    level_type = game(name).level_type
    found = []
    for place, kept in enumerate(states):
        back = min(int(before[place]), len(kept))
        level = level_type.from_state(kept[-back])
        found.append(Moment(level, (actions[place][len(actions[place]) - back],)))
    return found


def actions_changed(moment: Moment, rng: np.random.Generator) -> Moment:
    """Another of the actions."""
    actions = list(moment.actions)
    actions[rng.integers(len(actions))] = int(rng.integers(N_ACTIONS))
    return replace(moment, actions=tuple(actions))


def step_added(moment: Moment, rng: np.random.Generator) -> Moment:
    """One more action at the end. ValueError where there are as many as may be."""
    return replace(moment, actions=(*moment.actions, int(rng.integers(N_ACTIONS))))


def step_dropped(moment: Moment, rng: np.random.Generator) -> Moment:
    """The last action not played. ValueError where it is the only one."""
    return replace(moment, actions=moment.actions[:-1])


def moment_edits(game_name: str) -> dict[str, Callable[[Moment, np.random.Generator], Moment]]:
    """The random edits of moments of a game: of their levels, but for where the agent is, and of their actions."""

    def of_level(edit: Callable[[Any, np.random.Generator], Any]):
        return lambda moment, rng: replace(moment, level=edit(moment.level, rng))

    lifted = {
        name: of_level(edit)
        for name, edit in game(game_name).random_edits.items()
        if name not in _SET_BY_PLAY
    }
    return lifted | {
        "action-changed": actions_changed,
        "step-added": step_added,
        "step-dropped": step_dropped,
    }
