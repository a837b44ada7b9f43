"""Every edit, question and maker of every game's levels with values that nobody should give, one argument at a time.

Run as a program, in an interpreter without the type checks of the tests, since users have none either. It prints each
call that raised anything but ValueError, or one with nothing to say, once for each place that raised it.
"""

import inspect
import traceback
import warnings
from typing import Any

import numpy as np

from procscope.envs.coinrun import CoinRunLevel
from procscope.envs.coinrun.sections import Crate, Enemy, Flat, Gap, Lava, Saw, Step
from procscope.envs.games import GAMES, game

NAN, INF = float("nan"), float("inf")
HOSTILE: list[Any] = [
    *(None, True, -1, 10**30, 2**31, 1.5, NAN, INF, "x", "", b"x", (), (1,), (1, 2, 3), [], {}, object()),
    *(np.float32(NAN), np.array(3), np.array(["a"]), np.zeros((9, 9), bool), np.zeros((0, 0), bool)),
    *(
        np.full((64, 64), NAN),
        np.zeros((9, 9, 9), bool),
        np.array([None]),
        lambda: 1,
        1j,
        iter([1]),
        [(1, 2)],
    ),
    *([None], ("blue", (1, 1)), [("blue",)], np.datetime64("2020"), type),
]
GOOD: dict[str, Any] = {
    "x": 2,
    "y": 2,
    "colour": "blue",
    "start": (1, 1),
    "end": (2, 2),
    "mode": "easy",
    "theme": "monochrome",
    "background": 2,
    "axis": "x",
    "quarter_turns": 1,
    "kind": "saw",
    "level_seed": 3,
    "level_seeds": [3],
    "size": 5,
    "n_keys": 1,
    "rng": np.random.default_rng(0),
    "coins": [(3, 3)],
    "target": None,
    "held": ["blue"],
    "sections": [Gap(2)],
    "cell": (1, 1),
    "what": "it",
    "agent": (1, 1),
}
#: Not for callers, or of files, which the tests of the command line have; `rng` may be anything that draws.
LEFT_OUT = ("trusted", "to_file", "from_file", "with_things")
_reported: set[tuple] = set()


def attempt(what: str, call: Any) -> None:
    """Make the call; report what should not happen."""
    try:
        call()
    except ValueError as error:
        problem = None if len(str(error)) > 11 else repr(error)
        place: tuple = (what.partition("(")[0], str(error))
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        problem, place = f"{error!r:.100} at {frame.filename}:{frame.lineno}", (frame.filename, frame.lineno)
    else:
        return
    if problem is not None and place not in _reported:
        _reported.add(place)
        print(f"{what}: {problem}")


def try_methods(level: Any) -> None:
    """All public methods."""
    good = GOOD | {
        "state": level.to_state(),
        "template": level.to_state(),
        "text": str(level),
        "walls": level.walls,
        "cells": level.to_array(),
        "values": level.to_json(),
        "other": level,
        "entities": getattr(level, "entities", None),
    }
    for name, method in inspect.getmembers(level, inspect.ismethod):
        if name.startswith("_") or name in LEFT_OUT:
            continue
        parameters = inspect.signature(method).parameters.values()
        needed = [
            p.name
            for p in parameters
            if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        ]
        usual = {key: good[key] for key in needed} | ({"kind": "wall"} if name == "with_cell" else {})
        if "allow_unsolvable" in inspect.signature(method).parameters:
            usual["allow_unsolvable"] = True
        for parameter in parameters:
            if parameter.kind is parameter.VAR_KEYWORD or parameter.name in ("rng", "allow_unsolvable"):
                continue
            for value in HOSTILE:
                what = f"{level.game}.{name}({parameter.name}={value!r:.40})"
                if parameter.kind is parameter.VAR_POSITIONAL:
                    attempt(what, lambda: method(value, **usual))  # noqa: B023 - called at once
                else:
                    attempt(what, lambda: method(**usual | {parameter.name: value}))  # noqa: B023


def try_fields(level: Any) -> None:
    """The constructor and files, field by field."""
    level_type = type(level)
    for name in level.field_names():
        for value in HOSTILE:
            fields, values = level.values() | {name: value}, level.to_json() | {name: value}
            what = f"{level.game}({name}={value!r:.40})"
            attempt(what, lambda: level_type(**fields, allow_unsolvable=True))  # noqa: B023
            attempt(f"from_json, {what}", lambda: level_type.from_json(values))  # noqa: B023


def main() -> None:
    """All of it."""
    warnings.simplefilter("error", RuntimeWarning)
    for name in GAMES:
        level = game(name).level_type.from_seed(7)
        try_methods(level)
        try_fields(level)
    for value in HOSTILE:
        for part in (Flat, Step, Gap, Lava, Saw, Enemy, Crate):
            sections = [part(value)]
            attempt(f"{part.__name__}({value!r:.40})", lambda: CoinRunLevel.from_sections(sections))  # noqa: B023


if __name__ == "__main__":
    main()
