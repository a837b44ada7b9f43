"""The analysis `patch` on a real cache against a plain loop; its pairs and record; `zero-channels` with all."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from untrained_impala import untrained_impala

from procscope.activations.cache import ActivationCache
from procscope.activations.capture import capture
from procscope.activations.collect import CacheConfig, build_cache
from procscope.envs.actions import greedy_moves
from procscope.interventions.ablation import MinAblation
from procscope.interventions.apply import applied
from procscope.interventions.effects import action_kl
from procscope.interventions.patch_cached import ANALYSIS, PatchFrames, frame_pairs
from procscope.interventions.patch_sweep import patch_channels
from procscope.interventions.zero_channels import ANALYSIS as ZERO
from procscope.interventions.zero_channels import ZeroChannels, other_activations
from procscope.workbench.analyses import load_analysis, run_analysis
from procscope.workbench.checkpoints import CheckpointHeader, save_checkpoint
from procscope.workbench.statistics import holm, mcnemar_exact

OPTIONS = {"widths": [2, 3, 5], "hidden": 16}


@pytest.fixture(scope="module")
def network():
    return untrained_impala((2, 3, 5), loudness=40).eval()


@pytest.fixture(scope="module")
def place(tmp_path_factory, network):
    """A checkpoint and caches of its activations: on a frame of each maze, and on episodes."""
    directory = tmp_path_factory.mktemp("patch")
    header = CheckpointHeader("impala", OPTIONS, variant=("cheese-anywhere",))
    save_checkpoint(directory / "network.safetensors", network, header)
    config = CacheConfig(
        str(directory / "network.safetensors"),
        ("conv_out",),
        n_frames=48,
        sample="static",
        placement="anywhere",
        keep_frames=True,
        dtype="float32",
        block_frames=24,
    )
    build_cache(config, directory / "static")
    build_cache(
        replace(config, sample="rollouts", placement="start", num_envs=6, n_frames=60, block_frames=60),
        directory / "rollouts",
    )
    return directory


def analyse(place, out, *, cache="static", seed=0, **options):
    config = PatchFrames(**({"model": str(place / "network.safetensors"), "resamples": 200} | options))
    return run_analysis("patch", ANALYSIS, str(place / cache), config, seed=seed, out=out, command="test")


@pytest.fixture(scope="module")
def done(place, tmp_path_factory):
    return analyse(place, tmp_path_factory.mktemp("runs"))


def test_what_is_carried_is_that_of_a_plain_loop(place, network, done):
    cache, result = ActivationCache.open(place / "static"), done.result
    target, source = result.pairs
    assert len(target) == 24
    assert not set(target) & set(source)
    frames, maps = cache.frames[:], cache.activations("conv_out")[:]
    untouched, theirs = (capture(network, frames[rows], []).logits for rows in (target, source))
    apart = action_kl(theirs, untouched[None])[0]
    assert result.sweep.apart.value == pytest.approx(apart.mean(), rel=1e-3)
    differ = greedy_moves(untouched) != greedy_moves(theirs)
    assert result.sweep.n_different_moves == differ.sum() > 0
    norms = np.linalg.norm(maps.reshape(48, 5, -1).astype(float), axis=2).mean(axis=0)
    takes, moved = {}, 0.0
    for one in result.sweep.channels:
        c = one.channel

        def hook(activation, hook, c=c):
            changed = activation.clone()
            changed[:, c] = torch.from_numpy(maps[source, c])
            return changed

        with network.hooks([("conv_out", hook)]):
            patched = capture(network, frames[target], []).logits
        toward = apart - action_kl(theirs, patched[None])[0]
        assert one.carried.toward_source.value == pytest.approx(toward.mean(), rel=1e-3, abs=1e-6)
        assert one.carried.action_kl.value == pytest.approx(
            action_kl(untouched, patched[None]).mean(), rel=1e-3, abs=1e-6
        )
        takes[c] = (greedy_moves(patched) == greedy_moves(theirs))[differ]
        assert one.carried.takes_move.value == takes[c].mean()
        assert one.control == min((o for o in range(5) if o != c), key=lambda o: abs(norms[o] - norms[c]))
        moved = max(moved, one.carried.action_kl.value)
    assert moved > 0.01, "some patch must change something, or all of this proves nothing"
    by_channel = {one.channel: one for one in result.sweep.channels}
    p = []
    for one in result.sweep.channels:
        mine, other = takes[one.channel], takes[one.control]
        p.append(mcnemar_exact(int((mine & ~other).sum()), int((other & ~mine).sum())))
        assert one.over_control.value == pytest.approx(
            one.carried.toward_source.value - by_channel[one.control].carried.toward_source.value, abs=1e-6
        )
    assert [one.test.p_holm for one in result.sweep.channels] == list(holm(np.array(p)))


def test_the_whole_layer_carries_all(done):
    sweep = done.result.sweep
    assert sweep.layer.toward_source.value == pytest.approx(sweep.apart.value, rel=1e-4)
    assert sweep.layer.takes_move.value == 1


def test_the_record_is_complete_and_the_same_again(place, done, tmp_path):
    directory = done.record.directory
    names = {path.name for path in directory.rglob("*") if path.is_file()}
    assert {"toward_source.png", "against_norm.svg", "channels.csv", "report.html"} <= names
    metrics = json.loads((directory / "metrics.json").read_text())
    assert {m["id"] for m in metrics} >= {"patch/apart", "patch/toward_source", "patch/takes_move"}
    again = analyse(place, tmp_path)
    assert json.loads((again.record.directory / "metrics.json").read_text()) == metrics
    assert load_analysis("patch") is ANALYSIS


def test_pairs_differ_in_a_label_or_come_from_one_level(place):
    cache = ActivationCache.open(place / "static")
    best = np.array(cache.labels(["best_move"])["best_move"])
    pairs = frame_pairs(cache, PatchFrames(differ_in="best_move"), np.random.default_rng(0))
    assert (best[pairs.target] != best[pairs.source]).all()
    assert len({*pairs.target, *pairs.source}) == 2 * len(pairs.target)
    played = ActivationCache.open(place / "rollouts")
    seeds = np.array(played.labels(["level_seed"])["level_seed"])
    within = frame_pairs(played, PatchFrames(between="frames"), np.random.default_rng(0))
    assert (seeds[within.target] == seeds[within.source]).all()
    assert (within.target != within.source).all()
    assert len(set(seeds[within.target])) == len(within.target) >= 6
    with pytest.raises(ValueError, match="at least two pairs of frames"):
        frame_pairs(cache, PatchFrames(between="frames"), np.random.default_rng(0))


def test_patches_between_frames_of_a_level_with_few_channels(place, tmp_path):
    result = analyse(place, tmp_path, cache="rollouts", between="frames", channels=(3,), pairs=5).result
    assert [one.channel for one in result.sweep.channels] == [3]
    assert result.sweep.n_pairs == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hook_point": "conv_ot"}, "conv_out"),
        ({"channels": (5,)}, "channels from 0 to 4"),
        ({"differ_in": "best_mov"}, "best_move"),
        ({"only_where": "best_move"}, "true or false"),
    ],
)
def test_misuse(place, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        analyse(place, tmp_path, **options)


def test_sources_must_fit_their_targets(network, done):
    frames = np.zeros((3, 64, 64, 3), np.uint8)
    with pytest.raises(ValueError, match="a source frame and its activations"):
        patch_channels(
            network,
            frames,
            frames,
            np.zeros((2, 5, 8, 8), np.float32),
            "conv_out",
            done.result.statistics,
            rng=np.random.default_rng(0),
        )


def test_zero_channels_with_all_ablations(place, network, tmp_path):
    config = ZeroChannels(
        model=str(place / "network.safetensors"),
        ablations=("zero", "mean", "min", "resample"),
        frames=30,
        resamples=200,
    )
    done = run_analysis("zero-channels", ZERO, str(place / "static"), config, out=tmp_path, command="test")
    sweep, statistics = done.result.sweep, done.result.statistics
    assert sweep.ablations == ["zero", "mean", "min", "resample"]
    assert len(sweep.effects) == 20
    cache = ActivationCache.open(place / "static")
    frames = cache.frames[:][done.result.frames]
    base = capture(network, frames, []).logits
    for effect in sweep.of("min"):
        with applied(network, MinAblation.of(statistics, "conv_out", [effect.channel])):
            changed = capture(network, frames, []).logits
        kl = action_kl(base, changed[None]).mean()
        assert effect.action_kl.value == pytest.approx(kl, rel=1e-3, abs=1e-6)
    drawn = [effect.action_kl.value for effect in sweep.of("resample")]
    assert max(drawn) > 1e-3
    assert drawn != [effect.action_kl.value for effect in sweep.of("mean")]
    assert all(0 <= effect.best_move.p_bh <= effect.best_move.p_holm <= 1 for effect in sweep.effects)


def test_resampling_draws_from_other_frames(place):
    cache = ActivationCache.open(place / "static")
    frames = np.arange(0, 48, 2)
    others = other_activations(cache, "conv_out", frames, np.random.default_rng(0))
    np.testing.assert_array_equal(others, cache.activations("conv_out")[:][1::2])
    everything = other_activations(cache, "conv_out", np.arange(48), np.random.default_rng(0))
    assert len(everything) == 48
