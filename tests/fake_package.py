"""A package that a test installs for its own duration: modules and entry points."""

import sys
from pathlib import Path

import pytest


def install_fake_package(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    sources: dict[str, str],
    entry_points: dict[str, dict[str, str]],
    name: str = "fake-package",
) -> None:
    """Put modules (`sources`: name to text) and `entry_points` (group to name to object) on the path."""
    info = directory / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = []
    for group, members in entry_points.items():
        lines += [f"[{group}]", *(f"{member} = {value}" for member, value in members.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    for module, source in sources.items():
        (directory / f"{module}.py").write_text(source)
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.syspath_prepend(directory)
