"""Imitation of the search: routes are played again frame for frame, and their actions lead to the coin."""

import numpy as np
import pytest
from coinrun_rounds import RIGHT, check_recall, check_sizes, small_config, two_rounds
from fixed_policy import FixedPolicy

from procscope.agents.experts.engine_search import Plan
from procscope.agents.imitation import search_source
from procscope.agents.imitation.config import ImitationConfig
from procscope.agents.imitation.routes import NO_LABEL
from procscope.agents.imitation.search_source import SearchSource
from procscope.envs.engine import Engine, EngineOptions

CONFIG = small_config(round_frames=256, batch_size=64, own_games=4)


@pytest.fixture(scope="module", autouse=True)
def _few_roots():
    """Plans are asked for eight at a time, so that a round is a matter of seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_source, "ROOTS_AT_ONCE", 8)
        yield


@pytest.fixture(scope="module")
def rounds():
    played = two_rounds(SearchSource(CONFIG))
    yield played
    played.source.close()


@pytest.mark.slow
def test_a_round_has_as_many_samples_as_asked_for(rounds):
    check_sizes(rounds, 256)


@pytest.mark.slow
def test_every_route_ends_at_the_coin_with_its_last_action(rounds):
    source, _, (_, routes) = rounds
    starts = source._games.states_of(routes.variant_seeds, routes.level_seeds)
    engine = Engine(EngineOptions("coinrun", num_threads=1, paint_vel_info=True))
    ends = routes.lengths.cumsum()
    for route in range(0, len(starts), 3):
        engine.set_states([starts[route]])
        actions = routes.actions[ends[route] - routes.lengths[route] : ends[route]]
        for step, action in enumerate(actions, start=1):
            engine.act(np.array([int(action)]))
            assert engine.first[0] == (step == len(actions))
        assert engine.ended_complete[0]
    engine.close()


@pytest.mark.slow
def test_a_replayed_frame_is_the_one_that_play_shows(rounds):
    source, _, (_, routes) = rounds
    chosen = routes.take(np.array([0, len(routes.lengths) - 1]))
    samples = source._games.draw(chosen)
    assert len(samples.actions) == chosen.labelled.sum()
    engine = Engine(EngineOptions("coinrun", num_threads=1, paint_vel_info=True))
    at, begin = 0, 0
    for route, state in enumerate(source._games.states_of(chosen.variant_seeds, chosen.level_seeds)):
        engine.set_states([state])
        for step in range(chosen.lengths[route]):
            action = int(chosen.actions[begin + step])
            if chosen.labels[begin + step] != NO_LABEL:
                assert np.array_equal(samples.frames[at], engine.frames[0])
                assert samples.actions[at] == action
                assert samples.steps_to_goal[at] == chosen.lengths[route] - step
                at += 1
            engine.act(np.array([action]))
        begin += chosen.lengths[route]
    assert at == len(samples.actions)
    engine.close()


@pytest.mark.slow
def test_own_routes_begin_with_what_the_network_plays(rounds):
    _, (_, before), (_, routes) = rounds
    own = routes.take(np.arange(len(before.lengths), len(routes.lengths)))
    asked = own.lengths - own.labelled
    begins = own.lengths.cumsum() - own.lengths
    played = [own.actions[b : b + n] for b, n in zip(begins, asked, strict=True) if n]
    assert sum((actions == RIGHT).all() for actions in played) > len(played) / 4, "the others were disturbed"


@pytest.mark.slow
def test_what_is_remembered_makes_the_same_rounds(rounds):
    check_recall(SearchSource(CONFIG), rounds)


def test_levels_that_cannot_be_solved_are_refused(monkeypatch):
    source, nothing = SearchSource(CONFIG), np.zeros(0, np.int64)
    monkeypatch.setattr(
        source, "_fresh_and_disturbed", lambda seed, rng: ([1], [nothing], [Plan(nothing, False)])
    )
    with pytest.raises(ValueError, match="expected levels that can be solved"):
        source.samples(0, FixedPolicy(RIGHT))
    source.close()


def test_too_much_is_refused():
    with pytest.raises(ValueError, match="engine_options are of"):
        ImitationConfig(game="coinrun", engine_options={"num_threads": 3})
