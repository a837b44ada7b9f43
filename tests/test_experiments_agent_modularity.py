"""agent-modularity: numbers against hand-worked ones, frames, and (slow) a smoke run."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from procscope.envs.actions import Move
from procscope.experiments.agent_modularity import EXPERIMENT
from procscope.experiments.agent_modularity_numbers import (
    NetworkNumbers,
    apart_from,
    mean_failure_correlation,
    over_groups,
    record_clusterability,
    record_methods,
    record_play,
)
from procscope.experiments.agent_modularity_setup import (
    Config,
    PlayedFrames,
    is_policy,
    played_frames,
    training_method,
)
from procscope.experiments.agent_modularity_studies import (
    Clusterability,
    ClusterPlay,
    UntrainedNetwork,
    correlation_graph,
    untrained_network,
)
from procscope.modularity.condition_tests import GroupMeasure
from procscope.modularity.lesions import NeuronGroup
from procscope.workbench.checkpoints import load_network
from procscope.workbench.experiments import run_experiment
from procscope.workbench.ledger import Ledger
from procscope.workbench.published import package_claims
from procscope.workbench.runs import RunRecord


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    claims = package_claims("procscope.experiments")
    record = RunRecord.create(tmp_path, "agent-modularity", {}, "test", seed=0, scale="smoke", claims=claims)
    return Ledger(record)


def around(mean: float, n: int = 50) -> np.ndarray:
    """`n` values about a mean, 0.1 either way."""
    return mean + np.tile([0.1, -0.1], n // 2)


def test_a_network_stands_beside_its_shuffles_and_untrained_ones(ledger):
    untrained = [Clusterability(cut, around(10.0)) for cut in (9.9, 10.0, 10.1)]
    found = Clusterability(9.0, around(9.5))
    record_clusterability(ledger, found, {"model": "m", "input": "weights"}, untrained)
    spread = np.std([0.1, -0.1] * 25, ddof=1)
    z = ledger.find("agents.clusterability/z_score")
    assert z.value == pytest.approx(-0.5 / spread)
    assert (z.verdict, z.n) == ("held", 50)
    assert ledger.find("agents.clusterability/p_value").value == pytest.approx(1 / 51)
    below = ledger.find("agents.clusterability/below_untrained")
    half = 4.302653 * 0.1 * (4 / 3) ** 0.5  # Student's 97.5% point of 2 degrees of freedom
    assert (below.value, below.ci_low) == pytest.approx((-1.0, -1.0 - half), rel=1e-5)
    assert ledger.find("agents.clusterability/z_below_untrained").value == pytest.approx(-0.5 / spread)
    with pytest.raises(ValueError, match="at least two networks to compare with, given 1"):
        apart_from(1.0, np.ones(1))


def test_shuffles_that_do_not_differ_leave_z_undefined(ledger):
    record_clusterability(ledger, Clusterability(9.0, np.full(5, 9.0)), {"model": "m", "input": "weights"})
    assert "Z is undefined" in ledger.find("agents.clusterability/z_score").reason


def test_methods_are_compared_where_there_are_two_of_each(ledger):
    networks = [
        NetworkNumbers(method, Clusterability(cut, around(10.0)))
        for method, cut in (("PPO", 9.9), ("PPO", 10.1), ("imitation", 9.5), ("imitation", 9.7))
    ]
    record_methods(ledger, networks)
    apart = ledger.find("agents.clusterability/z_of_ppo_over_imitation")
    assert apart.value == pytest.approx(0.4 / np.std([0.1, -0.1] * 25, ddof=1))


def test_without_a_network_of_ppo_methods_are_not_compared(ledger):
    record_methods(ledger, [NetworkNumbers("imitation", Clusterability(9.5, around(10.0)))] * 2)
    reason = ledger.find("agents.clusterability/z_of_ppo_over_imitation").reason
    assert "at least two networks of either kind, given 0 and 2" in reason


def test_failures_of_the_same_levels_correlate():
    same = np.array([[True, False, True, False], [True, False, True, False]])
    assert mean_failure_correlation(same) == pytest.approx(1.0)
    other = np.array([same[0], ~same[0], [True] * 4])
    assert mean_failure_correlation(other) == pytest.approx(-1.0), "who fails everything tells nothing"
    with pytest.raises(ValueError, match="two clusters whose lesions fail some levels, found 1"):
        mean_failure_correlation(other[1:])


def test_intervals_over_groups_are_those_of_their_logarithms():
    rng = np.random.default_rng(0)
    measure = GroupMeasure(rng.uniform(size=40), rng.uniform(size=(40, 19)))
    found = over_groups(measure)
    assert found.low < 0.983 < found.high
    assert found.n == 40
    with pytest.raises(ValueError, match="at least two groups, given 1"):
        over_groups(GroupMeasure(np.ones(1), np.zeros((1, 19))))


def test_play_counts_what_clusters_lose_beyond_random_sets(ledger):
    """Cluster 0 fails the first 40 of 100 levels, cluster 1 the last 40; random sets all fail the first 20."""
    levels = np.arange(100)
    won = {
        "untouched": levels < 100,
        "cluster 0": levels >= 40,
        "cluster 1": levels < 60,
        **{f"cluster {c}, random {r}": levels >= 20 for c in (0, 1) for r in (1, 2)},
    }
    sweep = SimpleNamespace(of=lambda arm, column="success": won[arm])
    lesions = tuple((NeuronGroup("a", np.arange(2), 8, cluster),) for cluster in (0, 1))
    randoms = tuple(tuple(f"cluster {c}, random {r}" for r in (1, 2)) for c in (0, 1))
    play = ClusterPlay(sweep, lesions, ("cluster 0", "cluster 1"), randoms)
    record_play(ledger, play, {"model": "m", "input": "activations"}, seed=0)
    assert ledger.find("agents.clusters/success_lost").value == pytest.approx(0.4)
    over = ledger.find("agents.clusters/success_lost_over_random")
    assert (over.value, over.verdict) == (pytest.approx(0.2), "held")
    assert ledger.find("agents.clusters/cluster_success_lost", cluster=1).value == pytest.approx(0.4)
    apart = ledger.find("agents.clusters/failure_correlation_over_random")
    assert apart.value == pytest.approx(np.corrcoef(levels < 40, levels >= 60)[0, 1] - 1)
    assert apart.verdict == "held"


def test_frames_are_the_policys_own_and_the_same_at_every_call():
    model = load_network("maze-easy-corner")
    assert is_policy(model)
    assert training_method(model) == "imitation"
    played, again = (played_frames(model, 4, seed=0) for _ in range(2))
    assert played.frames.shape == (4, 64, 64, 3)
    np.testing.assert_array_equal(played.frames, again.frames)
    graph = correlation_graph(model, Config(), played)
    assert [layer.name for layer in graph.layers][:2] == ["block1.weights", "block1.unit1.weights1"]
    with pytest.raises(ValueError, match="or a cache; it is no policy"):
        correlation_graph(model, Config(), None)


def test_frames_are_balanced_over_moves_as_far_as_there_are_any():
    moves = np.array([Move.UP] * 10 + [Move.LEFT] + [Move.RIGHT] * 6 + [Move.STAY] * 5)
    played = PlayedFrames(np.arange(22).repeat(64 * 64 * 3).reshape(22, 64, 64, 3).astype(np.uint8), moves)
    chosen = played.balanced(9)
    names, counts = np.unique(chosen.best_moves, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
        Move.LEFT: 1,
        Move.UP: 4,
        Move.RIGHT: 4,
    }
    assert (moves[chosen.frames[:, 0, 0, 0]] == chosen.best_moves).all()
    assert len(played.balanced(100).best_moves) == 17


def test_untrained_networks_come_from_their_seed():
    before = torch.random.get_rng_state()
    one, same, other = (
        untrained_network(UntrainedNetwork("impala", {"widths": (2, 2, 2)}, seed, 4, 2)).state_dict()
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["block1.weights.weight"], other["block1.weights.weight"])
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.slow
def test_smoke_run(tmp_path):
    record = run_experiment(EXPERIMENT, "smoke", out=tmp_path)
    assert (record.directory / "report.html").is_file()
