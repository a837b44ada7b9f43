"""`ProcgenVectorEnv`: many Procgen games that step together, as a `gymnasium.vector.VectorEnv`.

When: to train, evaluate or record agents. It gives what Procgen hides: the true last frame of an episode
(`final_obs`), the seed of the level that ended, and the ground truth of every frame (`labels=True`); and it
plays the levels that you choose: a range of level seeds, variants of the engine's levels, or given levels in
turn.

    env = ProcgenVectorEnv("maze", num_envs=64, variants=["cheese-anywhere"], labels=True)
    frames, infos = env.reset(seed=0)
    frames, rewards, terminated, truncated, infos = env.step(actions)
    infos["labels"]["best_move"], infos["level_seed"]          # of the frames returned
    infos["final_obs"], infos["final_info"]["level_seed"]      # where an episode ended: infos["_final_obs"]

A game that ends is reset within the step (`AutoresetMode.SAME_STEP`), with the keys of gymnasium's
`SyncVectorEnv`: `x` holds one entry per game, `_x` is the mask of those that count.

    level_seed      seed of the level in play (-1: a given level that has none)
    level_index     with `levels`: its place in the list
    labels          with `labels=True`: the columns of `labels.py`, each an array with one entry per game
    final_obs       the last frames of the episodes that ended, where they did (an object array; else None)
    final_info      the same keys as above for those last frames

Cost: `benchmarks/stepping.py` measures it. Plain stepping is the engine's; labels cost getting every state at
every step, several times a step.

Axes: `env` games of the vector; frames are `[env, row, col, rgb]` from the top left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from jaxtyping import Bool, Float, Int, UInt8

from procscope.envs.actions import N_ACTIONS
from procscope.envs.engine import TRAINING_SEEDS, Engine, EngineOptions
from procscope.envs.frames import FRAME_SIZE
from procscope.envs.labels import Columns, Labeller, label_states
from procscope.envs.last_frames import LastFrames
from procscope.envs.level_supply import LevelSupply, Variants
from procscope.envs.saved_games import Packed, pack, unpack
from procscope.envs.state.batch import read_batch

Frames = UInt8[np.ndarray, "env 64 64 3"]
StepResult = tuple[
    Frames, Float[np.ndarray, " env"], Bool[np.ndarray, " env"], Bool[np.ndarray, " env"], dict[str, Any]
]


class ProcgenVectorEnv(VectorEnv):
    """A vector of Procgen games.

    An episode is *terminated* when the game ended it (the goal reached, the agent lost) and *truncated* when
    it ran into the engine's timeout (500 steps in maze) without completing its level.
    """

    def __init__(
        self,
        game: str,
        num_envs: int,
        *,
        mode: str = "easy",
        variants: Variants = (),
        levels: Sequence[Any] | None = None,
        level_seeds: range = TRAINING_SEEDS,
        seed: int = 0,
        variant_seed: int = 0,
        labels: bool = False,
        final_obs: bool = True,
        copy: bool = True,
        **engine_options: Any,
    ) -> None:
        """Make the games; `reset` starts them.

        Args:
            game: which game, one of `procscope.envs.engine.MODES`.
            num_envs: games in the vector.
            mode: how difficult, one of the modes of the game (see `MODES`).
            variants: names of variants or functions (level, rng) -> level, applied in this order whenever a
                level begins. What they draw depends on `variant_seed` and the level's seed only.
            levels: play these levels (values such as `MazeLevel`) in turn instead of the engine's: game i
                begins with level i, and a game that ends takes the next one that has not been played, from
                the first again after the last; of games that end in the same step, the one of lower index
                takes first. A level brings its own look. Every game's own generator goes on beneath, as it
                would without.
            level_seeds: range that the engine draws level seeds from.
            seed: seed of those draws, until `reset(seed=...)`.
            variant_seed: seed of what variants draw.
            labels: give the ground truth of every frame. Needs a game that `labels.py` knows.
            final_obs: give the last frames of episodes. Needs a game that `last_frames.py` knows. Without,
                there is `final_info` but neither last frames nor their labels.
            copy: whether frames are the caller's own. If not, they change at the next step.
            engine_options: further fields of `EngineOptions`, such as `use_backgrounds` or `num_threads`.

        Raises:
            ValueError: when an option is out of range, a variant is unknown, or the game lacks what was asked
                for.
        """
        self._options = EngineOptions(
            game=game, mode=mode, num_envs=num_envs, level_seeds=level_seeds, seed=seed, **engine_options
        )
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}
        self.single_observation_space = gymnasium.spaces.Box(0, 255, (FRAME_SIZE, FRAME_SIZE, 3), np.uint8)
        self.single_action_space = gymnasium.spaces.Discrete(N_ACTIONS)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

        self._copy = copy
        self._supply = LevelSupply(game, variants, levels, variant_seed)
        self._labeller = Labeller(game, num_envs) if labels else None
        self._last_frames = LastFrames(game, num_envs, self._scratch) if final_obs else None
        self._engine = Engine(self._options)
        self._timeout_steps = int(read_batch(self._engine.get_states([0])).timeout[0])
        self._all = np.arange(num_envs)
        self._level_seeds = np.full(num_envs, -1, np.int64)
        self._level_indices = np.full(num_envs, -1, np.int64)
        self._steps = np.zeros(num_envs, np.int64)
        self._states: list[bytes] = []
        self._labels: Columns = {}
        self._is_fresh = True

    # -- Gymnasium's interface ------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Frames, dict[str, Any]]:
        """Begin a new episode in every game, or in those of a mask; gives the frames and infos of all games.

        With a seed all is as in a new vector made with that seed. Without, the games go on to their next
        levels (the first reset begins their first). `options={"reset_mask": mask}`, a boolean array with one
        entry per game, resets only those; it takes no seed.
        """
        super().reset(seed=seed)
        mask = self._reset_mask(seed, options)
        if seed is not None and not (self._is_fresh and seed == self._options.seed):
            self._options = replace(self._options, seed=seed)
            self._engine.close()
            self._engine = Engine(self._options)
            self._is_fresh = True
        if self._is_fresh:
            self._supply.restart()
        elif mask.all():
            self._engine.reset_all()
        else:
            self._reset_some(np.flatnonzero(mask))
        self._is_fresh = False
        self._begin_levels(np.flatnonzero(mask))
        return self._frames(), self._infos()

    def step(self, actions: np.ndarray) -> StepResult:
        """Play one raw action (0..14, see `actions.py`) in every game: integers, one per game.

        Raises ValueError for other actions or another number of them, and before the first `reset`.
        """
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,) or actions.dtype.kind not in "iu":
            raise ValueError(
                f"expected {self.num_envs} integer actions; given shape {actions.shape}, {actions.dtype}"
            )
        if self._is_fresh:
            raise ValueError("the games have not begun: call reset() before the first step()")
        self._engine.act(actions)
        self._steps += 1
        rewards = self._engine.rewards.astype(np.float64)
        terminated, truncated = np.zeros((2, self.num_envs), bool)
        ended = np.flatnonzero(self._engine.first)
        if self._last_frames is not None:
            self._last_frames.record(actions)
        final: dict[str, Any] = {}
        if ended.size:
            complete = self._engine.ended_complete[ended] != 0
            timed_out = ~complete & (self._steps[ended] >= self._timeout_steps)
            terminated[ended], truncated[ended] = ~timed_out, timed_out
            final = self._final_infos(ended, complete)
        self._begin_levels(ended)
        return self._frames(), rewards, terminated, truncated, self._infos() | final

    def close_extras(self, **kwargs: Any) -> None:
        """Free the games."""
        self._engine.close()
        if "_scratch" in self.__dict__:
            self._scratch.close()

    # -- What else there is to know -------------------------------------------------------------------------

    @property
    def options(self) -> EngineOptions:
        """What the engine was made of; the seed is that of the last reset with one."""
        return self._options

    @property
    def level_seeds(self) -> Int[np.ndarray, " env"]:
        """Seeds of the levels in play, -1 where a given level has none."""
        return self._level_seeds.copy()

    @property
    def episode_steps(self) -> Int[np.ndarray, " env"]:
        """Steps played in each game since its episode began."""
        return self._steps.copy()

    @property
    def frames(self) -> Frames:
        """What each agent sees now; a copy."""
        return self._engine.frames.copy()

    def get_states(self) -> list[bytes]:
        """The engine's state of every game, as bytes (`MazeLevel.from_state`, `EngineState.parse`)."""
        return list(self._states) if self._states else self._engine.get_states()

    def save_games(self) -> dict[str, np.ndarray]:
        """All that the games' future depends on but the vector's own arguments, for `restore_games`.

        Raises ValueError for a vector with labels, which would have to be saved too.
        """
        self._require_no_labels()
        if self._is_fresh:
            raise ValueError("the games have not begun: call reset() before save_games()")
        states = pack(self._engine.get_states())
        saved = {
            "states": states.bytes,
            "state_lengths": states.lengths,
            "level_seeds": self._level_seeds.copy(),
            "level_indices": self._level_indices.copy(),
            "steps": self._steps.copy(),
            "levels_dealt": np.array(self._supply.dealt),
        }
        if self._last_frames is not None:
            saved |= {f"last_frames.{name}": values for name, values in self._last_frames.save().items()}
        return saved

    def restore_games(self, saved: Mapping[str, np.ndarray]) -> Frames:
        """Go on as the vector would have that `save_games` was called on; gives the frames.

        This vector must have been made with the same arguments; threads, `copy` and the seed may differ.
        Raises ValueError for another number of games, or labels.
        """
        self._require_no_labels()
        if len(saved["state_lengths"]) != self.num_envs:
            raise ValueError(
                f"{len(saved['state_lengths'])} games were saved; this vector has {self.num_envs}"
            )
        if self._is_fresh:
            self.reset()  # which also tells the supply how this vector draws
        self._engine.set_states(unpack(Packed(saved["states"], saved["state_lengths"])))
        self._level_seeds, self._level_indices, self._steps = (
            saved[name].copy() for name in ("level_seeds", "level_indices", "steps")
        )
        self._supply.dealt = int(saved["levels_dealt"])
        if self._last_frames is not None:
            prefix = "last_frames."
            self._last_frames.restore(
                {
                    name.removeprefix(prefix): values
                    for name, values in saved.items()
                    if name.startswith(prefix)
                }
            )
        return self._frames()

    # -- Inside ---------------------------------------------------------------------------------------------

    def _require_no_labels(self) -> None:
        if self._labeller is not None:
            raise ValueError("labels are not saved with the games: make the vector without labels=True")

    def _frames(self) -> Frames:
        return self._engine.frames.copy() if self._copy else self._engine.frames

    def _begin_levels(self, began: Int[np.ndarray, " level"]) -> None:
        """Take in that the engine has just begun a level in the games with the given indices."""
        if began.size:
            self._steps[began] = 0
            self._level_seeds[began] = self._engine.level_seeds[began]
            if self._supply.is_active or self._last_frames is not None or self._labeller is not None:
                self._take_up(began, self._engine.get_states(began.tolist()))
        if self._labeller is not None:
            self._states = self._engine.get_states()
            self._labels = self._labeller.label(self._states)
            if self._last_frames is not None:
                self._last_frames.keep(self._all, self._states)
        elif self._last_frames is not None:
            due = self._last_frames.due().tolist()
            self._last_frames.keep(due, self._engine.get_states(due))

    def _take_up(self, began: Int[np.ndarray, " level"], states: list[bytes]) -> None:
        """Let variants or given levels change the levels just begun, and tell those who keep them."""
        if self._supply.is_active:
            levels = self._supply.next_levels(states, self._level_seeds[began])
            self._engine.set_states(levels.states, began.tolist())
            self._level_seeds[began], self._level_indices[began] = levels.level_seeds, levels.level_indices
            states = levels.states
        if self._last_frames is not None:
            self._last_frames.keep(began, states)
        if self._labeller is not None:
            self._labeller.begin_levels(began, states)

    def _infos(self) -> dict[str, Any]:
        everyone = np.ones(self.num_envs, bool)
        infos: dict[str, Any] = {"level_seed": self._level_seeds.copy(), "_level_seed": everyone}
        if self._supply.levels is not None:
            infos |= {"level_index": self._level_indices.copy(), "_level_index": everyone}
        if self._labeller is not None:
            infos |= {"labels": dict(self._labels), "_labels": everyone}
        return infos

    def _final_infos(
        self, ended: Int[np.ndarray, " episode"], complete: Bool[np.ndarray, " episode"]
    ) -> dict[str, Any]:
        mask = np.zeros(self.num_envs, bool)
        mask[ended] = True

        def spread(values: np.ndarray) -> np.ndarray:
            everywhere = np.zeros(self.num_envs, values.dtype)
            everywhere[ended] = values
            return everywhere

        info: dict[str, Any] = {"level_seed": spread(self._level_seeds[ended]), "_level_seed": mask}
        if self._supply.levels is not None:
            info |= {"level_index": spread(self._level_indices[ended]), "_level_index": mask}
        infos: dict[str, Any] = {"final_info": info, "_final_info": mask}
        if self._last_frames is not None:
            last = self._last_frames.recover(ended, complete)
            final_obs = np.full(self.num_envs, None, dtype=object)
            for index, frame in zip(ended, last.frames, strict=True):
                final_obs[index] = frame
            infos |= {"final_obs": final_obs, "_final_obs": mask}
            if self._labeller is not None:
                columns = label_states(last.states)
                info |= {"labels": {name: spread(v) for name, v in columns.items()}, "_labels": mask}
        return infos

    def _reset_mask(self, seed: int | None, options: dict[str, Any] | None) -> Bool[np.ndarray, " env"]:
        mask = (options or {}).get("reset_mask")
        if mask is None:
            return np.ones(self.num_envs, bool)
        mask = np.asarray(mask)
        if mask.shape != (self.num_envs,) or mask.dtype != bool or not mask.any():
            raise ValueError(
                f"reset_mask must be a boolean array of shape ({self.num_envs},) with at least one True; "
                f"given: {mask.dtype}, shape {mask.shape}"
            )
        if seed is not None or self._is_fresh:
            raise ValueError("the first reset, and one with a seed, is of all games: leave out reset_mask")
        return mask

    def _reset_some(self, indices: Int[np.ndarray, " env"]) -> None:
        """End the episodes of some games: their states take the reset in the scratch engine."""
        states = []
        for state in self._engine.get_states(indices.tolist()):
            self._scratch.set_states([state])
            self._scratch.reset_all()
            states += self._scratch.get_states()
        self._engine.set_states(states, indices.tolist())

    @cached_property
    def _scratch(self) -> Engine:
        """An engine of one game like those of the vector, to play states in aside."""
        return Engine(replace(self._options, num_envs=1, num_threads=1))
