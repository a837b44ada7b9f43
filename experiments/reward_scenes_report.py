"""How `reward-scenes` tells what it found: Tables 5.1 and 5.2 beside the published numbers, scenes, factors.

Axes: `level`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from procscope.envs.coinrun.scene_factors import COMBINATIONS
from procscope.experiments.reward_scenes_numbers import EFFECTS, FOOLED, MAIN, REWARDED, UNUSED, NetworkScenes
from procscope.rewardnets.noise import KINDS
from procscope.rewardnets.scene_rewards import scene_levels, scenes_of
from procscope.workbench.figures import COLOURS, ORDER, styled, subplots
from procscope.workbench.ledger import Ledger
from procscope.workbench.metrics import Metric
from procscope.workbench.runs import RunRecord

WORDS = {
    "high-in-picture": "the sprite above the picture's middle",
    "low-in-picture": "the sprite below the picture's middle",
    "no-ground-near": "no ground under sprite and coin",
    "raised-with-ground": "raised, with ground right below",
    "coin-above": "the coin above the sprite in place of beside it",
    "coin-covered": "the sprite covering the coin",
}
SHOWN = (
    "original",
    "translated",
    "rearranged",
    "beside slab high",
    "beside air middle",
    "above ground middle",
)
"""Scenes in the figure of examples; the unused ones follow."""


class SceneRow(NamedTuple):
    """One scene, one network: as Table 5.2, with what else was measured."""

    network: str
    scene: str
    true: str
    reward: str
    published: str
    fall: str
    fooled: str


class NoiseRow(NamedTuple):
    """One row of Table 5.1."""

    network: str
    pair: str
    reward: str
    published: str


class FactorRow(NamedTuple):
    """What one factor costs."""

    network: str
    factor: str
    all_pairs: str
    alone: str


def write_report(record: RunRecord, ledger: Ledger, studies: Sequence[NetworkScenes]) -> None:
    """Add prose, tables and figures to the record."""
    with_scenes = [study for study in studies if study.scenes and study.rewarded.sum() >= 2]
    record.say("In short", _in_short(ledger, studies, with_scenes))
    noise = [_noise_row(ledger, study, kind) for study in studies for kind in KINDS]
    record.table(
        "noise", noise, "Rewards predicted for noise, all outputs pooled: mean ± standard deviation."
    )
    for names, table in (
        (MAIN, "manual"),
        (UNUSED, "unused"),
        ([each.name for each in COMBINATIONS], "factors"),
    ):
        rows = [_scene_row(ledger, study, name) for study in with_scenes for name in names]
        if rows:
            record.table(
                table,
                rows,
                "Predicted rewards, all outputs pooled: mean ± standard deviation, of levels whose original is "
                f"rewarded with {REWARDED:g} or more. Fall: from the original of the same level. Fooled: share of "
                f"levels in which the prediction for the action played is wrong by more than {FOOLED:g}.",
            )
    if with_scenes:
        record.table(
            "effects",
            [_factor_row(ledger, study, factor) for study in with_scenes for factor in EFFECTS],
            "How much of the predicted reward one factor costs: mean over all pairs of scenes that differ in it "
            "alone, and with everything else as in the original.",
        )
        record.figure(
            "factors",
            plot_factors(with_scenes),
            "Predicted reward of the combinations (10 is right everywhere): mean over levels, bars the middle half.",
        )
        record.figure("scenes", plot_scenes(), "Frame and next frame of scenes of one level.")
    record.say("What differs from the published set-up", _DIFFERENCES)


_DIFFERENCES = (
    "- Scenes are drawn by the engine, of hundreds of test levels; the text edits pictures of 16 with a drawing "
    "program."
    "\n- The text's eight unused scenes were tried on a smaller network that saw the next frame and the action alone."
    "\n- Factors, intervals and the share of levels that fool a network are ours."
)


def _in_short(ledger: Ledger, studies: Sequence[NetworkScenes], with_scenes: Sequence[NetworkScenes]) -> str:
    lines = [
        "In all scenes but those without coin or sprite, the agent reaches the coin, which is worth 10.\n"
    ]
    for study in studies:
        told = [f"{kind} {ledger.quote('C5.noise/reward', model=study.name, pair=kind)}" for kind in KINDS]
        lines.append(f"- `{study.name}`, noise: {', '.join(told)}.")
    for study in with_scenes:
        scenes = [
            f"{name} {ledger.quote('C5.manual-adv/reward', model=study.name, scene=name)}" for name in MAIN
        ]
        lines.append(f"- `{study.name}`: {', '.join(scenes)}.")
        costs = sorted(
            EFFECTS, key=lambda factor: -_value(ledger, "C5.manual-adv/factor_effect", study.name, factor)
        )
        first = ledger.quote("C5.manual-adv/factor_effect", model=study.name, factor=costs[0])
        second = ledger.quote("C5.manual-adv/factor_effect", model=study.name, factor=costs[1])
        lines.append(
            f"- `{study.name}`: most is cost by {WORDS[costs[0]]} ({first}), then by {WORDS[costs[1]]} ({second})."
        )
    for study in studies:
        if study.scenes and study not in with_scenes:
            lines.append(f"- `{study.name}` rewards hardly any original: scenes say nothing about it.")
    return "\n".join(lines)


def _value(ledger: Ledger, id: str, model: str, factor: str) -> float:
    entry = ledger.find(id, model=model, factor=factor)
    return float(entry.value) if isinstance(entry, Metric) else -np.inf


def _noise_row(ledger: Ledger, study: NetworkScenes, kind: str) -> NoiseRow:
    entry = ledger.find("C5.noise/reward", model=study.name, pair=kind)
    published = entry.published if isinstance(entry, Metric) else None
    rewards = study.noise[kind]
    return NoiseRow(
        study.name,
        kind,
        f"{rewards.mean():.2f} ± {rewards.std():.2f}",
        "–" if published is None else f"{published:g}",
    )


def _scene_row(ledger: Ledger, study: NetworkScenes, name: str) -> SceneRow:
    target = "C5.manual-adv-unused" if name in UNUSED else "C5.manual-adv"
    at: dict[str, Any] = {"model": study.name, "scene": name}
    reward = ledger.find(f"{target}/reward", **at)
    assert isinstance(reward, Metric)
    deviation = ledger.find(f"{target}/deviation", **at)
    assert isinstance(deviation, Metric)
    return SceneRow(
        study.name,
        name,
        f"{study.scenes[name].true.mean():g}",
        f"{reward.value:.2f} ± {deviation.value:.2f}",
        "–" if reward.published is None else f"{reward.published:g}",
        "–" if name == "original" else ledger.quote(f"{target}/fall", **at),
        ledger.quote(f"{target}/fooled_share", **at),
    )


def _factor_row(ledger: Ledger, study: NetworkScenes, factor: str) -> FactorRow:
    quoted = (
        ledger.quote(f"C5.manual-adv/factor_{kind}", model=study.name, factor=factor)
        for kind in ("effect", "alone")
    )
    return FactorRow(study.name, WORDS[factor], *quoted)


@styled()
def plot_factors(studies: Sequence[NetworkScenes]) -> Figure:
    """Predicted reward of each combination, one panel a network."""
    figure, panels = subplots(
        len(studies), 1, width_inches=8, height_inches=2.6 * len(studies) + 0.8, sharex=True, squeeze=False
    )
    places = list(dict.fromkeys((each.surface, each.picture) for each in COMBINATIONS))
    arrangements = list(dict.fromkeys(each.arrangement for each in COMBINATIONS))
    for axes, study in zip(panels[:, 0], studies, strict=True):
        for number, arrangement in enumerate(arrangements):
            rewards = [
                study.scenes[f"{arrangement} {surface} {picture}"].mean_output[study.rewarded]
                for surface, picture in places
            ]
            means = np.array([each.mean() for each in rewards])
            low, high = np.array([np.quantile(each, (0.25, 0.75)) for each in rewards]).T
            x = np.arange(len(places)) + 0.18 * (number - 1)
            spread = np.stack([np.maximum(means - low, 0), np.maximum(high - means, 0)])
            axes.errorbar(x, means, spread, fmt="o", color=COLOURS[ORDER[number]], label=arrangement)
        axes.axhline(10, color=COLOURS["grey"], linewidth=1, linestyle="--")
        axes.set(ylabel="predicted reward", title=study.name)
    panels[-1, 0].set(
        xticks=range(len(places)), xticklabels=[f"{surface},\n{picture}" for surface, picture in places]
    )
    panels[0, 0].legend(ncols=3, loc="lower left", bbox_to_anchor=(0.45, 1.0))
    return figure


@styled()
def plot_scenes(columns: int = 5) -> Figure:
    """Both frames of some scenes of a test level."""
    (level,) = scene_levels("easy", 1)
    made = {scene.name: scene for scene in scenes_of(level)}
    names = [*SHOWN, *UNUSED]
    rows = -(-len(names) // columns)
    figure, panels = subplots(rows, columns, width_inches=10, height_inches=1.35 * rows, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for axes, name in zip(panels.flat, names, strict=False):
        scene = made[name]
        axes.imshow(np.concatenate([scene.observation, scene.next_observation], axis=1))
        axes.set_title(name, fontsize=6.5)
    return figure
