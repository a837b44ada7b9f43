"""How close filling an activation cache comes to the time that its parts take alone.

    python benchmarks/capture.py [--frames 8192] [--seconds 120]

The parts are the engine's own steps, its `get_state` for every frame, and the network's forward pass, each timed alone
in the same rounds, on one thread as a cache's workers have it. A cache of two hook points with labels, written to disk,
is to reach at least 0.85 of the rate that their times added up allow.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bare_engine import StateBuffer, bare_game
from interleaved import interleave

from procscope.activations.collect import CacheConfig, build_cache
from procscope.activations.forward import to_input
from procscope.workbench.checkpoints import load_network

HOOK_POINTS = ("conv_out", "fc")
NUM_ENVS = CacheConfig(model="", hook_points=()).num_envs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=8192)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--model", default="maze-easy-topright")
    options = parser.parse_args()
    torch.set_num_threads(1)
    network: Any = load_network(options.model).network
    network.to(memory_format=torch.channels_last)
    engine = bare_game(NUM_ENVS, 1)
    states = StateBuffer(engine)
    steps = options.frames // NUM_ENVS
    actions = np.random.default_rng(0).integers(0, 15, (steps, NUM_ENVS)).astype(np.int32)
    pictures = engine.observe()[1]["rgb"].copy()
    scratch = Path(tempfile.mkdtemp())

    def step() -> None:
        for row in actions:
            engine.act(row)
            engine.observe()

    def get_states() -> None:
        for _ in range(steps):
            for index in range(NUM_ENVS):
                states.get(index)

    @torch.inference_mode()
    def forward() -> None:
        for _ in range(steps):
            network(to_input(pictures))

    def cache() -> None:
        directory = scratch / "cache"
        shutil.rmtree(directory, ignore_errors=True)
        config = CacheConfig(options.model, HOOK_POINTS, options.frames, ("cheese-anywhere",))
        build_cache(config, directory)

    rounds = interleave(
        {"steps": step, "states": get_states, "forward": forward, "cache": cache},
        options.seconds,
        least_rounds=3,
    )
    shutil.rmtree(scratch, ignore_errors=True)
    print(f"{options.model}, {NUM_ENVS} games, one thread; frames a second:")
    for part in rounds.seconds:
        print(f"  {rounds.rate(part, options.frames):>9,.0f}  {part}")
    low, middle, high = np.quantile(shares(rounds.seconds), [0.25, 0.5, 0.75])
    print(
        f"cache of {' and '.join(HOOK_POINTS)} with labels against its parts added up: {middle:.3f}  ({low:.3f} to "
        f"{high:.3f}), by CPU time {np.median(shares(rounds.cpu_seconds)):.3f}; bar 0.85"
    )


def shares(seconds: dict[str, np.ndarray]) -> np.ndarray:
    """Of each round: the time of the parts over that of the cache."""
    return (seconds["steps"] + seconds["states"] + seconds["forward"]) / seconds["cache"]


if __name__ == "__main__":
    main()
