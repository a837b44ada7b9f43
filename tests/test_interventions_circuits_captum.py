"""GradCAM by hand; integrated gradients and occlusion against Captum's own; for policies, values and rewards."""

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, Occlusion
from torch import nn

from procscope.activations.hooks import HookedNetwork, HookPoint, hook_modules
from procscope.interventions.circuits.captum_forward import captum_forward
from procscope.interventions.circuits.grad_cam import grad_cam
from procscope.interventions.circuits.integrated_gradients import integrated_gradients
from procscope.interventions.circuits.metrics import ActionLogit, ActionReward, LogitDifference, Value
from procscope.interventions.circuits.occlusion import occlusion
from procscope.rewardnets.network import RewardNetwork


class Small(HookedNetwork):
    """A 2-channel map of 4 x 4, then logits and a value."""

    def __init__(self) -> None:
        super().__init__()
        self.weights, self.heads = nn.Conv2d(3, 2, 2, stride=2), nn.Linear(32, 4)
        self.map, self.vector = HookPoint(), HookPoint()
        self.setup()

    def forward(self, frames):
        hidden = self.map(self.weights(frames.float() / 255).relu())
        outputs = self.heads(self.vector(hidden.flatten(1)))
        return _Output(outputs[:, :3], outputs[:, 3])


class _Output:
    def __init__(self, logits, value):
        self.logits, self.value = logits, value


class Reward(nn.Module):
    """A reward network: one number a frame."""

    def __init__(self) -> None:
        super().__init__()
        self.maps, self.last = nn.Conv2d(3, 2, 2, stride=2), nn.Linear(32, 1)

    def forward(self, frames):
        return self.last(self.maps(frames.float() / 255).flatten(1))[:, 0]


@pytest.fixture(scope="module")
def network() -> Small:
    torch.manual_seed(0)
    return Small().eval()


FRAMES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
INPUTS = torch.from_numpy(FRAMES).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize(("metric", "row"), [(ActionLogit(2), 2), (Value(), 3)])
def test_grad_cam_by_hand(network, metric, row):
    """The metric is linear in the map, so its gradient is the head's weights."""
    maps = network.run_with_cache(INPUTS, names_filter="map")[1]["map"]
    weights = network.heads.weight[row].detach().reshape(2, 4, 4).mean(dim=(1, 2))
    expected = (weights[:, None, None] * maps).sum(dim=1).numpy()
    found = grad_cam(network, FRAMES, metric, "map")
    np.testing.assert_allclose(found.per_place, expected, rtol=1e-4, atol=1e-6)
    cut = grad_cam(network, FRAMES, metric, "map", relu=True)
    np.testing.assert_allclose(cut.per_place, expected.clip(min=0), rtol=1e-4, atol=1e-6)
    assert not any(point.has_hooks() for point in network.hook_points().values())
    assert all(weight.grad is None for weight in network.parameters())


def test_grad_cam_of_a_reward_network_by_its_modules():
    reward = Reward()
    plain = grad_cam(reward, FRAMES, Value(), "maps")
    hooked = grad_cam(hook_modules(reward, ["maps"]), FRAMES, Value(), "maps")
    assert plain.per_place.shape == (3, 4, 4)
    np.testing.assert_allclose(plain.per_place, hooked.per_place)
    np.testing.assert_allclose(plain.output, reward(INPUTS).detach(), rtol=1e-5)


def test_the_reward_of_an_action_of_transitions():
    """All three methods take pictures of six channels; the sum of integrated gradients is the change of the reward."""
    torch.manual_seed(1)
    reward = RewardNetwork(width=1 / 48).eval()
    transitions = np.random.default_rng(2).integers(0, 256, (2, 16, 16, 6), dtype=np.uint8)
    metric = ActionReward([3, 7])
    with torch.no_grad():
        rewards = reward(torch.from_numpy(transitions).permute(0, 3, 1, 2)).rewards
        black = reward(torch.zeros(1, 6, 16, 16)).rewards[0]
    found = integrated_gradients(reward, transitions, metric)
    assert found.attribution.shape == transitions.shape
    np.testing.assert_allclose(found.output, rewards[[0, 1], [3, 7]], rtol=1e-5)
    np.testing.assert_allclose(
        found.attribution.sum(axis=(1, 2, 3)), rewards[[0, 1], [3, 7]] - black[[3, 7]], rtol=0.02, atol=1e-4
    )
    covered = occlusion(reward, transitions, metric, window_pixels=16, stride_pixels=16)
    np.testing.assert_allclose(covered.drop[:, 0, 0], rewards[[0, 1], [3, 7]] - black[[3, 7]], atol=1e-5)
    assert grad_cam(reward, transitions, metric, "layer4").per_place.shape == (2, 16, 16)
    with pytest.raises(ValueError, match="needs rewards"):
        grad_cam(Small(), FRAMES, metric.where(np.array([0, 1, 1])), "map")


@pytest.mark.parametrize("metric", [LogitDifference([0, 1, 2], [1, 2, 0]), Value()])
def test_integrated_gradients_and_occlusion_as_captums(network, metric):
    numbers = torch.arange(3)
    forward = captum_forward(network, metric)
    ours = integrated_gradients(network, FRAMES, metric, steps=512, most_steps=512).attribution
    theirs = IntegratedGradients(forward).attribute(
        INPUTS, additional_forward_args=numbers, n_steps=512, method="riemann_middle"
    )
    np.testing.assert_allclose(ours, theirs.permute(0, 2, 3, 1).detach(), atol=1e-4)
    covered = occlusion(network, FRAMES, metric, window_pixels=4, stride_pixels=2).drop
    windows = Occlusion(forward).attribute(
        INPUTS, (3, 4, 4), strides=(3, 4, 4), additional_forward_args=numbers, baselines=0
    )
    np.testing.assert_allclose(covered[:, ::2, ::2], windows[:, 0, ::4, ::4].detach(), atol=1e-4)


def test_bad_input_says_what_is_expected(network):
    with pytest.raises(ValueError, match="Did you mean map"):
        grad_cam(network, FRAMES, Value(), "mop")
    with pytest.raises(ValueError, match="'vector'"):
        grad_cam(network, FRAMES, Value(), "vector")
    with pytest.raises(ValueError, match="at least one uint8 picture"):
        grad_cam(network, FRAMES.astype(float), Value(), "map")
