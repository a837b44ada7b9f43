"""Gradient ascent on pictures: what excites a unit, a group or an output most? The project's one input optimiser.

    objective = ChannelMean("conv_out", channels=range(32))
    found = optimise_inputs(policy, objective, Fourier((3, 64, 64)), PRESETS["lucid"], brightest=255, seed=0)
    found.pictures, found.scores

Adam on the parameters of all pictures at once; a picture's result does not depend on what else is in its batch, except
for rounding. Only as much of the network is run as the objective reads. Weights and modes of the network are left as
they were.

`scores` is the objective on the finished picture itself, without transforms. `moved` is False where no step changed
anything: a dead unit, whose picture means nothing.

*Waking*: behind a closed ReLU the gradient is exactly 0 and nothing would ever change. In the first steps, a picture
whose gradient has always been 0 begins anew from other noise, louder each time up to full contrast. (Lucid lets
gradients through closed ReLUs in the first steps instead, which changes the network.) A picture that never wakes keeps
`moved` False.

Source: Olah et al. 2017 (Lucid): Adam with 0.05, 512 steps; S0's section 4.4.3 takes 100. Settings that belong together
have names in `recipes.py`.

Cost: steps x (forward + backward) of the pictures, and a few per cent more (`python benchmarks/visualization.py`);
0.5 s for 1,280 pictures and 100 steps in the first layer of a 784-256x4-10 MLP.

Axes: `picture`, `step`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from tqdm import tqdm

from procscope.activations.capture import evaluation_mode
from procscope.activations.hooks import HookedNetwork, HookPoint, hook_modules
from procscope.visualization.objectives import PICTURE, Objective
from procscope.visualization.picture_parameters import PictureParameters
from procscope.visualization.picture_transforms import Transform, transformed

BATCH_PICTURES = 512
WAKING_STEPS = 16
"""At most so many new beginnings."""
_APART = 1_000_003
"""Between the seeds of new beginnings."""
_CHECK_STEPS = 32
"""Steps between looks at the device for gradients that are not finite; once there, they stay."""


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
    keep_best: bool = False,
    seed: int = 0,
    batch_pictures: int = BATCH_PICTURES,
    progress: str = "",
) -> OptimisedPictures:
    """Make the objective large, one picture for each of its units.

    Args:
        network: a `HookedNetwork`, or any module: hook points are then paths of its submodules.
        brightest: what the network takes for a pixel of 1; 255 for policies on frames.
        keep_best: give the picture of the step with the highest objective, transforms included, not the last one's.
        seed: of the first pictures and of the transforms, which are the same for every batch.
        batch_pictures: optimised at once; more where an objective ties more together (`Objective.together`).
        progress: a name for the progress bar; none without it.

    Raises ValueError: an unknown hook point or one that never passes, a channel that is not there, fewer than one
        step, a gradient that is not finite.
    """
    if steps < 1 or batch_pictures < 1:
        raise ValueError(
            f"expected at least one step and one picture a batch, given {steps}, {batch_pictures}"
        )
    hooked = _hooked(network, objective)

    def begun(step: int) -> Tensor:
        """Numbers to begin with, or to begin anew with after so many steps, of all pictures: no batch matters."""
        louder = parameters.louder(step)
        return louder.start(objective.count, torch.Generator().manual_seed(seed + _APART * step))

    at_once = max(1, batch_pictures // objective.together) * objective.together
    parts = []
    with (
        evaluation_mode(network),
        _frozen(network),
        tqdm(total=steps * objective.count, desc=progress, disable=None if progress else True) as bar,
    ):
        for start in range(0, objective.count, at_once):
            part = slice(start, min(start + at_once, objective.count))
            ascent = _Ascent(
                hooked,
                objective.part(part),
                parameters.part(part),
                transforms,
                brightest,
                keep_best,
                seed,
            )
            parts.append(ascent.run(lambda step, part=part: begun(step)[part], steps, learning_rate, bar))
    return OptimisedPictures(
        *(torch.cat([getattr(part, name) for part in parts]) for name in OptimisedPictures.__annotations__)
    )


def objective_of(
    network: nn.Module,
    objective: Objective,
    inputs: Float[Tensor, "picture channel row col"],
    *,
    brightest: float = 1.0,
) -> Float[Tensor, " picture"]:
    """The objective on given inputs, one for each of its units, as the network takes them.

    Args:
        brightest: what the network takes for a pixel of 1; only terms that look at the picture ask for it.

    Raises ValueError: as `optimise_inputs`.
    """
    with evaluation_mode(network), torch.no_grad():
        return objective.of(_read(_hooked(network, objective), objective, inputs, brightest))


def _hooked(network: nn.Module, objective: Objective) -> HookedNetwork:
    names = [name for name in objective.hook_points if name != PICTURE]
    return network if isinstance(network, HookedNetwork) else hook_modules(network, names)


def _read(
    network: HookedNetwork, objective: Objective, inputs: Tensor, brightest: float
) -> Mapping[str, Tensor]:
    """All that an objective looks at."""
    names = [name for name in objective.hook_points if name != PICTURE]
    found = dict(activations_at(network, inputs, names)) if names else {}
    return found | {PICTURE: inputs / brightest} if PICTURE in objective.hook_points else found


@dataclass(frozen=True, eq=False)
class _Ascent:
    """One batch of pictures."""

    network: HookedNetwork
    objective: Objective
    parameters: PictureParameters
    transforms: Sequence[Transform]
    brightest: float
    keep_best: bool
    seed: int

    def run(
        self, begun: Callable[[int], Tensor], steps: int, learning_rate: float, bar: "tqdm"
    ) -> OptimisedPictures:
        device = next((weight.device for weight in self.network.parameters()), torch.device("cpu"))
        numbers = begun(0).to(device).requires_grad_()
        optimiser = torch.optim.Adam([numbers], lr=learning_rate, fused=True)
        generator = torch.Generator().manual_seed(self.seed + 1)
        moved, bad = torch.zeros(2, len(numbers), dtype=torch.bool, device=device)
        history = torch.empty(len(numbers), steps, device=device)
        best, highest = numbers.detach().clone(), torch.full_like(history[:, 0], -torch.inf)
        for step in range(steps):
            optimiser.zero_grad()
            shown = transformed(self.parameters.pictures(numbers), self.transforms, generator)
            reached = self._score(shown)
            (-reached.sum()).backward()
            gradient = torch.zeros_like(numbers) if numbers.grad is None else numbers.grad
            flat = gradient.detach().flatten(1)
            bad |= ~flat.isfinite().all(dim=1)
            moved |= flat.any(dim=1)
            if step % _CHECK_STEPS == 0 or step == steps - 1:
                self._refuse(bad)
            history[:, step] = reached.detach()
            if self.keep_best:
                better = history[:, step] > highest
                highest = torch.where(better, history[:, step], highest)
                best[better] = numbers.detach()[better]
            optimiser.step()
            with torch.no_grad():
                if step < WAKING_STEPS and not moved.all():
                    numbers[~moved] = begun(step + 1).to(device)[~moved]
                self.parameters.project(numbers)
            bar.update(len(numbers))
        with torch.no_grad():
            pictures = self.parameters.pictures(best if self.keep_best else numbers)
            scores = self._score(pictures)
        return OptimisedPictures(pictures.cpu(), scores.cpu(), history.cpu(), moved.cpu())

    def _score(self, pictures: Tensor) -> Tensor:
        # Convolutions on a CPU are several times faster on these strides.
        inputs = (self.brightest * pictures).contiguous(memory_format=torch.channels_last)
        return self.objective.of(_read(self.network, self.objective, inputs, self.brightest))

    def _refuse(self, bad: Tensor) -> None:
        if bool(bad.any()):
            raise ValueError(
                f"expected finite gradients of {', '.join(self.objective.hook_points)}, given {int(bad.sum())} "
                f"pictures of {len(bad)} whose gradient is not. Look for a root or a division at 0 in the network"
            )


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
