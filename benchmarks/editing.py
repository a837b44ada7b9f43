"""What editing costs beside the engine's own calls: states out, cheese moved, states in, frames out.

    python benchmarks/editing.py [--num-envs 64] [--seconds 15]

The baseline is Procgen's own environment making the same `get_state`, `set_state` and `observe` calls with nothing in
between. Bar: moving the cheese of all games at once through arrays at least 0.8 of it. Beside it, the same through
`MazeLevel` values, one level at a time, which is what variants do.
"""

import argparse

import numpy as np
from bare_engine import StateBuffer, bare_game
from interleaved import interleave

from procscope.envs.engine import Engine, EngineOptions
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.bytes import CHEESE
from procscope.envs.state.batch import read_batch
from procscope.envs.state.rules import FREE
from procscope.envs.state.write import write_batch


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    games = range(options.num_envs)
    rng = np.random.default_rng(0)
    engine = Engine(EngineOptions("maze", num_envs=options.num_envs))
    bare = bare_game(options.num_envs, num_threads=1)
    buffer = StateBuffer(bare)

    def calls_only() -> np.ndarray:
        states = [buffer.get(index) for index in games]
        for index, state in enumerate(states):
            buffer.set(index, state)
        return bare.observe()[1]["rgb"]

    def through_arrays() -> np.ndarray:
        batch = read_batch(engine.get_states())
        engine.set_states(write_batch(batch, cells=with_cheese_moved(batch.grids, rng)))
        return engine.frames

    def through_levels() -> np.ndarray:
        edited = []
        for state in engine.get_states():
            level = MazeLevel.from_state(state)
            cells = np.argwhere(~level.walls)
            y, x = cells[rng.integers(len(cells))].tolist()
            edited.append(level.with_cheese(x, y, allow_unsolvable=True).to_state(template=state))
        engine.set_states(edited)
        return engine.frames

    ways = {
        "calls alone": calls_only,
        "through arrays": through_arrays,
        "through MazeLevel": through_levels,
    }
    rounds = interleave(ways, options.seconds)
    print(f"maze easy, {options.num_envs} levels a call; levels a second:")
    for way in ways:
        print(f"  {rounds.rate(way, options.num_envs):>9,.0f}  {way}")
    print("speed against the engine's calls alone, median (middle half) over rounds:")
    print(f"  {rounds.speed('through arrays', 'calls alone')}  through arrays: bar 0.8")
    print(f"  {rounds.speed('through MazeLevel', 'calls alone')}  through MazeLevel")


def with_cheese_moved(grids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The grids [state, y, x] with the cheese of each on a random one of its free cells."""
    flat = np.where(grids == CHEESE, FREE, grids).reshape(len(grids), -1)
    chosen = np.where(flat == FREE, rng.random(flat.shape, np.float32), -1).argmax(axis=1)
    flat[np.arange(len(flat)), chosen] = CHEESE
    return flat.reshape(grids.shape)


if __name__ == "__main__":
    main()
