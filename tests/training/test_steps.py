"""A training step: gradients of minibatches, clipping, absent rows, shards, seeds, numbers."""

from dataclasses import dataclass, replace
from typing import ClassVar

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.training.compiled import training_steps
from sklearn_lstmae.training.minibatch import make_drop
from sklearn_lstmae.training.objectives.autoencoder import Autoencoding
from sklearn_lstmae.training.objectives.classifier import Classifying
from sklearn_lstmae.training.steps import SEEDS, Recipe, Shard

WAYS = pytest.mark.parametrize(
    ("shards", "xla"),
    [(1, False), (2, False), (1, True), (2, True)],
    ids=["graph", "graph in halves", "xla", "xla in halves"],
)
XLA = pytest.mark.parametrize("xla", [False, True], ids=["graph", "xla"])


# A step that NumPy can take --------------------------------------------------------------


@dataclass(frozen=True)
class Distances:
    """Squares of a vector's distances from the flagged values, and of a number's from 1.

    Its tables are of the three types that an objective may have: values, flags, repeats.
    """

    layers: ClassVar = []
    shapes: ClassVar = [(3,), (1, 1)]
    n_terms: ClassVar = 2

    @property
    def tables(self):
        values, flags = tf.TensorSpec([None, 3]), tf.TensorSpec([None, 3], tf.bool)
        return [values, flags, tf.TensorSpec([None], tf.int32)]

    @property
    def constants(self):
        return [tf.TensorSpec([3])]

    def counts(self, tables):
        _, flags, repeats = (tf.cast(table, tf.float32) for table in tables)
        return tf.stack([tf.reduce_sum(flags), tf.reduce_sum(repeats)])

    def losses(self, weights, tables, shard, offset):
        vector, number = weights
        values, flags, repeats = tables
        distances = tf.where(flags, tf.square(vector - values - offset), 0.0)
        times = tf.cast(repeats, tf.float32)
        return tf.stack(
            [tf.reduce_sum(distances), tf.reduce_sum(times * tf.square(number[0, 0] - 1.0))]
        )


START = [np.array([1.0, -2.0, 0.5], "f4"), np.array([[3.0]], "f4")]
OFFSET = np.array([0.1, 0.2, -0.3], "f4")
GENERATOR = np.random.default_rng(0)
TABLES = [
    GENERATOR.normal(size=(6, 3)).astype("f4"),
    GENERATOR.random((6, 3)) < 0.6,
    GENERATOR.integers(1, 4, size=6).astype("i4"),
]
ORDERS = {
    "all rows": [0, 1, 2, 3, 4, 5],
    "some absent": [3, -1, 5, -1, 1, -1],
    "half a minibatch": [4, 2, 0, -1, -1, -1],
    "none": [-1, -1],
}


def distances_in_numpy(weights, rows, tables=TABLES):
    """Errors, counts, and the gradients of both mean errors."""
    vector, [[number]] = weights
    rows = [row for row in rows if row >= 0]
    values, flags, repeats = (table[rows] for table in tables)
    difference = np.where(flags, vector - values - OFFSET, 0.0)
    errors = np.array([np.square(difference).sum(), repeats.sum() * (number - 1) ** 2])
    counts = np.array([flags.sum(), repeats.sum()])
    gradients = np.array([*2 * difference.sum(axis=0), 2 * repeats.sum() * (number - 1)])
    return errors, counts, gradients / np.maximum(counts, 1)[[0, 0, 0, 1]]


@WAYS
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_a_step_goes_down_the_gradient_of_the_weighted_mean_errors(shards, xla, order, take_steps):
    """Each mean is over the whole minibatch, however it is cut into shards."""
    options = {"shards": shards, "xla": xla, "optimizer": "sgd", "clipnorm": None}
    after, [errors], [counts] = take_steps(
        Distances(), START, TABLES, order,
        n_steps=1, rate=0.1, constants=[OFFSET], term_weights=(0.7, 0.2), **options,
    )  # fmt: skip
    expected_errors, expected_counts, gradients = distances_in_numpy(START, order)
    assert_allclose(errors, expected_errors, rtol=1e-5)
    assert_array_equal(counts, expected_counts)
    before = np.concatenate([weight.ravel() for weight in START])
    expected = before - 0.1 * gradients * [0.7, 0.7, 0.7, 0.2]
    assert_allclose(after, expected, rtol=1e-5)


@WAYS
@pytest.mark.parametrize("place", [0, 1, 2], ids=["floats", "booleans", "integers"])
def test_an_absent_row_changes_nothing_whatever_the_tables_hold(shards, xla, place, take_steps):
    """Row 0 is what stands in for an absent one."""
    garbage = [np.float32(1e30), True, np.int32(2**30)][place]
    dirty = [table.copy() for table in TABLES]
    dirty[place][0] = garbage
    results = [
        take_steps(
            Distances(), START, tables, [1, -1, 5, -1], shards=shards, xla=xla, constants=[OFFSET]
        )
        for tables in (TABLES, dirty)
    ]
    for value, same in zip(*results, strict=True):
        assert_array_equal(value, same)


@WAYS
@pytest.mark.parametrize("clipnorm", [0.3, 0.7])
def test_a_longer_gradient_is_cut_to_clipnorm(shards, xla, clipnorm, take_steps):
    """It is that of all weights together, as Keras' ``global_clipnorm``."""
    options = {"n_steps": 1, "rate": 0.1, "optimizer": "sgd", "constants": [OFFSET]}
    before = np.concatenate([weight.ravel() for weight in START])
    free, *_ = take_steps(Distances(), START, TABLES, clipnorm=None, **options)
    cut, *_ = take_steps(
        Distances(), START, TABLES, clipnorm=clipnorm, shards=shards, xla=xla, **options
    )
    assert np.linalg.norm(free - before) > 0.1
    assert_allclose(np.linalg.norm(cut - before), 0.1 * clipnorm, rtol=1e-5)
    gradients = [tf.constant(part) for part in np.split((before - free) / 0.1, [3])]
    optimizer = keras.optimizers.SGD(0.1, global_clipnorm=clipnorm)
    variables = [keras.Variable(part) for part in np.split(before, [3])]
    optimizer.build(variables)
    optimizer.apply(gradients, variables)
    assert_allclose(cut, np.concatenate([v.numpy() for v in variables]), rtol=1e-5)


def test_a_gradient_shorter_than_clipnorm_is_not_touched(take_steps):
    free, cut = (
        take_steps(
            Distances(), START, TABLES, clipnorm=clipnorm, optimizer="sgd", constants=[OFFSET]
        )[0]
        for clipnorm in (None, 1e6)
    )
    assert_allclose(cut, free, rtol=1e-6)


def test_weights_and_tables_are_left_alone(take_steps):
    copies = [array.copy() for array in [*START, *TABLES]]
    take_steps(Distances(), START, TABLES, constants=[OFFSET])
    for array, same in zip([*START, *TABLES], copies, strict=True):
        assert_array_equal(array, same)


# Numbers and seeds -----------------------------------------------------------------------


@dataclass(frozen=True)
class Echo:
    """Its errors are what a shard was given: a column of ones after dropout, noise, key."""

    layers: ClassVar = []
    shapes: ClassVar = [(1,)]
    constants: ClassVar = []
    n_terms: ClassVar = 5

    @property
    def tables(self):
        return [tf.TensorSpec([None], tf.int32)]

    def counts(self, tables):
        return tf.ones([self.n_terms])

    def losses(self, weights, tables, shard):
        ones = tf.ones([2000, 1])
        dropped = ones if shard.drop is None else shard.drop(ones)
        noise = 0.0 if shard.noise is None else shard.noise
        key = [tf.cast(number, tf.float32) for number in tf.unstack(shard.key)]
        echoed = [tf.reduce_max(dropped), tf.reduce_mean(dropped), noise, *key]
        return tf.stack(echoed) + 0.0 * weights[0]


@pytest.fixture
def echo(take_steps):
    """A function of numbers of a plan: what each of some steps was given, (S, 5)."""

    def call(**changes):
        tables = [np.zeros(2, "i4")]
        return take_steps(Echo(), [np.zeros(1, "f4")], tables, term_weights=[1.0] * 5, **changes)[1]

    return call


@XLA
@pytest.mark.parametrize("number", [1e-3, 0.3, 0.5, 0.9])
def test_the_number_given_is_the_number_used(number, xla, echo):
    largest, mean, noise, *_ = echo(dropout=number, noise=number, xla=xla).T
    assert_allclose(largest, 1 / (1 - np.float32(number)), rtol=1e-6)
    assert_allclose(mean, 1, atol=0.1 / (1 - number))
    assert_array_equal(noise, np.float32(number))


def test_without_dropout_and_noise_there_is_neither(echo):
    largest, mean, noise, *_ = echo().T
    assert_array_equal([largest, mean, noise], np.repeat([[1], [1], [0]], 3, axis=1))


def test_seeds_of_steps_are_far_apart(echo):
    """So that a step may draw `SEEDS` times without drawing what another one draws."""
    *_, first, second = echo(seed=7).T
    assert_array_equal(first, 7)
    assert (np.diff(second) >= SEEDS).all()


NOTHING = {"dropout": 0.0, "noise": 0.0, "clipnorm": None}
SOME = {"dropout": 0.1, "noise": 0.1, "clipnorm": 0.1}
MORE = {"dropout": 0.9, "noise": 9.0, "clipnorm": 9.0}


@pytest.mark.parametrize("name", NOTHING)
def test_a_recipe_holds_whether_there_is_a_number_not_which(name, make_plan):
    none, some, more = (
        Recipe.of(make_plan(**NOTHING | {name: value[name]}), 1, False)
        for value in (NOTHING, SOME, MORE)
    )
    assert some == more != none


def test_a_recipe_holds_what_is_compiled(make_plan):
    plan = make_plan()
    others = [
        Recipe.of(replace(plan, optimizer="sgd"), 1, False),
        Recipe.of(plan, 2, False),
        Recipe.of(plan, 1, True),
    ]
    assert len({Recipe.of(plan, 1, False), *others}) == 4
    numbers = {"learning_rate": 0.5, "term_weights": (0.5, 0.1), "seed": 5, "epochs": 9}
    assert Recipe.of(replace(plan, **numbers), 1, False) == Recipe.of(plan, 1, False)


# Steps of a network ----------------------------------------------------------------------

LENGTHS = [5, 1, 4, 3]


class Case:
    """An objective, weights and tables of four sequences."""

    def __init__(self, objective, weights, tables, constants=(), term_weights=(1.0, 0.0)):
        self.objective, self.weights, self.tables = objective, weights, tables
        self.options = {"constants": constants, "term_weights": term_weights}


@pytest.fixture(scope="module")
def make_case(make_architecture, make_sequences, make_reader, draw_weights, load_all):
    """A function of what an architecture differs in."""

    def make(lengths=LENGTHS, term_weights=(1.0, 0.0), horizon=None, **changes):
        architecture = make_architecture(**changes)
        sequences = make_sequences(lengths)
        if architecture.tells_missing:
            sequences[0][1, 0] = sequences[2][3] = np.nan
        reader = make_reader(
            sequences,
            patch_size=architecture.patch_size,
            has_missing=architecture.tells_missing,
            tasks=architecture.decoders,
            horizon=horizon,
        )
        objective = Autoencoding(architecture, "mse")
        weights = draw_weights(objective.shapes)
        return Case(objective, weights, load_all(objective, reader), (), term_weights)

    return make


@pytest.fixture(scope="module")
def plain(make_case):
    return make_case()


@pytest.fixture(scope="module")
def rich(make_case):
    """All that a network can have, but for what is drawn at random."""
    return make_case(
        lengths=[7, 3, 6, 5],
        term_weights=(0.3, 0.7, 0.0),
        horizon=2,
        decoders=("reconstruct", "predict"),
        patch_size=2,
        tells_missing=True,
        bidirectional=True,
    )


def classifying(make_architecture, make_sequences, make_reader, draw_weights, *, tunes_encoder):
    architecture = make_architecture().encoder
    reader = make_reader(make_sequences(LENGTHS), kind="sequence")
    reader = replace(reader, classes=np.array([1, 2, 0, 1]))
    objective = Classifying(architecture, 4, 3, False, tunes_encoder)
    if tunes_encoder:
        tables = objective.load(reader.read(slice(None), 5))
    else:
        codes = np.random.default_rng(3).normal(size=(4, 6)).astype("f4")
        tables = [codes, reader.classes.astype("i4"), np.ones(4, "i4")]
    constants = np.zeros(6, "f4"), np.ones(6, "f4")
    return Case(objective, draw_weights(objective.shapes), tables, constants, (0.5, 1.0, 2.0, 0.0))


@pytest.fixture(scope="module", params=["plain", "rich", "classes", "classes of codes"])
def case(request, make_architecture, make_sequences, make_reader, draw_weights):
    if request.param in ("plain", "rich"):
        return request.getfixturevalue(request.param)
    tunes_encoder = request.param == "classes"
    parts = make_architecture, make_sequences, make_reader, draw_weights
    return classifying(*parts, tunes_encoder=tunes_encoder)


def assert_close(got, expected):
    for value, same in zip(got, expected, strict=True):
        assert_allclose(value, same, rtol=1e-4, atol=1e-5)


# XLA takes seconds for a network: once for each, with all that it may have to compile.
SOME_WAYS = pytest.mark.parametrize(
    ("shards", "xla"), [(1, False), (2, False), (2, True)], ids=["graph", "graph in halves", "xla"]
)


@SOME_WAYS
def test_all_ways_to_compute_a_step_agree(shards, xla, case, take_steps):
    whole = take_steps(case.objective, case.weights, case.tables, **case.options)
    got = take_steps(
        case.objective, case.weights, case.tables, shards=shards, xla=xla, **case.options
    )
    assert_close(got, whole)
    assert_array_equal(got[2], whole[2])
    assert (whole[2] > 0).all()


@SOME_WAYS
@pytest.mark.parametrize("order", [[1, -1, -1, 3], [1, 3, -1, -1]], ids=["each", "one shard"])
def test_absent_rows_of_sequences_have_no_effect(shards, xla, order, case, take_steps):
    """Whatever row 0 holds, which stands in for them."""
    few = take_steps(case.objective, case.weights, case.tables, [1, 3], **case.options)
    dirty = [np.array(table) for table in case.tables]
    for table in dirty:
        table[0] = {"f": 1e20, "b": True, "i": 1}[table.dtype.kind]
    got = take_steps(
        case.objective, case.weights, dirty, order, shards=shards, xla=xla, **case.options
    )
    assert_close(got, few)


def test_the_order_of_rows_in_a_minibatch_has_no_effect(case, take_steps):
    """Each row has its own target, and its own class."""
    forwards, backwards = (
        take_steps(case.objective, case.weights, case.tables, order, **case.options)
        for order in ([0, 1, 2, 3], [3, 1, 2, 0])
    )
    assert_close(backwards, forwards)


@pytest.mark.parametrize(
    ("name", "xla"), [("plain", False), ("rich", False), ("plain", True)], ids=str
)
def test_more_padding_has_no_effect(name, xla, request, take_steps):
    case = request.getfixturevalue(name)
    longer = [
        np.pad(table, [(0, 0), (0, 3), (0, 0)]) if table.ndim == 3 else table
        for table in case.tables
    ]
    got, expected = (
        take_steps(case.objective, case.weights, tables, shards=2, xla=xla, **case.options)
        for tables in (longer, case.tables)
    )
    assert_close(got, expected)


@XLA
def test_a_short_minibatch_learns_as_if_it_were_alone(xla, make_case, take_steps):
    """Frames after the longest of a minibatch are not computed; nothing may come of that."""
    case = make_case(lengths=[3, 2, 8], bidirectional=True, patch_size=2)
    short = [table[:2, :2] if table.ndim == 3 else table[:2] for table in case.tables]
    alone = take_steps(case.objective, case.weights, short)
    got = take_steps(case.objective, case.weights, case.tables, [0, 1], xla=xla)
    assert_close(got, alone)


def test_the_loss_falls(plain, take_steps):
    _, errors, _ = take_steps(plain.objective, plain.weights, plain.tables, n_steps=60)
    assert errors[-1, 0] < 0.7 * errors[0, 0]


def test_a_decoder_without_a_weight_in_the_loss_does_not_learn(rich, take_steps):
    before = np.concatenate([weight.ravel() for weight in rich.weights])
    owners = np.repeat(
        [layer.name.split("_")[0] for layer in rich.objective.layers for _ in layer.shapes],
        [weight.size for weight in rich.weights],
    )
    for spared, term_weights in (("predict", (1.0, 0.0, 0.0)), ("reconstruct", (0.0, 1.0, 0.0))):
        after, *_ = take_steps(
            rich.objective, rich.weights, rich.tables, optimizer="sgd", term_weights=term_weights
        )
        changed = set(owners[after != before])
        assert changed == {"encoder", "bottleneck", "reconstruct", "predict"} - {spared}


def test_a_minibatch_with_nothing_to_predict_learns_the_rest(rich, take_steps):
    """Such as one in which the last steps of all sequences are missing."""
    tables = list(rich.tables)
    tables[3:5] = [np.zeros_like(table) for table in tables[3:5]]
    after, errors, counts = take_steps(
        rich.objective, rich.weights, tables, n_steps=2, **rich.options
    )
    assert np.isfinite(after).all()
    assert not errors[:, 1].any()
    assert not counts[:, 1].any()
    assert errors[1, 0] < errors[0, 0]


# Chance in steps of a network ------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"dropout": 0.5}, {"noise": 1.0}], ids=str)
def test_noise_and_dropout_follow_seed_step_and_shard(changes, plain, take_steps):
    def errors(seed, **more):
        options = changes | more
        tables = [np.repeat(table[:1], 2, axis=0) for table in plain.tables]
        _, errors, _ = take_steps(
            plain.objective, plain.weights, tables, n_steps=2, rate=0.0, seed=seed, **options
        )
        return errors[:, 0].tolist()

    assert errors(1) == errors(1)
    drawn = [*errors(1), *errors(2), *errors(1, shards=2)]
    assert len(set(drawn)) == 6
    quiet = errors(1, dropout=0.0, noise=0.0)
    assert quiet[0] == quiet[1]
    assert quiet[0] not in drawn


@pytest.mark.parametrize("changes", [{"dropout": 0.3}, {"noise": 0.3}], ids=str)
def test_a_shared_step_computes_what_a_constant_would_give(changes, plain, take_steps):
    """The same errors as with a number that is written into the graph."""
    for other in (0.9, 0.1):  # what the step was used for before
        take_steps(plain.objective, plain.weights, plain.tables, **dict.fromkeys(changes, other))
    _, [errors], _ = take_steps(
        plain.objective, plain.weights, plain.tables, n_steps=1, seed=7, **changes
    )
    key = tf.constant([7, 0])
    drop = make_drop(changes["dropout"], key) if "dropout" in changes else None
    shard = Shard(key, drop, changes.get("noise"), xla=False)
    tables = [tf.constant(table) for table in plain.tables]
    expected = plain.objective.losses(plain.weights, tables, shard)
    assert_allclose(errors, expected, rtol=1e-5)


def test_steps_in_one_call_or_in_many_are_the_same_to_the_bit(plain, make_plan):
    plan = make_plan(dropout=0.5, noise=0.1)
    steps = training_steps(plain.objective, Recipe.of(plan, 1, False))
    order = np.random.default_rng(0).permuted(np.tile(np.arange(4, dtype="i4"), (6, 1)), axis=1)
    order = order.reshape(6, 1, 4)
    rates = np.linspace(0.1, 0.01, 6, dtype="f4")

    def run(parts):
        weights, state = plain.weights, steps.initial_state()
        for part in np.split(np.arange(6), parts):
            weights, state, *_ = steps(
                plan, weights, state, plain.tables, order[part], rates[part], int(part[0])
            )
        return np.concatenate([array.ravel() for array in [*weights, *state]])

    assert_array_equal(run([]), run([1, 2, 3, 4, 5]))
    assert_array_equal(run([]), run([4]))


def test_training_draws_from_no_global_generator(plain, take_steps, keeps_random_states):
    with keeps_random_states():
        take_steps(plain.objective, plain.weights, plain.tables, dropout=0.5, noise=0.5)


# Several processes -----------------------------------------------------------------------


@pytest.mark.parametrize("clipnorm", [None, 0.3])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [3, -1, 5]], ids=["all rows", "absent"])
def test_processes_take_the_steps_of_one_with_a_single_exchange_a_step(order, clipnorm, make_plan):
    exchanged = []

    def double(tensor):
        """The sum over two processes that have the same rows."""
        exchanged.append(tensor.shape.as_list())
        return 2 * tensor

    plan = make_plan(clipnorm=clipnorm, term_weights=(0.7, 0.2))
    order = np.tile(np.array(order, "i4"), (3, 1))[:, np.newaxis]  # (S, 1, B / 2)
    results = []
    for recipe, rows in (
        (Recipe.of(plan, 2, False, range(1), double), order),
        (Recipe.of(plan, 2, False), np.repeat(order, 2, axis=1)),
    ):
        steps = training_steps(Distances(), recipe)
        state, rates = steps.initial_state(), np.full(3, 0.05, "f4")
        weights, *others = steps(plan, START, state, TABLES, rows, rates, 0, [OFFSET])
        results.append([*weights, *others[-2:]])
    for value, same in zip(*results, strict=True):
        assert_array_equal(value, same)
    # The first counts, then, in the body of the loop, losses, gradient and the next counts. No size
    # depends on the number of steps, to which TensorFlow would hold all later calls.
    assert exchanged == [[2], [2 + 4 + 2]]
