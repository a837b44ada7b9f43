"""The rows of `life-imagination`: which networks are trained on which sequences, and how many of each at each scale."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from procscope.imagination.adversarial import AdversarialConfig
from procscope.imagination.growing_picture import GrowingPicture
from procscope.imagination.network_study import StudyMember
from procscope.imagination.training_config import PUBLISHED_BOARDS, ImaginerConfig


class Row(NamedTuple):
    """One kind of network."""

    name: str
    """Under which its numbers are recorded (`where = {row = ...}`)."""
    changes: dict[str, Any]
    """Of `ImaginerConfig`: from three steps of world and core, an autoencoder's loss and shared weights."""
    published: float | None = None
    """The mean metric of the text's tables 1 and 2."""


ROWS = (
    Row("2 steps", {"world_steps": 2, "steps": 2}, 1.00),
    Row("3 steps", {}, 0.99),
    Row("4 steps", {"world_steps": 4, "steps": 4}, 0.93),
    Row("3 steps, no autoencoder", {"autoencoder": False}, 0.56),
    Row("3 steps, weights not shared", {"shared": False}, 0.40),
    Row("2 life steps, 3 model steps", {"world_steps": 2, "steps": 3}, 0.73),
    Row("3 life steps, 2 model steps", {"world_steps": 3, "steps": 2}, 0.74),
    Row("3 steps, 40 channels", {"width": 40}),
    Row("3 steps, 80 channels", {"width": 80}),
    Row("3 steps, 3 layers in encoder and decoder", {"encoder_layers": 3, "decoder_layers": 3}),
)
"""Tables 1 to 3 (which share their rows), then width and depth."""

ALTERNATIVES = (
    Row("2 steps, core does not add", {"world_steps": 2, "steps": 2, "residual": False}),
    Row("2 steps, cross-entropy", {"world_steps": 2, "steps": 2, "prediction_loss": "cross-entropy"}),
    Row("2 steps, 2 layers a step", {"world_steps": 2, "steps": 2, "block_layers": 2}),
    Row(
        "2 steps, all boards fresh",
        {"world_steps": 2, "steps": 2, "world": replace(PUBLISHED_BOARDS, evolved_share=0.0)},
    ),
)
"""What the text leaves open, chosen otherwise: these ask for by name (`--rows`)."""

GROWING = Row("growing a picture", {"world": GrowingPicture(), "world_steps": 4, "steps": 4})
"""Our own: a picture that is to be reached, with no rule given."""

_KNOWN = {row.name: row for row in (*ROWS, GROWING, *ALTERNATIVES)}


@dataclass(frozen=True)
class Config:
    """Settings of `life-imagination`; the defaults are those of the small scale."""

    rows: tuple[str, ...] = tuple(row.name for row in (*ROWS, GROWING))
    """Names of `ROWS`, `GROWING` and `ALTERNATIVES`."""
    runs: int = 1
    """Networks of each row, with seeds 0, 1, ..."""
    width: int = 20
    """Channels, where the row does not say otherwise."""
    learning_rate: float = 5e-3
    batch: int = 8
    """Boards for each update of a training."""
    accuracy: float = 0.99
    """Share of the last state's cells that must be right for a network to count."""
    settle_updates: int = 500
    """Updates after that is reached."""
    max_updates: int = 20_000
    adversarial_updates: int = 2000
    adversarial_batch: int = 16
    sequences: int = 10_000
    """On which each network is measured; the text's number."""
    filmed: int = 4
    """Sequences in each animated picture."""
    workers: int = 2
    """Networks trained side by side, one core each."""
    backend: str = "processes"
    """"processes" on this machine, or "ray" on a Ray cluster whose machines share the output directory."""

    def __post_init__(self) -> None:
        if unknown := [name for name in self.rows if name not in _KNOWN]:
            raise ValueError(f"unknown rows: {', '.join(unknown)}. Rows: {'; '.join(_KNOWN)}")
        if self.runs < 1 or self.sequences < 1:
            raise ValueError(f"runs and sequences must be at least 1; given: {self.runs}, {self.sequences}")

    def chosen(self) -> list[Row]:
        """The rows that are asked for."""
        return [row for name, row in _KNOWN.items() if name in self.rows]

    def training(self, row: Row, seed: int) -> ImaginerConfig:
        """How a network of the row is trained."""
        shared = {
            "width": self.width,
            "learning_rate": self.learning_rate,
            "batch": self.batch,
            "accuracy": self.accuracy,
            "settle_updates": self.settle_updates,
            "max_updates": self.max_updates,
        }
        return ImaginerConfig(**(shared | row.changes), seed=seed)

    def members(self, row: Row, seed: int) -> list[StudyMember]:
        """A row's networks; `seed` is the run's."""
        return [
            StudyMember(
                self.training(row, 1000 * seed + number),
                AdversarialConfig(
                    self.adversarial_updates, batch=self.adversarial_batch, seed=1000 * seed + number
                ),
                self.sequences,
                boards_seed=seed,
            )
            for number in range(self.runs)
        ]


SCALES = {
    "smoke": Config(
        rows=("3 steps", "3 steps, no autoencoder", "3 life steps, 2 model steps", GROWING.name),
        runs=2,
        width=8,
        accuracy=0.6,
        settle_updates=20,
        max_updates=100,
        adversarial_updates=10,
        adversarial_batch=4,
        sequences=200,
        filmed=2,
        workers=1,
    ),
    "small": Config(),
    "long": Config(runs=3),
    "paper": Config(runs=15),
}
"""The text has 6 to 42 networks a row; `paper` has as many in each as its learning order rests on."""
