"""Masks: they cover what labels say is there, leave the rest alone, and know a picture made by hand."""

import numpy as np
import pytest
from strategies import played_states

from procscope.envs.engine import levels_from_seeds, scratch_engine
from procscope.envs.heist import HeistLevel
from procscope.envs.labels import label_states
from procscope.envs.masks import entity_masks, mask_kinds
from procscope.envs.maze import MazeLevel


def test_masks_lie_where_labels_say():
    states = list(played_states("heist", "easy", 24))
    labels = label_states(states)
    for kind, name, colour in [
        ("gem", "goal", None),
        ("lock", "lock_blue", "blue"),
        ("key", "key_green", "green"),
    ]:
        masks = entity_masks(states, kind, colour)
        assert masks.shape == (24, 64, 64)
        for row in range(24):
            there = labels[f"{name}_x"][row] >= 0
            assert masks[row].any() == there
            if there:
                middle = np.argwhere(masks[row]).mean(axis=0)
                place = (labels[f"{name}_row"][row], labels[f"{name}_col"][row])
                assert np.abs(middle - place).max() < 3.0, "a cell is 7 pixels wide"
                assert 8 <= masks[row].sum() <= 81
    agents = entity_masks(states, "agent")
    assert agents.any(axis=(1, 2)).all()
    shared = agents & entity_masks(states, "wall")
    assert shared.sum() < 0.05 * agents.sum(), "only where the sprite's edge is seen through"


def test_held_keys_are_seen_below_the_corner():
    level = HeistLevel.from_seed(3)
    states = [level.to_state(), level.with_key_held("blue").to_state()]
    masks = entity_masks(states, "held-key")
    assert not masks[0].any()
    assert masks[1].any()
    assert not masks[1][:, :40].any()


@pytest.mark.parametrize("mode", ["easy", "hard", "memory"])
def test_the_rest_of_the_picture_stays(mode):
    """Where no mask is true nothing differs from the picture without any thing; all things together are its masks."""
    states = levels_from_seeds("heist", range(6), mode)
    frames = scratch_engine("heist", mode).render(states)
    bare = [HeistLevel.from_state(state).without_gem().without_locks() for state in states]
    for colour in ("blue", "green", "red"):
        bare = [level.without_key(colour) if level.keys_of(colour) else level for level in bare]
    plain = scratch_engine("heist", mode).render([level.to_state() for level in bare])
    things = sum(entity_masks(states, kind) for kind in ("gem", "key", "lock")).astype(bool)
    assert ((frames != plain).any(axis=3) <= things).all()


def test_large_masks_are_the_small_ones_drawn_large():
    states = list(levels_from_seeds("heist", range(3)))
    small, large = entity_masks(states, "lock"), entity_masks(states, "lock", large=True)
    assert large.shape == (3, 512, 512)
    assert abs(large.mean() - small.mean()) < 0.3 * small.mean()


def test_the_mazes_masks():
    level = MazeLevel.from_ascii("..C\n.##\nM..")
    states = [level.to_state(), level.without_cheese().to_state()]
    cheese = entity_masks(states, "cheese")
    assert cheese[0].any()
    assert not cheese[1].any()
    # The maze of 3 lies in the middle of a world of 15: its cells are 64 / 15 pixels wide, 6 of them to its left.
    rows, columns = np.nonzero(cheese[0])
    assert rows.min() >= int(64 * 6 / 15)
    assert rows.max() <= np.ceil(64 * 7 / 15)
    assert columns.min() >= int(64 * 8 / 15)
    assert columns.max() <= np.ceil(64 * 9 / 15)
    assert entity_masks(states, "wall")[0].mean() > 0.8


def test_coinruns_masks():
    states = levels_from_seeds("coinrun", range(4))
    agents = entity_masks(states, "agent")
    assert agents.any(axis=(1, 2)).all()
    assert agents.mean() < 0.05
    assert entity_masks(states, "wall").mean() > 0.1


def test_refuses():
    states = levels_from_seeds("heist", [0])
    with pytest.raises(ValueError, match="at least one state"):
        entity_masks([], "key")
    with pytest.raises(
        ValueError, match="masks of heist are made of agent, key, lock, gem, held-key, wall; given: 'x'"
    ):
        entity_masks(states, "x")
    with pytest.raises(
        ValueError, match="a colour is one of blue, green, red, of a key or lock; given: 'blue' of a gem"
    ):
        entity_masks(states, "gem", "blue")
    with pytest.raises(ValueError, match="states of one game"):
        entity_masks([*states, *levels_from_seeds("maze", [0])], "wall")
    with pytest.raises(ValueError, match="masks exist for the games"):
        mask_kinds("bigfish")
