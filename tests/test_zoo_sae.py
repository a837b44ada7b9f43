"""Sparse autoencoders of the zoo: each loads and its card says what was measured; shipping one makes its files."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from procscope.activations.cache import ActivationCache
from procscope.saes.reconstruction import measure_reconstruction
from procscope.saes.sae import load_sae
from procscope.workbench.checkpoints import read_checkpoint
from procscope.workbench.cli import main
from procscope.zoo import card, load, names, path
from procscope.zoo.sae_cards import train_command

SHIPPED = [name for name in names() if read_checkpoint(path(name)).header.architecture == "sae"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_autoencoder_fits_its_network_and_its_card_says_how_well(name: str) -> None:
    trained = load_sae(name)
    assert load(trained.model).weights_hash == trained.model_hash
    found, text = trained.header.metrics, card(name)
    assert text.startswith(f"# {name}\n")
    assert train_command(name, trained.header) in text
    assert f"| variance unexplained (fvu) | {found['fvu']:.4f} of " in text
    assert found["fvu"] < 0.5
    assert found["levels"] >= 1000
    assert f"{100 * found['success_spliced']:.1f}% [" in text
    assert path(name).stat().st_size <= 8 * 2**20


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny training of an autoencoder, and its cache."""
    directory = tmp_path_factory.mktemp("sae")
    build = ["cache", "build", "--model", "maze-easy-topright", "--hooks", "fc", "--frames", "256"]
    assert main([*build, "--keep-frames", "--num-envs", "16", "--out", str(directory / "cache")]) == 0
    train = [
        "sae",
        "train",
        "--cache",
        str(directory / "cache"),
        "--hook",
        "fc",
        "--out",
        str(directory / "run"),
    ]
    small = ["--width", "24", "--k", "4", "--samples", "6400", "--batch-size", "64", "--no-sae-lens"]
    assert main([*train, *small]) == 0
    return directory


def test_shipping_measures_the_stored_weights(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipping = [
        "zoo",
        "add",
        "tiny",
        "--run",
        str(run / "run"),
        "--summary",
        "A tiny one.",
        "--episodes",
        "2",
    ]
    assert main([*shipping, "--cache", str(run / "cache"), "--folder", str(tmp_path)]) == 0
    trained = load_sae(tmp_path / "tiny.safetensors")
    with safe_open(tmp_path / "tiny.safetensors", framework="pt") as file:
        assert file.get_tensor("W_enc").dtype == torch.float16
    again = measure_reconstruction(trained.sae, ActivationCache.open(str(run / "cache")), "fc")
    assert trained.header.metrics["fvu"] == pytest.approx(again.fvu)
    assert trained.header.metrics["levels"] == 2
    text = (tmp_path / "tiny.md").read_text()
    for words in (
        "A tiny one.",
        f"{again.fvu:.4f}",
        "24 latents of 256 inputs",
        "| the reconstruction alone |",
    ):
        assert words in text
    commands = text.split("```")[1]
    assert (
        "procscope cache build --model maze-easy-topright --hooks fc --frames 256 --keep-frames" in commands
    )
    assert "--num-envs 16 --seed 0 --out caches/maze-easy-topright\n" in commands
    assert (
        "--hook fc --out training/tiny --kind top-k --width 24 --k 4 --samples 6400 --batch-size 64"
        in commands
    )
    assert (tmp_path / "tiny.curve.csv").read_bytes() == (run / "run" / "curve.csv").read_bytes()
    assert main(shipping) == 2
    assert "expected one of --variants for a policy" in capsys.readouterr().err


def test_frames_are_wanted(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = ["cache", "build", "--model", "maze-easy-topright", "--hooks", "fc", "--frames", "32"]
    assert main([*build, "--num-envs", "8", "--out", str(tmp_path / "cache")]) == 0
    shipping = ["zoo", "add", "tiny", "--run", str(run / "run"), "--summary", "", "--folder", str(tmp_path)]
    assert main([*shipping, "--cache", str(tmp_path / "cache")]) == 2
    assert "expected a cache with frames" in capsys.readouterr().err
    assert not (tmp_path / "tiny.safetensors").exists()
