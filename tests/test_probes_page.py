"""What docs/probes.md shows is what works: its commands parse, its examples run, at a small size."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from procscope.probes.settings import ProbeSettings
from procscope.workbench.analyses import load_analysis
from procscope.workbench.cli import main
from procscope.workbench.invocations import AnalyzeOptions, parse

PAGE = (Path(__file__).parents[1] / "docs" / "probes.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line) for line in re.findall(r"^procscope .*$", PAGE, re.MULTILINE)]


def test_the_commands_are_options_that_exist():
    analyses = [words for words in COMMANDS if words[1] == "analyze"]
    assert len(analyses) == 4
    for words in analyses:
        options, config = parse(words[3:], AnalyzeOptions, ProbeSettings(), program="probe", description="")
        assert options.cache == "caches/maze"
        assert config.target


def test_help_teaches(capsys):
    assert load_analysis("probe").description.startswith("Read targets out of the layers")
    with pytest.raises(SystemExit):
        parse(["--help"], AnalyzeOptions, ProbeSettings(), program="procscope analyze probe", description="")
    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        "--allow-future",
        "min(1 / distance_to_goal_cells, 5)",
        "each-position",
        "non-linear bound",
    ):
        assert words in shown


@pytest.mark.slow
def test_the_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    build = [word if word != "20000" else "400" for word in COMMANDS[0]]
    assert main(build[1:]) == 0
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "docs/probes.md", "exec"), names)
    printed = capsys.readouterr().out
    assert printed.count("steer") == 2
    assert "erase" in printed
    assert names["maps"].shape == (8, 8, 8)
    assert np.isfinite(names["fit"].r2[1:]).all()
    for words in COMMANDS[1:]:
        assert main([*words[1:], "--resamples", "100", "--folds", "3"]) == 0
    assert len(list((tmp_path / "runs" / "probe").glob("*/report.html"))) == 4


def test_mistakes_on_the_command_line_are_exit_code_2(tmp_path, capsys):
    assert main(["analyze", "probe", "--cache", str(tmp_path / "none"), "--target", "agent_x"]) == 2
    assert "no activation cache" in capsys.readouterr().err
