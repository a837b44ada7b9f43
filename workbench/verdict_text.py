"""What a run says about the claims of one target, in words: for the prose of a report."""

from procscope.workbench.report_text import number_text
from procscope.workbench.runs import RunRecord
from procscope.workbench.summary import ClaimRow, Measurement

_SIDES = ("held", "refuted", "undecided")


def verdicts_text(record: RunRecord, target: str) -> str:
    """A line for each judged claim of the target: its verdicts with what was measured, case by case.

    Cases of one statement share a line; networks that a claim is not about are left out. Says so when nothing
    was judged.
    """
    told: dict[str, dict[str, list[str]]] = {}
    for row in record.summary():
        for entry in row.measurements if row.target == target and row.rule else []:
            if entry.covered:
                sides = told.setdefault(row.statement.rstrip("."), {side: [] for side in _SIDES})
                sides[entry.verdict or "undecided"].append(_case(row, entry))
    if not told:
        return "No claim of this part was judged: none of the networks is trained as the study's."
    lines = [
        f"- {statement}: " + "; ".join(f"{side} ({', '.join(sides[side])})" for side in _SIDES if sides[side])
        for statement, sides in told.items()
    ]
    return "The published claims, for the networks trained as the study's:\n" + "\n".join(lines)


def _case(row: ClaimRow, entry: Measurement) -> str:
    """The claim's place and the number measured there: "up in: 99.5%, n 200"."""
    place = " ".join(str(value) for value in row.where.values())
    if entry.value is None:
        found = f"undefined: {entry.reason}"
    else:
        found = f"{number_text(entry.value, row.unit)}, n {entry.n}"
    return f"`{entry.model}` {place}: {found}" if place else f"`{entry.model}`: {found}"
