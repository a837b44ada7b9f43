"""heist-goals: can the goal that a Heist agent pursues be switched inside the network, and how is it held there?

On levels whose key lies there the network is edited so that it should go to the lock as if the key were held: by a
probe's direction, by channels, by latents, by the key's vector. Minimal pairs ask how many channels tell the way round
a wall, the key's place, and that there is a key; what each entity adds to the channels is compared between entities;
the gradients of a probe are decomposed and their first directions erased; distances are probed. `heist_goals_setup.py`
holds the scales, `procscope.probes.goal_switch`, `guided_eigen`, `entity_vectors` and
`procscope.interventions.carried` what is done, `heist_goals_results.py` and `heist_goals_numbers.py` what is made of
it, `heist_goals_report.py` how it is told, and docs/experiments/heist-goals.md what was found.
"""

from collections.abc import Mapping

import numpy as np
from torch import nn

from procscope.activations.capture import capture
from procscope.envs.engine import TEST_SEEDS
from procscope.envs.heist import HeistLevel
from procscope.envs.heist.pairs import (
    CornerPair,
    GoalPair,
    choice_pairs,
    corner_pairs,
    goal_pairs,
    moved_pairs,
)
from procscope.envs.level_frames import LevelFrames, frames_from_seeds, frames_of_levels
from procscope.experiments.heist_goals_numbers import TARGET, record_numbers
from procscope.experiments.heist_goals_report import write_report
from procscope.experiments.heist_goals_results import DistanceScores, Erased, GoalStudy
from procscope.experiments.heist_goals_setup import SCALES, Config
from procscope.experiments.heist_networks import Places, centers_of, places_of
from procscope.experiments.maze_networks import open_networks, training_of
from procscope.interventions.carried import Carried, carried
from procscope.interventions.erase import Erase
from procscope.probes.entity_vectors import entity_vectors
from procscope.probes.goal_rules import goal_rules
from procscope.probes.goal_switch import find_handles, goal_arms, goal_effects, goal_play, probe_scores
from procscope.probes.guided_eigen import probe_eigen
from procscope.probes.moments import Batch
from procscope.probes.ridge import fit_ridge
from procscope.probes.untrained import untrained_like
from procscope.saes.of_networks import require_saes_of, saes_of
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.experiments import Experiment
from procscope.workbench.runs import RunRecord

_FOLDS = 5
_ALPHAS = (1e3, 1e4, 1e5, 1e6, 1e7)


def run(config: Config, record: RunRecord) -> None:
    """Switch goals in every network, look for circuits, record the numbers, write the report."""
    models = open_networks(config.models, record)
    require_saes_of(models, config.saes)
    studies = [study_network(model, config, record) for model in models]
    write_report(record_numbers(record, studies), config, studies)


def study_network(model: LoadedModel, config: Config, record: RunRecord) -> GoalStudy:
    """Everything about one network."""
    network, places = model.network, places_of(model)
    (center,) = centers_of(model, [places.middle])
    rng = np.random.default_rng((record.seed, 41))
    finding, edited = goal_pairs(config.finding_pairs, rng), goal_pairs(config.pairs, rng)
    trained = saes_of(model, config.saes).get(places.middle)
    encoder = None if trained is None else trained.sae
    handles = find_handles(
        network, finding, places.vector, places.middle, center, encoder=encoder, seed=record.seed
    )
    arms = goal_arms(handles, edited, config.counts, config.times, encoder)
    record.log(f"{model.name}: {len(arms)} edits of {places.vector} and {places.middle}")
    effects = goal_effects(network, edited, arms)
    play = goal_play(
        network, edited, arms, repeats=config.repeats, max_steps=config.max_steps, seed=record.seed
    )
    eigen = probe_eigen(
        network,
        frames_of_levels([pair.key_lies for pair in finding]).frames,
        places.vector,
        handles.probe.step,
        places.middle,
    )
    mean = handles.statistics.mean
    erased = []
    for count in config.eigen_counts:
        guided = Erase.directions(places.middle, eigen.directions[:count], center=mean)
        other = Erase.directions(places.middle, rng.normal(size=(count, len(mean))), center=mean)
        scores = [probe_scores(network, edited, handles.probe, edit) for edit in (guided, other)]
        erased.append(Erased(count, *scores))
    untrained = untrained_like(model, 1)
    levels = [HeistLevel.generate(9, 3, rng) for _ in range(config.vector_levels)]
    return GoalStudy(
        model.name,
        training_of(model),
        places.middle,
        handles,
        effects,
        play,
        circuits_of(network, places, config, rng),
        entity_vectors(network, levels, places.middle, center),
        entity_vectors(untrained, levels, places.middle, center),
        eigen,
        probe_scores(network, edited, handles.probe),
        tuple(erased),
        distances_of(network, untrained, places, config, record.seed),
        goal_rules(network, finding, choice_pairs(config.finding_pairs, rng)),
    )


def circuits_of(
    network: nn.Module, places: Places, config: Config, rng: np.random.Generator
) -> dict[str, Mapping[str, Carried]]:
    """Which channels carry what tells each kind of minimal pair apart, by hook point."""
    count = config.circuit_pairs
    # The orientations of one base maze stay together, so that no maze is on both halves.
    corners: list[CornerPair] = [pair for _ in range(-(-count // 4)) for pair in corner_pairs(rng)]
    moved = moved_pairs(count, rng)
    there: list[GoalPair] = goal_pairs(count, rng)
    pairs = {
        "wall": [(pair.first, pair.second, (pair.first_move, pair.second_move)) for pair in corners],
        "key place": [(pair.level, pair.moved, pair.moves) for pair in moved],
        "key there": [(pair.key_lies, pair.key_held, (pair.key_move, pair.lock_move)) for pair in there],
    }
    found: dict[str, Mapping[str, Carried]] = {}
    for circuit, each in pairs.items():
        first, second = (frames_of_levels([one[which] for one in each]).frames for which in (0, 1))
        moves = np.array([one[2] for one in each], dtype=np.int64)
        found[circuit] = {
            name: carried(network, first, second, moves, name, config.counts, rng=rng)
            for name in (places.middle, places.last)
        }
    return found


def distances_of(
    network: nn.Module, untrained: nn.Module, places: Places, config: Config, seed: int
) -> tuple[DistanceScores, ...]:
    """Straight distance and length of the way to what comes next, read from the last two sizes of maps by "
    "ridge probes."""
    first = int(np.random.default_rng((seed, 42)).integers(TEST_SEEDS.start, TEST_SEEDS.stop - 10**7))
    shown = frames_from_seeds("heist", range(first, first + config.distance_levels), ["midway"])
    shown = shown.where(shown.labels["next_target_kind"] >= 0)
    euclidean = shown.labels["target_distance_euclidean"].astype(np.float64)
    path = shown.labels["steps_to_target_cells"].astype(np.float64)
    line = np.polyfit(euclidean, path, 1)
    targets = {
        "euclidean": euclidean,
        "path": path,
        "path beyond euclidean": path - np.polyval(line, euclidean),
    }
    return tuple(
        DistanceScores(
            name,
            _r2(network, shown, name, targets),
            _r2(untrained, shown, name, targets),
            len(path),
        )
        for name in dict.fromkeys((places.middle, places.last))
    )


def _r2(
    network: nn.Module, shown: LevelFrames, hook_point: str, targets: Mapping[str, np.ndarray]
) -> dict[str, float]:
    maps = capture(network, shown.frames, [hook_point], dtype="float32").activations[hook_point]
    if (
        maps.shape[-1] > 8
    ):  # a ridge probe of 8,192 numbers from a thousand frames costs minutes and reads no better
        maps = maps.reshape(*maps.shape[:2], 8, maps.shape[2] // 8, 8, maps.shape[3] // 8).mean(axis=(3, 5))
    flat = maps.reshape(len(maps), -1)
    fold = np.arange(len(flat)) % _FOLDS
    fit = fit_ridge(
        [Batch(slice(0, len(flat)), flat)], np.stack(list(targets.values()), axis=1), fold, _ALPHAS
    )
    return dict(zip(targets, fit.honest_r2.tolist(), strict=True))


EXPERIMENT = Experiment(
    name="heist-goals",
    question="Can the goal that a Heist agent pursues be switched in the network by a probe's direction, by channels, "
    "by latents or by the key's vector; and how many channels tell it the wall, the key's place and that there is "
    "a key?",
    targets=(TARGET,),
    scales=SCALES,
    run=run,
)
