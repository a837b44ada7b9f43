"""Transitions a second of training a reward network, against bare training steps.

    python benchmarks/reward_training.py [--transitions DIR] [--width 0.0625] [--shrink 2] [--seconds 60]

Bare steps are those of the same network on one batch that stays where it is: forward, loss, backward, optimiser. The
training reads its batches from disk, shuffled, and ends with the validation and the commit of an epoch; a round of each
has as many training transitions. Also said: what channels_last and bfloat16 make of a bare step on this processor.

Bar: 0.9.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from interleaved import Stopwatch, interleave
from tqdm import tqdm

from procscope.rewardnets.config import RewardConfig
from procscope.rewardnets.network import RewardNetwork
from procscope.rewardnets.splits import Split
from procscope.rewardnets.trainer import RewardTrainer, taken_loss
from procscope.rewardnets.training import _write
from procscope.rewardnets.transitions import Transitions, build_transitions
from procscope.workbench.memory import keep_freed_memory


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--transitions", type=Path)
    parser.add_argument("--width", type=float, default=1 / 16)
    parser.add_argument("--shrink", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as directory:
        place = options.transitions or build_transitions(
            "maze", Path(directory) / "data", n_transitions=2048, actor="expert", noise=0.1
        )
        data = Transitions.open(place)
        config = RewardConfig(
            network_options={"width": options.width, "shrink": options.shrink},
            epochs=10**6,
            batch_size=options.batch_size,
        )
        trainer = RewardTrainer.start(config, data)
        n = int(data.of(Split.TRAIN).sum())

        def epoch() -> None:
            with tqdm(disable=True) as progress:
                trainer.train(float("inf"), progress)
            _write(trainer, Path(directory))

        ways = {
            "training": epoch,
            "bare": bare_steps(config, data, n),
            "contiguous": bare_steps(config, data, n, channels_last=False),
            "bfloat16": bare_steps(config, data, n, half=True),
        }
        rounds = interleave(ways, options.seconds, least_rounds=3)
    print(f"width {options.width:g}, shrink {options.shrink}, {n} transitions an epoch, one thread:")
    print(
        f"  {rounds.rate('training', n):,.0f} transitions/s of training, {rounds.rate('bare', n):,.0f} of bare steps"
    )
    print(f"  training against bare steps, CPU time: {rounds.cpu_speed('training', 'bare'):.3f}; bar 0.9")
    for name in ("contiguous", "bfloat16"):
        print(f"  {name} against channels_last in float32: {rounds.cpu_speed(name, 'bare'):.2f}")


def bare_steps(
    config: RewardConfig, data: Transitions, n: int, channels_last: bool = True, half: bool = False
) -> Callable[[], Stopwatch]:
    """As many transitions of bare steps as an epoch has; few of those that are slow, whose time is counted up."""
    network: Any = RewardNetwork(**config.network_options)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = network.to(memory_format=layout)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.0, fused=True)
    batch = next(data.batches(Split.TRAIN, config.batch_size))
    pairs = torch.from_numpy(batch.pairs).permute(0, 3, 1, 2).contiguous(memory_format=layout)
    actions, rewards = torch.from_numpy(batch.actions).long(), torch.from_numpy(batch.rewards).float()
    steps = n / config.batch_size
    measured = steps if channels_last and not half else 1

    def run() -> Stopwatch:
        watch = Stopwatch()
        watch.start()
        for _ in range(round(measured)):
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                found = network(pairs).rewards
            loss = taken_loss(found.float(), actions, rewards)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        watch.stop()
        watch.seconds *= steps / round(measured)
        watch.cpu_seconds *= steps / round(measured)
        return watch

    return run


if __name__ == "__main__":
    started = time.perf_counter()
    main()
    print(f"measured in {time.perf_counter() - started:.0f} s")
