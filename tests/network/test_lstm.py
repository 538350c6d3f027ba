"""`FastLSTM` is ``keras.layers.LSTM``: the same values and the same gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from sklearn_lstmae.network.lstm import FastLSTM

STEPS, ROWS, COLUMNS, UNITS = 5, 4, 2, 3

# Real steps of each row.
MASKS = {
    "padded": ["11111", "11000", "11110", "10000"],
    "gaps": ["10101", "01110", "00011", "11011"],
    "empty row": ["11111", "00000", "00100", "11100"],
}

CASES = {
    "plain": {},
    "padded": {"mask": "padded"},
    "gaps": {"mask": "gaps"},
    "empty row": {"mask": "empty row"},
    "backwards": {"backwards": True},
    "backwards, padded": {"backwards": True, "mask": "padded"},
    "backwards, gaps": {"backwards": True, "mask": "gaps"},
    "state": {"state": True},
    "state, gaps": {"state": True, "mask": "gaps"},
    "state, backwards": {"state": True, "backwards": True},
    "state, backwards, padded": {"state": True, "backwards": True, "mask": "padded"},
    "constant": {"constant": 2},
    "constant, gaps": {"constant": 2, "mask": "gaps"},
    "constant, state, backwards": {"constant": 2, "state": True, "backwards": True},
    "constant alone": {"constant": 2, "columns": 0},
    "one step": {"steps": 1},
    "one step, state": {"steps": 1, "state": True},
    "one row": {"rows": 1},
    "one row, constant": {"rows": 1, "constant": 1},
    "one row, one step, one column": {"rows": 1, "steps": 1, "columns": 1, "backwards": True},
    "relu": {"activation": "relu"},
    "relu, state, gaps": {"activation": "relu", "state": True, "mask": "gaps"},
    "relu, backwards, padded": {"activation": "relu", "backwards": True, "mask": "padded"},
    "stacked": {"layers": 2},
    "stacked, gaps": {"layers": 2, "mask": "gaps"},
    "stacked, backwards, padded": {"layers": 2, "backwards": True, "mask": "padded"},
}
COMPILED = ["state, backwards, padded", "constant, gaps", "relu, state, gaps"]


class Case:
    """Inputs and weights of a stack of layers, and what to differentiate: a sum of results."""

    def __init__(
        self,
        mask=None,
        backwards=False,
        state=False,
        constant=0,
        steps=STEPS,
        rows=ROWS,
        columns=COLUMNS,
        activation="tanh",
        layers=1,
    ):
        self.options = {"activation": activation, "go_backwards": backwards}
        generator = np.random.default_rng(7)

        def normal(*shape):
            return tf.constant(generator.normal(size=shape), tf.float32)

        self.inputs = {"sequence": normal(rows, steps, columns)}
        if constant:
            self.inputs["constant"] = normal(rows, constant)
        if state:
            self.inputs |= {"hidden": normal(rows, UNITS), "cell": normal(rows, UNITS)}
        for layer in range(layers):
            width = columns + constant if layer == 0 else UNITS
            self.inputs |= {
                f"kernel {layer}": normal(width, 4 * UNITS),
                f"recurrent kernel {layer}": normal(UNITS, 4 * UNITS),
                f"bias {layer}": normal(4 * UNITS),
            }
        self.layers = {"fast": [], "reference": []}
        for layer in range(layers):
            shape = (None, None, columns + constant if layer == 0 else UNITS)
            reference = keras.layers.LSTM(
                UNITS, return_sequences=True, return_state=True, seed=0, **self.options
            )
            for kind, made in {
                "fast": FastLSTM(UNITS, **self.options),
                "reference": reference,
            }.items():
                made.build(shape)
                self.layers[kind].append(made)
        self.mask = mask and tf.constant([[c == "1" for c in row] for row in MASKS[mask]])
        shown = np.ones((rows, steps), bool)
        if mask and state:
            # Before the first step that is read, Keras repeats zeros and not the first state.
            forwards = slice(None, None, -1 if backwards else 1)
            shown = np.logical_or.accumulate(self.mask.numpy()[:, forwards], axis=1)[:, forwards]
        self.shown = shown[:, :, np.newaxis]
        self.toward = [normal(rows, steps, UNITS) * self.shown] + [normal(rows, UNITS)] * 2

    def arguments(self, inputs):
        """Keyword arguments of the first layer, of either kind."""
        state = [inputs["hidden"], inputs["cell"]] if "hidden" in inputs else None
        return {"mask": self.mask, "initial_state": state}

    def weights(self, inputs, layer):
        return [inputs[f"{kind} {layer}"] for kind in ("kernel", "recurrent kernel", "bias")]

    def fast(self, inputs, training, **more_options):
        """Outputs, hidden and cell state of the last layer."""
        outputs = inputs["sequence"]
        for depth, layer in enumerate(self.layers["fast"]):
            weights = self.weights(inputs, depth)
            first = {"constant": inputs.get("constant")} | self.arguments(inputs)
            more = first if depth == 0 else {"mask": self.mask}
            with keras.StatelessScope(zip(layer.weights, weights, strict=True)):
                outputs, hidden, cell = layer.call(
                    outputs, training=training, **more, **more_options
                )
        return outputs, hidden, cell

    def reference(self, inputs):
        """The same with Keras' layer, the constant repeated and outputs in sequence order."""
        outputs = inputs["sequence"]
        if "constant" in inputs:
            repeated = tf.repeat(inputs["constant"][:, tf.newaxis], outputs.shape[1], axis=1)
            outputs = tf.concat([outputs, repeated], -1)
        for depth, layer in enumerate(self.layers["reference"]):
            weights = self.weights(inputs, depth)
            more = self.arguments(inputs) if depth == 0 else {"mask": self.mask}
            with keras.StatelessScope(zip(layer.weights, weights, strict=True)):
                outputs, hidden, cell = layer(outputs, **more)
            if layer.go_backwards:
                outputs = outputs[:, ::-1]
        return outputs, hidden, cell

    def objective(self, results):
        """A number that depends on all results, each in its own way."""
        return tf.add_n(
            [
                tf.reduce_sum(r * direction)
                for r, direction in zip(results, self.toward, strict=True)
            ]
        )

    def results_and_gradients(self, function):
        """Of ``function(inputs)``: results, and the gradient for each input by its name."""
        with tf.GradientTape() as tape:
            tape.watch(self.inputs)
            results = function(self.inputs)
            objective = self.objective(results)
        gradients = tape.gradient(objective, self.inputs)
        return results, gradients


def assert_same(case, got, expected):
    results, gradients = got
    expected_results, expected_gradients = expected
    names = ("outputs", "hidden state", "cell state")
    for name, result, reference in zip(names, results, expected_results, strict=True):
        shown = case.shown if name == "outputs" else True
        assert_allclose(result * shown, reference * shown, rtol=1e-5, atol=1e-5, err_msg=name)
    for name, reference in expected_gradients.items():
        assert_allclose(gradients[name], reference, rtol=1e-4, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_keras(name):
    case = Case(**CASES[name])
    expected = case.results_and_gradients(case.reference)
    got = case.results_and_gradients(lambda inputs: case.fast(inputs, training=True))
    assert_same(case, got, expected)


@pytest.mark.parametrize("name", CASES)
def test_without_training_the_values_are_the_same(name):
    case = Case(**CASES[name])
    for got, expected in zip(
        case.fast(case.inputs, training=False), case.fast(case.inputs, training=True), strict=True
    ):
        assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("xla", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("name", COMPILED)
def test_compiled_it_is_the_same(name, xla):
    case = Case(**CASES[name])

    @tf.function(jit_compile=xla, autograph=False)
    def compiled():
        learning = case.results_and_gradients(lambda inputs: case.fast(inputs, training=True))
        return learning, case.fast(case.inputs, training=False)

    expected = case.results_and_gradients(case.reference)
    learning, values = compiled()
    assert_same(case, learning, expected)
    assert_same(case, (values, learning[1]), expected)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_gradients_are_slopes(activation):
    case = Case(
        steps=3, rows=2, constant=1, state=True, backwards=True, activation=activation, layers=2
    )

    @tf.function(autograph=False)
    def objective(inputs):
        return case.objective(case.fast(inputs, training=True))

    _, gradients = case.results_and_gradients(lambda inputs: case.fast(inputs, training=True))
    generator = np.random.default_rng(0)
    for name, value in case.inputs.items():
        direction = generator.normal(size=value.shape)
        direction = tf.constant(1e-2 * direction / np.linalg.norm(direction), tf.float32)
        ahead, behind = (
            objective(case.inputs | {name: value + sign * direction}) for sign in (1, -1)
        )
        slope = tf.reduce_sum(gradients[name] * direction)
        assert_allclose((ahead - behind) / 2, slope, rtol=1e-2, atol=2e-5, err_msg=name)


def test_one_sequence_for_all_rows_is_the_sequence_repeated():
    case = Case(constant=2)
    one = case.inputs | {"sequence": case.inputs["sequence"][:1]}
    repeated = case.inputs | {"sequence": tf.repeat(one["sequence"], ROWS, axis=0)}
    for training in (False, True):
        for got, expected in zip(
            case.fast(one, training), case.fast(repeated, training), strict=True
        ):
            assert_allclose(got, expected, rtol=1e-6, atol=1e-6)
    grown = []
    for inputs in (one, repeated):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            objective = case.objective(case.fast(inputs, training=True))
        grown.append(tape.gradient(objective, inputs))
    shared, separate = grown
    separate["sequence"] = tf.reduce_sum(separate["sequence"], axis=0, keepdims=True)
    for name, gradient in separate.items():
        assert_allclose(shared[name], gradient, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("backwards", [False, True])
def test_masked_steps_have_no_say(backwards):
    case = Case(mask="gaps", backwards=backwards)
    mask = case.mask[:, :, tf.newaxis]
    other = case.inputs | {"sequence": tf.where(mask, case.inputs["sequence"], 9.0)}
    for training in (False, True):
        for got, expected in zip(
            case.fast(other, training), case.fast(case.inputs, training), strict=True
        ):
            np.testing.assert_array_equal(got, expected)
    _, gradients = case.results_and_gradients(lambda inputs: case.fast(inputs, training=True))
    assert not np.any(np.where(mask, 0.0, gradients["sequence"]))


def test_a_masked_step_repeats_the_output_before_it():
    case = Case(mask="gaps", state=True)
    outputs, hidden, _ = case.fast(case.inputs, training=False)
    state = case.inputs["hidden"].numpy()
    for step in range(STEPS):
        masked = ~case.mask.numpy()[:, step]
        np.testing.assert_array_equal(outputs.numpy()[masked, step], state[masked])
        state = outputs.numpy()[:, step]
    np.testing.assert_array_equal(hidden, state)


def test_backwards_is_the_reversed_sequence_read_forwards():
    forwards, backwards = Case(), Case(backwards=True)
    turned = forwards.inputs | {"sequence": forwards.inputs["sequence"][:, ::-1]}
    outputs, *states = forwards.fast(turned, training=False)
    expected = outputs[:, ::-1], *states
    for got, reference in zip(backwards.fast(backwards.inputs, False), expected, strict=True):
        assert_allclose(got, reference, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "xla"),
    [
        ("padded", False),
        ("constant", False),
        ("relu, state, gaps", True),
        ("backwards, padded", True),
    ],
)
def test_steps_that_nobody_needs_may_be_left_out(name, xla):
    """Computing two steps of five equals computing all, where the other three have no say."""
    case = Case(**CASES[name])
    early = tf.range(STEPS) < 2
    if case.mask is not None:
        case.mask &= early
    case.toward[0] *= tf.cast(early, tf.float32)[:, tf.newaxis]
    case.toward[1:] = [0.0 * r if case.mask is None else r for r in case.toward[1:]]

    @tf.function(jit_compile=xla, autograph=False)
    def learn(n_steps):
        return case.results_and_gradients(
            lambda inputs: case.fast(inputs, training=True, n_steps=n_steps)
        )

    @tf.function(jit_compile=xla, autograph=False)
    def run(n_steps):
        return case.fast(case.inputs, training=False, n_steps=n_steps)

    (expected, gradients), ((outputs, *states), got) = (learn(tf.constant(n)) for n in (STEPS, 2))
    for results in ((outputs, *states), run(tf.constant(2))):
        assert_allclose(results[0][:, :2], expected[0][:, :2], rtol=1e-5, atol=1e-6)
        assert not np.any(results[0][:, 2:])
        if case.mask is not None:
            assert_allclose(results[1:], expected[1:], rtol=1e-5, atol=1e-6)
    for name, gradient in gradients.items():
        assert_allclose(got[name], gradient, rtol=1e-4, atol=1e-5, err_msg=name)


def test_weights_are_those_of_keras():
    layers = FastLSTM(UNITS), keras.layers.LSTM(UNITS, seed=0)
    for layer in layers:
        layer.build((None, None, COLUMNS))
    fast, plain = ([tuple(weight.shape) for weight in layer.weights] for layer in layers)
    assert fast == plain


def test_large_inputs_saturate_and_stay_finite():
    case = Case(state=True)
    inputs = case.inputs | {"sequence": case.inputs["sequence"] * 1e30}
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        results = case.fast(inputs, training=True)
        objective = case.objective(results)
    gradients = tape.gradient(objective, inputs)
    assert all(np.isfinite(array).all() for array in [*results, *gradients.values()])
