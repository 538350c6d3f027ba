"""Stateless optimizers take the steps that Keras' own take."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.training.optimizers import StatelessOptimizer

CLASSES = {
    "adadelta": keras.optimizers.Adadelta,
    "adagrad": keras.optimizers.Adagrad,
    "adam": keras.optimizers.Adam,
    "adamax": keras.optimizers.Adamax,
    "adamw": keras.optimizers.AdamW,
    "lion": keras.optimizers.Lion,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}
SIZE, STEPS = 6, 5
# One rate a step: it changes while training.
RATES = np.array([0.01, 0.05, 0.1, 0.05, 0.02], "f4")
START = np.linspace(-2, 2, SIZE).astype("f4")
GRADIENTS = np.random.default_rng(0).normal(scale=3, size=(STEPS, SIZE)).astype("f4")


def steps_of_keras(name, parts=1):
    """Weights after each step, the vector being ``parts`` variables."""
    optimizer = CLASSES[name]()
    variables = [keras.Variable(part) for part in np.split(START, parts)]
    optimizer.build(variables)
    path = []
    for gradient, rate in zip(GRADIENTS, RATES, strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([tf.constant(part) for part in np.split(gradient, parts)], variables)
        path.append(np.concatenate([variable.numpy() for variable in variables]))
    return path


def steps_of(name, xla=None):
    optimizer = StatelessOptimizer(name, SIZE)
    update = optimizer.update
    if xla is not None:
        update = tf.function(lambda *args: optimizer.update(*args), jit_compile=xla)
    state = [tf.constant(value) for value in optimizer.initial_state()]
    vector = tf.constant(START)
    path = []
    for gradient, rate in zip(GRADIENTS, RATES, strict=True):
        vector, state = update(state, tf.constant(gradient), vector, tf.constant(rate))
        path.append(vector.numpy())
    return path


@pytest.mark.parametrize("name", CLASSES)
def test_steps_are_those_of_keras(name):
    path = steps_of(name)
    assert_allclose(path, steps_of_keras(name), rtol=1e-5, atol=1e-6)
    assert not np.array_equal(path[0], START)


@pytest.mark.parametrize("xla", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("name", CLASSES)
def test_compiled_the_steps_are_the_same(name, xla):
    assert_allclose(steps_of(name, xla), steps_of_keras(name), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CLASSES)
def test_the_dtype_of_keras_does_not_matter(name):
    expected = steps_of(name)
    keras.config.set_floatx("float64")
    try:
        optimizer = StatelessOptimizer(name, SIZE)
        state = optimizer.initial_state()
        assert {np.dtype(value.dtype).name for value in state} == {"int64", "float32"}
        state = [tf.constant(value) for value in state]
        _, later = optimizer.update(state, tf.constant(GRADIENTS[0]), tf.constant(START), RATES[0])
        assert [each.dtype for each in later] == [each.dtype for each in state]
        assert_array_equal(steps_of(name), expected)
    finally:
        keras.config.set_floatx("float32")


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_one_vector_steps_like_the_variables_it_is_made_of(name):
    assert_allclose(steps_of(name), steps_of_keras(name, parts=3), rtol=1e-5, atol=1e-6)


def test_weight_decay_shrinks_weights_without_a_gradient():
    optimizer = StatelessOptimizer("adamw", SIZE)
    vector, _ = optimizer.update(
        optimizer.initial_state(), tf.zeros(SIZE), tf.constant(START), tf.constant(0.5)
    )
    assert_allclose(vector, START * (1 - 0.5 * keras.optimizers.AdamW().weight_decay), rtol=1e-6)


@pytest.mark.parametrize("name", ["adam", "lion"])
def test_an_update_leaves_the_optimizer_as_it_was(name):
    optimizer = StatelessOptimizer(name, SIZE)
    before = optimizer.initial_state()
    optimizer.update(
        [tf.constant(value) for value in before],
        tf.ones(SIZE),
        tf.constant(START),
        tf.constant(0.1),
    )
    for value, same in zip(before, optimizer.initial_state(), strict=True):
        assert_array_equal(value, same)


def test_state_keeps_its_shapes_and_dtypes():
    for name in CLASSES:
        optimizer = StatelessOptimizer(name, SIZE)
        before = optimizer.initial_state()
        _, after = optimizer.update(
            [tf.constant(value) for value in before],
            tf.ones(SIZE),
            tf.constant(START),
            tf.constant(0.1),
        )
        for old, new in zip(before, after, strict=True):
            new = np.asarray(new)
            assert (new.shape, new.dtype) == (old.shape, old.dtype), name
