"""Imitation of the search: routes are played again frame for frame, and their actions lead to the coin."""

import numpy as np
import pytest
from fixed_policy import FixedPolicy

from procscope.agents.experts.engine_search import Plan
from procscope.agents.imitation import search_source
from procscope.agents.imitation.config import ImitationConfig
from procscope.agents.imitation.routes import NO_LABEL, Routes
from procscope.agents.imitation.search_source import SearchSource
from procscope.envs.engine import Engine, EngineOptions

RIGHT = 7
CONFIG = ImitationConfig(
    game="coinrun",
    engine_options={"paint_vel_info": True},
    round_frames=256,
    batch_size=64,
    frames=1024,
    static_rounds=0.5,
    own_share=0.5,
    remembered_share=0.25,
    own_games=4,
)


@pytest.fixture(scope="module", autouse=True)
def _few_roots():
    """Plans are asked for eight at a time, so that a round is a matter of seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_source, "ROOTS_AT_ONCE", 8)
        yield


@pytest.fixture(scope="module")
def rounds():
    """A source, its first and third rounds' samples, and the routes after each."""
    source = SearchSource(CONFIG)
    network = FixedPolicy(RIGHT)
    first = source.samples(0, network), source.routes
    later = source.samples(2, network), source.routes
    yield source, first, later
    source.close()


def test_a_round_has_as_many_samples_as_asked_for(rounds):
    _, (first, routes), (later, more) = rounds
    assert len(first.own.actions) == 0
    assert len(first.others.actions) == 256
    assert len(later.own.actions) == 128
    assert len(later.others.actions) == 128
    assert len(more.lengths) > len(routes.lengths) > 0
    assert all(np.array_equal(a[: len(b)], b) for a, b in zip(more, routes, strict=True))
    for samples in (*first, *later):
        assert (samples.steps_to_goal >= 1).all()
        assert samples.frames.dtype == np.uint8


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


def test_own_routes_begin_with_what_the_network_plays(rounds):
    _, (_, before), (_, routes) = rounds
    own = routes.take(np.arange(len(before.lengths), len(routes.lengths)))
    asked = own.lengths - own.labelled
    begins = own.lengths.cumsum() - own.lengths
    played = [own.actions[b : b + n] for b, n in zip(begins, asked, strict=True) if n]
    assert sum((actions == RIGHT).all() for actions in played) > len(played) / 4, "the others were disturbed"


def test_what_is_remembered_makes_the_same_rounds(rounds):
    source, (_, routes), (later, _) = rounds
    again = SearchSource(CONFIG)
    again.recall({name: np.array(column) for name, column in routes._asdict().items()})
    samples = again.samples(2, FixedPolicy(RIGHT))
    again.close()
    for part, other in zip(samples, later, strict=True):
        for column, expected in zip(part, other, strict=True):
            assert np.array_equal(column, expected)
    assert source.memory().keys() == set(Routes._fields)


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
