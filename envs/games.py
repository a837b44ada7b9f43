"""The games that can be edited and labelled, and what each brings along.

When: wherever something is done for any game: `game("heist").level_type.from_seed(7)`. A game is a folder
`envs/<game>/` whose `game.py` holds a `Game` named `GAME`; nothing else lists what a game consists of.
Cost: a game's modules are imported when it is first asked for.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from procscope.envs.level import Level
from procscope.envs.state.batch import StateBatch

GAMES = ("maze", "heist", "coinrun")
"""Names of the games, as the engine has them."""

LevelFunction = Callable[[Any, np.random.Generator], Any]
"""A function (level, rng) -> level that draws from `rng` alone and leaves the given level as it is."""

Columns = dict[str, np.ndarray]
"""Labels: one array per column, one entry per state."""


@dataclass(frozen=True)
class Game:
    """What a game brings along."""

    name: str
    level_type: type[Level]
    """Its levels as values: `from_seed`, `from_state`, `to_state`, …"""
    variants: Mapping[str, LevelFunction]
    """Its named distributions of levels."""
    placements: Mapping[str, LevelFunction]
    """Rules that place the agent in a level, by name, for single frames of many levels."""
    random_edits: Mapping[str, LevelFunction]
    """Small random changes of a level, by name, for the search over levels (`level_search.py`)."""
    level_facts: Callable[[StateBatch], Any]
    """What labels need to know of each level, a NamedTuple of arrays with one row per state."""
    frame_columns: Callable[[Any, StateBatch], Columns]
    """The labels of frames, from the facts of their levels (see `labels.py`)."""
    without_ending: Callable[[bytes, bool], bytes]
    """(state, complete) -> a state that moves the same and does not end soon, by the goal or otherwise."""
    as_left: Callable[[bytes, bytes], bytes] | None = None
    """(played, before) -> what that edit of the state `before` came to after some steps, with what it took away as the
    engine leaves it: for games in which what ends an episode is still seen. None: the played state is right."""


def game(name: str) -> Game:
    """The game of that name. Raises ValueError for a game that has no levels to edit."""
    if name not in GAMES:
        raise ValueError(f"levels and labels exist for the games {', '.join(GAMES)}; given: {name!r}")
    return importlib.import_module(f"procscope.envs.{name}.game").GAME
