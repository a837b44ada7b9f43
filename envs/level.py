"""`Level`: what the levels of all games have in common. A level is a value: it never changes, an edit gives a new one.

When: as `MazeLevel`, `HeistLevel` or `CoinRunLevel`; `game("heist").level_type` is the one of a game by name. What can
be done with any level is here: made from the engine's seeds and from files, compared, kept, drawn, given another look,
turned into the engine's bytes. What is in a level, and how it is edited, is the game's own.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, SupportsFloat, SupportsIndex, TypeVar

import numpy as np

from procscope.envs.arguments import number_within, whole_number
from procscope.envs.cells import read_only
from procscope.envs.engine import levels_from_seeds, template_state
from procscope.envs.level_diff import FieldChange
from procscope.envs.level_files import read_level_file, write_level_file
from procscope.envs.pictures import level_png
from procscope.envs.state.rules import rules_of

THEMES = ("textured", "monochrome")
LOOK = ("mode", "level_seed", "background", "background_offset", "theme")
"""The fields that levels of all games have."""

LevelT = TypeVar("LevelT", bound="Level")


class Codec(NamedTuple):
    """What turns the levels of a game into other forms, and back into the fields of one."""

    read_state: Callable[[bytes], dict[str, Any]]
    """ValueError where the bytes are no state of the game, or hold what no level can."""
    write_state: Callable[[bytes, Any], bytes]
    """(template, level) -> a copy of the state that is in the level."""
    format_text: Callable[[Any], str]
    to_json: Callable[[Any], dict[str, Any]]
    from_json: Callable[[dict[str, Any]], dict[str, Any]]
    """ValueError where the JSON values are not of the form that `to_json` gives."""


@dataclass(frozen=True, eq=False, repr=False)
class Level(ABC):
    """A level of some game.

    Two are equal when all their fields are but `level_seed`: where a level came from does not count.

    ValueError for anything that the engine could not take, and for a level in which the agent cannot get to the goal,
    unless made with `allow_unsolvable=True`.
    """

    game: ClassVar[str]
    """The engine's name of the game."""
    codec: ClassVar[Codec]
    """The other forms of its levels."""

    mode: str = field(default="easy", kw_only=True)
    """Mode of the engine, which may set the size of the world."""
    level_seed: int | None = field(default=None, kw_only=True)
    """Seed of the engine's level that this one was made from, edited or not; None for a level not of the engine."""
    background: int | None = field(default=0, kw_only=True)
    """Number of the picture behind the level, of the game's backgrounds, or None for black."""
    background_offset: float = field(default=0.5, kw_only=True)
    """How far the background is shifted, 0 to 1; 0 without background. Square backgrounds, as all of the maze and of
    Heist are, look the same however they are shifted."""
    theme: str = field(default="textured", kw_only=True)
    """`textured` draws sprites, `monochrome` one-coloured squares."""
    allow_unsolvable: InitVar[bool] = field(default=False, kw_only=True)

    def __post_init__(self, allow_unsolvable: bool) -> None:
        self.check_mode(self.mode)
        if self.theme not in THEMES:
            raise ValueError(f"theme must be one of {', '.join(THEMES)}; given: {self.theme!r:.80}")
        if self.level_seed is not None:
            self._set(level_seed=whole_number("level_seed", self.level_seed, range(2**31), ", or None"))
        background, offset = self._checked_background(self.background, self.background_offset)
        self._set(background=background, background_offset=offset)
        self._check_fields()
        if not allow_unsolvable:
            self.require_solvable()

    # -- Make --

    @classmethod
    def from_seed(cls: type[LevelT], level_seed: int, mode: str = "easy") -> LevelT:
        """The engine's own level of that seed. Raises ValueError if the seed is not in [0, 2^31 - 1)."""
        return cls.from_seeds([level_seed], mode)[0]

    @classmethod
    def from_seeds(cls: type[LevelT], level_seeds: Sequence[int], mode: str = "easy") -> list[LevelT]:
        """The engine's own levels of these seeds, in one call to the engine."""
        cls.check_mode(mode)
        try:
            seeds = list(level_seeds)
        except TypeError:
            raise ValueError(f"level_seeds must be whole numbers; given: {level_seeds!r:.80}") from None
        return [cls.from_state(state) for state in levels_from_seeds(cls.game, seeds, mode)]

    @classmethod
    def from_state(cls: type[LevelT], state: bytes) -> LevelT:
        """The level that a state of the engine is in, as it stands: everything where it is now, moving as it does.

        A state is a fact, so it is taken even when its goal cannot be reached (`is_solvable` tells). Raises ValueError
        where the bytes are no state of the game, or hold what no level can (see `bytes.py` of the game).
        """
        return cls.trusted(cls.codec.read_state(state))

    @classmethod
    def from_json(cls: type[LevelT], values: dict[str, Any], *, allow_unsolvable: bool = False) -> LevelT:
        """A level from the JSON values of `to_json`; ValueError where they are not of that form."""
        return cls(**cls.codec.from_json(values), allow_unsolvable=allow_unsolvable)

    @classmethod
    def from_file(cls: type[LevelT], path: str | Path, *, allow_unsolvable: bool = False) -> LevelT:
        """A level from a `.json` file that `to_file` wrote (see `level_files.py`)."""
        values = read_level_file(path, cls.game).level
        try:
            return cls.from_json(values, allow_unsolvable=allow_unsolvable)
        except ValueError as problem:
            raise ValueError(f"{path}: {problem}") from problem

    @classmethod
    def trusted(cls: type[LevelT], values: dict[str, Any]) -> LevelT:
        """A level of values that are known to be right: for readers that have checked them already."""
        level = object.__new__(cls)
        vars(level).update(values)
        return level

    # -- Edit the look --

    def with_theme(self: LevelT, theme: str) -> LevelT:
        """This level drawn with sprites (`textured`) or one-coloured squares (`monochrome`)."""
        return self._rebuilt(True, theme=theme)

    def with_background(
        self: LevelT, background: SupportsIndex | None, offset: SupportsFloat | None = None
    ) -> LevelT:
        """This level before another background (a number, None for black), shifted by `offset` (default: as it was)."""
        offset = self.background_offset if offset is None else offset
        number, shift = self._checked_background(background, offset)
        return self._edited(True, background=number, background_offset=shift)

    # -- Ask --

    @abstractmethod
    def is_solvable(self) -> bool:
        """Whether there is a goal and a way to it."""

    @abstractmethod
    def require_solvable(self) -> None:
        """ValueError if there is a goal, but no way to it."""

    def values(self) -> dict[str, Any]:
        """The fields by name, as the constructor takes them."""
        own = self.__dict__
        return {name: own[name] for name in self.field_names()}

    @classmethod
    @cache  # a level is read and written at every reset of a vector of games
    def field_names(cls) -> tuple[str, ...]:
        """Names of the fields: the game's own in their order, then those of `LOOK`."""
        own = [each.name for each in dataclasses.fields(cls) if each.name not in LOOK]
        return (*own, *LOOK)

    # -- See, keep, play --

    def __str__(self) -> str:
        return self.codec.format_text(self)

    def _repr_png_(self) -> bytes:
        return level_png(self.to_state())

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values, as they stand in files."""
        return self.codec.to_json(self)

    def to_file(self, path: str | Path) -> None:
        """Write the level to a `.json` file (see `level_files.py`)."""
        write_level_file(path, self.game, self.to_json())

    def to_state(self, template: bytes | None = None) -> bytes:
        """The engine's bytes of this level.

        With a `template`, a live state of the level's mode, all that is not of the level stays as there, the generators
        above all: an env's later levels remain its own. Note that background on or off and the theme are options of the
        engine, which last beyond the level. Raises ValueError if the template is not such a state.
        """
        template = template_state(self.game, self.mode) if template is None else template
        return self.codec.write_state(template, self)

    # -- Be a value --

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Level) and other.game == self.game:
            return self._key() == other._key()
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __getstate__(self) -> dict[str, Any]:
        return self.values()

    def __setstate__(self, values: dict[str, Any]) -> None:
        self._set(
            **{
                name: read_only(value) if isinstance(value, np.ndarray) else value
                for name, value in values.items()
            }
        )

    # -- Inside: what each game fills in --

    @abstractmethod
    def _check_fields(self) -> None:
        """Put the game's own fields into their plain form; ValueError for what the engine could not take."""

    # -- Inside: what all share --

    @classmethod
    def check_mode(cls, mode: str) -> None:
        """ValueError unless the game has this mode."""
        modes = rules_of(cls.game).modes.values()
        if mode not in modes:
            raise ValueError(f"mode must be one of {', '.join(modes)}; given: {mode!r:.80}")

    @classmethod
    def _checked_background(
        cls, background: SupportsIndex | None, offset: SupportsFloat
    ) -> tuple[int | None, float]:
        """Number and offset as a level holds them; ValueError unless both are in range."""
        if background is None:
            return None, 0.0
        number = whole_number("background", background, range(rules_of(cls.game).backgrounds), ", or None")
        shift = number_within("background_offset", offset, 0, 1, "from 0 to 1")
        return number, float(np.float32(shift))  # as the engine holds it

    def _rebuilt(self: LevelT, allow_unsolvable: bool, **changes: Any) -> LevelT:
        """With other values in some fields, all of them checked."""
        return type(self)(**(self.values() | changes), allow_unsolvable=allow_unsolvable)

    def _edited(self: LevelT, allow_unsolvable: bool, **changes: Any) -> LevelT:
        """With changes that are known to be right."""
        level = self.trusted(self.values() | changes)
        if not allow_unsolvable:
            level.require_solvable()
        return level

    def _changed_fields(self, other: "Level") -> tuple[FieldChange, ...]:
        """The fields that differ in another level of the game, arrays left out."""
        mine, others = self.values(), other.values()
        return tuple(
            FieldChange(name, value, others[name])
            for name, value in mine.items()
            if not isinstance(value, np.ndarray) and value != others[name]
        )

    def _require_same_game(self, other: "Level") -> None:
        if not isinstance(other, Level) or other.game != self.game:
            raise ValueError(f"expected another level of {self.game} to compare with; given: {other!r:.80}")

    def _set(self, **values: Any) -> None:
        vars(self).update(values)

    def _key(self) -> tuple:
        """What equality and the hash go by."""
        values = self.values()
        del values["level_seed"]
        return tuple(value.tobytes() if isinstance(value, np.ndarray) else value for value in values.values())
