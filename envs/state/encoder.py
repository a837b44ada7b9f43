"""The parts of a state as the engine's bytes: the other half of `state/reader.py`.

When: only inside `value.py`. Errors: ValueError naming the field, when a number does not fit its four bytes.
"""

from collections.abc import Iterator
from dataclasses import fields
from struct import Struct, error

from procscope.envs.state.layout import KINDS, HeistTail, RandomGenerator, Tail
from procscope.envs.state.reader import part_struct


def tail_bytes(tail: Tail) -> bytes:
    """A game's own fields."""
    if isinstance(tail, HeistTail):
        return b"".join(
            int_bytes(f"tail.{name}", value)
            for name, value in (
                ("num_keys", tail.num_keys),
                ("world_dim", tail.world_dim),
                ("has_keys' count", len(tail.has_keys)),
                *(("has_keys", key) for key in tail.has_keys),
            )
        )
    return part_bytes(tail)


def generator_bytes(name: str, generator: RandomGenerator) -> Iterator[bytes]:
    """A random generator, in pieces."""
    yield int_bytes(f"{name}.is_seeded", generator.is_seeded)
    yield int_bytes(f"{name}.text's length", len(generator.text))
    yield generator.text


def part_bytes(part: object) -> bytes:
    """A part whose fields are all scalars."""
    values = [getattr(part, field.name) for field in fields(part)]  # pyright: ignore[reportArgumentType]
    try:
        return part_struct(type(part)).pack(*values)
    except (error, OverflowError) as problem:
        for field, value in zip(fields(part), values, strict=True):  # pyright: ignore[reportArgumentType]
            _scalar_bytes(f"{type(part).__name__}.{field.name}", KINDS[field.type], value)
        raise problem  # a field alone failed above


def int_bytes(name: str, value: int) -> bytes:
    """An int32, called `name` in the error."""
    return _scalar_bytes(name, KINDS[int], value)


def _scalar_bytes(name: str, kind: str, value: float | int) -> bytes:
    try:
        return Struct(kind.replace("4", "")).pack(value)
    except (error, OverflowError) as problem:
        wanted = "an int32" if "i" in kind else "a float32"
        raise ValueError(f"expected {name} to be {wanted}; got {value!r}") from problem
