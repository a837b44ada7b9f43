import numpy as np
import pytest
import torch
from torch import nn

from procscope.activations.hooks import hook_modules
from procscope.visualization.objectives import ChannelMean, GroupNorm
from procscope.visualization.optimise_inputs import activations_at, objective_of, optimise_inputs
from procscope.visualization.picture_parameters import Fourier, Pixels
from procscope.visualization.picture_transforms import (
    PRESETS,
    Jitter,
    Pad,
    Rotate,
    Scale,
    Shift,
    transformed,
)


class LinearUnits(nn.Module):
    """Three linear units on 1 x 6 x 6 pictures, and a part that must never be reached."""

    def __init__(self) -> None:
        super().__init__()
        self.units = nn.Linear(36, 3)
        self.aside = nn.Identity()
        with torch.no_grad():
            self.units.weight.normal_(generator=torch.Generator().manual_seed(0))

    def forward(self, x):
        self.units(x.flatten(1))
        raise AssertionError("the pass goes on after the last activation that is wanted")


@pytest.mark.parametrize("parameters", [Pixels((1, 6, 6)), Fourier((1, 6, 6))], ids=["pixels", "fourier"])
def test_the_optimum_of_a_linear_unit_is_its_weights_in_black_and_white(parameters):
    network = LinearUnits()
    found = optimise_inputs(network, ChannelMean("units", range(3)), parameters, steps=120, learning_rate=0.3)
    weights = network.units.weight.detach()
    best = (weights > 0).float().reshape(3, 1, 6, 6)
    assert ((found.pictures - best).abs() < 0.2).float().mean() > 0.9
    reached = (found.pictures.flatten(1) * weights).sum(1) + network.units.bias
    assert torch.allclose(found.scores, reached.detach(), atol=1e-4)
    assert (found.scores > 0.9 * weights.clamp(min=0).sum(1)).all()
    assert found.moved.all()
    assert found.history.shape == (3, 120)


def test_groups_are_excited_together_and_weights_count():
    network = LinearUnits()
    groups = GroupNorm("units", [[0, 1], [2]])
    inputs = torch.rand(2, 1, 6, 6)
    values = network.units(inputs.flatten(1)).detach()
    assert torch.allclose(
        objective_of(network, groups, inputs), torch.stack([values[0, :2].abs().sum(), values[1, 2].abs()])
    )
    both = ChannelMean("units", [0, 2]) - 0.5 * ChannelMean("units", [1, 1])
    expected = values[[0, 1], [0, 2]] - 0.5 * values[:, 1]
    assert torch.allclose(objective_of(network, both, inputs), expected)
    assert torch.allclose(objective_of(network, -both, inputs), -expected)


def test_maps_count_by_their_mean_and_by_the_sum_of_absolute_values():
    network = nn.Sequential(nn.Conv2d(2, 4, 3))
    inputs = torch.randn(2, 2, 5, 5)
    maps = network(inputs).detach()
    assert torch.allclose(
        objective_of(network, ChannelMean("0", [3, 1]), inputs), maps[[0, 1], [3, 1]].mean((1, 2))
    )
    norms = objective_of(network, GroupNorm("0", [[0, 2], [1, 2, 3]]), inputs)
    assert torch.allclose(norms, torch.stack([maps[0, [0, 2]].abs().sum(), maps[1, 1:].abs().sum()]))


def test_a_picture_does_not_depend_on_its_batch_and_the_network_is_left_as_it_was():
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 5), nn.Dropout(0.5)).train()
    objective = ChannelMean("1", range(5))
    pixels, alike = Pixels((1, 6, 6)), PRESETS["small-network"]
    together = optimise_inputs(network, objective, pixels, alike, steps=7, seed=3)
    in_twos = optimise_inputs(network, objective, pixels, alike, steps=7, seed=3, batch_pictures=2)
    assert torch.allclose(together.pictures, in_twos.pictures, atol=1e-6)
    assert network[2].training
    assert all(weight.requires_grad for weight in network.parameters())
    assert next(network.parameters()).grad is None
    again = optimise_inputs(network, objective, pixels, alike, steps=7, seed=3)
    assert torch.equal(together.pictures, again.pictures)
    other = optimise_inputs(network, objective, pixels, alike, steps=7, seed=4)
    assert not torch.equal(together.pictures, other.pictures)


def test_dead_units_are_told():
    network = LinearUnits()
    with torch.no_grad():
        network.units.weight[1] = 0
    found = optimise_inputs(network, ChannelMean("units", range(3)), Pixels((1, 6, 6)), steps=2)
    assert found.moved.tolist() == [True, False, True]


def test_a_spectrum_gives_the_pictures_of_its_inverse_transform():
    parameters = Fourier((2, 5, 6))
    numbers = parameters.start(3, torch.Generator().manual_seed(0))
    assert numbers.shape == (3, 2, 5, 4, 2)
    fy, fx = np.fft.fftfreq(5)[:, None], np.fft.fftfreq(6)[:4]
    weight = np.sqrt(30) / np.maximum(np.hypot(fy, fx), 1 / 6) / 4
    spectrum = (numbers[..., 0].numpy() + 1j * numbers[..., 1].numpy()) * weight
    logits = np.fft.irfft2(spectrum, s=(5, 6))
    assert np.allclose(parameters.pictures(numbers).numpy(), 1 / (1 + np.exp(-logits)), atol=1e-6)


def gradient_pictures() -> torch.Tensor:
    rows, cols = torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij")
    return torch.stack([rows, cols]).unsqueeze(0) / 11


def test_transforms_move_cut_turn_and_scale():
    pictures, generator = gradient_pictures(), torch.Generator().manual_seed(0)
    cut = Jitter(3).of(pictures, generator)
    top, left = (round(float(value) * 11) for value in cut[0, :, 0, 0])
    assert cut.shape == (1, 2, 9, 9)
    assert torch.equal(cut, pictures[:, :, top : top + 9, left : left + 9])
    assert {int(Jitter(1).of(pictures, generator)[0, 0, 0, 0] > 0) for _ in range(20)} == {0, 1}
    assert Pad(2, 0.5).of(pictures, generator)[0, 0, :2].eq(0.5).all()
    assert Scale((2.0,)).of(pictures, generator).shape == (1, 2, 24, 24)
    quarter = Rotate((90.0,)).of(pictures, generator)
    assert torch.allclose(quarter[0, 0], pictures[0, 0].rot90(), atol=1e-5) or torch.allclose(
        quarter[0, 0], pictures[0, 0].rot90(-1), atol=1e-5
    )
    moved = [Shift(2).of(pictures, generator) for _ in range(10)]
    assert all(one.shape == pictures.shape for one in moved)
    assert any(not torch.equal(one, pictures) for one in moved)
    for name, preset in PRESETS.items():
        assert transformed(torch.rand(1, 3, 32, 32), preset, generator).shape == (1, 3, 32, 32), name
    with pytest.raises(ValueError, match="pictures larger than a jitter of 12, given 12 x 12"):
        Jitter(12).of(pictures, generator)


def test_what_is_cut_or_padded_stays_in_the_middle():
    pictures = torch.zeros(1, 1, 9, 9)
    pictures[0, 0, 4, 4] = 1
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(transformed(pictures, [Pad(3, 0.0)], generator), pictures)


def test_bad_input_says_what_is_expected():
    network = LinearUnits()
    with pytest.raises(ValueError, match="expected 'units' to have channel 3"):
        optimise_inputs(network, ChannelMean("units", [3]), Pixels((1, 6, 6)), steps=1)
    with pytest.raises(ValueError, match="Did you mean units"):
        optimise_inputs(network, ChannelMean("unit", [0]), Pixels((1, 6, 6)), steps=1)
    with pytest.raises(ValueError, match="at least one step"):
        optimise_inputs(network, ChannelMean("units", [0]), Pixels((1, 6, 6)), steps=0)
    with pytest.raises(ValueError, match="channels of 'units' from 0 up, at least one, given"):
        ChannelMean("units", [])
    with pytest.raises(ValueError, match="at least one group"):
        GroupNorm("units", [])
    with pytest.raises(ValueError, match=r"same number of pictures with a weight each, given \[1, 2\]"):
        _ = ChannelMean("units", [0]) + ChannelMean("units", [0, 1])
    with pytest.raises(ValueError, match="channels, rows, columns"):
        Pixels((1, 0, 6))


def test_a_hook_point_that_the_pass_does_not_reach_is_told():
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    holder = nn.ModuleDict({"used": network, "aside": nn.Identity()})
    hooked = hook_modules(holder, ["aside"])
    hooked.model = network
    with pytest.raises(ValueError, match=r"never reached the hook points \['aside'\]"):
        activations_at(hooked, torch.rand(1, 1, 6, 6), ["aside"])


class Root(nn.Module):
    def forward(self, x):
        return (x * 0).sqrt()


def test_gradients_that_are_not_finite_are_refused():
    network = nn.Sequential(nn.Flatten(), Root())
    with pytest.raises(ValueError, match="expected finite gradients of 1, given 2 pictures of 2"):
        optimise_inputs(network, ChannelMean("1", [0, 1]), Pixels((1, 6, 6)), steps=1)
