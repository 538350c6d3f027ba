"""A head, and an encoder with it, go down the gradient of the cross-entropy; rows are apart."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.inference.blocks import FittedClassifier, FittedNetwork, linear
from sklearn_lstmae.network.network import Network
from sklearn_lstmae.training import loop as training
from sklearn_lstmae.training.classifier import (
    as_sequences,
    mean_and_deviation,
    train_classifier,
    unscale,
)
from sklearn_lstmae.training.classifying import Head
from sklearn_lstmae.training.plan import TrainingPlan
from sklearn_lstmae.training.program import get_program
from sklearn_lstmae.training.steps import Recipe

PLAN = TrainingPlan(
    epochs=3,
    batch_size=4,
    learning_rate=0.02,
    loss="cross_entropy",
    optimizer="adam",
    clipnorm=1.0,
    dropout=0.0,
    noise=0.0,
    shares=(1.0, 1.0, 1.0),
    kl_weight=0.0,
    patience=None,
    seed=3,
)
LENGTHS = [5, 1, 4, 3, 5, 2, 5, 4, 1, 5]
CLASSES = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])


@pytest.fixture(scope="module")
def architecture(make_architecture):
    return make_architecture(bidirectional=True).encoder


@pytest.fixture(scope="module")
def encoder(architecture):
    return get_program(architecture).initial_weights(np.random.default_rng(0))


@pytest.fixture
def reader(make_sequences, make_reader):
    return dataclasses.replace(make_reader(make_sequences(LENGTHS)), classes=CLASSES)


def start_head(columns):
    assert_allclose(columns.mean(axis=0), 0, atol=1e-4)
    assert_allclose(columns.std(axis=0), 1, atol=1e-4)
    generator = np.random.default_rng(1)
    return generator.normal(size=(columns.shape[1], 3)), generator.normal(size=3)


def fit(architecture, encoder, reader, validation=None, *, fine_tune=True, report=None, **changes):
    plan = dataclasses.replace(PLAN, **changes)
    return train_classifier(
        architecture,
        plan,
        encoder,
        start_head,
        reader,
        validation,
        fine_tune=fine_tune,
        report=report,
    )


def assert_same_bits(got, expected):
    assert got.history == expected.history
    for value, same in zip(got.weights, expected.weights, strict=True):
        assert_array_equal(value, same)


both = pytest.mark.parametrize("fine_tune", [True, False], ids=["fine-tuned", "head alone"])


# One step --------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("xla", [False, True], ids=["graph", "xla"])
def test_a_step_goes_down_the_gradient_of_the_weighted_cross_entropy(
    xla, fine_tune, architecture, encoder, make_sequences
):
    """The gradient is found with plain Keras layers."""
    lengths, classes = np.array(LENGTHS[:4], np.int32), np.array([0, 2, 2, 1], np.int32)
    frames = np.zeros((4, 5, 2), "f4")
    for row, sequence in zip(frames, make_sequences(LENGTHS[:4]), strict=True):
        row[: len(sequence)] = sequence
    statistics = np.random.default_rng(2).normal(size=(4, 4)).astype("f4")
    center, scale = np.linspace(-1, 1, 6, dtype="f4"), np.linspace(1, 3, 6, dtype="f4")
    shares = np.array([0.5, 1.0, 2.0], "f4")
    kernel, bias = (a.astype("f4") for a in start_head(np.tile([[-1.0], [1.0]], (1, 6))))

    network = Network(architecture, fast=False)
    for variable, weight in zip(network.variables, encoder, strict=True):
        variable.assign(weight)
    mask = np.arange(5) < lengths[:, np.newaxis]
    inputs = [variable.value for variable in network.variables] if fine_tune else []
    head = [tf.Variable(kernel), tf.Variable(bias)]
    with tf.GradientTape() as tape:
        codes = network.encoder(tf.constant(frames), tf.constant(mask))
        columns = tf.concat([codes, statistics], 1)
        scores = (columns - center) / scale @ head[0] + head[1]
        errors = tf.keras.losses.sparse_categorical_crossentropy(classes, scores, from_logits=True)
        loss = tf.reduce_mean(errors * shares[classes])
    gradients = tape.gradient(loss, [*inputs, *head])

    recipe = Recipe("cross_entropy", 0.0, 0.0, "sgd", None, shards=2, xla=xla)
    steps = get_program(architecture).training_steps(recipe, Head(6, 3, fine_tune))
    tables = [(frames, lengths), (statistics, classes)]
    if not fine_tune:
        nothing = np.zeros((4, 0), "f4")
        tables = [(columns.numpy()[:, np.newaxis], np.ones(4, np.int32)), (nothing, classes)]
    weights = [*(encoder if fine_tune else []), kernel, bias]
    order = np.array([[[3, 0, -1], [1, 2, -1]]], np.int32)
    after, _, sums, counts = steps(
        weights,
        steps.initial_state(),
        tables,
        order,
        np.array([0.1], "f4"),
        np.array([*shares, 0.0], "f4"),
        0,
        0,
        (center, scale),
    )
    for weight, new, gradient in zip(weights, after, gradients, strict=True):
        expected = 0.0 if gradient is None else gradient
        assert_allclose((weight - new) / 0.1, expected, rtol=1e-3, atol=1e-5)
    wrong = (scores.numpy().argmax(axis=1) != classes).sum()
    of_class = [errors.numpy()[classes == c].sum() for c in range(3)]
    assert_allclose(sums[0], [*of_class, wrong], rtol=1e-5)
    assert_array_equal(counts, np.full((1, 4), 4))


# A training ------------------------------------------------------------------------------


@both
def test_a_training_that_stands_still_gives_the_start_back(
    fine_tune, architecture, encoder, reader
):
    trained = fit(architecture, encoder, reader, fine_tune=fine_tune, learning_rate=0.0)
    *same, kernel, bias = trained.weights
    for one, other in zip(same, encoder, strict=True):
        assert_array_equal(one, other)
    assert (kernel.dtype, bias.dtype) == (np.float64, np.float64)
    codes = FittedNetwork(architecture, encoder).encode(reader)
    columns = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    first_kernel, first_bias = start_head(columns)
    classifier = FittedClassifier(architecture, trained.weights)
    scores = classifier.scores(reader)
    assert_allclose(scores, columns @ first_kernel + first_bias, rtol=1e-3, atol=1e-4)
    loss, accuracy = classifier.judge(reader, PLAN.shares)
    assert_allclose(trained.history["loss"], [loss] * 3, rtol=1e-5)
    assert_allclose(trained.history["accuracy"], [accuracy] * 3, rtol=1e-6)


@both
def test_the_loss_falls(fine_tune, architecture, encoder, reader):
    copies = [weight.copy() for weight in encoder]
    history = fit(architecture, encoder, reader, fine_tune=fine_tune, epochs=60).history
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    for weight, copy in zip(encoder, copies, strict=True):  # the start is left alone
        assert_array_equal(weight, copy)


@both
def test_streamed_data_give_the_same_bits(fine_tune, architecture, encoder, reader, monkeypatch):
    expected = fit(architecture, encoder, reader, fine_tune=fine_tune)
    monkeypatch.setattr(training, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(training, "CHUNK_BYTES", 1)
    assert_same_bits(fit(architecture, encoder, reader, fine_tune=fine_tune), expected)


@both
def test_a_second_training_traces_nothing(fine_tune, architecture, encoder, reader, traces):
    def train(seed, rows=reader):
        return fit(architecture, encoder, rows, rows, fine_tune=fine_tune, seed=seed)

    train(0)
    traces.clear()
    train(1)
    train(0, reader.subset(np.arange(1, 8)))
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(train, range(2)))
    assert traces == []


@both
def test_one_seed_gives_the_same_bits(
    fine_tune, architecture, encoder, reader, keeps_random_states
):
    with keeps_random_states():
        one, again, other = (
            fit(architecture, encoder, reader, fine_tune=fine_tune, seed=seed) for seed in (3, 3, 4)
        )
    assert_same_bits(one, again)
    assert one.history != other.history


def test_xla_and_the_plain_graph_agree(architecture, encoder, reader, monkeypatch):
    plain = fit(architecture, encoder, reader)
    monkeypatch.setattr(training, "XLA_WORK", 0)
    compiled = fit(architecture, encoder, reader)
    for value, expected in zip(compiled.weights, plain.weights, strict=True):
        assert_allclose(value, expected, rtol=1e-3, atol=1e-4)


def test_a_head_alone_is_never_compiled_for_its_encoder(architecture, encoder, reader, monkeypatch):
    expected = fit(architecture, encoder, reader, fine_tune=False)
    monkeypatch.setattr(training, "XLA_WORK", 0)
    assert_same_bits(fit(architecture, encoder, reader, fine_tune=False), expected)


@both
def test_reports_and_validation_see_whole_weights(fine_tune, architecture, encoder, reader):
    seen = []

    def report(epoch, losses, weights):
        model = FittedClassifier(architecture, weights)
        assert model.judge(reader, PLAN.shares) == (losses["val_loss"], losses["val_accuracy"])
        seen.append(epoch)
        return epoch == 2

    trained = fit(architecture, encoder, reader, reader, fine_tune=fine_tune, report=report)
    assert seen == [1, 2]
    assert trained.history.keys() == {"loss", "accuracy", "val_loss", "val_accuracy"}


# Parts -----------------------------------------------------------------------------------


def test_a_row_of_scores_does_not_depend_on_the_others():
    generator = np.random.default_rng(0)
    columns = generator.normal(size=(301, 37)).astype("f4")
    kernel, bias = generator.normal(size=(37, 5)), generator.normal(size=5)
    whole = linear(columns, kernel, bias)
    assert_allclose(whole, columns @ kernel + bias, rtol=1e-6, atol=1e-8)
    for rows in (slice(0, 1), slice(7, 8), slice(3, 300), np.arange(301)[::-1]):
        assert_array_equal(linear(columns[rows], kernel, bias), whole[rows])


def test_scaling_of_columns_is_taken_back():
    generator = np.random.default_rng(0)
    columns = (generator.normal(size=(50, 3)) * [1e-3, 1, 1e4] + [0, 5, 1e5]).astype("f4")
    center, scale = mean_and_deviation(columns)
    kernel, bias = generator.normal(size=(3, 2)).astype("f4"), np.array([1.0, 2.0], "f4")
    expected = (columns - center) / scale @ kernel + bias
    assert_allclose(
        linear(columns, *unscale(kernel, bias, center, scale)), expected, rtol=1e-3, atol=1e-4
    )


def test_a_column_that_is_constant_is_not_blown_up():
    _, scale = mean_and_deviation(np.full((7, 2), [3.3, 0.0], "f4"))
    assert_array_equal(scale, 1.0)


def test_codes_are_sequences_of_one_frame():
    codes = np.arange(6, dtype="f4").reshape(3, 2)
    block = as_sequences(codes, np.array([0, 1, 2])).read(np.array([2, 0]), 1)
    assert_array_equal(block.frames("reconstruct")[:, 0], codes[[2, 0]])
    assert_array_equal(block.classes, [2, 0])
