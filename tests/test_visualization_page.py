"""What docs/visualization.md shows is what works: its examples run, one after the other."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "visualization.md"


@pytest.mark.slow
def test_the_examples_run():
    names: dict = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
