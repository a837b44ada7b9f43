"""Initial weights: their moments, and what they do to a signal that is much alike in all frames."""

import torch
from torch import nn

from procscope.agents.networks.impala import Impala
from procscope.agents.networks.initial_weights import initialise_he, initialise_zero_sum, scale_weights


def layers() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(8, 400, 5), nn.Linear(300, 500, bias=False), nn.Linear(4, 4))


def test_he():
    torch.manual_seed(0)
    network = layers()
    initialise_he(network)
    for layer, fan_in in ((network[0], 200), (network[1], 300)):
        assert abs(layer.weight.var() * fan_in / 2 - 1) < 0.05
    assert not network[0].bias.any()
    scale_weights(0.5, network[1])
    assert abs(network[1].weight.var() * 300 / 0.5 - 1) < 0.05
    assert abs(network[0].weight.var() * 200 / 2 - 1) < 0.05


def test_zero_sum():
    torch.manual_seed(0)
    network = layers()
    initialise_zero_sum(network)
    for layer, fan_in in ((network[0], 200), (network[1], 300)):
        assert layer.weight.flatten(1).sum(1).abs().max() < 1e-4
        assert abs(layer.weight.var() * fan_in / 2 / 1.2**2 - 1) < 0.05


@torch.no_grad()
def test_a_stack_of_layers_keeps_the_variance_between_frames_and_not_what_they_share():
    torch.manual_seed(0)
    network = nn.Sequential(*(layer for _ in range(8) for layer in (nn.Linear(512, 512), nn.ReLU())))
    inputs = torch.rand(1, 512) + 0.3 * torch.randn(256, 512).clamp(-1, 1)

    def share_of_variance() -> float:
        found = network[:-1](inputs)
        return float((found.std(dim=0).mean() / found.square().mean().sqrt()).item())

    initialise_zero_sum(network)
    assert share_of_variance() > 0.5
    initialise_he(network)
    assert share_of_variance() < 0.35


def test_impalas_initial_weights_are_those_that_shipped_networks_began_with():
    """`zoo check` trains their first steps again: another order of draws would give other networks."""
    last_two = {
        "block1.weights.weight": [0.48854825, 0.13403630],
        "block3.unit2.weights2.weight": [0.01234127, 0.04651948],
        "weights_fc.weight": [-0.05039177, 0.04785905],
        "policy_head.weight": [0.00598098, 0.00534620],
        "value_head.weight": [0.00151474, 0.00152268],
    }
    with torch.random.fork_rng():
        torch.manual_seed(3)
        weights = Impala((4, 5, 6)).state_dict()
    for name, expected in last_two.items():
        torch.testing.assert_close(weights[name].flatten()[-2:], torch.tensor(expected), rtol=1e-5, atol=1e-7)
