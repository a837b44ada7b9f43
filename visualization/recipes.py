"""Settings of synthetic pictures that belong together, by the name of who published them.

    RECIPES["lucid"]                Fourier, decorrelated colours, jitter, rotation, scale; 512 steps
    RECIPES["dissertation"]         Fourier from coefficients of deviation 1, shifts of 8 pixels; 512 steps
    RECIPES["dissertation-seeded"]  a given frame, changed in pixel space, the same shifts; 128 steps
    RECIPES["heist-notes"]          pixels from full noise, the environment's colours, smoothness; best of 2,560 steps

    found = visualise(network, ChannelMean("conv_out", range(32)), RECIPES["lucid"], colours=colours, brightest=255)

A recipe is a value: `replace(RECIPES["lucid"], steps=128)` is another one.

Source: Lucid (Olah et al. 2017); the dissertation's section 5.4 (S0); S4.feature-vis and S4.decorrelation, the notes'
text and the code behind it, which optimises bytes, weighs its penalties by 1e-3 and takes a rate of 0.05 or 0.08. Where
that code works on bytes without a sigmoid, log-odds are optimised here. S0's pictures of groups of neurons are made by
`procscope.modularity.group_visualisation`.

Cost: `steps` forward and backward passes a picture.

Axes: `picture`, `channel row col`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from procscope.visualization.colours import Colours
from procscope.visualization.objectives import Objective
from procscope.visualization.optimise_inputs import (
    BATCH_PICTURES,
    OptimisedPictures,
    objective_of,
    optimise_inputs,
)
from procscope.visualization.picture_objectives import SquaredContrast, TotalVariation
from procscope.visualization.picture_parameters import (
    START_DEVIATION,
    Fourier,
    FrameChange,
    PictureParameters,
    Pixels,
)
from procscope.visualization.picture_transforms import PRESETS, Transform
from procscope.workbench.plugins import suggest

PENALTIES: dict[str, Callable[[int], Objective]] = {
    "total-variation": TotalVariation,
    "squared-contrast": SquaredContrast,
}


@dataclass(frozen=True)
class Recipe:
    """How a synthetic picture is made. Raises ValueError: a penalty or a transform preset that there is not."""

    parameters: Literal["pixels", "fourier", "frame"]
    """What is optimised; `frame` changes given frames."""
    transforms: str
    """One of `PRESETS` of `picture_transforms.py`."""
    steps: int = 512
    learning_rate: float = 0.05
    start_deviation: float = START_DEVIATION
    """Of the numbers optimised, at the start."""
    own_colours: bool = False
    """Decorrelate colours, where the environment's are given."""
    bound: float = 1.0
    """Most that a number of a given frame changes."""
    penalties: tuple[tuple[str, float], ...] = ()
    """Names in `PENALTIES` with their weights."""
    keep_best: bool = False

    def __post_init__(self) -> None:
        if self.transforms not in PRESETS:
            raise ValueError(
                f"unknown transforms {self.transforms!r}. {suggest(self.transforms, list(PRESETS))}"
            )
        for name, _ in self.penalties:
            if name not in PENALTIES:
                raise ValueError(f"unknown penalty {name!r}. {suggest(name, list(PENALTIES))}")

    def transform_list(self) -> tuple[Transform, ...]:
        """What is done to the picture before each pass."""
        return PRESETS[self.transforms]

    def picture_parameters(
        self,
        shape: tuple[int, int, int],
        colours: Colours | None = None,
        frames: Float[Tensor, "picture channel row col"] | None = None,
    ) -> PictureParameters:
        """What is optimised. Raises ValueError: frames are given to a recipe that makes its own, or are missing."""
        if (frames is not None) != (self.parameters == "frame"):
            raise ValueError(
                "expected frames together with a recipe that changes frames, and only then; given "
                f"parameters={self.parameters!r} and {'frames' if frames is not None else 'no frames'}"
            )
        if frames is not None:
            return FrameChange(frames, self.bound)
        kind = Fourier if self.parameters == "fourier" else Pixels
        return kind(shape, self.start_deviation, colours if self.own_colours else None)


RECIPES: dict[str, Recipe] = {
    "lucid": Recipe("fourier", "lucid", own_colours=True),
    "lucid-plain-colours": Recipe("fourier", "lucid"),
    "pixels": Recipe("pixels", "lucid"),
    "dissertation": Recipe("fourier", "reward-network", start_deviation=1.0),
    "dissertation-seeded": Recipe("frame", "reward-network", steps=128),
    "heist-notes": Recipe(
        "pixels",
        "heist-notes",
        steps=2560,
        learning_rate=0.08,
        start_deviation=1.0,
        own_colours=True,
        penalties=(("total-variation", 1e-3), ("squared-contrast", 1e-3)),
        keep_best=True,
    ),
}


def recipe(name: str) -> Recipe:
    """The recipe of that name. Raises ValueError: there is none (the nearest are suggested)."""
    if name not in RECIPES:
        raise ValueError(f"unknown recipe {name!r}. {suggest(name, list(RECIPES))}")
    return RECIPES[name]


def visualise(
    network: nn.Module,
    objective: Objective,
    how: Recipe,
    *,
    shape: tuple[int, int, int] = (3, 64, 64),
    colours: Colours | None = None,
    frames: Float[Tensor, "picture channel row col"] | None = None,
    brightest: float = 255.0,
    seed: int = 0,
    batch_pictures: int = BATCH_PICTURES,
    progress: str = "",
) -> OptimisedPictures:
    """A picture for each unit of an objective, by a recipe. `scores` is the objective alone, without penalties.

    Raises ValueError: as `optimise_inputs` and `Recipe.picture_parameters`.
    """
    terms = [-weight * PENALTIES[name](objective.count) for name, weight in how.penalties]
    penalised = reduce(add, terms, objective)
    found = optimise_inputs(
        network,
        penalised,
        how.picture_parameters(shape, colours, frames),
        how.transform_list(),
        steps=how.steps,
        learning_rate=how.learning_rate,
        brightest=brightest,
        keep_best=how.keep_best,
        seed=seed,
        batch_pictures=batch_pictures,
        progress=progress,
    )
    if not terms:
        return found
    scores = scores_of(network, objective, found.pictures, brightest=brightest)
    return OptimisedPictures(found.pictures, scores, found.history, found.moved)


def scores_of(
    network: nn.Module,
    objective: Objective,
    pictures: Float[Tensor, "picture channel row col"],
    *,
    brightest: float = 255.0,
) -> Float[Tensor, " picture"]:
    """The objective on pictures between 0 and 1, in batches."""
    device = next((weight.device for weight in network.parameters()), torch.device("cpu"))
    at_once = max(1, 64 // objective.together) * objective.together
    parts = []
    for start in range(0, objective.count, at_once):
        part = slice(start, min(start + at_once, objective.count))
        inputs = (brightest * pictures[part].to(device)).contiguous(memory_format=torch.channels_last)
        parts.append(objective_of(network, objective.part(part), inputs, brightest=brightest).cpu())
    return torch.cat(parts)
