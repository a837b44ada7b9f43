"""IMPALA has moved to `procscope.agents.networks.impala`; this name of it goes once nothing imports it."""

from procscope.agents.networks.impala import Impala
from procscope.agents.networks.outputs import PolicyOutput

__all__ = ["Impala", "PolicyOutput"]
