"""Settings of `maze-imagination`: which planners are trained and policies read, and how many at each scale."""

from dataclasses import dataclass, replace

from procscope.imagination.adversarial import AdversarialConfig
from procscope.imagination.maze_flood import TARGETS, MazeFlood
from procscope.imagination.network_study import StudyMember
from procscope.imagination.training_config import ImaginerConfig


@dataclass(frozen=True)
class Config:
    """Settings of `maze-imagination`; the defaults are those of the small scale."""

    models: tuple[str, ...] = ("maze-easy-topright", "maze-easy-anywhere")
    """Policies, by name or path: IMPALA networks, or DRC ones of at least three ticks."""
    planners: tuple[str, ...] = TARGETS
    """What our own planners are taught; see `MazeFlood.target`."""
    runs: int = 1
    """Planners of each kind."""
    steps: int = 4
    """Steps of the flood, of the planners' core, and of the path ahead that policies are read for."""
    planner_width: int = 20
    max_updates: int = 20_000
    settle_updates: int = 500
    accuracy: float = 0.9995
    """Of all cells, most of which are wall: one wrong in nine mazes. A network that says nothing has 99%."""
    sequences: int = 10_000
    """On which planners are measured."""
    frames: int = 4000
    """Mazes on which the readers of policies are trained; half as many measure them."""
    adversarial_updates: int = 2000
    filmed: int = 3
    workers: int = 2
    backend: str = "processes"
    """"processes" on this machine, or "ray" on a Ray cluster whose machines share the output directory."""

    def __post_init__(self) -> None:
        if unknown := [target for target in self.planners if target not in TARGETS]:
            raise ValueError(f"unknown planners: {', '.join(unknown)}. Known: {', '.join(TARGETS)}")
        if self.steps < 2 or self.runs < 1:
            raise ValueError(
                f"steps must be at least 2 and runs at least 1; given: {self.steps}, {self.runs}"
            )

    def members(self, target: str, seed: int) -> list[StudyMember]:
        """The networks that are taught one target; a match is a match in every cell."""
        world = MazeFlood(target, horizon=self.steps)
        training = ImaginerConfig(
            world,
            world_steps=self.steps,
            steps=self.steps,
            width=self.planner_width,
            max_updates=self.max_updates,
            settle_updates=self.settle_updates,
            accuracy=self.accuracy,
        )
        return [
            StudyMember(
                replace(training, seed=1000 * seed + number),
                AdversarialConfig(self.adversarial_updates, seed=1000 * seed + number),
                self.sequences,
                boards_seed=seed,
                agreement=1.0,
            )
            for number in range(self.runs)
        ]


SCALES = {
    "smoke": Config(
        models=("maze-easy-anywhere",),
        planners=("reached", "best-move"),
        steps=2,
        planner_width=6,
        max_updates=40,
        settle_updates=10,
        accuracy=0.5,
        sequences=100,
        frames=120,
        adversarial_updates=10,
        filmed=2,
        workers=1,
    ),
    "small": Config(),
    "long": Config(runs=3, frames=10_000),
}
