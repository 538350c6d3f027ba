"""What pre-training is worth where labels are few."""

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import labels
from sklearn_lstmae import LSTMAutoencoderTransformer


@pytest.mark.parametrize("n_labels", [1, 3])
def test_as_many_labels_of_each_class_are_chosen(n_labels):
    y = np.random.default_rng(0).integers(0, 4, size=80)
    rows = labels.choose(y, n_labels, 0)
    assert len(set(rows)) == 4 * n_labels
    np.testing.assert_array_equal(np.bincount(y[rows]), [n_labels] * 4)
    assert set(rows) <= set(labels.choose(y, n_labels + 2, 0))
    assert set(rows) != set(labels.choose(y, n_labels, 1))


def test_a_random_start_is_what_pre_training_starts_from():
    X = np.random.default_rng(0).normal(size=(20, 4, 2))
    made = labels.make_contenders(X, 0, labels.Size({}, latent_dim=2, epochs=1))
    random, trained = (made[name].autoencoder.weights_ for name in (labels.RANDOM, labels.TUNED))
    drawn = LSTMAutoencoderTransformer(2, epochs=1, learning_rate=1e-30, random_state=0).fit(X)
    for start, same, other in zip(drawn.weights_, random, trained, strict=True):
        np.testing.assert_allclose(same, start, atol=1e-6)
        assert not np.allclose(other, start, atol=1e-3)


def test_all_contenders_are_tried_with_all_numbers_of_labels():
    accuracies = labels.trials("digits", 0, labels.QUICK)
    assert list(accuracies) == [1, 2]
    for of_number in accuracies.values():
        assert of_number.keys() == set(sum(labels.ORDERS, ()))
        assert all(0 < accuracy < 1 for accuracy in of_number.values())


def pretend_trials(name, seed, size):
    """Trials in which pre-training helps with few labels, and is in the way of many."""
    start = dict.fromkeys(sum(labels.ORDERS, ()), 0.5)
    return {n: start | {labels.TUNED: 0.9 if n < 10 else 0.4} for n in size.labels[name]}


@pytest.mark.parametrize(("options", "whole"), [([], True), (["--quick"], False)])
def test_labels_are_measured_and_the_whole_measurement_is_kept(
    monkeypatch, capsys, kept, options, whole
):
    monkeypatch.setattr(labels, "trials", pretend_trials)
    labels.main(options)
    shown = capsys.readouterr().out
    assert "| pre-trained before random start | +0.400 (+0.400 to +0.400): holds |" in shown
    assert ("-0.100 (-0.100 to -0.100): the opposite" in shown) == whole
    assert list(kept) == ["labels", "README.md"] * whole
    if whole:
        record = kept["labels"]
        assert kept["README.md"] == command.SHOWN
        assert {len(order.gains) for order in record.orders} == {labels.FULL.n_seeds}
        assert len(record.orders) == len(labels.ORDERS) * 7
