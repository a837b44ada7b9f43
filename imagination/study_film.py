"""A film of a studied network: true sequences beside what its own and its adversarial decoder show of them.

When: in reports, `study_film(members, results, trainings, sequences)` after `network_study.study_network` of a table's
row. In mazes the walls are shaded.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from procscope.imagination.maze_flood import MazeFlood
from procscope.imagination.network_study import StudyMember, decoder_of, measured_rollouts, network_of
from procscope.imagination.sequence_film import FilmRow, sequence_gif
from procscope.imagination.shown_sequences import shown


def study_film(
    members: Sequence[StudyMember], results: Sequence[dict[str, Any]], trainings: Path, sequences: int
) -> bytes | None:
    """The GIF of the first member that counts, on the first of its measured sequences; None where none counts."""
    counting = [member for member, result in zip(members, results, strict=True) if result["counts"]]
    if not counting:
        return None
    member = counting[0]
    trained, world = network_of(member.training, trainings), member.training.world
    rollouts = measured_rollouts(member).part(slice(0, sequences))
    decoders = {"own decoder": None, "adversarial": decoder_of(trained, member.stage, trainings)}
    pictures = [shown(trained.network, rollouts, world.levels, decoder) for decoder in decoders.values()]
    rows = [
        FilmRow(true, [picture[index] for picture in pictures])
        for index, true in enumerate(rollouts.states.numpy())
    ]
    walls = rollouts.inputs[:, 1].numpy() == 0 if isinstance(world, MazeFlood) else None
    return sequence_gif(rows, list(decoders), world.levels, member.agreement, walls)
