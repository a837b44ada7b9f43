"""`procscope cache build`: by default the game, mode and look that the model was trained on."""

import torch

from procscope.activations.cache import ActivationCache
from procscope.agents.networks.impala import Impala
from procscope.workbench.checkpoints import CheckpointHeader, save_checkpoint
from procscope.workbench.cli import main

OPTIONS = {"widths": [2, 2, 2], "hidden": 4}


def test_a_cache_is_of_the_models_own_game_in_its_own_look(tmp_path, capsys):
    torch.manual_seed(0)
    header = CheckpointHeader(
        "impala", OPTIONS, environment={"game": "coinrun", "mode": "hard", "paint_vel_info": True}
    )
    model = tmp_path / "network.safetensors"
    save_checkpoint(model, Impala(**OPTIONS), header)
    command = ["cache", "build", "--model", str(model), "--hooks", "fc", "--frames", "4", "--num-envs", "2"]
    assert main([*command, "--actor", "random", "--keep-frames", "--out", str(tmp_path / "own")]) == 0
    assert "own: 4 frames of fc" in capsys.readouterr().out
    own = ActivationCache.open(tmp_path / "own")
    environment = own.source["environment"]
    assert (environment["game"], environment["mode"]) == ("coinrun", "hard")
    assert environment["engine_options"] == {"paint_vel_info": True}
    corner = own.frames[0][:6, :6]
    assert (corner == corner[0, 0]).all(), "the velocity is painted into a corner"
    assert main([*command, "--game", "maze", "--out", str(tmp_path / "maze")]) == 0
    environment = ActivationCache.open(tmp_path / "maze").source["environment"]
    assert (environment["game"], environment["mode"], environment["engine_options"]) == ("maze", "easy", {})
