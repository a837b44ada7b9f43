"""The sparse step of top-k against autograd through dense products, and against sae-lens' training class."""

import numpy as np
import pytest
import torch
from torch import Tensor

from procscope.saes.config import SaeConfig
from procscope.saes.fused_top_k import (
    ActiveLatents,
    Weights,
    choose_batch_top_k,
    choose_top_k,
    entry_products,
    pre_activations,
    step_gradients,
)
from procscope.saes.learners import FusedTopK

N, INPUTS, LATENTS, K = 40, 12, 30, 4


@pytest.fixture
def weights() -> Weights:
    generator = torch.Generator().manual_seed(0)
    return Weights(
        torch.randn(LATENTS, INPUTS, generator=generator),
        0.3 * torch.randn(LATENTS, generator=generator),
        torch.randn(LATENTS, INPUTS, generator=generator),
        0.3 * torch.randn(INPUTS, generator=generator),
    )


@pytest.fixture
def samples() -> Tensor:
    return torch.randn(N, INPUTS, generator=torch.Generator().manual_seed(1))


def dense(latents: ActiveLatents, n: int) -> Tensor:
    made = torch.zeros(n, LATENTS)
    for sample in range(n):
        for entry in range(int(latents.offsets[sample]), int(latents.offsets[sample + 1])):
            made[sample, latents.indices[entry]] = latents.values[entry]
    return made


def by_autograd(
    x: Tensor, weights: Weights, kept: Tensor, dead: Tensor | None, aux_weight: float
) -> tuple[Weights, float, float]:
    """The same losses written down plainly; `kept` says which latents are active."""
    encoder, b_enc, decoder, b_dec = (part.clone().requires_grad_() for part in weights)
    pre = (x - b_dec) @ encoder.T + b_enc
    z = pre.relu() * kept
    out = z @ decoder + b_dec
    mse = (out - x).square().sum(dim=1).mean()
    aux = torch.zeros(())
    if dead is not None:
        n_aux = x.shape[1] // 2
        masked = torch.where(dead, pre, -torch.inf)
        values, indices = masked.topk(min(n_aux, int(dead.sum())), dim=1)
        z_aux = torch.zeros_like(pre).scatter(1, indices, values.relu())
        left_over = (x - out).detach()
        weight = aux_weight * min(1.0, int(dead.sum()) / n_aux)
        aux = weight * (z_aux @ decoder - left_over).square().sum(dim=1).mean()
    (mse + aux).backward()
    return Weights(*(part.grad for part in (encoder, b_enc, decoder, b_dec))), float(mse), float(aux)


@pytest.mark.parametrize("n_dead", [0, 3, 15])
@pytest.mark.parametrize("kind", ["top-k", "batch-top-k"])
def test_gradients_are_autograds(weights: Weights, samples: Tensor, kind: str, n_dead: int) -> None:
    centred, pre = pre_activations(samples, weights)
    latents = choose_top_k(pre, K) if kind == "top-k" else choose_batch_top_k(pre, K)
    dead = torch.arange(LATENTS) < n_dead if n_dead else None
    found = step_gradients(centred, pre, weights, latents, dead, 0.5)
    gradients, mse, aux = by_autograd(samples, weights, dense(latents, N) > 0, dead, 0.5)
    assert found.mse == pytest.approx(mse, rel=1e-5)
    assert found.aux_loss == pytest.approx(aux, rel=1e-5)
    assert (aux > 0) == (n_dead > 0)
    for ours, theirs in zip(found.gradients, gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_top_k_keeps_the_largest_and_cuts_below_zero(samples: Tensor) -> None:
    pre = torch.tensor([[3.0, -1.0, 2.0, 1.0], [-5.0, -4.0, 0.5, -3.0]])
    latents = choose_top_k(pre, 2)
    assert latents.offsets.tolist() == [0, 2, 4]
    assert sorted(zip(latents.indices[:2].tolist(), latents.values[:2].tolist(), strict=True)) == [
        (0, 3.0),
        (2, 2.0),
    ]
    assert sorted(latents.values[2:].tolist()) == [0.0, 0.5]


@pytest.mark.parametrize("hint", [None, 0.0, 0.4, 100.0])
def test_batch_top_k_is_the_largest_of_the_batch(hint: float | None) -> None:
    """Whatever the hint: it may lie far above, and is then no use."""
    pre = torch.randn(30, 20, generator=torch.Generator().manual_seed(2))
    latents = choose_batch_top_k(pre, 3, hint)
    expected = torch.zeros(600).scatter(0, *(lambda t: (t.indices, t.values))(pre.relu().flatten().topk(90)))
    made = torch.zeros(30, 20)
    for sample in range(30):
        part = slice(int(latents.offsets[sample]), int(latents.offsets[sample + 1]))
        made[sample, latents.indices[part]] = latents.values[part]
    assert torch.equal(made, expected.reshape(30, 20))
    assert latents.offsets[-1] == 90


def test_batch_top_k_of_few_positive_values() -> None:
    latents = choose_batch_top_k(torch.tensor([[-1.0, 2.0], [-1.0, -1.0]]), 2)
    assert (latents.values.tolist(), latents.indices.tolist(), latents.offsets.tolist()) == (
        [2.0],
        [1],
        [0, 1, 1],
    )


def test_entry_products_without_mkl(
    samples: Tensor, weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, pre = pre_activations(samples, weights)
    latents = choose_top_k(pre, K)
    fast = entry_products(latents, samples, weights.decoder)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    torch.testing.assert_close(entry_products(latents, samples, weights.decoder), fast)


def test_decoder_rows_stay_of_length_one(samples: Tensor) -> None:
    learner = FusedTopK(SaeConfig(width=LATENTS, k=K), INPUTS)
    optimiser = torch.optim.Adam(learner.parameters, lr=0.1, fused=True)
    for _ in range(3):
        learner.step(samples, torch.zeros(LATENTS, dtype=torch.bool), 1.0)
        radial = (learner.weights.decoder.grad * learner.weights.decoder).sum(dim=1)
        assert radial.abs().max() < 1e-5
        optimiser.step()
        learner.after_step()
    assert learner.weights.decoder.norm(dim=1).numpy() == pytest.approx(np.ones(LATENTS), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["top-k", "batch-top-k"])
def test_a_step_is_that_of_sae_lens(samples: Tensor, kind: str) -> None:
    """The same loss and the same gradients as its training class with our first weights."""
    from procscope.saes.learners import LensLearner

    config = SaeConfig(kind=kind, width=LATENTS, k=K, aux_weight=0.0)  # type: ignore[arg-type]
    ours, theirs = FusedTopK(config, INPUTS), LensLearner(config, INPUTS, torch.device("cpu"))
    no_dead = torch.zeros(LATENTS, dtype=torch.bool)
    one, two = ours.step(samples, no_dead, 1.0), theirs.step(samples, no_dead, 1.0)
    assert one.mse == pytest.approx(two.mse, rel=1e-5)
    assert one.l0 == two.l0
    assert torch.equal(one.fired, two.fired)
    for name, transposed in (
        ("encoder", "W_enc"),
        ("b_enc", "b_enc"),
        ("decoder", "W_dec"),
        ("b_dec", "b_dec"),
    ):
        mine, other = getattr(ours.weights, name).grad, getattr(theirs.lens, transposed).grad
        torch.testing.assert_close(mine, other.T if name == "encoder" else other, rtol=1e-4, atol=1e-5)
