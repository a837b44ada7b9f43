"""What Heist brings along: the entry of `procscope.envs.games`."""

import struct

from procscope.envs.games import Game
from procscope.envs.heist.labels import frame_columns, level_facts
from procscope.envs.heist.level import HeistLevel
from procscope.envs.heist.random_edits import RANDOM_EDITS
from procscope.envs.heist.records import GEM
from procscope.envs.heist.variants import VARIANTS, agent_anywhere, midway
from procscope.envs.state.batch import read_batch
from procscope.envs.state.layout import ENTITY_DTYPE
from procscope.envs.state.offsets import EPISODE_DTYPE, field_offset

SHOWN_GEM = 60
"""A type of entity that Heist has no rule for: it is drawn with its image, the gem's, and touched without effect."""


def without_ending(state: bytes, complete: bool) -> bytes:
    """A Heist state that plays on where the given one ends soon, by the gem (`complete`) or the timeout.

    Unlike keys and the maze's cheese, a gem that is reached is not taken away: the frame that the engine would have
    drawn has the agent over it. So it stays in the picture, as an entity of a type that nothing reacts to. For labels,
    which look at the type, there is no goal any more.
    """
    batch = read_batch([state])
    (at,) = batch.offsets
    changed = bytearray(state)
    timeout = at.episode + field_offset(EPISODE_DTYPE, "timeout")
    struct.pack_into("<i", changed, timeout, int(batch.timeout[0]) + 1)
    if complete:
        first = at.entities + field_offset(ENTITY_DTYPE, "type")
        for kind in range(first, at.scene, ENTITY_DTYPE.itemsize):
            if struct.unpack_from("<i", changed, kind)[0] == GEM:
                struct.pack_into("<i", changed, kind, SHOWN_GEM)
    return bytes(changed)


GAME = Game(
    name="heist",
    level_type=HeistLevel,
    variants=VARIANTS,
    placements={"anywhere": agent_anywhere, "midway": midway},
    random_edits=RANDOM_EDITS,
    level_facts=level_facts,
    frame_columns=frame_columns,
    without_ending=without_ending,
)
