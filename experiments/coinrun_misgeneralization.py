"""coinrun-misgeneralization: an agent that met the coin at the end alone: what drives it to the right?

The same levels are played with the coin at the end, moved, removed, and without the wall behind the end. In single
frames, one thing at a time is put into the picture or taken out, and the picture is mirrored. Which channels the wish
to go right rests on is found by ablation on some frames, confirmed on others and in play; which carry what coin and
wall change is found by patching minimal pairs. `…_setup.py` holds the scales and draws levels and frames,
`…_results.py` and `…_numbers.py` what is made of them, `…_report.py` how it is told, and
docs/experiments/coinrun-misgeneralization.md what was found.
"""

import numpy as np
from jaxtyping import Int

from procscope.agents.outcomes import end_columns
from procscope.envs.labels import label_states
from procscope.envs.state.batch import read_batch
from procscope.experiments.coinrun_misgeneralization_numbers import TARGET, TRAINED, record_numbers
from procscope.experiments.coinrun_misgeneralization_report import write_report
from procscope.experiments.coinrun_misgeneralization_results import (
    DriveStudy,
    PlayedArrangement,
    ablate_group,
    contrast_change,
    patch_contrast,
    strongest_group,
)
from procscope.experiments.coinrun_misgeneralization_setup import (
    ARRANGEMENTS,
    CONTRASTS,
    SCALES,
    Config,
    Levels,
)
from procscope.experiments.maze_networks import open_networks, training_of
from procscope.interventions.intervention import Intervention
from procscope.interventions.named_arms import UNTOUCHED
from procscope.interventions.side_drive import channel_drive, right_log_odds
from procscope.interventions.sweep import sweep_rollouts
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.experiments import Experiment
from procscope.workbench.runs import RunRecord


def run(config: Config, record: RunRecord) -> None:
    """Study each network, record the numbers, write the report."""
    studies = [study_network(model, config, record) for model in open_networks(config.models, record)]
    write_report(record_numbers(record, studies), config, studies)


def study_network(model: LoadedModel, config: Config, record: RunRecord) -> DriveStudy:
    """Everything about one network; what is played is kept level by level."""
    network, levels = model.network, Levels(model, config, record.seed)
    bare, mirrored = levels.bare(), levels.mirrored()
    frames = bare.frames[bare.possible]
    record.log(f"{model.name}: {len(frames)} frames with neither coin nor end in sight")
    contrasts = {
        (kind, columns): levels.contrast(kind, columns) for kind in CONTRASTS for columns in config.columns
    }
    groups = [
        ablate_group(network, frames, channel_drive(network, frames, place), config.share, record.seed)
        for place in config.hook_points
    ]
    widest = {
        kind: max((contrasts[kind, n] for n in config.columns), key=lambda one: len(one.present))
        for kind in CONTRASTS
    }
    effects = {kind: patch_contrast(network, contrast, config) for kind, contrast in widest.items()}
    best = strongest_group(groups)
    arms = {arm.name: arm.of(0) for arm in best.arms if arm.name != UNTOUCHED}
    end = end_columns(read_batch(levels.played(TRAINED)))
    played = {
        arrangement: play(model, levels.played(arrangement), end, arms, config, record)
        for arrangement in ARRANGEMENTS
    }
    levels.close()
    return DriveStudy(
        model.name,
        training_of(model),
        right_log_odds(network, frames),
        right_log_odds(network, mirrored.frames[mirrored.possible]),
        [contrast_change(network, contrast) for contrast in contrasts.values()],
        groups,
        played,
        {kind: found for kind, found in effects.items() if found is not None},
        {kind: len(contrast.present) for kind, contrast in widest.items()},
    )


def play(
    model: LoadedModel,
    states: list[bytes],
    end: Int[np.ndarray, " level"],
    arms: dict[str, tuple[Intervention, ...]],
    config: Config,
    record: RunRecord,
) -> PlayedArrangement:
    """Play levels under every arm, with the same noise."""
    sweep = sweep_rollouts(
        model.network,
        states,
        arms,
        seed=record.seed,
        max_steps=config.max_steps,
        controls=False,
        members=record.members(),
        progress=model.name,
    )
    coin = label_states(states)["goal_x"].astype(np.int64)
    return PlayedArrangement(sweep, end, coin)


EXPERIMENT = Experiment(
    name="coinrun-misgeneralization",
    question="What drives an agent to the right that met the coin at the end of the level alone: the coin, the end "
    "wall, or neither; and which channels does that rest on?",
    targets=(TARGET,),
    scales=SCALES,
    run=run,
)
