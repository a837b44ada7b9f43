"""What training for clusterability costs: a step with the eigenvalue penalty beside a plain one.

    python benchmarks/cluster_penalty.py [--network mlp cnn] [--seconds 20] [--fused]

A step is forward, backward and torch's default Adam on one batch, of the 49-64-64-64-10 MLP (128 pictures of 7 x 7) or
of the small CNN (64 of 28 x 28); with the penalty it also normalises the neurons. Bars for the MLP: exact at most 5
times a plain step, iterative at most 2 times with eigenvalues within 1% of the exact ones (the worst of 300 steps is
printed, of 30 for the CNN).
"""

import argparse
from collections.abc import Callable

import torch
from interleaved import interleave
from torch import nn

from procscope.modularity.networks import mlp, small_cnn
from procscope.modularity.neuron_norms import normalise_neurons
from procscope.modularity.regulariser import EigenvaluePenalty

STEPS_A_ROUND = {"mlp": 20, "cnn": 2}
BARS = {"exact": 5.0, "iterative": 2.0}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", nargs="+", default=["mlp", "cnn"], choices=["mlp", "cnn"])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument(
        "--fused", action="store_true", help="the fused Adam that `train` uses: a faster plain step"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.network:
        ways = {way: rounds_of(name, way, options.fused) for way in ("plain", "exact", "iterative")}
        rounds = interleave(ways, options.seconds)
        plain_ms = 1000 / rounds.rate("plain", STEPS_A_ROUND[name])
        print(f"{name}: plain step {plain_ms:.2f} ms")
        for way, bar in BARS.items():
            print(f"  {way}: {rounds.speed('plain', way)} times a plain step: bar {bar}")
        print(
            f"  worst eigenvalue of the iterative way: {worst_eigenvalue(name, 15 * STEPS_A_ROUND[name]):.3%} off",
            flush=True,
        )


def training(name: str, way: str, fused: bool = False) -> tuple[Callable[[], None], EigenvaluePenalty]:
    """One step of training, and its penalty."""
    network = mlp((49, 64, 64, 64, 10)) if name == "mlp" else small_cnn()
    layers = [layer for layer in network if isinstance(layer, nn.Linear | nn.Conv2d)]
    counted = layers if name == "mlp" else layers[:3]
    penalty = EigenvaluePenalty(counted, method="exact" if way == "exact" else "iterative")
    optimiser = torch.optim.Adam(network.parameters(), fused=fused)
    generator = torch.Generator().manual_seed(0)
    shape = (128, 49) if name == "mlp" else (64, 1, 28, 28)
    pictures = torch.rand(shape, generator=generator)
    labels = torch.randint(10, shape[:1], generator=generator)

    def step() -> None:
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(network(pictures), labels)
        loss.backward()
        if way != "plain":
            penalty.add_gradient(0.1)
        optimiser.step()
        if way != "plain":
            normalise_neurons(layers)

    return step, penalty


def rounds_of(name: str, way: str, fused: bool) -> Callable[[], None]:
    """Some steps of training."""
    step, _ = training(name, way, fused)

    def several() -> None:
        for _ in range(STEPS_A_ROUND[name]):
            step()

    return several


def worst_eigenvalue(name: str, steps: int) -> float:
    """The largest relative error of the followed eigenvalues while a network trains."""
    step, followed = training(name, "iterative")
    exact = EigenvaluePenalty(followed.layers, method="exact")
    worst = 0.0
    for _ in range(steps):
        exact()  # of the weights that the step's penalty is about to see
        step()
        worst = max(worst, (followed.spectrum() / exact.spectrum() - 1).abs().max().item())
    return worst


if __name__ == "__main__":
    main()
