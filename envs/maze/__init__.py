"""The maze: levels as values (`level.py`), their variants, their labels, and what the engine's bytes say of them."""

from procscope.envs.maze.level import MazeLevel

__all__ = ["MazeLevel"]
