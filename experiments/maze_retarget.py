"""maze-retarget: can the mouse be sent anywhere by editing the channels that track the cheese?

For each network: which channels say where the cheese is, on some mazes; which edit of them works best, on others,
without playing; and on further ones, in play, to how many cells it sends the mouse, how that falls with their distance,
and what no edit, matched controls and really moving the cheese do. `maze_retarget_setup.py` holds the scales,
`procscope.interventions.retarget_study` the steps, `maze_retarget_results.py` and `maze_retarget_numbers.py` what is
made of them, `maze_retarget_report.py` how it is told, and docs/experiments/maze-retarget.md what was found.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from procscope.envs.maze import MazeLevel
from procscope.experiments.maze_networks import open_networks, training_of
from procscope.experiments.maze_retarget_numbers import TARGET, record_numbers
from procscope.experiments.maze_retarget_report import write_report
from procscope.experiments.maze_retarget_results import PlayedLevel, RetargetStudy
from procscope.experiments.maze_retarget_setup import SCALES, Config, Mazes, draw_mazes
from procscope.interventions.goal_tracking import track_goal
from procscope.interventions.retarget import retarget
from procscope.interventions.retarget_study import RetargetedLevel, TunedEdit, study_level, tune
from procscope.saes.of_networks import require_saes_of, saes_of
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.experiments import Experiment
from procscope.workbench.members import Members
from procscope.workbench.parallel import parallel_map
from procscope.workbench.runs import RunRecord


def run(config: Config, record: RunRecord) -> None:
    """Choose, tune and play each network's edit, record the numbers, write the report."""
    mazes = draw_mazes(config, record.seed)
    models = open_networks(config.models, record)
    require_saes_of(models, config.saes)
    studies = [study_network(model, mazes, config, record) for model in models]
    write_report(record_numbers(record, studies), config, studies)


def study_network(model: LoadedModel, mazes: Mazes, config: Config, record: RunRecord) -> RetargetStudy:
    """Everything about one network; played mazes are kept one by one."""
    saes = saes_of(model, config.saes)
    tracked = [
        track_goal(model.network, mazes.tracking, place, saes[place].sae if place in saes else None)
        for place in config.hook_points
    ]
    tuned = tune(
        model.network,
        tracked,
        mazes.tuning,
        shares=config.shares,
        times=config.times,
        targets=config.tuning_targets,
        rng=np.random.default_rng(record.seed),
        saes={place: trained.name for place, trained in saes.items()},
    )
    best = tuned[0]
    record.log(
        f"{model.name}: {best.edit.units} {', '.join(map(str, best.edit.channels))} of {best.edit.hook_point}, "
        f"{best.times:g} times what they show at a cheese"
    )
    planned = plan(model, best, mazes, config, record.seed)
    played = play(planned, record.members(), config.workers)
    first = mazes.played[0]
    # The example has tests of its own, cell by cell, and so more episodes a cell.
    example = retarget(
        model.network,
        first,
        best.edit.edits(first),
        repeats=config.example_repeats,
        max_steps=config.max_steps,
        seed=record.seed,
        cells=[(x, y) for x, y in played[0].cells.tolist()],
        controls=False,
    )
    return RetargetStudy(model.name, training_of(model), tracked, tuned, played, example)


def plan(
    model: LoadedModel, best: TunedEdit, mazes: Mazes, config: Config, seed: int
) -> list[RetargetedLevel]:
    """The mazes of one network that are to be played."""
    references = tuple(level.to_json() for level in mazes.tuning)
    one = RetargetedLevel(
        model.name,
        model.weights_hash,
        best.edit,
        {},
        references,
        config.repeats,
        config.max_steps,
        seed,
    )
    return [replace(one, level=level.to_json()) for level in mazes.played]


def play(planned: Sequence[RetargetedLevel], members: Members, workers: int) -> list[PlayedLevel]:
    """Play what has no result yet, keep each maze as soon as it is done, and give all."""
    pending = members.pending(list(planned))
    for index, found in parallel_map(study_level, pending, workers=workers, description="mazes"):
        members.put(pending[index], found)
    return [
        PlayedLevel(MazeLevel.from_json(dict(one.level)), one.repeats, members.get(one)) for one in planned
    ]


EXPERIMENT = Experiment(
    name="maze-retarget",
    question="Can the mouse be sent to any cell by editing the channels that track the cheese; to how many, how far, "
    "and by more than matched controls?",
    targets=(TARGET,),
    scales=SCALES,
    run=run,
)
