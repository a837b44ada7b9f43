"""How a report writes numbers, places and prose; the Jinja filters of `report.html.j2`."""

import html
import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup


def number_text(value: float | int | None, unit: str = "1") -> str:
    """A number for people: shares in percent, p-values and very large or small ones in powers of ten."""
    if value is None:
        return "–"
    if unit == "share":
        return f"{100 * value:.1f}%".replace("-", "−")
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e6):
        return f"{int(value):,}".replace(",", "\u202f").replace("-", "−")
    if abs(value) < 1e-3 or abs(value) >= 1e6:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        digits = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{mantissa}·10{digits}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−") if abs(value) < 100 else f"{value:.1f}".replace("-", "−")


def cell_text(text: str) -> str:
    """A CSV cell for the page: fractions shortened to four significant digits, all else as it is."""
    if re.fullmatch(r"-?\d+\.\d+(e[+-]?\d+)?", text):
        return f"{float(text):.4g}".replace("-", "−")
    return text


def place_text(where: Mapping[str, Any]) -> str:
    """`where` as "direction up · channel 21"."""
    return " · ".join(f"{key.replace('_', ' ')} {value}" for key, value in where.items())


def quantity_label(id: str) -> str:
    """The quantity of an id in words: "found difference"."""
    return id.partition("/")[2].replace("_", " ")


def prose_html(text: str) -> Markup:
    """Paragraphs, lists of lines that begin with "- ", and `code`; everything else is shown as it stands."""
    parts = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in block.splitlines()]
        escaped = [re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(line, quote=False)) for line in lines]
        items = [line.removeprefix("- ") for line in escaped if line.startswith("- ")]
        before = " ".join(line for line in escaped if not line.startswith("- "))
        parts.append(f"<p>{before}</p>" if before else "")
        parts.append("<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>" if items else "")
    return Markup("".join(parts))
