"""Which source teaches which game."""

from procscope.agents.imitation.coinrun_source import CoinRunSource
from procscope.agents.imitation.config import ImitationConfig
from procscope.agents.imitation.maze_source import MazeSource
from procscope.agents.imitation.play_source import PlaySource
from procscope.agents.imitation.samples import Source
from procscope.agents.imitation.search_source import SearchSource

METHODS = {
    "maze": "imitation of shortest paths with DAgger",
    "heist": "imitation of a planner of keys and locks with DAgger",
    "coinrun": "imitation of a search in the engine with DAgger",
}
"""What a checkpoint's header says of the training."""


def make_source(config: ImitationConfig, workers: int = 1) -> Source:
    """The source of the config's game. `workers` processes plan, where planning is much work."""
    if config.game == "maze":
        return MazeSource(config)
    if config.game == "heist":
        return PlaySource(config)
    if config.mode == "easy":
        return CoinRunSource(config, workers)
    return SearchSource(config, workers)
