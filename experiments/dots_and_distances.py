"""dots-and-distances: do networks that must tell distances hold them, where it is known that they must?

Replicates section 5.9 of S0 and its Table 5.10: pictures of six dots, two of a colour; networks that tell the mean
distance between dots of one colour, or whether it is small; linear probes of the three distances, layer by layer, and
in networks that learned nothing. docs/experiments/dots-and-distances.md says what was found.
"""

import functools
from dataclasses import dataclass, replace

from procscope.experiments.dots_and_distances_report import write_report
from procscope.experiments.dots_and_distances_study import DotsStudy, StudiedDots, study_dots
from procscope.rewardnets.dots_training import DotsTraining, Task
from procscope.workbench.experiments import Experiment
from procscope.workbench.parallel import parallel_map
from procscope.workbench.runs import RunRecord


@dataclass(frozen=True)
class Config:
    """Settings of `dots-and-distances`; the defaults are the published sizes."""

    networks: tuple[str, ...] = ("many-epochs", "few-epochs", "classifier")
    """The columns of Table 5.10."""
    runs: int = 2
    """Networks of each, with other seeds and other pictures."""
    pictures: int = 900_000
    """That `many-epochs` learns from; the others learn from `times_more` as many."""
    epochs: int = 50
    """Of `many-epochs`; the others have as many fewer."""
    times_more: int = 10
    side: int = 64
    """Of the pictures, in pixels."""
    width: float = 1.0
    """Share of the published channels."""
    test_pictures: int = 100_000
    probe_pictures: int = 90_000
    untrained: int = 5
    """Networks that learned nothing, for the last column."""
    device: str = "auto"
    workers: int = 1
    """Networks at a time."""

    def studies(self, seed: int) -> list[DotsStudy]:
        """All networks, one of each kind before the second of any. Raises ValueError: an unknown kind."""
        many = (self.pictures, self.epochs)
        more = (self.pictures * self.times_more, max(1, self.epochs // self.times_more))
        kinds: dict[str, tuple[Task, tuple[int, int]]] = {
            "many-epochs": ("distance", many),
            "classifier": ("below-cut-off", more),
            "few-epochs": ("distance", more),
        }
        if unknown := set(self.networks) - set(kinds):
            raise ValueError(f"expected networks of {', '.join(kinds)}; given {', '.join(sorted(unknown))}")
        untrained = DotsTraining(side=self.side, width=self.width, device=self.device)
        return [
            DotsStudy(
                kind,
                DotsTraining(
                    task=task,
                    pictures=pictures,
                    epochs=epochs,
                    side=self.side,
                    width=self.width,
                    test_pictures=self.test_pictures,
                    seed=1000 * seed + run,
                    device=self.device,
                ),
                self.probe_pictures,
            )
            for run in range(self.runs)
            for kind, (task, (pictures, epochs)) in kinds.items()
            if kind in self.networks
        ] + [
            DotsStudy("untrained", replace(untrained, seed=1000 * seed + run), self.probe_pictures)
            for run in range(self.untrained)
        ]


def run(config: Config, record: RunRecord) -> None:
    """Train, probe, one member each, then record the table and write the report."""
    studies = config.studies(record.seed)
    kept = record.members()
    networks = record.directory.parent.parent / "dots-networks"
    pending = kept.pending(studies)
    work = functools.partial(study_dots, networks=networks)
    for place, result in parallel_map(work, pending, workers=config.workers, description="networks"):
        kept.put(pending[place], result)
        record.log(f"{pending[place].name}: {result['seconds']:.0f} s of CPU time")
    write_report(record, [StudiedDots.of(study, kept.get(study)) for study in studies])


EXPERIMENT = Experiment(
    name="dots-and-distances",
    question="Where it is known that a network has to find distances to do its task, can they be read off its layers "
    "linearly?",
    targets=("C5.dots",),
    scales={
        "smoke": Config(
            runs=1,
            pictures=1000,
            epochs=1,
            times_more=1,
            side=16,
            width=1 / 24,
            test_pictures=2000,
            probe_pictures=3000,
            untrained=2,
        ),
        "small": Config(
            pictures=50_000, epochs=10, side=32, width=1 / 8, test_pictures=20_000, device="cpu", workers=2
        ),
        "long": Config(
            runs=3,
            pictures=100_000,
            epochs=20,
            side=32,
            width=1 / 8,
            test_pictures=20_000,
            device="cpu",
            workers=2,
        ),
        "paper": Config(runs=3),
    },
    run=run,
)
