"""Which module holds which kind of intervention, so that stored ones are read without importing all of them."""

import importlib

_MODULES = {
    "zero-ablation": "ablation",
    "mean-ablation": "ablation",
    "min-ablation": "ablation",
    "resample-ablation": "resample",
    "scale": "scale",
    "clamp": "scale",
    "patch": "patch",
    "steer": "steer",
    "set-spot": "spot",
    "shift-map": "shift",
    "erase": "erase",
    "splice-latent": "splice",
    "edit-latents": "edit_latents",
}


def known_kinds() -> tuple[str, ...]:
    """The kinds of this package."""
    return tuple(_MODULES)


def import_kind(kind: str) -> None:
    """Import the module that defines a kind of this package; others are left to whoever stored them."""
    if kind in _MODULES:
        importlib.import_module(f"procscope.interventions.{_MODULES[kind]}")
