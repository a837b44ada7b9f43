"""How many labelled frames of CoinRun the experts make in a minute, each process on one core.

    python benchmarks/search.py [--levels 128] [--workers 2]

`search` are the frames of the ways that `EngineSearch` finds from the starts of levels, `values` those of the samples
that a round of `CoinRunSource` makes without a network: ways of a slipping expert, values worked out and looked up,
frames drawn, and of frames in which nothing is at stake only a few. The bar is 4,000 frames a minute on two cores.
"""

import argparse
import time

import numpy as np
import torch

from procscope.agents.experts.engine_search import EngineSearch
from procscope.agents.imitation.coinrun_source import CoinRunSource
from procscope.agents.imitation.config import ImitationConfig
from procscope.envs.engine import levels_from_seeds
from procscope.workbench.parallel import parallel_map

BAR = 4_000
_LEVELS_A_TASK = 16


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--levels", type=int, default=128)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    tasks = [range(first, first + _LEVELS_A_TASK) for first in range(0, options.levels, _LEVELS_A_TASK)]
    list(parallel_map(_frames_of_search, tasks[:1] * options.workers, workers=options.workers))  # warm up
    started = time.perf_counter()
    frames = sum(n for _, n in parallel_map(_frames_of_search, tasks, workers=options.workers))
    _print("search", frames, time.perf_counter() - started)

    config = ImitationConfig(game="coinrun", engine_options={"paint_vel_info": True})
    source = CoinRunSource(config, options.workers)
    started = time.perf_counter()
    samples = source.samples(0, torch.nn.Identity())  # the first rounds ask no network
    _print("values", len(samples.others.actions), time.perf_counter() - started)
    source.close()


def _frames_of_search(level_seeds: range) -> int:
    search = EngineSearch("coinrun")
    plans = search.plan(levels_from_seeds("coinrun", level_seeds))
    search.close()
    return int(np.sum([len(plan.actions) for plan in plans if plan.solved]))


def _print(name: str, frames: int, seconds: float) -> None:
    rate = frames / seconds * 60
    print(f"{name:8s} {rate:8,.0f} labelled frames/min   ({frames:,} in {seconds:.1f} s; bar {BAR:,})")


if __name__ == "__main__":
    main()
