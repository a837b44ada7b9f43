"""How `heist-entities` tells what it found. Every number in the prose is quoted from the run's own (`Ledger`)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from procscope.envs.heist.sweeps import open_room
from procscope.experiments.heist_entities_numbers import DIRECTION, METRICS, SWEEP
from procscope.experiments.heist_entities_results import (
    KEYS,
    SHUFFLED,
    THINGS,
    TRAINED,
    UNTRAINED,
    CheeseStudy,
    EntityStudy,
    Tracked,
    mean_over_levels,
)
from procscope.experiments.heist_entities_setup import Config, Levels
from procscope.experiments.maze_channels_figures import short_name
from procscope.interventions.direction_channels import DIRECTIONS, reading_text
from procscope.probes.entity_scenes import ROOM_CELLS, room_scenes
from procscope.visualization.channel_tuning import TunedChannels, plot_tuning
from procscope.visualization.scores_by_thing import ScorePanel, plot_scores
from procscope.visualization.vector_field import HeatPanel, plot_heat_panels
from procscope.workbench.ledger import Ledger
from procscope.workbench.statistics import Interval
from procscope.workbench.verdict_text import verdicts_text

_SETTINGS = ("room", "maze")


def write_report(
    ledger: Ledger,
    config: Config,
    levels: Levels,
    studies: Sequence[EntityStudy],
    cheese: Sequence[CheeseStudy],
) -> None:
    """Add prose, figures and tables to the record."""
    record = ledger.record
    record.say(
        "In short",
        "Asked: when one key, lock or the gem is moved and all else stays, which channels follow it, and is there "
        "one for what comes next, or for the direction to go? Channels are chosen on half of the levels and "
        "judged on the other half; untrained networks and shuffled places go through the same choice.\n\n"
        + "\n".join(_line(ledger, study) for study in studies),
    )
    for target in (SWEEP, METRICS, DIRECTION):
        record.say(f"Claims: {target}", verdicts_text(record, target))
    record.figure(
        "overlap",
        scores_figure(studies, "overlap", "change"),
        "Overlap of what the thing's place changes with the thing's own positions: best unit for each thing, "
        "chosen on half of the levels, judged on the others (95% bootstrap over levels); of untrained networks "
        "the mean over draws.",
    )
    record.figure(
        "equivariance",
        scores_figure(studies, "equivariance", "activation"),
        "The source's measure: cosine between the thing's displacement and that of the activation's centroid.",
    )
    record.figure(
        "agents",
        agents_figure(studies, levels, config),
        "Open room: equivariance of the unit that follows the keys best, by where the agent is, for each key "
        "(mean over rooms).",
    )
    record.figure(
        "directions",
        directions_figure(studies),
        "The channels of the largest effect when the next key lies round a corner: mean sum by the right step.",
    )
    record.table(
        "units",
        pd.DataFrame([row for study in studies for row in unit_rows(study)]),
        "The best unit for each thing, by setting, mass and measure, with its score on the levels that judge, and "
        "what the best unit of untrained networks and of shuffled places scores there.",
    )
    record.table(
        "followers",
        pd.DataFrame([row for study in studies for row in follower_rows(study)]),
        "Units whose overlap with a thing is above that of every unit of every untrained network, on both halves "
        "of the levels, and how many things each follows.",
    )
    record.table(
        "directions",
        pd.DataFrame([row for study in studies for row in direction_rows(study)]),
        "The pair finder's channels, the largest effect first.",
    )
    record.say(
        "What differs from the source",
        "- A full ring of 16 cells, every thing moved the same way, and many places of the agent; the source has "
        "nine frames. Beside open rooms, mazes of the engine.\n"
        "- The source names its measures in words; formulas are those of its public code, where there is one. "
        "Predictiveness is R² on places left out.\n"
        "- Units are chosen and judged on different levels; baselines are ours.\n"
        "- A step in which a centroid stays where it is counts as 0, not left out.",
    )


def _line(ledger: Ledger, study: EntityStudy) -> str:
    def quote(id: str, **where) -> str:
        return ledger.quote(id, model=study.model, **where)

    room = {"setting": "room", "mass": "activation", "measure": "equivariance"}
    maze = {"setting": "maze", "mass": "change", "measure": "overlap", "thing": "keys"}
    counts = ", ".join(
        f"{thing} {ledger.quote(f'{SWEEP}/followers', model=study.model, setting='maze', thing=thing)}"
        for thing in THINGS
    )
    directions = ", ".join(
        f"{move.name.lower()} {quote(f'{DIRECTION}/auroc', direction=move.name.lower(), interval=False)} (over "
        f"untrained {quote(f'{DIRECTION}/over_untrained', direction=move.name.lower(), interval=False)})"
        for move in DIRECTIONS
    )
    return (
        f"- `{short_name(study.model)}`: one unit follows all three keys round the room with a cosine of "
        f"{quote(f'{SWEEP}/follows_keys', **room)} for the key that it follows least, "
        f"{quote(f'{METRICS}/over_untrained', **(room | {'thing': 'keys'}))} more than in untrained networks on "
        "average over keys; where the agent is changes its cosine for the blue key by "
        f"{quote(f'{SWEEP}/agent_spread', thing='blue key', mass='activation')}. In mazes, what a key's place "
        f"changes overlaps with it by {quote(f'{METRICS}/over_untrained', **maze)} more than in untrained "
        f"networks. Units above all untrained ones: {counts}. The next key is told from the one after it at both "
        f"stages by one unit in {quote(f'{SWEEP}/next_key')} of levels "
        f"({quote(f'{SWEEP}/next_key_over_untrained')} more than untrained), with colours exchanged at random in "
        f"{quote(f'{SWEEP}/next_key_any_colours')} ({quote(f'{SWEEP}/next_key_any_colours_over_untrained')} more; "
        f"chance 25%). Directions to go, AUROC of the chosen channel's sum: {directions}."
    )


def source_scores(tracked: Tracked, thing: str, mass: str, measure: str) -> dict[str, Interval]:
    """Score of the best unit of each source on the levels that judge; of untrained networks the mean over draws."""
    found = {}
    for source in (TRAINED, UNTRAINED, SHUFFLED):
        draws = tracked.draws if source == UNTRAINED else 1
        scores = np.mean(
            [tracked.best((thing,), mass, measure, source, draw).scores[:, 0] for draw in range(draws)],
            axis=0,
        )
        if np.ptp(scores) > 0:
            found[source] = mean_over_levels(scores)
    return found


def scores_figure(studies: Sequence[EntityStudy], measure: str, mass: str) -> Figure:
    """A row a network: rooms and mazes."""
    panels = []
    for study in studies:
        for setting, tracked in zip(_SETTINGS, (study.rooms, study.mazes), strict=True):
            scores: dict[str, dict[str, Interval]] = {}
            for thing in THINGS:
                for source, found in source_scores(tracked, thing, mass, measure).items():
                    scores.setdefault(source, {})[thing] = found
            panels.append(ScorePanel(f"{short_name(study.model)}: {setting}s", scores))
    return plot_scores(panels, xlabel=f"{measure} of the {mass}")


def agents_figure(studies: Sequence[EntityStudy], levels: Levels, config: Config) -> Figure:
    """For each network and key, the equivariance of its unit by the agent's cell."""
    room = open_room(levels.rooms[0], ROOM_CELLS)
    agents = next(iter(room_scenes(room, config.room_agents))).agents
    panels = []
    for study in studies:
        unit = study.rooms.best(KEYS, "activation", "equivariance").unit
        for key in KEYS:
            by_agent = np.array(
                [
                    np.array(level[key][unit.hook_point]["activation"]["by_agent"])[:, unit.number]
                    for level in study.rooms.trained
                ]
            ).mean(axis=0)
            panels.append(HeatPanel(f"{unit}, {key}", room, agents, by_agent))
    return plot_heat_panels(panels, label="equivariance (cosine)", columns=3)


def directions_figure(studies: Sequence[EntityStudy], count: int = 8) -> Figure:
    """The channels of the largest effect of each network."""
    networks = []
    for study in studies:
        channels = study.directions.strongest(count)
        networks.append(
            TunedChannels(
                f"{short_name(study.model)}, {study.hook_point}",
                [f"{channel} {reading_text(study.directions.reading(channel))}" for channel in channels],
                study.directions.tuning[:, channels].T,
                study.directions.effects[channels],
            )
        )
    return plot_tuning(networks, [move.name.lower() for move in DIRECTIONS])


def unit_rows(study: EntityStudy) -> list[dict]:
    """The best unit of every thing, setting, mass and measure."""
    rows = []
    for setting, tracked in zip(_SETTINGS, (study.rooms, study.mazes), strict=True):
        for mass, measure in (
            ("activation", "equivariance"),
            ("activation", "predictiveness"),
            ("activation", "pearson"),
            ("activation", "overlap"),
            ("change", "overlap"),
            ("change", "predictiveness"),
        ):
            for thing in THINGS:
                scores = source_scores(tracked, thing, mass, measure)
                row = {
                    "network": study.model,
                    "setting": setting,
                    "mass": mass,
                    "measure": measure,
                    "thing": thing,
                }
                row["unit"] = str(tracked.best((thing,), mass, measure).unit)
                rows.append(row | {source: found.value for source, found in scores.items()})
    return rows


def follower_rows(study: EntityStudy) -> list[dict]:
    """Every unit that follows something, with what it follows."""
    rows = []
    for setting, tracked in zip(_SETTINGS, (study.rooms, study.mazes), strict=True):
        followed: dict[str, list[str]] = {}
        for thing in THINGS:
            for unit in tracked.followers(thing):
                followed.setdefault(str(unit), []).append(thing)
        rows += [
            {
                "network": study.model,
                "setting": setting,
                "unit": unit,
                "things": len(of),
                "follows": ", ".join(of),
            }
            for unit, of in followed.items()
        ]
    return rows


def direction_rows(study: EntityStudy) -> list[dict]:
    """Every channel of the pair finder."""
    return [{"network": study.model, **row._asdict()} for row in study.directions.rows()]
