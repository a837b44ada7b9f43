"""The recurrent network: its size by hand, one frame against a ConvLSTM written out, and what it remembers."""

import pytest
import torch
from torch.nn import functional as F

from procscope.activations.capture import capture
from procscope.agents.networks.drc import Drc
from procscope.workbench import plugins
from procscope.workbench.checkpoints import CheckpointHeader, load_network, save_checkpoint

N = 3
_generator = torch.Generator().manual_seed(0)
FRAMES = torch.randint(0, 256, (4, N, 3, 64, 64), generator=_generator, dtype=torch.uint8)
SMALL = {"channels": 4, "layers": 2, "ticks": 3, "hidden": 8}


def make(**options) -> Drc:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Drc(**(SMALL | options))
        for parameter in network.parameters():  # zero biases would hide a bias that is forgotten
            if parameter.ndim == 1:
                parameter.data += 0.1 * torch.randn_like(parameter)
    return network


@pytest.fixture(scope="module")
def network() -> Drc:
    return make()


def some_state(network: Drc, seed: int = 1) -> torch.Tensor:
    return torch.randn(network.initial_state(N).shape, generator=torch.Generator().manual_seed(seed)) * 0.5


def parameters_by_hand(channels: int, layers: int, map_size: int, hidden: int, second_kernel: int) -> int:
    c = channels
    encoder = (3 * 64 + 1) * c + (second_kernel**2 * c + 1) * c
    layer = (9 * c + 1) * 4 * c + 9 * 2 * c * 4 * c + 2 * c * 4 * c
    return encoder + layers * layer + (c * map_size**2 + 1) * hidden + (hidden + 1) * 16


@pytest.mark.parametrize(
    ("options", "by_hand"),
    [
        ({"channels": 16, "layers": 2, "map_size": 16, "hidden": 256}, (16, 2, 16, 256, 3)),
        ({"channels": 32, "layers": 3, "map_size": 8, "hidden": 64}, (32, 3, 8, 64, 4)),
        (SMALL, (4, 2, 16, 8, 3)),
    ],
)
def test_it_has_the_parameters_worked_out_by_hand(options, by_hand):
    assert sum(parameter.numel() for parameter in Drc(**options).parameters()) == parameters_by_hand(*by_hand)


def test_ticks_add_no_parameters():
    assert [p.shape for p in make(ticks=1).parameters()] == [p.shape for p in make(ticks=5).parameters()]


def written_out(network: Drc, frames: torch.Tensor, state: torch.Tensor) -> dict[str, torch.Tensor]:
    """Every hook point's value, computed from the weights with plain functions."""
    weights = network.state_dict()
    seen = {"state_in": state}

    def relu(x: torch.Tensor) -> torch.Tensor:
        return x.clamp(min=0)

    def conv(name: str, x: torch.Tensor, **options) -> torch.Tensor:
        return F.conv2d(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"), **options)

    seen["encoder1_pre"] = conv("weights_encoder1", frames.float() / 255, stride=4, padding=2)
    seen["encoder1"] = relu(seen["encoder1_pre"])
    second = {"padding": 1} if network.map_size == 16 else {"stride": 2, "padding": 1}
    seen["encoded_pre"] = conv("weights_encoder2", seen["encoder1"], **second)
    seen["encoded"] = relu(seen["encoded_pre"])
    h = {layer: state[:, layer - 1, 0] for layer in range(1, network.n_layers + 1)}
    c = {layer: state[:, layer - 1, 1] for layer in range(1, network.n_layers + 1)}
    for tick in range(1, network.ticks + 1):
        for layer in range(1, network.n_layers + 1):
            name = f"layer{layer}"
            seen[f"{name}.input"] = conv(f"{name}.weights_frame", seen["encoded"], padding=1)
            below = h[network.n_layers] if layer == 1 else h[layer - 1]
            own = h[layer].flatten(2)
            pooled = (
                torch.cat([own.max(2).values, own.mean(2)], 1) @ weights[f"{name}.weights_pooled.weight"].T
            )
            gates = seen[f"{name}.input"] + pooled[:, :, None, None]
            gates = gates + conv(f"{name}.weights_maps", torch.cat([below, h[layer]], 1), padding=1)
            k = network.channels
            i, f, o, g = gates[:, :k], gates[:, k : 2 * k], gates[:, 2 * k : 3 * k], gates[:, 3 * k :]
            c[layer] = torch.sigmoid(f) * c[layer] + torch.sigmoid(i) * torch.tanh(g)
            h[layer] = torch.sigmoid(o) * torch.tanh(c[layer])
            point = f"{name}.tick{tick}"
            seen |= {f"{point}.pooled": pooled, f"{point}.gates": gates}
            seen |= {f"{point}.cell": c[layer], f"{point}.hidden": h[layer]}
    seen["state"] = torch.stack([torch.stack([h[layer], c[layer]], 1) for layer in h], 1)
    flat = h[network.n_layers].flatten(1)
    seen["fc_pre"] = flat @ weights["weights_fc.weight"].T + weights["weights_fc.bias"]
    seen["fc"] = relu(seen["fc_pre"])
    seen["logits"] = seen["fc"] @ weights["policy_head.weight"].T + weights["policy_head.bias"]
    seen["value"] = (seen["fc"] @ weights["value_head.weight"].T + weights["value_head.bias"])[:, 0]
    return seen


@pytest.mark.parametrize(
    "options", [{}, {"map_size": 8}, {"layers": 1, "ticks": 1}, {"layers": 3, "ticks": 2}]
)
@torch.no_grad()
def test_every_hook_point_is_what_it_is_said_to_be(options):
    network = make(**options)
    state = some_state(network)
    expected = written_out(network, FRAMES[0], state)
    output, activations = network.run_with_cache(FRAMES[0], state)
    assert set(activations) == set(expected) == set(network.hook_points())
    for name, value in expected.items():
        assert activations[name].shape == value.shape, name
        torch.testing.assert_close(activations[name], value, rtol=1e-4, atol=1e-4, msg=name)
    torch.testing.assert_close(output.state, expected["state"], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(output.logits, expected["logits"], rtol=1e-4, atol=1e-4)
    size = network.map_size
    assert expected["state"].shape == (N, network.n_layers, 2, 4, size, size)


@torch.no_grad()
def test_it_remembers_and_a_first_frame_makes_it_forget(network):
    state = network(FRAMES[0], network.initial_state(N)).state
    fresh = network(FRAMES[1], network.initial_state(N))
    remembering = network(FRAMES[1], state)
    assert not torch.allclose(remembering.logits, fresh.logits)
    mixed = network(FRAMES[1], state, first=torch.tensor([True, False, True]))
    for index, same_as in enumerate((fresh, remembering, fresh)):
        torch.testing.assert_close(mixed.logits[index], same_as.logits[index], rtol=0, atol=1e-6)
        torch.testing.assert_close(mixed.state[index], same_as.state[index], rtol=0, atol=1e-6)
    assert torch.equal(network(FRAMES[1], first=torch.ones(N, dtype=torch.bool)).logits, fresh.logits)


@torch.no_grad()
def test_a_hook_on_the_state_changes_this_output_and_the_next(network):
    state = some_state(network)
    with network.hooks([("state", lambda a, hook: a * 0)]):
        erased = network(FRAMES[0], state)
    assert erased.state.abs().max() == 0
    assert torch.equal(network(FRAMES[1], erased.state).logits, network(FRAMES[1], state * 0).logits)
    assert not torch.allclose(erased.logits, network(FRAMES[0], state).logits)


def test_frames_in_a_row_are_the_same_as_one_by_one(network):
    first = torch.tensor([[True] * 3, [False] * 3, [False, True, False], [False] * 3])
    state = some_state(network)
    at_once = network.unroll(FRAMES, state, first)
    for time in range(len(FRAMES)):
        output = network(FRAMES[time], state, first[time])
        torch.testing.assert_close(at_once.logits[time], output.logits, rtol=0, atol=1e-5)
        torch.testing.assert_close(at_once.value[time], output.value, rtol=0, atol=1e-5)
        state = output.state
    torch.testing.assert_close(at_once.state, state, rtol=0, atol=1e-5)


def test_gradients_reach_every_weight_and_earlier_frames_but_not_earlier_episodes(network):
    frames = FRAMES.float().requires_grad_()
    first = torch.tensor([[True] * 3, [False] * 3, [False, True, False], [False] * 3])
    network.unroll(frames, network.initial_state(N), first).logits[-1].square().sum().backward()
    for name, parameter in network.named_parameters():
        if not name.startswith("value_head"):
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.any(), name
    network.zero_grad()
    assert frames.grad is not None
    reached = frames.grad.flatten(2).abs().amax(dim=2) > 0
    assert reached.tolist() == [[True, False, True], [True, False, True], [True] * 3, [True] * 3]


@torch.no_grad()
def test_bytes_floats_and_channels_last_are_the_same_frames(network):
    expected = network(FRAMES[0], some_state(network)).logits
    assert torch.equal(network(FRAMES[0].float(), some_state(network)).logits, expected)
    last = FRAMES[0].to(memory_format=torch.channels_last)
    torch.testing.assert_close(network(last, some_state(network)).logits, expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_first_policy_is_nearly_uniform_and_the_signal_keeps_its_size():
    network = Drc()
    state = network(FRAMES[0], network.initial_state(N)).state
    output, activations = network.run_with_cache(FRAMES[1], state)
    assert output.logits.softmax(dim=1).max() < 0.25
    for point in activations.keys() - {"logits", "value"}:
        assert 0.05 < activations[point].square().mean().sqrt() < 20, point


def test_frames_without_a_state_are_refused(network):
    """So a tool that looks at single frames cannot take it for a network without memory."""
    with pytest.raises(ValueError, match=r"needs the state .* pass state=network.initial_state\(3\)"):
        network(FRAMES[0])
    with pytest.raises(ValueError, match="needs the state"):
        network(FRAMES[0], first=torch.tensor([True, False, True]))
    with pytest.raises(ValueError, match="needs the state"):
        capture(network, FRAMES[0].permute(0, 2, 3, 1).numpy(), ["fc"])
    with pytest.raises(
        ValueError, match=r"expected a state of shape \(3, 2, 2, 4, 16, 16\) .*\(2, 2, 2, 4, 16, 16\)"
    ):
        network(FRAMES[0], network.initial_state(2))


@pytest.mark.parametrize("options", [{"map_size": 32}, {"channels": 0}, {"ticks": 0}, {"layers": 0}])
def test_sizes_that_cannot_be_are_refused(options):
    with pytest.raises(
        ValueError, match="map_size must be 8 or 16, and channels, layers and ticks at least 1"
    ):
        Drc(**options)


@torch.no_grad()
def test_a_checkpoint_gives_the_same_network_back(network, tmp_path):
    assert plugins.load("procscope.architectures", "drc") is Drc
    save_checkpoint(tmp_path / "network.safetensors", network, CheckpointHeader("drc", SMALL))
    loaded = load_network(tmp_path / "network.safetensors").network
    state = some_state(network)
    assert torch.equal(loaded(FRAMES[0], state).logits, network(FRAMES[0], state).logits)


def test_first_frames_alone_are_thought_about_at_once(network):
    """The same logits, values and last state as frame by frame."""
    first = torch.ones(4, N, dtype=torch.bool)
    with torch.no_grad():
        at_once = network.unroll(FRAMES, some_state(network), first)
        alone = [network(frames, first=first[0]) for frames in FRAMES]
    torch.testing.assert_close(at_once.logits, torch.stack([output.logits for output in alone]))
    torch.testing.assert_close(at_once.value, torch.stack([output.value for output in alone]))
    torch.testing.assert_close(at_once.state, alone[-1].state)
