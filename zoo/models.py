"""The shipped networks by name: where their files are, and loading them.

Each name is registered under the entry point group `procscope.models`, so that every command takes it. To ship
another network: train it, `procscope zoo add NAME --run DIR`, and name it here and in pyproject.toml.
"""

from functools import partial
from importlib.resources import files
from pathlib import Path

from procscope.workbench import plugins
from procscope.workbench.checkpoints import LoadedModel, load_network


def names() -> list[str]:
    """Names of the networks that ship with procscope."""
    return sorted(file.name.removesuffix(".safetensors") for file in _folder().glob("*.safetensors"))


def path(name: str) -> Path:
    """Checkpoint of a shipped network. Raises ValueError for an unknown name, with the nearest ones."""
    if name not in names():
        raise ValueError(f"unknown zoo model {name!r}. {plugins.suggest(name, names())}")
    return _folder() / f"{name}.safetensors"


def load(name: str, device: str = "cpu") -> LoadedModel:
    """A shipped network, ready to run. Raises ValueError for an unknown name, with the nearest ones."""
    return load_network(path(name), device)._replace(name=name)


def card(name: str) -> str:
    """The card of a shipped network, as Markdown. Raises ValueError for an unknown name, with the nearest ones."""
    return path(name).with_suffix(".md").read_text()


def _folder() -> Path:
    return Path(str(files("procscope.zoo")))


maze_easy_topright = partial(path, "maze-easy-topright")
maze_easy_corner = partial(path, "maze-easy-corner")
maze_easy_anywhere = partial(path, "maze-easy-anywhere")
heist_easy_impala = partial(path, "heist-easy-impala")
coinrun_easy_atend = partial(path, "coinrun-easy-atend")
coinrun_reward = partial(path, "coinrun-reward")
maze_easy_topright_sae = partial(path, "maze-easy-topright-sae")
