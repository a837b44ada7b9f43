"""Random edits of levels of every game against the engine itself, in a child process: refused in Python, or played.

Whatever edits make of live levels must pass the validator, be given back by the engine as that level, and be played 50
steps, through a reset and on. A child that dies fails the test, and hypothesis shrinks the edits.
"""

import numpy as np
import pytest
from engine_child import EngineChild
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import LEVEL_EDITS, played_states

from procscope.envs.games import game
from procscope.envs.state import EngineState
from procscope.envs.state.checks import checked

STEPS = 50
MODES = {
    ("maze", "easy"): 1.0,
    ("maze", "memory"): 0.2,
    ("heist", "easy"): 1.0,
    ("heist", "memory"): 0.2,
    ("coinrun", "easy"): 0.5,
    ("coinrun", "hard"): 0.5,
}
"""Games and modes, and how many of the edits each gets."""


def _fuzz(name: str, mode: str, least_edits: int) -> None:
    child = EngineChild(name, mode)
    level_type = game(name).level_type
    outcomes = {"edited": 0, "refused": 0}

    @settings(
        max_examples=max(least_edits // 3, 1),  # of two to five edits each
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(
        raw=st.sampled_from(played_states(name, mode)),
        edits=st.lists(LEVEL_EDITS[name](), min_size=2, max_size=5),
        seed=st.integers(0, 999),
    )
    def run(raw: bytes, edits: list, seed: int) -> None:
        level = level_type.from_state(raw)
        for edit in edits:
            try:
                level = edit(level)
                outcomes["edited"] += 1
            except (ValueError, IndexError):
                outcomes["refused"] += 1
        state = level.to_state(raw)
        assert checked(EngineState.parse(state)) == state
        played = child.play(state, np.random.default_rng(seed).integers(0, 15, STEPS).tolist())
        assert level_type.from_state(played.given_back) == level
        assert np.count_nonzero(EngineState.parse(played.after_steps).entities["type"] == 0) == 1

    try:
        run()
    finally:
        child.close()
    assert sum(outcomes.values()) >= 0.6 * least_edits, outcomes
    assert min(outcomes.values()) > least_edits / 20, outcomes


@pytest.mark.parametrize(("name", "mode"), MODES)
def test_edited_levels_never_end_the_engine(name: str, mode: str) -> None:
    _fuzz(name, mode, int(80 * MODES[name, mode]))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "mode"), MODES)
def test_ten_thousand_edits_of_a_game_never_end_the_engine(name: str, mode: str) -> None:
    _fuzz(name, mode, int(12_000 * MODES[name, mode]))
