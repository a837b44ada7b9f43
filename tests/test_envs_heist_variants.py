"""Heist's variants, generator and sweeps: what each may change, that levels can be solved, the distribution."""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from procscope.envs.actions import MOVE_TO_ACTION
from procscope.envs.engine import Engine, EngineOptions, scratch_engine
from procscope.envs.heist import HeistLevel
from procscope.envs.heist.generator import forks
from procscope.envs.heist.sweeps import ENTITIES, Entity, open_room, ring_of_cells, sweep_all, sweep_entity
from procscope.envs.heist.variants import VARIANTS
from procscope.envs.labels import label_states
from procscope.envs.starting_states import starting_states
from procscope.envs.variants import resolve_variants

LEVELS = HeistLevel.from_seeds(range(25))
NAMES = [*VARIANTS, "keys:0", "keys:2", "keys:3", "many-keys-few-locks:8", "few-keys-many-locks:2", "fixed-layout:7",
         "gem-in-corner:3"]  # fmt: skip


def changed(name: str, level: HeistLevel, seed: int = 0) -> HeistLevel:
    (variant,) = resolve_variants(name, "heist")
    return variant(level, np.random.default_rng((seed, level.level_seed)))


@pytest.mark.parametrize("name", NAMES)
def test_every_variants_levels_can_be_solved_and_say_the_same_again(name):
    for level in LEVELS:
        new = changed(name, level)
        assert new.is_solvable()
        assert new == changed(name, level), "a variant draws from its generator alone"
        assert HeistLevel(**new.values()) == new, "with all fields checked"
        assert new.level_seed == level.level_seed
        assert (new.background, new.theme) == (level.background, level.theme)
        kept = not name.startswith(("keys", "fixed", "many", "few"))
        assert not kept or (new.walls == level.walls).all()


def test_what_each_variant_does():
    for level in LEVELS[:10]:
        for number in range(4):
            new = changed(f"keys:{number}", level)
            assert [key.colour for key in sorted(new.keys, key=lambda k: k.colour)] == sorted(
                ("blue", "green", "red")[:number]
            )
            assert {lock.colour for lock in new.locks} == {key.colour for key in new.keys}
            assert all(lock.cell in forks(new.walls) for lock in new.locks)
            if len(forks(level.walls)) >= number:
                assert (new.walls == level.walls).all()
        new = changed("all-keys-held", level)
        assert new.keys == ()
        assert new.locks == level.locks
        assert {key.colour for key in level.keys} == {c for c in ("blue", "green", "red") if new.holds(c)}
        new = changed("no-locks", level)
        assert (new.locks, new.keys) == ((), level.keys)
        new = changed("many-keys-few-locks:5", level)
        assert len(new.locks) == 1
        assert len(new.keys) == 5
        new = changed("few-keys-many-locks:4", level)
        assert [key.colour for key in new.keys] == ["blue"]
        assert {lock.colour for lock in new.locks} == {"blue"}
        assert 1 <= len(new.locks) <= 4
        assert changed("fixed-layout:7", level).walls.tobytes() == HeistLevel.from_seed(7).walls.tobytes()
        new = changed("gem-in-corner", level)
        corner = level.bounds()[1]
        if corner not in level.occupied() and corner != level.agent:
            assert new.gem == corner
        assert new.with_gem(*level.gem, level.gem_offset).diff(level).fields == ()
        new = changed("agent-anywhere", level)
        assert [change.field for change in level.diff(new).fields] in (["agent"], [])
    assert sum(len(changed("few-keys-many-locks:4", level).locks) for level in LEVELS[:10]) > 30
    starts = {changed("agent-anywhere", LEVELS[0], seed).agent for seed in range(200)}
    solvable = {
        cell
        for cell in LEVELS[0].empty_cells()
        if LEVELS[0].with_agent(*cell, allow_unsolvable=True).is_solvable()
    }
    assert starts == solvable


def test_draws_stay_what_they_were():
    """Trained networks depend on these; written down when the variants were made."""
    level = HeistLevel.from_seed(7)
    assert changed("agent-anywhere", level).agent == AGENT_7
    assert (changed("fixed-layout:3", level).agent, changed("fixed-layout:3", level).gem) == LAYOUT_7
    assert tuple(key.cell for key in changed("keys:2", level).keys) == KEYS_7


AGENT_7, LAYOUT_7, KEYS_7 = (2, 6), ((8, 3), (7, 8)), ((8, 4), (8, 8))


@pytest.mark.parametrize(
    "name", ["keys:3", "all-keys-held", "no-locks", "many-keys-few-locks", "few-keys-many-locks"]
)
def test_variants_are_played_to_the_gem(name):
    n = 12
    states = starting_states("heist", range(900, 900 + n), variants=[name])
    engine = Engine(EngineOptions("heist", num_envs=n, num_threads=1))
    engine.set_states(states)
    rewards = np.zeros(n)
    for _ in range(250):
        engine.act(MOVE_TO_ACTION[label_states(engine.get_states())["best_move"]])
        ended = engine.first & (rewards == 0)
        assert (engine.rewards[ended] == 10).all()
        rewards[ended] = 10
        if rewards.all():
            break
    assert rewards.all()
    engine.close()


def features(level: HeistLevel) -> dict[str, object]:
    """What the two generators are compared by."""
    (left, bottom), (right, _) = level.bounds()
    middle = [lock for lock in level.locks if lock.colour == "blue"]
    return {
        "keys": len(level.keys),
        "place": (left, bottom),
        "steps": min(level.plan().steps // 5, 8),
        "legs": len(level.plan().legs),
        "first leg": min(level.plan().legs[0].steps // 2, 6),
        "gem": level.gem[0] - left,
        "agent": level.agent[0] - left,
        "lock": (middle[0].cell[0] - left) if middle else -1,
        "order": tuple(lock.colour for lock in level.locks),
        "forks": len(forks(level.walls)) + len(middle),
        "width": right - left,
    }


@pytest.mark.slow
def test_the_generators_distribution_is_the_engines():
    """Chi-squared tests of two samples, fixed seeds; as many keys asked for as the engine did (`held` says)."""
    engines = HeistLevel.from_seeds(range(450))
    rng = np.random.default_rng(1)
    ours = []
    for level in engines:
        (left, _), (right, _) = level.bounds()
        ours.append(HeistLevel.generate(right - left + 1, len(level.held), rng))
        assert ours[-1].is_solvable()
    samples = [[features(level) for level in levels] for levels in (engines, ours)]
    for name in samples[0][0]:
        counts = [Counter(sample[name] for sample in side) for side in samples]
        seen = sorted(counts[0] | counts[1])
        table = np.array([[side[value] for value in seen] for side in counts])
        table = table[:, table.sum(axis=0) >= 10]
        assert table.shape[1] == 1 or chi2_contingency(table).pvalue > 1e-3, name
    offsets = np.array([key.offset for level in ours for key in level.keys])
    assert offsets.min() >= 0.375 - 1e-6
    assert offsets.max() <= 0.625 + 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["hard", "memory"])
def test_the_generator_in_other_modes(mode):
    engines = HeistLevel.from_seeds(range(400), mode)
    rng = np.random.default_rng(2)
    ours = []
    for level in engines:
        (left, _), (right, _) = level.bounds()
        ours.append(HeistLevel.generate(right - left + 1, len(level.held), rng, mode))
    for name in ("keys", "legs", "steps", "order"):
        counts = [Counter(features(level)[name] for level in levels) for levels in (engines, ours)]
        seen = sorted(counts[0] | counts[1])
        table = np.array([[side[value] for value in seen] for side in counts])
        table = table[:, table.sum(axis=0) >= 10]
        assert table.shape[1] == 1 or chi2_contingency(table).pvalue > 1e-3, name


def test_sweeps():
    level = changed("keys:3", LEVELS[5])
    room = open_room(level, 9)
    assert room.plan() or not room.is_solvable()
    ring = ring_of_cells(room, (4, 5), 5)
    assert len(ring) == 16
    assert ring[:5] == ((2, 7), (3, 7), (4, 7), (5, 7), (6, 7)), "clockwise from the top left"
    assert ring[5] == (6, 6)
    agents = [(4, 5), (2, 7), (8, 8)]
    sweep = sweep_entity(room, Entity("key", "green"), ring, agents)
    assert len(sweep.states) == 16 * 3 - 1, "not where the key is itself"
    for state, thing, agent in zip(sweep.states, sweep.thing_cells, sweep.agent_cells, strict=True):
        there = HeistLevel.from_state(state)
        assert there.keys_of("green")[0].cell == tuple(thing)
        assert there.agent == tuple(agent)
        diff = room.with_key("green", *thing.tolist(), (0.5, 0.5), allow_unsolvable=True).diff(there)
        assert {change.field for change in diff.fields} <= {"agent"}
        assert not diff.walls_added
    labels = label_states(sweep.states)
    assert (labels["key_green_x"] == sweep.thing_cells[:, 0]).all()
    assert (labels["agent_y"] == sweep.agent_cells[:, 1]).all()
    walk = sweep.of_agent((4, 5))
    assert (walk.ring_index == np.arange(16)).all()
    everywhere = sweep_all(room, ring)
    assert set(everywhere) == {str(entity) for entity in ENTITIES}
    n_free = len(room.free_cells()) - len(room.occupied())
    assert len(everywhere["gem"].states) == 16 * (n_free + 1) - 16
    assert len(everywhere["agent"].states) == 16
    frames = scratch_engine("heist").render(walk.states)
    assert len({frame.tobytes() for frame in frames}) == 16


def test_sweeps_refuse():
    level = LEVELS[0]
    room = open_room(level, 7)
    with pytest.raises(ValueError, match="is a wall"):
        ring_of_cells(level, (4, 4), 5)
    with pytest.raises(ValueError, match="must be odd, from 3"):
        ring_of_cells(room, (4, 4), 4)
    ring = ring_of_cells(room, (4, 5), 3)
    with pytest.raises(ValueError, match="must have one red key to be moved; it has 0"):
        sweep_entity(room, Entity("key", "red"), ring)
    with pytest.raises(ValueError, match="must be one of key, lock, gem, agent"):
        sweep_entity(room, Entity("shoe"), ring)
    with pytest.raises(ValueError, match="must be on cells of its own"):
        sweep_entity(room, Entity("gem"), [room.keys[0].cell])
    with pytest.raises(ValueError, match="leave agent_cells out"):
        sweep_entity(room, Entity("agent"), ring, [(4, 4)])
    with pytest.raises(ValueError, match="no state with the agent"):
        sweep_entity(room, Entity("gem"), ring, [(4, 5)]).of_agent((1, 1))
    with pytest.raises(ValueError, match="from 3 to the world's 9"):
        open_room(level, 11)
