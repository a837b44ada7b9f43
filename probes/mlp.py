"""A small network as a probe: the non-linear bound on what can be read.

When to use: beside a linear probe that finds little. If this finds no more, the layer does not hold it in any form
that a small network can decode; if it does, the information is there, and not linearly. It says nothing about what
the network uses.

    probe = fit_mlp(x, y, levels, seed=0)              # numbers; n_classes=5 for classes
    probe.predict(x)

One hidden layer of 128 units (ReLU) on standardised features, AdamW, stopped when a tenth of the training *levels*,
left out, gets no better for some epochs; the best weights count.

Cost: at most 60 passes over the samples, forward and backward.

Axes: `sample`, `dimension`, `class`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from procscope.probes.levels import Levels

_BATCH, _RATE, _DECAY, _PATIENCE = 256, 1e-3, 1e-2, 5


@dataclass(frozen=True, eq=False)
class MlpProbe:
    """A fitted small network."""

    network: nn.Module
    mean: Float32[np.ndarray, " dimension"]
    scale: Float32[np.ndarray, " dimension"]
    center: float
    spread: float
    n_classes: int
    epochs: int

    def outputs(self, features: Shaped[np.ndarray, "sample dimension"]) -> Tensor:
        with torch.inference_mode():
            return self.network(_standardised(features, self.mean, self.scale))

    def predict(self, features: Shaped[np.ndarray, "sample dimension"]) -> np.ndarray:
        """Numbers [sample]. Raises ValueError: it was fitted to classes."""
        if self.n_classes:
            raise ValueError("expected a probe of numbers; this one has classes. Use log_probabilities")
        return self.outputs(features)[:, 0].double().numpy() * self.spread + self.center

    def log_probabilities(self, features: Shaped[np.ndarray, "sample dimension"]) -> np.ndarray:
        """[sample, class]."""
        return F.log_softmax(self.outputs(features).double(), dim=1).numpy()


def fit_mlp(
    features: Shaped[np.ndarray, "sample dimension"],
    target: Shaped[np.ndarray, " sample"],
    levels: Levels,
    *,
    n_classes: int = 0,
    hidden: int = 128,
    most_epochs: int = 60,
    seed: int = 0,
) -> MlpProbe:
    """Fit one probe. Args: n_classes: of a target of classes; 0 for numbers.

    Raises ValueError: fewer than two levels (one must be left out to know when to stop), a target that does not vary.
    """
    if levels.n < 2 or len(np.unique(target)) < 2:
        raise ValueError(
            f"expected at least two levels and a target that varies; given {levels.n} levels, "
            f"{len(np.unique(target))} values"
        )
    rng = np.random.default_rng(seed)
    out = np.isin(levels.of_frame, rng.permutation(levels.n)[: max(1, levels.n // 10)])
    mean = features[~out].astype(np.float64).mean(axis=0)
    std = features[~out].astype(np.float64).std(axis=0)
    mean32 = mean.astype(np.float32)
    scale = np.divide(
        1.0, std, out=np.zeros_like(std), where=std > 1e-8 * np.maximum(np.abs(mean), 1e-30)
    ).astype(np.float32)
    center, spread = (
        (0.0, 1.0) if n_classes else (float(target[~out].mean()), float(target[~out].std()) or 1.0)
    )
    x = _standardised(features, mean32, scale)
    y = torch.from_numpy(
        target.astype(np.int64) if n_classes else ((target - center) / spread).astype(np.float32)
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(x.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, n_classes or 1))
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    generator = torch.Generator().manual_seed(seed)
    train, test = (torch.from_numpy(np.flatnonzero(mask)) for mask in (~out, out))

    def loss_of(rows: Tensor) -> Tensor:
        given = network(x[rows])
        return F.cross_entropy(given, y[rows]) if n_classes else F.mse_loss(given[:, 0], y[rows])

    best, weights, waited, epochs = np.inf, {}, 0, 0
    for epochs in range(1, most_epochs + 1):  # noqa: B007 (counted)
        order = train[torch.randperm(len(train), generator=generator)]
        for start in range(0, len(order), _BATCH):
            optimiser.zero_grad()
            loss_of(order[start : start + _BATCH]).backward()
            optimiser.step()
        with torch.no_grad():
            now = float(loss_of(test))
        if now < best:
            best, waited = now, 0
            weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        else:
            waited += 1
            if waited >= _PATIENCE:
                break
    network.load_state_dict(weights)
    return MlpProbe(network.eval(), mean32, scale, center, spread, n_classes, epochs)


def _standardised(features: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> Tensor:
    x = torch.from_numpy(np.ascontiguousarray(features)).to(torch.float32)
    return (x - torch.from_numpy(mean)) * torch.from_numpy(scale)
