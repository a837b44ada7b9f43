"""Autoencoders of many widths, k and seeds on one cache, kept member by member, and their frontiers.

    plan = SweepPlan("caches/maze", "fc", widths=(512, 2048), ks=(8, 32), seeds=(0, 1))
    rows = run_sweep(plan, Path("sweeps/maze-fc"), workers=2)

A member trains in a folder of its own under `out/trainings/` (where it goes on if it was stopped) and leaves a row. The
weights of members of different seeds are matched for their stability (`metrics.matched_latents`, live latents only).

Cost: that of the trainings and of a survey each; with `levels`, of their episodes.

Axes: `row` a member.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from procscope.activations.cache import ActivationCache
from procscope.interventions.zero_channels import model_of_cache
from procscope.saes.config import Kind, SaeConfig
from procscope.saes.metrics import dead_latents, matched_latents
from procscope.saes.reconstruction import measure_reconstruction
from procscope.saes.sae import load_sae
from procscope.saes.spliced import SPLICED, play_of_cache
from procscope.saes.survey import survey_latents
from procscope.saes.training import SAE_FILE, train_sae
from procscope.workbench.members import member_key, members
from procscope.workbench.parallel import parallel_map

VERSION = 1
"""Of what members hold; raised when the computation changes."""
FIRST_LEVEL_SEED = 1_500_000_000


@dataclass(frozen=True)
class SweepPlan:
    """What is trained on what. Raises ValueError: nothing to train, or what `SaeConfig` refuses."""

    cache: str
    hook_point: str
    kind: Kind = "top-k"
    widths: tuple[int, ...] = (512, 1024, 2048)
    ks: tuple[int, ...] = (8, 16, 32, 64)
    seeds: tuple[int, ...] = (0, 1)
    samples: int = 2_000_000
    batch_size: int = 2048
    learning_rate: float = 1e-3
    positions_per_frame: int = 0
    levels: int = 0
    test_cache: str = ""

    def __post_init__(self) -> None:
        if not self.configs():
            raise ValueError(
                f"expected a width with a k that is not larger; given widths {self.widths}, k {self.ks}, seeds "
                f"{self.seeds}"
            )

    def configs(self) -> list[SaeConfig]:
        """Of all members; where k is larger than the width there is none."""
        return [
            SaeConfig(
                kind=self.kind,
                width=width,
                k=k,
                seed=seed,
                samples=self.samples,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                positions_per_frame=self.positions_per_frame,
            )
            for width, k, seed in product(self.widths, self.ks, self.seeds)
            if k <= width
        ]


@dataclass(frozen=True)
class Member:
    """One training and how it is measured: all that its row depends on."""

    config: SaeConfig
    cache_key: str
    """Of what the cache holds."""
    test_key: str
    """The same of the cache that it is measured on."""
    hook_point: str
    levels: int
    version: int = VERSION


class SweepRow(NamedTuple):
    """What became of one member."""

    kind: str
    width: int
    k: int
    seed: int
    fvu: float
    l0: float
    dead_share: float
    survey_samples: int
    success: float | None
    """Share of levels solved with the reconstruction spliced in."""
    return_recovered: float | None
    """Against mean-ablation."""
    stability: float | None
    """Mean cosine of latents matched with those of the other seeds."""
    levels: int
    """That were played."""


def run_sweep(plan: SweepPlan, out: Path, *, workers: int = 1, backend: str = "processes") -> list[SweepRow]:
    """Train and measure what has no row yet; gives the rows of all members.

    Raises ValueError: as `train_sae`; a test cache of another network.
    """
    cache = ActivationCache.open(plan.cache)
    cache.activations(plan.hook_point)
    tested = ActivationCache.open(plan.test_cache or plan.cache)
    tested.require_model(str(cache.source.get("model", {}).get("weights_hash")))
    keys = [member_key(one.spec.as_attributes()) for one in (cache, tested)]
    kept = members(out / "members")
    planned = [Member(config, keys[0], keys[1], plan.hook_point, plan.levels) for config in plan.configs()]
    pending = kept.pending(planned)
    work = partial(
        train_member, plan.cache, plan.test_cache or plan.cache, str((out / "trainings").absolute())
    )
    for index, found in parallel_map(
        work, pending, workers=workers, backend=backend, description="autoencoders"
    ):
        kept.put(pending[index], found)
    stability = _stability(planned, out / "trainings")
    return [
        SweepRow(
            member.config.kind,
            member.config.width,
            member.config.k,
            member.config.seed,
            **kept.get(member),
            stability=stability.get(member_key(member)),
            levels=member.levels,
        )
        for member in planned
    ]


def train_member(
    cache: str, test_cache: str, trainings: str, member: Member
) -> dict[str, float | int | None]:
    """Train one member and measure it; the numbers of its row."""
    folder = Path(trainings) / member_key(member)
    opened, tested = ActivationCache.open(cache), ActivationCache.open(test_cache)
    path = train_sae(member.config, opened, member.hook_point, folder, progress=False)
    trained = load_sae(path)
    score = measure_reconstruction(trained.sae, tested, member.hook_point)
    survey = survey_latents(trained.sae, tested, member.hook_point)
    np.save(folder / "live.npy", survey.firings > 0)
    dead = dead_latents(survey.firings, survey.n_samples)
    success = recovered = None
    if member.levels:
        seeds = range(FIRST_LEVEL_SEED, FIRST_LEVEL_SEED + member.levels)
        play = play_of_cache(model_of_cache(opened).network, tested, trained, score.means, seeds)
        success = play.success(SPLICED).value
        try:
            recovered = play.return_recovered()
        except ValueError:  # ablating costs nothing on these levels
            recovered = None
    return {
        "fvu": score.fvu,
        "l0": score.l0,
        "dead_share": dead.share,
        "survey_samples": dead.survey_samples,
        "success": success,
        "return_recovered": recovered,
    }


def _stability(planned: Sequence[Member], trainings: Path) -> dict[str, float]:
    """By member, where its weights and those of another seed are on this machine."""
    groups: dict[tuple[int, int], list[Member]] = {}
    for member in planned:
        if (trainings / member_key(member) / "live.npy").exists():
            groups.setdefault((member.config.width, member.config.k), []).append(member)
    found: dict[str, list[float]] = {}
    for group in groups.values():
        directions = {}
        for member in group:
            folder = trainings / member_key(member)
            live = np.load(folder / "live.npy")
            directions[member_key(member)] = load_sae(folder / SAE_FILE).sae.W_dec.numpy()[live]
        for one, two in combinations(directions, 2):
            if min(len(directions[one]), len(directions[two])):
                stability = matched_latents(directions[one], directions[two]).stability
                found.setdefault(one, []).append(stability)
                found.setdefault(two, []).append(stability)
    return {key: float(np.mean(values)) for key, values in found.items()}
