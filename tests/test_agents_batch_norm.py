"""Batch normalisation for training alone: what is folded in gives the same, and leaves a plain network."""

import numpy as np
import pytest
import torch

from procscope.agents.imitation.config import ImitationConfig
from procscope.agents.networks.batch_norm import BatchNormalised
from procscope.agents.networks.impala import Impala
from procscope.agents.networks.interpretable_cnn import InterpretableCnn


@pytest.fixture(params=["interpretable-cnn", "impala"])
def plain(request):
    torch.manual_seed(0)
    return InterpretableCnn() if request.param == "interpretable-cnn" else Impala((4, 6, 6), hidden=16)


@pytest.fixture
def frames():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (16, 3, 64, 64), dtype=np.uint8))


def trained(network, frames):
    """With statistics and weights that are no longer those of the start."""
    training = BatchNormalised(network).train()
    optimiser = torch.optim.SGD(training.parameters(), 0.1)
    for _ in range(3):
        optimiser.zero_grad()
        output = training(frames)
        (output.logits.square().mean() + output.value.square().mean()).backward()
        optimiser.step()
    return training.eval()


def test_the_folded_network_gives_what_the_normalised_one_gave(plain, frames):
    training = trained(plain, frames)
    folded = training.folded()
    with torch.no_grad():
        expected, found = training(frames), folded(frames)
    assert expected.logits.std() > 1e-3
    torch.testing.assert_close(found.logits, expected.logits, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.value, expected.value, rtol=1e-3, atol=1e-4)


def test_the_folded_network_is_a_plain_one_of_its_own(plain, frames):
    training = trained(plain, frames)
    folded = training.folded()
    assert {name: tensor.shape for name, tensor in folded.state_dict().items()} == {
        name: tensor.shape for name, tensor in plain.state_dict().items()
    }
    assert not any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in folded.modules())
    before = {name: tensor.clone() for name, tensor in training.state_dict().items()}
    with torch.no_grad():
        for parameter in folded.parameters():
            parameter.zero_()
    assert all(torch.equal(training.state_dict()[name], tensor) for name, tensor in before.items())
    _, kept = folded.run_with_cache(frames[:1], names_filter=["logits", "value"])
    assert (kept["logits"] == 0).all(), "its hook points see what it computes"


def test_the_network_that_it_is_made_from_stays_as_it_was(plain, frames):
    before = {name: tensor.clone() for name, tensor in plain.state_dict().items()}
    trained(plain, frames)
    assert all(torch.equal(plain.state_dict()[name], tensor) for name, tensor in before.items())


def test_a_trained_network_is_not_normalised_afterwards():
    with pytest.raises(ValueError, match="batch_norm is for new networks"):
        ImitationConfig(batch_norm=True, start_from="maze-easy-topright")
