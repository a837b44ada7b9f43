"""Shipped networks, a card for each, and `load(name)`.

    from procscope.zoo import load
    model = load("maze-easy-topright")        # works offline
    model.network, model.header, model.weights_hash

A network `NAME` is four files beside this one: `NAME.safetensors`, weights in float16 and the header that says how
it was trained; `NAME.md`, its card: success in and out of distribution, limits, the command that trains it again;
`NAME.gif`, how it plays; `NAME.curve.csv`, its learning curve. Some have a film of their training, too: checkpoints in
`NAME.film/`, over which any experiment runs with `--over-training NAME`. Reward networks and sparse autoencoders
have no `.gif`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from procscope.zoo.models import card, load, names, path

__all__ = ["card", "load", "names", "path"]


def __getattr__(name: str) -> Any:
    """The public functions, fetched when first used: `procscope --help` imports this package, not torch."""
    if name in __all__:
        return getattr(importlib.import_module("procscope.zoo.models"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
