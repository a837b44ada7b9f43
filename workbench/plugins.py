"""Find what procscope's folders and other installed packages register under a name.

A package registers things in its `pyproject.toml`, under an entry-point group:

    [project.entry-points."procscope.analyses"]
    my-analysis = "my_package.my_module:analysis"

Listing names reads only the metadata of installed packages (some milliseconds) and imports nothing; `load`
imports the one module that is asked for. There is no registry to fill and no import order to mind.
"""

import difflib
from collections.abc import Iterable
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Any

GROUPS = {
    "procscope.commands": "command",
    "procscope.experiments": "experiment",
    "procscope.analyses": "analysis",
    "procscope.models": "model",
    "procscope.architectures": "architecture",
    "procscope.actors": "actor",
    "procscope.variants": "variant",
}
"""Every group that procscope reads, with the word for one of its members."""


def names(group: str) -> list[str]:
    """The names registered under `group`, one of `GROUPS`, sorted."""
    return sorted({entry.name for entry in _entries(group)})


def load(group: str, name: str) -> Any:
    """The object registered as `name` under `group`, one of `GROUPS`; its module is imported.

    Raises ValueError: nothing has that name (the nearest names are suggested), or two packages claim it for
    different objects. Raises ImportError: the module that should hold it cannot be imported.
    """
    word = _word(group)
    candidates = {entry.value: entry for entry in _entries(group) if entry.name == name}
    if not candidates:
        known = names(group)
        advice = suggest(name, known) if known else f"No installed package registers any under {group}"
        raise ValueError(f"unknown {word} {name!r}. {advice}")
    if len(candidates) > 1:
        claims = " and ".join(_origin(entry) for entry in candidates.values())
        raise ValueError(
            f"expected one {word} named {name!r}, found {len(candidates)}: {claims}. "
            "Uninstall one of them or rename it"
        )
    (entry,) = candidates.values()
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise ImportError(f"the {word} {name!r} ({_origin(entry)}) cannot be imported: {error}") from error


def suggest(name: str, known: Iterable[str]) -> str:
    """A sentence for an error message: the known names nearest to `name`, or all when none is near."""
    known = sorted(set(known))
    if not known:
        return "There are none to choose from"
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    shown = ", ".join(known[:20])
    return f"Known: {shown}{', …' if len(known) > 20 else ''}"


def _entries(group: str) -> EntryPoints:
    _word(group)
    return entry_points(group=group)


def _word(group: str) -> str:
    if group not in GROUPS:
        raise ValueError(f"unknown plug-in group {group!r}. {suggest(group, GROUPS)}")
    return GROUPS[group]


def _origin(entry: EntryPoint) -> str:
    package = entry.dist.name if entry.dist is not None else "an unnamed package"
    return f"{entry.value} of {package}"
