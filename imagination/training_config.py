"""What a training of an imaginer is: the world, the network, and how long it learns."""

from dataclasses import dataclass, field, fields
from typing import Any

import torch

from procscope.imagination.growing_picture import GrowingPicture
from procscope.imagination.life import Life
from procscope.imagination.maze_flood import MazeFlood
from procscope.imagination.network import Imaginer

NETWORK_OPTIONS = (
    "width",
    "shared",
    "encoder_layers",
    "block_layers",
    "residual",
    "decoder_layers",
    "kernel",
)


PREDICTION_LOSSES = ("squared", "cross-entropy")

PUBLISHED_BOARDS = Life(border="dead", evolved_share=0.9, evolved_steps=18)
"""The Game of Life as in the authors' code (github.com/wichersn/visualize-nn-imagination), on smaller boards than its
20x20: cells beyond the edge are dead, and nine first states of ten were run on before, by nine steps in the mean."""


@dataclass(frozen=True)
class ImaginerConfig:
    """Everything that the weights depend on. S2 states values of a few fields; docs/imagination.md tells how the others
    were chosen.

    Raises ValueError: as `Imaginer`, and for numbers that no training can have.
    """

    world: Life | MazeFlood | GrowingPicture = field(default_factory=lambda: PUBLISHED_BOARDS)
    world_steps: int = 3
    """Steps of the world from the first state to the last, which is taught."""
    steps: int = 3
    """Steps of the core."""
    autoencoder: bool = True
    """Whether the decoder is also taught to show the first state from what the encoder makes of it."""
    shared: bool = True
    width: int = 20
    encoder_layers: int = 1
    block_layers: int = 3
    residual: bool = True
    """Whether a step of the core adds to its state, as in the authors' code, or puts another in its place."""
    decoder_layers: int = 1
    kernel: int = 3
    batch: int = 8
    """Sequences for each update. A board has 256 cells, each an example of the rule: 8 boards are enough."""
    prediction_loss: str = "squared"
    """Of the last state, one of `PREDICTION_LOSSES`: squared as the autoencoder's (and in the authors' code), which has
    all states decoded to the same two values, or the cross-entropy of each cell."""
    learning_rate: float = 5e-3
    """Of Adam; falls to 0 in the updates after the accuracy is reached."""
    accuracy: float = 0.99
    """Share of the last state's cells that must be right for the training to count (S2: 99%)."""
    settle_updates: int = 500
    """Updates after that accuracy is reached first, with which the training ends."""
    max_updates: int = 20_000
    """Updates after which it ends in any case."""
    seed: int = 0
    version: int = 2
    """Raised when the same config begins to give other weights."""

    def __post_init__(self) -> None:
        self.network()
        if self.prediction_loss not in PREDICTION_LOSSES:
            raise ValueError(
                f"prediction_loss must be one of {', '.join(PREDICTION_LOSSES)}; given: {self.prediction_loss!r}"
            )
        if self.world_steps < 1 or min(self.batch, self.settle_updates, self.max_updates) < 1:
            raise ValueError(
                "world_steps, batch, settle_updates and max_updates must be at least 1; given: "
                f"{self.world_steps}, {self.batch}, {self.settle_updates}, {self.max_updates}"
            )
        if not 0 < self.accuracy <= 1 or self.learning_rate <= 0:
            raise ValueError(
                "accuracy must lie above 0 and be at most 1, and learning_rate be above 0; given: "
                f"{self.accuracy}, {self.learning_rate}"
            )

    def network(self, seed: int | None = None) -> Imaginer:
        """An untrained network, with the weights of `seed` (default: the config's own)."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed if seed is None else seed)
            return Imaginer.for_world(self.world, self.steps, **self.network_options())

    def network_options(self) -> dict[str, Any]:
        """The options of `Imaginer` that stand here."""
        return {name: getattr(self, name) for name in NETWORK_OPTIONS}

    def differs_from(self, other: "ImaginerConfig") -> dict[str, tuple[Any, Any]]:
        """Fields in which two configs differ, with both values."""
        pairs = {
            entry.name: (getattr(self, entry.name), getattr(other, entry.name)) for entry in fields(self)
        }
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
