"""One Ms. Pac-Man agent, or one of the toy, and its autoencoder: live features on a stated survey, score, effects.

When to use: `pacman-sae` does, agent by agent; a member of a sweep (`procscope.workbench.members`).

    found = study_agent("work", AgentStudy(agent="run00.safetensors", game="ms-pacman"))

As in the study: states of greedy play train a top-k autoencoder of `fc1`; another play, with a fifth of random actions
and without the music's steps at the start of each game, is the survey on which a feature is live if it fires once. The
score is the mean of the games played greedily. Counts of live features can be compared at equal surveys only.

Beside the study's: rates of firing, fvu and l0, the score with the reconstruction spliced in, and for the features'
effects on action values how consistent their sign is over the top states of a feature, against random states in which
it fires.

Cost: collecting, some 700 states/s of Ms. Pac-Man on one core, and the training.

Axes: `latent`, `state`, `action`.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int64

from procscope.activations.cache import ActivationCache
from procscope.agents.dqn.games import make_games
from procscope.agents.dqn.play import play_scores
from procscope.agents.importers.importing import import_network
from procscope.interventions.apply import applied
from procscope.interventions.splice import SpliceLatent
from procscope.saes.collected_play import collect_play
from procscope.saes.config import SaeConfig
from procscope.saes.effects import effects_of_activations
from procscope.saes.reconstruction import measure_reconstruction
from procscope.saes.sae import Sae, load_sae
from procscope.saes.survey import LatentSurvey, survey_latents
from procscope.saes.training import train_sae
from procscope.workbench import plugins
from procscope.workbench.checkpoints import load_network, read_checkpoint, weights_hash
from procscope.workbench.members import member_key

RATES = (1e-6, 1e-5, 1e-4, 1e-3)
HOOK_POINT = "fc1"
_FEATURES = 100
"""Live features whose effects are measured, drawn at random."""


@dataclass(frozen=True)
class AgentStudy:
    """Everything that an agent's numbers depend on."""

    agent: str
    """Path of its file: a checkpoint of ours, or one that `model import` takes."""
    game: str = "ms-pacman"
    weights: str = ""
    """Hash of its weights, filled in by `with_weights`."""
    width: int = 2048
    k: int = 50
    train_states: int = 300_000
    survey_states: int = 200_000
    survey_random_share: float = 0.2
    skip_steps: int = 66
    """First steps of each game that the survey leaves out: the music's."""
    samples: int = 3_000_000
    learning_rate: float = 1e-3
    games: int = 8
    spliced_games: int = 2
    """Games that each of the vector plays with the reconstruction spliced in."""
    study_seed: int = 0
    """Of the games, the random actions and the autoencoder."""
    version: int = 1
    """Of this computation; raised when it changes."""


class AgentFound(NamedTuple):
    """What was measured; of plain numbers, as members are kept."""

    live: int
    width: int
    survey_states: int
    above_rate: dict[str, int]
    """Features that fire in more than this share of the survey's states."""
    score: float
    score_games: int
    spliced_score: float
    spliced_games: int
    fvu: float
    l0: float
    top_consistency: float
    """Share of effects (state, action) with the sign of the feature's mean, over its top states; mean over features."""
    random_consistency: float
    """The same over random states in which it fires."""


def open_agent(path: str) -> torch.nn.Module:
    """The network of a file, ours or another code base's. Raises FileNotFoundError; ValueError: not known."""
    try:
        read_checkpoint(path)
    except ValueError:
        imported = import_network(path)
        network = plugins.load("procscope.architectures", imported.architecture)(**imported.options)
        network.load_state_dict(imported.tensors)
        return network.eval()
    return load_network(path).network


def study_agent(
    work: str, study: AgentStudy, say: Callable[[str], None] = lambda text: None
) -> dict[str, Any]:
    """Collect, train, survey; `AgentFound` as a dict.

    Args:
        work: directory for the agent's caches, deleted when all is measured, and its autoencoder, which stays.
        say: gets what is under way.
    """
    network = open_agent(study.agent)
    folder = Path(work) / member_key(study)

    def collect(name: str, states: int, random_share: float, skip: int, seed: int):
        say(f"{study.agent}: {name}, {states:,} states")
        games = make_games(study.game, study.games)
        played = collect_play(
            network,
            games,
            HOOK_POINT,
            folder / name,
            states=states,
            random_share=random_share,
            skip_steps=skip,
            seed=seed,
        )
        games.close()
        return played

    trained_on = collect("train", study.train_states, 0.0, 0, study.study_seed)
    surveyed = collect(
        "survey", study.survey_states, study.survey_random_share, study.skip_steps, study.study_seed + 10**6
    )
    config = SaeConfig(
        width=study.width,
        k=study.k,
        samples=study.samples,
        learning_rate=study.learning_rate,
        seed=study.study_seed,
    )
    say(f"{study.agent}: training {study.width} latents")
    path = train_sae(config, trained_on.cache, HOOK_POINT, folder / "sae", model=study.agent, progress=False)
    sae = load_sae(path).sae
    survey = survey_latents(sae, surveyed.cache, HOOK_POINT, seed=study.study_seed)
    score = measure_reconstruction(sae, surveyed.cache, HOOK_POINT)
    with applied(network, SpliceLatent(HOOK_POINT, autoencoder=sae, keep_error=False)):
        games = make_games(study.game, study.games)
        spliced = play_scores(network, games, study.spliced_games, seed=study.study_seed + 2 * 10**6)
        games.close()
    top, random = _consistency(network, sae, surveyed.cache, survey, study)
    for played in (trained_on, surveyed):
        shutil.rmtree(played.cache.path)
    scores = trained_on.scores
    return AgentFound(
        int((survey.firings > 0).sum()),
        study.width,
        survey.n_frames,
        {f"{rate:g}": int((survey.firing_rate > rate).sum()) for rate in RATES},
        float(scores.mean()) if len(scores) else 0.0,
        len(scores),
        float(spliced.mean()),
        spliced.size,
        score.fvu,
        score.l0,
        top,
        random,
    )._asdict()


def _consistency(
    network: torch.nn.Module, sae: Sae, cache: ActivationCache, survey: LatentSurvey, study: AgentStudy
) -> tuple[float, float]:
    """Over top states and over random ones in which a feature fires; of features with at least five of each."""
    rng = np.random.default_rng((study.study_seed, 9))
    usual = survey.quantile_frames.reshape(len(survey.firings), -1)
    enough = ((survey.top_frames >= 0).sum(axis=1) >= 5) & ((usual >= 0).sum(axis=1) >= 5)
    features = rng.permutation(np.flatnonzero(enough))[:_FEATURES]
    if not len(features):
        return 0.0, 0.0
    games = make_games(study.game, 1)
    frame = np.asarray(games.reset(seed=0)[0])
    games.close()

    def mean_consistency(frames: Int64[np.ndarray, "latent example"]) -> float:
        found = []
        for feature in features.tolist():
            rows = np.unique(frames[feature][frames[feature] >= 0])
            activation: Float32[np.ndarray, "state input"] = np.asarray(
                cache.activations(HOOK_POINT).oindex[rows]
            ).astype(np.float32)
            pairs = np.arange(len(rows))
            effect = effects_of_activations(
                network, activation, frame, HOOK_POINT, sae, pairs, np.full(len(rows), feature)
            )
            found.append(float((np.sign(effect) == np.sign(effect.mean(axis=0))).mean()))
        return float(np.mean(found))

    return mean_consistency(survey.top_frames), mean_consistency(usual)


def with_weights(agent: str) -> str:
    """Hash of a file's weights, by which its results are kept."""
    return weights_hash(open_agent(agent).state_dict())
