"""Run a recorded run again and compare every number exactly.

The second run reads nothing but the first one's `config.json`: name, scale, seed, config and inputs. Its
members are computed anew, since it writes to a directory of its own. On one machine with one set of versions
every number must come back bit for bit; where versions or machine differ, the comparison says so, as the
likely cause.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from procscope.workbench.analyses import load_analysis, run_analysis
from procscope.workbench.configs import restored
from procscope.workbench.experiments import load_experiment, run_experiment
from procscope.workbench.metrics import Metric, read_metrics
from procscope.workbench.runs import read_config

MEASURED = ("value", "ci_low", "ci_high", "n", "unit")
"""What must be equal; the published number and the verdict follow from these and from the claims file."""
SURROUNDINGS = ("versions", "python", "platform", "processor", "revision")


class Difference(NamedTuple):
    """One field of one metric that did not come back; None where the metric is missing altogether."""

    metric: str
    field: str
    first: Any
    second: Any


@dataclass(frozen=True)
class Comparison:
    """Two runs of one config."""

    first: Path
    second: Path
    compared: int
    """Metrics in either run."""
    differences: tuple[Difference, ...]
    surroundings: tuple[str, ...]
    """What differs in versions, machine or source revision, in words."""


def repeat(run_directory: Path, out: Path | None = None) -> Comparison:
    """Run again what `run_directory` records, and compare.

    Args:
        out: where the second run is written; by default a temporary directory that is kept when numbers
            differ (it is for the caller to remove it otherwise: `Comparison.second`).

    Raises FileNotFoundError: no finished run there. Raises ValueError: the experiment or analysis is not
    installed, its config class has changed since, or `out` holds results that would be read back.
    """
    first_metrics, config = read_metrics(run_directory), read_config(run_directory)
    place = Path(tempfile.mkdtemp(prefix="procscope-repeat-")) if out is None else out
    name, seed = config["experiment"], config["seed"]
    if (place / name / "members").exists():
        raise ValueError(
            f"{place} holds results of {name} that a second run would read back instead of computing them. "
            "Give an empty directory, or none for a temporary one"
        )
    command = f"procscope repeat {run_directory}"
    if config["kind"] == "analysis":
        analysis = load_analysis(name)
        settings = restored(analysis.config_class, config["config"])
        record = run_analysis(
            name, analysis, config["inputs"]["cache"], settings, seed=seed, out=place, command=command
        ).record
    else:
        experiment = load_experiment(name)
        settings = restored(type(experiment.config(config["scale"])), config["config"])
        record = run_experiment(
            experiment, config["scale"], seed=seed, out=place, config=settings, command=command
        )
    return Comparison(
        first=run_directory,
        second=record.directory,
        compared=len({metric.key for metric in [*first_metrics, *record.metrics]}),
        differences=tuple(differences(first_metrics, read_metrics(record.directory))),
        surroundings=tuple(_changes(config, read_config(record.directory))),
    )


def differences(first: Sequence[Metric], second: Sequence[Metric]) -> list[Difference]:
    """Every measured field that is not exactly equal, and every metric that only one side has."""
    ours, theirs = ({metric.key: metric for metric in side} for side in (first, second))
    found = []
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        one, other = ours.get(key), theirs.get(key)
        if one is None or other is None:
            found.append(Difference(key, "value", one and one.value, other and other.value))
            continue
        for name in MEASURED:
            if getattr(one, name) != getattr(other, name):
                found.append(Difference(key, name, getattr(one, name), getattr(other, name)))
    return found


def _changes(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    changes = []
    for name in SURROUNDINGS:
        one, other = first.get(name), second.get(name)
        if name == "versions":
            one, other = one or {}, other or {}
            changes += [
                f"{package} {one.get(package, 'absent')}, now {other.get(package, 'absent')}"
                for package in sorted(one.keys() | other.keys())
                if one.get(package) != other.get(package)
            ]
        elif one != other:
            changes.append(f"{name} {one}, now {other}")
    return changes
