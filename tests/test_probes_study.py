"""Scores, controls, directions and the analysis `probe`, on data whose answer is known."""

import json

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, r2_score
from untrained_impala import untrained_impala

from procscope.activations.cache import ActivationCache
from procscope.activations.cache_format import ArraySpec, CacheSpec
from procscope.activations.cache_writer import BlockContents, open_for_writing, write_block
from procscope.activations.capture import capture
from procscope.activations.encoding import encoded
from procscope.interventions.apply import applied
from procscope.interventions.erase import Erase
from procscope.probes.analysis import ANALYSIS
from procscope.probes.control import control_task, recurring_share, types_of
from procscope.probes.direction import concept_of, linear_probe, load_probes, save_probes
from procscope.probes.features import ArrayFeatures, CachedFeatures, PixelFeatures, Reading, small_pictures
from procscope.probes.level_intervals import level_interval
from procscope.probes.levels import Levels
from procscope.probes.ridge import fit_ridge
from procscope.probes.scores import class_score, number_score
from procscope.probes.settings import ProbeSettings
from procscope.probes.study import study
from procscope.probes.targets import Target, TargetData
from procscope.probes.untrained import untrained_like
from procscope.workbench.analyses import run_analysis
from procscope.workbench.checkpoints import CheckpointHeader, LoadedModel, load_network, save_checkpoint

OPTIONS = {"widths": [2, 3, 5], "hidden": 16}
QUICK = {"folds": 3, "alphas": (0.0, 10.0), "resamples": 100}


def test_scores_are_scikit_learns():
    rng = np.random.default_rng(0)
    levels = Levels.of(rng.integers(0, 30, 400))
    truth = rng.normal(size=400) + 7
    given = truth + rng.normal(size=400)
    score = number_score(truth, given, np.full(400, 7.1), levels)
    assert score.value("r2") == pytest.approx(r2_score(truth, given))
    assert score.value("mse") == pytest.approx(((truth - given) ** 2).mean())
    assert score.value("guess_mse") == pytest.approx(((truth - 7.1) ** 2).mean())
    classes = rng.integers(0, 3, 400)
    logits = rng.normal(size=(400, 3)) + 2 * (classes[:, None] == np.arange(3))
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    guess = np.log(np.broadcast_to([0.2, 0.5, 0.3], (400, 3)))
    score = class_score(classes, logs, guess, levels)
    chosen = logs.argmax(axis=1)
    assert score.value("accuracy") == pytest.approx(accuracy_score(classes, chosen))
    assert score.value("balanced_accuracy") == pytest.approx(balanced_accuracy_score(classes, chosen))
    assert score.value("log_loss") == pytest.approx(log_loss(classes, np.exp(logs)))
    assert score.value("guess_accuracy") == pytest.approx((classes == 1).mean())
    with pytest.raises(ValueError, match="expected one of accuracy"):
        score.value("r2")


def test_intervals_are_over_levels_not_frames():
    """Frames of a level say all the same: a hundred of each are worth one."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=60)
    sums = np.stack([np.ones(60), values], axis=1)
    one = level_interval(sums, lambda s: s[..., 1] / s[..., 0], rng=np.random.default_rng(0))
    many = level_interval(sums * 100, lambda s: s[..., 1] / s[..., 0], rng=np.random.default_rng(0))
    assert (one.low, one.high) == pytest.approx((many.low, many.high))
    half = 1.96 * values.std() / np.sqrt(60)
    assert one.high - one.low == pytest.approx(2 * half, rel=0.15)
    assert one.n == 60
    with pytest.raises(ValueError, match="at least two levels to draw from"):
        level_interval(sums[:1], lambda s: s[..., 1] / s[..., 0], rng=rng)
    with pytest.raises(ValueError, match="a finite statistic"):
        level_interval(sums, lambda s: s[..., 1] * np.nan, rng=rng)


def known_selectivity(n=1200):
    """Types that recur, a target, and two layers: one holds the target alone, one the type alone (one-hot)."""
    rng = np.random.default_rng(2)
    types = rng.integers(0, 25, n)
    levels = Levels.of(np.arange(n) // 6)
    values = rng.normal(size=25)[types]
    data = TargetData(
        (Target("t", values), Target("c", (values > 0).astype(np.int64), ("no", "yes"))),
        np.arange(n),
        levels,
        (),
    )
    return data, types, values[:, None] + 0.1 * rng.normal(size=(n, 1)), np.eye(25)[types]


def test_selectivity_where_it_is_known():
    data, types, holds_target, holds_type = known_selectivity()
    settings = ProbeSettings(also=(), **QUICK)
    by_layer = {}
    for name, layer in (("target", holds_target), ("type", holds_type)):
        found = study(ArrayFeatures(layer.astype(np.float32)), data, types, settings, 0)
        for one in found.findings:
            if one.probe == "linear":
                column = found.columns[one.target].start
                assert one.score.value("r2") == pytest.approx(found.fit.honest_r2[column], abs=1e-5)
            by_layer[name, one.target] = (
                one.score.value(one.score.main),
                one.control.value(one.control.main),
            )
    # A layer that holds the target reads it and cannot learn the control; one that names the type does both.
    assert by_layer["target", "t"] == pytest.approx((0.99, 0.0), abs=0.1)
    assert by_layer["type", "t"] == pytest.approx((1.0, 1.0), abs=0.01)
    assert by_layer["type", "c"] == pytest.approx((1.0, 1.0), abs=0.01)
    assert by_layer["target", "c"][0] > 0.95 > 0.8 > by_layer["target", "c"][1]


def test_control_tasks():
    rng = np.random.default_rng(3)
    types = types_of([np.array([1, 1, 2, 2, 1]), np.array([0, 0, 0, 5, 5])])
    assert types.tolist() == [0, 0, 2, 3, 1]
    target = Target("t", np.arange(5.0))
    control = control_task(target, types, rng)
    assert control.values[0] == control.values[1]
    assert set(control.values) <= set(target.values)
    assert recurring_share(types, Levels.of(np.array([0, 1, 1, 2, 2]))) == pytest.approx(2 / 5)
    with pytest.raises(ValueError, match="at least two types"):
        control_task(target, np.zeros(5, np.int64), rng)
    with pytest.raises(ValueError, match="were all alike"):
        control_task(Target("t", np.ones(5)), types, rng)


@pytest.mark.slow
def test_a_study_with_everything():
    rng = np.random.default_rng(4)
    levels = Levels.of(np.arange(240) // 4)
    x = rng.normal(size=(240, 5)).astype(np.float32)
    number = x[:, 0] * 2.0 + 0.3 * rng.normal(size=240)
    data = TargetData(
        (Target("n", number.astype(np.float64)), Target("c", (x[:, 1] > 0).astype(np.int64), ("a", "b"))),
        np.arange(240), levels, (),
    )  # fmt: skip
    settings = ProbeSettings(
        also=("monotone", "thresholds", "isotonic", "quantile", "mlp", "description"),
        leave_one_level_out=True,
        **QUICK,
    )
    found = study(ArrayFeatures(x), data, None, settings, 0)
    assert {(one.target, one.probe) for one in found.findings} == {
        ("n", "linear"), ("n", "isotonic"), ("n", "quantile"), ("n", "mlp"), ("c", "logistic"), ("c", "mlp"),
    }  # fmt: skip
    for one in found.findings:
        if one.probe != "mlp":
            assert one.score.value(one.score.main) > 0.85
    assert found.left_out_r2["n"] > 0.9
    assert found.recodings["n"].r2 > 0.9
    assert found.thresholds["n"].auroc[3].value > 0.95
    assert found.descriptions["n"].saved_bits_per_sample > 0.5
    assert found.descriptions["c"].compression > 1.1
    loss, guess = found.pinball["n"]
    assert loss < 0.4 * guess
    few = study(ArrayFeatures(np.tile(x, 60)), data, None, ProbeSettings(also=(), **QUICK), 0)
    assert "ridge only, since there are 160 training samples and 300 dimensions" in few.notes[0]


def test_readings():
    maps = np.arange(2 * 3 * 2 * 4, dtype=np.float32).reshape(2, 3, 2, 4)
    assert Reading.of("flat").apply(maps).shape == (2, 24)
    np.testing.assert_allclose(Reading.of("pooled").apply(maps), maps.mean(axis=(2, 3)))
    np.testing.assert_array_equal(Reading.of("1,3").apply(maps), maps[:, :, 1, 3])
    each = Reading.of("each-position").apply(maps)
    np.testing.assert_array_equal(each[5], maps[0, :, 1, 1])
    assert str(Reading.of("1,3")) == "1,3"
    for text in ("mean", "1", "1,-2", "a,b"):
        with pytest.raises(
            ValueError, match="flat, pooled, each-position, squares such as 4x4 or a position such as 3,4"
        ):
            Reading.of(text)
    with pytest.raises(ValueError, match=r"a position of the 2 x 4 map.*given 2,0"):
        Reading.of("2,0").shape((3, 2, 4))
    with pytest.raises(ValueError, match=r"gives 7 numbers a frame\. Read it flat"):
        Reading.of("each-position").shape((7,))
    picture = np.zeros((1, 64, 64, 3), np.uint8)
    picture[0, :4, 4:8, 2] = 255
    small = small_pictures(picture)
    assert small.shape == (1, 3, 16, 16)
    assert small[0, 2, 0, 1] == 1
    assert small.sum() == 1


class Latents:
    """Anything with `encode` will do."""

    def __init__(self, weights):
        self.weights = torch.from_numpy(weights)

    def encode(self, activation):
        return (activation @ self.weights).relu()


def test_latents_in_place_of_channels():
    rng = np.random.default_rng(5)
    maps = rng.normal(size=(2, 3, 2, 4)).astype(np.float16)
    weights = rng.normal(size=(3, 6)).astype(np.float32)
    given = encoded(Latents(weights), maps)
    by_hand = np.maximum(np.einsum("fcrk,cl->flrk", maps.astype(np.float32), weights), 0)
    np.testing.assert_allclose(given, by_hand, rtol=1e-4, atol=1e-5)
    whole = encoded(Latents(rng.normal(size=(24, 7)).astype(np.float32)), maps)
    assert whole.shape == (2, 7)
    with pytest.raises(ValueError, match="an encoder of 3 channels, or of all 24 numbers"):
        encoded(Latents(np.ones((5, 2), np.float32)), maps)


@pytest.fixture(scope="module")
def network():
    return untrained_impala((2, 3, 5), loudness=40).eval()


@pytest.fixture(scope="module")
def place(tmp_path_factory, network):
    """A checkpoint, and a cache of its activations on made-up frames in which a square moves about."""
    directory = tmp_path_factory.mktemp("probes")
    model_hash = save_checkpoint(
        directory / "network.safetensors", network, CheckpointHeader("impala", OPTIONS)
    )
    rng = np.random.default_rng(6)
    n = 120
    row, col = rng.integers(4, 60, (2, n))
    frames = rng.integers(0, 60, (n, 64, 64, 3), dtype=np.uint8)
    for i in range(n):
        frames[i, row[i] - 4 : row[i] + 4, col[i] - 4 : col[i] + 4] = 250
    read = capture(network, frames, ["conv_out", "fc"], dtype="float32").activations
    table = pa.table(
        {
            "episode": np.arange(n) // 3,
            "step": np.arange(n) % 3,
            "level_seed": np.arange(n) // 3 + 10,
            "done": np.arange(n) % 3 == 2,
            "agent_row": (row // 16 * 16 + 8).astype(np.int32),
            "agent_col": (col // 16 * 16 + 8).astype(np.int32),
            "height": (64 - row).astype(np.float32),
        }
    )
    arrays = {
        "activations/conv_out": ArraySpec((5, 8, 8), "float32"),
        "activations/fc": ArraySpec((16,), "float32"),
        "frames": ArraySpec((64, 64, 3), "uint8"),
    }
    source = {"model": {"weights_hash": model_hash, "architecture": "impala"}}
    for name, kept in (("cache", arrays), ("bare", {k: v for k, v in arrays.items() if k != "frames"})):
        spec = CacheSpec(n, 50, kept, source)
        contents = {f"activations/{k}": v for k, v in read.items()} | {"frames": frames}
        with open_for_writing(directory / name, spec) as writer:
            for block in writer.missing_blocks():
                rows = spec.block_slice(block)
                part = BlockContents(
                    {path: contents[path][rows] for path in kept}, table[rows.start : rows.stop]
                )
                writer.commit(block, write_block(directory / name, spec, block, part))
    return directory


def analyse(place, out, cache="cache", **options):
    settings = ProbeSettings(**({"model": str(place / "network.safetensors"), **QUICK} | options))
    return run_analysis("probe", ANALYSIS, str(place / cache), settings, seed=0, out=out, command="test")


@pytest.fixture(scope="module")
def done(place, tmp_path_factory):
    return analyse(place, tmp_path_factory.mktemp("runs"), target=("height",), hook=("conv_out",))


def test_the_analysis_reads_trained_untrained_and_pixels(done):
    record = done.record
    found = {
        (
            m.id,
            m.where.get("source"),
            m.where.get("hook_point"),
            m.where.get("read"),
            m.where.get("target"),
        ): m
        for m in record.metrics
    }
    for source, hook in (("trained", "conv_out"), ("untrained 0", "conv_out"), ("pixels", "pixels")):
        assert ("probe/r2", source, hook, "flat", "height") in found
    assert found["probe/r2", "pixels", "pixels", "flat", "height"].value > 0.5
    mean = found["probe/guess_mse", "trained", "conv_out", "flat", "height"]
    assert mean.value == pytest.approx(np.var([64 - r for r in range(4, 60)]), rel=0.3)
    for name in ("selectivity", "over_untrained", "over_pixels", "control_r2", "monotone_r2"):
        assert (f"probe/{name}", "trained", "conv_out", "pooled", "height") in found
    names = {path.name for path in record.directory.rglob("*") if path.is_file()}
    assert {
        "report.html",
        "scores.csv",
        "scores_linear.png",
        "recodings.png",
        "contributions.png",
    } <= names
    prose = json.dumps(json.loads((record.directory / "report.json").read_text()))
    assert "40 levels" in prose
    assert "read best at" in prose


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers(place, tmp_path):
    few = {"target": ("agent_row > 30",), "hook": ("fc",), "pixels": False}
    one, two = (analyse(place, tmp_path, **few).record.metrics for _ in range(2))
    assert [(m.key, m.value) for m in one] == [(m.key, m.value) for m in two]
    accuracy = {m.where["source"]: m for m in one if m.id == "probe/accuracy"}
    assert set(accuracy) == {"trained", "untrained 0"}
    assert accuracy["trained"].n == 40, "levels, not frames"


def test_a_cache_without_frames_says_what_is_missing(place, tmp_path):
    record = analyse(place, tmp_path, cache="bare", target=("height",), hook=("fc",), also=()).record
    reasons = {one.id: one.reason for one in record.undefined}
    assert set(reasons) == {"probe/untrained", "probe/pixels"}
    assert all("Build it with --keep-frames" in reason for reason in reasons.values())


@pytest.mark.slow
def test_each_position_finds_the_square(place, tmp_path):
    record = analyse(
        place,
        tmp_path,
        target=("here(agent_row, agent_col)",),
        hook=("conv_out",),
        read=("each-position",),
        also=(),
    ).record
    (found,) = [
        m for m in record.metrics if m.id == "probe/balanced_accuracy" and m.where["source"] == "trained"
    ]
    guess = next(
        m for m in record.metrics if m.id == "probe/guess_accuracy" and m.where["source"] == "trained"
    )
    assert guess.value == pytest.approx(63 / 64)
    assert 0.4 < found.value <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "at least one target"),
        ({"target": ("heigt",)}, "got 'heigt'. Did you mean height"),
        ({"target": ("height",), "hook": ("conv_ou",)}, "Did you mean conv_out"),
        ({"target": ("height",), "folds": 50}, "given 50 folds of 40 levels"),
        ({"target": ("height",), "control_by": ("colour",)}, "tell types apart, got 'colour'"),
        ({"target": ("steps_to_end()",)}, "from the future"),
        ({"target": ("height",), "hook": ("fc",), "read": ("1,1",)}, "16 numbers a frame. Read it flat"),
        (
            {"target": ("height",), "hook": ("fc",), "alphas": (0.0,), "only_where": "episode < 6"},
            "more samples than dimensions",
        ),
    ],
)
def test_mistakes(place, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        analyse(place, tmp_path, **options)


def test_settings_refuse_nonsense():
    for options in (
        {"frames": -1},
        {"memory_frames": 1},
        {"resamples": 5},
        {"read": ()},
        {"alphas": (-1.0,)},
    ):
        with pytest.raises(ValueError, match="expected"):
            ProbeSettings(**options)


def test_a_probe_steers_and_erases_what_it_reads(place, done, network):
    """In the network itself: the reading moves by as much as was asked, or is the same in every frame."""
    cache = ActivationCache.open(place / "cache")
    frames = np.asarray(cache.frames[:16])
    for probe in done.result.probes:
        if probe.target != "height":
            continue

        def reading(network, probe=probe):
            x = capture(network, frames, [probe.hook_point], dtype="float32").activations[probe.hook_point]
            return probe.predict(probe.read.apply(x))

        before = reading(network)
        for along in ("weights", "pattern"):
            with applied(network, probe.steer(by=-3, along=along)):
                np.testing.assert_allclose(
                    reading(network), before - 3, atol=2e-2 * max(1, np.abs(before).max()) / 10
                )
        with applied(network, probe.erase()):
            erased = reading(network)
        mean = probe.predict(probe.mean[None])[0]
        np.testing.assert_allclose(erased, mean, atol=1e-2 * max(1, np.abs(before - mean).max()))
        if probe.hook_point == "conv_out":
            maps = np.asarray(cache.activations("conv_out")[:16])
            contributions = probe.contributions(maps)
            assert contributions.shape == (16, 8, 8)
            np.testing.assert_allclose(contributions.sum(axis=(1, 2)) + mean, before, rtol=1e-4, atol=1e-3)


def test_probes_are_kept(done, tmp_path):
    kept = load_probes(done.record.directory / "probes.safetensors")
    assert len(kept) == len(done.result.probes) == 2
    for one, two in zip(kept, done.result.probes, strict=True):
        assert (one.target, one.hook_point, one.read, one.shape) == (
            two.target,
            two.hook_point,
            two.read,
            two.shape,
        )
        np.testing.assert_array_equal(one.weights, two.weights)
    with pytest.raises(FileNotFoundError, match="no probes at"):
        load_probes(tmp_path / "none.safetensors")
    (tmp_path / "other.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="expected probes in"):
        load_probes(tmp_path / "other.safetensors")
    assert save_probes(kept[:1], tmp_path / "one.safetensors").is_file()


def test_direction_of_a_pattern_by_hand():
    """Two features, the second a copy of the first with noise: the pattern moves both, the weights read the first."""
    rng = np.random.default_rng(7)
    first = rng.normal(size=2000)
    x = np.stack([first, first + 0.5 * rng.normal(size=2000)], axis=1)
    fit = fit_ridge(
        ArrayFeatures(x).batches(), first[:, None], np.arange(2000) % 4, (0.0,), standardise=False
    )
    probe = linear_probe(fit, 0, target="t", hook_point="fc", read="flat", shape=(2,))
    np.testing.assert_allclose(probe.direction("weights"), [1, 0], atol=1e-9)
    np.testing.assert_allclose(probe.direction("pattern"), [1, 1], atol=0.05)
    with pytest.raises(ValueError, match="along='weights' or along='pattern'"):
        probe.direction("up")
    leace = Erase.leace("fc", concept_of(fit.moments.total(), [0]))
    assert leace.rank == 1


def test_untrained_networks(place):
    model = load_network(place / "network.safetensors")
    one, two, again = (untrained_like(model, seed) for seed in (1, 2, 1))
    weights = [next(m.parameters()).detach().numpy() for m in (one, two, again, model.network)]
    assert (weights[0] == weights[2]).all()
    assert all((weights[0] != other).any() for other in (weights[1], weights[3]))
    plain = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
    assert (untrained_like(plain, 0)[0].weight != plain[0].weight).any()

    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = torch.nn.Parameter(torch.ones(1))

    with pytest.raises(ValueError, match="no reset_parameters"):
        untrained_like(Own(), 0)
    assert isinstance(model, LoadedModel)


def test_cached_features_are_the_caches(place):
    cache = ActivationCache.open(place / "cache")
    rows = np.array([0, 3, 49, 50, 119])
    for read, width in (("flat", 320), ("pooled", 5), ("2,3", 5)):
        features = CachedFeatures(cache, "conv_out", read, rows)
        x = np.concatenate([batch.features for batch in features.batches()])
        assert x.shape == (5, width)
        np.testing.assert_allclose(
            x, Reading.of(read).apply(np.asarray(cache.activations("conv_out").oindex[rows])), rtol=1e-6
        )
    pixels = np.concatenate([batch.features for batch in PixelFeatures(cache, "flat", rows).batches()])
    np.testing.assert_allclose(
        pixels[2].reshape(3, 16, 16), small_pictures(np.asarray(cache.frames[49:50]))[0]
    )
    sae = Latents(np.eye(5, 9, dtype=np.float32))
    latents = CachedFeatures(cache, "conv_out", "pooled", rows, encoder=sae)
    assert latents.shape == (9,)
    assert next(iter(latents.batches())).features.shape[1] == 9
