"""Labelled frames in a row, for networks with a memory: whole games as they are played, not frames out of them.

When: `train imitation` with a recurrent network, in games whose labels say what to do (maze, Heist). A round is
`own_games` games side by side, played on from new levels for `round_frames / own_games` steps, by

- *the expert*, who slips now and then and must recover (`Imperfect`), from somewhere in the midst of each level
  (`Game.placements`), so that there are more levels and all their places;
- *the network*, with sampled actions from the levels' own starts and what it remembers (DAgger, Ross et al. 2011,
  arXiv:1011.0686): in later rounds, `own_share` of the games.

In the maze, the first rounds (`static_rounds`) are of frames by themselves, each an episode of one frame that is seen
with an empty memory: the mouse anywhere, four frames a level. So a round shows 4,100 levels instead of some 800, which
is what it takes to leave the plateau of knowing nothing: with games alone a DRC network stood at a loss of 1.41 after
65,000 frames, where four moves at random have 1.39; with single frames it went below 1.33.

Every frame is labelled with what the expert would do. A game in which nothing new has happened for a while goes on to
its next level. Nothing is remembered from round to round. Cost: 0.3 ms a frame on one core, and the network's passes.

Axes: `time` steps of a round; `game` games of a round, each a row of episodes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64

from procscope.activations.actors import Actor, NetworkActor, Seen
from procscope.agents.experts.grid import STEPS_A_CELL, GridExpert, steps_to_goal
from procscope.agents.experts.imperfect import Imperfect
from procscope.agents.imitation.config import ImitationConfig
from procscope.agents.imitation.games import Visited, labelled_games, make_engine, play_on
from procscope.agents.imitation.maze_source import static_samples
from procscope.agents.imitation.samples import is_static, own_frames, round_seed
from procscope.agents.imitation.sequences import SEQUENCE_FRAMES, Sequences
from procscope.envs.actions import MOVE_TO_ACTION
from procscope.envs.engine import FRAME_SIZE
from procscope.envs.games import Columns, game
from procscope.envs.variants import resolve_variants

SLIP, LONGEST_SLIP_STEPS = 0.08, 4
"""Chance that a slip of the expert begins, per step, and how long it may last."""

LONGEST_IDLE_STEPS = 24
"""After so many steps without a new place a game goes on to its next level."""

_PLACEMENTS = {"maze": "anywhere", "heist": "midway"}
_EXPERT, _OWN, _STATIC = 0, 1, 3
"""Chance of a round is drawn apart for each of these (2 is the order of the samples)."""


class SequenceSource:
    """Games of a round. Raises ValueError for a config that sequences cannot be made for."""

    def __init__(self, config: ImitationConfig) -> None:
        if config.game not in STEPS_A_CELL:
            raise ValueError(
                f"networks with a memory learn {' and '.join(STEPS_A_CELL)} by imitation, whose labels say what to "
                f"do in every frame; given: {config.game}. Take a network without, such as impala"
            )
        if config.batch_norm:
            raise ValueError("batch_norm is for networks without a memory; leave it out")
        steps, left = divmod(config.round_frames, config.own_games)
        at_once, over = divmod(config.batch_size, SEQUENCE_FRAMES)
        if left or over or steps % SEQUENCE_FRAMES or not at_once or config.own_games % at_once:
            raise ValueError(
                f"a network with a memory learns from {SEQUENCE_FRAMES} frames in a row of batch_size / "
                f"{SEQUENCE_FRAMES} games: own_games must be a multiple of the latter and round_frames of own_games "
                f"* {SEQUENCE_FRAMES}; given: batch_size={config.batch_size}, own_games={config.own_games}, "
                f"round_frames={config.round_frames}"
            )
        self._config, self._steps = config, steps

    def samples(self, number: int, network: torch.nn.Module) -> Sequences:
        """The games of a round, drawn from its number."""
        config = self._config
        if config.game == "maze" and is_static(config, number):
            return self._single_frames(number)
        n_own = round(config.own_games * own_frames(config, number) / config.round_frames)
        parts = []
        if n_own:
            own = NetworkActor(network, weights_hash="")
            parts.append(self._played(own, config.variant, n_own, number, _OWN))
        if n_own < config.own_games:
            expert = Imperfect(GridExpert(config.discount), SLIP, LONGEST_SLIP_STEPS)
            midway = [*config.variant, game(config.game).placements[_PLACEMENTS[config.game]]]
            parts.append(self._played(expert, midway, config.own_games - n_own, number, _EXPERT))
        return Sequences(
            np.concatenate([part.frames for part in parts], axis=1),
            np.concatenate([part.first for part in parts], axis=1),
            np.concatenate([part.actions for part in parts], axis=1),
            np.concatenate([part.steps_to_goal for part in parts], axis=1),
            np.concatenate([part.is_own for part in parts]),
        )

    def memory(self) -> dict[str, np.ndarray]:
        """Nothing: no round needs another."""
        return {}

    def recall(self, memory: dict[str, np.ndarray]) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Nothing is kept: a round has games of its own."""

    def _single_frames(self, number: int) -> Sequences:
        """Frames of fresh mazes, each an episode of its own."""
        config = self._config
        rng, engine = np.random.default_rng((config.seed, number, _STATIC)), make_engine(config)
        samples = static_samples(
            config.round_frames,
            engine,
            resolve_variants(config.variant, config.game),
            range(*config.level_seeds),
            round_seed(config.seed, number),
            rng,
        )
        engine.close()
        frames, actions, steps, _ = samples.take(rng.permutation(config.round_frames))
        shape = (SEQUENCE_FRAMES, config.round_frames // SEQUENCE_FRAMES)
        return Sequences(
            frames.reshape(*shape, FRAME_SIZE, FRAME_SIZE, 3),
            np.ones(shape, bool),
            actions.reshape(shape),
            steps.reshape(shape),
            np.zeros(shape[1], bool),
        )

    def _played(self, actor: Actor, variants: Sequence[Any], games: int, number: int, who: int) -> Sequences:
        """What an actor plays, in some games side by side."""
        config = self._config
        rng = np.random.default_rng((config.seed, number, who))
        env = labelled_games(
            config,
            variants,
            games,
            seed=int(rng.integers(2**31 - 1)),
            variant_seed=round_seed(config.seed, number),
        )
        shape = (self._steps, games)
        pictures = np.empty((*shape, FRAME_SIZE, FRAME_SIZE, 3), np.uint8)
        first, actions, steps = np.empty(shape, bool), np.empty(shape, np.int64), np.empty(shape, np.int64)
        visited = Visited(games)
        frames, infos = env.reset()
        for step in range(self._steps):
            labels = infos["labels"]
            pictures[step], first[step] = frames, env.episode_steps == 0
            actions[step] = MOVE_TO_ACTION[labels["best_move"]]
            steps[step] = steps_to_goal(config.game, labels["distance_to_goal_cells"])
            idle = visited.idle_steps(_places(labels), first[step])
            # Neither of these actors looks at states.
            chosen = actor.act(Seen(frames, labels, (), first[step]), rng)
            frames, infos = play_on(env, chosen, idle >= LONGEST_IDLE_STEPS)
        env.close()
        return Sequences(pictures, first, actions, np.maximum(steps, -1), np.full(games, who == _OWN))


def _places(labels: Columns) -> Int64[np.ndarray, "game coordinate"]:
    """The cell that each agent is in, and how many keys it holds there."""
    keys = labels.get("n_keys_held", np.zeros(len(labels["agent_x"]), np.int32))
    return np.stack([labels["agent_x"], labels["agent_y"], keys], axis=1).astype(np.int64)
