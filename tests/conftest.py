"""Every annotation of the project is checked at call time while the tests run: shapes by jaxtyping, types by beartype.

`tiny_run` is a finished training run, small enough to be made by the tests that need one.
"""

from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook("procscope", "beartype.beartype")

TINY = {
    "variant": ("cheese-top-right",),
    "network_options": {"widths": [4, 4, 4], "hidden": 16},
    "frames": 3072,
    "round_frames": 1024,
    "own_games": 32,
    "static_rounds": 0.3,
}
"""Options of an `ImitationConfig`: one round of static frames, two with frames of the network's own."""


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of an imitation run with the options `TINY`, finished without an interruption."""
    from procscope.agents.imitation import train_imitation
    from procscope.agents.imitation_config import ImitationConfig

    directory = tmp_path_factory.mktemp("tiny") / "run"
    train_imitation(ImitationConfig(**TINY), directory)
    return directory


@pytest.fixture(scope="session")
def tiny_options() -> dict:
    """The options that `tiny_run` was trained with."""
    return dict(TINY)
