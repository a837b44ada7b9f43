"""Transitions: true next frames, thinning, the division by level, resuming, and what is refused."""

import numpy as np
import pytest
import torch

from procscope.activations.cache_verify import compare_caches
from procscope.activations.collect import CacheConfig, build_cache
from procscope.rewardnets.data_card import data_card
from procscope.rewardnets.network import RewardNetwork
from procscope.rewardnets.splits import Split, splits_of
from procscope.rewardnets.transitions import Transitions, build_transitions


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """All transitions of some mazes, two blocks."""
    directory = tmp_path_factory.mktemp("everything")
    config = CacheConfig(
        model=None,
        sample="pairs",
        actor="expert",
        noise=0.2,
        n_frames=384,
        block_frames=256,
        num_envs=4,
        keep_frames=True,
        level_seeds=(0, 10**8),
    )
    build_cache(config, directory / "data")
    return Transitions.open(directory / "data")


def test_next_frame_is_the_frame_of_the_next_row(everything):
    pairs = everything.cache.frames[:]
    episode, step = everything.column("episode"), everything.column("step")
    follows = (episode[1:] == episode[:-1]) & (step[1:] == step[:-1] + 1)
    assert follows.sum() > 300
    np.testing.assert_array_equal(pairs[:-1][follows, :, :, 3:], pairs[1:][follows, :, :, :3])
    for name in ("agent_x", "agent_y", "best_move"):
        now, following = everything.column(name), everything.column(f"next_{name}")
        np.testing.assert_array_equal(following[:-1][follows], now[1:][follows])


def test_the_last_next_frame_is_of_the_same_level(everything):
    done = everything.column("done")
    assert done.sum() >= 5
    assert (everything.rewards[done] == 10).all()
    # The mouse is where the cheese was, in a picture that is like the one before it but for a few pixels.
    for axis in "xy":
        np.testing.assert_array_equal(
            everything.column(f"next_agent_{axis}")[done], everything.column(f"goal_{axis}")[done]
        )
    pairs = everything.cache.frames[:][done]
    changed = (pairs[..., :3] != pairs[..., 3:]).any(axis=-1).mean(axis=(1, 2))
    assert (changed < 0.1).all()
    assert (changed > 0).all()


def test_counts_are_those_of_all_that_was_played(everything):
    counts = everything.cache.counts
    # Nothing was thinned, so what was played is what is kept, up to the steps in which a block was full.
    assert 0 <= counts["transitions"] - len(everything) < 2 * 4
    assert counts["rewarded_transitions"] == counts["rewarded_episodes"]
    assert abs(counts["episodes"] - everything.column("done").sum()) <= 2


def test_thinning_keeps_every_reward_and_weighs_the_rest(tmp_path):
    build_transitions(
        "maze",
        tmp_path / "data",
        n_transitions=192,
        actor="expert",
        noise=0.2,
        keep_unrewarded=0.1,
        num_envs=4,
    )
    data = Transitions.open(tmp_path / "data")
    weights = data.column("weight")
    np.testing.assert_allclose(weights, np.where(data.rewards != 0, 1, 10), rtol=1e-6)
    counts = data.cache.counts
    assert abs(counts["rewarded_transitions"] - (data.rewards != 0).sum()) <= 3
    unrewarded = counts["transitions"] - counts["rewarded_transitions"]
    kept = (data.rewards == 0).sum()
    assert abs(kept - unrewarded / 10) < 4 * np.sqrt(unrewarded * 0.1 * 0.9)
    card = data_card(data)
    assert f"{counts['transitions']:,} transitions" in card
    assert "another with probability 0.1" in card


def test_resumed_data_are_the_same(everything, tmp_path):
    config = CacheConfig(
        model=None,
        sample="pairs",
        actor="expert",
        noise=0.2,
        n_frames=384,
        block_frames=256,
        num_envs=4,
        keep_frames=True,
        level_seeds=(0, 10**8),
    )
    build_cache(config, tmp_path / "again")
    (tmp_path / "again/blocks/000000.json").unlink()
    build_cache(config, tmp_path / "again")
    assert compare_caches(everything.cache.path, tmp_path / "again") == []


def test_division_is_by_level_and_has_the_shares_it_says():
    seeds = np.arange(200_000)
    found = splits_of(seeds)
    shares = np.bincount(found) / len(seeds)
    np.testing.assert_allclose(shares, [0.85, 0.05, 0.1], atol=0.003)
    np.testing.assert_array_equal(splits_of(seeds[::-1])[::-1], found)
    with pytest.raises(ValueError, match="levels with seeds"):
        splits_of(np.array([3, -1]))


def test_batches_hold_each_transition_of_a_side_once(everything):
    chosen = everything.of(Split.TRAIN)
    batches = list(everything.batches(Split.TRAIN, 50, shuffle=1))
    assert sum(len(batch.rewards) for batch in batches) == chosen.sum()
    assert sum(batch.rewards.sum() for batch in batches) == everything.rewards[chosen].sum()
    given = np.sort(np.concatenate([batch.pairs.reshape(-1, 64 * 64 * 6).sum(1) for batch in batches]))
    np.testing.assert_array_equal(
        given, np.sort(everything.cache.frames[:][chosen].reshape(-1, 64 * 64 * 6).sum(1))
    )


def test_a_cache_of_a_reward_network_has_its_rewards(tmp_path):
    network = RewardNetwork(width=1 / 32)
    config = CacheConfig(
        model=network,
        hook_points=("pooled",),
        sample="pairs",
        actor="expert",
        n_frames=48,
        num_envs=4,
        keep_frames=True,
    )
    cache = build_cache(config, tmp_path / "read")
    pairs = torch.from_numpy(cache.frames[:]).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected = network(pairs).rewards.numpy()
    labels = cache.labels(["action", "predicted_reward"]).to_pandas()
    np.testing.assert_allclose(
        labels.predicted_reward, expected[np.arange(48), labels.action], rtol=1e-4, atol=1e-5
    )


def test_bad_input(tmp_path, everything):
    with pytest.raises(ValueError, match=r"RewardNetwork takes pairs of frames; .*--sample pairs"):
        build_cache(
            CacheConfig(RewardNetwork(width=1 / 32), ("pooled",), actor="expert", n_frames=8), tmp_path / "a"
        )
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        CacheConfig(None, sample="pairs", actor="expert", keep_frames=True, keep_unrewarded=0.0)
    with pytest.raises(ValueError, match="needs sample='pairs', an actor and no hook points"):
        CacheConfig(None, keep_frames=True)
    few = Transitions.open(
        build_transitions("maze", tmp_path / "few", n_transitions=4, actor="random", num_envs=4)
    )
    with pytest.raises(ValueError, match="expected transitions of different rewards to test"):
        few.of(Split.TEST)
