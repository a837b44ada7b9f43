"""CoinRun: levels as values (`level.py`), their parts, variants, labels and scenes, and what the engine's bytes say."""

from procscope.envs.coinrun.level import CoinRunLevel

__all__ = ["CoinRunLevel"]
