"""What a result owes to its surroundings: versions, machine, source revision and command.

Read once at the start of a run and kept in its `config.json`, so that a number can be traced and a difference
found by `procscope repeat` explained. Costs some 20 ms (one call of git).
"""

import platform
import re
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any


def provenance() -> dict[str, Any]:
    """`versions` (by distribution), `python`, `platform`, `processor` and `revision` (None outside git)."""
    return {
        "versions": dependency_versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor_name(),
        "revision": source_revision(),
    }


def dependency_versions() -> dict[str, str]:
    """Installed versions of procscope and of everything it requires, extras left out."""
    try:
        required = requires("procscope") or []
    except PackageNotFoundError:
        required = []
    names = [re.split(r"[^A-Za-z0-9_.-]", line, maxsplit=1)[0] for line in required if "extra ==" not in line]
    found: dict[str, str] = {}
    for name in ["procscope", *sorted(names)]:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def processor_name() -> str:
    """The processor's model where the system tells it, else its architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def source_revision() -> str | None:
    """The source tree's git commit, with `+changes` when tracked files differ; None outside a checkout."""
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return f"{commit}+changes" if _git(root, "status", "--porcelain", "-uno") else commit
    except (OSError, subprocess.SubprocessError):
        return None


def command_line() -> str:
    """The command that this process was started with, as one could type it again."""
    program = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"
    return shlex.join([program, *sys.argv[1:]])


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()
