"""Imports from other code bases: files in their layouts, made here, against their forward passes written anew."""

import json
import os
import zipfile
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from procscope.agents.importers.importing import import_checkpoint, import_network
from procscope.workbench.checkpoints import load_network
from procscope.workbench.cli import main
from procscope.workbench.foreign_weights import read_foreign_weights

FRAMES = torch.randint(0, 256, (5, 3, 64, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)

#: Folder with third-party Ms. Pac-Man agents, for a test that is skipped without it.
PACMAN_AGENTS = os.environ.get("PROCSCOPE_PACMAN_DQN")


def drawn(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights of some layers, of a size that keeps the signal's."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in shapes.items():
        fan_in = int(np.prod(shape[1:]))
        tensors[f"{name}.weight"] = torch.randn(shape, generator=generator) * (1.5 / fan_in) ** 0.5
        tensors[f"{name}.bias"] = torch.randn(shape[0], generator=generator) * 0.1
    return tensors


def conv(weights: dict[str, torch.Tensor], name: str, x: torch.Tensor, **options) -> torch.Tensor:
    return F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **options)


def linear(weights: dict[str, torch.Tensor], name: str, x: torch.Tensor) -> torch.Tensor:
    return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


# --- train-procgen-pytorch and procgen-tools: as in common/model.py and common/policy.py of the former


def train_procgen_weights(widths=(4, 5, 6), hidden=7, actions=15) -> dict[str, torch.Tensor]:
    shapes, width_in = {}, 3
    for number, width in enumerate(widths, start=1):
        shapes[f"embedder.block{number}.conv"] = (width, width_in, 3, 3)
        for res in (1, 2):
            for inner in (1, 2):
                shapes[f"embedder.block{number}.res{res}.conv{inner}"] = (width, width, 3, 3)
        width_in = width
    shapes |= {"embedder.fc": (hidden, widths[2] * 64)}
    return drawn(shapes | {"fc_policy": (actions, hidden), "fc_value": (1, hidden)})


def train_procgen_forward(weights, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = frames / 255.0
    for block in ("block1", "block2", "block3"):
        x = conv(weights, f"embedder.{block}.conv", x, padding=1)
        x = F.max_pool2d(x, kernel_size=3, stride=2, padding=1)
        for res in ("res1", "res2"):
            out = conv(weights, f"embedder.{block}.{res}.conv1", torch.relu(x), padding=1)
            x = conv(weights, f"embedder.{block}.{res}.conv2", torch.relu(out), padding=1) + x
    x = torch.relu(x)
    x = x.reshape(len(x), -1)
    x = torch.relu(linear(weights, "embedder.fc", x))
    return linear(weights, "fc_policy", x), linear(weights, "fc_value", x).reshape(-1)


# --- cleanrl: as in cleanrl/ppo_procgen.py, frames [batch, row, col, rgb]


def cleanrl_weights(widths=(4, 5, 6), hidden=7, actions=15) -> dict[str, torch.Tensor]:
    shapes, width_in = {}, 3
    for number, width in enumerate(widths):
        shapes[f"network.{number}.conv"] = (width, width_in, 3, 3)
        for block in (0, 1):
            for inner in (0, 1):
                shapes[f"network.{number}.res_block{block}.conv{inner}"] = (width, width, 3, 3)
        width_in = width
    shapes |= {"network.5": (hidden, widths[2] * 64), "actor": (actions, hidden), "critic": (1, hidden)}
    return drawn(shapes, seed=1)


def cleanrl_forward(weights, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = frames.permute((0, 3, 1, 2)) / 255.0
    for sequence in ("network.0", "network.1", "network.2"):
        x = F.max_pool2d(conv(weights, f"{sequence}.conv", x, padding=1), kernel_size=3, stride=2, padding=1)
        for block in ("res_block0", "res_block1"):
            inputs = x
            x = conv(weights, f"{sequence}.{block}.conv0", F.relu(x), padding=1)
            x = conv(weights, f"{sequence}.{block}.conv1", F.relu(x), padding=1) + inputs
    x = F.relu(linear(weights, "network.5", F.relu(nn.Flatten()(x))))
    return linear(weights, "actor", x), linear(weights, "critic", x).flatten()


# --- the Ms. Pac-Man study


def pacman_weights() -> dict[str, torch.Tensor]:
    weights = drawn(
        {"conv1": (16, 3, 9, 9), "conv2": (32, 16, 9, 9), "conv3": (64, 32, 6, 6)}
        | {"fc1": (512, 960), "fc2": (512, 512), "fc3": (9, 512)},
        seed=2,
    )
    weights["conv1.weight"] /= 100
    return weights


def pacman_forward(weights, frames: torch.Tensor) -> torch.Tensor:
    x = F.max_pool2d(F.relu(conv(weights, "conv1", frames, stride=2)), 2, 2)
    x = F.relu(conv(weights, "conv2", x, stride=3))
    x = F.relu(conv(weights, "conv3", x, stride=2))
    x = F.relu(linear(weights, "fc1", torch.flatten(x, 1)))
    return linear(weights, "fc3", F.relu(linear(weights, "fc2", x)))


@torch.no_grad()
def imported_output(path: Path, out: Path, frames: torch.Tensor = FRAMES):
    import_checkpoint(path, out, environment={"game": "maze", "mode": "hard"}, variant=("cheese-top-right",))
    return load_network(out).network(frames)


@pytest.mark.parametrize("entry", ["state_dict", "model_state_dict", None])
@torch.no_grad()
def test_train_procgen_and_procgen_tools(tmp_path, entry):
    weights = train_procgen_weights()
    optimiser = {
        "state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(2)}},
        "param_groups": [{"lr": 5e-4}],
    }
    content = {entry: weights, "optimizer_state_dict": optimiser} if entry else weights
    torch.save(content, tmp_path / "model_200015872.pth")
    output = imported_output(tmp_path / "model_200015872.pth", tmp_path / "out.safetensors")
    logits, value = train_procgen_forward(weights, FRAMES)
    torch.testing.assert_close(output.logits, logits)
    torch.testing.assert_close(output.value, value)
    assert logits.std(dim=0).min() > 0, "the outputs depend on the frame"
    assert value.std() > 0
    header = load_network(tmp_path / "out.safetensors").header
    assert (header.architecture, header.options["widths"]) == ("impala", (4, 5, 6))
    assert header.environment == {"game": "maze", "mode": "hard"}
    assert header.variant == ("cheese-top-right",)
    assert header.training["file"] == "model_200015872.pth"
    assert header.training["method"] == "imported from layout train-procgen"


@pytest.mark.parametrize("wrapper", ["", "module.", "_orig_mod.module."])
@torch.no_grad()
def test_cleanrl(tmp_path, wrapper):
    weights = cleanrl_weights()
    torch.save(
        {f"{wrapper}{name}": value for name, value in weights.items()}, tmp_path / "agent.cleanrl_model"
    )
    output = imported_output(tmp_path / "agent.cleanrl_model", tmp_path / "out.safetensors")
    logits, value = cleanrl_forward(weights, FRAMES.permute(0, 2, 3, 1))
    torch.testing.assert_close(output.logits, logits)
    torch.testing.assert_close(output.value, value)


@torch.no_grad()
def test_widths_are_those_of_the_file(tmp_path):
    torch.save(train_procgen_weights((64, 128, 128), 256), tmp_path / "wide.pth")
    imported = import_network(tmp_path / "wide.pth")
    assert imported.options == {"widths": [64, 128, 128], "hidden": 256, "n_actions": 15}


class FrameGame(gymnasium.Env):
    """Something with Procgen's spaces, for Stable-Baselines3 to build a policy for."""

    observation_space = gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(15)

    def reset(self, *, seed=None, options=None):
        return np.zeros((64, 64, 3), np.uint8), {}

    def step(self, action):
        return np.zeros((64, 64, 3), np.uint8), 0.0, True, False, {}


def sb3_model(**policy_options):
    from stable_baselines3 import PPO

    return PPO(
        "CnnPolicy", FrameGame(), n_steps=8, batch_size=8, seed=0, device="cpu", policy_kwargs=policy_options
    )


@torch.no_grad()
def test_stable_baselines3(tmp_path):
    """Against Stable-Baselines3 itself."""
    model = sb3_model()
    model.save(tmp_path / "model.zip")
    output = imported_output(tmp_path / "model.zip", tmp_path / "out.safetensors")
    distribution = model.policy.get_distribution(FRAMES)
    torch.testing.assert_close(output.logits.log_softmax(1), distribution.distribution.logits)
    torch.testing.assert_close(output.value, model.policy.predict_values(FRAMES)[:, 0])
    assert output.value.std() > 0
    actions, _ = model.predict(FRAMES.permute(0, 2, 3, 1).numpy(), deterministic=True)
    assert actions.tolist() == output.logits.argmax(1).tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share_features_extractor": False}, "policy and value each have layers of their own"),
        ({"net_arch": [8]}, "none of the layouts .*sb3-cnn-policy.*first tensors: .*cnn.0.weight"),
        ({"normalize_images": False}, "normalize_images=False"),
    ],
)
def test_policies_of_stable_baselines3_that_compute_something_else(tmp_path, options, message):
    from stable_baselines3.common.save_util import save_to_zip_file

    # PPO itself refuses policies for uint8 pictures that do not scale them: such an archive only says so.
    policy = sb3_model(
        **{name: value for name, value in options.items() if name != "normalize_images"}
    ).policy
    data = {"policy_kwargs": options}
    save_to_zip_file(tmp_path / "model.zip", data=data, params={"policy": policy.state_dict()})
    with pytest.raises(ValueError, match=f"(?s){message}"):
        import_network(tmp_path / "model.zip")


@torch.no_grad()
def test_ms_pacman(tmp_path):
    weights = pacman_weights()
    save_file(weights, tmp_path / "run00.safetensors")
    frames = torch.randint(
        0, 256, (2, 3, 210, 160), generator=torch.Generator().manual_seed(3), dtype=torch.uint8
    )
    output = imported_output(tmp_path / "run00.safetensors", tmp_path / "out.safetensors", frames)
    expected = pacman_forward(weights, frames.float())
    torch.testing.assert_close(output.logits, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(output.value, expected.max(1).values, rtol=1e-4, atol=1e-4)
    assert load_network(tmp_path / "out.safetensors").header.environment == {"game": "ms-pacman"}


@pytest.mark.skipif(
    PACMAN_AGENTS is None, reason="PROCSCOPE_PACMAN_DQN names no folder with third-party agents"
)
@torch.no_grad()
def test_third_party_ms_pacman_agents(tmp_path):
    paths = sorted(Path(str(PACMAN_AGENTS)).glob("*.safetensors"))
    assert paths
    frames = torch.randint(
        0, 256, (2, 3, 210, 160), generator=torch.Generator().manual_seed(3), dtype=torch.uint8
    )
    for path in paths:
        output = imported_output(path, tmp_path / path.name, frames)
        expected = pacman_forward(read_foreign_weights(path), frames.float())
        torch.testing.assert_close(output.logits, expected, rtol=1e-3, atol=1e-3)
        assert sum(p.numel() for p in load_network(tmp_path / path.name).network.parameters()) == 878_505


def test_an_unknown_layout_is_refused_with_those_known_and_the_first_names(tmp_path):
    recurrent = train_procgen_weights() | {"gru.gru.weight_ih_l0": torch.zeros(21, 7)}
    for name, content in {
        "layers": {"a.weight": torch.zeros(2), "b.c": torch.zeros(1)},
        "recurrent": recurrent,
    }.items():
        torch.save(content, tmp_path / f"{name}.pth")
        with pytest.raises(ValueError, match="none of the layouts that can be imported") as caught:
            import_network(tmp_path / f"{name}.pth")
        message = str(caught.value)
        for layout in ("train-procgen:", "cleanrl:", "sb3-cnn-policy:", "pacman-dqn:"):
            assert layout in message
        assert ", ".join(list(content)[:2]) in message


def test_sizes_for_other_frames_are_refused(tmp_path):
    weights = train_procgen_weights()
    weights["embedder.fc.weight"] = torch.zeros(7, 6 * 11 * 11)  # 84x84 frames
    torch.save(weights, tmp_path / "atari.pth")
    with pytest.raises(
        ValueError, match=r"weights_fc.weight has shape \(7, 726\) where impala has \(7, 384\)"
    ):
        import_network(tmp_path / "atari.pth")


class Evil:
    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_nothing_in_a_file_is_run(tmp_path):
    marker = tmp_path / "marker"
    torch.save({"state_dict": train_procgen_weights(), "hparams": Evil(marker)}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="could run code and is refused"):
        import_network(tmp_path / "evil.pth")
    torch.save({"features_extractor.cnn.0.weight": Evil(marker)}, tmp_path / "policy.pth")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("data", "{}")
        archive.write(tmp_path / "policy.pth", "policy.pth")
    with pytest.raises(ValueError, match="could run code and is refused"):
        import_network(tmp_path / "evil.zip")
    assert not marker.exists()
    torch.load(tmp_path / "evil.pth", weights_only=False)
    assert marker.exists(), "the file would have done harm"


def test_pickled_objects_beside_the_weights_of_an_archive_are_not_looked_at(tmp_path):
    """Stable-Baselines3 pickles the policy class and more into `data`, and unpickles it when it loads a file."""
    import base64
    import pickle

    marker, model = tmp_path / "marker", sb3_model()
    model.save(tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    data = json.loads(contents["data"])
    data["policy_class"][":serialized:"] = base64.b64encode(pickle.dumps(Evil(marker))).decode()
    contents["data"] = json.dumps(data).encode()
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    assert import_network(tmp_path / "evil.zip").architecture == "nature-cnn"
    assert not marker.exists()


@pytest.mark.parametrize(
    "content", [{"data": b"{}"}, {"policy.pth": b"", "data": b"no json"}, {"policy.pth": b""}]
)
def test_damaged_files(tmp_path, content):
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        for name, part in content.items():
            archive.writestr(name, part)
    with pytest.raises(ValueError, match="damaged"):
        import_network(tmp_path / "model.zip")
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="no safetensors file"):
        import_network(tmp_path / "model.safetensors")
    with pytest.raises(FileNotFoundError):
        import_network(tmp_path / "nothing.pth")


def test_command(tmp_path, capsys):
    torch.save({"state_dict": train_procgen_weights()}, tmp_path / "model.pth")
    file, out = str(tmp_path / "model.pth"), str(tmp_path / "out.safetensors")
    assert main(["model", "import", file, "--out", out, "--mode", "hard"]) == 0
    printed = capsys.readouterr().out
    assert "layout train-procgen" in printed
    assert "impala, widths [4, 5, 6], hidden 7, n_actions 15; 6,228 parameters" in printed
    assert load_network(out).header.environment == {"game": "maze", "mode": "hard"}
    assert main(["model", "import", file, "--out", out, "--game", "mase"]) == 2
    assert main(["model", "import", file, "--out", out, "--variant", "cheese-top-rigth"]) == 2
    assert "Did you mean cheese-top-right" in capsys.readouterr().err
