"""What probes found, as numbers, tables, figures and prose of a run record.

When to use: `analysis.py` does. Metrics have the ids `probe/<quantity>` and are told apart by `target`,
`hook_point`, `read`, `probe` and `source` (trained, untrained 0, …, pixels).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from procscope.activations.cache import ActivationCache
from procscope.probes.direction import LinearProbe, save_probes
from procscope.probes.figures import (
    Curve,
    ScorePoint,
    plot_contributions,
    plot_recodings,
    plot_scores,
    plot_strengths,
    plot_thresholds,
)
from procscope.probes.result import Place, ProbeResult
from procscope.probes.scores import Score
from procscope.probes.settings import ProbeSettings
from procscope.probes.study import Finding, Studied
from procscope.probes.targets import Target
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval

_SHOWN_FRAMES = 8


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
    record.say("What was asked", _asked(config, result, path.name))
    targets = next(iter(result.data.values())).targets
    record.say("What can be read", "\n".join(_found(target, rows, result) for target in targets))
    record.table(
        "scores",
        pd.DataFrame(rows),
        "Scores on levels that the probe did not see, with 95% intervals over levels. selectivity: less the control "
        "task; "
        "over_untrained, over_pixels: less the same probe there, paired level by level.",
    )
    for i, target in enumerate(targets):
        writer.figures(target, f"{i}_" if len(targets) > 1 else "")
    _maps(record, cache, result)


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


def _asked(config: ProbeSettings, result: ProbeResult, file: str) -> str:
    data = next(iter(result.data.values()))
    lines = [
        f"Probes of {', '.join(f'`{one.name}`' for one in data.targets)}, fitted on some levels and judged on others: "
        f"{len(data.rows):,} frames of {data.levels.n:,} levels, {config.folds} folds of whole levels. Linear probes "
        "are "
        "ridge regressions in closed form over all frames, "
        f"{'on standardised features' if config.standardise else 'on features as they are'}; "
        "a fold is judged at the strength that the other folds favour.",
        "",
        *(f"- {note}" for note in data.notes),
        *(f"- {note}" for one in result.studied.values() for note in dict.fromkeys(one.notes)),
        *(f"- Without {name}: {reason}" for name, reason in result.missing.items()),
        "",
        f"`{file}` beside this page holds the probes of the trained network, fitted to all frames: "
        "`procscope.probes.direction.load_probes` reads it, and each can steer and erase.",
    ]
    return "\n".join(lines)


def _found(target: Target, rows: list[dict[str, Any]], result: ProbeResult) -> str:
    main = "accuracy" if target.is_class else "r2"
    mine = [
        row for row in rows if (row["target"], row["source"]) == (target.name, "trained") and row.get(main)
    ]
    if not mine:
        return f"- `{target.name}`: no score is defined."
    best = max(mine, key=lambda row: row[main])
    name = "accuracy" if target.is_class else "R²"
    text = (
        f"- `{target.name}`: read best at `{best['hook_point']}` ({best['read']}, {best['probe']}), {name} "
        f"{best[main]:.3f} ({best[f'{main}_low']:.3f} to {best[f'{main}_high']:.3f}); guessing gives "
        f"{best['guess_accuracy'] if target.is_class else 0:.3f}"
    )
    for key, label in (
        ("over_untrained", "more than an untrained network"),
        ("over_pixels", "more than pixels"),
    ):
        if best.get(key) is not None:
            low, high = best[f"{key}_low"], best[f"{key}_high"]
            verdict = "" if low > 0 else " (no more)" if high < 0 else " (not told apart)"
            text += f"; {best[key]:+.3f} ({low:+.3f} to {high:+.3f}) {label}{verdict}"
    if best.get("selectivity") is not None:
        text += f"; selectivity {best['selectivity']:.3f} (control task {best[f'control_{main}']:.3f})"
        if best["selectivity"] < 0.5 * best[main]:
            text += ", so that much of the score may be the probe's own doing"
    return text + "."


def _maps(record: RunRecord, cache: ActivationCache, result: ProbeResult) -> None:
    """Where in some frames the reading of the best spatial probe of the first target comes from."""
    shown = _probe_to_show(result)
    if shown is None:
        return
    probe, data = shown
    _, first = np.unique(data.levels.of_frame, return_index=True)
    frames = np.sort(data.rows[first[:: max(1, len(first) // _SHOWN_FRAMES)][:_SHOWN_FRAMES]])
    maps = probe.contributions(
        np.asarray(cache.activations(probe.hook_point).oindex[frames]).astype(np.float32)
    )
    pictures = np.asarray(cache.frames.oindex[frames]) if "frames" in cache.spec.arrays else None
    values = dict(zip(data.rows.tolist(), data.targets[0].values.tolist(), strict=True))
    middle = probe.intercept + float(probe.mean @ probe.weights)
    titles = [
        f"truth {values[int(frame)]:.3g}, read {middle + one.sum():.3g}"
        for frame, one in zip(frames, maps, strict=True)
    ]
    record.figure(
        "contributions",
        plot_contributions(maps, pictures, titles, label=f"adds to {probe.target}"),
        f"Where in the level the reading of `{probe.target}` comes from at `{probe.hook_point}` ({probe.read}): what "
        "each "
        "position adds beyond the mean activation. The sums are the readings. (Of a probe fitted to these levels, "
        "too.)",
    )


def _probe_to_show(result: ProbeResult) -> tuple[LinearProbe, Any] | None:
    data = result.data.get(())
    if data is None or data.targets[0].is_class:
        return None
    best = None
    for place, studied in result.studied.items():
        if place.source != "trained" or place.read not in ("pooled", "flat"):
            continue
        for probe in result.probes:
            spatial = (probe.hook_point, str(probe.read), probe.target) == (
                place.hook_point, place.read, data.targets[0].name
            )  # fmt: skip
            value = next((f.score.value("r2") for f in studied.findings if f.target == probe.target), None)
            if (
                spatial
                and value is not None
                and (best is None or value > best[0])
                and _is_map(probe, result, place)
            ):
                best = (value, probe)
    return None if best is None else (best[1], data)


def _is_map(probe: LinearProbe, result: ProbeResult, place: Place) -> bool:
    return len(probe.shape) == 3 or place.read == "pooled"
