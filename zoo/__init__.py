"""Shipped networks, a card for each, and `load(name)`.

    from procscope.zoo import load
    model = load("maze-easy-topright")        # works offline
    model.network, model.header, model.weights_hash

A network `NAME` is three files beside this one: `NAME.safetensors`, weights in float16 and the header that says how
it was trained; `NAME.md`, its card: success in and out of distribution, limits, the command that trains it again;
`NAME.curve.csv`, its learning curve.
"""

from procscope.zoo.models import card, load, names, path

__all__ = ["card", "load", "names", "path"]
