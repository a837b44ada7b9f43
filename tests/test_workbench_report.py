"""The report: one page that stands alone, shows what was recorded and lets no text become markup."""

import re
from html.parser import HTMLParser
from typing import NamedTuple

import pytest

from procscope.workbench.figures import styled, subplots
from procscope.workbench.interval_plot import interval_svg, scale_of
from procscope.workbench.published import package_claims
from procscope.workbench.report import render, write_report
from procscope.workbench.report_text import cell_text, number_text, place_text, prose_html
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval, wilson

VOID = {"meta", "br", "img", "link", "hr"}


class Balance(HTMLParser):
    """Collects what the page refers to, and elements that are closed in the wrong order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.references: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.references += [value for name, value in attrs if name in ("src", "href", "srcset") and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


class Channel(NamedTuple):
    channel: int
    reading: str
    effect: float


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    record = RunRecord.create(
        tmp_path_factory.mktemp("runs"),
        "toy-run",
        {"levels": 400},
        "procscope run toy-run --out '<here>'",
        question="Does <b>it</b> hold?",
        targets=("S3.zeroing",),
        claims=package_claims("procscope.experiments"),
    )
    record.network("tiny", "0123456789abcdef" * 4, "cheese-top-right", "a note")
    place = {"model": "tiny", "training": "cheese-top-right", "direction": "up", "channel": 21}
    record.metric(
        "S3.zeroing/found_difference", Interval(0.2, 0.15, 0.25, 400), place | {"arm": "zero"}, "share"
    )
    record.metric("S3.zeroing/both_found", wilson(150, 400), place | {"arm": "zero"}, "share")
    record.metric("S3.zeroing/mcnemar_p", 3.2e-9, place | {"arm": "zero"}, "p")
    record.undefined_metric("S3.zeroing/found_difference", place | {"arm": "mean"}, "no level < 1 was solved")
    record.say("What was found", "Channel `21` & <script>alert(1)</script>.\n\n- one\n- two")
    record.table("channels", [Channel(21, "UP & <i>", 1 / 3)], "The channels.")
    with styled():
        figure, axes = subplots()
        axes.plot([0, 1], [1, 0])
    record.figure("curve", figure, 'A "curve".')
    record.finish()
    return record.directory


def test_the_page_stands_alone_and_is_well_formed(run):
    page = (run / "report.html").read_text()
    parsed = Balance(page)
    assert parsed.wrong == []
    assert parsed.open == []
    assert all(reference.startswith(("data:", "#")) for reference in parsed.references)
    assert not re.search(r"url\(|@import|<script", page)
    assert len(page) > 20_000


def test_the_page_says_what_was_recorded(run):
    page = (run / "report.html").read_text()
    for text in (
        "12.2%",
        "20.0%",
        "15.0% to 25.0%",
        "1 of 3 networks",
        "37.5%",
        "3.2·10⁻⁹",
        "no level &lt; 1 was solved",
        "<code>21</code> &amp; &lt;script&gt;",
        "<li>one</li><li>two</li>",
        "UP &amp; &lt;i&gt;",
        "0.3333",
        "Does &lt;b&gt;it&lt;/b&gt; hold?",
        "--out &#39;&lt;here&gt;&#39;",
        "held if the interval lies above 0 and the value is 0.03 or more",
        "0123456789abcdef",
    ):
        assert text in page, text


def test_the_report_is_drawn_from_the_directory_alone(run):
    before = (run / "report.html").read_text()
    (run / "report.html").unlink()
    assert write_report(run).read_text() == before


def test_an_unfinished_run_has_no_report(tmp_path):
    record = RunRecord.create(tmp_path, "toy-run", {}, "x")
    with pytest.raises(FileNotFoundError, match="finished"):
        render(record.directory)


def test_a_run_without_claims_or_anything_has_a_report(tmp_path):
    record = RunRecord.create(tmp_path, "toy-run", {}, "x")
    page = record.finish().read_text()
    assert Balance(page).wrong == []
    assert "Published and measured" not in page


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.9954, "share", "99.5%"),
        (-0.014, "share", "−1.4%"),
        (1e-19, "p", "1.0·10⁻¹⁹"),
        (0.0, "p", "0"),
        (12, "channels", "12"),
        (12345, "1", "12\u202f345"),
        (0.70831, "1", "0.708"),
        (-18.075, "activation", "−18.1"),
        (123.456, "activation", "123.5"),
        (None, "1", "–"),
    ],
)
def test_numbers_for_people(value, unit, text):
    assert number_text(value, unit) == text


def test_text_for_people():
    assert cell_text("0.30000000000000004") == "0.3"
    assert cell_text("-1.5e-07") == "−1.5e−07"
    assert cell_text("UP") == "UP"
    assert cell_text("12") == "12"
    assert place_text({"direction": "up", "hook_point": "fc"}) == "direction up · hook point fc"
    assert prose_html("a\nb\n\n- c") == "<p>a b</p><ul><li>c</li></ul>"


def test_interval_plots_share_a_scale_and_stay_inside_it():
    claim = {"published": 12.0, "reference": 0.0, "unit": "cells"}
    entries = [
        {"value": 3.0, "ci_low": -2.0, "ci_high": 8.0, "verdict": "held"},
        {"value": 9.0, "ci_low": None, "ci_high": None, "verdict": None},
    ]
    scale = scale_of(claim | {"measurements": entries})
    centres = [
        float(re.search(r'class="value" cx="([\d.]+)"', interval_svg(entry, claim, scale)).group(1))
        for entry in entries
    ]
    assert 4 <= centres[0] < centres[1] <= 128
    low, high = scale.x(-2.0), scale.x(12.0)
    assert centres[0] == pytest.approx(low + (high - low) * 5 / 14, abs=0.2)
