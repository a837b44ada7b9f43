"""How much of the bare engine's rate is left when a variant changes every level that begins: all variants of all games.

    python benchmarks/variants.py [--game coinrun ...] [--variant agent-anywhere ...] [--num-envs 64] [--seconds 6]

The baseline of a variant is Procgen's own gym3 environment, playing the same actions in the same levels and making the
same `get_state`, `set_state` and `observe` calls for every game that resets. The edited states that it sets come from
the variant too, made while its watch stands still, so that both play alike to the pixel: a variant that shortens
episodes, and so has more resets, is not blamed for the engine's part of them. Bar: at least 0.85, for every variant.

Beside the ratio stand the games that began per step, by which a variant's own cost shows or hides.
"""

import argparse
import os
from collections.abc import Callable

import numpy as np
from bare_engine import StateBuffer, bare_game
from interleaved import Stopwatch, interleave

from procscope.envs.engine import MODES
from procscope.envs.games import GAMES, game
from procscope.envs.level_supply import LevelSupply
from procscope.envs.vector import ProcgenVectorEnv

STEPS_A_ROUND = 20
BAR = 0.85


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--game", nargs="+", default=list(GAMES), choices=GAMES)
    parser.add_argument("--variant", nargs="+", help="all of the game by default")
    parser.add_argument("--mode", default="easy")
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=6, help="per variant")
    options = parser.parse_args()
    threads = min(4, os.cpu_count() or 1)
    print(
        f"{options.num_envs} games, {threads} threads, random actions. Speed against the same engine calls alone:"
    )
    print(f"  {'by CPU time':>11}  {'by the clock (middle half)':<26}  begun a step  variant, bar {BAR}")
    for name in options.game:
        if options.mode not in MODES[name]:
            print(f"{name} has no mode {options.mode}")
            continue
        for variant in options.variant or game(name).variants:
            print_variant(name, options.mode, variant, options.num_envs, threads, options.seconds)


def print_variant(name: str, mode: str, variant: str, num_envs: int, threads: int, seconds: float) -> None:
    """Measure one variant and print its line."""
    actions = np.random.default_rng(0).integers(0, 15, (997, num_envs)).astype(np.int32)
    env = ProcgenVectorEnv(
        name, num_envs, mode=mode, variants=[variant], final_obs=False, copy=False, num_threads=threads
    )
    frames, _ = env.reset()
    bare = BareGames(name, mode, variant, actions, threads)
    step = 0

    def with_variant() -> None:
        nonlocal step
        for _ in range(STEPS_A_ROUND):
            env.step(actions[step % len(actions)])
            step += 1

    ways: dict[str, Callable[[], object]] = {"calls alone": bare.play, "variant": with_variant}
    rounds = interleave(ways, seconds)
    if not np.array_equal(frames, bare.frames):
        raise RuntimeError(
            f"{name} {variant}: the two ways of playing have come apart, they cannot be compared"
        )
    print(
        f"  {rounds.cpu_speed('variant', 'calls alone'):>11.3f}  {rounds.speed('variant', 'calls alone')!s:<26}  "
        f"{bare.begun / step:>12.2f}  {name} {variant}",
        flush=True,
    )
    env.close()


class BareGames:
    """Procgen's own environment, with a variant's states put in where levels begin."""

    def __init__(self, name: str, mode: str, variant: str, actions: np.ndarray, threads: int) -> None:
        num_envs = actions.shape[1]
        self._env = bare_game(num_envs, threads, name, mode)
        self._states = StateBuffer(self._env)
        self._supply = LevelSupply(name, [variant])
        self._actions = actions
        self._step = 0
        self.begun = 0
        self._env.observe()
        self._begin(list(range(num_envs)), Stopwatch())

    @property
    def frames(self) -> np.ndarray:
        """What the agents see now."""
        return self._env.observe()[1]["rgb"]

    def play(self) -> Stopwatch:
        """A round of steps; the watch has counted the engine's part alone."""
        watch = Stopwatch()
        watch.start()
        for _ in range(STEPS_A_ROUND):
            self._env.act(self._actions[self._step % len(self._actions)])
            _, _, first = self._env.observe()
            self._step += 1
            if first.any():
                began = np.flatnonzero(first).tolist()
                self.begun += len(began)
                self._begin(began, watch)
        watch.stop()
        return watch

    def _begin(self, began: list[int], watch: Stopwatch) -> None:
        states = [self._states.get(index) for index in began]
        watch.stop()
        seeds = np.asarray(self._env._info["level_seed"], np.int64)[began]
        edited = self._supply.next_levels(states, seeds).states
        watch.start()
        for index, state in zip(began, edited, strict=True):
            self._states.set(index, state)
        self._env.observe()


if __name__ == "__main__":
    main()
