"""Configs as JSON and back: what is stored in `config.json`, hashed for members, and read again by `repeat`.

A config is a frozen dataclass of plain values: numbers, text, truth values, None, paths, ranges,
enumerations, tuples, lists and text-keyed dicts of those, and further dataclasses.
"""

import dataclasses
import enum
import json
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Config = TypeVar("Config")


def plain(value: Any) -> Any:
    """`value` in JSON's own types; NumPy scalars become Python's, paths text, an enumeration's member its value.

    Raises ValueError: something that JSON lacks, or a key that is no text (JSON would turn 1 into "1").
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {entry.name: plain(getattr(value, entry.name)) for entry in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError(f"expected text as the keys of a config, given {list(value)!r:.100}")
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, range):
        return {"start": value.start, "stop": value.stop, "step": value.step}
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, Path):
        return str(value)
    single: Any = value
    if getattr(value, "ndim", None) == 0:
        single = single.item()
    if single is None or isinstance(single, str | int | float | bool):
        return single
    raise ValueError(f"expected plain values in a config, given a {type(value).__name__}: {value!r:.100}")


def canonical_json(config: Any) -> str:
    """A config as JSON with sorted keys and no spaces: equal configs give equal text.

    Raises ValueError: as `plain`, and NaN or infinite numbers.
    """
    try:
        return json.dumps(plain(config), sort_keys=True, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise ValueError(f"expected a config that JSON can hold: {error}") from error


def restored(config_class: type[Config], stored: Mapping[str, Any]) -> Config:
    """The config that `plain` turned into `stored`, checked by turning it into JSON again.

    Raises ValueError: fields are missing or unknown (the class has changed since), or a value does not come
    back.
    """
    config = _restore(config_class, dict(stored))
    again = plain(config)
    if again != dict(stored):
        changed = sorted(key for key in again.keys() | stored.keys() if again.get(key) != stored.get(key))
        raise ValueError(
            f"{config_class.__name__}: these fields do not come back as stored: {', '.join(changed)}"
        )
    return config


def _restore(hint: Any, stored: Any) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _restore_dataclass(hint, stored)
    if origin in (Union, types.UnionType):
        return _restore_union(inner, stored)
    if origin is tuple:
        kinds = [inner[0]] * len(stored) if inner[-1] is Ellipsis else list(inner)
        return tuple(_restore(kind, entry) for kind, entry in zip(kinds, stored, strict=True))
    if origin in (list, Mapping, dict) and inner:
        if origin is list:
            return [_restore(inner[0], entry) for entry in stored]
        return {key: _restore(inner[1], entry) for key, entry in stored.items()}
    if hint is tuple:
        return tuple(stored)
    if hint is range:
        return range(stored["start"], stored["stop"], stored["step"])
    if isinstance(hint, type) and issubclass(hint, Path | enum.Enum | float):
        return hint(stored)
    if origin is Literal and stored not in inner:
        raise ValueError(f"expected one of {inner}, given {stored!r}")
    return stored


def _restore_dataclass(kind: Any, stored: Mapping[str, Any]) -> Any:
    fields = {entry.name for entry in dataclasses.fields(kind) if entry.init}
    if set(stored) != fields:
        raise ValueError(
            f"{kind.__name__} has changed since it was stored: unknown fields "
            f"{sorted(set(stored) - fields)}, missing fields {sorted(fields - set(stored))}. "
            "Use the revision that `config.json` names"
        )
    hints = get_type_hints(kind)
    return kind(**{name: _restore(hints[name], stored[name]) for name in stored})


def _restore_union(choices: tuple[Any, ...], stored: Any) -> Any:
    if stored is None and type(None) in choices:
        return None
    for choice in choices:
        try:
            candidate = _restore(choice, stored)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        if plain(candidate) == stored:
            return candidate
    raise ValueError(f"expected a value of {choices}, given {stored!r}")
