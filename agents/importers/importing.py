"""Import a policy that another code base trained: `.pth`, `.pt`, Stable-Baselines3's `.zip`, `.safetensors`.

    imported = import_network(Path("model_200015872.pth"))
    imported.layout, imported.architecture, imported.options

Nothing in the file is run (`procscope.workbench.foreign_weights`). The layouts known are in `layouts.py`.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import torch

from procscope.agents.importers.layout import Imported, without_wrappers
from procscope.agents.importers.layouts import LAYOUTS
from procscope.workbench import plugins
from procscope.workbench.checkpoints import CheckpointHeader, save_checkpoint
from procscope.workbench.foreign_weights import read_foreign_weights


def import_network(path: str | os.PathLike[str]) -> Imported:
    """The network in another code base's file, as one of ours.

    Raises FileNotFoundError: no such file. Raises ValueError: a file that would have to run code, one without a
    state dict, a layout that is not known (those known are listed), or sizes that our architecture does not have.
    """
    tensors = without_wrappers(read_foreign_weights(path))
    fitting = [layout for layout in LAYOUTS if layout.fits(list(tensors))]
    if not fitting:
        known = "\n".join(f"  {layout.name}: {layout.source}" for layout in LAYOUTS)
        first = ", ".join(list(tensors)[:8])
        raise ValueError(
            f"{path} has none of the layouts that can be imported:\n{known}\nIts first tensors: {first}. "
            "Rename its tensors to one of these (a network that computes something else cannot be imported), or "
            "wrap your own module with hook_modules, which needs no import"
        )
    imported = fitting[0].convert(tensors)
    _check_sizes(path, imported)
    return imported


def import_checkpoint(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    environment: dict[str, Any] | None = None,
    variant: tuple[str, ...] = (),
) -> Imported:
    """Import a file and write it to `out` as a checkpoint that every command and `load_network` take.

    Args:
        out: path that ends in .safetensors.
        environment: what it was trained on, such as {"game": "maze", "mode": "hard"}; the file does not say.
            Where the layout tells it (Ms. Pac-Man), that is taken instead.
        variant: names of the level variants that it was trained on.

    Raises what `import_network` raises.
    """
    imported = import_network(path)
    fixed = next(layout.environment for layout in LAYOUTS if layout.name == imported.layout)
    content = Path(path).read_bytes()
    header = CheckpointHeader(
        imported.architecture,
        imported.options,
        environment=fixed or environment or {},
        variant=variant,
        training={
            "method": f"imported from layout {imported.layout}",
            "file": Path(path).name,
            "sha256": hashlib.sha256(content).hexdigest(),
        },
    )
    save_checkpoint(out, imported.tensors, header)
    return imported


def _check_sizes(path: str | os.PathLike[str], imported: Imported) -> None:
    """Refuse tensors that our architecture with the options read from them does not have, such as for other frames."""
    with torch.random.fork_rng(devices=[]):
        network = plugins.load("procscope.architectures", imported.architecture)(**imported.options)
    for name, wanted in network.state_dict().items():
        if imported.tensors[name].shape != wanted.shape:
            raise ValueError(
                f"{path} has the names of layout {imported.layout}, but {name} has shape "
                f"{tuple(imported.tensors[name].shape)} where {imported.architecture} has {tuple(wanted.shape)}. "
                "It may be for other frames than 64x64 RGB (Ms. Pac-Man: 210x160)"
            )
