"""The commands `sae train`, `sae sweep`, `sae export` and `sae import`, and their exit codes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sae_cache import episode_labels, sparse_features, write_cache

from procscope.saes.sae import load_sae
from procscope.workbench.cli import main


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    x, _, _ = sparse_features(600, 8, 12, 2)
    directory = tmp_path_factory.mktemp("saes") / "cache"
    write_cache(directory, {"fc": x}, episode_labels(600), block=200)
    return str(directory)


def train(cache: str, out: Path, *more: str) -> int:
    small = ["--width", "16", "--k", "2", "--samples", "3200", "--batch-size", "64", "--no-sae-lens"]
    return main(["sae", "train", "--cache", cache, "--hook", "fc", "--out", str(out), *small, *more])


def test_train_writes_an_autoencoder_and_goes_on(
    cache: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(cache, tmp_path / "sae") == 0
    assert "training fvu" in capsys.readouterr().out
    before = load_sae(tmp_path / "sae" / "sae.safetensors")
    assert (before.sae.n_latents, before.sae.k, before.hook_point) == (16, 2, "fc")
    assert train(cache, tmp_path / "sae") == 0
    assert torch.equal(load_sae(tmp_path / "sae" / "sae.safetensors").sae.W_dec, before.sae.W_dec)
    assert train(cache, tmp_path / "sae", "--seed", "1") == 2
    assert (
        "holds a run with another config; (found, asked for) differ in {'seed': (0, 1)}"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--k", "17"], "expected k to be at most the width"),
        (["--hook", "fx"], "expected a hook point of this cache, got 'fx'"),
        (["--positions-per-frame", "2"], "expected a map to draw positions of"),
        (["--batch-size", "1000"], "expected a batch of 1 to 600 samples"),
    ],
)
def test_mistakes_are_said(
    cache: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    assert train(cache, tmp_path / "sae", *more) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_sweep_reuses_its_members(cache: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--cache", cache, "--hook", "fc", "--out", str(tmp_path), "--widths", "8", "16", "--ks", "2"]
    options += ["--samples", "1280", "--batch-size", "64"]
    assert main(["sae", "sweep", *options, "--seeds", "0"]) == 0
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "members").iterdir()}
    assert len(kept) == 2
    assert main(["sae", "sweep", *options, "--seeds", "0", "1"]) == 0
    assert len(list((tmp_path / "members").iterdir())) == 4
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    rows = np.genfromtxt(tmp_path / "sweep.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    assert sorted(zip(rows["width"].tolist(), rows["seed"].tolist(), strict=True)) == [
        (8, 0),
        (8, 1),
        (16, 0),
        (16, 1),
    ]
    assert (rows["stability"] > 0).all()
    assert (rows["stability"] <= 1).all()
    assert (tmp_path / "frontier.png").exists()
    assert (tmp_path / "stability.png").exists()
    capsys.readouterr()
    assert main(["sae", "sweep", *options, "--widths", "1"]) == 2
    assert "expected a width with a k that is not larger" in capsys.readouterr().err


@pytest.mark.slow
def test_there_and_back(cache: str, tmp_path: Path) -> None:
    assert train(cache, tmp_path / "sae") == 0
    path = tmp_path / "sae" / "sae.safetensors"
    assert main(["sae", "export", str(path), str(tmp_path / "lens")]) == 0
    back = tmp_path / "back.safetensors"
    assert main(["sae", "import", str(tmp_path / "lens"), str(back), "fc", "maze-easy-topright"]) == 0
    x = torch.randn(50, 8) * 3
    torch.testing.assert_close(load_sae(back).sae(x), load_sae(path).sae(x), rtol=1e-4, atol=1e-4)
    assert load_sae(back).model == "maze-easy-topright"
