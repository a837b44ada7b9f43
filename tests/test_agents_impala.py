"""IMPALA: its size by hand, its outputs against the same network written out with plain functions."""

import pytest
import torch
from torch.nn import functional as F

from procscope.agents.networks.impala import Impala
from procscope.workbench import plugins

FRAMES = torch.randint(0, 256, (3, 3, 64, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def make(**options) -> Impala:
    torch.manual_seed(0)
    return Impala(**({"widths": (3, 4, 5), "hidden": 6} | options))


def parameters_by_hand(w1: int, w2: int, w3: int, hidden: int, actions: int) -> int:
    def conv(a: int, b: int) -> int:
        return 9 * a * b + b

    blocks = sum(conv(a, b) + 4 * conv(b, b) for a, b in ((3, w1), (w1, w2), (w2, w3)))
    return blocks + (64 * w3 + 1) * hidden + (hidden + 1) * (actions + 1)


@pytest.mark.parametrize(
    ("widths", "hidden", "n_actions"), [((16, 32, 32), 256, 15), ((64, 128, 128), 256, 15), ((3, 4, 5), 6, 2)]
)
def test_it_has_the_parameters_worked_out_by_hand(widths, hidden, n_actions):
    count = sum(weight.numel() for weight in Impala(widths, hidden, n_actions).parameters())
    assert count == parameters_by_hand(*widths, hidden, n_actions)


def test_procgens_own_size():
    """9,728 + 41,632 + 46,240 in the blocks, 524,544 in the hidden layer, 3,855 and 257 in the heads."""
    assert sum(weight.numel() for weight in Impala().parameters()) == 626_256


def written_out(network: Impala, frames: torch.Tensor) -> dict[str, torch.Tensor]:
    """Every hook point's value, computed from the weights with plain functions."""
    weights = network.state_dict()
    seen: dict[str, torch.Tensor] = {}

    def conv(name: str, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1)

    x = frames.float() / 255
    for block in ("block1", "block2", "block3"):
        seen[f"{block}.conv"] = conv(f"{block}.weights", x)
        padded = F.pad(seen[f"{block}.conv"], (1, 1, 1, 1), value=-torch.inf)
        x = seen[f"{block}.pool"] = F.max_pool2d(padded, kernel_size=3, stride=2)
        for number in (1, 2):
            unit = f"{block}.unit{number}"
            seen[f"{unit}.relu1"] = x.clamp(min=0)
            seen[f"{unit}.conv1"] = conv(f"{unit}.weights1", seen[f"{unit}.relu1"])
            seen[f"{unit}.relu2"] = seen[f"{unit}.conv1"].clamp(min=0)
            seen[f"{unit}.conv2"] = conv(f"{unit}.weights2", seen[f"{unit}.relu2"])
            x = seen[f"{block}.res{number}"] = x + seen[f"{unit}.conv2"]
    seen["conv_out"] = x.clamp(min=0)
    flat = seen["conv_out"].reshape(len(frames), -1)
    seen["fc_pre"] = flat @ weights["weights_fc.weight"].T + weights["weights_fc.bias"]
    seen["fc"] = seen["fc_pre"].clamp(min=0)
    seen["logits"] = seen["fc"] @ weights["policy_head.weight"].T + weights["policy_head.bias"]
    seen["value"] = (seen["fc"] @ weights["value_head.weight"].T + weights["value_head.bias"])[:, 0]
    return seen


@torch.no_grad()
def test_every_hook_point_is_what_it_is_said_to_be():
    network = make()
    for bias in (name for name in network.state_dict() if name.endswith("bias")):
        network.state_dict()[bias].normal_()  # zero biases would hide a bias that is forgotten
    expected = written_out(network, FRAMES)
    output, activations = network.run_with_cache(FRAMES)
    assert set(activations) == set(expected) == set(network.hook_points())
    for name, value in expected.items():
        assert activations[name].shape == value.shape
        torch.testing.assert_close(activations[name], value, rtol=1e-4, atol=1e-4)
    assert expected["conv_out"].shape == (3, 5, 8, 8)
    assert expected["block1.conv"].shape == (3, 3, 64, 64)
    torch.testing.assert_close(output.logits, expected["logits"], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(output.value, expected["value"], rtol=1e-4, atol=1e-4)
    assert expected["logits"].std(dim=0).min() > 0, "the outputs depend on the frame"


@torch.no_grad()
def test_bytes_floats_and_channels_last_are_the_same_frames():
    network = make()
    expected = network(FRAMES).logits
    torch.testing.assert_close(network(FRAMES.float()).logits, expected, rtol=0, atol=0)
    last = network.to(memory_format=torch.channels_last)(FRAMES.to(memory_format=torch.channels_last)).logits
    torch.testing.assert_close(last, expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_first_policy_is_nearly_uniform_and_the_signal_arrives():
    network = make(widths=(16, 32, 32), hidden=256)
    output, activations = network.run_with_cache(FRAMES, names_filter=["conv_out"])
    assert output.logits.softmax(dim=1).max() < 0.2
    assert 0.1 < activations["conv_out"].std() < 10


@pytest.mark.parametrize("widths", [(16, 32), (16, 32, 32, 32), (16, 0, 32), ()])
def test_other_than_three_widths_are_refused(widths):
    with pytest.raises(ValueError, match="widths must be three positive numbers of channels; given"):
        Impala(widths)


def test_it_is_registered():
    assert plugins.load("procscope.architectures", "impala") is Impala
