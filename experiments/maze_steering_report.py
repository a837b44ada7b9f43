"""How `maze-steering` tells what it found. Every number in the prose is quoted from the run's own (`Ledger`)."""

from collections.abc import Sequence

import pandas as pd

from procscope.experiments.maze_channels_figures import short_name
from procscope.experiments.maze_steering_figures import (
    choices_figure,
    fields_figure,
    play_figure,
    removal_figure,
)
from procscope.experiments.maze_steering_numbers import TARGETS
from procscope.experiments.maze_steering_results import SteeringStudy
from procscope.experiments.maze_steering_setup import CLAIMED, Config
from procscope.interventions.paired_play import PlayedMazes
from procscope.interventions.steering_study import SteeredPlace
from procscope.workbench.checkpoints import load_network
from procscope.workbench.ledger import Ledger
from procscope.workbench.verdict_text import verdicts_text

STUDIED = "block2.res1"
"""The place that the source steers at, halfway through; the report tells of it where it was steered at."""


def write_report(ledger: Ledger, config: Config, studies: Sequence[SteeringStudy]) -> None:
    """Add prose, figures and the table to the record."""
    record = ledger.record
    place = _told(studies)
    lines = "\n".join(_line(ledger, study, place) for study in studies)
    record.say(
        "In short",
        "Asked: a network's activations in a maze with its cheese, less those without, are that maze's cheese vector. "
        "If it is taken from the activations wherever the mouse goes, does the mouse act as if there were no cheese? "
        "And if the top-right vector is added, which a way to the picture's top-right corner adds, does it go there?"
        "\n\n"
        f"Each of {config.mazes} mazes of {config.size} x {config.size} cells has a decision square, where the ways to "
        f"cheese and corner part. At `{place}`:\n{lines}",
    )
    for vector, target in TARGETS.items():
        record.say(f"Claims about the {vector} vector", verdicts_text(record, target))
    record.figure(
        "choices",
        choices_figure(studies),
        "Change of the share of decision squares at which the mouse's most probable move takes the way to the cheese "
        "(cheese vector, above) or to the corner (top-right vector, below), by hook point and strength. A dot: told "
        "from no change by the exact McNemar test after Holm's correction for all hook points and strengths of the "
        "panel.",
    )
    record.figure(
        "play",
        play_figure(studies),
        f"{config.played_mazes} mazes played from their start with sampled actions, the same noise in every arm: "
        "change of the share in which the cheese is found with the cheese vector taken away (above), and in which the "
        "corner is come to with the top-right vector added (below), with 95% intervals (Newcombe, paired).",
    )
    record.figure(
        "removal",
        removal_figure(studies),
        "How much of the divergence from the moves of the maze without cheese is gone when the cheese vector is taken "
        "away, at decision squares: 100% is acting as without cheese. Bootstrap intervals over mazes; below −100% not "
        "drawn.",
    )
    first = load_network(config.models[0])
    mazes = config.drawn(record.seed)
    record.figure(
        "fields",
        fields_figure(first, _example(first.name, first.weights_hash, place, mazes, config, record.seed)),
        f"`{short_name(first.name)}`, one maze: where the mouse would go from each cell, untouched, without the "
        f"cheese, and with each vector at `{place}` at its claimed strength; and what noise of the same norm turns.",
    )
    record.table(
        "hook-points",
        pd.DataFrame([row for study in studies for row in study.rows()]),
        "Every hook point, vector and strength: change of the choice at decision squares and in play, with 95% "
        "intervals and exact McNemar tests corrected for all of the network's hook points and strengths of that "
        "vector.",
    )
    record.say(
        "What differs from the source",
        "- The networks: IMPALA 16-32-32, where the source has 64-128-128.\n"
        f"- Mazes of {config.size} x {config.size} cells in a world of 15, where the source has up to 25 x 25.\n"
        "- Many mazes, each with its own vector, and one vector a hook point, where the source looks at some mazes and "
        "layers.\n"
        "- Controls that the source lacks: noise of equal norm at every position, and the vector of another maze.",
    )


def _line(ledger: Ledger, study: SteeringStudy, place: str) -> str:
    where = {"model": study.model, "hook_point": place}
    cheese, corner = (where | {"strength": CLAIMED[vector]} for vector in TARGETS)

    def quote(vector: str, quantity: str, **at) -> str:
        return ledger.quote(f"{TARGETS[vector]}/{quantity}", **at)

    in_play = bool(next(each for each in study.places if each.hook_point == place).found["play"])
    played = (
        f" In play, the cheese is found {quote('cheese', 'play_change', **cheese)} more often (beyond noise: "
        f"{quote('cheese', 'play_over_noise', **cheese)}), and the corner come to "
        f"{quote('top-right', 'play_change', **corner)} more often (beyond noise: "
        f"{quote('top-right', 'play_over_noise', **corner)})."
        if in_play
        else ""
    )
    return (
        f"- `{short_name(study.model)}` takes the way to the cheese in "
        f"{quote('cheese', 'choices_untouched', model=study.model)}, and there, with the cheese gone, in "
        f"{quote('cheese', 'choices_without_cheese', model=study.model)}. Taking the vector away changes that by "
        f"{quote('cheese', 'choice_change', **cheese)} and does "
        f"{quote('cheese', 'like_removal', **cheese, arm='vector')} of what taking the cheese away does to the moves. "
        f"The top-right vector makes the corner's way "
        f"{quote('top-right', 'choice_change', **corner)} more frequent.{played}"
    )


def _told(studies: Sequence[SteeringStudy]) -> str:
    names = [place.hook_point for place in studies[0].places]
    return STUDIED if STUDIED in names else names[0]


def _example(
    name: str, weights: str, hook_point: str, mazes: PlayedMazes, config: Config, seed: int
) -> SteeredPlace:
    return SteeredPlace(name, weights, hook_point, mazes, config.strengths, CLAIMED, 0, 0, seed)
