"""Annotations of the project are checked at call time while the tests run: shapes by jaxtyping, types by beartype."""

from pathlib import Path

import pytest
import torch
from jaxtyping import install_import_hook

install_import_hook("procscope", "beartype.beartype")
# Tests run side by side, one process a core; more threads each would only wait for one another.
torch.set_num_threads(1)

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
    from procscope.agents.imitation.config import ImitationConfig
    from procscope.agents.imitation.training import train_imitation

    directory = tmp_path_factory.mktemp("tiny") / "run"
    train_imitation(ImitationConfig(**TINY), directory)
    return directory


@pytest.fixture(scope="session")
def tiny_options() -> dict:
    """The options that `tiny_run` was trained with."""
    return dict(TINY)
