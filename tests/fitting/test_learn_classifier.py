"""From an encoder and labeled sequences to the attributes of a classifier."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.fitting.labels import entropy, regress
from sklearn_lstmae.fitting.learn_classifier import (
    as_sequences,
    learn_classes,
    unscale,
)
from sklearn_lstmae.fitting.model import FittedModel
from sklearn_lstmae.inference.coder import ClassScores, Coder, linear
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.sequences.scaling import Scaling, mean_and_deviation
from sklearn_lstmae.training import loop as training
from sklearn_lstmae.training.plan import TrainingPlan

PLAN = TrainingPlan(
    epochs=3,
    batch_size=4,
    learning_rate=0.02,
    optimizer="adam",
    clipnorm=1.0,
    dropout=0.0,
    noise=0.0,
    term_weights=(1.0, 1.0, 1.0, 0.0),
    patience=None,
    seed=3,
)
LENGTHS = [5, 1, 4, 3, 5, 2, 5, 4, 1, 5]
CLASSES = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
SHARES = np.ones(3)

both = pytest.mark.parametrize("fine_tune", [True, False], ids=["fine-tuned", "head alone"])


@pytest.fixture(scope="module")
def model(make_architecture):
    """A transformer that was never trained."""
    architecture = make_architecture(bidirectional=True)
    generator = np.random.default_rng(0)
    shapes = network_of(architecture).shapes
    return FittedModel(
        architecture,
        [0.4 * generator.normal(size=shape).astype("f4") for shape in shapes],
        Scaling(None, np.zeros(2), np.ones(2)),
        horizon=None,
        layout="list",
        missing="error",
        loss="mse",
        append_states=False,
        n_timesteps=5,
    )


@pytest.fixture
def reader(make_sequences, make_reader):
    reader = make_reader(make_sequences(LENGTHS), tasks=())
    return dataclasses.replace(reader, classes=CLASSES)


class Report:
    """Stands in for a FitReport: it sees the attributes of each epoch."""

    def __init__(self, see=None):
        self._see = see

    def listener(self, attributes_of):
        if self._see is None:
            return None
        return lambda epoch, losses, weights: self._see(epoch, losses, attributes_of(weights))


def fit(model, reader, validation=None, *, fine_tune=True, see=None, **changes):
    plan = dataclasses.replace(PLAN, **changes)
    return learn_classes(model, plan, reader, validation, report=Report(see), fine_tune=fine_tune)


def assert_same_bits(got, expected):
    assert got["history_"] == expected["history_"]
    for value, same in zip(got["weights_"], expected["weights_"], strict=True):
        assert_array_equal(value, same)


# A training ------------------------------------------------------------------------------


@both
def test_a_training_that_stands_still_gives_the_start_back(fine_tune, model, reader):
    """The encoder of the model, and a logistic regression on its codes."""
    fitted = fit(model, reader, fine_tune=fine_tune, learning_rate=0.0)
    *encoder, kernel, bias = fitted["weights_"]
    for one, other in zip(encoder, model.encoder_weights, strict=True):
        assert_array_equal(one, other)
    assert (kernel.dtype, bias.dtype) == (np.float64, np.float64)
    codes = Coder(model.architecture.encoder, encoder).encode(reader)
    columns = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    first_kernel, first_bias = regress(CLASSES, SHARES, columns)
    scorer = ClassScores(model.architecture.encoder, fitted["weights_"])
    scores = scorer.scores(reader)
    assert_allclose(scores, columns @ first_kernel + first_bias, rtol=1e-3, atol=1e-4)
    loss, accuracy = scorer.judge(reader, SHARES)
    assert_allclose(fitted["history_"]["loss"], [loss] * 3, rtol=1e-5)
    assert_allclose(fitted["history_"]["accuracy"], [accuracy] * 3, rtol=1e-6)


@both
def test_the_loss_falls(fine_tune, model, reader):
    copies = [weight.copy() for weight in model.weights]
    loss = fit(model, reader, fine_tune=fine_tune, epochs=60)["history_"]["loss"]
    assert loss[-1] < 0.9 * loss[0]
    for weight, copy in zip(model.weights, copies, strict=True):  # the start is left alone
        assert_array_equal(weight, copy)


@both
def test_the_attributes_are_those_of_the_best_epoch(fine_tune, model, reader):
    fitted = fit(model, reader, reader, fine_tune=fine_tune, epochs=9, learning_rate=0.5)
    val_loss = fitted["history_"]["val_loss"]
    assert fitted["n_epochs_"] == len(val_loss) == 9
    assert fitted["best_epoch_"] == int(np.argmin(val_loss)) + 1
    assert fitted["loss_"] == min(val_loss)  # the validation rows are those it learned from
    assert fitted["baseline_loss_"] == entropy(SHARES, CLASSES)
    loss, _ = ClassScores(model.architecture.encoder, fitted["weights_"]).judge(reader, SHARES)
    assert fitted["loss_"] == loss


def test_a_head_alone_leaves_the_encoder_as_it_was(model, reader):
    *encoder, _, _ = fit(model, reader, fine_tune=False)["weights_"]
    *tuned, _, _ = fit(model, reader, fine_tune=True)["weights_"]
    for weight, same, other in zip(encoder, model.encoder_weights, tuned, strict=True):
        assert_array_equal(weight, same)
        assert not np.array_equal(weight, other)


@both
def test_a_weight_of_zero_takes_a_class_out_of_the_loss(fine_tune, model, reader):
    """What remains is learned as if the others could not err on it."""
    fitted = fit(model, reader, fine_tune=fine_tune, term_weights=(1.5, 1.5, 0.0, 0.0), epochs=100)
    scores = ClassScores(model.architecture.encoder, fitted["weights_"]).scores(reader)
    assert not (scores.argmax(axis=1) == 2).any()


@both
def test_streamed_data_give_the_same_bits(fine_tune, model, reader, monkeypatch):
    expected = fit(model, reader, fine_tune=fine_tune)
    monkeypatch.setattr(training, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(training, "CHUNK_BYTES", 1)
    assert_same_bits(fit(model, reader, fine_tune=fine_tune), expected)


@both
def test_a_second_training_traces_nothing(fine_tune, model, reader, traces):
    def train(seed, rows=reader):
        return fit(model, rows, rows, fine_tune=fine_tune, seed=seed)

    train(0)
    traces.clear()
    train(1)
    train(0, reader.subset(np.arange(1, 8)))
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(train, range(2)))
    assert traces == []


@both
def test_one_seed_gives_the_same_bits(fine_tune, model, reader, keeps_random_states):
    with keeps_random_states():
        one, again, other = (fit(model, reader, fine_tune=fine_tune, seed=s) for s in (3, 3, 4))
    assert_same_bits(one, again)
    assert one["history_"] != other["history_"]


def test_a_head_alone_is_never_compiled_for_its_encoder(model, reader, monkeypatch):
    expected = fit(model, reader, fine_tune=False)
    monkeypatch.setattr(training, "XLA_WORK", 0)
    assert_same_bits(fit(model, reader, fine_tune=False), expected)


@both
def test_reports_and_validation_see_whole_weights(fine_tune, model, reader):
    seen = []

    def see(epoch, losses, attributes):
        scorer = ClassScores(model.architecture.encoder, attributes["weights_"])
        assert scorer.judge(reader, SHARES) == (losses["val_loss"], losses["val_accuracy"])
        seen.append(epoch)
        return epoch == 2

    fitted = fit(model, reader, reader, fine_tune=fine_tune, see=see)
    assert seen == [1, 2]
    assert fitted["history_"].keys() == {"loss", "accuracy", "val_loss", "val_accuracy"}


@both
def test_statistics_of_a_scaling_are_columns_of_the_head(
    fine_tune, model, make_sequences, make_reader
):
    reader = make_reader(make_sequences(LENGTHS), kind="sequence", tasks=())
    reader = dataclasses.replace(reader, classes=CLASSES)
    model = dataclasses.replace(model, scaling=reader.scaling)
    fitted = fit(model, reader, fine_tune=fine_tune)
    kernel = fitted["weights_"][-2]
    assert kernel.shape == (model.architecture.code_width + 4, 3)
    assert kernel.any(axis=1).all()


# Parts -----------------------------------------------------------------------------------


def test_scaling_of_columns_is_taken_back():
    generator = np.random.default_rng(0)
    columns = (generator.normal(size=(50, 3)) * [1e-3, 1, 1e4] + [0, 5, 1e5]).astype("f4")
    center, scale = mean_and_deviation(columns)
    kernel, bias = generator.normal(size=(3, 2)).astype("f4"), np.array([1.0, 2.0], "f4")
    expected = (columns - center) / scale @ kernel + bias
    assert_allclose(
        linear(columns, *unscale(kernel, bias, center, scale)), expected, rtol=1e-3, atol=1e-4
    )


def test_codes_are_sequences_of_one_frame():
    codes = np.arange(6, dtype="f4").reshape(3, 2)
    block = as_sequences(codes, np.array([0, 1, 2])).read(np.array([2, 0]), 1)
    assert_array_equal(block.past.values[:, 0], codes[[2, 0]])
    assert_array_equal(block.classes, [2, 0])
