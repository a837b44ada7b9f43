"""Lesions of policies: hook points of layers, moves lost, correlations from caches; against networks made by hand."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn
from untrained_impala import noise_frames, untrained_impala

from procscope.activations.cache import ActivationCache
from procscope.activations.cache_format import ArraySpec, CacheSpec
from procscope.activations.cache_writer import BlockContents, open_for_writing, write_block
from procscope.activations.capture import capture
from procscope.activations.hooks import HookedNetwork, HookPoint
from procscope.agents.networks.outputs import PolicyOutput
from procscope.envs.actions import MOVE_TO_ACTION, Move
from procscope.interventions.apply import applied
from procscope.modularity.activation_graph import activation_graph
from procscope.modularity.cached_activations import cached_unit_sizes, unit_sizes
from procscope.modularity.graph import NeuronGraph, chain_graph
from procscope.modularity.layer_hooks import layer_hook_points
from procscope.modularity.lesions import NeuronGroup
from procscope.modularity.policy_lesions import (
    cluster_lesion,
    lesion_interventions,
    lesion_policy,
    random_lesions,
)
from procscope.modularity.spectral_clustering import Clustering
from procscope.modularity.weight_graph import weight_graph


class ColourPolicy(HookedNetwork):
    """Red says left, green down, blue up, by one channel each; a fourth channel says nothing. Else it stays."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Conv2d(3, 4, 1)
        self.heads = nn.Linear(4, 15)
        self.map, self.logits = HookPoint(), HookPoint()
        with torch.no_grad():
            self.weights.weight.copy_(torch.eye(4, 3)[:, :, None, None])
            self.weights.bias.zero_()
            self.heads.weight.zero_()
            self.heads.bias.zero_()
            for channel, move in enumerate((Move.LEFT, Move.DOWN, Move.UP)):
                self.heads.weight[MOVE_TO_ACTION[move], channel] = 9
            self.heads.bias[MOVE_TO_ACTION[Move.STAY]] = 3
        self.setup()

    def forward(self, frames) -> PolicyOutput:
        seen = self.map(self.weights(frames.float() / 255)).mean((2, 3))
        return PolicyOutput(self.logits(self.heads(seen)), frames.new_zeros(len(frames), dtype=torch.float32))


def colours() -> tuple[np.ndarray, np.ndarray]:
    """Four red, two green and two blue frames, one grey one; and the way to go."""
    frames = np.zeros((9, 64, 64, 3), np.uint8)
    frames[:4, :, :, 0], frames[4:6, :, :, 1], frames[6:8, :, :, 2] = 255, 255, 255
    moves = np.array([Move.LEFT] * 4 + [Move.DOWN] * 2 + [Move.UP] * 2 + [Move.STAY])
    return frames, moves


def group(*units: int) -> NeuronGroup:
    return NeuronGroup("weights", np.array(units), 4, 0)


def test_a_lesion_takes_the_moves_that_its_channels_say():
    frames, moves = colours()
    found = lesion_policy(
        ColourPolicy(),
        frames,
        moves,
        [(group(0),), (group(1, 2),), (group(3),)],
        rng=np.random.default_rng(0),
    )
    assert found.moves == (Move.LEFT, Move.DOWN, Move.UP)
    result = found.result
    assert result.accuracy == 1.0
    np.testing.assert_array_equal(result.class_drops, [[1, 0, 0], [0, 1, 1], [0, 0, 0]])
    np.testing.assert_allclose(result.accuracy_drop, [0.5, 0.5, 0.0])
    np.testing.assert_array_equal(result.class_range, [1, 1, 0])
    assert result.random_class_drops.shape == (3, 19, 3)
    assert set(result.random_accuracy_drop[0]) == {0.0, 0.25, 0.5}, "one of the four channels"


def test_a_lesion_of_several_layers_is_that_of_all_its_groups():
    network, frames = untrained_impala(), noise_frames()
    hook_points = layer_hook_points(network, torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    lesion = (
        NeuronGroup("block1.unit1.weights2", np.array([1]), 2, 0),
        NeuronGroup("block3.weights", np.array([0, 5]), 8, 0),
    )
    interventions = lesion_interventions(lesion, hook_points)
    assert [one.hook_point for one in interventions] == ["block1.unit1.conv2", "block3.conv"]
    masked = untrained_impala()
    with torch.no_grad():
        for part in lesion:
            layer = masked.get_submodule(part.layer)
            layer.weight[part.units], layer.bias[part.units] = 0, 0
    with applied(network, *interventions):
        ours = capture(network, frames, []).logits
    np.testing.assert_allclose(ours, capture(masked, frames, []).logits, atol=1e-5)


def test_layers_find_their_hook_points():
    network = untrained_impala()
    where = layer_hook_points(network, torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    assert where["block2.weights"] == "block2.conv"
    assert where["block3.unit2.weights1"] == "block3.unit2.conv1"
    assert (where["weights_fc"], where["policy_head"]) == ("fc_pre", "logits")
    assert "value_head" not in where, "what passes there is another tensor"
    layers = {layer.name for layer in weight_graph(network, torch.zeros(1, 3, 64, 64)).layers}
    assert layers <= set(where)
    plain = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    assert layer_hook_points(plain, torch.zeros(1, 4)) == {"0": "0", "2": "2"}
    assert not network.block1.weights._forward_hooks, "no hook is left"


def clustered(*labels: list[int]) -> Clustering:
    sizes = [len(each) for each in labels]
    graph: NeuronGraph = chain_graph([np.ones(pair) for pair in itertools.pairwise(sizes)])
    return Clustering(graph, np.concatenate(labels), np.zeros(0))


def test_clusters_are_taken_out_of_the_layers_that_they_share():
    clustering = clustered([0, 0, 1], [0, 0, 0, 0], [1, 2, 1])
    parts = [(one.layer, one.units.tolist(), one.layer_size) for one in cluster_lesion(clustering, 0)]
    assert parts == [("layer 0", [0, 1], 3)]
    parts = [(one.layer, one.units.tolist()) for one in cluster_lesion(clustering, 1)]
    assert parts == [("layer 0", [2]), ("layer 2", [0, 2])]
    with pytest.raises(ValueError, match="cluster from 0 to 2 that shares a layer with another, given 1"):
        cluster_lesion(clustered([0, 0], [1, 1], [2, 2]), 1)


def test_random_lesions_have_as_many_channels_in_the_same_layers():
    lesion = (group(0, 1), NeuronGroup("other", np.array([5]), 8, 0))
    pools = {"weights": np.arange(4), "other": np.array([2, 3])}
    drawn = random_lesions(lesion, pools, 30, np.random.default_rng(0))
    assert {tuple(len(part.units) for part in one) for one in drawn} == {(2, 1)}
    assert {int(one[1].units[0]) for one in drawn} == {2, 3}
    assert len({tuple(sorted(one[0].units.tolist())) for one in drawn}) == 6


def test_bad_input_says_what_is_expected():
    frames, moves = colours()
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="0 lesions and 8 such frames of 9"):
        lesion_policy(ColourPolicy(), frames, moves, [], rng=rng)
    with pytest.raises(ValueError, match="1 lesions and 0 such frames of 1"):
        lesion_policy(ColourPolicy(), frames[8:], moves[8:], [(group(0),)], rng=rng)
    with pytest.raises(ValueError, match="whose output passes a hook point, given conv9"):
        lesion_interventions((group(0)._replace(layer="conv9"),), {"weights": "map"})


def test_sizes_are_norms_of_maps_and_values_of_units():
    rng = np.random.default_rng(0)
    maps, units = rng.normal(size=(5, 3, 4, 4)), rng.normal(size=(5, 7))
    np.testing.assert_allclose(unit_sizes(maps), np.abs(maps).sum((2, 3)), rtol=1e-5)
    np.testing.assert_allclose(unit_sizes(units), units, rtol=1e-6)


def test_a_cache_gives_the_graph_that_its_activations_give(tmp_path):
    maps = np.random.default_rng(0).normal(size=(11, 6, 2, 2)).astype(np.float32)
    units = np.random.default_rng(1).normal(size=(11, 4)).astype(np.float32)
    arrays = {"activations/map": maps, "activations/fc": units}
    shapes = {path: ArraySpec(values.shape[1:], "float32") for path, values in arrays.items()}
    spec = CacheSpec(11, 4, shapes, {"model": {"name": "toy", "weights_hash": "a" * 64}, "seed": 0})
    with open_for_writing(tmp_path / "cache", spec, command="") as writer:
        for block in writer.missing_blocks():
            part = spec.block_slice(block)
            contents = BlockContents(
                {path: values[part] for path, values in arrays.items()},
                pa.table({"frame": np.arange(part.start, part.stop)}),
            )
            writer.commit(block, write_block(tmp_path / "cache", spec, block, contents))
    found = cached_unit_sizes(ActivationCache.open(tmp_path / "cache"), ["map", "fc"])
    ours, theirs = activation_graph(found), activation_graph({"map": maps, "fc": units})
    for one, other in zip(ours.connections, theirs.connections, strict=True):
        np.testing.assert_allclose(one.weights, other.weights, atol=1e-12)
