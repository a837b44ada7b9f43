"""Random edits of CoinRun levels against the engine itself, in a child process: refused in Python, or played.

Whatever `CoinRunLevel` makes of live levels by any edits must pass the validator, be given back by the engine
unchanged, and be played 50 steps, through a reset and on. A child that dies fails the test.
"""

import numpy as np
import pytest
from engine_child import EngineChild
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import coinrun_edits, played_states

from procscope.envs.coinrun import CoinRunLevel
from procscope.envs.state import EngineState
from procscope.envs.state.checks import checked

STEPS = 50


def _fuzz(mode: str, examples: int) -> None:
    child = EngineChild("coinrun", mode)
    outcomes = {"edited": 0, "refused": 0}

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(
        raw=st.sampled_from(played_states("coinrun", mode)),
        edits=st.lists(coinrun_edits(), min_size=1, max_size=5),
        seed=st.integers(0, 999),
    )
    def run(raw: bytes, edits: list, seed: int) -> None:
        level = CoinRunLevel.from_state(raw)
        for edit in edits:
            try:
                level = edit(level)
                outcomes["edited"] += 1
            except (ValueError, IndexError):
                outcomes["refused"] += 1
        state = level.to_state(raw)
        assert checked(EngineState.parse(state)) == state
        played = child.play(state, np.random.default_rng(seed).integers(0, 15, STEPS).tolist())
        assert CoinRunLevel.from_state(played.given_back) == level

    try:
        run()
    finally:
        child.close()
    assert outcomes["edited"] > examples
    assert outcomes["refused"] > 0


@pytest.mark.parametrize("mode", ["easy", "hard"])
def test_edited_levels_never_end_the_engine(mode: str) -> None:
    _fuzz(mode, 250)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["easy", "hard"])
def test_many_edited_levels_never_end_the_engine(mode: str) -> None:
    _fuzz(mode, 5000)
