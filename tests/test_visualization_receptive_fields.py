"""Receptive fields against hand-worked sizes and against changing every pixel in turn."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from procscope.agents.networks.impala import Impala
from procscope.agents.networks.interpretable_cnn import InterpretableCnn
from procscope.visualization.receptive_fields import Box, receptive_fields


@pytest.mark.parametrize(
    ("network", "hook_point", "size", "first"),
    [
        # 3 wide; a pool of 3 and stride 2 adds 2; four 3 x 3 convolutions at stride 2 add 4 each; and so on.
        (Impala((4, 4, 4)), "block1.conv", 3, (0, 2)),
        (Impala((4, 4, 4)), "block1.pool", 5, (0, 3)),
        (Impala((4, 4, 4)), "block1.res2", 21, (0, 11)),
        (Impala((4, 4, 4)), "block2.pool", 29, (0, 15)),
        (InterpretableCnn(), "conv1a", 7, (0, 4)),
        (InterpretableCnn(), "pool1", 8, (0, 5)),
        (InterpretableCnn(), "conv2b", 24, (0, 13)),
    ],
)
def test_sizes_worked_out_by_hand(network, hook_point, size, first):
    fields = receptive_fields(network, hook_point)
    middle = len(fields.rows) // 2
    assert fields.box(middle, middle).size == (size, size)
    assert tuple(fields.rows[0]) == tuple(fields.cols[0]) == first


class Odd(nn.Module):
    """Different along rows and columns, with what convolutions and pools can have."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, 4, (3, 5), stride=(1, 2), padding=(1, 0), dilation=(2, 1))
        self.two = nn.Conv2d(4, 2, (2, 1))

    def forward(self, x):
        x = F.max_pool2d(self.one(x / 255), (2, 3), stride=(2, 1))
        return self.two(x + F.avg_pool2d(x, 3, stride=1, padding=1).relu())


def brute_force(network: nn.Module, hook_point: str, shape: tuple[int, int, int]) -> np.ndarray:
    """[row, col, 4]: the box of pixels whose change, large and of either sign, ever changed a place."""
    rng = torch.Generator().manual_seed(0)
    touched = None
    for _ in range(4):
        base = 255 * torch.rand(1, *shape, generator=rng)
        inputs = base.repeat(shape[1] * shape[2], 1, 1, 1)
        for pixel in range(len(inputs)):
            row, col = divmod(pixel, shape[2])
            inputs[pixel, :, row, col] += 1e5 * torch.randn(shape[0], generator=rng)
        with torch.no_grad():
            apart = (network(inputs) - network(base)).abs().amax(dim=1) > 1e-4
        touched = apart if touched is None else touched | apart
    boxes = np.zeros((*touched.shape[1:], 4), int)
    for place in np.ndindex(*touched.shape[1:]):
        pixels = torch.nonzero(touched[(slice(None), *place)])[:, 0].numpy()
        rows, cols = pixels // shape[2], pixels % shape[2]
        boxes[place] = rows.min(), cols.min(), rows.max() + 1, cols.max() + 1
    return boxes


def test_as_brute_force():
    network, shape = Odd(), (3, 14, 15)
    with torch.no_grad():
        for weights in network.parameters():
            weights.normal_(generator=torch.Generator().manual_seed(3))
    fields = receptive_fields(network, "two", shape)
    expected = brute_force(network, "two", shape)
    found = [[fields.box(row, col) for col in range(len(fields.cols))] for row in range(len(fields.rows))]
    np.testing.assert_array_equal(np.array(found), expected)


def test_a_vector_sees_everything_and_crops_are_cut_about_the_centre():
    fields = receptive_fields(Impala((4, 4, 4)), "fc")
    assert fields.box(0, 0) == Box(0, 0, 64, 64)
    assert fields.crop(0, 0, at_most=20) == Box(22, 22, 42, 42)
    deep = receptive_fields(Impala((4, 4, 4)), "conv_out")
    assert deep.crop(0, 7, at_most=24) == Box(0, 40, 24, 64)
    assert deep.crop(4, 3, at_most=24) == Box(24, 16, 48, 40)
    near = receptive_fields(Impala((4, 4, 4)), "block1.pool")
    assert near.crop(10, 0, at_most=24) == near.box(10, 0) == Box(18, 0, 23, 3)
    assert near.centre(10, 0) == (20.5, 0.5)


class Constant(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.same = nn.Identity()

    def forward(self, x):
        return self.same(torch.zeros(len(x), 2, 3, 3))


def test_bad_input_says_what_is_expected():
    with pytest.raises(ValueError, match="depend on the picture"):
        receptive_fields(Constant(), "same")
    with pytest.raises(ValueError, match=r"Did you mean block1\.conv"):
        receptive_fields(Impala((4, 4, 4)), "block1.conf")
    with pytest.raises(ValueError, match=r"a place of the 64 x 64 map of 'block1\.conv', given row 64"):
        receptive_fields(Impala((4, 4, 4)), "block1.conv").box(64, 0)
