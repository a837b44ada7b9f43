"""Fake targets and what channels carry: on networks built for it, and exact identities on any network."""

import numpy as np
import pytest
import torch
from torch import nn
from untrained_impala import untrained_impala

from procscope.envs.actions import Move
from procscope.envs.heist.pairs import moved_pairs
from procscope.interventions.carried import carried, log_odds
from procscope.interventions.fake_study import FakeStudy, controlled, drawn_pairs, study_frames
from procscope.interventions.fake_target import fake_effects, reach, read_place, share_of_moving
from procscope.interventions.spot import SetSpot

PAIRS = moved_pairs(6, np.random.default_rng(0))
TRACKING = [pair.level for pair in moved_pairs(4, np.random.default_rng(1))]
NETWORK = untrained_impala(loudness=200)
PLACE = read_place(NETWORK, PAIRS, TRACKING, "block2.res2", 0.125)


def test_patching_all_channels_is_moving_the_key():
    every = range(PLACE.n_channels)
    effects = fake_effects(
        NETWORK,
        PLACE,
        {
            "all": PLACE.patched(every),
            "nothing new": PLACE.patched(every, np.zeros_like(PLACE.near)),
            "near": PLACE.patched(every, PLACE.near),
        },
    )
    np.testing.assert_allclose(effects["all"].toward, effects["all"].moved_toward, atol=1e-4)
    assert effects["all"].share.value == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(effects["nothing new"].toward, 0, atol=1e-5)
    assert np.abs(effects["near"].toward).max() > 0
    assert (effects["untouched"].toward == 0).all()


def test_near_is_a_cell_round_either_place():
    assert [reach(size) for size in (8, 16, 32, 64)] == [1, 2, 4, 7]
    rows, cols = np.nonzero(PLACE.near[0])
    spots = PLACE.spots[0], PLACE.moved_spots[0]
    apart = [np.maximum(abs(rows - row), abs(cols - col)) for row, col in spots]
    assert np.minimum(*apart).max() == 2


def test_the_vector_is_added_there_and_taken_away_here():
    added = PLACE.vector(2.0).vector.array
    one, there = added[0], PLACE.moved_spots[0]
    assert added.shape == PLACE.maps.shape
    outside = ~PLACE.near[0]
    assert (one[:, outside] == 0).all()
    np.testing.assert_allclose(PLACE.vector(1.0, [1]).vector.array[:, [0, 2]], 0)
    far = np.abs(PLACE.spots - PLACE.moved_spots).max(axis=1) > 4
    inside = ((PLACE.moved_spots > 1) & (PLACE.moved_spots < 14)).all(axis=1)
    for pair in np.flatnonzero(far & inside):
        row, col = PLACE.moved_spots[pair]
        np.testing.assert_allclose(
            added[pair][:, row - 2 : row + 3, col - 2 : col + 3], 2 * PLACE.key_vector, rtol=1e-5
        )
    assert there.shape == (2,)


def test_spots_lie_at_the_other_place():
    arm = PLACE.spot_arm([2, 0], 3.0, "mean")
    assert callable(arm)
    made = arm(1)
    assert isinstance(made, SetSpot)
    assert tuple(made.spot) == tuple(PLACE.moved_spots[1])
    assert made.channels == (2, 0)
    assert made.value == pytest.approx(tuple(3 * PLACE.statistics.maximum[[2, 0]]))
    source = PLACE.spot_arm([1], 1.0, "zero", value=5.0, radius=1)
    assert callable(source)
    fixed = source(0)
    assert isinstance(fixed, SetSpot)
    assert (fixed.value, fixed.radius) == (5.0, 1)


def test_a_study_has_every_arm_and_other_levels_for_choosing():
    study = FakeStudy("any", "0", "block2.res2", 0.125, 4, 3, (2,), (1.0,), ("zero", "mean"), 0, 5, 0)
    pairs, levels = drawn_pairs(study)
    assert not {pair.level for pair in pairs} & set(levels)
    found = study_frames(NETWORK, study)
    for arm in (
        "source",
        "spot 2 x1 mean",
        "random 2 x1",
        "patch 2",
        "patch 3",
        "patch others",
        "elsewhere",
        "vector x4",
    ):
        assert len(found["arms"][arm]["toward"]) == 4
    np.testing.assert_allclose(found["arms"]["patch 3"]["toward"], found["moved"], atol=2e-3)
    assert sorted(found["channels"]) == [0, 1, 2]
    assert (controlled(32), controlled(3)) == (8, 1)


class OneChannel(nn.Module):
    """The second of three maps says right or left by its sum; the others say nothing."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Identity()
        self.anchor = nn.Parameter(torch.zeros(1))

    def forward(self, frames):
        red, green = frames[:, :1].float() / 255, frames[:, 1:2].float() / 255
        maps = self.maps(torch.cat([green, red, green * 2], 1))
        logits = torch.zeros(len(frames), 15)
        logits[:, 7] = maps[:, 1].mean((1, 2)) * 6
        return logits


def test_one_channel_carries_it_all():
    rng = np.random.default_rng(0)
    first = np.zeros((8, 64, 64, 3), np.uint8)
    first[..., 1] = rng.integers(0, 255, (8, 64, 64))
    second = first.copy()
    second[..., 0] = 255
    second[..., 1] = rng.integers(0, 255, (8, 64, 64))
    moves = np.tile([Move.LEFT, Move.RIGHT], (8, 1)).astype(np.int64)
    found = carried(OneChannel(), first, second, moves, "maps", (1, 2), rng=rng)
    assert found.order[0] == 1
    np.testing.assert_allclose(found.alone, [0, 1, 0], atol=1e-6)
    assert found.share[1].value == pytest.approx(1)
    assert found.for_half == 1
    assert found.random[3].value == pytest.approx(1)
    with pytest.raises(ValueError, match="at least eight pairs"):
        carried(OneChannel(), first[:4], second[:4], moves[:4], "maps", (1,), rng=rng)


def test_log_odds_count_the_actions_of_a_move_together():
    logits = np.zeros((1, 1, 15))
    logits[0, 0, 5] = np.log(3.0)  # up alone: 3, against left's three actions: 1 each
    moves = np.array([[Move.LEFT, Move.UP]])
    assert log_odds(logits, moves)[0, 0] == pytest.approx(0)


def test_misuse():
    with pytest.raises(ValueError, match="at least one pair"):
        read_place(NETWORK, [], TRACKING, "block2.res2", 0.125)
    with pytest.raises(ValueError, match="no share"):
        share_of_moving(np.ones(3), np.zeros(3))
    with pytest.raises(ValueError, match="at least two levels with one key"):
        read_place(NETWORK, PAIRS, TRACKING[:1], "block2.res2", 0.125)
