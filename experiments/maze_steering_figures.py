"""What the figures of `maze-steering` show: each puts the results of all networks into one plot's panels."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from procscope.experiments.maze_channels_figures import short_name
from procscope.experiments.maze_steering_results import PlaceResult, SteeringStudy
from procscope.experiments.maze_steering_setup import CLAIMED
from procscope.interventions.named_arms import UNTOUCHED
from procscope.interventions.steering_study import (
    VECTORS,
    SteeredPlace,
    arm_name,
    field_arms,
    field_vectors,
    maze_levels,
)
from procscope.interventions.vector_field import maze_fields
from procscope.visualization.place_series import PlacePanel, PlaceSeries, plot_place_series
from procscope.visualization.strength_maps import StrengthMap, plot_strength_maps
from procscope.visualization.vector_field import FieldPanel, plot_vector_fields
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.statistics import Interval

SURE = 0.05
"""Corrected p-value at most so large counts as told from no change."""
DIFFERENCES = {"cheese": "cheese vector taken away", "top-right": "top-right vector added"}


def choices_figure(studies: Sequence[SteeringStudy]) -> Figure:
    """Change of the choice at decision squares: a row a vector, a column a network."""

    def panel(study: SteeringStudy, vector: str) -> StrengthMap:
        tests = study.tests("choices")
        places = [place.hook_point for place in study.places]
        keys = [[(name, vector, strength) for strength in study.strengths] for name in places]
        change = [
            [place.change("choices", vector, strength).value for strength in study.strengths]
            for place in study.places
        ]
        sure = [[tests[key].p_holm <= SURE for key in row] for row in keys]
        title = f"{short_name(study.model)}\n{vector} vector"
        return StrengthMap(title, places, study.strengths, np.array(change), np.array(sure))

    return plot_strength_maps(
        [[panel(study, vector) for study in studies] for vector in VECTORS],
        label="change of the share",
    )


def play_figure(studies: Sequence[SteeringStudy]) -> Figure:
    """What the claimed strengths and their controls change in play: a row a vector, a column a network."""

    def panel(study: SteeringStudy, vector: str) -> PlacePanel:
        places = study.played()
        strength = CLAIMED[vector]

        def series(name: str, colour: str, control: str) -> PlaceSeries:
            arm = arm_name(vector, strength, control)
            return PlaceSeries(
                name,
                colour,
                [place.difference("play", vector, arm, UNTOUCHED) for place in places],
            )

        return PlacePanel(
            short_name(study.model),
            [place.hook_point for place in places],
            [
                series("the vector", "vermilion", "own"),
                series("noise of equal norm", "grey", "noise"),
                series("another maze's vector", "blue", "other maze"),
            ],
        )

    return plot_place_series(
        [[panel(study, vector) for study in studies] for vector in VECTORS],
        xlabels=["cheese found: change, cheese vector −1", "corner come to: change, top-right vector +1"],
    )


def removal_figure(studies: Sequence[SteeringStudy]) -> Figure:
    """How like taking the cheese away the cheese vector is, at every hook point: a column a network."""

    def panel(study: SteeringStudy) -> PlacePanel:
        return PlacePanel(
            short_name(study.model),
            [place.hook_point for place in study.places],
            [
                PlaceSeries("the vector", "vermilion", [_or_none(place, "own") for place in study.places]),
                PlaceSeries(
                    "noise of equal norm", "grey", [_or_none(place, "noise") for place in study.places]
                ),
            ],
        )

    return plot_place_series(
        [[panel(study) for study in studies]],
        xlabels=["divergence gone (share)"],
    )


def fields_figure(model: LoadedModel, place: SteeredPlace) -> Figure:
    """One maze: the field, and what each vector and its noise turn, at one hook point."""
    level = maze_levels(place.mazes)[0]
    arms = field_arms(place, field_vectors(model.network, place, level), 0)
    fields = maze_fields(model.network, level, arms)
    plain = fields[UNTOUCHED]
    bare = level.without_cheese()
    without = maze_fields(model.network, bare)[UNTOUCHED]
    first = {
        "cheese": FieldPanel("untouched", level, plain.cells, plain.arrows),
        "top-right": FieldPanel("without the cheese", bare, without.cells, without.arrows),
    }
    panels = []
    for vector in VECTORS:
        name = arm_name(vector, CLAIMED[vector])
        turned = fields[name].minus(plain)
        noise = fields[arm_name(vector, CLAIMED[vector], "noise")].minus(plain)
        panels += [
            first[vector],
            FieldPanel(DIFFERENCES[vector], level, plain.cells, fields[name].arrows),
            FieldPanel("difference", level, plain.cells, turned.arrows, is_difference=True),
            FieldPanel("difference by noise", level, plain.cells, noise.arrows, is_difference=True),
        ]
    return plot_vector_fields(panels, columns=4)


def _or_none(place: PlaceResult, control: str) -> Interval | None:
    try:
        found = place.like_removal(control)
    except ValueError:
        return None
    # Far below 0, what a vector does has nothing to do with the cheese, and how far does not matter.
    value, low, high = (max(end, -1.0) for end in found[:3])
    return Interval(value, low, high, found.n)
