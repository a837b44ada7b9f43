"""The chain of tests against simulated nulls and closed forms; lesions against networks with masked weights."""

import numpy as np
import pytest
import torch
from scipy.stats import combine_pvalues, kstest
from scipy.stats import entropy as scipy_entropy
from statsmodels.stats.multitest import multipletests

from procscope.modularity.activation_graph import activation_graph
from procscope.modularity.condition_tests import GroupMeasure, condition_test
from procscope.modularity.data_sets import Samples
from procscope.modularity.group_visualisation import visualise_groups
from procscope.modularity.lesions import (
    NeuronGroup,
    class_accuracies,
    lesion_groups,
    lesioned_predictions,
    predictions,
    sender_of,
    subclusters,
)
from procscope.modularity.networks import mlp, small_cnn, vgg16
from procscope.modularity.partitions import layer_wise_groups, network_wide_groups
from procscope.modularity.specialization_statistics import (
    bates_p_value,
    benjamini_hochberg,
    centred_percentiles,
    effect_measure,
    fisher_p_value,
    fisher_statistic,
    null_fisher,
)
from procscope.modularity.spectral_clustering import spectral_clustering
from procscope.modularity.weight_graph import weight_graph
from procscope.visualization.picture_parameters import Pixels


def test_percentiles_by_hand():
    random = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [2.0, 2.0, 2.0]])
    true = np.array([5.0, 1.5, 2.0])
    np.testing.assert_allclose(centred_percentiles(true, random), [0.5 / 4, 2.5 / 4, 2 / 4])
    np.testing.assert_allclose(
        centred_percentiles(true, random, high_is_special=False), [3.5 / 4, 1.5 / 4, 2 / 4]
    )
    with pytest.raises(ValueError, match=r"for 3 groups, given shape \(2, 3\)"):
        centred_percentiles(true, random[:2])


def test_fisher_is_scipys_and_its_null_is_the_published_one():
    rng = np.random.default_rng(0)
    percentiles = rng.uniform(size=30)
    theirs = combine_pvalues(percentiles, method="fisher")
    assert 2 * 30 * fisher_statistic(percentiles) == pytest.approx(theirs.statistic)
    assert fisher_p_value(percentiles) == pytest.approx(theirs.pvalue)
    assert null_fisher() == pytest.approx(0.98, abs=0.005)
    with pytest.raises(ValueError, match="above 0 up to 1"):
        fisher_statistic(np.array([0.0, 0.5]))


def test_p_values_are_uniform_under_the_null():
    rng = np.random.default_rng(1)
    networks = [fisher_p_value(rng.uniform(size=40)) for _ in range(1000)]
    assert kstest(networks, "uniform").pvalue > 0.01
    conditions = [bates_p_value(np.array(five)) for five in np.reshape(networks, (200, 5))]
    assert kstest(conditions, "uniform").pvalue > 0.01


def test_with_nineteen_randoms_p_values_are_near_uniform_and_never_too_small():
    """The whole chain on measures that have nothing special: true groups are one more draw."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(1500):
        measures = rng.exponential(size=(40, 20))
        found.append(fisher_p_value(centred_percentiles(measures[:, 0], measures[:, 1:])))
    found = np.array(found)
    for alpha in (0.01, 0.05, 0.2):
        assert (found < alpha).mean() <= alpha + 3 * (alpha * (1 - alpha) / 1500) ** 0.5
    assert kstest(found, "uniform").statistic < 0.1


def test_bates_by_hand_and_by_simulation():
    assert bates_p_value(np.array([0.3])) == pytest.approx(0.3)
    assert bates_p_value(np.array([0.2, 0.4])) == pytest.approx(0.6**2 / 2)
    assert bates_p_value(np.array([0.9, 0.9])) == pytest.approx(1 - 0.2**2 / 2)
    assert bates_p_value(np.full(5, 0.5)) == pytest.approx(0.5)
    means = np.random.default_rng(0).uniform(size=(200_000, 5)).mean(axis=1)
    for mean in (0.2, 0.35, 0.7):
        assert bates_p_value(np.full(5, mean)) == pytest.approx((means <= mean).mean(), abs=0.004)
    with pytest.raises(ValueError, match="1 to 15 p-values"):
        bates_p_value(np.array([]))


def test_benjamini_hochberg_is_statsmodels():
    rng = np.random.default_rng(3)
    for _ in range(20):
        p_values = rng.uniform(size=24) ** 2
        found = benjamini_hochberg(p_values)
        np.testing.assert_array_equal(found.significant, multipletests(p_values, 0.05, "fdr_bh")[0])
        if found.significant.any():
            assert found.critical_p == p_values[found.significant].max()
    assert benjamini_hochberg(np.array([0.5, 0.9])).critical_p == 0.0


def test_effects_by_hand():
    random = np.array([[1.0, 3.0], [2.0, 2.0], [0.0, 0.0]])
    found = effect_measure(np.array([2.0, 6.0, 0.0]), random)
    assert found.mean == pytest.approx((1 + 1.5 + 1) / 3)
    assert effect_measure(np.array([-1.0]), random[:1]).mean == 0.0
    assert effect_measure(np.array([1.1 * 2.0]), random[:1]).mean == pytest.approx(1.05, abs=0.003), (
        "x / mu = 1 + 2 y"
    )


# --- lesions ------------------------------------------------------------------------------------------------------


def pictures(n: int = 60, shape=(1, 8, 8)) -> Samples:
    generator = torch.Generator().manual_seed(0)
    return Samples(torch.rand((n, *shape), generator=generator), torch.arange(n) % 10)


NETWORKS = {
    "mlp": (lambda: mlp((64, 12, 12, 10), seed=1), "hidden1", "hidden2"),
    "cnn": (lambda: small_cnn(width=6, side=8, seed=1), "conv2", "conv3"),
    "flattened": (lambda: small_cnn(width=6, side=8, seed=1), "conv3", "dense"),
    "batch norm": (lambda: vgg16(channels=((6, 6), (6,)), in_channels=1, seed=1), "conv1", "conv2"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_lesion_is_weights_into_and_out_of_the_units_set_to_zero(name):
    make, layer, reader = NETWORKS[name]
    network, masked = make(), make()
    with torch.no_grad():
        for each in (network, masked):
            for number, parameter in enumerate(each.parameters()):
                if parameter.dim() == 1:
                    parameter.normal_(generator=torch.Generator().manual_seed(number))
        units = [1, 4]
        into, out = masked.get_submodule(layer), masked.get_submodule(reader)
        into.weight[units] = 0
        out.weight.view(len(out.weight), len(into.weight), -1)[:, units] = 0
    group = NeuronGroup(layer, np.array(units), len(into.weight), 0)
    found = predictions(network, pictures(), group)
    np.testing.assert_array_equal(found, predictions(masked, pictures()))
    outputs = []

    def keep(module, inputs, output):
        outputs.append(output)

    handle = network.logits.register_forward_hook(keep)
    predictions(network, pictures(), group)
    handle.remove()
    torch.testing.assert_close(outputs[0], masked.eval()(pictures().inputs), rtol=1e-4, atol=1e-5)
    assert not network.get_submodule(layer)._forward_hooks, "no hook is left"


def planted() -> tuple[torch.nn.Module, Samples]:
    """Hidden units 0 and 1 alone see class 0; 2 and 3 alone see class 1; the others see nothing."""
    network = mlp((2, 8, 2))
    with torch.no_grad():
        network.hidden1.weight.zero_()
        network.hidden1.weight[:2, 0], network.hidden1.weight[2:4, 1] = 1.0, 1.0
        network.logits.weight.zero_()
        network.logits.weight[0, :2], network.logits.weight[1, 2:4] = 1.0, 1.0
        network.logits.bias[:] = torch.tensor([0.0, 0.1])
    labels = torch.arange(40) % 2
    return network, Samples(torch.eye(2)[labels], labels)


def test_a_planted_group_is_important_for_its_class_alone():
    network, samples = planted()
    groups = [NeuronGroup("hidden1", np.array(units), 8, 0) for units in ([0, 1], [4, 5])]
    found = lesion_groups(network, groups, samples, rng=np.random.default_rng(0))
    assert found.accuracy == 1.0
    np.testing.assert_allclose(found.accuracy_drop, [0.5, 0.0])
    np.testing.assert_allclose(found.class_drops, [[1.0, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(found.class_range, [1.0, 0.0])
    assert found.random_accuracy_drop.shape == (2, 19)
    percentile = centred_percentiles(found.accuracy_drop, found.random_accuracy_drop)
    assert percentile[0] < 0.2 < percentile[1]
    np.testing.assert_array_equal(found.normalised_class_range()[0], [2.0, np.nan])


def test_subclusters_are_parts_of_a_layer():
    graph = weight_graph(mlp((20, 16, 16, 5)), torch.zeros(1, 20))
    clustering = spectral_clustering(graph, 4)
    groups = subclusters(clustering, ["hidden1", "hidden2"])
    assert groups
    for group in groups:
        assert group.layer in ("hidden1", "hidden2")
        assert 2 <= len(group.units) < 16
        layer = [layer.name for layer in clustering.graph.layers].index(group.layer)
        np.testing.assert_array_equal(group.units, clustering.members(group.cluster)[layer])
    with pytest.raises(
        ValueError, match="expected layers among input, hidden1, hidden2, logits; given hidden9"
    ):
        subclusters(clustering, ["hidden9"])


def test_class_accuracies_by_hand():
    np.testing.assert_allclose(
        class_accuracies(np.array([0, 1, 1, 2]), np.array([0, 0, 1, 3])), [0.5, 1, 0, 0]
    )


def test_refusals():
    network, samples = planted()
    with pytest.raises(ValueError, match="at least one group and samples in classes, given 0 groups"):
        lesion_groups(network, [], samples, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="a layer of the network, given 'hidden7'"):
        predictions(network, samples, NeuronGroup("hidden7", np.array([0]), 8, 0))


# --- partitions ---------------------------------------------------------------------------------------------------


def test_layers_get_as_many_clusters_as_the_network_wide_clustering_has_in_them():
    graph = weight_graph(mlp((20, 18, 18, 18, 5), seed=2), torch.zeros(1, 20))
    hidden = ["hidden1", "hidden2", "hidden3"]
    whole = spectral_clustering(graph, 8)
    counts = {
        layer.name: len(np.unique(labels))
        for layer, labels in zip(whole.graph.layers, whole.labels_by_layer(), strict=True)
    }
    found = layer_wise_groups(graph, 8, hidden)
    for name in hidden:
        units = [group.units for group in found if group.layer == name]
        assert len(units) <= counts[name]
        joined = np.concatenate([*units, np.zeros(0, int)])
        assert len(np.unique(joined)) == len(joined), "groups do not overlap"
    assert {group.layer for group in network_wide_groups(graph, 8, hidden)} <= set(hidden)


def test_groups_of_planted_activations_are_found_layer_by_layer():
    """Six units of each layer follow one hidden cause, six another."""
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(300, 2))
    of_unit = np.arange(12) % 2
    layers = {name: causes[:, of_unit] + 0.3 * rng.normal(size=(300, 12)) for name in ("a", "b", "c")}
    found = layer_wise_groups(activation_graph(layers), 2)
    assert len(found) == 6
    for group in found:
        assert len(group.units) == 6
        assert len(set(of_unit[group.units])) == 1
    with pytest.raises(ValueError, match="expected layers among a, b, c; given d"):
        layer_wise_groups(activation_graph(layers), 2, ["d"])


def test_groups_of_one_layer_share_the_passes_before_it():
    network = small_cnn(width=6, side=8, seed=1)
    groups = [NeuronGroup("conv2", np.array(units), 6, 0) for units in ([0], [1, 4], [2, 3, 5])]
    together = lesioned_predictions(network, pictures(), groups)
    one_by_one = [predictions(network, pictures(), group) for group in groups]
    np.testing.assert_array_equal(together, one_by_one)
    with pytest.raises(ValueError, match=r"groups of one layer, given \['conv1', 'conv2'\]"):
        lesioned_predictions(network, pictures(), [groups[0], groups[0]._replace(layer="conv1")])


def test_senders_are_layers_or_the_normalisation_after_them():
    network = vgg16(channels=((6, 6), (6,)), in_channels=1)
    assert [sender_of(network, layer) for layer in ("conv1", "dense")] == ["norm1", "dense"]
    assert sender_of(torch.nn.Sequential(network), "0.conv2") == "0.norm2"
    with pytest.raises(ValueError, match="a layer of the network, given 'conv9'"):
        sender_of(network, "conv9")


# --- pictures of groups -------------------------------------------------------------------------------------------


def test_a_group_that_wants_one_picture_scores_above_random_ones():
    """Neurons 0 to 3 want the left half bright, the others each a pattern of its own."""
    network = mlp((36, 24, 10), seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        network.hidden1.weight.normal_(generator=generator)
        network.hidden1.weight[:4] = torch.tensor([1.0, 1, 1, -1, -1, -1]).repeat(6)
        network.hidden1.bias.zero_()[:4] = 3  # tells the left half bright from the right half bright
    group = NeuronGroup("hidden1", np.arange(4), 24, 0)
    rng = np.random.default_rng(0)
    found = visualise_groups(network, [group], Pixels((1, 6, 6)), rng=rng, randoms=9, transforms=())
    left = found.pictures[0, 0, 0]
    assert left[:, :3].mean() > 0.9
    assert left[:, 3:].mean() < 0.1
    assert (found.score[0] > found.random_score[0]).all()
    sent = network.hidden1(torch.from_numpy(found.pictures[0, 0]).reshape(1, 36))[0, :4].detach()
    assert found.score[0] == pytest.approx(float(sent.abs().sum()), rel=1e-5)
    shown = network(torch.from_numpy(found.pictures[0, 1:])).softmax(dim=1).detach().numpy()
    np.testing.assert_allclose(found.random_entropy[0], scipy_entropy(shown, axis=1), rtol=1e-4)
    with pytest.raises(ValueError, match="at least one group"):
        visualise_groups(network, [], Pixels((1, 6, 6)), rng=rng)


# --- conditions ---------------------------------------------------------------------------------------------------


def test_a_condition_is_the_mean_of_its_networks():
    rng = np.random.default_rng(0)
    networks = [GroupMeasure(rng.exponential(size=n), rng.exponential(size=(n, 19))) for n in (30, 20, 25)]
    found = condition_test(networks)
    percentiles = [centred_percentiles(*network) for network in networks]
    assert found.fisher.value == pytest.approx(np.mean([fisher_statistic(each) for each in percentiles]))
    assert found.p_value == pytest.approx(
        bates_p_value(np.array([fisher_p_value(each) for each in percentiles]))
    )
    assert (found.fisher.n, found.n_groups) == (3, 75)
    assert found.fisher.low < found.fisher.value < found.fisher.high
    one = condition_test(networks[:1])
    assert one.p_value == pytest.approx(fisher_p_value(percentiles[0]))
    assert np.isnan(one.fisher.low)
    turned = [GroupMeasure(-true, -random) for true, random in networks]
    assert condition_test(turned, high_is_special=False).fisher.value == pytest.approx(found.fisher.value)
    empty = GroupMeasure(np.zeros(0), np.zeros((0, 19)))
    assert condition_test([*networks, empty]).fisher == found.fisher
    with pytest.raises(ValueError, match="networks with groups to test, given 1 without any"):
        condition_test([empty])


def test_conditions_are_calibrated_under_the_null():
    """Five networks whose true groups are one more random draw, some measures tied as accuracies are."""
    rng = np.random.default_rng(4)
    found = []
    for _ in range(200):
        draws = np.round(rng.exponential(size=(5, 30, 20)), 1)
        found.append(condition_test([GroupMeasure(each[:, 0], each[:, 1:]) for each in draws]).p_value)
    for alpha in (0.05, 0.2):
        assert (np.array(found) < alpha).mean() <= alpha + 3 * (alpha * (1 - alpha) / 200) ** 0.5
