"""What a run says about the claims of one target, in words: for the prose of a report."""

from procscope.workbench.report_text import number_text, place_text
from procscope.workbench.runs import RunRecord


def verdicts_text(record: RunRecord, target: str) -> str:
    """A list of the target's judged claims, by verdict, with what was measured; one line a network and claim.

    Networks that a claim is not about are left out. Says so when nothing was judged.
    """
    lines: dict[str, list[str]] = {"held": [], "refuted": [], "undecided": []}
    for row in record.summary():
        for entry in row.measurements if row.target == target and row.rule else []:
            if not entry.covered:
                continue
            where = f" ({place_text(row.where)})" if row.where else ""
            claim = f"{row.statement.rstrip('.')}{where}"
            if entry.verdict is None or entry.value is None:
                lines["undecided"].append(f"- undefined, `{entry.model}`: {claim}: {entry.reason}")
                continue
            found = number_text(entry.value, row.unit)
            if entry.ci_low is not None and entry.ci_high is not None:
                found += f", {number_text(entry.ci_low, row.unit)} to {number_text(entry.ci_high, row.unit)}"
            lines[entry.verdict].append(f"- {entry.verdict}, `{entry.model}`: {claim}: {found}, n {entry.n}")
    told = [line for side in lines.values() for line in side]
    if not told:
        return "No claim of this part was judged: none of the networks is trained as the study's."
    return "What that says of each published claim, for the networks trained as the study's:\n" + "\n".join(
        told
    )
