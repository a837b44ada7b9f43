"""The zoo: every shipped network loads and says how it was made; shipping one makes its files and its card."""

import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from procscope.activations.acting import policy_logits
from procscope.agents.evaluate import evaluate
from procscope.agents.imitation.config import ImitationConfig
from procscope.agents.imitation.training import train_imitation
from procscope.workbench import film, plugins
from procscope.workbench.checkpoints import load_network, read_checkpoint
from procscope.workbench.cli import main
from procscope.zoo import card, load, models, names, path
from procscope.zoo.cards import VIDEO_CAPTION, first_stage, stages, train_commands
from procscope.zoo.shipping import losses_agree, ship
from procscope.zoo.video import LARGEST_FILE_BYTES

FIRST = ("maze-easy-anywhere", "maze-easy-corner", "maze-easy-topright")
"""The networks that the first experiments need."""
LARGEST_FILE = 8 * 2**20
SHIPPED = sorted({*FIRST, *plugins.names("procscope.models")})
POLICIES = [
    name
    for name in SHIPPED
    if read_checkpoint(path(name)).header.architecture not in ("reward-network", "sae")
]
"""The others are reward networks and sparse autoencoders: `test_zoo_reward.py`, `test_zoo_sae.py`."""


def test_the_files_are_the_registered_models():
    assert names() == plugins.names("procscope.models") == SHIPPED


@pytest.mark.parametrize("name", POLICIES)
def test_a_shipped_network_loads(name):
    model = load(name)
    assert model.name == name
    assert model.weights_hash == load_network(name).weights_hash, "by its registered name too"
    assert not model.network.training
    assert all(weights.dtype == torch.float32 for weights in model.network.parameters())
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    logits = policy_logits(model.network, frames)
    assert logits.shape == (2, 15)
    assert np.isfinite(logits).all()
    assert (logits[0] != logits[1]).any()


@pytest.mark.parametrize("name", POLICIES)
def test_a_card_says_how_its_network_was_made_and_how_it_plays(name):
    header, text = read_checkpoint(path(name)).header, card(name)
    assert text.startswith(f"# {name}\n")
    for command in train_commands(name, header.training):
        assert command in text
    for word in ("## Success", "## Limits", " ".join(header.variant), "Wilson", f"procscope evaluate {name}"):
        assert word in text
    assert header.metrics, "its measured success is in the file"
    for value, low, high, n in header.metrics.values():
        assert 0 <= low <= value <= high <= 1
        assert n >= 1000
        assert f"{100 * value:.1f}% [{100 * low:.1f}, {100 * high:.1f}], n = {n:,}" in text
    assert header.level_seeds is not None
    assert header.level_seeds[1] <= 10**8, "training levels are no test levels"
    assert len(first_stage(header.training)["first_losses"]) == 100
    for stage in stages(header.training):
        ImitationConfig(**stage["config"])
    rows = path(name).with_suffix(".curve.csv").read_text().splitlines()
    assert len(rows) > 10


@pytest.mark.parametrize("name", POLICIES)
def test_files_are_small(name):
    files = list(path(name).parent.glob(f"{name}.*"))
    kinds = {file.name.removeprefix(name) for file in files}
    assert kinds - {".film"} == {".safetensors", ".md", ".curve.csv", ".gif"}
    stills = path(name).with_suffix(".film").glob("*.safetensors")
    assert all(file.stat().st_size <= LARGEST_FILE for file in (*files, *stills))
    assert path(name).with_suffix(".gif").stat().st_size < LARGEST_FILE_BYTES


@pytest.mark.parametrize("name", POLICIES)
def test_a_card_shows_its_video(name):
    assert f"![play]({name}.gif)\n\n{VIDEO_CAPTION}\n" in card(name)
    with Image.open(path(name).with_suffix(".gif")) as video:
        assert video.format == "GIF"
        assert video.n_frames > 10


@pytest.fixture(scope="module")
def shipped(tiny_run, tmp_path_factory):
    """The folder of a zoo that holds the tiny run alone, shipped as `tiny-topright`."""
    folder = tmp_path_factory.mktemp("zoo")
    distributions = [("cheese-top-right", "mouse-anywhere"), ()]
    ship(
        "tiny-topright",
        tiny_run,
        folder,
        distributions,
        summary="A tiny one.",
        episodes=2,
        stills=2,
    )
    return folder


@pytest.fixture
def zoo(shipped, monkeypatch):
    monkeypatch.setattr(models, "_folder", lambda: shipped)
    return shipped


def test_shipping_keeps_the_network_and_measures_it(zoo, tiny_run):
    assert names() == ["tiny-topright"]
    model = load("tiny-topright")
    with safe_open(path("tiny-topright"), framework="pt") as file:
        assert {file.get_tensor(key).dtype for key in file.keys()} == {torch.float16}  # noqa: SIM118
    trained = read_checkpoint(tiny_run / "network.safetensors")
    for name, weights in model.network.state_dict().items():
        torch.testing.assert_close(weights, trained.tensors[name], rtol=1e-3, atol=1e-6)
    assert set(model.header.metrics) == {
        f"success/{levels}/{actions}"
        for levels in ("cheese-top-right mouse-anywhere", "unedited")
        for actions in ("sampled", "greedy")
    }
    again = evaluate(model.network, variants=("cheese-top-right", "mouse-anywhere"), episodes=2).success
    assert model.header.metrics["success/cheese-top-right mouse-anywhere/sampled"] == tuple(again)
    text = card("tiny-topright")
    assert "A tiny one." in text
    rows = re.findall(r"^\| .* \| (?:sampled|greedy) \| .* \| (.*?) \|$", text, flags=re.MULTILINE)
    failed = [2 - round(2 * share) for share, *_ in model.header.metrics.values()]
    assert [sum(map(int, ends.split(" / "))) for ends in rows] == failed, "every failure ended somewhere"
    assert train_commands("tiny-topright", model.header.training)[0] in text
    assert (zoo / "tiny-topright.curve.csv").read_bytes() == (tiny_run / "curve.csv").read_bytes()
    assert "| 3,072 |" in text, "the last round of the curve"


def test_a_film_ships_with_its_network(zoo, monkeypatch):
    monkeypatch.setattr(film, "checkpoint_path", path)
    stills = film.film("tiny-topright")
    assert [still.frames for still in stills] == [0, 2048, 3072]
    assert stills[-1].path == path("tiny-topright")
    hashes = {load_network(still.path).weights_hash for still in stills}
    assert len(hashes) == 3, "each is another network"


def test_an_unknown_name_suggests_the_nearest(zoo):
    for function in (path, load, card):
        with pytest.raises(
            ValueError, match=r"unknown zoo model 'tiny-toprigth'\. Did you mean tiny-topright"
        ):
            function("tiny-toprigth")
    assert main(["zoo", "show", "tiny-toprigth"]) == 2


def test_the_commands_list_and_show(zoo, capsys):
    assert main(["zoo", "list"]) == 0
    listed = capsys.readouterr().out
    assert listed.startswith("tiny-topright\n")
    assert listed.count("n = 2") == 4
    assert main(["zoo", "show", "tiny-topright"]) == 0
    shown, written = capsys.readouterr().out.strip(), card("tiny-topright").strip()
    video = path("tiny-topright").with_suffix(".gif")
    assert shown == written.replace("![play](tiny-topright.gif)", f"How it plays: {video}") != written
    assert video.is_file()


def test_the_command_checks_the_first_losses(zoo, capsys):
    assert main(["zoo", "check", "tiny-topright", "--losses", "3"]) == 0
    assert "first 3 losses identical" in capsys.readouterr().out
    assert losses_agree({"first_losses": [1.0, 2.0, 3.0]}, [1.0, 2.5]) == (False, 0.5)


@pytest.mark.slow
def test_a_network_trained_on_from_a_shipped_one_tells_of_every_stage(zoo, tiny_options, tmp_path):
    changes = {"start_from": str(path("tiny-topright")), "static_rounds": 0.0, "seed": 3}
    train_imitation(ImitationConfig(**tiny_options | changes), tmp_path / "run")
    ship("further", tmp_path / "run", tmp_path, [()], summary="Further.", episodes=2)
    first = ImitationConfig(**tiny_options).seed
    training = read_checkpoint(tmp_path / "further.safetensors").header.training
    assert [stage["config"]["seed"] for stage in stages(training)] == [first, 3]
    text = (tmp_path / "further.md").read_text()
    assert f"| seed | {first}, then 3 |" in text
    before = (zoo / "tiny-topright.curve.csv").read_text().splitlines()
    joined = (tmp_path / "further.curve.csv").read_text().splitlines()
    assert joined[: len(before)] == before
    frames = [int(row.split(",")[1]) for row in joined[1:]]
    assert frames == sorted(frames)
    assert frames[-1] == 2 * int(before[-1].split(",")[1])


def test_shipping_needs_a_network(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        ship("none", tmp_path, tmp_path, [()], summary="")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", POLICIES)
def test_a_shipped_networks_first_losses_come_again(name, capsys):
    """On the kind of machine that it was trained on to the last bit, elsewhere nearly."""
    from procscope.agents.imitation.training import first_losses

    training = first_stage(read_checkpoint(path(name)).header.training)
    measured = first_losses(ImitationConfig(**training["config"]), 20)
    _, largest = losses_agree(training, measured)
    assert largest < 1e-3


def test_a_damaged_file_is_refused(zoo, tmp_path, monkeypatch):
    shutil.copytree(zoo, tmp_path / "zoo")
    monkeypatch.setattr(models, "_folder", lambda: tmp_path / "zoo")
    raw = bytearray(path("tiny-topright").read_bytes())
    raw[-5] ^= 1
    path("tiny-topright").write_bytes(raw)
    with pytest.raises(ValueError, match="is damaged"):
        load("tiny-topright")


def test_the_commands_of_a_training_in_two_stages_by_hand():
    """The second starts where the first, stopped early, ended up; both say all that the command line can."""
    config = {
        "variant": ["no-cheese", "mouse-anywhere"],
        "mode": "hard",
        "network_options": {"widths": [4, 5, 6]},
    }
    config |= {"static_rounds": 1.0, "frames": 3072, "round_frames": 1024, "seed": 3}
    first = {"config": config, "frames": 2048}
    second = {"config": config | {"static_rounds": 0.25}, "frames": 3072, "started_from": first}
    common = "--variant no-cheese mouse-anywhere --mode hard --widths 4 5 6"
    assert train_commands("x", second) == [
        f"procscope train imitation --out training/x-stage1 {common} --static-rounds 1 --frames 3072 --seed 3 "
        "--no-ahead --max-rounds 2",
        f"procscope train imitation --out training/x {common} --start-from training/x-stage1/network.safetensors "
        "--static-rounds 0.25 --frames 3072 --seed 3 --no-ahead",
    ]


def test_the_command_of_a_training_names_all_that_is_not_the_default():
    config = {"variant": [], "mode": "easy", "network": "drc", "network_options": {}, "game": "heist"}
    config |= {"static_rounds": 0.4, "frames": 3072, "round_frames": 1024, "seed": 0, "ahead": True}
    config |= {"batch_norm": True, "peak_learning_rate": 5e-4, "own_share": 0.25, "remembered_share": 0.5}
    assert train_commands("x", {"config": config, "frames": 3072}) == [
        "procscope train imitation --out training/x --game heist --network drc --static-rounds 0.4 --frames 3072 "
        "--seed 0 --own-share 0.25 --remembered-share 0.5 --learning-rate 0.0005 --batch-norm"
    ]
