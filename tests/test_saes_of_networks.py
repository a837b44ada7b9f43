"""Autoencoders are matched with the networks that they were trained on."""

from pathlib import Path

import pytest
from untrained_impala import saved_impala

from procscope.saes.of_networks import require_saes_of, saes_of
from procscope.saes.sae import Sae
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import load_network, save_checkpoint


def saved_sae(path: Path, hook_point: str, model_hash: str) -> str:
    sae = Sae(2, 4, "relu")
    facts = {"hook_point": hook_point, "model": "one", "model_hash": model_hash}
    save_checkpoint(path, sae, CheckpointHeader("sae", options=sae.options, training=facts))
    return str(path)


def test_autoencoders_go_to_their_networks(tmp_path: Path) -> None:
    one, two = (load_network(saved_impala(tmp_path / f"{seed}.safetensors", seed, ())) for seed in (0, 1))
    fc = saved_sae(tmp_path / "fc.safetensors", "fc", one.weights_hash)
    conv = saved_sae(tmp_path / "conv.safetensors", "conv_out", two.weights_hash)
    require_saes_of([one, two], [fc, conv])
    assert list(saes_of(one, [fc, conv])) == ["fc"]
    assert saes_of(one, [fc, conv])["fc"].name == fc
    assert saes_of(one, []) == {}
    with pytest.raises(ValueError, match="was trained on one"):
        require_saes_of([one], [fc, conv])
    again = saved_sae(tmp_path / "again.safetensors", "fc", one.weights_hash)
    with pytest.raises(ValueError, match="one autoencoder for each hook point"):
        require_saes_of([one], [fc, again])
    with pytest.raises(ValueError, match="expected a sparse autoencoder"):
        require_saes_of([one], [one.name])
