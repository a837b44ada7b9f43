"""What CoinRun brings along: the entry of `procscope.envs.games`."""

from procscope.envs.coinrun.labels import frame_columns, level_facts
from procscope.envs.coinrun.last_step import as_left, without_ending
from procscope.envs.coinrun.level import CoinRunLevel
from procscope.envs.coinrun.random_edits import RANDOM_EDITS
from procscope.envs.coinrun.variants import VARIANTS, agent_anywhere
from procscope.envs.games import Game

GAME = Game(
    name="coinrun",
    level_type=CoinRunLevel,
    variants=VARIANTS,
    placements={"anywhere": agent_anywhere},
    random_edits=RANDOM_EDITS,
    level_facts=level_facts,
    frame_columns=frame_columns,
    without_ending=without_ending,
    as_left=as_left,
)
