"""How much of the bare engine's stepping rate the vector environment keeps, and what its extras cost.

    python benchmarks/stepping.py [--num-envs 64] [--seconds 20]

The baselines are Procgen's own gym3 environment in its fastest set-up (arrays reused, as many threads), with the same
random actions. That of the variants also makes their `get_state` and `set_state` calls for every game that resets.
Bars: plain stepping at least 0.95 of the bare engine, variants at least 0.85 of their baseline.
"""

import argparse
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from bare_engine import StateBuffer, bare_game
from interleaved import interleave

from procscope.envs.vector import ProcgenVectorEnv

STEPS_A_ROUND = 40


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--variant", default="cheese-anywhere")
    options = parser.parse_args()
    threads = min(4, os.cpu_count() or 1)
    actions = np.random.default_rng(0).integers(0, 15, (997, options.num_envs)).astype(np.int32)

    def vector(**extras: Any) -> Callable[[], None]:
        extras = {"final_obs": False, "copy": False, **extras}
        env = ProcgenVectorEnv("maze", options.num_envs, num_threads=threads, **extras)
        env.reset()
        return lambda: stepped(env, actions)

    ways = {
        "bare engine": bare_engine(actions, threads, False),
        "vector": vector(),
        "bare engine, states of resets out and in": bare_engine(actions, threads, True),
        "vector with a variant": vector(variants=[options.variant]),
        "vector with copied frames": vector(copy=True),
        "vector with final_obs": vector(final_obs=True),
        "vector with labels": vector(labels=True),
        "vector with variant, final_obs and labels": vector(
            variants=[options.variant], final_obs=True, labels=True
        ),
    }
    rounds = interleave(ways, options.seconds)
    frames = STEPS_A_ROUND * options.num_envs
    print(f"maze easy, {options.num_envs} games, {threads} threads, random actions; frames a second:")
    for way in ways:
        print(f"  {rounds.rate(way, frames):>9,.0f}  {way}")
    print("speed against its baseline, median (middle half) over rounds:")
    for way, baseline, bar in [
        ("vector", "bare engine", 0.95),
        ("vector with a variant", "bare engine, states of resets out and in", 0.85),
    ]:
        print(f"  {rounds.speed(way, baseline)}  {way} / {baseline}: bar {bar}")
    print("speed against plain stepping of the vector:")
    for way in list(ways)[3:]:
        print(f"  {rounds.speed(way, 'vector')}  {way}")


def stepped(env: ProcgenVectorEnv, actions: np.ndarray) -> None:
    """A round of steps."""
    for step in range(STEPS_A_ROUND):
        env.step(actions[(step * 31) % len(actions)])


def bare_engine(actions: np.ndarray, threads: int, with_states: bool) -> Callable[[], None]:
    """A round of steps of Procgen's own environment."""
    env = bare_game(actions.shape[1], threads)
    buffer = StateBuffer(env)

    def play() -> None:
        for step in range(STEPS_A_ROUND):
            env.act(actions[(step * 31) % len(actions)])
            _, _, first = env.observe()
            if with_states and first.any():
                for index in np.flatnonzero(first).tolist():
                    buffer.set(index, buffer.get(index))
                env.observe()

    return play


if __name__ == "__main__":
    main()
