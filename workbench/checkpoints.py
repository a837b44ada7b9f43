"""Trained networks on disk: safetensors weights, and a JSON header that says how to build them.

One file holds everything: the tensors, and under the metadata key `procscope` one JSON text with the fields
of `CheckpointHeader`, the format's number and a hash of the contents, so that a damaged file is noticed. A
network is named by its registered name (entry-point group `procscope.models`) or by a path; its class is
looked up by name under `procscope.architectures`. Reading never executes code from the file: weights are
plain bytes, the header is data; pickled `.pth` files are refused here (see `foreign_weights.py`).

Weights may be stored in float16 to save space; they are always read as float32. Saving the same weights and
header twice gives the same bytes. Loading a 2 MB network takes about 10 ms beside importing torch.
"""

import hashlib
import inspect
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from procscope.workbench import plugins
from procscope.workbench.atomic import write_bytes_atomically
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.devices import choose_device

__all__ = [
    "Checkpoint",
    "CheckpointHeader",
    "LoadedModel",
    "load_network",
    "read_checkpoint",
    "save_checkpoint",
    "weights_hash",
]

FORMAT = 1
METADATA_KEY = "procscope"
_HALF_PRECISION = (torch.float16, torch.bfloat16)


class Checkpoint(NamedTuple):
    """The contents of one checkpoint file."""

    tensors: dict[str, Tensor]
    """State-dict name to tensor, on the CPU; half-precision tensors are widened to float32."""
    header: CheckpointHeader


class LoadedModel(NamedTuple):
    """A network ready to run, with what is known about it."""

    network: nn.Module
    """In evaluation mode, on the device asked for."""
    header: CheckpointHeader
    weights_hash: str
    """`weights_hash` of the network's state dict: what caches and reports record."""
    name: str
    """As it was asked for: a registered name or a path."""


def save_checkpoint(
    path: str | os.PathLike[str],
    module_or_tensors: nn.Module | Mapping[str, Tensor],
    header: CheckpointHeader,
    *,
    dtype: torch.dtype | None = None,
) -> str:
    """Write a network's weights (or a state dict) and its header to `path`, whole or not at all.

    `dtype` stores floating-point tensors in that type, `torch.float16` for shipped weights; the default keeps
    theirs. Missing parent directories are made. Returns the `weights_hash` that loading the file will give.
    Raises ValueError: the name does not end in `.safetensors`.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"expected a checkpoint's name to end in .safetensors, given {path}. Rename it")
    source = module_or_tensors.state_dict() if isinstance(module_or_tensors, nn.Module) else module_or_tensors
    stored = {name: _stored(tensor, dtype) for name, tensor in source.items()}
    fields_of_header = asdict(header)
    described = {"format": FORMAT, "sha256": _contents_hash(fields_of_header, stored)} | fields_of_header
    text = json.dumps(described, allow_nan=False, ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(path, save(stored, metadata={METADATA_KEY: text}))
    return weights_hash({name: _widened(tensor) for name, tensor in stored.items()})


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read the tensors and the header of the checkpoint at `path`, without building the network.

    Raises FileNotFoundError: no such file. Raises ValueError: not a safetensors file, damaged, without
    procscope's header, or written in a later format.
    """
    path = Path(path)
    if path.suffix in (".pth", ".pt"):
        raise ValueError(
            f"{path} is a PyTorch file and does not say which network it belongs to. Read its tensors with "
            "foreign_weights.read_foreign_weights and write them with save_checkpoint and a header"
        )
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint at {path}")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise ValueError(
            f"{path} is no safetensors file, or a damaged one ({error}). Copy or train it again"
        ) from error
    if METADATA_KEY not in metadata:
        raise ValueError(
            f"{path} has no header under the metadata key {METADATA_KEY!r}, so its network is unknown. "
            "Write it with save_checkpoint(path, tensors, CheckpointHeader(architecture=…, options=…))"
        )
    header, stored_hash = _parse_header(metadata[METADATA_KEY], path)
    if _contents_hash(asdict(header), stored) != stored_hash:
        raise ValueError(
            f"{path} is damaged: its contents do not have the hash they were written with. "
            "Copy or train it again"
        )
    return Checkpoint({name: _widened(tensor) for name, tensor in stored.items()}, header)


def load_network(name_or_path: str | os.PathLike[str], device: str = "cpu") -> LoadedModel:
    """Build the network that a registered model name or a checkpoint's path stands for, and load its weights.

    The global random state is left as it was. No code from the file is executed: the architecture is one that
    an installed package registers. Raises FileNotFoundError: a path without a file. Raises ValueError:
    unknown model or architecture, damaged file, options that the architecture does not take, or tensors that
    do not fit it.
    """
    path = checkpoint_path(name_or_path)
    checkpoint = read_checkpoint(path)
    header = checkpoint.header
    try:
        build = plugins.load("procscope.architectures", header.architecture)
        inspect.signature(build).bind(**header.options)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} cannot be built: {error}. Its options: {header.options}") from error
    with torch.random.fork_rng(devices=[]):
        network = build(**header.options)
    _check_fit(path, header, checkpoint.tensors, network.state_dict())
    network.load_state_dict(checkpoint.tensors)
    network.to(choose_device(device)).eval()
    return LoadedModel(network, header, weights_hash(network.state_dict()), os.fspath(name_or_path))


def weights_hash(state_dict: Mapping[str, Tensor]) -> str:
    """SHA-256 over the names, types, shapes and bytes of a state dict, sorted by name, as 64 hex digits.

    It depends on the weights alone: not on the file, the device or the order of the entries.
    """
    digest = hashlib.sha256()
    for name in sorted(state_dict):
        tensor = state_dict[name].detach().cpu().contiguous()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def checkpoint_path(name_or_path: str | os.PathLike[str]) -> Path:
    """The file of a registered model or of a path to a checkpoint; ValueError for what is neither."""
    known = plugins.names("procscope.models")
    if isinstance(name_or_path, str) and name_or_path in known:
        return Path(plugins.load("procscope.models", name_or_path)())
    path = Path(name_or_path)
    if path.suffix in (".safetensors", ".pth", ".pt") or path.exists():
        return path
    raise ValueError(
        f"unknown model {os.fspath(name_or_path)!r}: neither a registered name nor a path to a "
        f".safetensors file. {plugins.suggest(os.fspath(name_or_path), known)}"
    )


def _parse_header(text: str, path: Path) -> tuple[CheckpointHeader, str]:
    """The header and the hash of the contents from the file's JSON text."""
    try:
        described = json.loads(text)
        version = described.pop("format")
        if version != FORMAT:
            raise ValueError(
                f"its format is {version}, this version of procscope reads {FORMAT}; update procscope"
            )
        stored_hash = described.pop("sha256")
        return CheckpointHeader.from_json(described), stored_hash
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} has a header that cannot be read: {error}") from error


def _check_fit(
    path: Path, header: CheckpointHeader, given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]
) -> None:
    """Refuse tensors whose names or shapes differ from those of the network that was built."""
    problems = [f"missing {name}" for name in wanted if name not in given]
    problems += [f"unexpected {name}" for name in given if name not in wanted]
    problems += [
        f"{name} has shape {tuple(given[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in wanted
        if name in given and given[name].shape != wanted[name].shape
    ]
    if problems:
        shown = "; ".join(problems[:5]) + ("; …" if len(problems) > 5 else "")
        raise ValueError(
            f"the tensors in {path} do not fit {header.architecture} with options {header.options}: {shown}. "
            "The options in its header must be those that it was trained with"
        )


def _contents_hash(fields_of_header: dict[str, Any], stored: Mapping[str, Tensor]) -> str:
    """SHA-256 over header and stored tensors: what tells a damaged file."""
    text = json.dumps([fields_of_header, weights_hash(stored)], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _stored(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """A copy on the CPU that shares memory with no other, as safetensors demands."""
    tensor = tensor.detach().to("cpu", copy=True).contiguous()
    return tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor


def _widened(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in _HALF_PRECISION else tensor
