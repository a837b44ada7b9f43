"""The engine's state: `EngineState` for one (`value.py`), arrays for many (`batch.py`, `write.py`)."""

from procscope.envs.state.value import EngineState

__all__ = ["EngineState"]
