"""How `heist-spatial` tells what it found. Every number in the prose is quoted from the run's own (`Ledger`)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from procscope.experiments.heist_spatial_numbers import BEST_SPOT, TARGET, VECTOR
from procscope.experiments.heist_spatial_results import SpatialStudy
from procscope.experiments.heist_spatial_setup import Config
from procscope.experiments.maze_channels_figures import short_name
from procscope.interventions.fake_study import AT_MEAN, MOVED, SOURCE
from procscope.interventions.named_arms import UNTOUCHED
from procscope.visualization.distance_curves import DistanceCurve, DistancePanel, plot_distance_curves
from procscope.visualization.scores_by_thing import ScorePanel, plot_scores
from procscope.workbench.figures import ORDER
from procscope.workbench.ledger import Ledger
from procscope.workbench.verdict_text import verdicts_text


def write_report(ledger: Ledger, config: Config, studies: Sequence[SpatialStudy]) -> None:
    """Add prose, figures and tables to the record."""
    record = ledger.record
    record.say(
        "In short",
        "Asked: channels that track a key are made to say that it lies elsewhere. Does the agent go there? If "
        "not: is the goal read by another mechanism, from many channels at once, from channels that do not track, "
        "or are there too few "
        "channels for any to be clean?\n\n" + "\n".join(_line(ledger, study) for study in studies),
    )
    record.say("Claims", verdicts_text(record, TARGET))
    record.figure(
        "values",
        values_figure(studies),
        f"In play, {config.pairs} levels x {config.repeats} episodes: how often the agent comes to the made-up "
        "place first, by the value of the spot, for the best 1, 4 … trackers (rest of each channel zero); black: "
        "untouched (95% bootstrap over levels).",
    )
    record.figure(
        "arms",
        arms_figure(studies),
        "In play: the source's edit, the best spot, the key's vector over all channels, the trackers at their "
        "mean, matched controls, and the key really moved.",
    )
    record.figure(
        "channels",
        channels_figure(studies),
        "On single frames: share of the effect of really moving the key (on the log odds of the first moves) that "
        "a patch of so many channels carries, the best trackers first, in random order, and by the key's mean "
        "vector.",
    )
    record.table(
        "frames",
        pd.DataFrame([row for study in studies for row in frame_rows(study)]),
        "Every arm on single frames: share of the effect of moving the key, share of levels in which the most "
        "probable move becomes the one to the made-up place, and divergence from the untouched choice.",
    )
    record.table(
        "play",
        pd.DataFrame([row for study in studies for row in play_rows(study)]),
        "Every arm in play: share of episodes in which the agent comes to the made-up place or to the key first.",
    )
    record.say(
        "What differs from the source",
        "- Levels of the engine's kind with one key, whose made-up place can be got to and lies on another way; "
        "the source shows some levels by eye.\n"
        "- Channels are chosen on other levels, by what a key changes at its own place.\n"
        "- Values go with the channel's maximum; the source's own (5, positions within 1) is an arm of its own.\n"
        "- Raw channels before the next ReLU; the source set SAE latents, and put the decoder's output in the "
        "layer's place. That is not measured here.\n"
        "- Controls, the key really moved, patches and vectors are ours.",
    )


def _line(ledger: Ledger, study: SpatialStudy) -> str:
    texts = []
    for place in study.play:

        def quote(quantity: str, _place: str = place, **where) -> str:
            return ledger.quote(f"{TARGET}/{quantity}", model=study.model, hook_point=_place, **where)

        chosen = ledger.find(f"{TARGET}/fake_gain", model=study.model, hook_point=place, arm=BEST_SPOT).where[
            "chosen"
        ]
        text = (
            f"- `{short_name(study.model)}`, `{place}`: the agent comes to the made-up place first in "
            f"{quote('fake_first', arm=UNTOUCHED)} of episodes untouched, in {quote('fake_first', arm=SOURCE)} "
            f"with the source's edit; the spot arm that gains most on half of the levels ({chosen}) gains "
            f"{quote('fake_gain', arm=BEST_SPOT)} on the others. Moving the key's vector in all channels: "
            f"{quote('fake_first', arm=VECTOR)}, {quote('vector_over_spot')} more than that spot; really moving "
            f"the key: {quote('fake_first', arm=MOVED)}."
        )
        if place in study.frames:
            text += (
                f" On frames, all channels near the key's two places carry {quote('near_share')} of the effect of "
                f"moving it; the best quarter of trackers carries {quote('redundancy')} more than the best one, "
                f"and {quote('trackers_over_random')} more than as many random channels."
            )
        texts.append(text)
    return "\n".join(texts)


def values_figure(studies: Sequence[SpatialStudy]) -> Figure:
    """A panel for each hook point in play, a curve for each number of channels."""
    panels = []
    for study in studies:
        for place, play in study.play.items():
            rest, times = play.study.rests[0], np.array(play.study.times)
            curves = []
            for colour, count in zip(ORDER, play.study.counts, strict=False):
                arms = [f"spot {count} x{each:g} {rest}" for each in play.study.times]
                if all(arm in play.arms for arm in arms):
                    curves.append(
                        DistanceCurve(f"{count} channels", colour, times, [play.reached(arm) for arm in arms])
                    )
            for name, arm in (("untouched", UNTOUCHED), ("key moved", MOVED)):
                both = times[[0, -1]]
                colour = "black" if arm == UNTOUCHED else "grey"
                curves.append(DistanceCurve(name, colour, both, [play.reached(arm)] * 2))
            panels.append(DistancePanel(f"{short_name(study.model)}, {place}", curves))
    return plot_distance_curves(
        panels, xlabel="spot (times the channel's maximum)", ylabel="made-up place first\n(share of episodes)"
    )


def channels_figure(studies: Sequence[SpatialStudy]) -> Figure:
    """A panel for each hook point on frames: share carried by the number of channels."""
    panels = []
    for study in studies:
        for place, frames in study.frames.items():
            counts = [*dict.fromkeys((*frames.study.counts, len(frames.channels)))]
            counts = [count for count in counts if count <= len(frames.channels)]
            curves = [
                DistanceCurve(
                    name,
                    colour,
                    np.array(counts, dtype=float),
                    [frames.share(pattern.format(k)) for k in counts],
                )
                for name, colour, pattern in (
                    ("trackers patched", "blue", "patch {}"),
                    ("random channels patched", "grey", "patch random {}"),
                    ("the key's vector", "vermilion", "vector {} x1"),
                )
            ]
            panels.append(DistancePanel(f"{short_name(study.model)}\n{place}", curves))
    return plot_distance_curves(panels, xlabel="channels", ylabel="share of moving the key")


def arms_figure(studies: Sequence[SpatialStudy]) -> Figure:
    """A panel for each hook point in play."""
    panels = []
    for study in studies:
        for place, play in study.play.items():
            chosen = {
                "untouched": UNTOUCHED,
                "source's edit": SOURCE,
                "best spot": play.best_spot(),
                "vector x1": VECTOR,
                "vector x2": "vector x2",
                "key moved": MOVED,
                "trackers at mean": AT_MEAN,
            }
            chosen |= {short_arm(arm): arm for arm in play.arms if ": " in arm}
            scores = {
                name: {line: play.reached(arm, outcome) for line, arm in chosen.items()}
                for name, outcome in (("made-up place first", "fake_first"), ("key first", "key_first"))
            }
            panels.append(ScorePanel(f"{short_name(study.model)}, {place}", scores))
    return plot_scores(panels, xlabel="share of episodes")


def short_arm(arm: str) -> str:
    """An arm's name for a figure: "spot 8 x1 zero: channels of like norm" becomes "spot: like norm"."""
    of, _, control = arm.partition(": ")
    name = "at mean" if of == AT_MEAN else of.split()[0]
    return f"{name}: {control.replace('channels', '').replace(' of ', '').strip()}" if control else name


def frame_rows(study: SpatialStudy) -> list[dict]:
    """Every arm at every hook point."""
    rows = []
    for place, frames in study.frames.items():
        for arm in frames.arms:
            share = frames.share(arm)
            row = {"network": study.model, "hook_point": place, "arm": arm, "levels": share.n}
            row |= {"share_of_moving": share.value, "low": share.low, "high": share.high}
            row |= {
                "switched": frames.mean(arm, "switched").value,
                "action_kl": frames.mean(arm, "action_kl").value,
            }
            rows.append(row)
    return rows


def play_rows(study: SpatialStudy) -> list[dict]:
    """Every arm at every hook point."""
    rows = []
    for place, play in study.play.items():
        for arm in play.arms:
            fake = play.reached(arm)
            row = {"network": study.model, "hook_point": place, "arm": arm, "levels": fake.n}
            row |= {"fake_first": fake.value, "low": fake.low, "high": fake.high}
            rows.append(row | {"key_first": play.reached(arm, "key_first").value})
    return rows
