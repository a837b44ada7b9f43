"""How fast autoencoders are trained, against sae-lens' trainer and EleutherAI's sparsify, and how well they come out.

    python benchmarks/saes.py [--threads 2] [--seconds 60]            # samples a second, turn by turn
    python benchmarks/saes.py --quality [--samples 1000000]           # fvu after the same number of samples
    pip install --no-deps eai-sparsify natsort schedulefree           # sparsify is compared where it can be imported

Made-up activations: sparse features in random directions, mixed, after a ReLU. One process, one number of threads, the
same width, k and batch for all:

    ours        `FusedTopK` and Adam as `train_sae` runs them
    sae-lens    `SAETrainer` with a `TopKTrainingSAE`, its defaults
    sparsify    `SparseCoder` with the steps of its trainer (unit decoder rows, its fvu loss), and Adam; what it
                compiles runs as it is where there is no compiler
    matmul      three dense products of the batch and the weights: what a step with a dense forward pass and sparse
                gradients would take if nothing but that were done (the "dense-matmul limit")

Speeds are ratios within a round (`interleaved.py`), so that other work on the machine touches all alike.
"""

import argparse
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from interleaved import interleave
from torch import Tensor

from procscope.saes.config import SaeConfig
from procscope.saes.learners import FusedTopK
from procscope.saes.normalisation import Normalisation


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=512)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=8, help="of a way in each round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--quality", action="store_true")
    parser.add_argument("--samples", type=int, default=1_000_000)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = made_up(min(200_000, options.samples), options.inputs)
    ways: dict[str, Way] = {"ours": Ours(options), "sae-lens": SaeLens(options)}
    if importlib.util.find_spec("sparsify"):
        ways["sparsify"] = Sparsify(options)
    if options.quality:
        compare_quality(options, data, ways)
    else:
        compare_speed(options, data, ways)


def made_up(n: int, inputs: int, features: int = 1024, active: float = 20) -> Tensor:
    """Samples with mean square 1: sparse features in random directions, some noise, a ReLU; normalised."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(features, inputs)).astype(np.float32) / np.sqrt(inputs)
    rates = rng.pareto(1.0, features) + 0.1
    rates = np.minimum(0.5, rates * active / rates.sum())
    parts = []
    for start in range(0, n, 20_000):
        size = min(20_000, n - start)
        z = (rng.random((size, features)) < rates) * rng.gamma(4, 0.25, (size, features))
        x = z.astype(np.float32) @ directions + 0.02 * rng.standard_normal((size, inputs), dtype=np.float32)
        parts.append(np.maximum(x, -0.05))
    samples = torch.from_numpy(np.concatenate(parts))
    samples -= samples.mean(dim=0)
    return samples / samples.square().mean().sqrt()


Way = Any
"""Has `step(batch)` and `reconstruct(samples)`."""


class Ours:
    """As `Trainer` does it."""

    def __init__(self, options: argparse.Namespace) -> None:
        config = SaeConfig(width=options.width, k=options.k, batch_size=options.batch)
        self.learner = FusedTopK(config, options.inputs)
        self.config, self.n_inputs = config, options.inputs
        self.optimiser = torch.optim.Adam(self.learner.parameters, lr=options.learning_rate, fused=True)
        self.silent = torch.zeros(options.width, dtype=torch.int64)

    def step(self, batch: Tensor) -> None:
        """One optimiser step."""
        found = self.learner.step(batch, self.silent >= self.config.dead_after, 1.0)
        self.optimiser.step()
        self.learner.after_step()
        self.silent += len(batch)
        self.silent[found.fired] = 0

    def reconstruct(self, samples: Tensor) -> Tensor:
        """Of normalised samples."""
        return self.learner.sae(Normalisation(torch.zeros(self.n_inputs), 1.0))(samples)


class SaeLens:
    """sae-lens' own trainer."""

    def __init__(self, options: argparse.Namespace) -> None:
        from sae_lens import SAETrainer, TopKTrainingSAE, TopKTrainingSAEConfig
        from sae_lens.config import SAETrainerConfig

        torch.manual_seed(0)
        self.sae = TopKTrainingSAE(
            TopKTrainingSAEConfig(d_in=options.inputs, d_sae=options.width, k=options.k)
        )
        config = SAETrainerConfig(
            total_training_samples=10**9,
            train_batch_size_samples=options.batch,
            lr=options.learning_rate,
            lr_end=options.learning_rate,
        )
        self.trainer = SAETrainer(config, self.sae, iter(()))  # type: ignore[arg-type]

    def step(self, batch: Tensor) -> None:
        """What its `fit` does with a batch."""
        self.trainer.maybe_reset_sparsity()
        self.trainer.step(batch)
        self.trainer.n_training_steps += 1

    def reconstruct(self, samples: Tensor) -> Tensor:
        """Of normalised samples."""
        return self.sae(samples)


class Sparsify:
    """EleutherAI's coder, trained as its own trainer does."""

    def __init__(self, options: argparse.Namespace) -> None:
        import torch._dynamo

        torch._dynamo.config.suppress_errors = True
        from sparsify import SparseCoder, SparseCoderConfig  # pyright: ignore[reportMissingImports]

        torch.manual_seed(0)
        self.coder = SparseCoder(
            options.inputs, SparseCoderConfig(num_latents=options.width, k=options.k), dtype=torch.float32
        )
        self.optimiser = torch.optim.Adam(self.coder.parameters(), lr=options.learning_rate, fused=True)

    def step(self, batch: Tensor) -> None:
        """Forward, backward, Adam, decoder rows."""
        found = self.coder(batch)
        found.fvu.backward()
        self.coder.remove_gradient_parallel_to_decoder_directions()
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.coder.set_decoder_norm_to_unit_norm()

    def reconstruct(self, samples: Tensor) -> Tensor:
        """Of normalised samples."""
        return self.coder(samples).sae_out


def compare_speed(options: argparse.Namespace, data: Tensor, ways: dict[str, Way]) -> None:
    """Samples a second, turn by turn."""
    batches = list(data[: options.batch * 20].split(options.batch))

    def steps(way: Way) -> Callable[[], None]:
        def run() -> None:
            for i in range(options.steps):
                way.step(batches[i])

        return run

    encoder = torch.randn(options.inputs, options.width)
    pre = torch.randn(options.batch, options.width)

    def matmuls() -> None:
        for i in range(options.steps):
            batches[i] @ encoder
            pre @ encoder.T
            batches[i].T @ pre

    timed = {name: steps(way) for name, way in ways.items()} | {"matmul": matmuls}
    rounds = interleave(timed, options.seconds)
    amount = options.steps * options.batch
    print(
        f"{options.inputs} -> {options.width}, k {options.k}, batch {options.batch}, {options.threads} threads, "
        f"{len(rounds.seconds['ours'])} rounds"
    )
    for name in timed:
        against = "" if name == "ours" else f"   ours is {rounds.speed('ours', name)} times as fast"
        print(f"{name:10s} {rounds.rate(name, amount):9,.0f} samples/s{against}")


def compare_quality(options: argparse.Namespace, data: Tensor, ways: dict[str, Way]) -> None:
    """Fraction of variance unexplained on samples that nobody learned from, after the same batches in one order."""
    held, rest = data[-20_000:], data[:-20_000]
    steps = options.samples // options.batch
    generator = torch.Generator().manual_seed(1)
    for step in range(steps):
        batch = rest[torch.randint(len(rest), (options.batch,), generator=generator)]
        for way in ways.values():
            way.step(batch)
        if (step + 1) % max(1, steps // 5) == 0:
            with torch.no_grad():
                total = (held - held.mean(dim=0)).square().sum()
                found = {
                    name: float((held - way.reconstruct(held)).square().sum() / total)
                    for name, way in ways.items()
                }
            shown = "  ".join(f"{name} {value:.4f}" for name, value in found.items())
            print(f"{(step + 1) * options.batch:9,} samples: fvu {shown}", flush=True)


if __name__ == "__main__":
    main()
