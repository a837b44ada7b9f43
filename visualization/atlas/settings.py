"""What an atlas shows.

When to use: as the settings of `build.py`; `procscope visualize` builds its options from this file's defaults.
"""

from dataclasses import dataclass

from procscope.visualization.exciting_frames import DIVERSITY
from procscope.visualization.recipes import RECIPES
from procscope.workbench.plugins import suggest

SYNTHETIC = tuple(name for name, recipe in RECIPES.items() if recipe.parameters != "frame")
"""Recipes that make pictures from nothing."""
FROM_DATA = ("frames", "patches", "quantiles")
CENTRE_PATCH = "centre-patch"
DEFAULT_METHODS = ("lucid", "levels", "frames", "patches", "quantiles")
METHODS = (*SYNTHETIC, CENTRE_PATCH, "levels", *FROM_DATA)
DESCRIPTIONS = {
    "lucid": "synthetic: spectrum, the environment's colours, jitter, rotation, scale",
    "lucid-plain-colours": "synthetic: the same, red, green and blue for themselves",
    "pixels": "synthetic: pixels for themselves, jitter, rotation, scale",
    "dissertation": "synthetic: spectrum from full noise, shifts of up to 8 pixels",
    "heist-notes": "synthetic: pixels from full noise, the environment's colours, smoothness, the best step",
    "centre-patch": "synthetic: as lucid, for the middle 2 x 2 of the map alone (value and reach are the whole map's)",
    "levels": "levels found by editing, most exciting first",
    "frames": "frames of different levels with the highest mean, unlike each other",
    "patches": "what the highest place saw, in frames of different levels, unlike each other",
    "quantiles": "frames at quantiles of the mean, from the lowest to the highest",
}


@dataclass(frozen=True)
class AtlasSettings:
    """Which methods and how much of each. Raises ValueError: an unknown method, or numbers below 1."""

    methods: tuple[str, ...] = DEFAULT_METHODS
    """Columns, in order; among `METHODS`."""
    seeds: int = 2
    """Synthetic pictures of a unit; more than one tell whether they agree."""
    steps: int = 0
    """Of synthetic pictures; 0 for those of the recipe."""
    examples: int = 6
    """Frames and patches of a unit."""
    patch_pixels: int = 24
    """Largest patch."""
    diversity: float = DIVERSITY
    """Weight of frames' and patches' unlikeness to those chosen before; 0 takes the highest."""
    level_starts: int = 4
    """Levels that a search begins with."""
    level_rounds: int = 20
    """Rounds of edits."""
    batch_pictures: int = 32
    """Units whose pictures are optimised together, and kept together when done."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in self.methods:
            if name not in METHODS:
                raise ValueError(f"unknown method {name!r}. {suggest(name, METHODS)}")
        if not self.methods or len(set(self.methods)) < len(self.methods):
            raise ValueError(f"expected methods, each once; given {list(self.methods)}")
        counts = (self.seeds, self.examples, self.patch_pixels, self.level_starts, self.level_rounds)
        if min(*counts, self.batch_pictures) < 1 or self.steps < 0:
            raise ValueError(
                "expected seeds, examples, patch_pixels, level_starts, level_rounds and batch_pictures from 1 up, "
                f"steps from 0; given {(*counts, self.batch_pictures)} and {self.steps}"
            )
