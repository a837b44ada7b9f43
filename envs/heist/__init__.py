"""Heist: levels as values (`HeistLevel`), their variants and sweeps, and what is known of their frames."""

from procscope.envs.heist.level import HeistLevel

__all__ = ["HeistLevel"]
