"""The prose of the report on probes: what was asked, and what can be read."""

from typing import Any

from procscope.probes.result import ProbeResult
from procscope.probes.settings import ProbeSettings
from procscope.probes.targets import Target


def asked(config: ProbeSettings, result: ProbeResult, file: str) -> str:
    """Which frames, levels and probes, what was left out, what could not be had."""
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


def found(target: Target, rows: list[dict[str, Any]], result: ProbeResult) -> str:
    """One sentence on a target: where it is read best, and against what."""
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
