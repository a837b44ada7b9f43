"""One policy of `maze-imagination`: which cells its layers say lie ahead, by probes and by the adversarial decoder."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from procscope.activations.capture import capture
from procscope.activations.memory import is_recurrent
from procscope.agents.networks.drc import Drc
from procscope.agents.networks.impala import Impala
from procscope.envs.actions import MOVE_STEPS, greedy_moves
from procscope.envs.engine import TEST_SEEDS
from procscope.imagination.adversarial import AdversarialConfig
from procscope.imagination.path_frames import PathFrames, path_frames
from procscope.imagination.path_probes import chance_knowing_next, choose_cell, on_cells
from procscope.imagination.policy_decoder import decoded_cells, policy_decoder
from procscope.imagination.score import matching, score
from procscope.workbench import plugins
from procscope.workbench.checkpoints import LoadedModel

PIXELS = "frame"
UNTRAINED = "untrained"
_SHOWN = 6


@dataclass(frozen=True)
class PolicyMember:
    """Everything that a policy's numbers depend on."""

    weights_hash: str
    frames: int
    steps: int
    adversarial_updates: int
    seed: int
    version: int = 1


@dataclass(frozen=True)
class PathsMember:
    """What decides the mazes on which policies are read, and so all that can be said of those without a policy."""

    frames: int
    steps: int
    seed: int
    version: int = 1


class Layers(NamedTuple):
    """Hook points to read."""

    probed: tuple[str, ...]
    """In the order in which the network passes them."""
    decoded: tuple[str, ...]
    """At least three of one width: the first and the last are taught."""


def layers_of(network: torch.nn.Module) -> Layers:
    """The layers of a policy that could hold a path. Raises ValueError: a network of another kind."""
    if isinstance(network, Impala):
        decoded = ("block3.pool", "block3.res1", "conv_out")
        return Layers(("block1.res2", "block2.res2", *decoded), decoded)
    if isinstance(network, Drc):
        ticks = tuple(
            f"layer{network.n_layers}.tick{number}.hidden" for number in range(1, network.ticks + 1)
        )
        if len(ticks) >= 3:
            return Layers(("encoded", *ticks), ticks)
    raise ValueError(
        f"expected an IMPALA network or a DRC one of at least three ticks; given: {type(network).__name__}. Name its "
        f"layers "
        "in `layers_of`"
    )


def study_policy(member: PolicyMember, model: LoadedModel) -> dict[str, Any]:
    """Probes of every layer, frame and untrained network for every step ahead, and what the decoder shows."""
    layers = layers_of(model.network)
    paths = _paths(member)
    fitted, measured = paths.part(slice(0, member.frames)), paths.part(slice(member.frames, None))
    maps, logits = _read(model.network, paths, layers.probed)
    untrained, _ = _read(_untrained(model, member.seed), paths, layers.probed[-1:])
    places = maps | {PIXELS: on_cells(paths.frames, paths.free.shape[-1])}
    places |= {UNTRAINED: untrained[layers.probed[-1]]}

    choices: dict[str, list[dict[str, Any]]] = {}
    for name, place in places.items():
        choices[name] = []
        for steps in range(1, member.steps + 1):
            found = choose_cell(place[: member.frames], fitted, place[member.frames :], measured, steps)
            choices[name].append({"right": found.right.astype(int).tolist(), "chance": found.chance})

    next_cells = _next_cells(paths, logits)
    stage = AdversarialConfig(member.adversarial_updates, seed=member.seed)
    chain = [maps[name] for name in layers.decoded]
    decoder = policy_decoder(
        [each[: member.frames] for each in chain], fitted, next_cells[: member.frames], stage
    )
    shown = decoded_cells(decoder, [each[member.frames :] for each in chain], measured)
    states = measured.states
    predicted = next_cells[member.frames :].numpy().astype(np.uint8)
    repeated = {
        "copy of the mouse's cell": np.repeat(states[:, :1], shown.between.shape[1], axis=1),
        "copy of the predicted cell": np.repeat(predicted[:, None], shown.between.shape[1], axis=1),
    }
    return {
        "layers": list(layers.decoded),
        "agrees": float((predicted == states[:, 1]).all(axis=(1, 2)).mean()),
        "choices": choices,
        "first_right": (shown.first == states[:, 0]).all(axis=(1, 2)).astype(int).tolist(),
        "last_right": (shown.last == predicted).all(axis=(1, 2)).astype(int).tolist(),
        "exact": score(shown.between, states, 1.0).literal.tolist(),
        "at_95": score(shown.between, states).literal.tolist(),
        "matches": matching(shown.between, states, 1.0).mean(axis=0).tolist(),
        "floors": {name: float(score(codes, states, 1.0).literal.mean()) for name, codes in repeated.items()},
        "films": [
            {
                "free": measured.free[index].astype(int).tolist(),
                "true": states[index].tolist(),
                "shown": [
                    each[index].tolist() for each in (shown.first, *shown.between.swapaxes(0, 1), shown.last)
                ],
            }
            for index in range(min(_SHOWN, len(states)))
        ],
    }


def study_paths(member: PathsMember) -> dict[str, Any]:
    """How well one would choose who knows the next cell alone, for every number of steps ahead."""
    measured = _paths(member).part(slice(member.frames, None))
    return {"knowing_next": [chance_knowing_next(measured, k) for k in range(1, member.steps + 1)]}


def _paths(member: PolicyMember | PathsMember) -> PathFrames:
    first = TEST_SEEDS.start + 10_000_000 * (1 + member.seed)
    return path_frames(member.frames + member.frames // 2, member.steps, first_seed=first)


def _read(
    network: torch.nn.Module, paths: PathFrames, names: tuple[str, ...]
) -> tuple[dict[str, Float[Tensor, "frame channel row col"]], Float[np.ndarray, "frame action"]]:
    first = np.ones(len(paths.frames), dtype=bool) if is_recurrent(network) else None
    captured = capture(network, paths.frames, names, dtype="float32", first=first)
    assert captured.logits is not None
    side = paths.free.shape[-1]
    return {name: on_cells(captured.activations[name], side) for name in names}, captured.logits


def _untrained(model: LoadedModel, seed: int) -> torch.nn.Module:
    build = plugins.load("procscope.architectures", model.header.architecture)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(**model.header.options).eval()


def _next_cells(
    paths: PathFrames, logits: Float[np.ndarray, "frame action"]
) -> Float[Tensor, "frame row col"]:
    """The cell that the policy's likeliest move leads to; the mouse's own where a wall is in the way."""
    steps = MOVE_STEPS[greedy_moves(logits)]
    frame, row, column = np.nonzero(paths.states[:, 0])
    rows, columns = row - steps[:, 1], column + steps[:, 0]  # rows count from the top
    side = paths.free.shape[-1]
    inside = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
    possible = inside & paths.free[frame, np.clip(rows, 0, side - 1), np.clip(columns, 0, side - 1)]
    cells = np.zeros(paths.free.shape, dtype=np.float32)
    cells[frame, np.where(possible, rows, row), np.where(possible, columns, column)] = 1
    return torch.from_numpy(cells)
