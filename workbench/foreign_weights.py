"""Read weights that another project saved, without running anything that the file holds.

A `.pth` file is a pickle, and unpickling runs whatever code it names. PyTorch's `weights_only` unpickler accepts
tensors and plain data alone; a file that needs more is refused. Of a Stable-Baselines3 `.zip` only `policy.pth` is
read, in the same way, and `data` as JSON: the pickled objects in it are never looked at. Such files do not say which
network their tensors belong to: `procscope.agents.importers` knows some, and any can be given a header and written
with `procscope.workbench.checkpoints.save_checkpoint`.
"""

import io
import json
import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from procscope.workbench.plugins import suggest

#: Entries under which training scripts put the state dict beside the optimiser's and counters.
STATE_DICT_ENTRIES = ("model_state_dict", "state_dict")

_SB3_POLICY = "policy.pth"


def read_foreign_weights(path: str | os.PathLike[str], key: str | None = None) -> dict[str, Tensor]:
    """Read the tensors of a `.pth`, `.pt`, `.zip` (Stable-Baselines3) or `.safetensors` file made elsewhere.

    Executes nothing that the file holds. `key` names the entry that holds the state dict, where the file is a dict of
    several things; `model_state_dict` and `state_dict` are found without. Raises FileNotFoundError: no such file.
    Raises ValueError: the file holds objects other than tensors and plain data (it would have to run code), is
    damaged, or has no state dict where told to look; a Stable-Baselines3 policy that does not scale its frames.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no weights file at {path}")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is no safetensors file, or a damaged one ({error})") from error
    content = _unpickle(path, _sb3_policy(path) or path)
    if key is None and isinstance(content, Mapping):
        key = next((entry for entry in STATE_DICT_ENTRIES if isinstance(content.get(entry), Mapping)), None)
    if key is not None:
        if not isinstance(content, Mapping) or key not in content:
            known = map(str, content) if isinstance(content, Mapping) else ()
            raise ValueError(f"{path} has no entry {key!r}. {suggest(key, known)}")
        content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        found = ", ".join(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
        raise ValueError(
            f"expected a dict of tensors in {path}, found {found:.300}. Name the entry to read with key=…"
        )
    return {str(name): tensor for name, tensor in content.items()}


def _unpickle(path: Path, source: Path | io.BytesIO) -> Any:
    try:
        return torch.load(source, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{path} is damaged, or holds more than tensors and plain data, which could run code and is "
            f"refused ({reason:.200}). Export its state dict alone: torch.save(network.state_dict(), path)"
        ) from error


def _sb3_policy(path: Path) -> io.BytesIO | None:
    """The bytes of the policy's weights in a Stable-Baselines3 archive; None for any other file."""
    if not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if _SB3_POLICY not in archive.namelist():
                return None  # PyTorch's own files are archives, too
            options = json.loads(archive.read("data")).get("policy_kwargs", {})
            weights = archive.read(_SB3_POLICY)
    except (zipfile.BadZipFile, KeyError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{path} is a damaged archive of Stable-Baselines3 ({error}). Save it again with model.save(path)"
        ) from error
    if isinstance(options, dict) and options.get("normalize_images") is False:
        raise ValueError(
            f"{path} was trained with normalize_images=False, so what scale of frames its network takes is unknown. "
            "If that was 0..1, import the policy.pth inside; if 0..255, first multiply the weights of its first "
            "convolution by 255"
        )
    return io.BytesIO(weights)
