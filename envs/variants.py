"""Variants: named distributions of levels, made by changing each level as its episode begins.

What: a variant is a function `(level, rng) -> level` with a name and a docstring. A game's own are in its
`variants.py`; a user's own function is one too, and another package can register more under the entry point
group `procscope.variants`.
When: `ProcgenVectorEnv(variants=...)`, `--variant NAME ...`; several are applied in the order given.

    mouse, corner = resolve_variants(["mouse-anywhere", "cheese-top-right:1"], "maze")
    level = corner(mouse(level, rng), rng)

A name may carry a number after a colon, for the one further parameter of its function, which says what
numbers it takes: `size: Annotated[int, range(1, 32)] = 5`.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, get_type_hints

import numpy as np

from procscope.envs.games import GAMES, LevelFunction, game
from procscope.workbench import plugins


@dataclass(frozen=True)
class Variant:
    """A named function from levels to levels."""

    name: str
    """The name as it is given to commands and written on cards; with its number, if any: `cheese-top-right:1`."""
    description: str
    """What it does, in a sentence."""
    function: LevelFunction
    """(level, rng) -> level; draws from `rng` alone, and leaves the level that it is given as it is."""
    game: str | None = None
    """The game whose levels it takes; None for a function that does not say."""

    def __call__(self, level: Any, rng: np.random.Generator) -> Any:
        """The changed level."""
        return self.function(level, rng)


def variant_names(game_name: str | None = None) -> list[str]:
    """Every name that `resolve_variants` takes for the game (None: for any), other packages' too, sorted."""
    games = GAMES if game_name is None else (game_name,)
    own = {name for each in games for name in game(each).variants}
    return sorted({*own, *plugins.names("procscope.variants")})


def resolve_variants(
    variants: Sequence[str | LevelFunction | Variant] | str | LevelFunction | Variant,
    game_name: str | None = None,
) -> tuple[Variant, ...]:
    """Variants from names, functions (level, rng) -> level, or variants, one or several, in the order given.

    Raises ValueError for a name that nobody has registered (the nearest are suggested) or that several games
    have when no game is given, for a variant of another game than the given one, and for a number that the
    variant does not take.
    """
    several = [variants] if isinstance(variants, str) or callable(variants) else variants
    resolved = tuple(_resolve(variant, game_name) for variant in several)
    for variant in resolved:
        if None not in (variant.game, game_name) and variant.game != game_name:
            raise ValueError(
                f"the variant {variant.name!r} is for the game {variant.game}, not for {game_name}"
            )
    return resolved


def _resolve(variant: str | LevelFunction | Variant, game_name: str | None) -> Variant:
    if isinstance(variant, Variant):
        return variant
    if isinstance(variant, str):
        return _named(variant, game_name)
    if not callable(variant):
        raise ValueError(f"a variant is a name or a function (level, rng) -> level; given: {variant!r}")
    name = getattr(variant, "__name__", type(variant).__name__).replace("_", "-")
    return Variant(name, _sentence(variant), variant)


def _named(full_name: str, game_name: str | None) -> Variant:
    name, colon, number = full_name.partition(":")
    function, of_game = _registered(name, full_name, game_name)
    if isinstance(function, Variant):
        function, of_game = function.function, function.game
    description = _sentence(function)
    if colon:
        function = _with_number(function, name, full_name, number)
    return Variant(full_name, description, function, of_game)


def _registered(name: str, full_name: str, game_name: str | None) -> tuple[Any, str | None]:
    """The function of that name and its game; the given game's own goes first."""
    owners = [each for each in GAMES if name in game(each).variants]
    if game_name in owners:
        owners = [game_name]
    if len(owners) > 1:
        raise ValueError(
            f"the variant {full_name!r} is one of {' and of '.join(owners)}: say for which game it is meant"
        )
    if owners:
        return game(owners[0]).variants[name], owners[0]
    if name in plugins.names("procscope.variants"):
        return plugins.load("procscope.variants", name), None
    raise ValueError(f"unknown variant {full_name!r}. {plugins.suggest(name, variant_names(game_name))}")


def _with_number(function: LevelFunction, name: str, full_name: str, number: str) -> LevelFunction:
    """The function with the number that a name carries."""
    hints = get_type_hints(function, include_extras=True)
    further = list(inspect.signature(function).parameters)[2:]
    allowed = (
        next((note for note in getattr(hints.get(further[0]), "__metadata__", ())), None) if further else None
    )
    if not isinstance(allowed, range):
        raise ValueError(f"the variant {name!r} takes no number; given: {full_name!r}")
    if not number.isdecimal() or int(number) not in allowed:
        raise ValueError(
            f"after {name}: comes the {further[0].replace('_', ' ')}, a whole number from {allowed.start} to "
            f"{allowed.stop - 1}; given: {full_name!r}"
        )
    return partial(function, **{further[0]: int(number)})


def _sentence(function: LevelFunction) -> str:
    return (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
