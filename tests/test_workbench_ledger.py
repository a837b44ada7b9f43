"""Numbers quoted in prose are those recorded, undefined ones too; claims are told by verdict."""

import pytest

from procscope.workbench.interval_difference import independent_difference
from procscope.workbench.ledger import Ledger
from procscope.workbench.published import Claim, Claims
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval, wilson
from procscope.workbench.verdict_text import verdicts_text
from procscope.workbench.verdicts import Rule


@pytest.fixture
def record(tmp_path):
    rule = Rule("above", 0.5, 0.1, least_n=10)
    claims = Claims(
        [Claim("X.a/share", "It is often.", "source", "share", {}, {"training": ("one",)}, 0.9, rule)]
    )
    return RunRecord.create(tmp_path, "try", {}, "none", targets=["X.a"], claims=claims)


def test_numbers_are_quoted_with_their_interval(record):
    ledger = Ledger(record)
    ledger.add("X.a/share", lambda: wilson(9, 10), {"model": "m", "training": "one"}, "share")
    ledger.add("X.a/share", lambda: 0.25, {"model": "n", "training": "two"}, "share")
    assert ledger.quote("X.a/share", model="m") == "90.0% (59.6% to 98.2%)"
    assert ledger.quote("X.a/share", model="m", interval=False) == "90.0%"
    assert ledger.quote("X.a/share", model="n") == "25.0%"
    assert ledger.verdict("X.a/share", model="m") == "held"
    assert ledger.verdict("X.a/share", model="n") is None
    with pytest.raises(KeyError, match="found 2"):
        ledger.quote("X.a/share")


def test_an_undefined_number_is_recorded_with_its_reason(record):
    ledger = Ledger(record)
    ledger.add("X.a/share", lambda: wilson(0, 0), {"model": "m", "training": "one"}, "share")
    assert ledger.quote("X.a/share", model="m") == "undefined"
    assert ledger.verdict("X.a/share", model="m") is None
    assert "n at least 1" in record.undefined[0].reason
    text = verdicts_text(record, "X.a")
    assert "It is often: undecided (`m`: undefined: expected 0 <= successes" in text


def test_claims_are_told_by_verdict_for_networks_that_they_are_about(record):
    assert "No claim" in verdicts_text(record, "X.a")
    record.metric("X.a/share", wilson(57, 100), {"model": "bad", "training": "one"}, "share")
    record.metric("X.a/share", wilson(90, 100), {"model": "good", "training": "one"}, "share")
    record.metric("X.a/share", wilson(90, 100), {"model": "other", "training": "two"}, "share")
    lines = verdicts_text(record, "X.a").splitlines()[1:]
    assert lines == ["- It is often: held (`good`: 90.0%, n 100); undecided (`bad`: 57.0%, n 100)"]


def test_a_difference_of_proportions_is_newcombes():
    # Newcombe 1998, Statistics in Medicine 17:873, table II, method 10, example (a): 56/70 - 48/80.
    found = independent_difference(wilson(56, 70), wilson(48, 80))
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert found.n == 150
    assert independent_difference(Interval(0.9, 0.8, 0.95, 3), Interval(0.9, 0.9, 0.9, 4))[
        1:3
    ] == pytest.approx((-0.1, 0.05))
