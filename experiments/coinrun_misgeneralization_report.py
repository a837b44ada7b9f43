"""How `coinrun-misgeneralization` tells what it found. Its numbers are quoted from the run's own (`Ledger`)."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from procscope.experiments.coinrun_misgeneralization_numbers import MOVED, TARGET, TRAINED, mean_over_frames
from procscope.experiments.coinrun_misgeneralization_results import (
    DRIVE,
    LEAST_APART,
    DriveStudy,
    chosen_half,
)
from procscope.experiments.coinrun_misgeneralization_setup import ARRANGEMENTS, CONTRASTS, Config
from procscope.interventions.named_arms import UNTOUCHED
from procscope.visualization.arm_success import ArmPanel, ArmResult, plot_arm_success
from procscope.visualization.patching_maps import plot_effects_by_channel
from procscope.workbench.figures import COLOURS, ORDER, styled, subplots
from procscope.workbench.ledger import Ledger
from procscope.workbench.statistics import wilson
from procscope.workbench.verdict_text import verdicts_text


def write_report(ledger: Ledger, config: Config, studies: Sequence[DriveStudy]) -> None:
    """Add prose, figures and tables to the record."""
    for section in (_tell_play, _tell_frames, _tell_ablation, _tell_patching):
        section(ledger, config, studies)
    ledger.record.say(
        "What differs from the published set-up",
        "- Langosco et al. trained by reinforcement, on CoinRun's hard levels; these networks imitate an expert on "
        "easy ones, with the agent's velocity painted into the picture.\n"
        "- They moved the coin to a random place; here it lies where a section of the level begins, on the ground, so "
        "that the agent's way leads past it.\n"
        "- Single frames show an agent at rest, which in play stands still only at the start and before obstacles.",
    )


def _lines(studies: Sequence[DriveStudy], line: Callable[[DriveStudy], str]) -> str:
    return "\n".join(f"- `{study.model}`: {line(study)}" for study in studies)


def _tell_play(ledger: Ledger, config: Config, studies: Sequence[DriveStudy]) -> None:
    def line(study: DriveStudy) -> str:
        def quote(name: str, **where) -> str:
            return ledger.quote(f"{TARGET}/{name}", model=study.model, arm=UNTOUCHED, **where)

        ends = "; ".join(f"{each}, {quote('reaches_end', arrangement=each)}" for each in ARRANGEMENTS)
        return (
            f"comes to the level's end in these shares of levels: {ends}. With the coin moved it touches it "
            f"{quote('touches_coin_difference')} more often than with the coin at the end of the same levels (McNemar "
            f"p {quote('mcnemar_p')}), and runs past it untouched in {quote('runs_past_coin')}."
        )

    ledger.record.say(
        "Where does it run?",
        f"The same {config.levels} levels, the same noise, in four arrangements; at most {config.max_steps} steps.\n"
        + _lines(studies, line)
        + "\n\n"
        + verdicts_text(ledger.record, TARGET),
    )


def _tell_frames(ledger: Ledger, config: Config, studies: Sequence[DriveStudy]) -> None:
    def line(study: DriveStudy) -> str:
        def odds(pictures: str) -> str:
            return ledger.quote(f"{TARGET}/odds_right", model=study.model, pictures=pictures)

        def change(kind: str) -> str:
            found = [
                ledger.quote(
                    f"{TARGET}/odds_change", model=study.model, contrast=kind, columns=n, interval=False
                )
                for n in config.columns
            ]
            return f"{kind} {', '.join(found)}"

        return (
            f"log odds of right against left {odds('as they are')} with neither coin nor end in sight, "
            f"{odds('mirrored')} in the same pictures mirrored. They change, by distance "
            f"({', '.join(map(str, config.columns))} columns), with the "
            + "; with the ".join(change(kind) for kind in CONTRASTS)
            + "."
        )

    ledger.record.say(
        "What in the picture makes it go right?",
        "One thing is put into a picture, and all else stays. Were the drive a matter of what is seen to the right, it "
        "would turn round with the picture.\n" + _lines(studies, line),
    )
    ledger.record.figure(
        "contrasts",
        plot_contrasts(studies),
        "Change of the log odds of right against left by one thing in the picture, by its distance from the agent; 95% "
        "bootstrap intervals over levels. The title has the log odds with neither coin nor end in sight.",
    )


@styled()
def plot_contrasts(studies: Sequence[DriveStudy]) -> Figure:
    """The change that each thing makes, by distance: a panel a network."""
    figure, axes = subplots(
        1, len(studies), width_inches=1.2 + 3.8 * len(studies), height_inches=3.4, sharey=True, squeeze=False
    )
    for panel, study in zip(axes[0], studies, strict=True):
        panel.axhline(0, color=COLOURS["grey"], linewidth=0.8)
        for number, kind in enumerate(CONTRASTS):
            found = [one for one in study.contrasts if one.kind == kind and len(one.change) > 1]
            if not found:
                continue
            intervals = [mean_over_frames(one.change) for one in found]
            value = np.array([each.value for each in intervals])
            errors = np.maximum(
                [value - [each.low for each in intervals], [each.high for each in intervals] - value], 0
            )
            x = np.array([one.columns for one in found]) + 0.08 * (number - 1.5)
            panel.errorbar(x, value, errors, fmt="o-", color=COLOURS[ORDER[number]], label=kind, markersize=4)
        panel.set(
            title=f"{study.model}\nlog odds of right {study.bare.mean():.1f} nats, mirrored "
            f"{study.mirrored.mean():.1f}",
            xlabel="columns from the agent",
        )
        panel.xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_ylabel("change of the log odds of right (nats)")
    axes[0, -1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _tell_ablation(ledger: Ledger, config: Config, studies: Sequence[DriveStudy]) -> None:
    def line(study: DriveStudy) -> str:
        group = study.strongest
        place = group.drive.hook_point
        channels = ", ".join(map(str, group.channels))

        def change(arm: str) -> str:
            return ledger.quote(f"{TARGET}/ablation_change", model=study.model, hook_point=place, arm=arm)

        def end(arrangement: str, arm: str) -> str:
            return ledger.quote(
                f"{TARGET}/reaches_end_change", model=study.model, arrangement=arrangement, arm=arm
            )

        controls = [arm.control for arm in group.arms if arm.control]
        beside = "; ".join(
            f"{control}: {change(control)}, end {end(TRAINED, control)}" for control in controls if control
        )
        return (
            f"channels {channels} of `{place}` at their means change the log odds by {change(DRIVE)} on frames on "
            f"which they were not chosen, and how often it comes to the end by {end(TRAINED, DRIVE)} (coin at the "
            f"end) and {end(MOVED, DRIVE)} (moved). Controls: {beside}."
        )

    ledger.record.say(
        "Which channels does it rest on?",
        f"An eighth of a hook point's channels (share {config.share:g}), those whose mean ablation lowers the log odds "
        "most on half of the frames, is ablated on the other half, and in play.\n" + _lines(studies, line),
    )
    ledger.record.table("groups", _groups_table(studies), "The groups of all hook points, on held-out frames")
    for study in studies:
        ledger.record.figure(
            f"channels-{study.model}",
            plot_effects_by_channel(
                {
                    group.drive.hook_point: group.drive.change[:, ~chosen_half(len(study.bare))].mean(axis=1)
                    for group in study.groups
                },
                label="change of the log odds of right (nats)",
            ),
            f"`{study.model}`: what the mean ablation of each channel changes on held-out frames.",
        )
    ledger.record.figure(
        "arrangements",
        plot_arm_success(
            [[_panel(study, arrangement) for arrangement in ARRANGEMENTS] for study in studies],
            "end reached (share of levels)",
        ),
        f"Share of {config.levels} levels in which the agent comes to the end, with 95% intervals; the dotted line is "
        "the untouched network.",
    )


def _panel(study: DriveStudy, arrangement: str) -> ArmPanel:
    played = study.played[arrangement]
    results = []
    for arm in study.strongest.arms:
        found = played.reaches_end(arm.name)
        colour = "black" if arm.name == UNTOUCHED else "grey" if arm.control else "vermilion"
        results.append(ArmResult(arm.control or arm.name, wilson(int(found.sum()), len(found)), colour))
    return ArmPanel(arrangement, results)


def _groups_table(studies: Sequence[DriveStudy]) -> pd.DataFrame:
    rows = []
    for study in studies:
        for group in study.groups:
            for arm, odds in zip(group.arms[1:], group.held_out[1:], strict=True):
                found = mean_over_frames(odds - group.held_out[0])
                rows.append(
                    {
                        "model": study.model,
                        "hook point": group.drive.hook_point,
                        "arm": arm.control or arm.name,
                        "channels": ", ".join(map(str, group.channels)) if arm.name == DRIVE else "",
                        "change (nats)": found.value,
                        "low": found.low,
                        "high": found.high,
                        "frames": found.n,
                    }
                )
    return pd.DataFrame(rows)


def _tell_patching(ledger: Ledger, config: Config, studies: Sequence[DriveStudy]) -> None:
    def line(study: DriveStudy) -> str:
        parts = []
        for kind, pairs in study.pairs.items():
            effects = study.patched.get(kind)
            if effects is None:
                parts.append(f"{kind}: in too few of {pairs} pairs do the frames differ that much")
                continue
            top = effects.table().iloc[0]
            parts.append(
                f"{kind}: of {pairs} pairs, {effects.n_pairs} patched; the largest effect is that of channel "
                f"{top['channel']} of `{top['hook_point']}`, {top['effect']:.2f} [{top['low']:.2f}, {top['high']:.2f}]"
            )
        return "; ".join(parts) + "."

    ledger.record.say(
        "Which channels carry what coin and wall change?",
        f"Pairs of frames with and without one thing, whose log odds differ by {LEAST_APART:g} nats or more in the "
        "direction of the mean; each channel alone is patched from the frame in which it wants to go right more into "
        "the other (0: nothing is restored, 1: all; below 0, the difference grows).\n"
        + _lines(studies, line),
    )
    for study in studies:
        for kind, effects in study.patched.items():
            name = f"patching-{study.model}-{kind.replace(' ', '-')}"
            ledger.record.table(
                name, effects.table().head(12), f"`{study.model}`, {kind}: the strongest channels"
            )
