"""The actor `expert`, by name, in every game: what it does in a cache ends with nearly all episodes solved."""

import numpy as np
import pytest
from tiny_policy import TinyPolicy

from procscope.activations.actors import Seen, resolve_actor
from procscope.activations.block_maker import BlockMaker
from procscope.activations.collect import CacheConfig, build_cache
from procscope.agents.experts.expert_actor import ExpertActor
from procscope.agents.experts.grid import GridExpert
from procscope.envs.actions import MOVE_TO_ACTION
from procscope.envs.engine import levels_from_seeds
from procscope.envs.labels import label_states


def test_the_expert_by_its_name():
    assert isinstance(resolve_actor("expert")[0], ExpertActor)
    assert resolve_actor("expert")[1] == {"name": "expert"}


@pytest.mark.parametrize("game", ["maze", "heist"])
def test_on_a_grid_it_goes_the_best_way(game):
    states = levels_from_seeds(game, range(4))
    labels = label_states(states)
    seen = Seen(np.zeros((4, 64, 64, 3), np.uint8), labels, states)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(ExpertActor().act(seen, rng), GridExpert().act(seen, rng))
    np.testing.assert_array_equal(ExpertActor().act(seen, rng), MOVE_TO_ACTION[labels["best_move"]])


def coinrun(mode: str = "easy", **options) -> CacheConfig:
    return CacheConfig(TinyPolicy(), ("units",), game="coinrun", mode=mode, actor="expert", **options)


def test_a_cache_of_its_coinrun_is_of_solved_episodes(tmp_path):
    cache = build_cache(coinrun(n_frames=160, block_frames=160, num_envs=2), tmp_path / "c")
    rows = cache.labels(["episode", "done", "reward", "step"]).to_pandas()
    ends = rows[rows["done"]]
    assert len(ends) > 1
    assert (ends["reward"] == 10).all(), "these levels are all solved"
    assert ends["step"].max() < 80, "and soon"


@pytest.mark.slow
def test_a_block_of_its_coinrun_depends_on_that_block_alone():
    config = coinrun(n_frames=24, block_frames=12, num_envs=1, level_seeds=(10**9, 10**9 + 1))
    maker = BlockMaker(config)
    forth, alone = [maker.make(block) for block in (0, 1)], BlockMaker(config).make(1)
    assert forth[1].labels.equals(alone.labels)


@pytest.mark.slow
def test_in_mode_hard_it_searches():
    states = levels_from_seeds("coinrun", [3], mode="hard")
    seen = Seen(np.zeros((1, 64, 64, 3), np.uint8), {}, states, np.ones(1, bool))
    assert ExpertActor().act(seen, np.random.default_rng(0))[0] in range(15)


def test_games_without_an_expert_are_named():
    seen = Seen(np.zeros((1, 64, 64, 3), np.uint8), {}, levels_from_seeds("bigfish", [1]))
    with pytest.raises(ValueError, match="there are experts for maze, heist, coinrun; given: bigfish"):
        ExpertActor().act(seen, np.random.default_rng(0))
