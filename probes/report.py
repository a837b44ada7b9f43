"""What probes found, as numbers, tables, figures and prose of a run record.

When to use: `analysis.py` does. Metrics have the ids `probe/<quantity>` and are told apart by `target`,
`hook_point`, `read`, `probe` and `source` (trained, untrained 0, …, pixels).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from procscope.activations.cache import ActivationCache
from procscope.probes.direction import save_probes
from procscope.probes.figures import (
    Curve,
    ScorePoint,
    plot_recodings,
    plot_scores,
    plot_strengths,
    plot_thresholds,
)
from procscope.probes.findings import Finding, Studied
from procscope.probes.report_maps import show_contributions
from procscope.probes.report_text import asked, found
from procscope.probes.result import Place, ProbeResult
from procscope.probes.scores import Score
from procscope.probes.settings import ProbeSettings
from procscope.probes.targets import Target
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval


def report_probes(
    record: RunRecord,
    cache: ActivationCache,
    config: ProbeSettings,
    result: ProbeResult,
    model: LoadedModel | None,
) -> None:
    """Put everything about a study into the record, and the probes beside it."""
    if model is not None:
        training = " ".join(model.header.variant) or "unedited levels"
        record.network(model.name, model.weights_hash, training)
        base = {"model": model.name, "training": training}
    else:
        base = {"model": str(cache.source.get("model", {}).get("weights_hash", "unknown"))[:12]}
    base["variant"] = " ".join(cache.source.get("environment", {}).get("variants", []))
    if config.only_where:
        base["only_where"] = config.only_where
    path = save_probes(result.probes, record.directory / "probes.safetensors")
    writer = _Writer(record, config, result, base)
    rows = writer.metrics()
    record.say("What was asked", asked(config, result, path.name))
    targets = next(iter(result.data.values())).targets
    record.say("What can be read", "\n".join(found(target, rows, result) for target in targets))
    record.table(
        "scores",
        pd.DataFrame(rows),
        "Scores on levels that the probe did not see, with 95% intervals over levels. selectivity: less the control "
        "task; "
        "over_untrained, over_pixels: less the same probe there, paired level by level.",
    )
    for i, target in enumerate(targets):
        writer.figures(target, f"{i}_" if len(targets) > 1 else "")
    show_contributions(record, cache, result)


class _Writer:
    """Numbers and figures of one study."""

    def __init__(
        self, record: RunRecord, config: ProbeSettings, result: ProbeResult, base: dict[str, str]
    ) -> None:
        self.record, self.config, self.result, self.base = record, config, result, base
        self.points: dict[tuple[str, str], list[ScorePoint]] = {}
        self.guesses: dict[str, float] = {}

    def metrics(self) -> list[dict[str, Any]]:
        """Record every number; gives the rows of the table."""
        rows = []
        for place, studied in self.result.studied.items():
            for finding in studied.findings:
                rows.append(self._finding(place, finding))
            self._others(place, studied)
        for name, reason in self.result.missing.items():
            self.record.undefined_metric(f"probe/{name}", self.base, reason)
        return rows

    def _where(self, place: Place, target: str, probe: str) -> dict[str, str]:
        return {
            **self.base,
            "source": place.source,
            "hook_point": place.hook_point,
            "read": place.read,
            "target": target,
            "probe": probe,
        }

    def _finding(self, place: Place, finding: Finding) -> dict[str, Any]:
        where, score, main = (
            self._where(place, finding.target, finding.probe),
            finding.score,
            finding.score.main,
        )
        row: dict[str, Any] = {key: where[key] for key in ("target", "source", "hook_point", "read", "probe")}
        units = {"mse": "squared", "guess_mse": "squared", "log_loss": "nats", "guess_log_loss": "nats"}
        for quantity in score.quantities():
            found = self._metric(f"probe/{quantity}", score, quantity, where, units.get(quantity, "share"))
            row |= (
                _columns(quantity, found)
                if quantity in (main, "mse", "log_loss")
                else {quantity: found and found.value}
            )
        if finding.control is not None:
            control = self._metric(f"probe/control_{main}", finding.control, main, where, "share")
            selectivity = self._over("probe/selectivity", score, finding.control, where)
            row |= {f"control_{main}": control and control.value} | _columns("selectivity", selectivity)
            if control is not None and place.source == "trained":
                self._point(finding, place, "control", control)
        shown = self._interval(score, main)
        if shown is not None:
            self._point(finding, place, place.source.split()[0], shown)
        self.guesses[finding.target] = score.value("guess_accuracy") if score.n_classes else 0.0
        if place.source == "trained":
            for other, name in self._rivals(place, finding):
                row |= _columns(f"over_{name}", self._over(f"probe/over_{name}", score, other, where))
        row["n_frames"], row["n_levels"] = score.n_samples, len(score.sums)
        if finding.alpha is not None:
            row["alpha"] = finding.alpha
        return row

    def _rivals(self, place: Place, finding: Finding) -> Iterator[tuple[Score, str]]:
        """The same probe on the untrained network (the best of several), and on pixels."""
        for name in ("untrained", "pixels"):
            scores = [
                one.score
                for other, studied in self.result.studied.items()
                if other.source.split()[0] == name
                and (name == "pixels" or (other.hook_point, other.read) == (place.hook_point, place.read))
                for one in studied.findings
                if (one.target, one.probe) == (finding.target, finding.probe)
                and len(one.score.sums) == len(finding.score.sums)
            ]
            if scores:
                yield max(scores, key=lambda score: score.value(score.main)), name

    def _others(self, place: Place, studied: Studied) -> None:
        for target, recoding in studied.recodings.items():
            where = self._where(place, target, "monotone")
            self.record.metric("probe/monotone_r2", recoding.r2, where, unit="share")
            self.record.metric("probe/binned_r2", recoding.plain_r2, where, unit="share")
        for target, curve in studied.thresholds.items():
            for threshold, area in zip(curve.probes.thresholds, curve.auroc, strict=True):
                where = self._where(place, target, "threshold") | {"threshold": float(threshold)}
                self.record.metric("probe/auroc", area, where, unit="share")
        for target, described in studied.descriptions.items():
            where = self._where(place, target, "online code")
            n = len(next(iter(self.result.data.values())).rows)
            self.record.metric(
                "probe/saved_bits", described.saved_bits_per_sample, where, "bits per frame", n
            )
            if np.isfinite(described.compression):
                self.record.metric("probe/bits", described.bits_per_sample, where, "bits per frame", n)
                self.record.metric("probe/compression", described.compression, where, "times", n)
        for target, r2 in studied.left_out_r2.items():
            self.record.metric("probe/left_out_r2", r2, self._where(place, target, "linear"), "share")
        for target, (loss, guess) in studied.pinball.items():
            where = self._where(place, target, "quantile")
            self.record.metric("probe/pinball", loss, where)
            self.record.metric("probe/guess_pinball", guess, where)

    def _interval(self, score: Score, quantity: str) -> Interval | None:
        try:
            return score.interval(quantity, np.random.default_rng(self.record.seed), self.config.resamples)
        except ValueError:
            return None

    def _metric(
        self, id: str, score: Score, quantity: str, where: dict[str, Any], unit: str
    ) -> Interval | None:
        found = self._interval(score, quantity)
        if found is None:
            self.record.undefined_metric(id, where, "it has no finite value on these levels")
        else:
            self.record.metric(id, found, where, unit=unit)
        return found

    def _over(self, id: str, score: Score, other: Score, where: dict[str, Any]) -> Interval:
        found = score.over(other, np.random.default_rng(self.record.seed), resamples=self.config.resamples)
        self.record.metric(id, found, where, unit="share")
        return found

    def _point(self, finding: Finding, place: Place, source: str, score: Interval) -> None:
        layer = place.hook_point if self._has_one_reading(place) else f"{place.hook_point}\n{place.read}"
        self.points.setdefault((finding.target, finding.probe), []).append(ScorePoint(layer, source, score))

    def _has_one_reading(self, place: Place) -> bool:
        reads = {one.read for one in self.result.studied if one.hook_point == place.hook_point}
        return len(reads) == 1

    def figures(self, target: Target, prefix: str) -> None:
        """Scores, curves of strengths, recodings and thresholds of one target."""
        for (name, probe), points in self.points.items():
            if name == target.name:
                self.record.figure(
                    f"{prefix}scores_{probe}",
                    plot_scores(
                        target.name,
                        points,
                        guess=self.guesses[name],
                        ylabel=f"{'accuracy' if target.is_class else 'R²'} on other levels ({probe})",
                    ),
                    f"{probe.capitalize()} probes of `{name}` on levels that they did not see, with 95% intervals "
                    "over levels.",
                )
        if target.is_class:
            return
        trained = {
            f"{place.hook_point}, {place.read}": one
            for place, one in self.result.studied.items()
            if place.source == "trained"
        }
        strengths = [
            Curve(name, np.array(one.fit.alphas), one.fit.r2[:, one.columns[target.name].start])
            for name, one in trained.items()
            if one.fit is not None and len(one.fit.alphas) > 1
        ]
        if strengths:
            self.record.figure(
                f"{prefix}strengths",
                plot_strengths(target.name, strengths),
                "R² on held-out levels at each ridge strength; every strength came from the same pass.",
            )
        recodings = [
            Curve(f"{name} (R² {found.r2:.2f}, as it is {found.plain_r2:.2f})", found.middles, found.recoding)
            for name, one in trained.items()
            if (found := one.recodings.get(target.name)) is not None
        ]
        if recodings:
            self.record.figure(
                f"{prefix}recodings",
                plot_recodings(target.name, recodings),
                "The monotone recoding of the target that a linear probe reads best from each layer. Where it is "
                "bent, the "
                "layer holds the target in that form rather than as it is.",
            )
        areas = [
            Curve(
                name,
                found.probes.thresholds,
                *(np.array([getattr(area, end) for area in found.auroc]) for end in ("value", "low", "high")),
            )
            for name, one in trained.items()
            if (found := one.thresholds.get(target.name)) is not None
        ]
        if areas:
            self.record.figure(
                f"{prefix}thresholds",
                plot_thresholds(target.name, areas),
                f"How well a linear probe tells `{target.name}` above c from below, on held-out levels.",
            )


def _columns(name: str, found: Interval | None) -> dict[str, Any]:
    if found is None:
        return {name: None}
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
