"""Commands of reward networks: `transitions build`, `transitions info`, `train reward`.

Nothing heavy is imported before a command is called: `procscope --help` imports this file for the docstrings.
"""

from pathlib import Path
from typing import Literal


def build_transitions(
    game: Literal["coinrun", "heist", "maze"],
    out: Path,
    transitions: int = 20_480,
    actor: str | None = None,
    noise: float | None = None,
    greedy: bool | None = None,
    keep_unrewarded: float | None = None,
    mode: str = "easy",
    level_seeds: tuple[int, int] = (0, 10**8),
    seed: int = 0,
    num_envs: int = 16,
    workers: int = 1,
) -> None:
    """Play a game and keep its transitions: frame, next frame, action, reward, and the truth of both frames.

    Interrupted at any moment, the same command goes on where it was. What is not given is taken from the game's recipe,
    which plays and thins much as the dissertation's data were. Prints the data's card.

    Args:
        game: the game.
        out: directory of the data.
        transitions: rows, after thinning.
        actor: who plays: expert, random, a model's name or path.
        noise: probability of a random action instead of the actor's, per frame.
        greedy: a network takes its best action instead of drawing one.
        keep_unrewarded: probability that a transition without reward is kept.
        mode: difficulty mode.
        level_seeds: first and last-plus-one level seed.
        seed: of the levels drawn and the actions.
        num_envs: games that step together.
        workers: processes; changes no byte.
    """
    from procscope.rewardnets.data_card import data_card
    from procscope.rewardnets.transitions import Transitions
    from procscope.rewardnets.transitions import build_transitions as build
    from procscope.workbench.provenance import command_line

    built = build(
        game,
        out,
        n_transitions=transitions,
        actor=actor,
        noise=noise,
        greedy=greedy,
        keep_unrewarded=keep_unrewarded,
        mode=mode,
        level_seeds=range(*level_seeds),
        seed=seed,
        num_envs=num_envs,
        workers=workers,
        command=command_line(),
        say=print,
    )
    print(data_card(Transitions.open(built)))


def transitions_info(data: Path, /) -> None:
    """Print the card of a data set of transitions: what was played, how much of it is kept, and how it is divided.

    Args:
        data: its directory.
    """
    from procscope.rewardnets.data_card import data_card
    from procscope.rewardnets.transitions import Transitions

    print(data_card(Transitions.open(data)))


def train_reward(
    out: Path,
    game: Literal["coinrun", "heist", "maze"] = "coinrun",
    transitions: Path | None = None,
    n_transitions: int = 20_480,
    width: float = 1.0,
    shrink: int = 1,
    inputs: Literal["both", "next", "frame"] = "both",
    per_action: bool = True,
    epochs: int = 15,
    patience: int | None = None,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    seed: int = 0,
    threads: int = 1,
    device: str = "cpu",
    max_minutes: float = float("inf"),
    workers: int = 1,
) -> None:
    """Train a reward network on transitions of a game, which are made first where there are none yet.

    Writes network.safetensors and curve.csv to the directory --out, and prints the loss on levels that it was not
    trained on beside that of always guessing the mean. Stopped at any moment, the same command goes on where it was.

    Args:
        out: directory of the training.
        game: the game.
        transitions: directory of the transitions, made by the game's recipe if it is not there; by default in --out.
        n_transitions: how many, where they are to be made.
        width: share of the dissertation's channels, 96, 256, 384, 384 and 256.
        shrink: pictures are averaged over squares of so many pixels a side first: 2 is four times as fast.
        inputs: what the network sees: both frames, the next one alone, or the frame alone.
        per_action: one reward for each action; else one for all of them.
        epochs: times that every transition is seen, at most.
        patience: stop when the validation loss has not fallen for so many epochs, and keep the best weights.
        batch_size: transitions of an optimiser step.
        learning_rate: Adam's.
        seed: of the initial weights and the order of the transitions.
        threads: threads of torch; another number rounds differently and so gives another network.
        device: of the network: cpu, cuda, auto.
        max_minutes: stop when these are over.
        workers: processes that make the transitions.
    """
    from procscope.rewardnets.config import RewardConfig
    from procscope.rewardnets.data_card import scores_text
    from procscope.rewardnets.scores import score
    from procscope.rewardnets.training import data_hash
    from procscope.rewardnets.training import train_reward as train
    from procscope.rewardnets.transitions import Transitions
    from procscope.rewardnets.transitions import build_transitions as build
    from procscope.workbench.checkpoints import load_network
    from procscope.workbench.provenance import command_line

    place = out / "transitions" if transitions is None else transitions
    if transitions is None or not transitions.exists():
        build(game, place, n_transitions=n_transitions, workers=workers, command=command_line(), say=print)
    data = Transitions.open(place)
    if data.game != game:
        raise ValueError(
            f"expected transitions of {game}; {place} has those of {data.game}. Give --game {data.game}"
        )
    options = {"width": width, "inputs": inputs, "per_action": per_action, "shrink": shrink}
    config = RewardConfig(
        data_hash=data_hash(data),
        network_options=options,
        epochs=epochs,
        patience=patience,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
        threads=threads,
        device=device,
    )
    path = train(config, data, out, max_minutes)
    print(scores_text(score(load_network(path, device).network, data)))
    print(path)
