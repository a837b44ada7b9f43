"""The analysis `zero-channels` on a real cache, against a plain loop over channels; its record; misuse."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from procscope.activations.cache import ActivationCache
from procscope.activations.cache_format import ArraySpec, CacheSpec
from procscope.activations.cache_writer import BlockContents, open_for_writing, write_block
from procscope.activations.capture import capture
from procscope.activations.collect import CacheConfig, build_cache
from procscope.agents.networks.impala import Impala
from procscope.envs.actions import Move, greedy_moves
from procscope.interventions.ablation import MeanAblation, ZeroAblation
from procscope.interventions.apply import applied
from procscope.interventions.zero_channels import ANALYSIS, ZeroChannels, independent_frames
from procscope.workbench.analyses import run_analysis
from procscope.workbench.checkpoints import CheckpointHeader, save_checkpoint
from procscope.workbench.mean_intervals import bootstrap_means, mean_interval
from procscope.workbench.statistics import bootstrap, holm, mcnemar_exact

OPTIONS = {"widths": [2, 3, 5], "hidden": 16}


def make_network(seed):
    torch.manual_seed(seed)
    network = Impala(**OPTIONS)
    with torch.no_grad():
        network.policy_head.weight.mul_(40)
    return network


@pytest.fixture(scope="module")
def network():
    return make_network(0).eval()


@pytest.fixture(scope="module")
def place(tmp_path_factory, network):
    """A checkpoint, and a cache of its activations on mazes with the mouse anywhere."""
    directory = tmp_path_factory.mktemp("zero-channels")
    header = CheckpointHeader("impala", OPTIONS, variant=("cheese-anywhere",))
    for name, module in (("network", network), ("other", make_network(1))):
        save_checkpoint(directory / f"{name}.safetensors", module, header)
    config = CacheConfig(
        str(directory / "network.safetensors"),
        ("conv_out", "value"),
        n_frames=48,
        sample="static",
        placement="anywhere",
        keep_frames=True,
        dtype="float32",
        block_frames=20,
    )
    build_cache(config, directory / "cache")
    build_cache(replace(config, keep_frames=False, n_frames=2), directory / "no-frames")
    return directory


def analyse(place, out, *, cache="cache", seed=0, **options):
    config = ZeroChannels(**({"model": str(place / "network.safetensors"), "resamples": 200} | options))
    return run_analysis(
        "zero-channels", ANALYSIS, str(place / cache), config, seed=seed, out=out, command="test"
    )


@pytest.fixture(scope="module")
def done(place, tmp_path_factory):
    return analyse(place, tmp_path_factory.mktemp("runs"))


def test_effects_are_those_of_a_plain_loop(place, network, done):
    cache, result = ActivationCache.open(place / "cache"), done.result
    np.testing.assert_array_equal(result.frames, np.arange(48))
    frames, best = cache.frames[:], np.array(cache.labels(["best_move"])["best_move"])
    maps = cache.activations("conv_out")[:].astype(float)
    untouched = capture(network, frames, []).logits
    log_p = torch.log_softmax(torch.tensor(untouched, dtype=torch.float64), 1)
    has_best = best != Move.STAY
    assert has_best.any()
    before = greedy_moves(untouched)[has_best] == best[has_best]
    p_values, differ = [], False
    norms = np.linalg.norm(maps.reshape(48, 5, -1), axis=2).mean(axis=0)
    for effect in result.sweep.effects:
        c = effect.channel
        if effect.ablation == "zero":
            ablation = ZeroAblation("conv_out", [c])
        else:
            ablation = MeanAblation("conv_out", [c], means=[float(maps[:, c].mean())])
        with applied(network, ablation):
            logits = capture(network, frames, []).logits
        log_q = torch.log_softmax(torch.tensor(logits, dtype=torch.float64), 1)
        kl = float(torch.nn.functional.kl_div(log_q, log_p, log_target=True, reduction="batchmean"))
        assert effect.action_kl.value == pytest.approx(kl, rel=1e-3, abs=1e-7)
        assert effect.keeps_move.value == (greedy_moves(logits) == greedy_moves(untouched)).mean()
        after = greedy_moves(logits)[has_best] == best[has_best]
        assert effect.best_move.change.value == pytest.approx(after.mean() - before.mean())
        assert effect.best_move.change.n == has_best.sum()
        p_values.append(mcnemar_exact(int((after & ~before).sum()), int((before & ~after).sum())))
        others = [o for o in range(5) if o != c]
        assert effect.matched.channel == min(others, key=lambda o: abs(norms[o] - norms[c]))
        assert effect.random.channel in set(others) - {effect.matched.channel}
        differ |= kl > 0.01 and effect.keeps_move.value < 1
    assert differ, "some ablation must change something, or all of this proves nothing"
    assert len(result.sweep.effects) == 10
    assert [e.best_move.p_holm for e in result.sweep.effects] == pytest.approx(list(holm(np.array(p_values))))
    assert result.sweep.best_move_agreement.value == before.mean()


def test_controls_are_other_channels_of_the_same_sweep(done):
    for ablation in ("zero", "mean"):
        by_channel = {effect.channel: effect for effect in done.result.sweep.of(ablation)}
        for effect in by_channel.values():
            for control in (effect.matched, effect.random):
                assert control.action_kl == pytest.approx(by_channel[control.channel].action_kl.value)
                assert control.excess.value == pytest.approx(effect.action_kl.value - control.action_kl)


def test_the_record_is_complete_and_the_same_again(place, done, tmp_path):
    directory = done.record.directory
    names = {path.name for path in directory.rglob("*") if path.is_file()}
    assert {
        "action_kl.png",
        "best_move_change.svg",
        "effect_against_norm.png",
        "channels.csv",
        "report.html",
    } <= names
    metrics = json.loads((directory / "metrics.json").read_text())
    assert len(metrics) == 1 + 10 * 7
    assert {m["where"]["arm"] for m in metrics} == {"untouched", "zero", "mean"}
    assert "of like norm" in (directory / "report.html").read_text()
    again = analyse(place, tmp_path)
    assert json.loads((again.record.directory / "metrics.json").read_text()) == metrics


def test_some_channels_some_frames(place, tmp_path):
    result = analyse(place, tmp_path, channels=(3,), ablations=("zero",), frames=10, seed=5).result
    assert [(effect.channel, effect.ablation) for effect in result.sweep.effects] == [(3, "zero")]
    assert len(result.frames) == result.sweep.n_frames == 10
    assert list(result.frames) != list(range(10)), "drawn from the whole cache"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "other.safetensors"}, "expected a cache of the network with weights hash"),
        ({"model": ""}, "Name the network"),
        ({"cache": "no-frames"}, "--keep-frames"),
        ({"hook_point": "conv_ot"}, "conv_out"),
        ({"hook_point": "value"}, r"\[frame, channel"),
        ({"channels": (5,)}, "channels from 0 to 4"),
        ({"only_where": "best_move"}, "true or false"),
        ({"only_where": "at_decision"}, "at_decision_square"),
        ({"frames": 1}, "at least two levels"),
    ],
)
def test_misuse(place, tmp_path, options, message):
    if options.get("model"):
        options = options | {"model": str(place / options["model"])}
    with pytest.raises(ValueError, match=message):
        analyse(place, tmp_path, **options)


def labelled_cache(directory, **labels):
    """A cache of one block that holds little but labels."""
    spec = CacheSpec(350, 350, {"activations/fc": ArraySpec((1,), "float32")}, {})
    contents = BlockContents({"activations/fc": np.zeros((350, 1), np.float32)}, pa.table(labels))
    with open_for_writing(directory, spec) as writer:
        writer.commit(0, write_block(directory, spec, 0, contents))
    return ActivationCache.open(directory)


def test_one_frame_of_each_level(tmp_path):
    seeds, episodes = np.repeat(np.arange(50), 7), np.arange(350) // 70
    cache = labelled_cache(tmp_path / "seeds", level_seed=seeds, at=np.arange(350) % 7 == 3, episode=episodes)
    frames = independent_frames(cache, 1000, np.random.default_rng(0))
    assert list(seeds[frames]) == list(range(50))
    assert len(set(frames % 7)) == 7, "any frame of a level"
    assert (independent_frames(cache, 1000, np.random.default_rng(0), "at") % 7 == 3).all()
    cache = labelled_cache(tmp_path / "no-seeds", level_seed=np.full(350, -1), episode=episodes)
    assert list(episodes[independent_frames(cache, 9, np.random.default_rng(0))]) == [0, 1, 2, 3, 4]


def test_many_means_get_the_intervals_that_one_gets():
    rng = np.random.default_rng(0)
    samples = np.stack([rng.exponential(size=80), rng.normal(size=80) + 50, np.full(80, 0.25)], axis=1)
    found = bootstrap_means(samples, rng=rng, resamples=10_000)
    for column, interval in zip(samples.T[:2], found[:2], strict=True):
        one = bootstrap(np.mean, column, rng=rng, resamples=4_000)
        spread = column.std() / np.sqrt(80)
        np.testing.assert_allclose(interval[:3], one[:3], atol=0.1 * spread)
        assert interval.n == 80
    assert found[2][:3] == pytest.approx((0.25, 0.25, 0.25))
    with pytest.raises(ValueError, match="two samples"):
        bootstrap_means(samples[:1], rng=rng)
    with pytest.raises(ValueError, match="1 values that are not"):
        bootstrap_means(np.array([[1.0], [np.nan]]), rng=rng)


def test_limits_that_are_zero_are_written_as_zero():
    """Shares whose differences cancel: sums of such floats leave some 1e-17 where 0 is meant."""
    gains = np.array([0.3 - 0.1 - 0.2, 0.0, 0.0, 0.1 + 0.2 - 0.3, 0.6 - 0.4 - 0.2, 0.5])
    found = mean_interval(gains)
    assert found.low == 0
    assert found == bootstrap_means(gains[:, None], rng=np.random.default_rng(0))[0]
