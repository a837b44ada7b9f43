"""The numbers of `reward-scenes`: rewards of scenes and noise, falls from the original, effects of single factors.

As in the text, scenes are made of levels whose original the network rewards (`REWARDED` or more for the action that is
played); the share of such levels is recorded too. As in the text, all 15 outputs of a picture are pooled; means over
them are what is bootstrapped over levels.

Axes: `level`, `quantity`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from procscope.envs.coinrun.scene_factors import COMBINATIONS, Factors
from procscope.envs.coinrun.scenes import SCENES
from procscope.rewardnets.noise import KINDS
from procscope.rewardnets.scene_rewards import SCENE_NAMES, SceneRewards
from procscope.workbench.ledger import Ledger
from procscope.workbench.mean_intervals import bootstrap_means
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import wilson

MAIN = ("original", "translated", "rearranged")
UNUSED = tuple(name for name in SCENES if name not in MAIN)
REWARDED = 8.0
"""The text's originals are transitions "the reward networks predicted rewards of ~10" for."""
FOOLED = 5.0
"""A prediction further than that from the true reward is wrong: nearer to the other one."""

Pair = tuple[Factors, Factors]


def _pairs(change: dict[str, str], **where: tuple[str, ...]) -> list[Pair]:
    """Combinations that satisfy `where`, each with the one that differs by the change."""
    found = []
    for one in COMBINATIONS:
        other = one._replace(**change)
        if all(getattr(one, key) in values for key, values in where.items()) and other in COMBINATIONS:
            found.append((one, other))
    return found


EFFECTS: dict[str, list[Pair]] = {
    "high-in-picture": _pairs({"picture": "high"}, picture=("middle",)),
    "low-in-picture": _pairs({"picture": "low"}, picture=("middle",)),
    "no-ground-near": _pairs({"surface": "air"}, surface=("slab",)),
    "raised-with-ground": _pairs({"surface": "slab"}, surface=("ground",), picture=("middle",)),
    "coin-above": _pairs({"arrangement": "above"}, arrangement=("beside",)),
    "coin-covered": _pairs({"arrangement": "covered"}, arrangement=("above",)),
}
"""By name: pairs of combinations that differ in one factor alone, without and with it."""
BASE = Factors("beside", "ground", "middle")
ALONE: dict[str, Pair] = {
    "high-in-picture": (Factors("beside", "slab", "middle"), Factors("beside", "slab", "high")),
    "low-in-picture": (BASE, BASE._replace(picture="low")),
    "no-ground-near": (Factors("beside", "slab", "middle"), Factors("beside", "air", "middle")),
    "raised-with-ground": (BASE, BASE._replace(surface="slab")),
    "coin-above": (BASE, BASE._replace(arrangement="above")),
    "coin-covered": (BASE._replace(arrangement="above"), BASE._replace(arrangement="covered")),
}
"""The same with everything else as in *original*, or as near to it as can be drawn."""


class NetworkScenes(NamedTuple):
    """One network's predictions."""

    name: str
    kind: str
    scenes: dict[str, SceneRewards]
    """By `SCENE_NAMES`; empty for a network of Heist."""
    noise: dict[str, Float[np.ndarray, "picture action"]]

    @classmethod
    def of(cls, name: str, kind: str, found: dict[str, Any]) -> "NetworkScenes":
        """From what a member keeps."""
        scenes = {
            scene: SceneRewards(**{field: np.array(values, np.float32) for field, values in each.items()})
            for scene, each in found["scenes"].items()
        }
        return cls(name, kind, scenes, {each: np.array(rewards) for each, rewards in found["noise"].items()})

    @property
    def rewarded(self) -> Bool[np.ndarray, " level"]:
        """Levels whose original the network rewards, by its prediction for the action that is played."""
        return self.scenes["original"].taken >= REWARDED

    @property
    def where(self) -> dict[str, Any]:
        return {"model": self.name, "training": self.kind, "network": self.kind}


def record_numbers(record: RunRecord, studies: Sequence[NetworkScenes]) -> Ledger:
    """Record all numbers of all networks."""
    ledger = Ledger(record)
    for study in studies:
        rng = np.random.default_rng(record.seed)
        _record_noise(ledger, study, rng)
        if study.scenes:
            _record_scenes(ledger, study, rng)
    return ledger


def _record_noise(ledger: Ledger, study: NetworkScenes, rng: np.random.Generator) -> None:
    """Table 5.1."""
    for kind in KINDS:
        rewards = study.noise[kind]
        where = study.where | {"pair": kind}
        ledger.add(
            "C5.noise/reward",
            lambda r=rewards: bootstrap_means(r.mean(axis=1)[:, None], rng=rng)[0],
            where,
            "reward",
        )
        ledger.add("C5.noise/deviation", lambda r=rewards: float(r.std()), where, "reward", len(rewards))


def _record_scenes(ledger: Ledger, study: NetworkScenes, rng: np.random.Generator) -> None:
    chosen = study.rewarded
    share = wilson(int(chosen.sum()), len(chosen))
    ledger.add("C5.manual-adv/rewarded_share", lambda: share, study.where, "share")
    if chosen.sum() < 2:
        reason = (
            f"the network rewards {int(chosen.sum())} of {len(chosen)} originals with {REWARDED:g} or more"
        )
        for name in SCENE_NAMES:
            ledger.record.undefined_metric(_target(name) + "/reward", study.where | {"scene": name}, reason)
        return
    means = np.stack([study.scenes[name].mean_output[chosen] for name in SCENE_NAMES], axis=1)
    column = {name: means[:, place].astype(float) for place, name in enumerate(SCENE_NAMES)}
    differences: dict[tuple[str, str], np.ndarray] = {
        ("fall", name): column["original"] - column[name] for name in SCENE_NAMES if name != "original"
    }
    for effect, pairs in EFFECTS.items():
        falls = [column[without.name] - column[with_it.name] for without, with_it in pairs]
        differences["effect", effect] = np.mean(falls, axis=0)
        without, with_it = ALONE[effect]
        differences["alone", effect] = column[without.name] - column[with_it.name]
    intervals = bootstrap_means(
        np.concatenate([means, np.stack(list(differences.values()), axis=1)], axis=1), rng=rng
    )
    for name, interval in zip(SCENE_NAMES, intervals, strict=False):
        where = study.where | {"scene": name}
        ledger.add(f"{_target(name)}/reward", lambda i=interval: i, where, "reward")
        ledger.add(
            f"{_target(name)}/deviation", lambda n=name: _pooled(study, n), where, "reward", len(means)
        )
        _record_fooled(ledger, study, name)
    for (kind, name), interval in zip(differences, intervals[len(SCENE_NAMES) :], strict=True):
        if kind == "fall":
            where, quantity = study.where | {"scene": name}, f"{_target(name)}/fall"
        else:
            where, quantity = study.where | {"factor": name}, f"C5.manual-adv/factor_{kind}"
        ledger.add(quantity, lambda i=interval: i, where, "reward")


def _record_fooled(ledger: Ledger, study: NetworkScenes, name: str) -> None:
    scene, chosen = study.scenes[name], study.rewarded
    wrong = np.abs(scene.taken - scene.true)[chosen] > FOOLED
    where = study.where | {"scene": name}
    fooled = wilson(int(wrong.sum()), len(wrong))
    ledger.add(f"{_target(name)}/fooled_share", lambda: fooled, where, "share")


def _pooled(study: NetworkScenes, name: str) -> float:
    """Standard deviation over levels and actions together, as in the text's tables."""
    scene, chosen = study.scenes[name], study.rewarded
    return float(np.sqrt((scene.deviation[chosen] ** 2).mean() + scene.mean_output[chosen].var()))


def _target(scene: str) -> str:
    return "C5.manual-adv-unused" if scene in UNUSED else "C5.manual-adv"
