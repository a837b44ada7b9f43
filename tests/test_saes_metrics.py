"""Metrics of autoencoders against closed forms and tensors worked out by hand."""

import numpy as np
import pytest

from procscope.saes.metrics import (
    FvuSums,
    ThresholdScores,
    action_kl,
    agreement,
    best_labels,
    dead_latents,
    explained_variance,
    f1_lift,
    firing_rate_histogram,
    fvu,
    l0,
    matched_latents,
    mean_max_cosine,
    nearest_latents,
    recovered,
    threshold_scores,
)


def test_fvu_by_hand() -> None:
    x = np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 6.0]])
    # mean (2, 2): squared distances 8, 4, 20; errors 1, 0, 4
    y = np.array([[1.0, 0.0], [2.0, 0.0], [4.0, 4.0]])
    assert fvu(x, y) == pytest.approx(5 / 32)
    assert explained_variance(x, y) == pytest.approx(27 / 32)


def test_fvu_of_the_mean_is_one_and_of_the_sample_zero() -> None:
    x = np.random.default_rng(0).normal(5, 2, (50, 4)).astype(np.float32)
    assert fvu(x, np.broadcast_to(x.mean(axis=0), x.shape)) == pytest.approx(1, abs=1e-6)
    assert fvu(x, x) == 0


def test_fvu_in_batches_is_of_the_whole_set() -> None:
    """The mean is over everything: a peer takes each batch's own, which gives another number here."""
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(0, 1, (30, 3)), rng.normal(100, 1, (50, 3))])
    y = x + rng.normal(0, 1, x.shape)
    sums = FvuSums()
    for part in (slice(0, 30), slice(30, 80)):
        sums.add(x[part], y[part])
    whole = ((x - y) ** 2).sum() / ((x - x.mean(axis=0)) ** 2).sum()
    assert sums.fvu == pytest.approx(whole, rel=1e-10)
    per_batch = ((x[:30] - y[:30]) ** 2).sum() / ((x[:30] - x[:30].mean(axis=0)) ** 2).sum()
    assert per_batch > 100 * whole


def test_fvu_refuses_what_does_not_change() -> None:
    with pytest.raises(ValueError, match="expected activations that change, given 3 samples"):
        fvu(np.full((3, 2), 7.0), np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"expected a reconstruction of the shape \(3, 2\); given \(2, 2\)"):
        fvu(np.zeros((3, 2)), np.zeros((2, 2)))


def test_l0_by_hand() -> None:
    assert l0(np.array([[0.0, 1.0, 2.0], [0.0, 0.0, 0.5]])) == 1.5
    with pytest.raises(ValueError, match="l0 has no value"):
        l0(np.zeros((0, 3)))


def test_dead_latents_say_their_survey() -> None:
    found = dead_latents(np.array([0, 3, 0, 1]), 10)
    assert (found.n_dead, found.live, found.share, found.survey_samples) == (2, 2, 0.5, 10)
    with pytest.raises(ValueError, match="expected a survey of at least 1 sample"):
        dead_latents(np.array([0]), 0)
    with pytest.raises(ValueError, match="as many as firings"):
        dead_latents(np.array([11]), 10)


def test_firing_rates_by_hand() -> None:
    edges = np.array([-3.0, -2.0, -1.0, 0.0])
    found = firing_rate_histogram(np.array([0.0, 1e-5, 0.05, 0.5, 1.0]), edges)
    assert found.silent == 1
    assert found.counts.tolist() == [1, 1, 2]  # rates below the lowest edge are in the lowest bin


def test_nearest_latents_by_hand() -> None:
    directions = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    found = nearest_latents(directions, 2)
    assert found.indices.tolist() == [[2, 1], [2, 0], [0, 1]]
    assert found.cosines[0] == pytest.approx([np.sqrt(0.5), 0])
    with pytest.raises(ValueError, match="expected n from 1 to 2"):
        nearest_latents(directions, 3)


def test_matching_is_one_to_one() -> None:
    """Greedily, both of the first set would take the same partner."""
    first = np.array([[1.0, 0.0], [1.0, 0.2]])
    second = np.array([[1.0, 0.1], [0.0, 1.0]])
    found = matched_latents(first, second)
    assert found.second.tolist() == [0, 1]
    cosines = [1 / np.sqrt(1.01), 0.2 / np.sqrt(1.04)]
    assert found.cosines == pytest.approx(cosines)
    assert found.stability == pytest.approx(np.mean(cosines))
    assert found.share_above(0.7) == 0.5


def test_matching_finds_a_permutation() -> None:
    rng = np.random.default_rng(0)
    directions, order = rng.normal(size=(40, 16)), rng.permutation(40)
    found = matched_latents(directions, 3 * directions[order])
    assert (order[found.second] == found.first).all()
    assert found.stability == pytest.approx(1)


def test_mean_max_cosine_by_hand() -> None:
    assert mean_max_cosine(np.eye(2), np.array([[1.0, 1.0]])) == pytest.approx(np.sqrt(0.5))


def test_action_kl_of_two_actions() -> None:
    logits, spliced = np.log([[0.75, 0.25]]), np.log([[0.5, 0.5]])
    expected = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    assert action_kl(logits, spliced)[0] == pytest.approx(expected, rel=1e-5)
    assert action_kl(logits, logits + 3)[0] == pytest.approx(0, abs=1e-6)


def test_agreement_by_hand() -> None:
    first = np.array([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0]])
    assert agreement(first, np.array([[0.0, 1.0], [0.0, 1.0], [5.0, 6.0]])) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="agreement has no value"):
        agreement(np.zeros((0, 2)), np.zeros((0, 2)))


def test_recovered_by_hand() -> None:
    assert recovered(10.0, 8.0, 2.0) == 0.75
    assert recovered(0.0, 0.1, 0.5) == pytest.approx(0.8)  # a divergence: 1 - 0.1 / 0.5
    with pytest.raises(ValueError, match="expected ablating the hook point to change the score"):
        recovered(1.0, 0.5, 1.0)


def test_threshold_scores_by_hand() -> None:
    """One unit, bins silent / low / high with 5, 4, 2 samples, of which 1, 1, 2 are true."""
    found = threshold_scores(np.array([[[1], [1], [2]]]), np.array([[5, 4, 2]]))
    # above low: 3 of 6 right, of 4 true: f1 = 6 / 10; above high: 2 of 2, of 4: f1 = 4 / 6
    assert found.lowest_bin[0, 0] == 2
    assert (found.precision[0, 0], found.recall[0, 0]) == (1.0, 0.5)
    assert found.f1[0, 0] == pytest.approx(2 / 3)
    given = threshold_scores(np.array([[[1], [1], [2]]]), np.array([[5, 4, 2]]), at=np.array([[1]]))
    assert (given.precision[0, 0], given.recall[0, 0]) == (0.5, 0.75)


def test_threshold_scores_against_every_threshold() -> None:
    rng = np.random.default_rng(3)
    samples = rng.integers(0, 9, (6, 5))
    with_label = rng.integers(0, samples[..., None] + 1, (6, 5, 3))
    found = threshold_scores(with_label, samples)
    for unit in range(6):
        for label in range(3):
            f1 = []
            for lowest in range(1, 5):
                true = with_label[unit, lowest:, label].sum()
                above, all_true = samples[unit, lowest:].sum(), with_label[unit, :, label].sum()
                f1.append(2 * true / (above + all_true) if above + all_true else 0)
            assert found.f1[unit, label] == pytest.approx(max(f1))


def test_the_best_label_gains_most_over_saying_it_always() -> None:
    f1 = np.array([[0.9, 0.5], [0.8, 0.05]])
    scores = ThresholdScores(f1, f1, f1, np.ones((2, 2), np.int64))
    shares = np.array([0.8, 0.1])  # always: 8 / 9 and 2 / 11
    assert f1_lift(f1, shares)[0] == pytest.approx([(0.9 - 8 / 9) * 9, (0.5 - 2 / 11) * 11 / 9])
    assert best_labels(scores, shares).tolist() == [1, 1]


def test_a_silent_unit_says_nothing() -> None:
    found = threshold_scores(np.array([[[4], [0]]]), np.array([[9, 0]]))
    assert (found.precision[0, 0], found.recall[0, 0], found.f1[0, 0]) == (0, 0, 0)
