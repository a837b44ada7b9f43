"""Pruning schedule, training phases, clusterable initialisation, and the data sets."""

import gzip
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from procscope.modularity.augmentation import augmented
from procscope.modularity.clusterable_init import make_clusterable
from procscope.modularity.composite_pictures import halves, mixture, stack
from procscope.modularity.data_sets import DataSplit, Samples
from procscope.modularity.network_study import NetworkTraining, training_config
from procscope.modularity.networks import mlp, small_cnn, vgg16
from procscope.modularity.picture_sources import cifar10_files, digits, idx_files, letters
from procscope.modularity.pruning import MagnitudePruning
from procscope.modularity.synthetic_data import lines, polynomials, random_pictures
from procscope.modularity.training import TrainingConfig, score, train


def linear(*shape: int, seed: int = 0) -> nn.Linear:
    layer = nn.Linear(*shape)
    with torch.no_grad():
        layer.weight.normal_(generator=torch.Generator().manual_seed(seed))
    return layer


def test_sparsity_follows_the_cubic_schedule():
    layer = linear(20, 30)
    pruning = MagnitudePruning([layer], last_step=100)
    assert [pruning.sparsity(step) for step in (0, 50, 100, 500)] == pytest.approx([0.5, 0.85, 0.9, 0.9])
    by_hand = {0: 0.5, 10: 0.9 - 0.4 * 0.9**3, 55: 0.9 - 0.4 * 0.5**3, 100: 0.9}
    for step in range(101):
        with torch.no_grad():
            layer.weight.add_(
                0.01 * torch.randn(layer.weight.shape, generator=torch.Generator().manual_seed(step))
            )
        pruning.after_step(step)
        if step in by_hand:  # step 55 still has the choice of step 50
            assert (layer.weight == 0).float().mean().item() == pytest.approx(by_hand[step], abs=0.001)


def test_pruning_takes_the_smallest_weights_of_each_layer():
    small, large = linear(6, 10, seed=1), linear(10, 6, seed=2)
    with torch.no_grad():
        large.weight.mul_(100)
    before = [layer.weight.detach().abs().clone() for layer in (small, large)]
    MagnitudePruning([small, large], last_step=0, final=0.75).after_step(0)
    for layer, sizes in zip((small, large), before, strict=True):
        kept = layer.weight != 0
        assert kept.sum() == 15, "a quarter of each, whatever its scale"
        assert sizes[kept].min() > sizes[~kept].max()
    with pytest.raises(ValueError, match="0 <= initial <= final < 1"):
        MagnitudePruning([small], 10, initial=0.9, final=0.5)


def blobs(n: int = 600) -> DataSplit:
    """Two classes that a line parts."""
    rng = np.random.default_rng(0)
    points = torch.from_numpy(rng.normal(size=(n, 6)).astype(np.float32))
    labels = (points[:, 0] + points[:, 1] > 0).long()
    half = n // 2
    return DataSplit("blobs", Samples(points[:half], labels[:half]), Samples(points[half:], labels[half:]), 2)


def test_training_learns_and_then_prunes():
    config = TrainingConfig(epochs=20, pruning_epochs=10, batch_size=30, learning_rate=0.01)
    network = mlp((6, 16, 16, 2))
    trained = train(network, blobs(), config)
    assert trained.unpruned.test_score > 0.9
    assert trained.pruned.test_score > 0.9
    weights = {
        stage: torch.cat(
            [w.flatten() for name, w in getattr(trained, stage).state.items() if "weight" in name]
        )
        for stage in trained._fields
    }
    assert (weights["unpruned"] != 0).all()
    assert (weights["pruned"] == 0).float().mean().item() == pytest.approx(0.9, abs=0.01)
    network.load_state_dict(trained.pruned.state)
    assert score(network, blobs().test) == trained.pruned.test_score


def test_training_is_repeatable_and_leaves_the_global_generator_alone():
    config = TrainingConfig(epochs=2, pruning_epochs=1, batch_size=30)
    networks = [mlp((6, 16, 2), dropout=0.5) for _ in range(2)]
    before = torch.random.get_rng_state()
    one, other = (train(network, blobs(), config, seed=3) for network in networks)
    assert all(torch.equal(one.pruned.state[name], other.pruned.state[name]) for name in one.pruned.state)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("kind", ["l1", "l2"])
def test_weight_penalties_have_the_gradient_of_keras(kind):
    """One step of plain Adam moves each weight against the sign of its whole gradient."""
    network = mlp((6, 2))
    data = DataSplit("zero", Samples(torch.zeros(4, 6), torch.tensor([0, 1, 0, 1])), blobs().test, 2)
    before = network.logits.weight.detach().clone()
    train(network, data, TrainingConfig(1, 0, 4, **{kind: 0.1}))
    # Inputs are 0, so the weights' gradient is the penalty's alone: towards 0.
    torch.testing.assert_close(network.logits.weight, before - 1e-3 * before.sign(), atol=1e-6, rtol=0)


def test_training_with_the_eigenvalue_penalty_lowers_eigenvalues():
    from procscope.modularity.regulariser import EigenvaluePenalty

    found = {}
    for weight in (0.0, 1.0):
        network = mlp((6, 16, 16, 2), seed=1)
        train(network, blobs(), TrainingConfig(10, 0, 30, 0.01, clusterability=weight))
        found[weight] = EigenvaluePenalty(
            [network.hidden1, network.hidden2, network.logits], (2,), "exact"
        )().item()
    assert found[1.0] < 0.8 * found[0.0]


def test_pictures_are_turned_shifted_and_mirrored():
    """A bright column left of the middle: its mean place tells shift and mirror, its lean the turn."""
    pictures = torch.zeros(200, 1, 41, 41)
    pictures[:, :, :, 16] = 1
    changed = augmented(pictures, torch.Generator().manual_seed(0))
    assert torch.equal(changed, augmented(pictures, torch.Generator().manual_seed(0)))
    columns = torch.arange(41.0)
    place = (changed[:, 0] * columns).sum(2) / changed[:, 0].sum(2).clamp(min=1e-6)
    middle = place[:, 18:23].mean(1)
    assert (middle - 16).abs().min() < 1, "some stay left"
    assert (middle - 24).abs().min() < 1, "some are mirrored"
    assert middle.min() > 16 - 5.5
    assert middle.max() < 24 + 5.5
    degrees = torch.rad2deg(torch.atan((place[:, 23] - place[:, 17]) / 6)).abs()
    assert 10 < degrees.max() < 16
    assert degrees.min() < 3
    vgg = NetworkTraining("cifar10:/data", network="vgg")
    assert training_config(vgg).augment
    assert not training_config(replace(vgg, data="colour letters")).augment


def test_clusterable_initialisation():
    network, plain = mlp((20, 400, 300, 10), seed=0), mlp((20, 400, 300, 10), seed=0)
    tags = make_clusterable(
        [network.hidden1, network.hidden2], rng=np.random.default_rng(0), tags=5, beta=0.6
    )
    assert [len(layer) for layer in tags] == [400, 300]
    ratio = (network.hidden2.weight / plain.hidden2.weight).detach().numpy()
    same = tags[1][:, None] == tags[0]
    np.testing.assert_allclose(ratio[same], 1 + 0.4 * 4, rtol=1e-5)
    np.testing.assert_allclose(ratio[~same], 0.6, rtol=1e-5)
    means = [each.hidden2.weight.abs().mean().item() for each in (network, plain)]
    assert means[0] == pytest.approx(means[1], rel=0.02)
    assert torch.equal(network.hidden1.weight, plain.hidden1.weight)
    assert torch.equal(network.logits.weight, plain.logits.weight)
    convolutional = small_cnn(width=10, side=8)
    make_clusterable([convolutional.conv1, convolutional.conv2], rng=np.random.default_rng(0), beta=0.8)
    with_outputs = mlp((20, 30, 10), seed=0)
    tags = make_clusterable(
        [with_outputs.hidden1, with_outputs.logits], rng=np.random.default_rng(0), tag_outputs=True
    )
    np.testing.assert_array_equal(tags[1], np.arange(10))
    with pytest.raises(ValueError, match="at most 5 outputs, one for each tag, given 10"):
        make_clusterable(
            [with_outputs.hidden1, with_outputs.logits],
            rng=np.random.default_rng(0),
            tags=5,
            tag_outputs=True,
        )
    with pytest.raises(ValueError, match="beta above 0 up to 1"):
        make_clusterable([with_outputs.hidden1, with_outputs.logits], rng=np.random.default_rng(0), beta=1.5)


def test_networks_have_the_published_shapes():
    assert [tuple(p.shape) for p in mlp().parameters() if p.dim() > 1] == [
        (256, 784),
        (256, 256),
        (256, 256),
        (256, 256),
        (10, 256),
    ]
    assert small_cnn()(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    vgg = vgg16(dropout=True)
    convolutions = [module for module in vgg if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 13
    assert sum(layer.out_channels for layer in convolutions) == 4224
    shares = [module.p for module in vgg if isinstance(module, nn.Dropout)]
    assert shares == [0.3, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.5, 0.5]
    assert all((module.bias == 0).all() for module in mlp() if isinstance(module, nn.Linear))
    bound = (6 / (784 + 256)) ** 0.5
    assert 0.99 * bound < mlp().hidden1.weight.abs().max() <= bound


def test_lines_are_counted():
    data = lines(train=300, test=50)
    for samples in (data.train, data.test):
        pictures = samples.inputs.numpy()[:, 0]
        assert set(np.unique(pictures)) == {0, 255}
        np.testing.assert_array_equal((pictures[:, 0] > 0).sum(axis=1) - 1, samples.labels.numpy())
        assert (pictures == pictures[:, :1]).all(), "lines have full height"
    assert set(data.train.labels.tolist()) == set(range(10))


def test_polynomials_by_hand():
    data = polynomials(train=50, test=10)
    x, y = data.train.inputs.double().numpy().T
    targets = data.train.labels.numpy()
    assert targets.shape == (50, 512)
    assert data.regression
    monomials = [x**a * y**b for a in range(3) for b in range(3)]
    for number in (0, 1, 5, 300, 511):
        by_hand = sum((monomials[bit] for bit in range(9) if number >> bit & 1), np.zeros(50))
        np.testing.assert_allclose(targets[:, number], by_hand, rtol=1e-4, atol=1e-4)
    assert len({tuple(row) for row in targets.T.round(3).tolist()}) == 512


def test_random_pictures_are_uniform():
    data = random_pictures(train=2000, test=10)
    pixels = data.train.inputs.numpy().astype(float)
    assert pixels.mean() == pytest.approx(127.5, abs=0.5)
    assert pixels.std() == pytest.approx(np.sqrt((256**2 - 1) / 12), abs=0.5)
    assert np.bincount(data.train.labels.numpy(), minlength=10).min() > 130


def test_digits_are_real_and_no_test_digit_is_trained_on():
    data = digits(train=5000, test=1000)
    assert data.train.inputs.shape == (5000, 1, 28, 28)
    assert len(data.test) == 1000
    assert data.train.inputs.dtype == torch.uint8
    assert 20 < data.train.inputs.float().mean() < 50
    tests = {picture.tobytes() for picture in data.test.inputs.numpy()}
    assert not tests & {picture.tobytes() for picture in data.train.inputs.numpy()}
    small = digits(train=64, side=7)
    assert small.train.inputs.shape == (64, 1, 7, 7)
    with pytest.raises(ValueError, match="1 to 1000 digits to test, given 2000"):
        digits(test=2000)


def test_letters_can_be_told_apart_by_their_means():
    data = letters(train=1500, test=100)
    pictures, labels = data.train.inputs.float().flatten(1), data.train.labels
    means = torch.stack([pictures[labels == label].mean(0) for label in range(10)])
    nearest = torch.cdist(data.test.inputs.float().flatten(1), means).argmin(1)
    assert (nearest == data.test.labels).float().mean() > 0.2
    assert letters(train=4, test=4, side=32, colour=True).train.inputs.shape == (4, 3, 32, 32)
    assert torch.equal(letters(train=4, test=4).train.inputs, letters(train=4, test=4).train.inputs)


def numbered(n: int = 400, level: int = 10) -> DataSplit:
    """Pictures of one grey each: `level` times their class and 5 more."""
    labels = torch.arange(n) % 10
    pictures = (labels * level + 5).to(torch.uint8)[:, None, None, None].expand(n, 1, 4, 6).contiguous()
    return DataSplit("numbered", Samples(pictures, labels), Samples(pictures[:50], labels[:50]), 10)


@pytest.mark.parametrize("pairing", ["same", "diff"])
def test_pairs_have_the_label_of_their_parts(pairing):
    beside = halves(numbered(), pairing).train
    assert beside.inputs.shape == (400, 1, 4, 6)
    stacked = stack(numbered(), pairing).train
    assert stacked.inputs.shape == (400, 2, 4, 6)
    for first, second, labels in (
        (beside.inputs[:, 0, 0, 0], beside.inputs[:, 0, 0, -1], beside.labels),
        (stacked.inputs[:, 0, 0, 0], stacked.inputs[:, 1, 0, 0], stacked.labels),
    ):
        first, second = first.long() // 10, second.long() // 10
        if pairing == "same":
            assert torch.equal(first, second)
            assert torch.equal(first, labels)
        else:
            assert torch.equal((first + second) % 10, labels)
            assert 0 < (first == second).float().mean() < 0.3


def test_mixtures():
    first, second = numbered(level=10), numbered(level=20)
    mixed = mixture(first, second, "overlapping").train
    assert len(mixed) == 400
    assert set(mixed.labels.tolist()) == set(range(10))
    apart = mixture(first, second, "separate").train
    grey = apart.inputs[:, 0, 0, 0].long() - 5
    low = apart.labels < 5
    assert torch.equal(grey[low], 10 * apart.labels[low])
    assert torch.equal(grey[~low], 20 * apart.labels[~low])
    with pytest.raises(ValueError, match="pictures of one shape"):
        mixture(first, lines(train=4, test=4), "overlapping")
    with pytest.raises(ValueError, match="ten classes"):
        halves(blobs(), "same")


def test_files_of_ones_own(tmp_path):
    pictures = np.random.default_rng(0).integers(256, size=(5, 28, 28), dtype=np.uint8)
    header = bytes([0, 0, 8, 3]) + np.array([5, 28, 28], ">i4").tobytes()
    labels = bytes([0, 0, 8, 1]) + np.array([5], ">i4").tobytes() + bytes([1, 2, 3, 4, 5])
    for part in ("train", "t10k"):
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + pictures.tobytes()))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    data = idx_files(tmp_path)
    np.testing.assert_array_equal(data.train.inputs[:, 0].numpy(), pictures)
    assert data.test.labels.tolist() == [1, 2, 3, 4, 5]
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(b"no")
    with pytest.raises(ValueError, match="expected the IDX format with 1 axes of bytes"):
        idx_files(tmp_path)
    with pytest.raises(
        ValueError, match=r"data_batch_1.bin, from CIFAR-10's binary version; there is no such file"
    ):
        cifar10_files(tmp_path)
    record = bytes([7]) + bytes(range(256)) * 12
    for name in [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]:
        (tmp_path / name).write_bytes(record)
    colour = cifar10_files(tmp_path)
    assert colour.train.inputs.shape == (5, 3, 32, 32)
    assert colour.test.labels.tolist() == [7]
    np.testing.assert_array_equal(colour.test.inputs[0].flatten().numpy(), np.arange(3072) % 256)
