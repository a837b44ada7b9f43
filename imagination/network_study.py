"""One trained network from beginning to end: trained, given an adversarial decoder, measured with both decoders.

When: as a member of a table: `study_network(member, trainings)` returns what JSON holds. What it trains is kept under
`trainings`, one directory for each config, so that another experiment takes up the same networks, and a training that
was killed goes on.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save

from procscope.imagination.adversarial import AdversarialConfig, adversarial_decoder, new_decoder
from procscope.imagination.evaluation import Evaluation, evaluation_of, imagined_by
from procscope.imagination.floors import floors
from procscope.imagination.learning_order import first_updates
from procscope.imagination.network import Decoder
from procscope.imagination.score import AGREEMENT
from procscope.imagination.trainer import board_generator
from procscope.imagination.training import TrainedImaginer, trained_imaginer
from procscope.imagination.training_config import ImaginerConfig
from procscope.imagination.worlds import Rollouts
from procscope.workbench.atomic import write_bytes_atomically
from procscope.workbench.members import member_key

_STREAM = 20
"""Of the boards on which networks are measured."""


@dataclass(frozen=True)
class StudyMember:
    """Everything that a network's numbers depend on."""

    training: ImaginerConfig = field(default_factory=ImaginerConfig)
    stage: AdversarialConfig = field(default_factory=AdversarialConfig)
    sequences: int = 10_000
    """On which it is measured (S2.metric)."""
    boards_seed: int = 0
    """Of those; the same for all networks of a table."""
    agreement: float = AGREEMENT
    """Share of equal cells from which on two states match."""
    version: int = 1


def study_network(member: StudyMember, trainings: Path, progress: str = "") -> dict[str, Any]:
    """Train and measure. A network that did not reach its accuracy is not measured: "plain" is None then."""
    trained = network_of(member.training, trainings, progress)
    found: dict[str, Any] = {
        "accuracy": trained.accuracy,
        "counts": trained.counts,
        "updates": trained.updates,
        "seconds": trained.seconds,
        "share_for_boards": trained.share_for_boards,
        "weights_hash": trained.weights_hash,
        "reached_98": first_updates(trained.curve),
        "curve": trained.curve.tolist(),
        "plain": None,
    }
    if not trained.counts:
        return found
    rollouts = measured_rollouts(member)
    levels = member.training.world.levels
    decoder = decoder_of(trained, member.stage, trainings)
    imagined = imagined_by(trained.network, rollouts, levels, [trained.network.decoder, decoder])
    for name, codes in zip(("plain", "adversarial"), imagined, strict=True):
        found[name] = _plain(evaluation_of(codes, rollouts, member.agreement))
    found["floors"] = {
        floor.name: [float(floor.scores.literal.mean()), float(floor.scores.one_to_one.mean())]
        for floor in floors(member.training, rollouts, member.agreement, seed=member.training.seed)
    }
    return found


def network_of(config: ImaginerConfig, trainings: Path, progress: str = "") -> TrainedImaginer:
    """The network with this config, trained under `trainings` if it is not yet."""
    return trained_imaginer(config, trainings / member_key(config), progress)


def decoder_of(trained: TrainedImaginer, stage: AdversarialConfig, trainings: Path) -> Decoder:
    """The adversarial decoder of a network, made and kept beside it if it is not there yet."""
    path = trainings / member_key(trained.config) / f"decoder-{member_key(stage)}.safetensors"
    if not path.exists():
        decoder = adversarial_decoder(trained, stage)
        write_bytes_atomically(path, save({name: t.contiguous() for name, t in decoder.state_dict().items()}))
    decoder = new_decoder(trained)
    decoder.load_state_dict(load_file(path))
    return decoder


def measured_rollouts(member: StudyMember) -> Rollouts:
    """The sequences on which the member is measured."""
    config = member.training
    generator = board_generator(member.boards_seed, _STREAM, 0)
    return config.world.held_out().rollouts(member.sequences, config.world_steps, generator)


def _plain(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "literal": evaluation.literal,
        "one_to_one": evaluation.one_to_one,
        "matches": evaluation.matches.tolist(),
        "likeness": evaluation.likeness.tolist(),
    }
