"""`Recurrence` has the values and the gradients of a plain loop over the steps.

The plain loop is TensorFlow's, so that its gradients come from automatic differentiation. Letters:
T steps, B sequences, U units.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from sklearn_lstmae.network.lstm import ACTIVATIONS, Recurrence, hold

STEPS, ROWS, UNITS = 5, 4, 3

CASES = {
    "plain": {},
    "backwards": {"backwards": True},
    "every step": {"every_step": True},
    "every step, backwards": {"every_step": True, "backwards": True},
    "shared": {"shared": True},
    "shared, backwards": {"shared": True, "backwards": True},
    "one step": {"steps": 1},
    "one step, backwards": {"steps": 1, "backwards": True},
    "one row": {"rows": 1},
    "one row, every step": {"rows": 1, "every_step": True},
    "one row, one step": {"rows": 1, "steps": 1, "shared": True, "every_step": True},
    "relu": {"activation": "relu"},
    "relu, backwards": {"activation": "relu", "backwards": True},
    "shared, every step": {"shared": True, "every_step": True},
    "relu, shared, every step": {"activation": "relu", "shared": True, "every_step": True},
}
COMPILED = ["every step, backwards", "relu, backwards", "shared, every step"]


class Case:
    """Inputs of a loop, and what to differentiate: a sum of its results."""

    def __init__(
        self,
        backwards=False,
        every_step=False,
        shared=False,
        steps=STEPS,
        rows=ROWS,
        activation="tanh",
    ):
        self.backwards, self.activation = backwards, activation
        generator = np.random.default_rng(7)

        def normal(*shape):
            return tf.constant(generator.normal(size=shape), tf.float32)

        self.inputs = {
            "recurrent": normal(UNITS, 4 * UNITS),
            "projected": normal(steps, 1 if shared else rows, 4 * UNITS),
            "hidden": normal(rows, UNITS),
            "cell": normal(rows, UNITS),
        }
        if every_step:
            self.inputs["every_step"] = normal(rows, 4 * UNITS)
        self.toward = [normal(steps, rows, UNITS), normal(rows, UNITS), normal(rows, UNITS)]

    def fast(self, inputs, n_steps=None):
        """Outputs, hidden and cell state."""
        inputs = {"every_step": None} | inputs
        options = self.activation, self.backwards, n_steps
        recurrence = Recurrence(inputs["recurrent"], *options)
        return recurrence.run(*(inputs[n] for n in ("projected", "every_step", "hidden", "cell")))

    def plain(self, inputs):
        """The same, with each gate written out."""
        function = {"tanh": tf.tanh, "relu": tf.nn.relu}[self.activation]
        projected, hidden, cell = (inputs[name] for name in ("projected", "hidden", "cell"))
        outputs = [None] * len(projected)
        order = range(len(projected))
        for step in reversed(order) if self.backwards else order:
            gates = projected[step] + hidden @ inputs["recurrent"] + inputs.get("every_step", 0.0)
            entry, forget, candidate, exit_ = tf.split(gates, 4, axis=1)
            new_cell = tf.sigmoid(forget) * cell + tf.sigmoid(entry) * function(candidate)
            new_hidden = tf.sigmoid(exit_) * function(new_cell)
            outputs[step], hidden, cell = new_hidden, new_hidden, new_cell
        return tf.stack(outputs), hidden, cell

    def objective(self, results):
        """A number that depends on all results, each in its own way."""
        pairs = zip(results, self.toward, strict=True)
        return tf.add_n([tf.reduce_sum(result * direction) for result, direction in pairs])

    def results_and_gradients(self, function):
        """Results of ``function(inputs)``, and the gradient of each input by its name."""
        with tf.GradientTape() as tape:
            tape.watch(self.inputs)
            results = function(self.inputs)
            objective = self.objective(results)
        return results, tape.gradient(objective, self.inputs)


def assert_same(got, expected):
    (results, gradients), (expected_results, expected_gradients) = got, expected
    names = "outputs", "hidden state", "cell state"
    for name, result, reference in zip(names, results, expected_results, strict=True):
        assert_allclose(result, reference, rtol=1e-5, atol=1e-5, err_msg=name)
    assert gradients.keys() == expected_gradients.keys()
    for name, reference in expected_gradients.items():
        assert gradients[name].shape == reference.shape
        assert_allclose(gradients[name], reference, rtol=1e-4, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_a_plain_loop(name):
    case = Case(**CASES[name])
    assert_same(case.results_and_gradients(case.fast), case.results_and_gradients(case.plain))


@pytest.mark.parametrize("xla", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("name", COMPILED)
def test_compiled_it_is_the_same(name, xla):
    case = Case(**CASES[name])

    @tf.function(jit_compile=xla, autograph=False)
    def compiled():
        return case.results_and_gradients(case.fast)

    assert_same(compiled(), case.results_and_gradients(case.plain))


@pytest.mark.parametrize("backwards", [False, True])
def test_a_plain_loop_is_a_layer_of_keras(backwards):
    """The gates stand in Keras' order."""
    case = Case(backwards=backwards)
    layer = keras.layers.LSTM(
        UNITS, return_sequences=True, return_state=True, go_backwards=backwards, seed=0
    )
    columns = np.random.default_rng(0).normal(size=(ROWS, STEPS, 2)).astype("f4")
    layer.build(columns.shape)
    kernel, recurrent, bias = layer.get_weights()
    state = [case.inputs["hidden"], case.inputs["cell"]]
    outputs, *after = layer(columns, initial_state=state)
    projected = np.moveaxis(columns @ kernel + bias, 1, 0)
    results = case.plain(case.inputs | {"projected": projected, "recurrent": recurrent})
    ordered = outputs[:, ::-1] if backwards else outputs
    for got, expected in zip(results, [np.moveaxis(ordered, 1, 0), *after], strict=True):
        assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_slopes(activation):
    case = Case(steps=3, rows=2, every_step=True, backwards=True, activation=activation)
    _, gradients = case.results_and_gradients(case.fast)
    generator = np.random.default_rng(0)
    for name, value in case.inputs.items():
        direction = generator.normal(size=value.shape)
        direction = tf.constant(1e-2 * direction / np.linalg.norm(direction), tf.float32)
        ahead, behind = (
            case.objective(case.fast(case.inputs | {name: value + sign * direction}))
            for sign in (1, -1)
        )
        slope = tf.reduce_sum(gradients[name] * direction)
        assert_allclose((ahead - behind) / 2, slope, rtol=1e-2, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_derivative_is_written_in_terms_of_the_output(activation):
    function, derivative = ACTIVATIONS[activation]
    inputs = tf.constant([-2.0, -0.1, 0.1, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = function(inputs)
    assert_allclose(derivative(outputs), tape.gradient(outputs, inputs), rtol=1e-6)


@pytest.mark.parametrize("xla", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_held_step_keeps_the_cell_and_stops_gradients(activation, xla):
    """Nothing else is left of it, whatever it reads."""
    case = Case(steps=3, activation=activation)
    mask = tf.constant([True, False, False])[:, tf.newaxis, tf.newaxis]

    @tf.function(jit_compile=xla, autograph=False)
    def run():
        return case.results_and_gradients(
            lambda inputs: case.fast(inputs | {"projected": hold(inputs["projected"], mask)})
        )

    (outputs, hidden, cell), gradients = run()
    alone = Case(steps=1, activation=activation)
    alone.inputs |= case.inputs | {"projected": case.inputs["projected"][:1]}
    [first], _, first_cell = alone.fast(alone.inputs)
    assert_allclose(outputs[0], first, rtol=1e-5)
    assert_allclose(cell, first_cell, rtol=1e-5)
    assert not np.any(outputs[1:])
    assert not np.any(hidden)
    assert np.any(gradients["projected"][0])
    assert not np.any(gradients["projected"][1:])
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())


def test_backwards_is_forwards_over_the_reversed_steps():
    forwards, backwards = Case(), Case(backwards=True)
    turned = forwards.inputs | {"projected": forwards.inputs["projected"][::-1]}
    outputs, *states = forwards.fast(turned)
    for got, expected in zip(
        backwards.fast(backwards.inputs), [outputs[::-1], *states], strict=True
    ):
        assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


def test_shared_preactivations_are_those_of_each_row():
    case = Case(every_step=True, shared=True)
    repeated = case.inputs | {"projected": tf.repeat(case.inputs["projected"], ROWS, axis=1)}
    for got, expected in zip(case.fast(case.inputs), case.fast(repeated), strict=True):
        assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "xla"), [("plain", False), ("every step", False), ("shared", False), ("relu", True)]
)
def test_steps_that_are_not_needed_may_be_left_out(name, xla):
    """Two steps of five give what all give where the other three have no effect."""
    case = Case(**CASES[name])
    early = tf.range(STEPS)[:, tf.newaxis, tf.newaxis] < 2
    case.toward[0] *= tf.cast(early, tf.float32)
    case.toward[1:] = [0.0 * direction for direction in case.toward[1:]]

    @tf.function(jit_compile=xla, autograph=False)
    def run(n_steps):
        return case.results_and_gradients(lambda inputs: case.fast(inputs, n_steps))

    (expected, gradients), ((outputs, *_), got) = (run(tf.constant(n)) for n in (STEPS, 2))
    assert_allclose(outputs[:2], expected[0][:2], rtol=1e-5, atol=1e-6)
    assert not np.any(outputs[2:])
    for name, gradient in gradients.items():
        assert_allclose(got[name], gradient, rtol=1e-4, atol=1e-5, err_msg=name)


def test_large_inputs_saturate_and_stay_finite():
    case = Case()
    inputs = case.inputs | {"projected": case.inputs["projected"] * 1e30}
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        results = case.fast(inputs)
        objective = case.objective(results)
    gradients = tape.gradient(objective, inputs)
    assert all(np.isfinite(array).all() for array in [*results, *gradients.values()])
