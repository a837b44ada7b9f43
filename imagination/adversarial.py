"""The adversarial stage: a decoder learns to make what it shows of states between look like states of the world.

When: after a training, with `adversarial_decoder(trained, stage)`. Encoder and core stay as they are; a new decoder
learns, first by the losses that the network's own was trained with, then also by a discriminator that tells real
states from decoded ones. Nobody tells it the true states between: it may as well show a wrong one that looks real.

`fool` is the same for any network: it takes batches of states, those that the decoder is taught to show and those
that it is not.

Source: S2.model, adversarial decoder training. What it leaves open follows the authors' code where that says it
(github.com/wichersn/visualize-nn-imagination): a decoder begun anew and taught alone at first, losses of equal weight,
Adam with a rate of 0.001 on both sides, the discriminator. Its loss is the non-saturating one of Goodfellow et al. 2014
(arXiv:1406.2661); the moments (0.5, 0.999) are those of Radford et al. 2016 (arXiv:1511.06434); the real states are
those of other sequences, at any time.

Cost: about 10 ms an update on one core. Axes: `imagined` the core's states between the first and the last.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from procscope.imagination.discriminator import Discriminator
from procscope.imagination.network import Decoder, Imaginer
from procscope.imagination.trainer import board_generator, prediction_loss
from procscope.imagination.training import TrainedImaginer
from procscope.imagination.training_config import ImaginerConfig
from procscope.imagination.worlds import Rollouts

_STREAM = 10
"""Of boards; the training's are 0 to 2."""
_POOL = 64
"""Updates whose boards are made at once."""
_MOMENTS = (0.5, 0.999)


@dataclass(frozen=True)
class AdversarialConfig:
    """Everything beside the trained network that the new decoder depends on."""

    updates: int = 2000
    """Of the decoder."""
    alone_share: float = 1 / 3
    """Share of them, the first, that the decoder learns without a discriminator; in the others both learn in turn."""
    batch: int = 16
    """Sequences for each update; as many decoded states of each step, and as many real ones."""
    learning_rate: float = 1e-3
    """Of both sides."""
    seed: int = 0
    version: int = 2


class Taught(NamedTuple):
    """States that the decoder is taught to show, and what it is to show."""

    states: Float[Tensor, "batch channel row col"]
    target: Float[Tensor, "batch row col"]
    kind: str
    """The loss: one of `PREDICTION_LOSSES`; or "cell", for states of one cell: the cross-entropy of which it is."""

    def loss(self, decoder: Decoder) -> Tensor:
        """How far the decoder is from it."""
        values = decoder(self.states)
        if self.kind == "cell":
            return F.cross_entropy(values.flatten(1), self.target.flatten(1).argmax(1))
        return prediction_loss(values, self.target, self.kind)


class StageBatch(NamedTuple):
    """What one update of both sides sees."""

    taught: list[Taught]
    unseen: list[Float[Tensor, "batch channel row col"]]
    """States of which the decoder is only to show something that looks real."""
    real: Float[Tensor, "real row col"]
    """True states, 0 to 1, of other sequences."""
    given: Float[Tensor, "batch given row col"]
    """What decoded states are shown with (no channels in the Game of Life)."""
    given_with_real: Float[Tensor, "real given row col"]


def adversarial_decoder(trained: TrainedImaginer, stage: AdversarialConfig) -> Decoder:
    """A new decoder after the stage. The autoencoder's loss counts where the training had it."""
    config = trained.config
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stage.seed)
        decoder = new_decoder(trained)
        discriminator = Discriminator(config.world.side, config.world.channels - 1)
        fool(decoder, discriminator, stage_batches(trained.network, config, stage), stage)
    return decoder


def new_decoder(trained: TrainedImaginer) -> Decoder:
    """An untrained decoder of the form of the network's own."""
    config = trained.config
    return Decoder(config.width, config.decoder_layers, config.kernel, config.world.border)


def stage_batches(
    network: Imaginer, config: ImaginerConfig, stage: AdversarialConfig
) -> Iterator[StageBatch]:
    """Batches from fresh sequences, `stage.updates` of them; boards and states are made a pool at a time."""
    levels, size = config.world.levels, stage.batch
    for number in range(-(-stage.updates // _POOL)):
        generator = board_generator(stage.seed, _STREAM, number)
        pools = [
            config.world.rollouts(_POOL * each, config.world_steps, generator)
            for each in (size, size * (config.steps - 1))
        ]
        with torch.no_grad():
            encoded = network.encode(pools[0].inputs)
            states = network.roll(encoded)
        for place in range(min(_POOL, stage.updates - number * _POOL)):
            part = slice(place * size, (place + 1) * size)
            fresh = pools[0].part(part)
            others = pools[1].part(
                slice(place * size * (config.steps - 1), (place + 1) * size * (config.steps - 1))
            )
            taught = [Taught(states[-1][part], fresh.targets(levels), config.prediction_loss)]
            if config.autoencoder:
                taught.append(Taught(encoded[part], fresh.inputs[:, 0], "squared"))
            yield StageBatch(
                taught,
                [state[part] for state in states[:-1]],
                _any_state(others, levels, generator),
                fresh.inputs[:, 1:],
                others.inputs[:, 1:],
            )


def fool(
    decoder: Decoder,
    discriminator: Discriminator,
    batches: Iterator[StageBatch],
    stage: AdversarialConfig,
    as_boards: Callable[[Tensor], Tensor] = lambda values: values,
) -> None:
    """Train the decoder, and both against each other, in place. The discriminator's dropout is PyTorch's own chance.

    Args:
        as_boards: turns what the decoder gives into cells of 0 to 1, where it gives something else.
    """
    alone = round(stage.alone_share * stage.updates)
    decoding = torch.optim.Adam(decoder.parameters(), stage.learning_rate, betas=_MOMENTS, fused=True)
    telling = torch.optim.Adam(discriminator.parameters(), stage.learning_rate, betas=_MOMENTS, fused=True)
    for number, batch in enumerate(batches):
        taught = torch.stack([part.loss(decoder) for part in batch.taught]).sum()
        decoding.zero_grad()
        if number < alone:
            taught.backward()
            decoding.step()
            continue
        decoded = as_boards(torch.cat([decoder(states) for states in batch.unseen]))
        fakes = torch.cat([decoded[:, None], batch.given.repeat(len(batch.unseen), 1, 1, 1)], 1)
        reals = torch.cat([batch.real[:, None], batch.given_with_real], 1)

        told_apart = (
            F.softplus(-discriminator(reals)).mean() + F.softplus(discriminator(fakes.detach())).mean()
        )
        telling.zero_grad()
        told_apart.backward()
        telling.step()

        loss = F.softplus(-discriminator(fakes)).mean() + taught
        # Without gradients of the discriminator, which would take a third of the time.
        loss.backward(inputs=list(decoder.parameters()))
        decoding.step()


def _any_state(
    rollouts: Rollouts, levels: int, generator: torch.Generator
) -> Float[Tensor, "sequence row col"]:
    """A state of each sequence, at a random time."""
    n, times = rollouts.states.shape[:2]
    drawn = torch.randint(times, (n,), generator=generator)
    return rollouts.states[torch.arange(n), drawn].float() / (levels - 1)
