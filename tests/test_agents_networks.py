"""What holds for every network: its size by hand, its hook points' shapes, its input, its way to disk and back."""

import pytest
import torch

from procscope.activations.hooks import HookedNetwork
from procscope.agents.networks.bilinear_impala import BilinearImpala
from procscope.agents.networks.interpretable_cnn import InterpretableCnn
from procscope.agents.networks.nature_cnn import NatureCnn
from procscope.agents.networks.pacman_dqn import PacmanDqn
from procscope.workbench import plugins
from procscope.workbench.checkpoints import CheckpointHeader, load_network, save_checkpoint

N = 3
_generator = torch.Generator().manual_seed(0)
FRAMES = torch.randint(0, 256, (N, 3, 64, 64), generator=_generator, dtype=torch.uint8)
ATARI_FRAMES = torch.randint(0, 256, (N, 3, 210, 160), generator=_generator, dtype=torch.uint8)


def conv(width_in: int, width: int, kernel: int) -> int:
    return (kernel * kernel * width_in + 1) * width


def linear(units_in: int, units: int) -> int:
    return (units_in + 1) * units


def maps(width: int, size: int, *names: str) -> dict[str, tuple[int, ...]]:
    return dict.fromkeys(names, (N, width, size, size))


def impala_block(number: int, width: int, size: int) -> dict[str, tuple[int, ...]]:
    units = (f"unit{unit}.{point}" for unit in (1, 2) for point in ("relu1", "conv1", "relu2", "conv2"))
    inner = (f"block{number}.{point}" for point in ("pool", "res1", "res2", *units))
    return maps(width, size, f"block{number}.conv") | maps(width, size // 2, *inner)


def impala_block_parameters(width_in: int, width: int) -> int:
    return conv(width_in, width, 3) + 4 * conv(width, width, 3)


NETWORKS = {
    "interpretable-cnn": {
        "class": InterpretableCnn,
        "frames": FRAMES,
        "parameters": conv(3, 16, 7)
        + conv(16, 32, 5)
        + 3 * conv(32, 32, 5)
        + linear(512, 256)
        + linear(256, 512)
        + linear(512, 15)
        + linear(512, 1),
        "published": 363_216,
        "shapes": maps(16, 64, "conv1a", "relu1a")
        | maps(16, 32, "pool1")
        | maps(32, 32, "conv2a", "relu2a", "conv2b", "relu2b")
        | maps(32, 16, "pool2", "conv3a", "relu3a")
        | maps(32, 8, "pool3", "conv4a", "relu4a")
        | maps(32, 4, "pool4")
        | {"fc1_pre": (N, 256), "fc1": (N, 256), "fc2_pre": (N, 512), "fc2": (N, 512)}
        | {"logits": (N, 15), "value": (N,)},
    },
    "nature-cnn": {
        "class": NatureCnn,
        "frames": FRAMES,
        "parameters": conv(3, 32, 8)
        + conv(32, 64, 4)
        + conv(64, 64, 3)
        + linear(1024, 512)
        + linear(512, 15)
        + linear(512, 1),
        "published": 6_176 + 32_832 + 36_928 + 524_800 + 7_695 + 513,
        "shapes": maps(32, 15, "conv1_pre", "conv1")
        | maps(64, 6, "conv2_pre", "conv2")
        | maps(64, 4, "conv3_pre", "conv3")
        | {"fc_pre": (N, 512), "fc": (N, 512), "logits": (N, 15), "value": (N,)},
    },
    "pacman-dqn": {
        "class": PacmanDqn,
        "frames": ATARI_FRAMES,
        "parameters": conv(3, 16, 9)
        + conv(16, 32, 9)
        + conv(32, 64, 6)
        + linear(960, 512)
        + linear(512, 512)
        + linear(512, 9),
        "published": 878_505,
        "shapes": dict.fromkeys(("conv1_pre", "conv1"), (N, 16, 101, 76))
        | {"pool": (N, 16, 50, 38)}
        | dict.fromkeys(("conv2_pre", "conv2"), (N, 32, 14, 10))
        | dict.fromkeys(("conv3_pre", "conv3"), (N, 64, 5, 3))
        | dict.fromkeys(("fc1_pre", "fc1", "fc2_pre", "fc2"), (N, 512))
        | {"q_values": (N, 9)},
    },
    "bilinear-impala": {
        "class": BilinearImpala,
        "frames": FRAMES,
        "parameters": impala_block_parameters(3, 16)
        + impala_block_parameters(16, 32)
        + impala_block_parameters(32, 32)
        + 2 * 2048 * 256
        + linear(256, 15)
        + linear(256, 1),
        "published": 626_256
        - 256
        + 2048 * 256,  # IMPALA without the layer's biases, with a second linear map
        "shapes": impala_block(1, 16, 64)
        | impala_block(2, 32, 32)
        | impala_block(3, 32, 16)
        | maps(32, 8, "conv_out")
        | {"fc_left": (N, 256), "fc_right": (N, 256), "fc": (N, 256), "logits": (N, 15), "value": (N,)},
    },
}


@pytest.fixture(scope="module", params=NETWORKS)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def network(name) -> HookedNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = NETWORKS[name]["class"]()
        for parameter in made.parameters():  # zero biases would hide a bias that is forgotten
            if parameter.ndim == 1:
                torch.nn.init.normal_(parameter, std=0.1)
    return made


def test_it_is_registered(name):
    assert plugins.load("procscope.architectures", name) is NETWORKS[name]["class"]


def test_it_has_the_parameters_worked_out_by_hand(name, network):
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == NETWORKS[name]["parameters"] == NETWORKS[name]["published"]


@torch.no_grad()
def test_every_hook_point_has_its_shape_and_depends_on_the_frame(name, network):
    output, activations = network.run_with_cache(NETWORKS[name]["frames"])
    assert {point: tuple(value.shape) for point, value in activations.items()} == NETWORKS[name]["shapes"]
    for point, value in activations.items():
        assert value.isfinite().all(), point
        assert value.std(dim=0).max() > 0, f"{point} is the same for every frame"
    logits = activations["q_values" if name == "pacman-dqn" else "logits"]
    torch.testing.assert_close(output.logits, logits, rtol=0, atol=0)
    value = logits.amax(dim=1) if name == "pacman-dqn" else activations["value"]
    torch.testing.assert_close(output.value, value, rtol=0, atol=0)


@torch.no_grad()
def test_replacing_any_activation_reaches_an_output(name, network):
    """A hook point beside the path of the signal would read well and change nothing."""
    frames = NETWORKS[name]["frames"]
    before = network(frames)
    for point in NETWORKS[name]["shapes"]:
        halved = network.run_with_hooks(frames, fwd_hooks=[(point, lambda a, hook: a / 2)])
        assert not all(torch.equal(a, b) for a, b in zip(before[:2], halved[:2], strict=True)), point


@torch.no_grad()
def test_bytes_floats_and_channels_last_are_the_same_frames(name, network):
    frames = NETWORKS[name]["frames"]
    expected = network(frames).logits
    torch.testing.assert_close(network(frames.float()).logits, expected, rtol=0, atol=0)
    last = network(frames.to(memory_format=torch.channels_last)).logits
    torch.testing.assert_close(last, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_the_first_policy_is_nearly_uniform_and_the_signal_keeps_its_size(name):
    torch.manual_seed(1)
    network = NETWORKS[name]["class"]()
    output, activations = network.run_with_cache(NETWORKS[name]["frames"])
    assert output.logits.softmax(dim=1).max() < 0.25
    for point in NETWORKS[name]["shapes"].keys() - {"logits", "value", "q_values"}:
        assert 0.05 < activations[point].square().mean().sqrt() < 20, point


def test_gradients_reach_every_weight(name, network):
    output = network(NETWORKS[name]["frames"].float().requires_grad_())
    (output.logits.square().sum() + output.value.sum()).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.abs().max() > 0, parameter_name
    network.zero_grad()


@torch.no_grad()
def test_a_checkpoint_gives_the_same_network_back(name, network, tmp_path):
    save_checkpoint(tmp_path / "network.safetensors", network, CheckpointHeader(name))
    loaded = load_network(tmp_path / "network.safetensors").network
    frames = NETWORKS[name]["frames"]
    torch.testing.assert_close(loaded(frames).logits, network(frames).logits, rtol=0, atol=0)
