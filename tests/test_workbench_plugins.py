"""Names registered by installed packages are found, loaded, and suggested when misspelt."""

import sys

import pytest
from fake_package import install_fake_package

from procscope.workbench import plugins

ANALYSES = "procscope.analyses"


@pytest.fixture(autouse=True)
def _installed(tmp_path, monkeypatch):
    install_fake_package(
        tmp_path,
        monkeypatch,
        {"fake_analyses": "probe = 'the probe'\n", "broken_analyses": "import a_module_that_nobody_has\n"},
        {
            ANALYSES: {
                "fake-probe": "fake_analyses:probe",
                "fake-missing": "fake_analyses:missing",
                "fake-broken": "broken_analyses:anything",
            }
        },
    )


def test_names_are_listed_without_importing_anything():
    sys.modules.pop("fake_analyses", None)
    assert {"fake-probe", "fake-missing", "fake-broken"} <= set(plugins.names(ANALYSES))
    assert plugins.names(ANALYSES) == sorted(plugins.names(ANALYSES))
    assert "fake_analyses" not in sys.modules


def test_loads_the_object():
    assert plugins.load(ANALYSES, "fake-probe") == "the probe"


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"unknown analysis 'fake-prob'\. Did you mean fake-probe"):
        plugins.load(ANALYSES, "fake-prob")


def test_an_unknown_group_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"unknown plug-in group 'procscope\.analysis'.*procscope\.analyses"):
        plugins.names("procscope.analysis")


@pytest.mark.parametrize(
    ("name", "reason"), [("fake-broken", "a_module_that_nobody_has"), ("fake-missing", "missing")]
)
def test_a_broken_plugin_names_itself_and_its_package(name, reason):
    with pytest.raises(ImportError, match=rf"the analysis '{name}' \(.* of fake-package\) .*{reason}"):
        plugins.load(ANALYSES, name)


def test_two_packages_with_one_name_are_both_named(tmp_path, monkeypatch):
    install_fake_package(
        tmp_path / "second",
        monkeypatch,
        {},
        {ANALYSES: {"fake-probe": "elsewhere:probe"}},
        name="second-package",
    )
    with pytest.raises(
        ValueError, match=r"expected one analysis named 'fake-probe', found 2: .*second-package"
    ):
        plugins.load(ANALYSES, "fake-probe")


def test_the_same_object_registered_twice_is_no_conflict(tmp_path, monkeypatch):
    install_fake_package(
        tmp_path / "again",
        monkeypatch,
        {},
        {ANALYSES: {"fake-probe": "fake_analyses:probe"}},
        name="again-package",
    )
    assert plugins.load(ANALYSES, "fake-probe") == "the probe"


def test_suggestions_name_the_nearest_or_else_what_there_is():
    known = ["conv_out", "fc", "logits", "value"]
    assert plugins.suggest("conv-out", known) == "Did you mean conv_out?"
    assert plugins.suggest("xyz", known) == "Known: conv_out, fc, logits, value"
    assert plugins.suggest("xyz", []) == "There are none to choose from"
    assert plugins.suggest("zzz", (f"block{i:02}" for i in range(30))).endswith("block19, …")
