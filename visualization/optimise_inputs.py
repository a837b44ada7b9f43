"""Gradient ascent on pictures: what excites a unit, a group or an output most? The project's one input optimiser.

    objective = ChannelMean("conv_out", channels=range(32))
    found = optimise_inputs(policy, objective, Fourier((3, 64, 64)), PRESETS["lucid"], brightest=255, seed=0)
    found.pictures, found.scores

Adam on the parameters of all pictures at once; a picture's result does not depend on what else is in its batch, except
for rounding. Only as much of the network is run as the objective reads. Weights and modes of the network are left as
they were.

`scores` is the objective on the finished picture itself, without transforms. `moved` is False where no step changed
anything: a dead unit, whose picture means nothing.

Source: Olah et al. 2017 (Lucid): Adam with 0.05, 512 steps; S0's section 4.4.3 takes 100. Lucid also lets gradients
through closed ReLUs in the first steps, which is not done here.

Cost: steps x (forward + backward) of the pictures; 0.5 s for 1,280 pictures and 100 steps in the first layer of a
784-256x4-10 MLP.

Axes: `picture`, `step`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from tqdm import tqdm

from procscope.activations.capture import evaluation_mode
from procscope.activations.hooks import HookedNetwork, HookPoint, hook_modules
from procscope.visualization.objectives import Objective
from procscope.visualization.picture_parameters import PictureParameters
from procscope.visualization.picture_transforms import Transform, transformed

BATCH_PICTURES = 512


@dataclass(frozen=True, eq=False)
class OptimisedPictures:
    """One picture for each unit of an objective."""

    pictures: Float[Tensor, "picture channel row col"]
    """Between 0 and 1."""
    scores: Float[Tensor, " picture"]
    """The objective on each of them."""
    history: Float[Tensor, "picture step"]
    """The objective on the transformed pictures before each step."""
    moved: Bool[Tensor, " picture"]
    """Whether any gradient was not 0."""


def optimise_inputs(
    network: nn.Module,
    objective: Objective,
    parameters: PictureParameters,
    transforms: Sequence[Transform] = (),
    *,
    steps: int = 512,
    learning_rate: float = 0.05,
    brightest: float = 1.0,
    seed: int = 0,
    batch_pictures: int = BATCH_PICTURES,
    progress: str = "",
) -> OptimisedPictures:
    """Make the objective large, one picture for each of its units.

    Args:
        network: a `HookedNetwork`, or any module: hook points are then paths of its submodules.
        brightest: what the network takes for a pixel of 1; 255 for policies on frames.
        seed: of the first pictures and of the transforms, which are the same for every batch.
        batch_pictures: optimised at once.
        progress: a name for the progress bar; none without it.

    Raises ValueError: an unknown hook point or one that never passes, a channel that is not there, fewer than one
        step, a gradient that is not finite.
    """
    if steps < 1 or batch_pictures < 1:
        raise ValueError(
            f"expected at least one step and one picture a batch, given {steps}, {batch_pictures}"
        )
    hooked = (
        network if isinstance(network, HookedNetwork) else hook_modules(network, list(objective.hook_points))
    )
    first = parameters.start(objective.count, torch.Generator().manual_seed(seed))
    parts = []
    with (
        evaluation_mode(network),
        _frozen(network),
        tqdm(total=steps * objective.count, desc=progress, disable=None if progress else True) as bar,
    ):
        for start in range(0, objective.count, batch_pictures):
            part = slice(start, min(start + batch_pictures, objective.count))
            ascent = _Ascent(hooked, objective.part(part), parameters, transforms, brightest, seed)
            parts.append(ascent.run(first[part], steps, learning_rate, bar))
    return OptimisedPictures(
        *(torch.cat([getattr(part, name) for part in parts]) for name in OptimisedPictures.__annotations__)
    )


def objective_of(
    network: nn.Module, objective: Objective, inputs: Float[Tensor, "picture channel row col"]
) -> Float[Tensor, " picture"]:
    """The objective on given inputs, one for each of its units, as the network takes them.

    Raises ValueError: as `optimise_inputs`.
    """
    hooked = (
        network if isinstance(network, HookedNetwork) else hook_modules(network, list(objective.hook_points))
    )
    with evaluation_mode(network), torch.no_grad():
        return objective.of(activations_at(hooked, inputs, objective.hook_points))


@dataclass(frozen=True, eq=False)
class _Ascent:
    """One batch of pictures."""

    network: HookedNetwork
    objective: Objective
    parameters: PictureParameters
    transforms: Sequence[Transform]
    brightest: float
    seed: int

    def run(self, numbers: Tensor, steps: int, learning_rate: float, bar: "tqdm") -> OptimisedPictures:
        device = next((weight.device for weight in self.network.parameters()), torch.device("cpu"))
        numbers = numbers.to(device).requires_grad_()
        optimiser = torch.optim.Adam([numbers], lr=learning_rate, fused=True)
        generator = torch.Generator().manual_seed(self.seed + 1)
        moved = torch.zeros(len(numbers), dtype=torch.bool)
        history = []
        for _ in range(steps):
            optimiser.zero_grad()
            shown = transformed(self.parameters.pictures(numbers), self.transforms, generator)
            reached = self._score(shown)
            (-reached.sum()).backward()
            moved |= self._gradient_of(numbers).flatten(1).any(dim=1).cpu()
            optimiser.step()
            history.append(reached.detach().cpu())
            bar.update(len(numbers))
        with torch.no_grad():
            pictures = self.parameters.pictures(numbers)
            scores = self._score(pictures)
        return OptimisedPictures(pictures.cpu(), scores.cpu(), torch.stack(history, dim=1), moved)

    def _score(self, pictures: Tensor) -> Tensor:
        names = self.objective.hook_points
        return self.objective.of(activations_at(self.network, self.brightest * pictures, names))

    def _gradient_of(self, numbers: Tensor) -> Tensor:
        gradient = numbers.grad
        if gradient is None or not torch.isfinite(gradient).all():
            bad = 0 if gradient is None else int((~torch.isfinite(gradient)).flatten(1).any(dim=1).sum())
            raise ValueError(
                f"expected finite gradients of {', '.join(self.objective.hook_points)}, given {bad} pictures of "
                f"{len(numbers)} whose gradient is not. Look for a root or a division at 0 in the network"
            )
        return gradient


class _Enough(Exception):
    """All activations that are wanted are there."""


def activations_at(
    network: HookedNetwork, inputs: Tensor, names: Sequence[str]
) -> Mapping[str, Float[Tensor, "picture ..."]]:
    """Activations with their gradients; the pass is left as soon as the last of them is there.

    Raises ValueError: an unknown hook point, or one that the pass never reaches.
    """
    found: dict[str, Tensor] = {}

    def keep(activation: Tensor, /, *, hook: HookPoint) -> None:
        found.setdefault(hook.name or "", activation)
        if len(found) == len(names):
            raise _Enough

    with network.hooks([(name, keep) for name in names]):
        try:
            network(inputs)
        except _Enough:
            return found
    missed = [name for name in names if name not in found]
    raise ValueError(f"the forward pass never reached the hook points {missed}")


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """No gradients of weights for the length of a block, which saves a third of each step."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)
