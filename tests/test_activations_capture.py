"""Captured activations: equal to a plain forward pass, one row per observation, the model unchanged."""

import gymnasium
import numpy as np
import pytest
import torch
from torch import nn

from procscope.activations.capture import capture
from procscope.activations.forward import read_network, to_input
from procscope.activations.hooks import HookedNetwork, HookPoint


class SmallPolicy(HookedNetwork):
    """A convolution and two heads, with dropout, so that training mode would show."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Conv2d(3, 4, 3, stride=2)
        self.heads = nn.Linear(4 * 3 * 3, 6)
        self.dropout = nn.Dropout(0.5)
        self.conv = HookPoint()
        self.setup()

    def forward(self, frames):
        hidden = self.conv(self.weights(frames.float() / 255).relu())
        outputs = self.heads(self.dropout(hidden.flatten(1)))
        return torch.return_types.max((outputs[:, :5], outputs[:, 5]))


class LogitsAndValue(SmallPolicy):
    """The same, as networks here return it."""

    def forward(self, frames):
        logits, value = super().forward(frames)
        return type("Output", (), {"logits": logits, "value": value})


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 256, (11, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def policy():
    torch.manual_seed(0)
    return LogitsAndValue().train()


def test_rows_are_those_of_a_forward_pass(policy, frames):
    captured = capture(policy, frames, ["conv"], batch_size=4, dtype="float32")
    policy.eval()
    inputs = torch.tensor(frames.transpose(0, 3, 1, 2).copy())
    for i in range(11):
        with torch.no_grad():
            output, activations = policy.run_with_cache(inputs[i : i + 1])
        np.testing.assert_allclose(captured.activations["conv"][i], activations["conv"][0], atol=1e-6)
        np.testing.assert_allclose(captured.logits[i], output.logits[0], atol=1e-5)
        np.testing.assert_allclose(captured.value[i], output.value[0], atol=1e-5)
    assert len(captured) == 11
    half = capture(policy, frames, ["conv"], batch_size=4)
    np.testing.assert_array_equal(half.activations["conv"], captured.activations["conv"].astype(np.float16))
    assert half.activations["conv"].dtype == np.float16


def test_the_model_is_left_as_it_was(policy, frames):
    policy.dropout.train()
    policy.weights.eval()
    before = {name: tensor.clone() for name, tensor in policy.state_dict().items()}
    flags = [module.training for module in policy.modules()]
    capture(policy, frames, ["conv"])
    with pytest.raises(ValueError, match="conv"):
        capture(policy, frames, ["convs"])
    assert [module.training for module in policy.modules()] == flags
    assert all(torch.equal(tensor, before[name]) for name, tensor in policy.state_dict().items())
    assert not policy.conv.has_hooks()
    assert torch.is_grad_enabled()


def test_hooks_already_there_act(policy, frames):
    with policy.hooks([("conv", lambda a, hook: a * 0 + 7)]):
        assert (capture(policy, frames, ["conv"]).activations["conv"] == 7).all()


@pytest.mark.parametrize(
    ("model", "hook", "message"),
    [
        (nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (-1, 96))), "0", "one row for each"),
        (nn.Sequential(nn.Flatten(), relu := nn.ReLU(), relu), "1", "passed twice"),
    ],
)
def test_other_than_one_row_per_observation_is_refused(model, hook, message):
    with pytest.raises(ValueError, match=message):
        capture(model, torch.zeros(4, 192), [hook])


def test_nothing_to_capture_and_too_large_for_float16(policy, frames):
    with pytest.raises(ValueError, match="at least one observation"):
        capture(policy, frames[:0], ["conv"])
    with policy.hooks([("conv", lambda a, hook: a * 0 + 1e5)]):
        with pytest.raises(ValueError, match="Keep float32"):
            capture(policy, frames, ["conv"])
        assert capture(policy, frames, ["conv"], dtype="float32").activations["conv"].max() == 1e5


def test_what_outputs_mean():
    x = torch.ones(3, 4)
    assert read_network(nn.Linear(4, 5), x).logits.shape == (3, 5)
    assert read_network(nn.Linear(4, 1), x).value.shape == (3,)
    with pytest.raises(ValueError, match="returned tuple"):
        read_network(nn.LSTM(4, 5), x)


def test_frames_become_channel_first_without_a_copy(frames):
    tensor = to_input(frames)
    assert tensor.shape == (11, 3, 8, 8)
    assert tensor.is_contiguous(memory_format=torch.channels_last)
    assert tensor[2, 1, 3, 4] == frames[2, 3, 4, 1]


@pytest.mark.parametrize("share", [True, False])
def test_a_stable_baselines3_policy_gives_one_row_per_observation(share):
    policies = pytest.importorskip("stable_baselines3.common.policies")
    space = gymnasium.spaces.Box(0, 255, (3, 64, 64), np.uint8)
    torch.manual_seed(0)
    policy = policies.ActorCriticCnnPolicy(
        space, gymnasium.spaces.Discrete(15), lambda _: 1e-3, share_features_extractor=share
    )
    frames = np.random.default_rng(1).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    hook = "features_extractor.cnn.5" if share else "pi_features_extractor.cnn.5"
    captured = capture(policy, frames, [hook], batch_size=2)
    observations = torch.tensor(frames.transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        values, _, _ = policy.evaluate_actions(observations, torch.zeros(5))
        distribution = policy.get_distribution(observations).distribution
    np.testing.assert_allclose(captured.value, values[:, 0], atol=1e-5)
    normalised = captured.logits - np.log(np.exp(captured.logits).sum(1, keepdims=True))
    np.testing.assert_allclose(normalised, distribution.logits, atol=1e-5)
    assert captured.activations[hook].shape == (5, 64, 4, 4)
