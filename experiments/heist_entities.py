"""heist-entities: which units of a Heist network follow which entity, and which say where to go?

One thing of a level is moved while all else stays, in open rooms and in mazes, for many places of the agent; units are
chosen on half of the levels and judged on the other half, beside networks that nobody trained and beside shuffled
places. Levels at two stages of their plan ask for a unit that tells the next key; keys round corners in four
orientations for channels that tell the direction. `heist_entities_setup.py` holds the scales,
`procscope.probes.entity_study` what is done with one level, `heist_entities_results.py` and `heist_entities_numbers.py`
what is made of it, `heist_entities_report.py` how it is told, and docs/experiments/heist-entities.md what was found.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from torch import nn

from procscope.activations.channel_sums import ChannelSums, channel_sums
from procscope.envs.heist.pairs import Stages
from procscope.experiments.heist_entities_numbers import DIRECTION, METRICS, SWEEP, record_numbers
from procscope.experiments.heist_entities_report import write_report
from procscope.experiments.heist_entities_results import ANY, ENGINE, CheeseStudy, EntityStudy, Tracked
from procscope.experiments.heist_entities_setup import SCALES, Config, Levels, draw_levels
from procscope.experiments.heist_networks import centers_of, places_of
from procscope.experiments.maze_networks import open_networks, training_of
from procscope.interventions.direction_channels import DIRECTIONS, DirectionChannels, find_direction_channels
from procscope.interventions.direction_readout import DirectionReadout, direction_readout
from procscope.probes.entity_study import Setting, TrackedLevel, study_level
from procscope.probes.next_key import NextKeys, read_next_keys
from procscope.probes.untrained import untrained_like
from procscope.saes.of_networks import require_saes_of, saes_of
from procscope.saes.sae import Sae
from procscope.workbench.checkpoints import LoadedModel, load_network
from procscope.workbench.experiments import Experiment
from procscope.workbench.members import Members
from procscope.workbench.parallel import parallel_map
from procscope.workbench.runs import RunRecord


def run(config: Config, record: RunRecord) -> None:
    """Track every thing in every network, look for next keys and directions, record the numbers, write the report."""
    levels = draw_levels(config, record.seed)
    models = open_networks((*config.models, *config.maze_models), record)
    require_saes_of(models, config.saes)
    heist, mazes = models[: len(config.models)], models[len(config.models) :]
    members = record.members()
    studies = [study_heist(model, levels, config, members, record.seed) for model in heist]
    cheese = [
        CheeseStudy(
            model.name,
            training_of(model),
            tracked(model, "cheese", levels, config, members, record.seed),
        )
        for model in mazes
    ]
    write_report(record_numbers(record, studies, cheese), config, levels, studies, cheese)


def study_heist(
    model: LoadedModel, levels: Levels, config: Config, members: Members, seed: int
) -> EntityStudy:
    """Everything about one Heist network."""
    rooms, mazes = (tracked(model, setting, levels, config, members, seed) for setting in ("room", "maze"))
    others = [untrained_like(model, draw) for draw in range(1, config.untrained + 1)]
    encoders = encoders_of(model, config.saes)
    last = places_of(model).last

    def next_keys(network: nn.Module, stages: Sequence[Stages], own: bool) -> Mapping[str, NextKeys]:
        return {
            name: read_next_keys(
                network, stages, name, center=center, encoder=encoders.get(name) if own else None
            )
            for name, center in zip(rooms.hook_points, centers_of(model, rooms.hook_points), strict=True)
        }

    by_colours = {ENGINE: levels.stages, ANY: levels.recoloured}
    directions = find_direction_channels(model.network, levels.corners, last)
    untrained = _untrained_readouts(others, levels, last)
    chosen = {move.name.lower(): directions.best([move]) for move in DIRECTIONS}
    return EntityStudy(
        model.name,
        training_of(model),
        rooms,
        mazes,
        {colours: next_keys(model.network, stages, True) for colours, stages in by_colours.items()},
        {
            colours: [next_keys(network, stages, False) for network in others]
            for colours, stages in by_colours.items()
        },
        directions,
        readouts(directions, channel_sums(model.network, levels.midway, last)),
        {name: [each[name] for each in untrained] for name in chosen},
        chosen,
        last,
    )


def tracked(
    model: LoadedModel, setting: Setting, levels: Levels, config: Config, members: Members, seed: int
) -> Tracked:
    """A network's scores on the levels of one setting, and those of networks like it; levels are kept one by one."""
    hook_points = hook_points_of(model, config)
    given = {"room": levels.rooms, "maze": levels.mazes, "cheese": levels.cheese}[setting]
    planned = [
        [
            TrackedLevel(
                model.name,
                model.weights_hash,
                draw,
                setting,
                level.to_json(),
                hook_points,
                centers_of(model, hook_points),
                tuple(config.saes) if draw == 0 else (),
                config.places,
                config.room_agents if setting == "room" else config.maze_agents,
                seed,
            )
            for level in given
        ]
        for draw in range(config.untrained + 1)
    ]
    pending = members.pending([one for each in planned for one in each])
    for index, found in parallel_map(
        study_one, pending, workers=config.workers, description=f"{model.name}, {setting}"
    ):
        members.put(pending[index], found)
    scores = [[members.get(one) for one in each] for each in planned]
    return Tracked(hook_points, scores[0], scores[1:])


def study_one(one: TrackedLevel) -> dict[str, Any]:
    """`study_level` with the network and its autoencoders loaded."""
    model = load_network(one.model)
    return study_level(one, model, encoders_of(model, one.saes))


def encoders_of(model: LoadedModel, saes: Sequence[str]) -> dict[str, Sae]:
    """The network's autoencoders among these files, by hook point."""
    return {place: trained.sae for place, trained in saes_of(model, saes).items()}


def hook_points_of(model: LoadedModel, config: Config) -> tuple[str, ...]:
    """The hook points asked for, or those of the architecture; those of the network's SAEs are among them."""
    named = config.hook_points or places_of(model).maps
    return tuple(dict.fromkeys((*named, *saes_of(model, config.saes))))


def readouts(directions: DirectionChannels, read: ChannelSums) -> dict[str, DirectionReadout]:
    """What the channel of each direction says on other levels."""
    return {
        move.name.lower(): direction_readout(read, directions.best([move]), [move]) for move in DIRECTIONS
    }


def _untrained_readouts(
    networks: Sequence[nn.Module], levels: Levels, hook_point: str
) -> list[dict[str, DirectionReadout]]:
    find = partial(find_direction_channels, bases=levels.corners, hook_point=hook_point)
    return [readouts(find(network), channel_sums(network, levels.midway, hook_point)) for network in networks]


EXPERIMENT = Experiment(
    name="heist-entities",
    question="Which units of a Heist network follow the keys, the locks and the gem when they are moved, which tells "
    "the key that comes next, and which tell the direction to go; by more than in networks that nobody trained?",
    targets=(SWEEP, METRICS, DIRECTION),
    scales=SCALES,
    run=run,
)
