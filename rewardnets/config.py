"""What a training of a reward network depends on: the options of `training.py` and `procscope train reward`."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RewardConfig:
    """A reward network trained on transitions. Defaults without a word are the dissertation's (section 5.3)."""

    data_hash: str = ""
    """SHA-256 of the transitions' contents."""
    network_options: dict[str, Any] = field(default_factory=dict)
    """Of `RewardNetwork`: width, inputs, per_action, shrink."""
    epochs: int = 15
    """Times that every training transition is seen, at most."""
    patience: int | None = None
    """Stop when the validation loss has not fallen for so many epochs, and keep the best epoch's weights; None goes on
    to the end and keeps the last ones, as the dissertation did."""
    batch_size: int = 128
    """Transitions of an optimiser step."""
    learning_rate: float = 1e-3
    """Adam's, constant."""
    seed: int = 0
    """Of the initial weights and the order of the transitions."""
    threads: int = 1
    """Threads of torch. Sums in another order round differently, so another number gives another network."""
    device: str = "cpu"
    """Of the network."""

    def __post_init__(self) -> None:
        numbers = (self.epochs, self.batch_size, self.threads)
        if min(numbers) < 1 or (self.patience is not None and self.patience < 1):
            raise ValueError(
                "expected at least 1 of epochs, batch_size, threads and, where it is given, patience; given "
                f"{self.epochs}, {self.batch_size}, {self.threads}, {self.patience}"
            )
        if self.learning_rate <= 0:
            raise ValueError(f"expected a learning rate above 0; given {self.learning_rate}")
