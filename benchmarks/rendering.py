"""What it costs to see edited levels beside the engine's own calls: 10,000 levels, each edited, then drawn.

    python benchmarks/rendering.py [--game coinrun ...] [--mode easy] [--levels 10000]

The baseline is Procgen's own environment making the same `set_state` and `observe` calls, with states that are there
already. Bar: to turn levels into states and draw them (`Engine.render`) at least 0.8 of it. Beside it, the same with
the edit of every level before (the goal or the agent put elsewhere).
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from bare_engine import StateBuffer, bare_game
from interleaved import interleave

from procscope.envs.engine import MODES, levels_from_seeds, scratch_engine
from procscope.envs.games import GAMES, game

LEVELS_A_ROUND = 128
NUM_ENVS = 64
BAR = 0.8


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--game", nargs="+", default=list(GAMES), choices=GAMES)
    parser.add_argument("--mode", default="easy")
    parser.add_argument("--levels", type=int, default=10_000)
    options = parser.parse_args()
    for name in options.game:
        if options.mode not in MODES[name]:
            print(f"{name} has no mode {options.mode}")
            continue
        ways = Rendering(name, options.mode)
        rounds = interleave(ways.all, 0, least_rounds=-(-options.levels // LEVELS_A_ROUND))
        print(f"{name} {options.mode}, {options.levels:,} edited levels; levels a second:")
        for way in ways.all:
            print(f"  {rounds.rate(way, LEVELS_A_ROUND):>9,.0f}  {way}")
        print("speed against the engine's calls alone, by CPU time and by the clock (middle half):")
        for way, bar in (("drawn", f": bar {BAR}"), ("edited and drawn", "")):
            cpu, clock = rounds.cpu_speed(way, "calls alone"), rounds.speed(way, "calls alone")
            print(f"  {cpu:.3f}  {clock}  {way}{bar}", flush=True)


class Rendering:
    """Three ways to the same pictures of the same edited levels; each round takes the next levels."""

    def __init__(self, name: str, mode: str) -> None:
        level_type = game(name).level_type
        self._levels = [level_type.from_state(state) for state in levels_from_seeds(name, range(512), mode)]
        self._edit = EDITS[name]
        self._engine = scratch_engine(name, mode)
        self._bare = bare_game(NUM_ENVS, 1, name, mode)
        self._buffer = StateBuffer(self._bare)
        self._taken: dict[str, int] = dict.fromkeys(("calls alone", "drawn", "edited and drawn"), 0)
        self._edited = self._edits(self._levels, np.random.default_rng(0))
        self._states = [level.to_state() for level in self._edited]
        self.all: dict[str, Callable[[], np.ndarray]] = {
            "calls alone": self._calls_alone,
            "drawn": self._drawn,
            "edited and drawn": self._edited_and_drawn,
        }

    def _calls_alone(self) -> np.ndarray:
        states = self._next("calls alone", self._states)
        pictures = np.empty((LEVELS_A_ROUND, 64, 64, 3), np.uint8)
        for start in range(0, LEVELS_A_ROUND, NUM_ENVS):
            for index, state in enumerate(states[start : start + NUM_ENVS]):
                self._buffer.set(index, state)
            pictures[start : start + NUM_ENVS] = self._bare.observe()[1]["rgb"]
        return pictures

    def _drawn(self) -> np.ndarray:
        levels = self._next("drawn", self._edited)
        return self._engine.render([level.to_state() for level in levels])

    def _edited_and_drawn(self) -> np.ndarray:
        levels = self._next("edited and drawn", self._levels)
        edited = self._edits(levels, np.random.default_rng(0))
        return self._engine.render([level.to_state() for level in edited])

    def _edits(self, levels: Sequence[Any], rng: np.random.Generator) -> list[Any]:
        return [self._edit(level, rng) for level in levels]

    def _next(self, way: str, items: list[Any]) -> list[Any]:
        start = self._taken[way] % len(items)
        self._taken[way] += LEVELS_A_ROUND
        return items[start : start + LEVELS_A_ROUND]


def _maze_edit(level: Any, rng: np.random.Generator) -> Any:
    cells = np.argwhere(~level.walls)
    y, x = cells[rng.integers(len(cells))].tolist()
    return level.with_cheese(x, y, allow_unsolvable=True)


def _heist_edit(level: Any, rng: np.random.Generator) -> Any:
    cells = level.empty_cells()
    return level.with_agent(*cells[rng.integers(len(cells))], allow_unsolvable=True)


def _coinrun_edit(level: Any, rng: np.random.Generator) -> Any:
    heights = level.ground_heights()
    x = int(rng.integers(1, level.end_cell()[0] + 1))
    return level.with_coin(x, int(heights[x]), allow_unsolvable=True)


EDITS: dict[str, Callable[[Any, np.random.Generator], Any]] = {
    "maze": _maze_edit,
    "heist": _heist_edit,
    "coinrun": _coinrun_edit,
}


if __name__ == "__main__":
    main()
