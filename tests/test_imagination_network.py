"""The network: convolutions on a torus against PyTorch's own padding, hook points, bad input."""

import pytest
import torch
from torch.nn import functional as F

from procscope.imagination.borders import BorderConv, wrapped
from procscope.imagination.life import Life
from procscope.imagination.network import SLOPE, Decoder, Imaginer


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_torus_convolution_is_that_of_circular_padding(kernel: int) -> None:
    layer = BorderConv(3, 4, kernel, "torus").double()
    boards = torch.randn(2, 3, 7, 6, dtype=torch.double, requires_grad=True)
    margin = kernel // 2
    reference = F.conv2d(F.pad(boards, (margin,) * 4, mode="circular"), layer.weight, layer.bias)
    assert torch.allclose(layer(boards), reference)
    direction = torch.randn_like(reference)
    tensors = (boards, layer.weight, layer.bias)
    for mine, theirs in zip(
        torch.autograd.grad((layer(boards) * direction).sum(), tensors),
        torch.autograd.grad((reference * direction).sum(), tensors),
        strict=True,
    ):
        assert torch.allclose(mine, theirs)


def test_gradients_that_are_not_needed_are_not_made() -> None:
    layer = BorderConv(2, 2, 3, "torus").requires_grad_(False)
    boards = torch.randn(1, 2, 5, 5, requires_grad=True)
    layer(boards).sum().backward()
    assert boards.grad is not None
    layer = BorderConv(2, 2, 3, "torus")
    layer(torch.randn(1, 2, 5, 5)).sum().backward()
    assert layer.weight.grad is not None


def test_wrapping_takes_the_opposite_edge() -> None:
    boards = torch.arange(9.0).view(1, 1, 3, 3)
    assert wrapped(boards, 1)[0, 0].tolist() == [
        [8, 6, 7, 8, 6],
        [2, 0, 1, 2, 0],
        [5, 3, 4, 5, 3],
        [8, 6, 7, 8, 6],
        [2, 0, 1, 2, 0],
    ]


def test_hook_points_are_those_that_the_file_names() -> None:
    network = Imaginer(steps=3, width=4, encoder_layers=2, block_layers=2, decoder_layers=2)
    points = ("hidden1", "added", "state")
    steps = [f"step{step}.{point}" for step in (1, 2, 3) for point in points]
    expected = {"encoder1", "encoder2", "encoded", *steps, "decoder1", "decoded"}
    assert set(network.hook_points()) == expected
    inputs = torch.rand(2, 1, 8, 8)
    last, activations = network.run_with_cache(inputs)
    assert set(activations) == expected
    assert torch.equal(activations["decoded"], last)
    total = activations["step1.state"] + activations["step2.added"]
    assert torch.equal(activations["step2.state"], total)
    again = network.decode(activations["step3.state"])
    assert torch.allclose(again, last)


def test_a_core_that_does_not_add_hands_its_last_layer_on() -> None:
    network = Imaginer(steps=2, width=4, block_layers=2, residual=False)
    assert {name for name in network.hook_points() if name.startswith("step2")} == {
        "step2.hidden1",
        "step2.state",
    }
    states = torch.randn(2, 4, 5, 5)
    first, second = network.weights_core[0]
    expected = F.leaky_relu(second(F.leaky_relu(first(states), SLOPE)), SLOPE)
    assert torch.equal(network.roll(states)[0], expected)
    adding = Imaginer(steps=2, width=4, block_layers=2)
    adding.load_state_dict(network.state_dict())
    assert torch.equal(adding.roll(states)[0], states + expected)


def test_what_is_imagined_is_decoded_from_the_steps_between() -> None:
    network = Imaginer(steps=4, width=4)
    inputs = torch.rand(2, 1, 8, 8)
    _, activations = network.run_with_cache(inputs)
    imagined = network.imagine(inputs)
    assert imagined.shape == (2, 3, 8, 8)
    for index in range(3):
        state = activations[f"step{index + 1}.state"]
        assert torch.allclose(imagined[:, index], network.decode(state).clamp(0, 1))
    other = Decoder(4, 1, 3, "torus")
    assert torch.allclose(network.imagine(inputs, other)[:, 0], other(activations["step1.state"]).clamp(0, 1))


def test_shared_steps_have_one_set_of_weights() -> None:
    def weights(shared: bool) -> int:
        return sum(parameter.numel() for parameter in Imaginer(3, width=20, shared=shared).parameters())

    block = 3 * (20 * 20 * 9 + 20)
    assert weights(False) - weights(True) == 2 * block
    assert weights(True) == 20 * 9 + 20 + block + 20 * 9 + 1


def test_a_shift_of_the_board_shifts_what_a_torus_network_imagines() -> None:
    network = Imaginer(steps=2, width=4)
    inputs = torch.rand(1, 1, 6, 6)
    shifted = network.imagine(inputs.roll((2, 3), (2, 3)))
    assert torch.allclose(network.imagine(inputs).roll((2, 3), (2, 3)), shifted, atol=1e-6)


def test_one_step_leaves_nothing_to_imagine() -> None:
    with pytest.raises(
        ValueError, match=r"at least 2 steps of the core; given: 1.*no state is left to be imagined"
    ):
        Imaginer(steps=1)


def test_boards_smaller_than_the_kernel_are_refused() -> None:
    with pytest.raises(ValueError, match=r"as many rows and columns as the kernel, 5; given: 4"):
        Imaginer.for_world(Life(side=4), 2, kernel=5)
    with pytest.raises(ValueError, match=r"as the kernel, 5; given: 3"):
        Imaginer(2, kernel=5)(torch.rand(1, 1, 3, 8))


def test_a_decoder_of_another_width_is_refused() -> None:
    network, other = Imaginer(2, width=20), Imaginer(2, width=40)
    with pytest.raises(ValueError, match=r"reads states of 40 channels; given: 20.*of its own width"):
        network.imagine(torch.rand(1, 1, 8, 8), other.decoder)


def test_other_bad_networks_and_boards_are_refused() -> None:
    with pytest.raises(ValueError, match=r"an odd kernel.*given: 4"):
        Imaginer(2, kernel=4)
    with pytest.raises(ValueError, match=r"at least 1 channel and 1 layer.*width 0"):
        Imaginer(2, width=0)
    with pytest.raises(ValueError, match=r"\(batch, 1, rows, columns\); given: \(1, 3, 8, 8\)"):
        Imaginer(2)(torch.rand(1, 3, 8, 8))
