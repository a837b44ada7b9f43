"""The small plots in a report's first table: a measured interval, the published value and the reference.

All networks of one claim share a scale, so that one can compare along the line of the table.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from markupsafe import Markup

WIDTH, MIDDLE = 132, 8
"""Pixels: the plot's width, and the height of its axis."""


class Scale(NamedTuple):
    """The range of one claim's interval plots, the same for all its networks."""

    low: float | int
    high: float | int

    def x(self, value: float | int) -> float:
        """Where `value` lies, in pixels from the left."""
        span = self.high - self.low
        return round(4 + (WIDTH - 8) * min(max((value - self.low) / span, 0.0), 1.0), 1)


def scale_of(claim: Mapping[str, Any]) -> Scale:
    """The range that holds a claim's published value, reference and every measured interval; 0 to 1 for shares."""
    found = [claim["published"], claim["reference"]]
    for entry in claim["measurements"]:
        found += [entry["value"], entry["ci_low"], entry["ci_high"]]
    numbers = [number for number in found if number is not None]
    low, high = min(numbers, default=0.0), max(numbers, default=1.0)
    if claim["unit"] == "share" and low >= 0:
        low, high = 0.0, 1.0
    spread = high - low or abs(high) or 1.0
    return Scale(low - 0.04 * spread, high + 0.04 * spread)


def interval_svg(entry: Mapping[str, Any], claim: Mapping[str, Any], scale: Scale) -> Markup:
    """A small plot: the measured value with its interval, the published value (diamond), the reference (line)."""
    marks = [f'<line class="axis" x1="4" x2="{WIDTH - 4}" y1="{MIDDLE}" y2="{MIDDLE}"/>']
    if claim["reference"] is not None:
        x = scale.x(claim["reference"])
        marks.append(f'<line class="reference" x1="{x}" x2="{x}" y1="1" y2="15"/>')
    if claim["published"] is not None:
        x = scale.x(claim["published"])
        marks.append(f'<path class="published" d="M{x} {MIDDLE - 6.5}l5.5 6.5l-5.5 6.5l-5.5 -6.5z"/>')
    if entry["value"] is not None and math.isfinite(entry["value"]):
        if entry["ci_low"] is not None and entry["ci_high"] is not None:
            low, high = scale.x(entry["ci_low"]), scale.x(entry["ci_high"])
            marks.append(f'<line class="interval" x1="{low}" x2="{high}" y1="{MIDDLE}" y2="{MIDDLE}"/>')
        marks.append(f'<circle class="value" cx="{scale.x(entry["value"])}" cy="{MIDDLE}" r="3.4"/>')
    side = entry["verdict"] or "none"
    return Markup(
        f'<svg class="plot {side}" viewBox="0 0 {WIDTH} 16" width="{WIDTH}" height="16" aria-hidden="true">'
        + "".join(marks)
        + "</svg>"
    )
