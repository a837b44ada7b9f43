"""What a site of latents is made from: frames, heat maps, pictures and data, each found in another way as well."""

import base64
import dataclasses
import hashlib
import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from feature_site import DEAD, network_of, random_sae, tiny_network, walked_cache, write_cache_with_frames
from PIL import Image

from procscope.activations.cache import ActivationCache
from procscope.saes.latents import LatentMeasurements
from procscope.saes.sae import load_sae, maps_of, samples_of
from procscope.visualization.atlas.build import Atlas
from procscope.visualization.atlas.entry import AtlasEntry, shown
from procscope.visualization.atlas.page import write_atlas
from procscope.visualization.atlas.settings import AtlasSettings
from procscope.visualization.units import Channels, Latents
from procscope.web.commands import site
from procscope.web.features import site as site_module
from procscope.web.features.actions import actions_of
from procscope.web.features.attribution import attribute_latents, attribution_maps, map_before
from procscope.web.features.inputs import SiteInputs, open_inputs
from procscope.web.features.latent_maps import latent_maps
from procscope.web.features.scripts import number, packed, script
from procscope.web.features.sheets import COLUMNS, thumbnails, write_sheet
from procscope.web.features.shown_frames import as_rgb, shown_frames
from procscope.web.features.site import write_site
from procscope.workbench.cli import main

N_LATENTS = 40


@dataclasses.dataclass
class Made:
    """Files that the tests share, and what was opened from them."""

    folder: Path
    cache: ActivationCache
    network: Path
    fc: SiteInputs
    conv: SiteInputs


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    folder = tmp_path_factory.mktemp("features")
    network = tiny_network(folder / "network.safetensors")
    cache = walked_cache(folder / "cache", network)
    opened = {}
    for hook_point, k in (("fc", 4), ("conv_out", 2)):
        sae = random_sae(folder / f"{hook_point}.safetensors", cache, hook_point, N_LATENTS, k)
        opened[hook_point] = open_inputs(
            str(sae), cache=cache.path, model=str(network), keep=folder / f"{hook_point}.latents.safetensors"
        )
    return Made(folder, cache, network, opened["fc"], opened["conv_out"])


def tree(folder: Path) -> dict[str, str]:
    """A hash of every file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def record(folder: Path, latent: int) -> dict:
    """What a page loads of a latent."""
    text = (folder / "latents" / f"{latent}.js").read_text()
    return json.loads(text.removeprefix("procscope.receiveLatent(").removesuffix(");\n"))


def unpacked(text: str, *shape: int) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), np.int8).reshape(*shape)


# -- Frames ------------------------------------------------------------------


def test_shown_frames_are_those_of_the_survey_each_once(made):
    survey = made.fc.latents.survey
    found = shown_frames(survey)
    assert found.rows.tolist() == sorted(
        {int(row) for row in [*survey.top_frames.ravel(), *survey.quantile_frames.ravel()] if row >= 0}
    )
    for latent in range(N_LATENTS):
        named: dict[int, float] = {}
        slots = [*zip(survey.top_frames[latent], survey.top_values[latent], strict=True)]
        slots += [
            *zip(survey.quantile_frames[latent].ravel(), survey.quantile_values[latent].ravel(), strict=True)
        ]
        for row, value in slots:
            if row >= 0:
                named.setdefault(int(row), float(value))
        own = found.of(latent)
        assert found.rows[found.pair_row[own]].tolist() == list(named)
        np.testing.assert_allclose(found.pair_value[own], list(named.values()))
        places = list(named)
        assert [places[i] if i >= 0 else -1 for i in found.top[latent]] == survey.top_frames[latent].tolist()
        given = found.quantiles[latent].ravel()
        assert [places[i] if i >= 0 else -1 for i in given] == survey.quantile_frames[latent].ravel().tolist()
    assert all(
        found.of(latent).start == found.of(latent).stop for latent in range(N_LATENTS - DEAD, N_LATENTS)
    )


@pytest.mark.parametrize(("channels", "panels"), [(1, 1), (3, 1), (4, 4), (6, 2)])
def test_frames_of_any_depth_become_colour_pictures_side_by_side(channels, panels):
    frames = np.random.default_rng(0).integers(0, 256, (5, 4, 3, channels), dtype=np.uint8)
    found = as_rgb(frames)
    assert found.shape == (5, 4, 3 * panels, 3)
    depth = channels // panels
    for panel in range(panels):
        part = frames[..., panel * depth : (panel + 1) * depth]
        expected = part if depth == 3 else np.repeat(part, 3, axis=3)
        np.testing.assert_array_equal(found[:, :, panel * 3 : (panel + 1) * 3], expected)


def test_a_sheet_holds_every_pixel(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (11, 6, 5, 3), dtype=np.uint8)
    write_sheet(tmp_path / "sheet.webp", frames)
    sheet = np.asarray(Image.open(tmp_path / "sheet.webp").convert("RGB"))
    assert sheet.shape == (2 * 6, COLUMNS * 5, 3)
    for place, frame in enumerate(frames):
        row, col = divmod(place, COLUMNS)
        np.testing.assert_array_equal(sheet[row * 6 : (row + 1) * 6, col * 5 : (col + 1) * 5], frame)


def test_thumbnails_of_large_frames_are_their_means():
    frames = np.zeros((1, 128, 96, 3), np.uint8)
    frames[0, :64, :, 0] = 200
    found = thumbnails(frames)
    assert found.shape == (1, 64, 48, 3)
    assert set(found[0, :, :, 0].ravel().tolist()) == {0, 200}


# -- Heat maps ----------------------------------------------------------------


def test_heat_maps_of_a_map_are_the_latents_at_its_positions(made):
    found = shown_frames(made.conv.latents.survey)
    heat = latent_maps(made.conv, found)
    assert heat is not None
    assert heat.kind == "activation"
    assert heat.values.shape[1:] == (8, 8)
    sae = made.conv.trained.sae
    for pair in (0, 7, len(found.pair_row) - 1):
        row, latent = found.rows[found.pair_row[pair]], found.pair_latent[pair]
        values = torch.from_numpy(np.asarray(made.cache.activations("conv_out")[row : row + 1])).float()
        expected = maps_of(sae.encode(samples_of(values)), (8, 8))[0, latent].numpy()
        stored = heat.values[pair] / 127 * heat.scale[latent]
        np.testing.assert_allclose(stored, expected, atol=heat.scale[latent] / 127)
        assert stored.max() == pytest.approx(found.pair_value[pair], rel=0.01)


def test_a_vector_has_no_map_of_its_own_and_one_of_what_adds_to_it(made):
    found = shown_frames(made.fc.latents.survey)
    assert latent_maps(made.fc, found) is None
    heat = attribution_maps(made.fc, found)
    assert (heat.kind, heat.hook_point) == ("attribution", "conv_out")
    assert len(heat.values) == len(found.pair_row)
    assert np.abs(heat.values).max() == 127


def test_attribution_is_how_the_latent_follows_the_map(made):
    """All positions together are the slope of the latent as the map is scaled; one position's, as it alone is."""
    network, sae = network_of(made.network), made.fc.trained.sae
    frames = np.asarray(made.cache.frames[:3])
    found = attribute_latents(network, frames, ("conv_out", "fc"), sae, np.array([0, 2]), np.array([5, 11]))

    def latents(scale) -> torch.Tensor:
        kept = {}
        hooks = [
            ("conv_out", lambda activation, hook: activation * scale),
            ("fc", lambda activation, hook: kept.update(fc=activation)),
        ]
        with torch.inference_mode(), network.hooks(hooks):
            network(torch.from_numpy(frames).permute(0, 3, 1, 2))
        return sae.pre_activations(kept["fc"]).double()

    step = 1e-3
    slope = (latents(1 + step) - latents(1 - step)) / (2 * step)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), [slope[0, 5], slope[2, 11]], rtol=0.02, atol=0.01)
    for row, col in ((3, 4), (6, 1)):
        only = torch.zeros(8, 8)
        only[row, col] = step
        slope = (latents(1 + only) - latents(1 - only)) / (2 * step)
        np.testing.assert_allclose(found[:, row, col], [slope[0, 5], slope[2, 11]], rtol=0.05, atol=0.01)


def test_the_map_before_a_hook_point(made):
    network, frame = network_of(made.network), np.asarray(made.cache.frames[:1])
    assert map_before(network, frame, "fc") == "conv_out"
    assert map_before(network, frame, "block2.conv") == "block1.res2"
    with pytest.raises(ValueError, match=r"no map before 'block1.conv'"):
        map_before(network, frame, "block1.conv")


# -- Data ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (15, {"left-down": (-1, -1), "up": (0, 1), "nothing": (0, 0), "right-up": (1, 1), "key-Q": None}),
        (9, {"no-op": (0, 0), "up": (0, 1), "left-down": (-1, -1), "right-up": (1, 1)}),
        (5, {"left": (-1, 0), "stay": (0, 0), "up": (0, 1)}),
        (7, {"action 6": None}),
    ],
)
def test_actions_by_their_number(n, expected):
    actions = actions_of(n)
    assert len({action.name for action in actions}) == len(actions) == n
    steps = {action.name: action.step for action in actions}
    assert expected.items() <= steps.items()
    directions = [step for step in steps.values() if step]
    assert len(set(directions)) == len(directions)


def test_ms_pacmans_actions_are_in_the_emulators_order():
    ale = pytest.importorskip("ale_py")
    del ale
    import gymnasium

    said = gymnasium.make("ALE/MsPacman-v5").unwrapped.get_action_meanings()  # type: ignore[attr-defined]
    plain = {"NOOP": "no-op", "UPRIGHT": "right-up", "UPLEFT": "left-up"}
    plain |= {"DOWNRIGHT": "right-down", "DOWNLEFT": "left-down"}
    assert [action.name for action in actions_of(9)] == [plain.get(name, name.lower()) for name in said]


def test_scripts_hold_any_text_without_markup():
    text = script("receiveTable", {"name": "</script><img src=x onerror=alert(1)>\u2028é"})
    assert "<" not in text
    assert text.isascii()
    assert json.loads(text.removeprefix("procscope.receiveTable(").removesuffix(");\n"))["name"].startswith(
        "</scr"
    )
    with pytest.raises(ValueError, match="Out of range float values"):
        script("receiveTable", {"x": float("nan")})


def test_numbers_keep_what_can_be_seen():
    assert [number(x) for x in (0.123456, 3.0, -1e-7, float("nan"), float("inf"), 123456.7)] == [
        0.1235, 3, -1e-7, None, None, 123500.0,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="one-byte numbers; given float64"):
        packed(np.zeros(3))


# -- Sites --------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(made) -> Path:
    return write_site(made.fc, made.folder / "built", workers=2).parent


def test_a_site_has_a_file_for_every_latent_and_pictures_of_live_ones(made, built):
    survey = made.fc.latents.survey
    live = np.flatnonzero(survey.firings > 0)
    assert 0 < len(live) <= N_LATENTS - DEAD
    assert {path.name for path in (built / "latents").glob("*.js")} == {
        f"{one}.js" for one in range(N_LATENTS)
    }
    assert {path.name for path in (built / "latents").glob("*.webp")} == {f"{one}.webp" for one in live}
    assert not (built / "frames.npy").exists()
    dead = record(built, N_LATENTS - 1)
    assert dead["firings"] == 0
    assert "frames" not in dead


def test_a_latents_record_is_what_was_measured(made, built):
    latents, latent = made.fc.latents, int(np.argmax(made.fc.latents.survey.firings))
    survey, found = latents.survey, record(built, latent)
    assert [found["frames"]["row"][i] for i in found["top"]] == survey.top_frames[latent].tolist()
    labels = made.cache.labels(["episode", "level_seed"]).to_pandas()
    episodes = [found["frames"]["episode"][i] for i in found["top"]]
    assert len(set(episodes)) == len(episodes), "top frames are of different episodes"
    assert found["frames"]["level_seed"] == labels["level_seed"][found["frames"]["row"]].tolist()
    assert found["histogram"] == survey.histogram[latent].tolist()
    assert latents.effects is not None
    np.testing.assert_allclose(found["effects"]["mean"], latents.effects.mean[latent], rtol=1e-3)
    assert len(found["effects"]["by_frame"]) == (~np.isnan(latents.effects.by_frame[latent, :, 0])).sum()
    best = latents.best_label(latent)
    assert best is not None
    assert found["label"]["statement"] == best.statement
    assert found["label"]["precision"] == pytest.approx(best.precision, rel=1e-3)
    assert found["nearest"]["latents"] == latents.nearest.indices[latent].tolist()
    means = survey.cell_means()[latent]
    cells = unpacked(found["cells"]["values"], *means.shape)
    assert ((cells == -1) == np.isnan(means)).all()
    stored = np.where(cells < 0, np.nan, cells / 127 * found["cells"]["maximum"])
    np.testing.assert_allclose(stored, means, atol=found["cells"]["maximum"] / 254 * 1.01)
    sheet = np.asarray(Image.open(built / "latents" / f"{latent}.webp").convert("RGB"))
    frame = np.asarray(made.cache.frames[found["frames"]["row"][9]])
    np.testing.assert_array_equal(sheet[64:128, 64:128], frame)
    assert unpacked(found["heat"]["values"], len(found["frames"]["row"]), 8, 8).any()


def test_the_same_inputs_give_the_same_bytes(made, built):
    again = write_site(made.fc, made.folder / "again", workers=1).parent
    assert tree(again) == tree(built)


def test_a_rebuilt_site_takes_the_place_of_the_old_one_or_leaves_it(made, built, tmp_path, monkeypatch):
    out = tmp_path / "site"
    shutil.copytree(built, out)
    (out / "latents" / "999.js").write_text("of an earlier, wider autoencoder")
    write_site(made.fc, out)
    assert tree(out) == tree(built)

    def fails(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(site_module, "write_sheet", fails)
    with pytest.raises(OSError, match="No space left"):
        write_site(made.fc, out)
    assert tree(out) == tree(built)
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_folder_that_is_no_site_is_left_alone(made, tmp_path):
    (tmp_path / "thesis.tex").write_text("three years")
    for out in (tmp_path, tmp_path / "thesis.tex"):
        with pytest.raises(ValueError, match=r"expected a new folder for the site.*Choose another --out"):
            write_site(made.fc, out)
    assert (tmp_path / "thesis.tex").read_text() == "three years"
    with pytest.raises(ValueError, match="at least 1 worker; given 0"):
        write_site(made.fc, tmp_path / "new", workers=0)


def test_what_is_missing_is_said(made, tmp_path):
    frames = np.zeros((60, 4, 4, 3), np.uint8)
    activations = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    labels = {"episode": np.arange(60) // 5}
    cache = write_cache_with_frames(tmp_path / "cache", {"fc": activations}, frames, labels, 20)
    sae = random_sae(tmp_path / "sae.safetensors", cache, "fc", 12, 3)
    inputs = open_inputs(str(sae), cache=cache.path)
    page = write_site(inputs, tmp_path / "site")
    text = (page.parent / "data" / "overview.js").read_text()
    about = json.loads(text.removeprefix("procscope.receiveOverview(").removesuffix(");\n"))
    said = {one["part"]: one["reason"] for one in about["missing"]}
    assert set(said) == {"network", "map over cells", "meanings", "effects", "heat maps"}
    assert said["heat maps"] == "the network is not known"


def test_pictures_of_an_atlas_of_the_same_latents(made, tmp_path):
    picture = shown(np.full((4, 4, 3), 9, np.uint8), "seed 0")
    trained, settings = made.fc.trained, AtlasSettings(methods=("lucid",))
    other = load_sae(random_sae(tmp_path / "other.safetensors", made.cache, "fc", N_LATENTS, 4, seed=2)).sae
    atlases = {
        "own": Latents("fc", trained.sae, [3, 5]),
        "channels": Channels("fc", [0]),
        "other": Latents("fc", other, [3]),
    }
    for name, units in atlases.items():
        atlas = Atlas(
            model="maze",
            weights_hash=trained.model_hash,
            hook_point="fc",
            units=units.names,
            identities=units.identities,
            settings=settings,
            entries={(unit, "lucid"): AtlasEntry(unit, "lucid", (picture,), 1.5) for unit in units.names},
            n_frames=10,
            classifiers={},
        )
        write_atlas(atlas, tmp_path / "atlas" / name)
    kept = made.folder / "fc.latents.safetensors"
    given = {"cache": made.cache.path, "latents": kept, "model": str(made.network)}
    inputs = open_inputs(str(made.folder / "fc.safetensors"), atlas=tmp_path / "atlas", **given)
    page = write_site(inputs, tmp_path / "site")
    ((made_of_it,), none) = record(page.parent, 3)["atlas"], record(page.parent, 4)["atlas"]
    assert made_of_it["method"] == "lucid"
    assert made_of_it["pictures"] == [[picture.png, "seed 0"]]
    assert none == []
    for name, said in (
        ("channels", "1 units of fc, the first 'channel 0'"),
        ("other", "the first 'latent 3'"),
    ):
        with pytest.raises(ValueError, match=f"expected an atlas of latents of .* {said}"):
            open_inputs(str(made.folder / "fc.safetensors"), atlas=tmp_path / "atlas" / name, **given)
    with pytest.raises(FileNotFoundError, match=r"there is no atlas.json"):
        open_inputs(str(made.folder / "fc.safetensors"), atlas=tmp_path / "none", **given)


# -- Bad input ------------------------------------------------------------------


def refused(capsys, *arguments: str) -> str:
    """What the command says when it ends with status 2."""
    assert main(["sae", "site", *arguments]) == 2
    return capsys.readouterr().err


def test_the_command_measures_once_and_says_where_the_page_is(made, tmp_path, capsys):
    given = ["--sae", str(made.folder / "conv_out.safetensors"), "--model", str(made.network), "--out"]
    given += [str(tmp_path / "site")]
    assert "there are none at" in refused(capsys, *given)
    assert main(["sae", "site", *given, "--cache", made.cache.path]) == 0
    said = capsys.readouterr().out
    assert "measuring 40 latents on 512 frames" in said
    assert said.splitlines()[-1] == str(tmp_path / "site" / "index.html")
    assert (tmp_path / "site.latents.safetensors").is_file()
    assert main(["sae", "site", *given]) == 0
    assert "measuring" not in capsys.readouterr().out


def test_the_command_tells_how_to_mend(made, tmp_path, capsys):
    fc, conv = (str(made.folder / f"{name}.safetensors") for name in ("fc", "conv_out"))
    out, kept = str(tmp_path / "site"), str(made.folder / "fc.latents.safetensors")
    common = ["--sae", fc, "--out", out]
    said = refused(capsys, *common)
    assert "procscope sae site --sae" in said
    assert "procscope analyze sae --sae" in said
    assert "there are no measurements of latents" in refused(
        capsys, *common, "--latents", str(tmp_path / "none")
    )
    assert "expected measurements of latents" in refused(capsys, *common, "--latents", fc)
    said = refused(capsys, "--sae", conv, "--out", out, "--latents", kept)
    assert "of 40 latents at 'fc'" in said
    said = refused(capsys, *common, "--cache", str(tmp_path / "none"))
    assert "there is no activation cache" in said
    latents = LatentMeasurements.load(kept)
    gone = dataclasses.replace(latents, cache=str(tmp_path / "gone")).save(tmp_path / "gone.safetensors")
    said = refused(capsys, *common, "--latents", str(gone))
    assert "which is not there any more. Say where it is now with --cache" in said
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    assert "is something else" in refused(capsys, "--sae", fc, "--out", str(tmp_path / "taken"))
    assert not (tmp_path / "site").exists()


def test_a_changed_cache_is_told_before_a_page_is_made_of_it(made, tmp_path):
    other = random_sae(tmp_path / "other.safetensors", made.cache, "fc", N_LATENTS, 4, seed=2)
    kept = made.folder / "fc.latents.safetensors"
    inputs = open_inputs(str(other), latents=kept, model=str(made.network))
    with pytest.raises(
        ValueError, match=r"expected the activations that were measured.*The cache or the autoencoder"
    ):
        write_site(inputs, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_an_autoencoder_whose_latents_are_all_dead(made, tmp_path):
    path = random_sae(tmp_path / "dead.safetensors", made.cache, "fc", DEAD, 1)
    with pytest.raises(ValueError, match=r"all 3 of .* are dead on the 512 frames"):
        open_inputs(str(path), cache=made.cache.path, model=str(made.network))


def test_measurements_on_another_cache(made, tmp_path):
    small = walked_cache(tmp_path / "small", made.network, frames=128)
    with pytest.raises(ValueError, match=r"512 frames .* has 128 frames"):
        open_inputs(
            str(made.folder / "fc.safetensors"),
            latents=made.folder / "fc.latents.safetensors",
            cache=small.path,
            model=str(made.network),
        )


def test_measurements_of_an_earlier_version(made, tmp_path, monkeypatch):
    def misses(path):
        raise KeyError("latents.lift")

    monkeypatch.setattr(LatentMeasurements, "load", misses)
    with pytest.raises(
        ValueError, match=r"as this version of procscope writes them.*measure again with --cache"
    ):
        open_inputs(str(made.folder / "fc.safetensors"), latents=made.folder / "fc.latents.safetensors")


def test_the_help_teaches(capsys):
    assert main(["sae", "site", "--help"]) == 0
    said = capsys.readouterr().out
    assert "Open OUT/index.html in a browser" in said
    assert "--keep-frames" in said
    assert site.__doc__ is not None


def test_the_sae_is_loaded_with_its_facts(made):
    assert load_sae(made.folder / "fc.safetensors").hook_point == "fc"
