"""Ship a trained reward network: store it in float16, measure how it predicts, and write its card.

When: once, at the end of a training. `procscope zoo add NAME --run DIR --transitions DIR` calls it; everything on the
card is measured by it, on levels that the network was never trained on. Cost: one pass over the test transitions.
"""

from pathlib import Path

import torch

from procscope.rewardnets.scores import RewardScores, score
from procscope.rewardnets.splits import Split
from procscope.rewardnets.training import data_hash
from procscope.rewardnets.transitions import Transitions
from procscope.workbench.atomic import write_bytes_atomically
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import load_network, read_checkpoint, save_checkpoint
from procscope.zoo.reward_cards import reward_card_text

NETWORK_OF_A_RUN = "network.safetensors"


def ship_reward(name: str, run: Path, transitions: Path, folder: Path, *, summary: str) -> Path:
    """Write `folder/NAME.safetensors`, `NAME.md` and `NAME.curve.csv` from a finished training of a reward network.

    Args:
        run: directory of `procscope train reward`.
        transitions: those that it was trained on, whose test levels it is measured on.
        summary: a paragraph for the top of the card: what the network is for.

    Returns the checkpoint's path. Raises FileNotFoundError if the run has no network; ValueError for other transitions
    than those of the training.
    """
    trained = read_checkpoint(run / NETWORK_OF_A_RUN)
    data = Transitions.open(transitions)
    if data_hash(data) != trained.header.training["config"]["data_hash"]:
        raise ValueError(
            f"expected the transitions that {run} was trained on; {transitions} holds others, whose test levels it may "
            "have seen. Name the directory that it was trained with"
        )
    target = folder / f"{name}.safetensors"
    save_checkpoint(target, trained.tensors, trained.header, dtype=torch.float16)
    scores = score(load_network(target).network, data, Split.TEST)
    header = CheckpointHeader(**{**vars(trained.header), "metrics": metrics(scores)})
    save_checkpoint(target, trained.tensors, header, dtype=torch.float16)
    curve = (run / "curve.csv").read_text()
    write_bytes_atomically(target.with_suffix(".curve.csv"), curve.encode())
    card = reward_card_text(name, header, data, scores, summary, curve)
    write_bytes_atomically(target.with_suffix(".md"), card.encode())
    return target


def metrics(scores: RewardScores) -> dict[str, float | int]:
    """What a reward network's header says of it: errors on test levels, beside those of guessing the mean."""
    return {
        "test_loss": scores.loss,
        "test_floor": scores.floor,
        "test_loss_as_played": scores.loss_as_played,
        "test_floor_as_played": scores.floor_as_played,
        "test_correlation": scores.correlation,
        "test_transitions": scores.n,
    }
