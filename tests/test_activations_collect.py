"""Filling a cache: frames, activations and labels belong together, and interruptions and workers do not show."""

import dataclasses
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from tiny_policy import TinyPolicy

from procscope.activations.actors import RandomActor, resolve_actor
from procscope.activations.block_maker import BlockMaker
from procscope.activations.cache import ActivationCache
from procscope.activations.cache_verify import compare_caches, verify_cache
from procscope.activations.capture import capture
from procscope.activations.collect import CacheConfig, build_cache
from procscope.envs.actions import ACTION_TO_MOVE, MOVE_TO_ACTION
from procscope.envs.engine import Engine, EngineOptions
from procscope.envs.maze import MazeLevel
from procscope.envs.variants import resolve_variants


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    policy = TinyPolicy()
    with torch.no_grad():
        policy.heads.weight.mul_(30)  # so that some actions are much more probable than others
    return policy


@pytest.fixture
def config(network):
    return CacheConfig(
        network,
        ("map", "units"),
        n_frames=150,
        variants=("cheese-anywhere",),
        num_envs=4,
        block_frames=64,
        keep_frames=True,
        noise=0.1,
    )


def replace(config, **changes):
    return dataclasses.replace(config, **changes)


def test_every_row_is_one_moment_of_one_episode(config, network, tmp_path):
    """Each episode is played again in the plain engine, from its level seed and the actions stored."""
    cache = build_cache(replace(config, actor="expert"), tmp_path / "c")
    rows = cache.labels().to_pandas()
    frames = cache.frames[:]
    assert len(rows) == 150
    (variant,) = resolve_variants(["cheese-anywhere"])
    engine = Engine(EngineOptions("maze", num_envs=1, num_threads=1))
    finished = 0
    for _, episode in rows.groupby("episode", sort=False):
        assert list(episode["step"]) == list(range(len(episode)))
        assert (np.diff(episode.index) == 1).all()
        assert episode["level_seed"].nunique() == 1
        seed = int(episode["level_seed"].iloc[0])
        assert 10**9 <= seed < 2 * 10**9
        level = variant(MazeLevel.from_seed(seed), np.random.default_rng((0, seed)))
        engine.set_states([level.to_state()])
        for index, row in episode.iterrows():
            np.testing.assert_array_equal(frames[index], engine.frames[0])
            now = MazeLevel.from_state(engine.get_states()[0])
            assert (row["agent_x"], row["agent_y"]) == now.mouse
            assert (row["goal_x"], row["goal_y"]) == now.cheese == level.cheese
            assert row["distance_to_goal_cells"] == len(now.shortest_path()) - 1
            assert row["maze_size"] == level.size
            engine.act(np.array([row["action"]], np.int32))
            assert row["reward"] == engine.rewards[0]
            assert row["done"] == engine.first[0]
        finished += row["done"]
    assert finished >= 3
    np.testing.assert_array_equal(rows["variant"], "cheese-anywhere")
    again = capture(network, frames, ["map", "units"])
    for name in ("map", "units"):
        np.testing.assert_allclose(cache.activations(name)[:], again.activations[name], atol=2e-3)
    np.testing.assert_allclose(np.stack(rows["logits"]), again.logits, atol=1e-4)
    np.testing.assert_allclose(rows["value"], again.value, atol=1e-4)


def test_the_network_that_is_read_acts_by_its_own_logits_in_one_pass_a_step(config, network, tmp_path):
    passes = []
    with network.hooks([("map", lambda a, hook: passes.append(len(a)))]):
        cache = build_cache(replace(config, noise=0.0, greedy=True, n_frames=128), tmp_path / "greedy")
    assert sum(passes) == 128 + 1, "one more frame tells the shapes"
    rows = cache.labels(["logits", "action"]).to_pandas()
    np.testing.assert_array_equal(rows["action"], np.stack(rows["logits"]).argmax(1))
    drawn = build_cache(
        replace(config, noise=0.0, n_frames=1024, num_envs=16, block_frames=512), tmp_path / "drawn"
    )
    rows = drawn.labels(["logits", "action"]).to_pandas()
    logits = np.stack(rows["logits"]).astype(np.float64)
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    counts, expected = np.bincount(rows["action"], minlength=15), probabilities.sum(0)
    spread = np.sqrt((probabilities * (1 - probabilities)).sum(0))
    assert expected.max() > 2 * expected.min()
    assert (abs(counts - expected) < 5 * spread + 1).all()


def test_actors(config, tmp_path):
    expert = build_cache(replace(config, actor="expert", noise=0.0), tmp_path / "expert").labels().to_pandas()
    np.testing.assert_array_equal(expert["action"], MOVE_TO_ACTION[expert["best_move"]])
    chance = build_cache(replace(config, actor="random"), tmp_path / "random").labels(["action"])
    assert len(set(chance["action"].to_pylist())) == 15
    noisy = build_cache(replace(config, actor="expert", noise=0.5), tmp_path / "noisy").labels().to_pandas()
    differing = ACTION_TO_MOVE[noisy["action"]] != noisy["best_move"]
    assert 0.2 < differing.mean() < 0.6


def test_blocks_do_not_depend_on_one_another(config):
    maker = BlockMaker(config)
    forth = [maker.make(block) for block in (0, 1, 2)]
    back = [BlockMaker(config).make(2), *(maker.make(block) for block in (1, 0))][::-1]
    for first, second in zip(forth, back, strict=True):
        assert first.labels.equals(second.labels)
        for path, array in first.arrays.items():
            np.testing.assert_array_equal(array, second.arrays[path])
    assert not np.array_equal(forth[0].arrays["frames"], forth[1].arrays["frames"])
    assert len(forth[2].labels) == 150 - 128


def test_an_interrupted_build_is_finished_by_the_same_command(config, tmp_path, monkeypatch):
    build_cache(config, tmp_path / "whole")
    make = BlockMaker.make

    def stop_at_block_1(self, block):
        if block == 1:
            raise KeyboardInterrupt
        return make(self, block)

    with monkeypatch.context() as patch:
        patch.setattr(BlockMaker, "make", stop_at_block_1)
        with pytest.raises(KeyboardInterrupt):
            build_cache(config, tmp_path / "stopped", command="procscope cache build …")
    with pytest.raises(ValueError, match=r"1 of its 3 blocks.*procscope cache build …"):
        ActivationCache.open(tmp_path / "stopped")
    said = []
    committed = tmp_path / "stopped/activations/map/c/0/0/0/0"
    before = committed.stat().st_mtime_ns
    build_cache(config, tmp_path / "stopped", say=said.append)
    assert "1 of them there already" in said[0]
    assert committed.stat().st_mtime_ns == before
    assert compare_caches(tmp_path / "whole", tmp_path / "stopped") == []
    assert verify_cache(tmp_path / "whole").contents_hash == verify_cache(tmp_path / "stopped").contents_hash


def test_another_build_in_the_same_directory_is_refused(config, network, tmp_path):
    build_cache(replace(config, n_frames=64), tmp_path / "c")
    with pytest.raises(ValueError, match=r"source\.seed was 0, now 1"):
        build_cache(replace(config, n_frames=64, seed=1), tmp_path / "c")
    with pytest.raises(ValueError, match=r"model\.weights_hash was"):
        build_cache(replace(config, n_frames=64, model=TinyPolicy()), tmp_path / "c")
    with pytest.raises(ValueError, match="another one, with weights hash"):
        ActivationCache.open(tmp_path / "c", model=TinyPolicy())
    assert len(ActivationCache.open(tmp_path / "c", model=network)) == 64


@pytest.mark.parametrize("placement", ["start", "anywhere", "decision-square"])
def test_static_frames_are_first_frames_of_levels(config, tmp_path, placement):
    cache = build_cache(
        replace(config, sample="static", placement=placement, actor="expert", n_frames=70), tmp_path / "c"
    )
    rows, frames = cache.labels().to_pandas(), cache.frames[:]
    assert rows["level_seed"].nunique() == 70
    assert rows["done"].all()
    assert (rows["step"] == 0).all()
    at_start = (rows["agent_x"] == 0) & (rows["agent_y"] == 0)
    if placement == "start":
        assert at_start.all()
        (variant,) = resolve_variants(["cheese-anywhere"])
        engine = Engine(EngineOptions("maze", num_envs=1, num_threads=1))
        for index in (0, 65):
            seed = int(rows["level_seed"][index])
            level = variant(MazeLevel.from_seed(seed), np.random.default_rng((0, seed)))
            np.testing.assert_array_equal(engine.render([level.to_state()])[0], frames[index])
    elif placement == "anywhere":
        assert at_start.mean() < 0.5
    else:
        assert (rows["at_decision_square"] | at_start).all()
        assert rows["at_decision_square"].mean() > 0.3


def test_given_levels_in_order(config, tmp_path):
    levels = tuple(
        MazeLevel.generate(9, np.random.default_rng(seed)).with_cheese(0, y=8) for seed in range(5)
    )
    given = replace(config, sample="levels", levels=levels, actor="expert", variants=())
    cache = build_cache(given, tmp_path / "c")
    rows = cache.labels().to_pandas()
    assert list(rows["distance_to_goal_cells"]) == [len(level.shortest_path()) - 1 for level in levels]
    assert list(rows["level_seed"]) == [-1] * 5
    with pytest.raises(ValueError, match="levels_sha256"):
        build_cache(replace(given, levels=levels[::-1]), tmp_path / "c")


def test_mistakes_are_refused_before_anything_is_written(config, tmp_path):
    target = tmp_path / "c"
    for changes, message in [
        ({"hook_points": ("mapp",)}, "'mapp'.*map"),
        ({"actor": "expertt"}, r"unknown actor 'expertt'.*expert"),
        ({"variants": ("cheese-anywhre",)}, "cheese-anywhere"),
        ({"model": "maze-esay"}, "maze-esay"),
        ({"model": TinyPolicy(7)}, r"7 logits.*Take another actor"),
    ]:
        with pytest.raises(ValueError, match=message):
            build_cache(replace(config, **changes), target)
    for changes, message in [
        ({"noise": 2.0}, "probability"),
        ({"block_frames": 63}, "multiple of num_envs=4"),
        ({"sample": "levels"}, "given levels"),
        ({"placement": "anywhere"}, "sample='static'"),
        ({"n_frames": 0}, "at least 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            replace(config, **changes)
    with pytest.raises(OSError, match="may need"):
        build_cache(replace(config, n_frames=10**12), target)
    assert not target.exists()


def test_blocks_of_large_layers_have_fewer_frames(config):
    def frames_a_block(**changes):
        maker = BlockMaker(replace(config, block_frames=None, **changes))
        return (
            maker._block_frames(10**6, 131_072),
            maker._block_frames(10**6, 100),
            maker._block_frames(50, 100),
        )

    assert frames_a_block() == (1024, 2048, 52)
    assert frames_a_block(sample="static") == (1024, 2048, 50)


def test_actors_by_name():
    assert resolve_actor("expert")[1] == {"name": "expert"}
    assert isinstance(resolve_actor("random")[0], RandomActor)
    assert resolve_actor("random")[1] == {"name": "random"}
    with pytest.raises(FileNotFoundError):
        resolve_actor("nowhere/model.safetensors")


@pytest.mark.slow
def test_two_workers_write_the_bytes_of_one(config, tmp_path):
    build_cache(config, tmp_path / "one")
    build_cache(config, tmp_path / "two", workers=2)
    assert compare_caches(tmp_path / "one", tmp_path / "two") == []
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one/activations").rglob("*"))
    assert files == sorted(p.relative_to(tmp_path / "two") for p in (tmp_path / "two/activations").rglob("*"))


@pytest.mark.slow
def test_kills_at_random_moments_do_not_show(tmp_path):
    script = """
import sys
import test_activations_collect as tests, torch
from procscope.activations.collect import CacheConfig, build_cache
torch.manual_seed(0)
build_cache(CacheConfig(tests.TinyPolicy(), ("map",), n_frames=3000, num_envs=4, block_frames=64), sys.argv[1])
"""

    def command(target):
        return [sys.executable, "-c", script, str(tmp_path / target)]

    folder = str(__import__("pathlib").Path(__file__).parent)
    environment = __import__("os").environ | {"PYTHONPATH": ":".join([folder, *sys.path])}
    started = time.monotonic()
    subprocess.run(command("whole"), check=True, env=environment)
    whole_s = time.monotonic() - started
    rng = np.random.default_rng(0)
    seen: dict = {}
    for _ in range(10):
        process = subprocess.Popen(command("killed"), env=environment)
        try:
            process.wait(timeout=whole_s * rng.uniform(0.5, 1))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        now = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("blocks/*.json")}
        assert all(now[path] == time_ns for path, time_ns in seen.items())
        seen = now
    subprocess.run(command("killed"), check=True, env=environment)
    assert compare_caches(tmp_path / "whole", tmp_path / "killed") == []
    assert verify_cache(tmp_path / "killed").problems == ()
