"""Train a network on dots and distances, in a directory that a stopped run goes on from.

    trained = train_dots(DotsTraining(task="distance", width=1 / 8, side=32, pictures=50_000, epochs=10), directory)
    trained.network, trained.test_loss, trained.guess_loss

Regression of the mean distance (MSE), or classification of whether it is below the cut-off (cross-entropy). Adam with
0.001, batches of 128. Pictures are drawn anew whenever they are needed; those of an epoch come in an order that depends
on the seed and the epoch. Work is committed after every `POOL` pictures.

Source: dissertation, section 5.9. Cost on one core (AVX2): 43 minutes for 500,000 pictures (50,000 x 10 epochs) of 32 x
32 at width 1/8; the multiplications alone need 30 at the processor's peak.

Axes: `block` of 1,000 pictures.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from procscope.agents.run_state import (
    RunState,
    optimiser_tensors,
    read_state,
    restore_optimiser,
    table_of,
    write_state,
)
from procscope.rewardnets.dots import BLOCK, CUT_OFF, DotPictures, dots_of_block
from procscope.rewardnets.dots_network import DotsNetwork
from procscope.workbench.memory import keep_freed_memory

Task = Literal["distance", "below-cut-off"]

POOL = 10 * BLOCK
"""Pictures that are mixed before they are cut into batches, and between two commits."""
_TRAIN, _TEST, _PROBE, _ORDER = range(4)


@dataclass(frozen=True)
class DotsTraining:
    """How a network is trained; the defaults are the dissertation's first network."""

    task: Task = "distance"
    pictures: int = 900_000
    """Of an epoch, the same ones in each; a multiple of 1,000."""
    epochs: int = 50
    side: int = 64
    """Of the pictures, in pixels."""
    width: float = 1.0
    test_pictures: int = 100_000
    """A multiple of 1,000."""
    batch: int = 128
    learning_rate: float = 1e-3
    seed: int = 0
    """Of the weights, the order, and all pictures."""
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.task not in get_args(Task):
            raise ValueError(f"expected a task of {', '.join(get_args(Task))}; given {self.task!r}")
        counts = (self.pictures, self.test_pictures)
        if min(counts) < BLOCK or any(count % BLOCK for count in counts):
            raise ValueError(
                f"pictures and test_pictures must be multiples of {BLOCK}, at least one; given {counts[0]}, {counts[1]}"
            )
        if self.epochs < 1 or self.batch < 1 or self.learning_rate <= 0:
            raise ValueError(
                "expected at least one epoch, a batch of at least one and a learning rate above 0; given "
                f"{self.epochs}, {self.batch}, {self.learning_rate}"
            )


class TrainedDots(NamedTuple):
    """A finished network and how well it does."""

    network: DotsNetwork
    test_losses: Float64[np.ndarray, " block"]
    """Mean loss of each block of test pictures."""
    guess_losses: Float64[np.ndarray, " block"]
    """Of always telling the mean label of all test pictures, or the share of them below the cut-off."""
    train_losses: list[float]
    """Mean over each pool of pictures, as it was trained on."""

    @property
    def test_loss(self) -> float:
        """Mean over all test pictures."""
        return float(self.test_losses.mean())

    @property
    def guess_loss(self) -> float:
        """The same of guessing."""
        return float(self.guess_losses.mean())


def train_dots(config: DotsTraining, directory: Path, progress: str = "") -> TrainedDots:
    """Train, or go on training, in `directory`. Raises ValueError: it holds a run with another config."""
    keep_freed_memory()
    directory.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        network = DotsNetwork(config.width).to(config.device)
    optimiser = torch.optim.Adam(network.parameters(), config.learning_rate, fused=True)
    losses: list[float] = []
    state = read_state(directory, config, may_differ=("device",))
    if state is not None:
        network.load_state_dict(state.under("network"))
        restore_optimiser(optimiser, state.under("optimiser"))
        losses = state.tensors["training.losses"].tolist()
    pools = -(-config.pictures // POOL)
    bar = tqdm(
        total=config.pictures * config.epochs,
        initial=min(len(losses) * POOL, config.pictures * config.epochs),
        unit="picture",
        unit_scale=True,
        desc=progress,
        disable=None if progress else True,
    )
    with bar:
        for number in range(len(losses), pools * config.epochs):
            losses.append(_train_pool(network, optimiser, config, *divmod(number, pools), bar))
            tensors = {
                "network": network.state_dict(),
                "optimiser": optimiser_tensors(optimiser),
                "training": {"losses": torch.tensor(losses, dtype=torch.float64)},
            }
            write_state(directory, config, RunState(table_of(tensors), {}))
    return TrainedDots(network, *_test(network, config), losses)


def probe_blocks(config: DotsTraining, count: int) -> Iterator[DotPictures]:
    """Fresh pictures to probe with, of the training's side: never trained or tested on.

    Raises ValueError: a count that is no multiple of 1,000.
    """
    if count < BLOCK or count % BLOCK:
        raise ValueError(f"expected a number of pictures that is a multiple of {BLOCK}; given {count}")
    for block in range(count // BLOCK):
        yield dots_of_block(_seed(config, _PROBE), block, config.side)


def _train_pool(
    network: DotsNetwork,
    optimiser: torch.optim.Optimizer,
    config: DotsTraining,
    epoch: int,
    pool: int,
    bar: "tqdm",
) -> float:
    """One pool's updates; its mean loss."""
    order = np.random.default_rng([config.seed, _ORDER, epoch]).permutation(config.pictures // BLOCK)
    blocks = order[pool * POOL // BLOCK : (pool + 1) * POOL // BLOCK]
    drawn = [dots_of_block(_seed(config, _TRAIN), int(block), config.side) for block in blocks]
    pictures = torch.cat([torch.from_numpy(each.pictures) for each in drawn])
    labels = torch.cat([torch.from_numpy(each.labels) for each in drawn])
    generator = torch.Generator().manual_seed(
        int(np.random.default_rng([config.seed, epoch, pool]).integers(2**62))
    )
    network.train()
    total = torch.zeros((), device=config.device)
    for chosen in torch.randperm(len(labels), generator=generator).split(config.batch):
        loss = _losses(network, pictures[chosen], labels[chosen], config).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.detach() * len(chosen)
        bar.update(len(chosen))
    return float(total) / len(labels)


def _losses(network: DotsNetwork, pictures: Tensor, labels: Tensor, config: DotsTraining) -> Tensor:
    value = network(pictures.to(config.device)).value
    labels = labels.to(config.device)
    if config.task == "distance":
        return (value - labels).square()
    return F.binary_cross_entropy_with_logits(value, (labels < CUT_OFF).float(), reduction="none")


@torch.no_grad()
def _test(
    network: DotsNetwork, config: DotsTraining
) -> tuple[Float64[np.ndarray, " block"], Float64[np.ndarray, " block"]]:
    """Losses of the network and of guessing, block by block."""
    network.eval()
    losses, labels = [], []
    for block in range(config.test_pictures // BLOCK):
        drawn = dots_of_block(_seed(config, _TEST), block, config.side)
        kept = torch.from_numpy(drawn.labels)
        losses.append(_losses(network, torch.from_numpy(drawn.pictures), kept, config).cpu())
        labels.append(kept)
    label = torch.stack(labels).double()
    if config.task == "distance":
        guesses = (label - label.mean()).square()
    else:
        below = (label < CUT_OFF).double()
        guesses = F.binary_cross_entropy(below.mean().expand_as(below), below, reduction="none")
    return torch.stack(losses).double().mean(dim=1).numpy(), guesses.mean(dim=1).numpy()


def _seed(config: DotsTraining, use: int) -> int:
    """Of the pictures for one use."""
    return 4 * config.seed + use
