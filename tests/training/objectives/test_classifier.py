"""What a classifier learns: its losses are those that NumPy finds, class by class."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.inference.coder import Coder
from sklearn_lstmae.network.in_keras import build_model
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.training.objectives.classifier import Classifying
from sklearn_lstmae.training.steps import Shard

LENGTHS = [5, 1, 4, 3]
CLASSES = np.array([0, 2, 2, 1])
SHARD = Shard(tf.constant([5, 640]), None, None, xla=False)
BOTH = pytest.mark.parametrize("tunes_encoder", [True, False], ids=["fine-tuned", "head alone"])
KINDS = {
    "default": {},
    "frames of 2, both ways": {"patch_size": 2, "bidirectional": True},
    "missing, two states": {"tells_missing": True, "bottleneck": "hidden_cell"},
}


class Case:
    """An objective with weights, sequences, and what training makes of them."""

    def __init__(self, architecture, reader, draw_weights, tunes_encoder):
        self.architecture, self.reader = architecture, reader
        n_appended = 4 if reader.scaling.kind == "sequence" else 0
        n_columns = architecture.code_width + n_appended
        self.encoder = draw_weights(network_of(architecture).shapes)
        self.columns = Coder(architecture, self.encoder).encode(reader)  # (N, C)
        self.objective = Classifying(architecture, n_appended, 3, False, tunes_encoder)
        self.kernel, self.bias = draw_weights([(n_columns, 3), (3,)], seed=1)
        self.constants = (
            np.linspace(-1, 1, n_columns, dtype="f4"),
            np.linspace(1, 3, n_columns, dtype="f4"),
        )
        self.weights = [*(self.encoder if tunes_encoder else []), self.kernel, self.bias]
        if tunes_encoder:
            self.tables = self.objective.load(reader.read(slice(None), int(reader.n_frames.max())))
        else:
            self.tables = [self.columns, reader.classes.astype("i4"), np.ones(4, "i4")]

    def losses(self, weights=None):
        """(J,), computed at once and not compiled."""
        tables = [tf.constant(table) for table in self.tables]
        return self.objective.losses(weights or self.weights, tables, SHARD, *self.constants)


@pytest.fixture(scope="module")
def make_case(make_architecture, make_sequences, make_reader, draw_weights):
    def make(tunes_encoder, kind=None, **changes):
        architecture = make_architecture(**changes).encoder
        sequences = make_sequences(LENGTHS)
        if architecture.tells_missing:
            sequences[0][2, 1] = sequences[3][1] = np.nan
        reader = make_reader(
            sequences,
            patch_size=architecture.patch_size,
            has_missing=architecture.tells_missing,
            kind=kind,
        )
        reader = dataclasses.replace(reader, classes=CLASSES)
        return Case(architecture, reader, draw_weights, tunes_encoder)

    return make


@BOTH
@pytest.mark.parametrize("scaling", [None, "sequence"])
@pytest.mark.parametrize("kind", KINDS)
def test_losses_are_those_that_numpy_finds(kind, scaling, tunes_encoder, make_case):
    case = make_case(tunes_encoder, scaling, **KINDS[kind])
    center, scale = case.constants
    scores = ((case.columns - center) / scale) @ case.kernel + case.bias
    surprise = np.logaddexp.reduce(scores, axis=1) - scores[np.arange(4), CLASSES]
    entropies = [surprise[number == CLASSES].sum() for number in range(3)]
    wrong = (scores.argmax(axis=1) != CLASSES).sum()
    assert_allclose(case.losses(), [*entropies, wrong], rtol=1e-4)
    assert_array_equal(case.objective.counts(case.tables), [4] * 4)


@BOTH
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_plain_keras_layers(kind, tunes_encoder, make_case):
    """The weighted mean; a head alone leaves the encoder out."""
    case = make_case(tunes_encoder, **KINDS[kind])
    shares = np.array([0.5, 1.0, 2.0], "f4")
    variables = [tf.Variable(weight) for weight in case.weights]
    with tf.GradientTape() as tape:
        total = tf.tensordot(case.losses(variables)[:3], shares, 1)
    *of_encoder, of_kernel, of_bias = tape.gradient(total, variables)

    encoder = build_model(case.architecture, case.encoder, "encoder", 5)
    batch = case.reader.sequences.read(slice(None))
    x = np.where(batch.mask, batch.values, np.nan).astype("f4")
    head = tf.Variable(case.kernel), tf.Variable(case.bias)
    with tf.GradientTape() as tape:
        codes = encoder([tf.constant(x), tf.constant(batch.step_mask)])
        center, scale = case.constants
        scores = (codes - center) / scale @ head[0] + head[1]
        errors = tf.keras.losses.sparse_categorical_crossentropy(CLASSES, scores, from_logits=True)
        expected = tf.reduce_sum(errors * shares[CLASSES])
    plain = encoder.trainable_variables
    found = tape.gradient(expected, [*(variable.value for variable in plain), *head])
    assert_allclose(total, expected, rtol=1e-4)
    assert_allclose(of_kernel, found[-2], rtol=1e-3, atol=1e-5)
    assert_allclose(of_bias, found[-1], rtol=1e-3, atol=1e-5)
    if not tunes_encoder:
        assert of_encoder == []
        return
    by_path = {variable.path: value for variable, value in zip(plain, found[:-2], strict=True)}
    for layer, ours in network_of(case.architecture).by_layer(of_encoder).items():
        theirs = [v for path, v in by_path.items() if path.split("/")[0] == layer.name]
        for one, other in zip(ours, theirs, strict=True):
            assert_allclose(one, other, rtol=1e-3, atol=1e-4, err_msg=layer.name)


@BOTH
@pytest.mark.parametrize("scaling", [None, "sequence"])
def test_tables_are_as_specified(scaling, tunes_encoder, make_case):
    case = make_case(tunes_encoder, scaling)
    for table, spec in zip(case.tables, case.objective.tables, strict=True):
        assert spec.is_compatible_with(tf.constant(table))
    for array, spec in zip(case.constants, case.objective.constants, strict=True):
        assert spec.is_compatible_with(tf.constant(array))
    assert case.objective.shapes == [weight.shape for weight in case.weights]


def test_codes_are_read_as_sequences_of_one_frame(make_case, make_reader):
    case = make_case(tunes_encoder=False)
    reader = make_reader(case.columns[:, np.newaxis], [1] * 4)
    reader = dataclasses.replace(reader, classes=CLASSES)
    tables = case.objective.load(reader.read(np.array([2, 0]), 1))
    for table, expected in zip(tables, case.tables, strict=True):
        assert_array_equal(table, expected[[2, 0]])


def test_absent_rows_count_nothing(make_case):
    """Their classes and lengths are zero then."""
    case = make_case(tunes_encoder=True)
    few = [table[:2] for table in case.tables]
    for table in case.tables:
        if table.dtype == np.int32:
            table[2:] = 0
    assert_array_equal(case.objective.counts(case.tables), [2] * 4)
    got = case.losses()
    case.tables = few
    assert_allclose(got, case.losses(), rtol=1e-5)


def test_a_head_alone_has_no_recurrent_layer(make_case):
    """So that it is never compiled with XLA, see `loop.uses_xla`."""
    [head] = make_case(tunes_encoder=False).objective.layers
    assert head.name == "head"
    *encoder, last = make_case(tunes_encoder=True).objective.layers
    assert last == head
    assert encoder == network_of(make_case(tunes_encoder=True).architecture).layers


def test_an_objective_is_a_value(make_architecture):
    architecture = make_architecture().encoder
    one, same, *others = (
        Classifying(architecture, *options)
        for options in (
            (0, 3, True, True),
            (0, 3, True, True),
            (4, 3, True, True),
            (0, 4, True, True),
            (0, 3, False, True),
            (0, 3, True, False),
        )
    )
    assert one == same
    assert len({one, same, *others}) == 5


def test_the_history_has_the_accuracy(make_architecture):
    objective = Classifying(make_architecture().encoder, 0, 3, False, True)
    means = np.array([[0.1, 0.2, 0.3, 0.25], [0.1, 0.2, 0.3, 0.0]])
    assert objective.names(means) == {"accuracy": [0.75, 1.0]}
