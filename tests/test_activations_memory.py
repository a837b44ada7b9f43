"""Networks with a memory, played and read at the side of many games: the same as one game at a time, frame by frame."""

import dataclasses

import numpy as np
import pytest
import torch
from tiny_policy import TinyPolicy

from procscope.activations.actors import NetworkActor, Seen
from procscope.activations.block_maker import BlockMaker
from procscope.activations.cache import ActivationCache
from procscope.activations.cache_verify import compare_caches
from procscope.activations.collect import CacheConfig, build_cache
from procscope.activations.hooks import hook_modules
from procscope.activations.memory import PolicyMemory, is_recurrent
from procscope.agents.episodes import play_episodes, policy
from procscope.agents.evaluate import evaluate_model
from procscope.agents.networks.drc import Drc
from procscope.envs.engine import ALL_SEEDS, Engine, EngineOptions
from procscope.envs.starting_states import starting_states
from procscope.workbench.checkpoints import CheckpointHeader, load_network, save_checkpoint

OPTIONS = {"channels": 3, "layers": 2, "ticks": 2, "hidden": 8, "map_size": 8}
STEPS = 20
SMALL_MAZES = ("size-up-to:3", "cheese-anywhere")


def make() -> Drc:
    """A network whose choices depend on what it remembers."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        network = Drc(**OPTIONS)
        with torch.no_grad():
            network.policy_head.weight.mul_(10)
    return network


@pytest.fixture(scope="module")
def network() -> Drc:
    return make()


@pytest.fixture(scope="module")
def states() -> list[bytes]:
    return starting_states("maze", range(10**9, 10**9 + 8), variants=SMALL_MAZES)


@torch.no_grad()
def one_by_one(
    network: Drc, states: list[bytes], seed: int, greedy: bool, forgets: bool = False
) -> list[tuple[bool, int]]:
    """Success and steps of each episode, played alone, the state handed on by hand."""
    engine = Engine(EngineOptions("maze", level_seeds=ALL_SEEDS, num_threads=1))
    rng, found = np.random.default_rng(seed), []
    for start in states:
        noise = rng.gumbel(size=(STEPS, 15)).astype(np.float32)
        engine.set_states([start])
        state = network.initial_state(1)
        for step in range(STEPS):
            output = network(torch.from_numpy(engine.frames).permute(0, 3, 1, 2), state)
            state = state if forgets else output.state
            engine.act((output.logits.numpy() + (0 if greedy else noise[step])).argmax(axis=1))
            if engine.first[0] or step == STEPS - 1:
                found.append((bool(engine.first[0] and engine.ended_complete[0]), step + 1))
                break
    engine.close()
    return found


@pytest.mark.parametrize("greedy", [False, True])
def test_episodes_are_those_of_one_game_after_the_other(network, states, greedy):
    expected = one_by_one(network, states, 5, greedy)
    for games in (3, 64):
        played = play_episodes(policy(network), states, seed=5, greedy=greedy, max_steps=STEPS, games=games)
        assert list(zip(played.success.tolist(), played.steps.tolist(), strict=True)) == expected
    if not greedy:  # whose best action is mostly one and the same
        assert one_by_one(network, states, 5, greedy, forgets=True) != expected, "its memory matters"


def test_a_checkpoint_is_evaluated(network, tmp_path):
    header = CheckpointHeader("drc", OPTIONS, environment={"game": "maze", "mode": "easy"})
    save_checkpoint(tmp_path / "drc.safetensors", network, header)
    found = evaluate_model(
        load_network(tmp_path / "drc.safetensors"), variants=SMALL_MAZES, episodes=6, max_steps=STEPS
    )
    states = starting_states("maze", range(10**9, 10**9 + 6), variants=SMALL_MAZES)
    expected = one_by_one(network, states, 0, False)
    assert list(zip(found.episodes.success.tolist(), found.episodes.steps.tolist(), strict=True)) == expected


@pytest.fixture
def config(network) -> CacheConfig:
    return CacheConfig(
        network,
        ("state_in", "fc"),
        n_frames=180,
        variants=SMALL_MAZES,
        num_envs=4,
        block_frames=96,
        keep_frames=True,
        dtype="float32",
    )


@torch.no_grad()
def check_every_row(cache: ActivationCache, network: Drc) -> int:
    """Every episode's rows against the network on its frames in a row; gives the episodes that begin and end."""
    rows, frames = cache.labels().to_pandas(), cache.frames[:]
    stored, units = cache.activations("state_in")[:], cache.activations("fc")[:]
    for _, episode in rows.groupby("episode", sort=False):
        assert episode["step"].iloc[0] == 0
        state = network.initial_state(1)
        for index, row in episode.iterrows():
            np.testing.assert_allclose(stored[index], state[0], atol=1e-4)
            frame = torch.from_numpy(frames[index : index + 1]).permute(0, 3, 1, 2)
            output, seen = network.run_with_cache(frame, state, names_filter=["fc"])
            np.testing.assert_allclose(units[index], seen["fc"][0], rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(row["logits"], output.logits[0], rtol=1e-4, atol=1e-3)
            assert row["value"] == pytest.approx(float(output.value), abs=1e-4)
            state = output.state
    return int(rows["done"].sum())


@pytest.mark.parametrize("actor", [None, "expert"])
def test_rollouts_carry_the_memory_of_each_game(config, network, tmp_path, actor):
    """Whoever acts: the network itself, or another beside which it is read."""
    cache = build_cache(dataclasses.replace(config, actor=actor), tmp_path / "c")
    assert check_every_row(cache, network) >= 2, "some episodes end within a block and others begin"
    assert cache.activations("state_in").shape == (180, 2, 2, 3, 8, 8)


def test_an_actor_with_a_memory_beside_a_network_without(network, tmp_path):
    """What it does is what the network does that is read and acts at once."""
    save_checkpoint(tmp_path / "drc.safetensors", network, CheckpointHeader("drc", OPTIONS))
    common = {"n_frames": 96, "variants": SMALL_MAZES, "num_envs": 4, "block_frames": 48, "greedy": True}
    torch.manual_seed(0)
    beside = build_cache(
        CacheConfig(TinyPolicy(), ("units",), actor=str(tmp_path / "drc.safetensors"), **common),
        tmp_path / "a",
    )
    itself = build_cache(CacheConfig(network, ("fc",), **common), tmp_path / "b")
    for name in ("action", "level_seed", "step"):
        assert beside.labels([name]).equals(itself.labels([name]))


def test_blocks_begin_with_an_empty_memory_and_an_interruption_does_not_show(config, tmp_path, monkeypatch):
    whole = build_cache(config, tmp_path / "whole")
    rows, stored = whole.labels(["step"]).to_pandas(), whole.activations("state_in")[:]
    begins = np.flatnonzero(rows["step"] == 0)
    assert {0, 96} <= set(begins.tolist())
    assert (stored[begins] == 0).all()
    assert (abs(np.delete(stored, begins, axis=0)).reshape(180 - len(begins), -1).max(axis=1) > 0).all()
    make_block = BlockMaker.make

    def stop_at_block_1(self, block):
        if block == 1:
            raise KeyboardInterrupt
        return make_block(self, block)

    with monkeypatch.context() as patch:
        patch.setattr(BlockMaker, "make", stop_at_block_1)
        with pytest.raises(KeyboardInterrupt):
            build_cache(config, tmp_path / "stopped")
    build_cache(config, tmp_path / "stopped")
    assert compare_caches(tmp_path / "whole", tmp_path / "stopped") == []


@torch.no_grad()
def test_a_single_frame_is_a_first_step_from_an_empty_memory(config, network, tmp_path):
    static = dataclasses.replace(
        config, sample="static", placement="anywhere", n_frames=70, block_frames=None
    )
    cache = build_cache(static, tmp_path / "c")
    frames = torch.from_numpy(cache.frames[:]).permute(0, 3, 1, 2)
    expected = network(frames, network.initial_state(70)).logits
    np.testing.assert_allclose(
        np.stack(cache.labels(["logits"]).to_pandas()["logits"]), expected, rtol=1e-4, atol=1e-3
    )
    assert (cache.activations("state_in")[:] == 0).all()


def test_games_that_are_not_asked_about_stand_still(network):
    frames = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    for given in (network, hook_modules(network, ["weights_fc"])):
        memory = PolicyMemory(given, 3)
        assert memory.state is not None
        memory.logits(frames, np.ones(3, bool))
        before = memory.state.clone()
        alone = memory.logits(frames[[2]], np.array([False]), np.array([2]))
        changed = (memory.state != before).flatten(1).any(dim=1)
        assert changed.tolist() == [False, False, True]
        with torch.no_grad():
            expected = network(torch.from_numpy(frames[[2]]).permute(0, 3, 1, 2), before[[2]])
        np.testing.assert_allclose(alone, expected.logits, rtol=1e-4, atol=1e-3)


def test_who_has_a_memory_must_know_what_begins(network):
    assert is_recurrent(network)
    assert is_recurrent(hook_modules(network, ["weights_fc"]))
    assert not is_recurrent(TinyPolicy())
    frames = np.zeros((2, 64, 64, 3), np.uint8)
    with pytest.raises(
        ValueError, match=r"must be told which frames are the first .* Seen\(\.\.\., first=\.\.\.\)"
    ):
        NetworkActor(network, "").act(Seen(frames, {}, []), np.random.default_rng(0))
    assert NetworkActor(TinyPolicy(), "").act(Seen(frames, {}, []), np.random.default_rng(0)).shape == (2,)
    with pytest.raises(ValueError, match="needs the state"):
        policy(network)(frames)
