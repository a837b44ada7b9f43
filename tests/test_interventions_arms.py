"""Many arms in one pass give what each gives alone, and the layers before the split run once."""

import numpy as np
import pytest
import torch
from torch import nn
from untrained_impala import noise_frames, untrained_impala

from procscope.activations.capture import capture
from procscope.activations.hooks import hook_modules
from procscope.interventions import arms as arms_module
from procscope.interventions.ablation import MeanAblation, ZeroAblation
from procscope.interventions.apply import applied
from procscope.interventions.arms import run_arms, split_point
from procscope.interventions.effects import action_kl, logit_change, measure_effects


@pytest.fixture
def impala():
    return untrained_impala()


@pytest.fixture
def frames():
    return noise_frames()


ARMS = {
    "conv_out": [(), (ZeroAblation("conv_out", [1]),), (MeanAblation("conv_out", [2, 3], means=[1.0, 2.0]),)],
    "mixed": [(ZeroAblation("fc", [0]), ZeroAblation("conv_out", [5])), (), (ZeroAblation("fc_pre"),)],
    "inside a residual unit": [
        (ZeroAblation("block3.unit1.conv1", [2]),),
        (ZeroAblation("block2.res1", [0]),),
    ],
    "the end": [(ZeroAblation("logits", [0]),), ()],
}


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_is_what_it_is_alone(impala, frames, name):
    parts = list(run_arms(impala, frames, ARMS[name], most_frames=3))
    assert [part.frames for part in parts] == [slice(0, 3), slice(3, 5)]
    logits = np.concatenate([part.logits for part in parts], axis=1)
    value = np.concatenate([part.value for part in parts], axis=1)
    untouched = capture(impala, frames, []).logits
    for i, arm in enumerate(ARMS[name]):
        with applied(impala, *arm):
            alone = capture(impala, frames, [])
        np.testing.assert_allclose(logits[i], alone.logits, atol=1e-5)
        np.testing.assert_allclose(value[i], alone.value, atol=1e-5)
        assert not arm or np.abs(alone.logits - untouched).max() > 1e-4
    assert impala.training
    assert not any(point.has_hooks() for point in impala.hook_points().values())


def test_layers_before_the_split_run_once(impala, frames):
    rows = {}

    def note(activation, hook):
        rows[hook.name] = len(activation)

    with impala.hooks([("block3.res2", note), ("fc_pre", note)]):
        list(run_arms(impala, frames, [(), *[(ZeroAblation("conv_out", [c]),) for c in range(8)]]))
    assert rows == {"block3.res2": 5, "fc_pre": 45}


def test_where_the_batch_can_be_widened(impala, frames):
    assert split_point(impala, frames, ["conv_out"]) == "conv_out"
    assert split_point(impala, frames, ["fc", "conv_out"]) == "conv_out"
    assert split_point(impala, frames, ["fc"]) == "fc"
    assert split_point(impala, frames, ["value"]) == "fc", "the logits do not pass through the value"
    assert split_point(impala, frames, ["block1.unit1.conv1"]) not in (
        "block1.unit1.conv1",
        "block1.unit1.relu1",
    )


def test_any_module_and_repeated_input():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.tail = nn.Linear(4, 3), nn.Linear(4, 3), nn.Linear(3, 5)

        def forward(self, x):
            return self.tail(self.one(x) * self.two(x))

    torch.manual_seed(0)
    module, x = Branches(), torch.rand(6, 4)
    assert split_point(module, x, ["one"]) is None
    assert split_point(module, x, ["tail"]) == "tail"
    arms = [(ZeroAblation("one", [0]),), (ZeroAblation("two", [1, 2]),)]
    for network in (module, hook_modules(module)):
        (part,) = run_arms(network, x, arms)
        assert part.value is None
        with torch.no_grad():
            a, b = module.one(x), module.two(x)
            first = module.tail(torch.cat([a[:, :1] * 0, a[:, 1:]], 1) * b)
            second = module.tail(a * torch.cat([b[:, :1], b[:, 1:] * 0], 1))
        np.testing.assert_allclose(part.logits, torch.stack([first, second]), atol=1e-6)


def test_wide_batches_stay_within_the_memory_asked_for(impala, frames, monkeypatch):
    monkeypatch.setattr(arms_module, "WIDE_BYTES", 2 * 4 * 8 * 8 * 8 * 4)  # two frames, four arms of conv_out
    arms = [(ZeroAblation("conv_out", [c]),) for c in range(4)]
    assert [part.frames.stop - part.frames.start for part in run_arms(impala, frames, arms)] == [2, 2, 1]


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ([], "one arm"),
        ([(ZeroAblation("conv"),)], "expected the name of a hook point"),
        ([(ZeroAblation("conv_out", [8]),)], "from 0 to 7"),
    ],
)
def test_misuse(impala, frames, arms, message):
    with pytest.raises(ValueError, match=message):
        list(run_arms(impala, frames, arms))
    assert not any(point.has_hooks() for point in impala.hook_points().values())


def test_a_module_used_twice_is_refused():
    shared = nn.Linear(4, 4)
    with pytest.raises(ValueError, match="passes 2 times"):
        run_arms(nn.Sequential(shared, nn.ReLU(), shared), torch.rand(3, 4), [(ZeroAblation("0"),)])


def test_divergence_and_logit_change_by_hand():
    untouched = np.log(np.array([[0.5, 0.25, 0.25]]))
    arm = np.log(np.array([[[0.25, 0.5, 0.25]], [[0.5, 0.25, 0.25]]])) + 3  # a shift changes nothing
    np.testing.assert_allclose(action_kl(untouched, arm), [[0.25 * np.log(2)], [0]], atol=1e-12)
    # logits change by -log 2, + log 2, 0: mean square 2/3 log(2)^2
    np.testing.assert_allclose(logit_change(untouched, arm), [[np.log(2) * np.sqrt(2 / 3)], [0]], atol=1e-12)


def test_divergence_is_what_scipy_says():
    entropy = pytest.importorskip("scipy.stats").entropy
    rng = np.random.default_rng(0)
    untouched, arms = rng.normal(size=(6, 15)) * 4, rng.normal(size=(3, 6, 15)) * 4
    p, q = (np.exp(a) / np.exp(a).sum(-1, keepdims=True) for a in (untouched, arms))
    np.testing.assert_allclose(action_kl(untouched, arms), entropy(p[None], q, axis=-1), rtol=1e-9)


def test_effects_of_arms(impala, frames):
    effects = measure_effects(impala, [frames[:3], frames[3:]], [(), (ZeroAblation("conv_out"),)])
    assert effects.action_kl.shape == (2, 5)
    assert (effects.action_kl[0] < 1e-9).all()
    assert effects.keeps_move[0].all()
    assert (effects.action_kl[1] > 1e-4).all()
    assert len(set(effects.move[1])) == 1, "without conv_out every frame is alike"
    with pytest.raises(ValueError, match="value alone"):
        measure_effects(
            nn.Sequential(nn.Linear(4, 1)), [np.zeros((2, 4), np.float32)], [(ZeroAblation("0"),)]
        )


def test_a_network_that_gives_nan_is_refused(impala, frames):
    with torch.no_grad():
        impala.policy_head.bias[0] = torch.nan
    with pytest.raises(ValueError, match="logits and value are finite"):
        run_arms(impala, frames, ARMS["conv_out"])
