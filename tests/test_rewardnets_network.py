"""The reward network: its topology, its inputs, its hook points."""

import numpy as np
import pytest
import torch

from procscope.activations.capture import capture
from procscope.rewardnets.network import RewardNetwork, pairs_to_input


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (2, 4, 64, 64, 3), dtype=np.uint8)


def test_topology_is_the_dissertations():
    network = RewardNetwork()
    shapes = [tuple(convolution.weight.shape) for convolution in network.convolutions]
    assert shapes == [
        (96, 6, 3, 3),
        (256, 96, 3, 3),
        (384, 256, 3, 3),
        (384, 384, 3, 3),
        (256, 384, 3, 3),
    ]
    assert all(c.stride == (1, 1) and c.padding == (1, 1) for c in network.convolutions)
    assert tuple(network.head.weight.shape) == (15, 256)


def test_forward_is_what_the_text_says(pictures):
    """Against a plain chain of torch's functions."""
    network = RewardNetwork(width=1 / 16)
    x = torch.from_numpy(np.concatenate(list(pictures), axis=-1)).permute(0, 3, 1, 2) / 255
    for convolution in network.convolutions:
        x = torch.relu(torch.nn.functional.conv2d(x, convolution.weight, convolution.bias, padding=1))
    expected = x.mean((2, 3)) @ network.head.weight.T + network.head.bias
    torch.testing.assert_close(network(pairs_to_input(*pictures)).rewards, expected)


def test_hook_points_and_their_shapes(pictures):
    network = RewardNetwork(width=1 / 16, shrink=2)
    _, found = network.run_with_cache(pairs_to_input(*pictures))
    shapes = {name: tuple(value.shape) for name, value in found.items()}
    channels = (6, 16, 24, 24, 16)
    expected = {
        f"layer{layer}{when}": (4, channels[layer], 32, 32) for layer in range(5) for when in ("_pre", "")
    }
    assert shapes == expected | {"pooled": (4, 16), "rewards": (4, 15)}
    torch.testing.assert_close(found["layer2"], found["layer2_pre"].relu())


@pytest.mark.parametrize(("inputs", "blind_to"), [("next", 0), ("frame", 1)])
def test_inputs_left_out_change_nothing(pictures, inputs, blind_to):
    network = RewardNetwork(width=1 / 16, inputs=inputs)
    before = network(pairs_to_input(*pictures)).rewards
    changed = pictures.copy()
    changed[blind_to] = 255 - changed[blind_to]
    torch.testing.assert_close(network(pairs_to_input(*changed)).rewards, before, rtol=0, atol=0)
    changed[1 - blind_to] = 255 - changed[1 - blind_to]
    assert (network(pairs_to_input(*changed)).rewards != before).any()


def test_without_actions_all_rewards_are_alike(pictures):
    rewards = RewardNetwork(width=1 / 16, per_action=False)(pairs_to_input(*pictures)).rewards
    assert rewards.shape == (4, 15)
    assert (rewards == rewards[:, :1]).all()
    assert (rewards[0] != rewards[1]).all()


def test_capture_reads_pairs_and_keeps_the_rewards(pictures):
    network = RewardNetwork(width=1 / 16)
    captured = capture(network, np.concatenate(list(pictures), axis=-1), ["pooled"], batch_size=3)
    assert captured.logits is None
    assert captured.value is None
    assert captured.rewards is not None
    expected = network(pairs_to_input(*pictures)).rewards.detach().numpy()
    np.testing.assert_allclose(captured.rewards, expected, rtol=1e-5, atol=1e-6)
    assert captured.activations["pooled"].shape == (4, 16)


def test_bad_input():
    with pytest.raises(ValueError, match="expected inputs to be one of both, next, frame; given 'last'"):
        RewardNetwork(inputs="last")
    with pytest.raises(ValueError, match="expected a width above 0"):
        RewardNetwork(width=0.0)
    with pytest.raises(ValueError, match=r"expected transitions of 6 channels.*pairs_to_input"):
        RewardNetwork(width=1 / 16)(torch.zeros(1, 3, 64, 64))
