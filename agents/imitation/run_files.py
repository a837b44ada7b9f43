"""The files of an imitation run: one that decides where it stands, and those made from it for people.

`trainer.safetensors` holds all that the next round depends on; `network.safetensors` the weights reached so far,
`curve.csv` a line a round, `losses.csv` the loss of every optimiser step. Each is written whole and renamed.
"""

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save

from procscope.agents.imitation.config import ImitationConfig
from procscope.agents.imitation.trainer import RoundResult, Trainer
from procscope.workbench.atomic import write_bytes_atomically
from procscope.workbench.checkpoints import save_checkpoint


def write_trainer(trainer: Trainer, directory: Path) -> None:
    """Commit a finished round: one atomic file decides, the others are made from it."""
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in trainer.network.state_dict().items():
        tensors[f"network.{name}"] = tensor.contiguous()
    for index, state in trainer.optimiser.state_dict()["state"].items():
        for key, tensor in state.items():
            tensors[f"optimiser.{index}.{key}"] = tensor.contiguous()
    for name, column in trainer.source.memory().items():
        tensors[f"memory.{name}"] = torch.from_numpy(np.ascontiguousarray(column))
    tensors["losses"] = torch.tensor(trainer.losses, dtype=torch.float64)
    tensors["curve"] = torch.tensor(trainer.curve, dtype=torch.float64)
    metadata = {"config": json.dumps(dataclasses.asdict(trainer.config), sort_keys=True)}
    write_bytes_atomically(directory / "trainer.safetensors", save(tensors, metadata))
    save_checkpoint(directory / "network.safetensors", trainer.policy, trainer.header())
    write_bytes_atomically(directory / "curve.csv", _csv(RoundResult._fields, trainer.curve))
    write_bytes_atomically(directory / "losses.csv", _csv(("loss",), [(loss,) for loss in trainer.losses]))


def read_trainer(config: ImitationConfig, directory: Path, workers: int = 1) -> Trainer | None:
    """The run that `directory` holds after its last finished round; None if it holds none."""
    path = directory / "trainer.safetensors"
    if not path.exists():
        return None
    with safe_open(path, framework="pt") as file:
        found = json.loads((file.metadata() or {})["config"])
        found = {
            **json.loads(json.dumps(dataclasses.asdict(ImitationConfig()))),
            **found,
        }  # what older ones lack
        wanted = json.loads(json.dumps(dataclasses.asdict(config)))
        differing = {key: (found.get(key), wanted[key]) for key in wanted if found.get(key) != wanted[key]}
        if differing:
            raise ValueError(
                f"{directory} holds a run with another config; (found, asked for) differ in {differing}. "
                "Give the run a directory of its own, or repeat the options it was started with"
            )
        tensors: dict[str, torch.Tensor] = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    trainer = Trainer.start(config, workers)
    trainer.network.load_state_dict(_under("network.", tensors))
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in _under("optimiser.", tensors).items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = tensor
    groups = trainer.optimiser.state_dict()["param_groups"]
    trainer.optimiser.load_state_dict({"state": state, "param_groups": groups})
    for parameter, moments in trainer.optimiser.state.items():
        for name in ("exp_avg", "exp_avg_sq"):
            # In the parameter's memory format, which the file does not keep.
            moments[name] = torch.empty_like(parameter).copy_(moments[name])
    trainer.source.recall({key: value.numpy() for key, value in _under("memory.", tensors).items()})
    trainer.losses = tensors["losses"].tolist()
    trainer.curve = [RoundResult(int(row[0]), int(row[1]), *row[2:]) for row in tensors["curve"].tolist()]
    return trainer


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
