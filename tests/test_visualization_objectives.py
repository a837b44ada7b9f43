"""Objectives, colours and parameters against numbers worked out by hand or by NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from procscope.visualization.colours import Colours
from procscope.visualization.objectives import ChannelMean
from procscope.visualization.optimise_inputs import objective_of, optimise_inputs
from procscope.visualization.picture_objectives import Diversity, SquaredContrast, TotalVariation
from procscope.visualization.picture_parameters import Fourier, FrameChange, Pixels
from procscope.visualization.picture_transforms import Transform
from procscope.visualization.place_objectives import ChannelPatch, Direction, InPatch, PositionNorm, unit
from procscope.visualization.recipes import RECIPES, Recipe, recipe, visualise
from procscope.visualization.units import Channels, Directions, Latents

MAPS = nn.Sequential(nn.Conv2d(3, 4, 3))
INPUTS = torch.rand(2, 3, 7, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def maps() -> torch.Tensor:
    return MAPS(INPUTS).detach()


def value(objective, inputs=INPUTS):
    return objective_of(MAPS, objective, inputs)


def test_patches_units_and_positions_read_their_place(maps):
    patch = ChannelPatch("0", [3, 1], [(0, 2), (3, 0)], side=2)
    expected = torch.stack([maps[0, 3, 0:2, 2:4].mean(), maps[1, 1, 3:5, 0:2].mean()])
    torch.testing.assert_close(value(patch), expected)
    torch.testing.assert_close(value(unit("0", [2], [(4, 3)]), INPUTS[:1]), maps[:1, 2, 4, 3])
    norms = torch.stack([maps[0, :, 1, 1].norm(), maps[1, :, 4, 3].norm()])
    torch.testing.assert_close(value(PositionNorm("0", [(1, 1), (4, 3)])), norms)
    inside = InPatch(ChannelMean("0", [3, 1]), corner=(1, 2), side=2)
    torch.testing.assert_close(
        value(inside), torch.stack([maps[0, 3, 1:3, 2:4].mean(), maps[1, 1, 1:3, 2:4].mean()])
    )
    assert patch.part(slice(1, 2)) == ChannelPatch("0", [1], [(3, 0)], side=2)
    assert PositionNorm("0", [(1, 1), (4, 3)]).part(slice(1, 2)).positions == ((4, 3),)


def test_a_direction_is_a_dot_product_over_channels_or_over_everything(maps):
    rng = np.random.default_rng(0)
    channels, whole = rng.normal(size=(2, 4)), rng.normal(size=(2, 4, 5, 4))
    expected = np.einsum("nc,nc->n", maps.mean((2, 3)).numpy(), channels)
    np.testing.assert_allclose(value(Direction("0", channels)), expected, rtol=1e-4)
    np.testing.assert_allclose(value(Direction("0", whole)), (maps.numpy() * whole).sum((1, 2, 3)), rtol=1e-4)
    both = Direction("0", channels[:1] - channels[1:])
    difference = value(Direction("0", channels[:1]), INPUTS[:1]) - value(
        Direction("0", channels[1:]), INPUTS[:1]
    )
    np.testing.assert_allclose(value(both, INPUTS[:1]), difference, rtol=1e-4)


def test_an_output_of_one_number_is_channel_0():
    network = nn.Sequential(nn.Flatten(), nn.Linear(126, 1), nn.Flatten(0))
    values = network(INPUTS).detach()
    torch.testing.assert_close(objective_of(network, ChannelMean("2", [0, 0]), INPUTS), values)


def test_penalties_look_at_the_picture():
    pictures = torch.zeros(2, 1, 2, 3)
    pictures[0, 0] = torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 0.5]])
    # Down: 0, 1, 0.5 of three pairs; right: 1, 0, 0, 0.5 of four.
    torch.testing.assert_close(objective_of(MAPS, TotalVariation(2), pictures), torch.tensor([0.875, 0.0]))
    contrast = objective_of(MAPS, SquaredContrast(2), 4 * pictures, brightest=4.0)
    torch.testing.assert_close(contrast, torch.tensor([(5 * 0.25) / 6, 0.25]))
    assert TotalVariation(5).part(slice(3, 9)).count == 2


def test_diversity_is_0_for_unlike_and_minus_1_for_like_gram_matrices():
    network = nn.Sequential(nn.Identity())
    pictures = torch.zeros(4, 2, 2, 2)
    pictures[0, 0], pictures[1, 1] = 1, 3  # one channel each: orthogonal Gram matrices
    pictures[2] = torch.arange(8.0).reshape(2, 2, 2)
    pictures[3] = pictures[2].flip(2)  # the same in other places
    diversity = Diversity("0", 4, of_each=2)
    found = objective_of(network, diversity, pictures)
    torch.testing.assert_close(found, torch.tensor([0.0, 0.0, -1.0, -1.0]))
    assert (ChannelMean("0", [0] * 4) + diversity).together == 2
    with pytest.raises(ValueError, match="whole groups of 2 pictures, given those from 1 to 3"):
        diversity.part(slice(1, 3))


@pytest.mark.slow
def test_diversity_makes_pictures_of_a_unit_differ_and_keeps_groups_in_one_batch():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    plain = ChannelMean("1", [0] * 4)
    weighted = plain + 5.0 * Diversity("0", 4, of_each=2)
    alone, odd = (
        optimise_inputs(
            network, weighted, Pixels((3, 8, 8)), steps=20, learning_rate=0.3, seed=1, batch_pictures=n
        )
        for n in (2, 3)
    )
    torch.testing.assert_close(alone.pictures, odd.pictures)
    without = optimise_inputs(network, plain, Pixels((3, 8, 8)), steps=20, learning_rate=0.3, seed=1)
    spread = [objective_of(network, Diversity("0", 4, 2), one.pictures).mean() for one in (alone, without)]
    assert spread[0] > spread[1] + 0.01


def test_colours_are_the_square_root_of_the_covariance():
    rng = np.random.default_rng(0)
    mixing = np.array([[40.0, 0, 0], [25, 10, 0], [20, 0, 5]])
    frames = (rng.normal(size=(60, 32, 32, 3)) @ mixing.T + [120, 100, 90]).clip(0, 255).astype(np.uint8)
    colours = Colours.of(frames)
    flat = frames.reshape(-1, 3) / 255
    np.testing.assert_allclose(colours.mean, flat.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(colours.covariance, np.cov(flat.T, bias=True), atol=1e-9)
    root = colours.mixing()
    assert np.linalg.norm(root, axis=0).max() == pytest.approx(1)
    square = root @ root
    np.testing.assert_allclose(square / square[0, 0], colours.covariance / np.array(colours.covariance)[0, 0])
    middle = Pixels((6, 2, 2), colours=colours).pictures(torch.zeros(1, 6, 2, 2))
    np.testing.assert_allclose(middle[0, :, 0, 0], [*colours.mean, *colours.mean], rtol=1e-5)


def test_pixels_on_the_wrong_side_keep_a_slope():
    """The gradient of a unit with weights of either sign, at log-odds of 8 and -8, by hand; the sigmoid's is 3e-4."""
    log_odds = torch.tensor([8.0, 8.0, -8.0, -8.0, 0.5]).reshape(1, 1, 1, 5).requires_grad_()
    weights = torch.tensor([1.0, -1.0, 1.0, -1.0, -1.0])
    (-(Pixels((1, 1, 5)).pictures(log_odds) * weights).sum()).backward()
    own = log_odds.detach().sigmoid() * (1 - log_odds.detach().sigmoid())
    slope = torch.tensor([own[0, 0, 0, 0], 0.1, 0.1, own[0, 0, 0, 3], own[0, 0, 0, 4]])
    torch.testing.assert_close(log_odds.grad.flatten(), -weights * slope)
    assert own[0, 0, 0, 4] > 0.2
    log_odds.grad = None
    (-(Pixels((1, 1, 5), least_slope=0.0).pictures(log_odds) * weights).sum()).backward()
    torch.testing.assert_close(log_odds.grad.flatten(), -weights * own.flatten())


def test_a_frame_changes_by_no_more_than_its_bound_and_stays_a_picture():
    network = nn.Sequential(nn.Flatten(), nn.Linear(27, 2, bias=False))
    frames = torch.rand(2, 3, 3, 3, generator=torch.Generator().manual_seed(1))
    change = FrameChange(frames, bound=0.1)
    found = optimise_inputs(network, ChannelMean("1", [0, 1]), change, steps=60, learning_rate=0.05)
    best = (frames + 0.1 * network[1].weight.detach().sign().reshape(2, 3, 3, 3)).clamp(0, 1)
    torch.testing.assert_close(found.pictures, best, atol=1e-5, rtol=0)
    split = optimise_inputs(network, ChannelMean("1", [0, 1]), change, steps=60, batch_pictures=1)
    torch.testing.assert_close(split.pictures, found.pictures)


def test_a_closed_relu_at_the_start_wakes():
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU())
    with torch.no_grad():
        network[0].weight.copy_(torch.randn(2, 3, 3, 3, generator=torch.Generator().manual_seed(0)))
        network[0].weight.sub_(network[0].weight.mean(dim=(1, 2, 3), keepdim=True))  # grey gives 0
        network[0].bias.copy_(torch.tensor([-0.5, -1e6]))
    found = optimise_inputs(network, ChannelMean("1", [0, 1]), Pixels((3, 12, 12)), steps=80)
    assert found.moved.tolist() == [True, False]
    assert found.history[0, 0] == 0
    assert found.scores[0] > 0.3
    assert found.scores[1] == 0


def test_the_best_step_is_kept():
    network = nn.Sequential(nn.Conv2d(3, 1, 3), nn.Sigmoid())
    last, best = (
        optimise_inputs(
            network, ChannelMean("1", [0]), Pixels((3, 8, 8)), [_Blink()], steps=7, keep_best=keep
        )
        for keep in (False, True)
    )
    assert best.scores[0] != last.scores[0]
    assert torch.allclose(best.history, last.history)


class _Blink(Transform):
    """Every second pass sees nothing."""

    def __init__(self) -> None:
        self.passes = 0

    def of(self, pictures, generator):
        self.passes += 1
        return pictures * (self.passes % 2)


def test_units_say_the_same_of_data_as_their_objective_of_a_picture(maps):
    class Sae(nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = nn.Linear(4, 6)

        def encode(self, activations):
            return self.weights(activations).relu()

    sae = Sae()
    rng = np.random.default_rng(0)
    for units in (
        Channels("0", [2, 0]),
        Directions("0", rng.normal(size=(2, 4)), ["a", "b"]),
        Directions("0", rng.normal(size=(2, 4, 5, 4)), ["a", "b"]),
        Latents("0", sae, [5, 1]),
    ):
        values = units.values(maps.numpy()).mean(axis=2).diagonal()
        np.testing.assert_allclose(values, value(units.objective()).detach(), rtol=1e-3, atol=1e-5)
        assert units.part([1]).names == units.names[1:]
        assert units.part([1]).identities == units.identities[1:]
    one, two = (Directions("0", np.full((1, 4), size), ["a"]).identities for size in (1.0, 2.0))
    assert one != two


def test_recipes_are_what_they_are_called():
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU())
    colours = Colours((0.5, 0.4, 0.3), ((0.1, 0.02, 0.0), (0.02, 0.1, 0.0), (0.0, 0.0, 0.1)))
    for name, how in RECIPES.items():
        frames = torch.rand(2, 3, 24, 24) if how.parameters == "frame" else None
        short = Recipe(**{**vars(how), "steps": 3})
        found = visualise(
            network, ChannelMean("1", [0, 1]), short, shape=(3, 24, 24), colours=colours, frames=frames
        )
        assert found.pictures.shape == (2, 3, 24, 24), name
        assert 0 <= found.pictures.min() <= found.pictures.max() <= 1
        plain = objective_of(network, ChannelMean("1", [0, 1]), 255 * found.pictures)
        torch.testing.assert_close(found.scores, plain)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ChannelPatch("0", [1], [(0, 0), (1, 1)]), "a corner for each of 1 channels"),
        (lambda: value(ChannelPatch("0", [1, 1], [(4, 3), (3, 3)], side=2)), "a square of 2 at row 4, column 3"),
        (lambda: PositionNorm("0", [(-1, 0)]), r"from \(0, 0\), given \[\(-1, 0\)\]"),
        (lambda: Direction("0", np.zeros((1, 4))), "none of them all zeros"),
        (lambda: Direction("0", np.ones(4)), r"Add the first axis with `direction\[None\]`"),
        (lambda: value(Direction("0", np.ones((2, 5)))), r"directions of 4 channels or of shape \(4, 5, 4\)"),
        (lambda: Diversity("0", 5, 2), "groups of at least two pictures"),
        (lambda: Colours.of(np.zeros((2, 4, 4, 3), np.uint8)), "frames of several colours"),
        (lambda: Colours.of(np.zeros((0, 4, 4, 3), np.uint8)), "at least one frame"),
        (lambda: Pixels((4, 2, 2), colours=Colours((0.5, 0.5, 0.5), ((1.0, 0.0, 0.0),) * 3)), "given 4 channels"),
        (lambda: Fourier((3, 4, 4), start_deviation=0.0), "deviation above 0"),
        (lambda: FrameChange(torch.full((1, 3, 2, 2), 255.0)), "Divide by 255"),
        (lambda: FrameChange(torch.rand(1, 3, 2, 2), bound=0.0), "a bound above 0"),
        (lambda: FrameChange(torch.rand(1, 3, 2, 2)).start(2, torch.Generator()), "each of 2 pictures, given 1"),
        (lambda: recipe("lucide"), "Did you mean lucid"),
        (lambda: Recipe("pixels", "lucidity"), "unknown transforms 'lucidity'"),
        (lambda: Recipe("pixels", "lucid", penalties=(("total", 1.0),)), "unknown penalty 'total'"),
        (lambda: RECIPES["dissertation-seeded"].picture_parameters((3, 4, 4)), "together with a recipe that changes"),
        (lambda: Directions("0", np.ones((2, 3)), ["a"]), "a name for each of 2 directions, given 1"),
        (lambda: Channels("0", [7]).values(np.ones((1, 4, 2, 2), np.float32)), "to have channel 7; it has 4"),
    ],
)  # fmt: skip
def test_bad_input_says_what_is_expected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
