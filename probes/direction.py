"""A fitted linear probe as a thing to use: predict, intervene along it, see where in a map it reads.

    probe = linear_probe(fit, column, target, features)
    probe.predict(x)
    probe.steer(by=-3)                       # Steer: what makes the probe read 3 cells less
    probe.erase()                            # Erase: the probe reads its mean in every frame
    probe.contributions(maps)                # [frame, row, col]: which positions the reading comes from
    save_probes(probes, "probes.safetensors"); load_probes("probes.safetensors")

Two directions belong to a probe, and they are not the same. `weights` is what it reads with: the least change of the
activation that changes the reading. `pattern` is how activations differ when the target does (the covariance times the
weights, Haufe et al. 2014, NeuroImage 87:96): the change that also carries along whatever goes with the target. Both
are scaled so that `by` is in the target's unit. Which of them a network obeys is a question for experiments.

Source: Alain and Bengio 2016 (arXiv:1610.01644) for linear probes of layers.

Axes: `sample`, `dimension`; `channel row col` of the map that is read.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Shaped
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from procscope.interventions.concept_erasure import ConceptStatistics
from procscope.interventions.erase import Erase
from procscope.interventions.steer import Steer
from procscope.probes.moments import Centred, as_float64
from procscope.probes.reading import Reading
from procscope.probes.ridge import RidgeFit

_METADATA = "procscope_probes"


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """A linear read-out of a hook point."""

    target: str
    hook_point: str
    read: Reading
    shape: tuple[int, ...]
    """Of one sample: (channel,) or (channel, row, col)."""
    weights: Float64[np.ndarray, " dimension"]
    """In the activation's own unit."""
    intercept: float
    mean: Float64[np.ndarray, " dimension"]
    """Mean of what is read."""
    pattern: Float64[np.ndarray, " dimension"]
    """Change of what is read that goes with one unit of the reading."""
    alpha: float
    model: str = ""
    """`weights_hash` of the network that was read, if known."""

    def predict(self, features: Shaped[np.ndarray, "sample dimension"]) -> Float64[np.ndarray, " sample"]:
        """The reading, in the target's unit, of features as `Reading.apply` gives them."""
        return as_float64(features) @ self.weights + self.intercept

    def direction(self, along: str = "pattern") -> Float64[np.ndarray, " *shape"]:
        """The change that raises the reading by 1: the least one (`weights`), or the one that goes with it (`pattern`).

        Raises ValueError: a probe of zeros, which reads nothing.
        """
        length = float(self.weights @ self.weights)
        if length == 0:
            raise ValueError(
                f"the probe of {self.target!r} at {self.hook_point!r} has no weights but 0, so it has no direction"
            )
        if along not in ("weights", "pattern"):
            raise ValueError(f"expected along='weights' or along='pattern', given {along!r}")
        found = self.weights / length if along == "weights" else self.pattern
        return found.reshape(self.shape)

    def steer(
        self,
        by: float | int = 1.0,
        along: str = "pattern",
        *,
        of_map: tuple[int, int] | None = None,
        **where: Any,
    ) -> Steer:
        """An intervention after which the probe reads `by` more, in the target's unit.

        A pooled probe's direction is added at every position, one of a position there, one of squares at the positions
        of each. Args: of_map: rows and columns of the map, for squares; where: `frames`, `steps`.
        """
        return Steer(
            self.hook_point,
            vector=self._on_map(self.direction(along), of_map).astype(np.float32),
            strength=by,
            **self._where(where),
        )

    def erase(self, *, of_map: tuple[int, int] | None = None, **where: Any) -> Erase:
        """An intervention after which the probe reads the same in every frame: its reading of the mean activation."""
        weights, mean = (self._on_map(one, of_map).reshape(-1) for one in (self.weights, self.mean))
        return Erase.directions(self.hook_point, weights, center=mean, **self._where(where))

    def contributions(
        self, activations: Float[np.ndarray, "frame channel row col"]
    ) -> Float64[np.ndarray, "frame row col"]:
        """How much each position adds to the reading, beyond what the mean activation gives; they sum to the
        difference.

        Raises ValueError: another shape than the probe was fitted to, or a probe of one position.
        """
        x = activations.astype(np.float64)
        channels = self.shape[0]
        squares = self.read.kind == "grid"
        if x.shape[1] != channels or (len(self.shape) == 3 and x.shape[1:] != self.shape and not squares):
            raise ValueError(
                f"expected maps of shape {self.shape} for this probe, given {activations.shape[1:]}"
            )
        if self.read.kind == "position":
            raise ValueError(
                f"this probe reads position {self.read} alone, so there is no map of contributions"
            )
        if squares:
            apart = x - self.read.spread(self.mean, x.shape[1:])
            each = self.read.positions_each(x.shape[1:])
            return (apart * self.read.spread(self.weights, x.shape[1:])).sum(axis=1) / each
        weights = self.weights.reshape(channels, *(self.shape[1:] or (1, 1)))
        apart = x - self.mean.reshape(weights.shape)
        share = 1.0 if len(self.shape) == 3 or self.read.kind == "each-position" else 1 / np.prod(x.shape[2:])
        return (apart * weights).sum(axis=1) * share

    def _on_map(
        self, values: Float64[np.ndarray, "..."], of_map: tuple[int, int] | None
    ) -> Float64[np.ndarray, "..."]:
        """Numbers of a sample, for squares at each of their positions."""
        if self.read.kind != "grid" or len(self.shape) == 1:
            return values
        if of_map is None:
            raise ValueError(
                f"expected the rows and columns of the map at {self.hook_point!r} to put {self.read} squares back: "
                "of_map=(16, 16)"
            )
        return self.read.spread(values.reshape(-1), (self.shape[0], *of_map))

    def _where(self, where: dict[str, Any]) -> dict[str, Any]:
        return {"positions": [self.read.position], **where} if self.read.kind == "position" else where


def linear_probe(
    fit: RidgeFit,
    column: int,
    *,
    target: str,
    hook_point: str,
    read: str | Reading,
    shape: Sequence[int],
    alpha: float | None = None,
    model: str = "",
) -> LinearProbe:
    """The probe of all samples for one column of a fit, by default at its best strength."""
    weights = fit.coefficients(column, alpha)
    sums = fit.moments.total()
    spread = sums.xx @ weights
    variance = float(weights @ spread)
    pattern = spread / variance if variance > 0 else np.zeros_like(weights)
    return LinearProbe(
        target,
        hook_point,
        Reading.of(read),
        tuple(shape),
        weights,
        fit.intercept(column, alpha),
        sums.x,
        pattern,
        fit.best_alpha(column) if alpha is None else alpha,
        model,
    )


def concept_of(sums: Centred, columns: Sequence[int]) -> ConceptStatistics:
    """What `Erase.leace` needs to erase some targets from a layer, from the sums that the probes were fitted with."""
    return ConceptStatistics(sums.n, sums.x, sums.xx / sums.n, sums.xy[:, list(columns)] / sums.n)


def save_probes(probes: Sequence[LinearProbe], path: str | Path) -> Path:
    """Write probes to a safetensors file, everything about them in it."""
    described, tensors = [], {}
    for i, probe in enumerate(probes):
        described.append(
            {
                "target": probe.target,
                "hook_point": probe.hook_point,
                "read": str(probe.read),
                "shape": list(probe.shape),
                "intercept": probe.intercept,
                "alpha": probe.alpha,
                "model": probe.model,
            }
        )
        for name in ("weights", "mean", "pattern"):
            tensors[f"{i}.{name}"] = torch.from_numpy(np.ascontiguousarray(getattr(probe, name)))
    save_file(tensors, path, metadata={_METADATA: json.dumps(described)})
    return Path(path)


def load_probes(path: str | Path) -> list[LinearProbe]:
    """Probes that `save_probes` wrote. Raises FileNotFoundError: no file. Raises ValueError: a file of other things."""
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"there are no probes at {path}. procscope analyze probe writes probes.safetensors"
        )
    try:
        with safe_open(path, framework="pt") as file:
            described = json.loads((file.metadata() or {})[_METADATA])
            tensors = {name: file.get_tensor(name).numpy() for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, KeyError) as error:
        raise ValueError(
            f"expected probes in {path}, as save_probes writes them; found none ({error})"
        ) from error
    return [
        LinearProbe(
            one["target"],
            one["hook_point"],
            Reading.of(one["read"]),
            tuple(one["shape"]),
            tensors[f"{i}.weights"],
            one["intercept"],
            tensors[f"{i}.mean"],
            tensors[f"{i}.pattern"],
            one["alpha"],
            one["model"],
        )
        for i, one in enumerate(described)
    ]
