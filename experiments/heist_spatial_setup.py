"""How much of everything `heist-spatial` does at each scale."""

from dataclasses import dataclass, replace

from procscope.interventions.fake_study import FakeStudy
from procscope.interventions.spot import Rest


@dataclass(frozen=True)
class Config:
    """Settings of `heist-spatial`; the defaults are those of the small scale."""

    models: tuple[str, ...] = ("heist-easy-impala",)
    """Heist networks, by name or path."""
    hook_points: tuple[str, ...] = ()
    """Where edits are made on single frames; by default one for each size of map and the last maps."""
    played_hook_points: tuple[str, ...] = ()
    """Where they are made in play; by default the 16 x 16 maps alone, as in the source."""
    pairs: int = 60
    """Levels, each with a made-up place of its key."""
    tracking_levels: int = 100
    """Other levels, on which channels are chosen."""
    counts: tuple[int, ...] = (1, 4, 8, 16)
    """Numbers of channels edited together, the best trackers."""
    times: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
    """Times its largest value that a channel's spot is set to."""
    rests: tuple[Rest, ...] = ("zero", "mean", "untouched")
    """What the rest of the channel becomes; the first as in the source."""
    repeats: int = 2
    """Episodes for each level and arm."""
    max_steps: int = 25
    """Steps of an episode, as in the source."""
    workers: int = 2
    """Processes."""

    def __post_init__(self) -> None:
        if self.pairs < 4 or self.tracking_levels < 2 or min(self.counts, default=0) < 1 or not self.rests:
            raise ValueError(
                "expected at least four levels to edit (half of them choose the best edit), two to choose "
                f"channels on, counts from 1 and a rest; given {self.pairs}, {self.tracking_levels}, "
                f"{self.counts}, {self.rests}"
            )
        if 1 not in self.counts or 1.0 not in self.times:
            raise ValueError(
                f"expected counts with 1 and times with 1, what the source has; given {self.counts}, {self.times}"
            )

    def study(self, model: str, weights_hash: str, hook_point: str, center: float, seed: int) -> FakeStudy:
        """What is studied at one hook point."""
        return FakeStudy(
            model,
            weights_hash,
            hook_point,
            center,
            self.pairs,
            self.tracking_levels,
            self.counts,
            self.times,
            self.rests,
            self.repeats,
            self.max_steps,
            seed,
        )


SCALES = {
    "smoke": replace(
        Config(),
        pairs=10,
        tracking_levels=12,
        counts=(1, 4),
        times=(1.0, 10.0),
        rests=("zero", "mean"),
        repeats=1,
        max_steps=15,
        workers=1,
    ),
    "small": Config(),
    "long": replace(Config(), pairs=400, tracking_levels=400, repeats=4),
}
