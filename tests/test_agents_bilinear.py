"""The bilinear network's weights, read: its logits from quadratic forms, against its own forward pass."""

import numpy as np
import pytest
import torch

from procscope.agents.networks.bilinear_impala import BilinearImpala
from procscope.agents.networks.bilinear_weights import interaction_matrix, readout_form

FRAMES = torch.randint(0, 256, (6, 3, 64, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def make(hidden: int, width: int = 3) -> BilinearImpala:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = BilinearImpala((3, 3, width), hidden)
        torch.nn.init.normal_(network.policy_head.bias)
    return network


@pytest.mark.parametrize("hidden", [6, 120])
@torch.no_grad()
def test_logits_are_quadratic_forms_of_conv_out(hidden):
    """With 6 hidden units B has rank 12 of 192; with 120 there are more directions than units of conv_out."""
    network = make(hidden)
    output, activations = network.run_with_cache(FRAMES)
    x = activations["conv_out"].flatten(1).double()
    for action in (0, 7):
        readout, bias = network.policy_head.weight[action], network.policy_head.bias[action]
        matrix = interaction_matrix(network, readout).double()
        assert torch.equal(matrix, matrix.T)
        logits = torch.einsum("bi,ij,bj->b", x, matrix, x) + bias
        torch.testing.assert_close(logits.float(), output.logits[:, action], rtol=1e-4, atol=1e-4)
        terms = readout_form(network, readout).terms(activations["conv_out"])
        torch.testing.assert_close(terms.sum(1) + bias, output.logits[:, action], rtol=1e-4, atol=1e-4)
    difference = network.policy_head.weight[1] - network.policy_head.weight[2]
    terms = readout_form(network, difference).terms(activations["conv_out"])
    expected = (
        output.logits[:, 1]
        - output.logits[:, 2]
        - (network.policy_head.bias[1] - network.policy_head.bias[2])
    )
    torch.testing.assert_close(terms.sum(1), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("hidden", [6, 120])
def test_the_eigenvectors_are_numpys(hidden):
    network = make(hidden)
    readout = network.policy_head.weight[3].detach()
    form = readout_form(network, readout)
    size = 192
    pairs = min(2 * hidden, size)
    assert form.vectors.shape == (pairs, 3, 8, 8)
    assert form.values.abs().diff().max() <= 0, "the largest in size first"
    vectors = form.vectors.flatten(1).double().numpy()
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(pairs), atol=1e-5)
    matrix = interaction_matrix(network, readout).double().numpy()
    all_values = np.linalg.eigvalsh(matrix)
    expected = all_values[np.argsort(-abs(all_values))][:pairs]
    np.testing.assert_allclose(np.sort(form.values.numpy()), np.sort(expected), atol=1e-5)
    scale = abs(all_values).max()
    np.testing.assert_allclose(matrix @ vectors.T, vectors.T * form.values.numpy(), atol=1e-4 * scale)


@torch.no_grad()
def test_by_hand():
    """One hidden unit that multiplies two units of conv_out: x_0 x_5 = (x_0 + x_5)^2 / 4 - (x_0 - x_5)^2 / 4."""
    network = make(hidden=1)
    network.weights_left.weight.zero_()[0, 0] = 1
    network.weights_right.weight.zero_()[0, 5] = 1
    form = readout_form(network, torch.tensor([3.0]))
    torch.testing.assert_close(form.values.sort().values, torch.tensor([-1.5, 1.5]))
    for value, vector in zip(form.values, form.vectors.flatten(1), strict=True):
        torch.testing.assert_close(vector[0] * vector[5], value.sign() / 2)
        torch.testing.assert_close(vector.square().sum(), torch.tensor(1.0))


def test_a_readout_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"one number for each of the 6 hidden units.*given: shape \(4,\)"):
        readout_form(make(6), torch.zeros(4))
    with pytest.raises(ValueError, match="widths must be three positive numbers"):
        BilinearImpala((3, 3))
