"""Published claims and the verdicts drawn from them, against hand-worked cases and properties."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procscope.workbench.published import Claims, package_claims, read_claims
from procscope.workbench.statistics import Interval
from procscope.workbench.verdicts import Rule, verdict, verdict_for_kind, verdict_for_network

ABOVE = Rule("above", reference=0.0, margin=0.1, least_n=100)
BELOW = Rule("below", reference=0.0, margin=0.1, least_n=100)
NEAR = Rule("near", reference=0.0, margin=0.1, least_n=100)
TABLE = """
[[claims]]
id = "S9.test/found"
where = { direction = "up" }
networks = { training = ["corner", "top-right"] }
statement = "It is found."
source = "S9, table 1"
unit = "share"
published = 0.4
rule = { direction = "above", reference = 0.0, margin = 0.1, least_n = 10 }
"""


def claims_of(tmp_path: Path, text: str) -> Claims:
    path = tmp_path / "published.toml"
    path.write_text(text)
    return read_claims(path)


@pytest.mark.parametrize(
    ("rule", "value", "low", "high", "expected"),
    [
        (ABOVE, 0.20, 0.05, 0.35, "held"),
        (ABOVE, 0.20, -0.05, 0.45, "undecided"),  # large, but may be none
        (ABOVE, 0.05, 0.02, 0.08, "refuted"),  # surely there, surely too small to matter
        (ABOVE, 0.05, 0.02, 0.15, "undecided"),
        (ABOVE, -0.30, -0.40, -0.20, "refuted"),
        (BELOW, -0.20, -0.35, -0.05, "held"),
        (BELOW, -0.05, -0.08, -0.02, "refuted"),
        (BELOW, -0.20, -0.45, 0.05, "undecided"),
        (NEAR, 0.02, -0.05, 0.09, "held"),
        (NEAR, 0.02, -0.05, 0.12, "undecided"),
        (NEAR, 0.30, 0.15, 0.45, "refuted"),
        (NEAR, -0.30, -0.45, -0.15, "refuted"),
        (ABOVE, 0.20, math.nan, math.nan, "undecided"),
    ],
)
def test_verdict_by_hand(rule, value, low, high, expected):
    assert verdict(rule, Interval(value, low, high, 100)) == expected


def test_too_few_observations_decide_nothing():
    assert verdict(ABOVE, Interval(0.9, 0.8, 1.0, 99)) == "undecided"
    assert verdict(ABOVE, Interval(0.9, 0.8, 1.0, 100)) == "held"


numbers = st.floats(-1, 1)


@given(numbers, numbers, numbers)
def test_below_is_above_mirrored(a, b, c):
    low, value, high = sorted((a, b, c))
    mirrored = Interval(-value, -high, -low, 100)
    assert verdict(ABOVE, Interval(value, low, high, 100)) == verdict(BELOW, mirrored)


@given(numbers, numbers, numbers, st.floats(0, 0.5))
def test_a_wider_interval_never_decides_more(a, b, c, wider):
    low, value, high = sorted((a, b, c))
    for rule in (ABOVE, BELOW, NEAR):
        narrow = verdict(rule, Interval(value, low, high, 100))
        wide = verdict(rule, Interval(value, low - wider, high + wider, 100))
        assert wide in (narrow, "undecided")


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["held"], "undecided"),
        (["held", "held"], "undecided"),
        (["held", "held", "held"], "held"),
        (["held", "held", "held", "undecided"], "held"),
        (["held", "held", "held", "refuted"], "undecided"),
        (["held"] * 3 + ["undecided"] * 3, "undecided"),
        (["refuted"] * 3, "refuted"),
        ([], "undecided"),
    ],
)
def test_a_kind_needs_three_networks_that_agree(verdicts, expected):
    assert verdict_for_kind(ABOVE, {str(index): side for index, side in enumerate(verdicts)}) == expected


def test_a_networks_measurements_must_agree():
    assert verdict_for_network(["held", "held"]) == "held"
    assert verdict_for_network(["held", "refuted"]) == "undecided"
    assert verdict_for_network([]) == "undecided"


def test_a_claim_is_found_by_id_and_where(tmp_path):
    claims = claims_of(tmp_path, TABLE)
    claim = claims.find("S9.test/found", {"direction": "up", "channel": 3, "training": "corner"}, "share")
    assert claim is not None
    assert claim.published == 0.4
    assert claim.target == "S9.test"
    assert claim.covers({"training": "corner"})
    assert not claim.covers({"training": "anywhere"})
    assert not claim.covers({})
    assert claims.find("S9.test/found", {"direction": "down"}, "share") is None
    assert claims.find("S9.test/lost", {"direction": "up"}, "share") is None


def test_cells_make_a_claim_each(tmp_path):
    cells = 'cells = [{ where = { arm = "a" }, published = 1 }, { where = { arm = "b" } }]'
    claims = list(claims_of(tmp_path, TABLE.replace("published = 0.4", cells)))
    assert [claim.where for claim in claims] == [
        {"direction": "up", "arm": "a"},
        {"direction": "up", "arm": "b"},
    ]
    assert [claim.published for claim in claims] == [1.0, None]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('unit = "share"', "", r"claim 1 \(S9.test/found\): .*missing keys \['unit'\]"),
        ('unit = "share"', 'unit = "share"\nmargin = 1', r"unknown keys \['margin'\]"),
        ("S9.test/found", "S9.test found", "expected an id like"),
        ("margin = 0.1", "margin = -0.1", "margin above 0"),
        ('"above"', '"more"', "expected a rule's direction"),
        ("least_n = 10", "least_n = 0", "least_n"),
        ("published = 0.4", "published = 0.4\ncells = []", "either `published` or `cells`"),
        ("[[claims]]", "[[claim]]", "expected only"),
        ("published = 0.4", "published = ", "expected TOML"),
    ],
)
def test_mistakes_in_the_file_are_told(tmp_path, old, new, message):
    assert old in TABLE
    with pytest.raises(ValueError, match=message):
        claims_of(tmp_path, TABLE.replace(old, new))


def test_claims_that_cannot_be_told_apart_are_refused(tmp_path):
    with pytest.raises(ValueError, match="both speak of one metric"):
        claims_of(tmp_path, TABLE + TABLE.replace('direction = "up"', "size = 9"))
    assert len(claims_of(tmp_path, TABLE + TABLE.replace('direction = "up"', 'direction = "down"'))) == 2


def test_a_metric_in_another_unit_is_refused(tmp_path):
    with pytest.raises(ValueError, match="in the unit of the claim, 'share', given 'percent'"):
        claims_of(tmp_path, TABLE).find("S9.test/found", {"direction": "up"}, "percent")


def test_the_shipped_claims_say_what_the_paper_says():
    claims = package_claims("procscope.experiments")
    assert {claim.target for claim in claims} >= {
        "S3.pair-finder",
        "S3.sum-vs-direction",
        "S3.decision-square-2x2",
        "S3.distance",
        "S3.zeroing",
    }
    for claim in claims:
        if claim.rule is None:
            continue
        # In S2, C3, C4 and S1's regression a number is of several networks trained alike, and n counts them, or their
        # groups of neurons; elsewhere n counts levels.
        counts_networks = claim.target.startswith(("S1.density", "S2.", "C3.", "C4."))
        assert (claim.rule.least_n if counts_networks else claim.rule.least_networks) >= 3, claim.id
    published = {
        (claim.id, *sorted(claim.where.items())): claim.published
        for claim in claims
        if claim.published is not None
    }

    def cell(quantity, direction, distribution):
        place = (("direction", direction), ("distribution", distribution))
        return published[(f"S3.decision-square-2x2/{quantity}", *place)]

    for direction, distribution in (("up", "in"), ("up", "out"), ("right", "in"), ("right", "out")):
        place = (direction, distribution)
        obeys = cell("obeys_and_cheese", *place) + cell("obeys_and_corner", *place)
        cheese = cell("obeys_and_cheese", *place) + cell("disobeys_and_cheese", *place)
        assert obeys == pytest.approx(cell("obeys", *place))
        assert cheese == pytest.approx(cell("points_to_cheese", *place))
        assert obeys + cell("disobeys_and_cheese", *place) + cell(
            "disobeys_and_corner", *place
        ) == pytest.approx(1)
    zero = (("arm", "zero"), ("direction", "up"))
    found = {name: published[(f"S3.zeroing/{name}", *zero)] for name in ("both_found", "only_modified_found")}
    assert sum(found.values()) == pytest.approx(published[("S3.zeroing/modified_found", *zero)])
    sums = [
        claim.published
        for claim in claims
        if claim.id == "S3.pair-finder/pair_sum" and claim.where["direction"] == "up"
    ]
    effect = sum(abs(sums[i] - sums[i + 1]) for i in range(0, 8, 2)) / 4
    assert effect == pytest.approx(published[("S3.pair-finder/top_effect",)], abs=0.01)
