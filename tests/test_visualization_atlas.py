"""An atlas of a small network: resumed, labelled, escaped, and built from the command line."""

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from procscope.activations.cache import ActivationCache
from procscope.activations.cache_config import CacheConfig
from procscope.activations.collect import build_cache
from procscope.agents.networks.impala import Impala
from procscope.rewardnets.network import RewardNetwork
from procscope.saes.sae import Sae
from procscope.visualization.atlas import build
from procscope.visualization.atlas.build import build_atlas
from procscope.visualization.atlas.data import LayerData
from procscope.visualization.atlas.page import render_atlas, write_atlas, write_index
from procscope.visualization.atlas.settings import AtlasSettings
from procscope.visualization.atlas.sheet import plot_sheet
from procscope.visualization.atlas.sources import applicable_methods, cache_for, chosen_units
from procscope.visualization.atlas.summary import summarise_atlas
from procscope.visualization.colours import Colours
from procscope.visualization.units import Channels, Directions
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import load_network, save_checkpoint
from procscope.workbench.cli import main

SETTINGS = AtlasSettings(
    ("pixels", "levels", "frames", "patches", "quantiles"),
    steps=3,
    examples=2,
    level_starts=2,
    level_rounds=1,
    batch_pictures=2,
)


@pytest.fixture(scope="module")
def layer(tmp_path_factory):
    """A network whose channel 1 of block 1 is dead, and a cache of it."""
    torch.manual_seed(0)
    network = Impala((3, 4, 4), hidden=8)
    with torch.no_grad():
        for part in (network.block1.unit1.weights2, network.block1.unit2.weights2, network.block1.weights):
            part.weight[1] = 0
    folder = tmp_path_factory.mktemp("atlas")
    header = CheckpointHeader("impala", {"widths": [3, 4, 4], "hidden": 8}, {"game": "maze", "mode": "easy"})
    save_checkpoint(folder / "net.safetensors", network, header)
    model = load_network(folder / "net.safetensors")
    config = CacheConfig(
        model=str(folder / "net.safetensors"),
        hook_points=("block1.res2", "fc"),
        n_frames=96,
        sample="static",
        placement="anywhere",
        keep_frames=True,
    )
    return folder, model, build_cache(config, folder / "cache")


@pytest.fixture(scope="module")
def atlas(layer):
    folder, model, cache = layer
    return build_atlas(model, cache, chosen_units(cache, "block1.res2"), SETTINGS, folder / "out")


def test_every_unit_has_every_method_and_the_dead_one_says_so(atlas):
    assert atlas.units == ("channel 0", "channel 1", "channel 2")
    for unit in atlas.units:
        for method, n in (("pixels", 2), ("levels", 2), ("frames", 2), ("patches", 2), ("quantiles", 8)):
            assert len(atlas.entries[unit, method].pictures) == n
    dead = atlas.entries["channel 1", "pixels"]
    assert dead.problem == "flat: no gradient at any step"
    assert dead.seed_similarity is None
    assert dead.picture_class is None
    assert atlas.entries["channel 1", "frames"].problem == "silent in all 96 frames"
    alive = atlas.entries["channel 0", "pixels"]
    assert not alive.problem
    assert alive.slope is not None
    assert alive.reach_from_median is not None
    by_method = {row.method: row for row in summarise_atlas(atlas)}
    assert set(by_method) == {"pixels", "levels"}
    assert by_method["pixels"].n_problems == 1
    assert by_method["pixels"].n_units == 3


def test_values_are_those_of_the_pictures_shown(atlas, layer):
    import base64
    import io

    from PIL import Image

    entry = atlas.entries["channel 2", "pixels"]
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(entry.pictures[0].png))))
    with torch.no_grad():
        inputs = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None]
        maps = layer[1].network.run_with_cache(inputs, names_filter=["block1.res2"])[1]["block1.res2"]
    assert entry.value == pytest.approx(float(maps[0, 2].mean()), rel=1e-4, abs=1e-6)


def test_an_interrupted_atlas_goes_on(layer, tmp_path, monkeypatch):
    _, model, cache = layer
    settings = AtlasSettings(("pixels",), seeds=1, steps=2, batch_pictures=1)
    made = []
    original = build.by_recipe

    def stops_after_two(data, units, *rest):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.extend(units)
        return original(data, units, *rest)

    monkeypatch.setattr(build, "by_recipe", stops_after_two)
    units = Channels("block1.res2", range(3))
    with pytest.raises(KeyboardInterrupt):
        build_atlas(model, cache, units, settings, tmp_path)

    def goes_on(data, units, *rest):
        made.extend(units)
        return original(data, units, *rest)

    monkeypatch.setattr(build, "by_recipe", goes_on)
    said = []
    whole = build_atlas(model, cache, units, settings, tmp_path, say=said.append)
    assert made == [0, 1, 2]
    assert said == ["block1.res2: 2 of 3 pictures there already"]
    monkeypatch.setattr(build, "by_recipe", original)
    fresh = build_atlas(model, cache, units, settings, tmp_path / "fresh")
    assert fresh.entries == whole.entries


def test_pages_are_self_contained_and_escaped(atlas, layer, tmp_path):
    page = write_atlas(atlas, tmp_path / "net" / "block1", command="procscope <b>visualize</b>")
    text = page.read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert "&lt;b&gt;" in text
    assert "prefers-color-scheme: dark" in text
    assert text.count("silent in all 96 frames") >= 1
    data = json.loads((page.parent / "atlas.json").read_text())
    assert [unit["name"] for unit in data["units"]] == list(atlas.units)
    assert 'href="net/block1/index.html"' in write_index(tmp_path).read_text()
    with pytest.raises(FileNotFoundError, match="Build an atlas there first"):
        write_index(layer[0] / "cache")
    _, model, cache = layer
    units = Directions("block1.res2", np.eye(3)[:1], ["<script>alert(1)</script>"])
    evil = build_atlas(model, cache, units, AtlasSettings(("frames",)), tmp_path / "evil")
    assert "<script>alert" not in render_atlas(evil)


def test_a_sheet_shows_some_units(atlas):
    figure = plot_sheet(atlas, ["channel 0", "channel 2"], methods=["pixels", "quantiles"], pictures=3)
    assert len(figure.axes) == 6
    with pytest.raises(ValueError, match="given \\['channel 9'\\]"):
        plot_sheet(atlas, ["channel 9"])


def test_the_command_builds_and_resumes(layer, capsys):
    folder = layer[0]
    words = [
        "visualize",
        "--model",
        str(folder / "net.safetensors"),
        "--hook",
        "fc",
        "--out",
        str(folder / "cli"),
    ]
    words += ["--channels", "0", "3", "--steps", "2", "--seeds", "1", "--cache", str(folder / "cache")]
    methods = ["--method", "dissertation", "quantiles"]
    assert main([*words, *methods]) == 0
    assert "0 of 4 pictures there already" in capsys.readouterr().out
    assert main([*words, *methods]) == 0
    assert "4 of 4 pictures there already" in capsys.readouterr().out
    # Without --method all that apply to a layer without maps; what is there is kept.
    assert main([*words, "--level-starts", "1", "--level-rounds", "1"]) == 0
    assert "2 of 8 pictures there already" in capsys.readouterr().out
    assert (folder / "cli" / "index.html").is_file()


def test_latents_of_an_autoencoder_have_an_atlas_of_their_own(layer, capsys):
    """Beside the layer's own, under names by which the feature viewer finds it."""
    folder, model, _ = layer
    torch.manual_seed(1)
    facts = {"model_hash": model.weights_hash, "hook_point": "block1.res2"}
    header = CheckpointHeader("sae", {"n_inputs": 3, "n_latents": 5, "activation": "relu"}, training=facts)
    save_checkpoint(folder / "sae.safetensors", Sae(3, 5, "relu"), header)
    words = ["visualize", "--model", str(folder / "net.safetensors"), "--cache", str(folder / "cache")]
    words += [
        "--out",
        str(folder / "latents"),
        "--method",
        "frames",
        "--sae",
        str(folder / "sae.safetensors"),
    ]
    assert main([*words, "--hook", "block1.res2", "--channels", "1", "4"]) == 0
    data = json.loads((folder / "latents" / "net" / "block1.res2-latents" / "atlas.json").read_text())
    assert [unit["name"] for unit in data["units"]] == ["latent 1", "latent 4"]
    assert all(re.fullmatch(r"latent \d [0-9a-f]{16}", unit["identity"]) for unit in data["units"])
    for changes, message in (
        (["--hook", "fc"], "an autoencoder of 'fc' of"),
        (["--hook", "block1.res2", "--channels", "5"], "from 0 to 4, given 5"),
        (
            ["--hook", "block1.res2", "--sae", str(folder / "net.safetensors")],
            "expected a sparse autoencoder",
        ),
        (["--hook", "block1.res2", "--directions", "x.npy"], "given both"),
    ):
        assert main([*words, *changes]) == 2
        assert message in capsys.readouterr().err


@pytest.fixture(scope="module")
def rewards(tmp_path_factory):
    """A small reward network, and transitions played by chance."""
    folder = tmp_path_factory.mktemp("rewards")
    torch.manual_seed(0)
    options = {"width": 1 / 48, "shrink": 8}
    header = CheckpointHeader("reward-network", options, {"game": "maze", "mode": "easy"})
    save_checkpoint(folder / "net.safetensors", RewardNetwork(**options), header)
    model = load_network(folder / "net.safetensors")
    return model, cache_for(model, "layer4", 96, 0, folder / "cache", actor="expert")


def test_pictures_of_a_reward_network_are_transitions(rewards, tmp_path):
    model, cache = rewards
    methods = applicable_methods(model, cache, "layer4")
    assert methods == ("lucid", "frames", "patches", "quantiles")
    settings = AtlasSettings(methods, seeds=1, steps=2, examples=2)
    atlas = build_atlas(model, cache, Channels("layer4", [0, 1]), settings, tmp_path)
    for method in methods:
        for entry in atlas.of(method):
            picture = Image.open(io.BytesIO(base64.b64decode(entry.pictures[0].png)))
            assert picture.width == 2 * picture.height + 2  # the frame, a gap, the next frame
    data = LayerData(model, cache, Channels("layer4", [0]))
    assert data.colours == Colours.of(np.concatenate(np.split(np.asarray(cache.frames[:]), 2, axis=3)))
    assert cache.hook_points == ["layer4", "pooled"]
    assert data.choice_point == "pooled"


def test_what_transitions_lack_is_said(rewards, tmp_path):
    model, cache = rewards
    with pytest.raises(ValueError, match="Leave the method out"):
        build_atlas(model, cache, Channels("layer4", [0]), AtlasSettings(("levels",)), tmp_path)
    with pytest.raises(ValueError, match="such as --actor random"):
        cache_for(model, "layer4", 96, 0, tmp_path / "cache")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--hook", "fd"], "Did you mean fc"),
        (["--method", "lucif"], "Did you mean lucid"),
        (["--channels", "99"], "channels of 'fc' from 0 to 7, given 99"),
        (["--method", "patches"], "patches; 'fc' is a vector. Leave the method out"),
        (["--seeds", "0"], "from 1 up"),
    ],
)
def test_the_command_refuses_bad_input(layer, capsys, changes, message):
    folder = layer[0]
    words = ["visualize", "--model", str(folder / "net.safetensors"), "--hook", "fc", "--method", "frames"]
    words += ["--cache", str(folder / "cache"), "--out", str(folder / "bad"), *changes]
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_a_cache_of_another_network_or_without_frames_is_refused(layer, tmp_path):
    folder, model, cache = layer
    other = load_network("maze-easy-topright")
    with pytest.raises(ValueError, match="weights hash"):
        build_atlas(other, cache, Channels("fc", [0]), SETTINGS, tmp_path)
    config = CacheConfig(
        model=str(folder / "net.safetensors"), hook_points=("fc",), n_frames=4, sample="static"
    )
    bare = build_cache(config, tmp_path / "bare")
    assert isinstance(bare, ActivationCache)
    with pytest.raises(ValueError, match="--keep-frames"):
        build_atlas(model, bare, Channels("fc", [0]), AtlasSettings(("frames",)), tmp_path)
