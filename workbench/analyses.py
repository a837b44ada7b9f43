"""Analyses: plug-ins that read an activation cache and write a run record.

An analysis is a frozen config dataclass, every field with a default, and a function `run(cache, config,
record)` that returns its result as a frozen dataclass or NamedTuple and records numbers, tables and figures
on the way. One `Analysis` names both, registered under the entry-point group `procscope.analyses`:

    ANALYSIS = Analysis(Config, run, open_cache=ActivationCache.open)

`procscope analyze NAME --cache PATH` builds its options from the dataclass. The analysis brings the function
that opens its cache, so that the workbench knows no cache format, and analyses of other data (transitions,
tables) are run the same way. `docs/plugins.md` shows a whole package of this kind.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from procscope.workbench import plugins
from procscope.workbench.experiments import completed, refuse_reserved_fields
from procscope.workbench.published import package_claims
from procscope.workbench.runs import RunRecord

GROUP = "procscope.analyses"
Config = TypeVar("Config")


@dataclass(frozen=True)
class Analysis(Generic[Config]):
    """A config class, what to do with it, and how to open what is analysed."""

    config_class: type[Config]
    """Frozen dataclass whose fields, with their docstrings, become the command's options."""

    run: Callable[[Any, Config, RunRecord], Any]
    """`run(cache, config, record) -> result`; the first line of its docstring describes the analysis."""

    open_cache: Callable[[str], Any]
    """Opens the path or URL given to `--cache`; `ActivationCache.open` for activation caches."""

    targets: tuple[str, ...] = ()
    """Published findings that it speaks to, if any."""

    claims_package: str = "procscope.experiments"
    """The package whose `published.toml` holds the claims."""

    def __post_init__(self) -> None:
        refuse_reserved_fields(self.config_class, {"cache", "seed", "out"})

    @property
    def description(self) -> str:
        """First line of `run`'s docstring."""
        return (inspect.getdoc(self.run) or "").partition("\n")[0]


class AnalysisRun(NamedTuple):
    """What a finished analysis leaves."""

    record: RunRecord
    result: Any


def load_analysis(name: str) -> Analysis[Any]:
    """The analysis registered as `name`. Raises ValueError: unknown, or something else is registered."""
    analysis = plugins.load(GROUP, name)
    if not isinstance(analysis, Analysis):
        raise ValueError(
            f"expected an Analysis under {GROUP} for {name!r}, found a {type(analysis).__name__}. "
            "Its entry point should name the Analysis object"
        )
    return analysis


def run_analysis(
    name: str,
    analysis: Analysis[Config],
    cache: str,
    config: Config,
    *,
    seed: int = 0,
    out: Path = Path("runs"),
    command: str | None = None,
) -> AnalysisRun:
    """Open the cache at `cache`, run the analysis on it and finish the record, under `out/<name>/`."""
    opened = analysis.open_cache(cache)
    record = RunRecord.create(
        out,
        name,
        config,
        command,
        seed=seed,
        kind="analysis",
        question=analysis.description,
        targets=analysis.targets,
        claims=package_claims(analysis.claims_package),
        inputs={"cache": cache},
    )
    results: list[Any] = []
    completed(record, lambda: results.append(analysis.run(opened, config, record)))
    return AnalysisRun(record, results[0])
