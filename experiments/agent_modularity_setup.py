"""What `agent-modularity` measures at each scale, and on which frames and levels."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Int, UInt8

from procscope.agents.episodes import policy
from procscope.envs.actions import MOVE_TO_ACTION, Move
from procscope.envs.engine import TEST_SEEDS, VALIDATION_SEEDS
from procscope.envs.starting_states import starting_states
from procscope.envs.vector import ProcgenVectorEnv
from procscope.workbench.checkpoints import LoadedModel

FRAMES_APART = 8
"""Steps between two frames of one game that are kept."""
GAMES = 64


@dataclass(frozen=True)
class Config:
    """Settings of `agent-modularity`; the defaults are those of the small scale."""

    models: tuple[str, ...] = (
        "maze-easy-topright",
        "maze-easy-anywhere",
        "maze-easy-corner",
        "heist-easy-impala",
    )
    """Networks, by name or path: policies are cut, lesioned and played; others, such as reward networks, cut alone."""
    caches: str = ""
    """Folder with an activation cache for each network, under its name; empty to play for fresh frames."""
    k: int = 12
    """Clusters where clusterability is measured."""
    shuffles: int = 50
    untrained: int = 10
    """Networks of each shape that nobody trained."""
    lesioned_k: int = 8
    """Clusters that are taken out, one at a time."""
    lesioned_by: Literal["weights", "activations"] = "activations"
    """The graph whose clusters are taken out. By weights, IMPALA's clusters are mostly whole layers."""
    frames: int = 800
    """Frames from the network's own play, on training's distribution, that channels are correlated over."""
    lesion_frames: int = 120
    """Of them, as evenly over the best moves as can be, on which groups and clusters are taken out; 0 for none."""
    randoms: int = 19
    """Random sets for each group or cluster, on frames."""
    levels: int = 64
    """Levels that are played under every arm; 0 to play none."""
    played_randoms: int = 3
    """Random sets for each cluster in play."""
    max_steps: int = 128
    """After which an episode is cut short."""
    workers: int = 2


SCALES = {
    "smoke": Config(
        models=("maze-easy-corner",),
        k=4,
        shuffles=3,
        untrained=2,
        lesioned_k=3,
        frames=32,
        lesion_frames=16,
        randoms=2,
        levels=4,
        played_randoms=1,
        max_steps=16,
        workers=1,
    ),
    "small": Config(),
    "long": replace(
        Config(),
        shuffles=320,
        untrained=50,
        frames=2000,
        lesion_frames=1000,
        levels=400,
        played_randoms=10,
        max_steps=256,
    ),
}


@dataclass(frozen=True, eq=False)
class PlayedFrames:
    """Frames of a policy's own play and the first move of a shortest way in each."""

    frames: UInt8[np.ndarray, "frame 64 64 3"]
    best_moves: Int[np.ndarray, " frame"]

    def balanced(self, count: int) -> "PlayedFrames":
        """At most so many, as evenly over the best moves as there are frames of each; STAY is left out."""
        of_move = [np.flatnonzero(self.best_moves == move) for move in Move if move != Move.STAY]
        waiting = sorted((places for places in of_move if len(places)), key=len)
        chosen: list[np.ndarray] = []
        left = count
        for number, places in enumerate(waiting):  # the rarest first: what it lacks goes to the others
            chosen.append(places[: left // (len(waiting) - number)])
            left -= len(chosen[-1])
        kept = np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, dtype=np.int64)
        return PlayedFrames(self.frames[kept], self.best_moves[kept])


def is_policy(model: LoadedModel) -> bool:
    """Whether it plays one of the games, by its own account."""
    points = getattr(model.network, "hook_points", dict)()
    return "logits" in points and "game" in model.header.environment


def played_frames(model: LoadedModel, count: int, seed: int) -> PlayedFrames:
    """Frames from games that the policy plays on its training distribution, on levels that training never draws.

    Some steps lie between the frames kept of a game, so that they differ.
    """
    header = model.header
    envs = ProcgenVectorEnv(
        header.environment["game"],
        min(GAMES, count),
        mode=header.environment["mode"],
        variants=list(header.variant),
        level_seeds=VALIDATION_SEEDS,
        seed=seed,
        labels=True,
        final_obs=False,
    )
    rng = np.random.default_rng([seed, 3])
    play = policy(model.network)
    frames, infos = envs.reset(seed=seed)
    kept, moves = [], []
    actions = np.full(envs.num_envs, MOVE_TO_ACTION[Move.STAY])
    for step in range(FRAMES_APART * -(-count // envs.num_envs)):
        logits = play(frames)
        actions = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
        if (
            step % FRAMES_APART == step // FRAMES_APART % FRAMES_APART
        ):  # not always the same step of an episode
            kept.append(frames.copy())
            moves.append(np.asarray(infos["labels"]["best_move"]).copy())
        frames, _, _, _, infos = envs.step(actions)
    envs.close()
    return PlayedFrames(np.concatenate(kept)[:count], np.concatenate(moves)[:count])


def played_levels(model: LoadedModel, count: int) -> list[bytes]:
    """First states of levels of the training distribution that training never draws."""
    header = model.header
    return starting_states(
        header.environment["game"],
        range(TEST_SEEDS.start, TEST_SEEDS.start + count),
        mode=header.environment["mode"],
        variants=list(header.variant),
    )


def training_method(model: LoadedModel) -> str:
    """`imitation`, `PPO`, or what its header says."""
    method = str(model.header.training.get("method", "unknown"))
    lower = method.lower()
    return "imitation" if "imitation" in lower else "PPO" if "ppo" in lower else method
