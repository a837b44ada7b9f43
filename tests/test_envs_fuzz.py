"""Random edits of states against the engine itself, in child processes that take hundreds of edits each.

A good edit must be accepted and then played: put in, given back unchanged, stepped 50 times, read, reset, stepped
again. A bad one must be refused. A wild one, or damaged bytes, may be either, but what is accepted must be played
too. A child that dies fails the test, and hypothesis shrinks the edit to the simplest that kills it.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from engine_child import EngineChild, Played
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import bad_edits, corruptions, good_edits, live_states, wild_edits

from procscope.envs.state import EngineState
from procscope.envs.state.checks import checked, validate

STEPS = 50
QUICK = {("maze", "easy"): 200, ("maze", "memory"): 40, ("heist", "easy"): 60, ("coinrun", "easy"): 60}
SLOW = {
    ("maze", "easy"): 10_000,
    ("maze", "hard"): 1000,
    ("maze", "memory"): 1000,
    ("heist", "easy"): 2000,
    ("heist", "memory"): 1000,
    ("coinrun", "easy"): 2000,
    ("coinrun", "hard"): 2000,
}


def _undrawn(raw: bytes) -> EngineState:
    """The state without what drawing a picture rewrites in it."""
    state = EngineState.parse(raw)
    return state.replace(
        scene=replace(state.scene, center_x=0.0, center_y=0.0),
        view=replace(state.view, unit=0.0, view_dim=0.0, x_off=0.0, y_off=0.0, visibility=0.0),
    )


def _accepted(raw: bytes) -> bytes | None:
    try:
        return checked(EngineState.parse(raw))
    except ValueError:
        return None


def _fuzz(game: str, mode: str, examples: int) -> Counter[str]:
    child = EngineChild(game, mode)
    outcomes: Counter[str] = Counter()

    def play(raw: bytes, seed: int) -> Played:
        played = child.play(raw, np.random.default_rng(seed).integers(0, 15, STEPS).tolist())
        assert _undrawn(played.given_back) == _undrawn(raw), "the engine changed what was written"
        for after in map(EngineState.parse, (played.after_steps, played.after_reset)):
            if game == "maze":
                validate(after)
            else:
                # Put inside a wall at the edge, the agent may be pushed out of the world: the episode ends by itself.
                assert np.count_nonzero(after.entities["type"] == 0) == 1
                assert not after.entities["will_erase"][after.agent_index]
        return played

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(data=st.data(), kind=st.sampled_from(("good", "good", "bad", "wild", "bytes")))
    def run(data: st.DataObject, kind: str) -> None:
        state = data.draw(live_states(game, mode))
        if kind == "bad":
            edit = data.draw(bad_edits(game))
            with pytest.raises(ValueError, match="expected"):
                checked(edit.apply(state))
            outcomes["bad refused"] += 1
            return
        if kind == "good":
            for edit in data.draw(good_edits(game)):
                state = edit.apply(state)
            raw: bytes | None = checked(state)
        elif kind == "wild":
            edit = data.draw(wild_edits(state))
            try:
                raw = checked(edit.apply(state))
            except ValueError:
                raw = None
        else:
            raw = _accepted(data.draw(corruptions(state.serialise())))
        outcomes[f"{kind} {'refused' if raw is None else 'played'}"] += 1
        if raw is not None:
            play(raw, data.draw(st.integers(0, 999)))

    try:
        run()
    finally:
        child.close()
    return outcomes


def _assert_enough(outcomes: Counter[str], examples: int) -> None:
    played = sum(count for name, count in outcomes.items() if name.endswith("played"))
    assert outcomes.total() >= examples
    assert played >= outcomes.total() / 3, outcomes
    assert outcomes["bad refused"] > 0, outcomes


@pytest.mark.parametrize(("game", "mode"), QUICK)
def test_random_edits_never_end_the_engine(game: str, mode: str) -> None:
    examples = QUICK[game, mode]
    _assert_enough(_fuzz(game, mode, examples), examples)


@pytest.mark.slow
@pytest.mark.parametrize(("game", "mode"), SLOW)
def test_many_random_edits_never_end_the_engine(game: str, mode: str) -> None:
    examples = SLOW[game, mode]
    _assert_enough(_fuzz(game, mode, examples), examples)
