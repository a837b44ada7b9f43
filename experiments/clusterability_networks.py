"""The networks that the experiments on chapters 3 and 4 of S0 train, and the data that stand in for the published ones.

Published: MLPs 20 epochs without and 20 with pruning, small CNNs 10 and 10 in batches of 64, VGG 200 and 50 with L2 of
5e-4 where it has any.
"""

from procscope.modularity.network_study import Kind, NetworkTraining

OWN_FILES = {"MNIST": "idx", "Fashion-MNIST": "idx", "CIFAR-10": "cifar10"}
STAND_INS = {"MNIST": "digits", "Fashion-MNIST": "letters", "CIFAR-10": "colour letters"}
STAND_INS_IN_WORDS = {
    "MNIST": "5,000 of its digits, of which 4,000 are trained on, shifted by up to two pixels",
    "Fashion-MNIST": "rendered letters",
    "CIFAR-10": "rendered letters in colour",
}


def picture_sources(*, mnist: str = "", fashion: str = "", cifar10: str = "") -> dict[str, str]:
    """Names for `named_data` by published data set: the folder's files where one is given, else the stand-in."""
    folders = {"MNIST": mnist, "Fashion-MNIST": fashion, "CIFAR-10": cifar10}
    return {
        role: f"{OWN_FILES[role]}:{folder}" if folder else STAND_INS[role] for role, folder in folders.items()
    }


def stand_ins(**folders: str) -> str:
    """Which data are the published ones and which stand in for them, as a list."""
    return "\n".join(
        f"- {role}: {STAND_INS_IN_WORDS[role] if data == STAND_INS[role] else 'its own files'}"
        for role, data in picture_sources(**folders).items()
    )


def mlp_training(
    *, epochs: int, samples: int, width: int, seed: int, network: Kind = "mlp", side: int = 0
) -> NetworkTraining:
    """An MLP, as many epochs with pruning as without; its data are still to be named."""
    return NetworkTraining(
        "",
        network=network,
        epochs=epochs,
        pruning_epochs=epochs,
        samples=samples,
        side=side,
        width=width,
        seed=seed,
    )


def cnn_training(*, epochs: int, samples: int, side: int, width: int, seed: int) -> NetworkTraining:
    """A small CNN, as many epochs with pruning as without; its data are still to be named."""
    return NetworkTraining(
        "",
        network="cnn",
        epochs=epochs,
        pruning_epochs=epochs,
        samples=samples,
        side=side,
        width=width,
        batch_size=64,
        seed=seed,
    )


def vgg_training(
    *, network: str, epochs: int, pruning_epochs: int, samples: int, seed: int
) -> NetworkTraining:
    """VGG-16, or its stand-in `narrow-vgg`. Raises ValueError: another name."""
    if network not in ("vgg", "narrow-vgg"):
        raise ValueError(f"expected vgg or narrow-vgg, given {network!r}")
    return NetworkTraining(
        "",
        network=network,  # pyright: ignore[reportArgumentType]
        epochs=epochs,
        pruning_epochs=pruning_epochs,
        samples=samples,
        strength=5e-4,
        seed=seed,
    )
