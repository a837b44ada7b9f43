"""What a run says about each published claim: one row a claim, one cell a network.

Computed once, when a run finishes, and kept in its `report.json`: the report shows it as its first table, and
the verdict about networks as a kind is drawn here (see `verdicts`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from procscope.workbench.metrics import Metric, Undefined
from procscope.workbench.published import Claim, Claims, Where
from procscope.workbench.verdicts import Verdict, verdict_for_kind, verdict_for_network


@dataclass(frozen=True)
class Measurement:
    """One number that speaks to a claim; undefined ones have no value and a reason."""

    model: str
    where: Where
    """What the claim leaves open, without the model: the channel, for example."""
    value: float | int | None
    ci_low: float | None
    ci_high: float | None
    n: int | None
    covered: bool
    """Whether the claim is about networks like this one; if not it stands here for comparison."""
    verdict: Verdict | None
    reason: str = ""


@dataclass(frozen=True)
class ClaimRow:
    """A claim beside everything that this run measured about it."""

    id: str
    target: str
    statement: str
    source: str
    origin: str
    where: Where
    unit: str
    published: float | None
    reference: float | None
    """The value that the rule compares with; None without a rule."""
    rule: str
    """The rule in words; empty when no verdict is given."""
    note: str
    networks: dict[str, tuple[Any, ...]]
    measurements: list[Measurement] = field(default_factory=list)
    least_networks: int = 0
    networks_measured: int = 0
    """Independently trained networks of the claim's kind with a value."""
    verdict_for_kind: Verdict | None = None


def summarise(
    claims: Claims,
    metrics: Sequence[Metric],
    undefined: Sequence[Undefined],
    weights: Mapping[str, str],
    targets: Sequence[str] = (),
) -> list[ClaimRow]:
    """One row for each claim that was measured or belongs to one of `targets`, in the file's order.

    Args:
        weights: the hash of the weights by model name; names with equal hashes count as one network.
    """
    rows = []
    by_id: dict[str, list[Metric | Undefined]] = {}
    for entry in [*metrics, *undefined]:
        by_id.setdefault(entry.id, []).append(entry)
    for claim in claims:
        found = [
            _measurement(claim, entry)
            for entry in by_id.get(claim.id, [])
            if claim.about(entry.id, entry.where)
        ]
        if found or claim.target in targets:
            rows.append(_row(claim, found, weights))
    return rows


def _row(claim: Claim, found: list[Measurement], weights: Mapping[str, str]) -> ClaimRow:
    of_kind = [entry for entry in found if entry.covered and entry.value is not None]
    networks = {weights.get(entry.model, entry.model) for entry in of_kind}
    least, overall, words, reference = 0, None, "", None
    if claim.rule:
        by_network: dict[str, Verdict] = {
            network: verdict_for_network(
                [e.verdict for e in of_kind if e.verdict and weights.get(e.model, e.model) == network]
            )
            for network in networks
        }
        least, words, reference = claim.rule.least_networks, claim.rule.in_words(), claim.rule.reference
        overall = verdict_for_kind(claim.rule, by_network)
    return ClaimRow(
        id=claim.id,
        target=claim.target,
        statement=claim.statement,
        source=claim.source,
        origin=claim.origin,
        where=claim.where,
        unit=claim.unit,
        published=claim.published,
        reference=reference,
        rule=words,
        note=claim.note,
        networks=claim.networks,
        measurements=found,
        least_networks=least,
        networks_measured=len(networks),
        verdict_for_kind=overall,
    )


def _measurement(claim: Claim, entry: Metric | Undefined) -> Measurement:
    fixed = {"model", *claim.where, *claim.networks}
    open_keys = {key: value for key, value in entry.where.items() if key not in fixed}
    model, covered = str(entry.where.get("model", "")), claim.covers(entry.where)
    if isinstance(entry, Undefined):
        return Measurement(model, open_keys, None, None, None, None, covered, None, entry.reason)
    return Measurement(
        model, open_keys, entry.value, entry.ci_low, entry.ci_high, entry.n, covered, entry.verdict
    )
