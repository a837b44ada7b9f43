"""Scripts of edits: the editing methods of a level, one call a line, as text.

When: `procscope level edit --script`; `edited(level, text)`.

    # the gem behind the green lock, the blue key in the agent's hand
    with_gem x=2 y=8
    with_key_held colour=blue
    rotated quarter_turns=1

A line is a method's name and its arguments as name=value. A value is a whole number, a number, `true`, `false`, `none`,
a tuple such as `3,4`, or else a word. Nothing is evaluated: names that are not editing methods of the level's type, and
arguments that they do not have, are refused. Text after `#` is a comment.
"""

import inspect
import re
from collections.abc import Callable
from typing import Any

_PREFIXES = ("with_", "without_", "mirrored", "rotated")
_NO_TEXT = ("ndarray", "Any", "Iterable", "Callable", "Records", "Things")
"""Parts of annotations of what cannot be written in a script."""

_WHOLE = re.compile(r"[+-]?\d+")
_WORDS: dict[str, Any] = {"true": True, "false": False, "none": None}


def edited(level: Any, script: str) -> Any:
    """The level after the script's edits, in order; ValueError naming the line of one that cannot be made."""
    for number, line in enumerate(script.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            level = _applied(level, words[0], [word.partition("=") for word in words[1:]])
        except (TypeError, ValueError) as problem:
            raise ValueError(f"line {number} ({line.strip()!r:.80}): {problem}") from problem
    return level


def edit_methods(level_type: type) -> dict[str, inspect.Signature]:
    """The methods that a script may call, with their signatures (without `self`), in alphabetic order."""
    found = {}
    for name, method in inspect.getmembers(level_type, inspect.isfunction):
        if not name.startswith(_PREFIXES):
            continue
        signature = inspect.signature(method)
        parameters = list(signature.parameters.values())[1:]
        if not any(part in str(parameter.annotation) for parameter in parameters for part in _NO_TEXT):
            found[name] = signature.replace(parameters=parameters)
    return found


def _applied(level: Any, name: str, arguments: list[tuple[str, str, str]]) -> Any:
    methods = edit_methods(type(level))
    if name not in methods:
        known = "\n".join(f"  {_shown(*entry)}" for entry in methods.items())
        raise ValueError(f"{type(level).__name__} has no edit {name!r}. Its edits:\n{known}")
    values: dict[str, Any] = {}
    for key, equals, text in arguments:
        if not equals or not text or key in values or key not in methods[name].parameters:
            raise ValueError(
                f"expected arguments as name=value, each once; given: {key + equals + text!r}. The edit: "
                f"{_shown(name, methods[name])}"
            )
        values[key] = _value(text)
        if methods[name].parameters[key].annotation is bool and not isinstance(values[key], bool):
            raise ValueError(f"{key} must be true or false; given: {text!r}")
    # A parameter such as `*kinds` takes its one value, or those of a tuple, one by one.
    several = [
        p.name for p in methods[name].parameters.values() if p.kind is inspect.Parameter.VAR_POSITIONAL
    ]
    one_by_one = [part for key in several if key in values for part in _as_tuple(values.pop(key))]
    try:
        methods[name].bind(*one_by_one, **values)
    except TypeError as problem:
        raise ValueError(f"{problem}. The edit: {_shown(name, methods[name])}") from None
    method: Callable[..., Any] = getattr(level, name)
    return method(*one_by_one, **values)


def _value(text: str) -> Any:
    if "," in text:
        return tuple(_value(part) for part in text.split(",") if part)
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _shown(name: str, signature: inspect.Signature) -> str:
    """The edit as a line of a script, with `[…]` round what may be left out."""
    words = [name]
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            words.append(f"[{parameter.name}=…,…]")
        elif parameter.default is not inspect.Parameter.empty:
            words.append(f"[{parameter.name}={parameter.default}]")
        else:
            words.append(f"{parameter.name}=…")
    return " ".join(words)
