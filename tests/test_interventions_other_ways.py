"""Every kind of intervention equals another way to the same thing, on IMPALA and on a network with a memory."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from untrained_impala import noise_frames, untrained_impala

from procscope.activations.capture import capture
from procscope.activations.channel_statistics import channel_statistics
from procscope.activations.hooks import hook_modules
from procscope.agents.networks.drc import Drc
from procscope.interventions.ablation import MeanAblation, MinAblation, ZeroAblation
from procscope.interventions.apply import applied
from procscope.interventions.arms import run_arms
from procscope.interventions.concept_erasure import concept_statistics, leace_eraser
from procscope.interventions.erase import Erase
from procscope.interventions.intervention import Rows
from procscope.interventions.patch import Patch
from procscope.interventions.resample import ResampleAblation
from procscope.interventions.scale import Clamp, Scale
from procscope.interventions.shift import ShiftMap
from procscope.interventions.splice import SpliceLatent
from procscope.interventions.spot import SetSpot
from procscope.interventions.steer import Steer


@pytest.fixture(scope="module")
def impala():
    return untrained_impala().eval()


@pytest.fixture(scope="module")
def frames():
    return noise_frames()


def logits(network, frames, *interventions):
    with applied(network, *interventions):
        return capture(network, frames, []).logits


def activation(network, frames, hook_point, *interventions):
    with applied(network, *interventions):
        return capture(network, frames, [hook_point], dtype="float32").activations[hook_point]


def assert_same(network, frames, one, other):
    """Both interventions give the same logits, and not those of the untouched network."""
    np.testing.assert_allclose(logits(network, frames, one), logits(network, frames, other), atol=2e-5)
    assert np.abs(logits(network, frames, one) - logits(network, frames)).max() > 1e-3


def test_a_patch_from_the_same_frames_changes_nothing(impala, frames):
    for hook_point in ("block1.pool", "conv_out", "fc"):
        own = activation(impala, frames, hook_point)
        patch = Patch.of(own, hook_point, per_frame=True)
        np.testing.assert_allclose(logits(impala, frames, patch), logits(impala, frames), atol=1e-5)


@pytest.mark.parametrize("hook_point", ["block2.res2", "conv_out", "fc"])
def test_everything_patched_gives_the_sources_output(impala, frames, hook_point):
    sources = frames[[3, 4, 0, 1, 2]]
    patch = Patch.from_frames(impala, sources, hook_point)
    np.testing.assert_allclose(logits(impala, frames, patch), logits(impala, sources), atol=1e-5)
    assert np.abs(logits(impala, frames) - logits(impala, sources)).max() > 1e-3
    of_one = Patch.from_frames(impala, frames[2:3], hook_point)
    np.testing.assert_allclose(
        logits(impala, frames, of_one), np.repeat(logits(impala, frames[2:3]), 5, axis=0), atol=1e-5
    )


def test_patching_channel_by_channel_patches_everything(impala, frames):
    source = activation(impala, frames[[4, 3, 2, 1, 0]], "conv_out")
    each = [Patch.of(source, "conv_out", [channel]) for channel in range(8)]
    whole = Patch.of(source, "conv_out")
    np.testing.assert_allclose(logits(impala, frames, *each), logits(impala, frames, whole), atol=1e-5)


def test_steering_by_minus_the_activation_is_zero_ablation(impala, frames):
    own = activation(impala, frames[:1], "conv_out")[0]
    assert_same(impala, frames[:1], Steer("conv_out", vector=own, strength=-1), ZeroAblation("conv_out"))
    part = Steer("conv_out", [2, 5], vector=own[[2, 5]], strength=-1)
    assert_same(impala, frames[:1], part, ZeroAblation("conv_out", [2, 5]))


def test_steering_the_last_layer_moves_the_logits_by_its_weights(impala, frames):
    vector = np.random.default_rng(0).normal(size=16).astype(np.float32)
    moved = logits(impala, frames, Steer("fc", vector=vector, strength=2)) - logits(impala, frames)
    expected = 2 * impala.policy_head.weight.detach().numpy() @ vector
    np.testing.assert_allclose(moved, np.repeat(expected[None], 5, axis=0), rtol=1e-3, atol=1e-3)


def test_scaling_by_zero_and_clamping_to_a_number(impala, frames):
    assert_same(impala, frames, Scale("conv_out", [1, 4], factor=0), ZeroAblation("conv_out", [1, 4]))
    clamp = Clamp("conv_out", [1], low=0.3, high=0.3)
    assert_same(impala, frames, clamp, MeanAblation("conv_out", [1], means=[0.3]))


def test_scaling_equals_scaling_the_weights_that_read_it(impala, frames):
    loudest = int(activation(impala, frames, "fc").sum(axis=0).argmax())
    scaled = logits(impala, frames, Scale("fc", [loudest], factor=-1.5))
    other = untrained_impala().eval()
    with torch.no_grad():
        other.policy_head.weight[:, loudest] *= -1.5
    np.testing.assert_allclose(scaled, logits(other, frames), atol=1e-5)
    assert np.abs(scaled - logits(impala, frames)).max() > 1e-3


def test_the_minimum_is_the_least_value_seen(impala, frames):
    own = activation(impala, frames, "block3.res2")
    statistics = channel_statistics(own)
    after = activation(impala, frames, "block3.res2", MinAblation.of(statistics, "block3.res2", [1, 6]))
    for channel in (1, 6):
        np.testing.assert_allclose(after[:, channel], own[:, channel].min(), rtol=1e-6)
    np.testing.assert_array_equal(np.delete(after, [1, 6], axis=1), np.delete(own, [1, 6], axis=1))


def test_resampling_is_the_patch_from_the_frames_drawn(impala, frames):
    bank = activation(impala, frames, "conv_out")
    one = ResampleAblation.of(bank, "conv_out", [1, 3], seed=2, leave_own_out=True)
    drawn = one.drawn(Rows(np.arange(5)))
    assert (drawn != np.arange(5)).all()
    assert_same(impala, frames, one, Patch.of(bank[drawn], "conv_out", [1, 3]))


def test_a_spot_is_a_patch_of_that_map(impala, frames):
    own = activation(impala, frames, "conv_out")
    wanted = np.zeros_like(own[:, [4]])
    wanted[:, 0, 2, 6] = 7
    assert_same(
        impala,
        frames,
        SetSpot("conv_out", [4], spot=(2, 6), value=7),
        Patch("conv_out", [4], values=wanted, per_frame=True),
    )
    wanted = own[:, [4]].copy()
    wanted[:, 0, 1:4, 5:8] = 7
    spot = SetSpot("conv_out", [4], spot=(2, 6), value=7, rest="untouched", radius=1)
    assert_same(impala, frames, spot, Patch("conv_out", [4], values=wanted, per_frame=True))
    statistics = channel_statistics(own)
    tenfold = SetSpot.times_maximum(statistics, "conv_out", [4], spot=(2, 6), times=10)
    assert tenfold.value == (pytest.approx(10 * own[:, 4].max(), rel=1e-5),)
    assert SetSpot.of(statistics, "conv_out", [4], spot=(2, 6), value=1).means == (
        pytest.approx(own[:, 4].mean(), rel=1e-5),
    )


def test_there_and_back_is_nothing_for_wrapped_shifts(impala, frames):
    there = ShiftMap("conv_out", [0, 3], down=3, right=-2, border="wrap")
    back = ShiftMap("conv_out", [0, 3], down=-3, right=2, border="wrap")
    np.testing.assert_allclose(logits(impala, frames, there, back), logits(impala, frames), atol=1e-5)
    shifted = np.roll(activation(impala, frames, "conv_out")[:, [0, 3]], (3, -2), (2, 3))
    assert_same(impala, frames, there, Patch("conv_out", [0, 3], values=shifted, per_frame=True))


def test_erasing_a_channels_axis_is_zeroing_the_channel(impala, frames):
    axis = np.zeros(8)
    axis[5] = 3.0
    assert_same(impala, frames, Erase.directions("conv_out", axis), ZeroAblation("conv_out", [5]))
    whole = np.zeros((2, 8, 8, 8))
    whole[0, 5, 1, 2], whole[1, 0, 7, 7] = 1, 2
    positions = (
        ZeroAblation("conv_out", [5], positions=[(1, 2)]),
        ZeroAblation("conv_out", [0], positions=[(7, 7)]),
    )
    erased = activation(impala, frames, "conv_out", Erase.directions("conv_out", whole.reshape(2, -1)))
    np.testing.assert_allclose(erased, activation(impala, frames, "conv_out", *positions), atol=1e-5)


def test_an_identity_autoencoder_makes_latents_channels(impala, frames):
    class Identity(torch.nn.Module):
        def encode(self, activation):
            return activation

        def decode(self, latents):
            return latents

    for keep_error in (True, False):
        ablated = SpliceLatent(
            "conv_out", autoencoder=Identity(), latents=[2], scale=0, keep_error=keep_error
        )
        assert_same(impala, frames, ablated, ZeroAblation("conv_out", [2]))
    unchanged = SpliceLatent("conv_out", autoencoder=Identity(), keep_error=False)
    np.testing.assert_allclose(logits(impala, frames, unchanged), logits(impala, frames), atol=1e-5)


def test_steering_along_a_decoder_direction_is_adding_to_its_latent(impala, frames):
    torch.manual_seed(3)
    sae = torch.nn.Module()
    encoder, decoder = torch.nn.Linear(8, 20), torch.nn.Linear(20, 8)
    sae.add_module("encoder", encoder)
    sae.add_module("decoder", decoder)
    sae.encode = lambda x: encoder(x).relu()
    sae.decode = decoder
    added = SpliceLatent("conv_out", autoencoder=sae, latents=[7], add=4)
    direction = Steer("conv_out", vector=decoder.weight[:, 7], strength=4)
    assert_same(impala, frames, added, direction)


# -- Concepts --


def concept_data(n=600, seed=0):
    """Three classes that shift and skew eight correlated dimensions, one of them constant."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    x = rng.normal(size=(n, 8)) @ rng.normal(size=(8, 8)) + 3 * rng.normal(size=(3, 8))[labels]
    x[:, 6] = 2.5
    return x.astype(np.float32), labels


def test_after_leace_no_linear_probe_does_better_than_the_mean():
    x, labels = concept_data()
    before = LogisticRegression(max_iter=5000).fit(x, labels).score(x, labels)
    parts = [(x[i : i + 100], labels[i : i + 100]) for i in range(0, 600, 100)]
    erase = Erase.leace("fc", concept_statistics(parts, classes=range(3)))
    assert erase.rank == 2, "three classes differ in two directions"
    after = erase.replaced(torch.from_numpy(x)).numpy()
    most_common = np.bincount(labels).max() / len(labels)
    assert before > most_common + 0.2
    fit = LogisticRegression(max_iter=5000, C=1e6).fit(after - after.mean(0), labels)
    loss = -np.log(fit.predict_proba(after - after.mean(0))[np.arange(600), labels]).mean()
    shares = np.bincount(labels) / 600
    assert loss == pytest.approx(-(shares * np.log(shares)).sum(), abs=1e-5), (
        "that of always the class shares"
    )
    for klass in range(3):
        ridge = Ridge(alpha=1e-3).fit(after, labels == klass)
        assert ridge.score(after, labels == klass) < 1e-5
    np.testing.assert_allclose(after.mean(0), x.mean(0), atol=1e-4)
    np.testing.assert_allclose(after[:, 6], 2.5, atol=1e-5)


def test_leace_changes_least_of_all_erasures():
    x, labels = concept_data(seed=1)
    statistics = concept_statistics([(x, labels)])
    z = np.eye(3)[labels]
    cross = (x - x.mean(0)).T.astype(float) @ (z - z.mean(0)) / len(x)
    np.testing.assert_allclose(statistics.cross_covariance, cross, atol=1e-5)
    erased = Erase.leace("fc", statistics).replaced(torch.from_numpy(x)).numpy()
    cost = ((erased - x) ** 2).sum(1).mean()
    # Other linear erasures: projections off the columns of the cross-covariance, orthogonal and along random others.
    columns = np.linalg.svd(cross)[0][:, :2]
    rng = np.random.default_rng(0)
    for trial in range(20):
        into = columns if trial == 0 else columns + 0.3 * rng.normal(size=columns.shape)
        oblique = into @ np.linalg.inv(columns.T @ into) @ columns.T
        other = x - (x - x.mean(0)) @ (np.eye(8) - (np.eye(8) - oblique)).T
        kept = (other - other.mean(0)).T @ (z - z.mean(0)) / len(x)
        if np.abs(kept).max() < 1e-4:
            assert ((other - x) ** 2).sum(1).mean() >= cost - 1e-4
    orthogonal = (x - x.mean(0)) @ columns @ columns.T
    assert (orthogonal**2).sum(1).mean() > cost * 1.01


def test_streamed_statistics_are_those_of_all_at_once():
    x, labels = concept_data(300)
    whole = concept_statistics([(x, labels)])
    parts = concept_statistics(
        [(x[:1], labels[:1]), (x[1:200], labels[1:200]), (x[200:], labels[200:])], range(3)
    )
    np.testing.assert_allclose(parts.covariance, whole.covariance, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(parts.cross_covariance, whole.cross_covariance, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(whole.covariance, np.cov(x.T.astype(float), bias=True), atol=1e-9)


def test_numbers_can_be_erased_and_maps_are_flattened():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(200, 3, 2, 2)).astype(np.float32)
    place = maps[:, 0, 1, 0] * 2 + maps[:, 2, 0, 0] + 0.1 * rng.normal(size=200)
    erase = Erase.leace("conv_out", concept_statistics([(maps, place)]))
    after = erase.replaced(torch.from_numpy(maps)).numpy().reshape(200, -1)
    assert Ridge(alpha=1e-6).fit(maps.reshape(200, -1), place).score(maps.reshape(200, -1), place) > 0.99
    assert Ridge(alpha=1e-6).fit(after, place).score(after, place) < 1e-6
    assert after.shape == (200, 12)


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([], "at least two samples"),
        ([(np.zeros((3, 2)), np.zeros(2, int))], "a label for each"),
        ([(np.full((3, 2), np.nan), np.zeros(3, int))], "6 and 0 numbers"),
        ([(np.ones((2, 2)), np.array([0, 1])), (np.ones((1, 3)), np.array([1]))], "batches alike"),
        ([(np.ones((2, 2)), np.array([0, 1])), (np.ones((1, 2)), np.array([2]))], "Say which there are"),
    ],
)
def test_statistics_of_concepts_refuse(batches, message):
    with pytest.raises(ValueError, match=message):
        concept_statistics(batches)


def test_a_concept_that_cannot_be_read_is_not_erased():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(50, 3))] * 2)
    with pytest.raises(ValueError, match="no linear read-out finds"):
        leace_eraser(concept_statistics([(x, np.repeat([0, 1], 50))]))


# -- Networks with a memory --


@pytest.fixture(scope="module")
def drc():
    torch.manual_seed(0)
    return Drc(channels=4, layers=2, ticks=2, map_size=8, hidden=16).eval()


def unrolled(network, frames, *interventions):
    """Logits of an episode's frames one after the other."""
    state, out = network.initial_state(1), []
    with torch.no_grad(), applied(network, *interventions):
        for frame in frames:
            output = network(torch.from_numpy(frame).permute(2, 0, 1)[None], state)
            state = output.state
            out.append(output.logits)
    return torch.cat(out).numpy()


def test_in_a_network_with_a_memory_it_acts_at_every_step(drc, frames):
    seen = []
    hook = ("layer2.tick1.hidden", lambda a, hook: seen.append(a.clone()))
    with drc.hooks([hook]):
        untouched = unrolled(drc, frames)
    assert len(seen) == 5
    zero = ZeroAblation("layer2.tick1.hidden", [1])
    seen.clear()
    with applied(drc, zero), drc.hooks([hook]):
        zeroed = unrolled(drc, frames)
    assert len(seen) == 5
    assert all((one[:, 1] == 0).all() for one in seen)
    assert np.abs(zeroed - untouched).max(axis=1).min() > 1e-6, "from the first step on"
    np.testing.assert_array_equal(zeroed, unrolled(drc, frames, zero))


def test_zeroing_the_state_handed_on_is_forgetting(drc, frames):
    forgetful = unrolled(drc, frames, ZeroAblation("state_in"))
    fresh = np.concatenate([unrolled(drc, frames[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(forgetful, fresh, atol=1e-6)
    assert np.abs(forgetful - unrolled(drc, frames))[1:].max() > 1e-5


def test_single_frames_of_a_network_with_a_memory_begin_episodes(drc, frames):
    zero = ZeroAblation("layer1.tick1.hidden", [0])
    (part,) = run_arms(drc, frames, [(), (zero,)])
    fresh = np.concatenate([unrolled(drc, frames[i : i + 1]) for i in range(5)])
    zeroed = np.concatenate([unrolled(drc, frames[i : i + 1], zero) for i in range(5)])
    np.testing.assert_allclose(part.logits, np.stack([fresh, zeroed]), atol=1e-5)
    assert np.abs(fresh - zeroed).max() > 1e-6


def test_a_place_that_passes_several_times_is_changed_every_time(drc, frames):
    wrapped = hook_modules(drc, ["layer1.weights_maps"])
    seen = []
    with (
        applied(wrapped, ZeroAblation("layer1.weights_maps")),
        wrapped.hooks([("layer1.weights_maps", lambda a, hook: seen.append(float(a.abs().max())))]),
    ):
        unrolled(drc, frames[:3])
    assert seen == [0.0] * 6, "two ticks a frame"
    with pytest.raises(ValueError, match="passes"):
        list(
            run_arms(
                torch.nn.Sequential(shared := torch.nn.Linear(4, 4), shared),
                torch.rand(3, 4),
                [(ZeroAblation("0"),)],
            )
        )
