"""Reward networks of the zoo: each loads and its card says what was measured; shipping one makes its files."""

import numpy as np
import pytest

from procscope.rewardnets.config import RewardConfig
from procscope.rewardnets.predict import predicted_rewards
from procscope.rewardnets.scores import score
from procscope.rewardnets.training import data_hash, train_reward
from procscope.rewardnets.transitions import Transitions, build_transitions
from procscope.workbench.checkpoints import load_network, read_checkpoint
from procscope.workbench.cli import main
from procscope.zoo import card, load, names, path
from procscope.zoo.reward_cards import train_command
from procscope.zoo.reward_shipping import ship_reward

SHIPPED = [name for name in names() if read_checkpoint(path(name)).header.architecture == "reward-network"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_reward_network_loads_and_its_card_says_how_well_it_predicts(name):
    model = load(name)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 2, 64, 64, 3), dtype=np.uint8)
    rewards = predicted_rewards(model.network, *pictures)
    assert rewards.shape == (2, 15)
    assert np.isfinite(rewards).all()
    found, text = model.header.metrics, card(name)
    assert text.startswith(f"# {name}\n")
    assert train_command(name, model.header) in text
    assert f"{found['test_loss']:.3f}, {found['test_loss'] / found['test_floor']:.3f} of the" in text
    assert found["test_loss"] < 0.5 * found["test_floor"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A tiny training of a reward network, and its transitions."""
    directory = tmp_path_factory.mktemp("reward")
    build_transitions(
        "maze",
        directory / "data",
        n_transitions=192,
        actor="expert",
        noise=0.1,
        keep_unrewarded=0.2,
        num_envs=8,
    )
    data = Transitions.open(directory / "data")
    options = {"width": 1 / 48, "shrink": 4, "inputs": "both", "per_action": True}
    config = RewardConfig(data_hash=data_hash(data), network_options=options, epochs=1, batch_size=32)
    train_reward(config, data, directory / "run")
    return directory


def test_shipping_measures_on_levels_not_trained_on(run, tmp_path, capsys):
    shipping = ["zoo", "add", "tiny", "--run", str(run / "run"), "--summary", "A tiny one."]
    assert main([*shipping, "--transitions", str(run / "data"), "--folder", str(tmp_path)]) == 0
    model = load_network(tmp_path / "tiny.safetensors")
    again = score(model.network, Transitions.open(run / "data"))
    assert model.header.metrics["test_loss"] == pytest.approx(again.loss)
    assert model.header.metrics["test_floor"] == pytest.approx(again.floor)
    text = (tmp_path / "tiny.md").read_text()
    for words in ("A tiny one.", f"{again.loss:.3f}", "goal reached", "of them rewarded", "## Limits"):
        assert words in text
    assert "--width 0.0208333 --shrink 4" in text
    assert main(shipping) == 2
    assert "expected one of --variants for a policy, --transitions" in capsys.readouterr().err


def test_other_transitions_are_refused(run, tmp_path):
    build_transitions("maze", tmp_path / "other", n_transitions=16, actor="random", num_envs=4, seed=1)
    with pytest.raises(ValueError, match=r"expected the transitions that .* was trained on"):
        ship_reward("tiny", run / "run", tmp_path / "other", tmp_path, summary="")
