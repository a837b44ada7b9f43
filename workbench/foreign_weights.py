"""Read weights that another project saved with `torch.save`, without running anything that the file holds.

A `.pth` file is a pickle, and unpickling runs whatever code it names. PyTorch's `weights_only` unpickler
accepts tensors and plain data alone; a file that needs more is refused. Such a file does not say which
network its tensors belong to: give them a header and write them with
`procscope.workbench.checkpoints.save_checkpoint`.
"""

import os
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from procscope.workbench.plugins import suggest


def read_foreign_weights(path: str | os.PathLike[str], key: str | None = None) -> dict[str, Tensor]:
    """Read the tensors of a `.pth` or `.pt` file made elsewhere, executing nothing that it holds.

    `key` names the entry that holds the state dict, where the file is a dict of several things, such as
    `model_state_dict`. Raises FileNotFoundError: no such file. Raises ValueError: the file holds objects
    other than tensors and plain data (it would have to run code), is damaged, or has no state dict where told
    to look.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no weights file at {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{path} is damaged, or holds more than tensors and plain data, which could run code and is "
            f"refused ({reason:.200}). Export its state dict alone: torch.save(network.state_dict(), path)"
        ) from error
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
