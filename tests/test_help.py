"""Every experiment and every analysis teaches its options: settings that cannot be told apart would show here."""

import pytest

from procscope.workbench import plugins
from procscope.workbench.cli import main


@pytest.mark.parametrize("name", plugins.names("procscope.experiments"))
def test_an_experiments_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", name, "--help"]) == 0
    assert "--scale" in capsys.readouterr().out


@pytest.mark.parametrize("name", plugins.names("procscope.analyses"))
def test_an_analyses_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", name, "--help"]) == 0
    assert "--cache" in capsys.readouterr().out
