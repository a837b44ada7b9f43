"""Train an imaginer on first and last states; a training that is killed goes on exactly from its last checkpoint.

When: `trained_imaginer(config, directory)` trains, resumes or only loads, so that experiments can ask for the same
network again.

The loss is the squared error of the last state, averaged with that of the first state as the decoder shows it from the
encoder's output, where the config says so: (prediction + autoencoder) / 2 (S2.model; ambiguity A7). The training counts
if 99% of the cells of the last state are right on boards that it has not met (A8), and ends some updates after that is
first so, in which the learning rate falls to 0.

Cost: see docs/imagination.md; a network of three steps takes about a minute and a half of one core, of which boards
take less than 1%.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from procscope.agents.run_state import read_state
from procscope.imagination.network import Imaginer
from procscope.imagination.trainer import Trainer
from procscope.imagination.training_config import ImaginerConfig
from procscope.workbench.atomic import write_json_atomically
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import load_network, save_checkpoint
from procscope.workbench.configs import plain

NETWORK_FILE, FACTS_FILE = "network.safetensors", "training.json"


class TrainedImaginer(NamedTuple):
    """A finished training."""

    config: ImaginerConfig
    network: Imaginer
    """In evaluation mode, on the CPU."""
    accuracy: float
    """Share of the last state's cells that are right, on 2,048 fresh sequences."""
    updates: int
    seconds: float
    """CPU time of the training's process, the curve included."""
    share_for_boards: float
    """Share of that time in which boards were made."""
    curve: Float[np.ndarray, "row value"]
    """`Trainer.curve`: updates, loss, accuracy, and how alike each imagined state is to the true one of its number."""
    weights_hash: str

    @property
    def counts(self) -> bool:
        """Whether the training reached the accuracy that it had to."""
        return self.accuracy >= self.config.accuracy


def trained_imaginer(config: ImaginerConfig, directory: Path, progress: str = "") -> TrainedImaginer:
    """The network that `config` describes, from `directory` where it is finished, else trained there.

    Args:
        progress: a name for the progress bar, which shows the rate; none without.

    Raises ValueError: the directory holds a training with another config.
    """
    if not (directory / FACTS_FILE).exists():
        directory.mkdir(parents=True, exist_ok=True)
        trainer = Trainer(config)
        trainer.resume(directory)
        with tqdm(
            total=config.max_updates,
            initial=trainer.updates,
            desc=progress,
            unit="update",
            disable=None if progress else True,
        ) as bar:
            for updates in trainer.run(directory):
                bar.update(updates - bar.n)
        _finish(trainer, directory)
    return load_imaginer(config, directory)


def load_imaginer(config: ImaginerConfig, directory: Path) -> TrainedImaginer:
    """A finished training. Raises ValueError: of another config. Raises FileNotFoundError: there is none."""
    read_state(directory, config)
    facts = json.loads((directory / FACTS_FILE).read_text(encoding="utf-8"))
    loaded = load_network(directory / NETWORK_FILE)
    assert isinstance(loaded.network, Imaginer)
    return TrainedImaginer(
        config,
        loaded.network,
        facts["accuracy"],
        facts["updates"],
        facts["seconds"],
        facts["share_for_boards"],
        np.array(facts["curve"], dtype=float).reshape(-1, 2 + config.steps),
        loaded.weights_hash,
    )


def _finish(trainer: Trainer, directory: Path) -> None:
    config = trainer.config
    accuracy = trainer.final_accuracy()
    network = trainer.network
    options = {"steps": config.steps, "border": network.border, "channels": network.channels}
    header = CheckpointHeader(
        architecture="imaginer",
        options=options | config.network_options(),
        environment={"world": config.world.name} | plain(config.world),
        training=plain(config) | {"updates": trainer.updates},
        metrics={"accuracy": accuracy},
    )
    save_checkpoint(directory / NETWORK_FILE, network, header)
    facts = {
        "accuracy": accuracy,
        "updates": trainer.updates,
        "seconds": round(trainer.seconds, 2),
        "share_for_boards": trainer.seconds_for_boards / max(trainer.seconds, 1e-9),
        "curve": trainer.curve,
    }
    write_json_atomically(directory / FACTS_FILE, facts)  # last: its presence says that all is there
