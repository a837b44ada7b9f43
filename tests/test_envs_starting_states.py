"""The levels of an evaluation are those that the vector environment plays, and belong to their seeds alone."""

import numpy as np
import pytest

from procscope.envs.engine import ALL_SEEDS, Engine, EngineOptions, levels_from_seeds
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.sizes import maze_seeds_of_size
from procscope.envs.starting_states import starting_states
from procscope.envs.variants import resolve_variants
from procscope.envs.vector import ProcgenVectorEnv

SEEDS = [10**9 + 2, 5, 77]
VARIANTS = ("cheese-anywhere", "mouse-anywhere")


def test_they_are_the_levels_of_the_vector_environment():
    states = starting_states("maze", SEEDS, variants=VARIANTS, variant_seed=4)
    for seed, state in zip(SEEDS, states, strict=True):
        env = ProcgenVectorEnv(
            "maze", 1, level_seeds=range(seed, seed + 1), variants=VARIANTS, variant_seed=4, num_threads=1
        )
        env.reset()
        assert MazeLevel.from_state(env.get_states()[0]) == MazeLevel.from_state(state)
        env.close()


def test_they_are_the_variants_of_the_engines_levels():
    """By hand: every variant in its order, with the one generator that belongs to the level."""
    states = starting_states("maze", SEEDS, variants=VARIANTS, variant_seed=4)
    changed = 0
    for seed, state in zip(SEEDS, states, strict=True):
        rng = np.random.default_rng((4, seed))
        level = own = MazeLevel.from_seed(seed)
        for variant in resolve_variants(VARIANTS):
            level = variant(level, rng)
        assert MazeLevel.from_state(state) == level
        changed += level != own
    assert changed >= 2


def test_they_depend_on_their_seeds_alone():
    states = starting_states("maze", SEEDS, variants=VARIANTS)
    assert starting_states("maze", SEEDS[::-1], variants=VARIANTS) == states[::-1]
    assert starting_states("maze", SEEDS[1:2], variants=VARIANTS) == states[1:2]
    assert starting_states("maze", SEEDS, variants=VARIANTS, variant_seed=1) != states
    engine = Engine(EngineOptions("maze", num_envs=2, seed=3, level_seeds=ALL_SEEDS, num_threads=1))
    engine.act(np.array([5, 7]))
    assert starting_states("maze", SEEDS, variants=VARIANTS, engine=engine) == states
    engine.close()


def test_without_variants_they_are_the_engines_own_in_every_game():
    for game in ("maze", "heist"):
        assert starting_states(game, SEEDS, mode="hard") == levels_from_seeds(game, SEEDS, "hard")
    assert starting_states("maze", [], variants=VARIANTS) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variants": "cheese-anywere"}, "Did you mean cheese-anywhere"),
        ({"mode": "extreme"}, "maze has the modes"),
        ({"game": "pacman"}, "game must be one of"),
        ({"game": "heist", "variants": "cheese-anywhere"}, "heist"),
        ({"level_seeds": [-3]}, "given: -3"),
        ({"variant_seed": -1, "variants": "no-cheese"}, "variant_seed must be 0 or more"),
    ],
)
def test_what_there_is_not_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        starting_states(**({"game": "maze", "level_seeds": [1]} | arguments))


@pytest.mark.parametrize("smallest", [False, True])
def test_seeds_of_mazes_of_a_size(smallest):
    found = maze_seeds_of_size(11, 20, first_seed=500, smallest=smallest)
    everything = range(500, found[-1] + 1)
    sizes = {
        seed: level.size for seed, level in zip(everything, MazeLevel.from_seeds(everything), strict=True)
    }
    assert found == [seed for seed in everything if (sizes[seed] >= 11 if smallest else sizes[seed] == 11)]
    assert len(found) == 20
    assert maze_seeds_of_size(25, 1, first_seed=500, mode="hard")
    assert maze_seeds_of_size(5, 0, first_seed=500) == []


@pytest.mark.parametrize("size", [1, 8, 17])
def test_sizes_that_no_maze_has_are_refused(size):
    with pytest.raises(ValueError, match=f"odd sizes from 3 to 15; given: {size}"):
        maze_seeds_of_size(size, 1, first_seed=0)
