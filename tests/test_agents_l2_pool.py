"""Pooling by the norm: against PyTorch's own, by hand, and in windows of zeros."""

import pytest
import torch
from torch.nn import functional as F

from procscope.agents.networks.interpretable_cnn import InterpretableCnn
from procscope.agents.networks.l2_pool import l2_pool


@pytest.mark.parametrize("size", [(8, 8), (2, 6), (5, 7)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_those_of_lp_pool2d(size, layout):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, *size, generator=generator).to(memory_format=layout)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    mine, other = l2_pool(ours), F.lp_pool2d(theirs, 2, 2, 2)
    torch.testing.assert_close(mine, other)
    seed = torch.randn(mine.shape, generator=generator)
    mine.backward(seed)
    other.backward(seed)
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_by_hand():
    window = torch.tensor([[[[3.0, 0.0], [0.0, -4.0]]]], requires_grad=True)
    pooled = l2_pool(window)
    assert pooled.item() == 5
    pooled.backward()
    torch.testing.assert_close(window.grad, torch.tensor([[[[0.6, 0.0], [0.0, -0.8]]]]))


def test_a_window_of_zeros_has_gradient_zero():
    x = torch.zeros(1, 1, 4, 4)
    x[..., 2:, 2:] = torch.tensor([[3.0, 0.0], [0.0, 4.0]])
    x.requires_grad_()
    pooled = l2_pool(x)
    pooled.sum().backward()
    torch.testing.assert_close(pooled, torch.tensor([[[[0.0, 0.0], [0.0, 5.0]]]]))
    expected = torch.zeros(1, 1, 4, 4)
    expected[..., 2:, 2:] = torch.tensor([[0.6, 0.0], [0.0, 0.8]])
    torch.testing.assert_close(x.grad, expected)


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e15])
def test_the_gradient_is_never_longer_than_one(scale):
    """Also where the squares are too small for a float32."""
    x = (torch.randn(1, 1, 2, 2, generator=torch.Generator().manual_seed(0)) * scale).requires_grad_()
    l2_pool(x).sum().backward()
    assert x.grad is not None
    assert x.grad.norm() < 1.1


def test_first_and_second_derivatives_against_differences():
    x = (torch.rand(2, 2, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 0.1) * 2
    x.requires_grad_()
    assert torch.autograd.gradcheck(l2_pool, (x,))
    assert torch.autograd.gradgradcheck(l2_pool, (x,))


def test_the_network_learns_from_a_black_frame():
    """Without biases every window of a black frame is all zero, in every layer."""
    network = InterpretableCnn()
    frames = torch.zeros(2, 3, 64, 64, requires_grad=True)
    output = network(frames)
    (output.logits.sum() + output.value.sum()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert frames.grad is not None
    assert frames.grad.isfinite().all()
