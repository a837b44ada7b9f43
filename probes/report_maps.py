"""Where in the level a reading comes from: the best spatial probe's contributions over some frames.

Axes: `frame`; `row col` positions of the map.
"""

import numpy as np

from procscope.activations.cache import ActivationCache
from procscope.probes.direction import LinearProbe
from procscope.probes.figures import plot_contributions
from procscope.probes.result import Place, ProbeResult
from procscope.probes.targets import TargetData
from procscope.workbench.runs import RunRecord

_SHOWN_FRAMES = 8


def show_contributions(record: RunRecord, cache: ActivationCache, result: ProbeResult) -> None:
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


def _probe_to_show(result: ProbeResult) -> tuple[LinearProbe, TargetData] | None:
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
