"""Which level each game of a vector plays next: the engine's own, changed by variants, or given levels in turn.

When: inside `ProcgenVectorEnv`, at every reset. The engine has then drawn the next level of its own; the
supply reads it, lets the variants change it, or puts a given level in its place, and writes it back into the
game's own state, whose generators stay untouched: the levels that the engine draws later do not depend on
what was put in its place. Cost: 60 us a level with one variant, beside getting the state and setting it (60
and 80 us).

Chance: the variants of a level draw from `np.random.default_rng((variant_seed, level_seed))` in their order,
so that the same level seed gets the same draws in every run, in any game of the vector, after any other
levels. Given levels without a level seed count by their place in the list instead.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from procscope.envs.games import LevelFunction, game
from procscope.envs.variants import Variant, resolve_variants

Variants = Sequence[str | LevelFunction | Variant] | str | LevelFunction | Variant
"""Names of variants, or functions, in the order in which they are applied; or one of them."""

NO_SEED = -1
_LOOK_BYTES = 6 * 4  # the six drawing options that follow the game's name in a state


class NextLevels(NamedTuple):
    """The levels that games begin: first states, level seeds and places in the given list (-1 for none)."""

    states: list[bytes]
    level_seeds: Int[np.ndarray, " level"]
    level_indices: Int[np.ndarray, " level"]


class LevelSupply:
    """Applies variants and deals out given levels, in the order in which games ask."""

    def __init__(
        self,
        game_name: str,
        variants: Variants = (),
        levels: Sequence[Any] | None = None,
        variant_seed: int = 0,
    ) -> None:
        """Raises ValueError for a game without levels, an unknown variant, wrong levels, a negative seed."""
        if variant_seed < 0:
            raise ValueError(f"variant_seed must be 0 or more; given: {variant_seed}")
        self._look = slice(8 + len(game_name), 8 + len(game_name) + _LOOK_BYTES)
        self._engine_look = b""
        self._variant_seed = variant_seed
        self.dealt = 0
        """Given levels that have been dealt out so far."""
        self.is_active = bool(variants) or levels is not None
        if self.is_active:
            self._level_type = game(game_name).level_type
        self.variants = resolve_variants(variants, game_name)
        self.levels = None if levels is None else list(levels)
        if self.levels is not None:
            wrong = [level for level in self.levels if not isinstance(level, self._level_type)]
            if not self.levels or wrong:
                given = f"{wrong[0]!r:.100}" if wrong else "no levels"
                raise ValueError(
                    f"levels must be {self._level_type.__name__} values, at least one; given: {given}"
                )

    def restart(self) -> None:
        """Deal the given levels from the first on again."""
        self.dealt = 0

    def next_levels(self, states: Sequence[bytes], level_seeds: Int[np.ndarray, " level"]) -> NextLevels:
        """What games play that the engine has put into the given states, levels of the given seeds.

        Raises ValueError when a variant returns something other than a level that fits the game.
        """
        seeds, indices, new_states = level_seeds.copy(), np.full(len(states), -1), []
        for row, state in enumerate(states):
            state = self._with_engine_look(state)
            if self.levels is None:
                level, source = self._level_type.from_state(state), int(level_seeds[row])
            else:
                indices[row] = self.dealt % len(self.levels)
                self.dealt += 1
                level = self.levels[indices[row]]
                seeds[row] = NO_SEED if level.level_seed is None else level.level_seed
                source = int(indices[row] if level.level_seed is None else level.level_seed)
            if self.variants:
                rng = np.random.default_rng((self._variant_seed, source))
                for variant in self.variants:
                    level = self._checked(variant(level, rng), variant)
            new_states.append(level.to_state(template=state))
        return NextLevels(new_states, seeds, indices)

    def _with_engine_look(self, state: bytes) -> bytes:
        """The state with the drawing options of the vector: a level's own, once set, would outlast it."""
        if not self._engine_look:
            self._engine_look = state[self._look]
        if state[self._look] == self._engine_look:
            return state
        return state[: self._look.start] + self._engine_look + state[self._look.stop :]

    def _checked(self, level: Any, variant: Variant) -> Any:
        if isinstance(level, self._level_type):
            return level
        raise ValueError(
            f"a variant must return a {self._level_type.__name__}; {variant.name} returned {level!r:.100}"
        )
