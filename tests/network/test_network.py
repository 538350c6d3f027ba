"""The fast network and the plain one are the same network, and start from Keras' weights."""

from itertools import product

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.network.network import Network, initial_weights

LENGTHS = [4, 1, 3]
FRAMES, ROWS = 4, 3

ENCODERS = [
    *({"bottleneck": "dense", "pooling": pooling} for pooling in ("last", "mean", "last_mean")),
    *({"bottleneck": bottleneck} for bottleneck in ("hidden", "cell", "hidden_cell")),
]
# What an encoder's input may hold, and what else may vary: each in turn.
WIDTHS = [
    {},
    {"patch_size": 2},
    {"tells_missing": True},
    {"patch_size": 3, "tells_missing": True},
    {"activation": "relu"},
    {"conditional": True},
    {"decoders": ("predict",), "conditional": True, "patch_size": 2},
]
# All decoders for each encoder; each encoder reads one way and both ways.
TABLE = [
    {"decoder_start": start, "time_encoding": time, "hidden_units": units}
    | {"bidirectional": (place // 2) % 2 == 1}
    | encoder
    | WIDTHS[place % len(WIDTHS)]
    for place, (encoder, start, time, units) in enumerate(
        product(ENCODERS, ("input", "state", "input_state"), (False, True), ((3,), (3, 2)))
    )
]
LEARNING = [
    {},
    {"bidirectional": True, "hidden_units": (3, 2), "pooling": "mean", "patch_size": 2},
    {"bottleneck": "hidden_cell", "decoder_start": "state", "time_encoding": False},
    {"bottleneck": "cell", "decoder_start": "input", "bidirectional": True, "activation": "relu"},
    {"bottleneck": "hidden", "hidden_units": ()},
    {"conditional": True, "decoders": ("reconstruct", "predict")},
]


def describe(changes):
    return ", ".join(str(value) for value in changes.values())


@pytest.fixture(scope="module")
def mask():
    return tf.sequence_mask(LENGTHS, FRAMES)


def make_pair(architecture):
    """The fast and the plain network with the same weights, biases drawn too."""
    networks = [Network(architecture, fast=fast) for fast in (True, False)]
    generator = np.random.default_rng(0)
    for variables in zip(*(network.variables for network in networks), strict=True):
        value = generator.normal(scale=0.5, size=variables[0].shape)
        for variable in variables:
            variable.assign(value)
    return networks


def random_input(architecture, mask):
    values = np.random.default_rng(1).normal(size=(ROWS, FRAMES, architecture.input_width))
    return tf.constant(np.where(mask[:, :, np.newaxis], values, 0.0), tf.float32)


def run(network, inputs, mask, **running):
    """The code, and what each decoder says after the frames that it is told."""
    code = network.encoder(inputs, mask, **running)
    return [code] + [say(decoder, code, **running) for decoder in network.decoders.values()]


def say(decoder, code, positions=None, **running):
    previous = None
    if decoder.architecture.conditional:
        shape = (ROWS, FRAMES, decoder.architecture.frame_width)
        previous = tf.constant(np.random.default_rng(2).normal(size=shape), tf.float32)
    return decoder(code, POSITIONS if positions is None else positions, previous, **running)


POSITIONS = np.tile(np.arange(FRAMES), (ROWS, 1))


@pytest.mark.parametrize("changes", TABLE, ids=describe)
def test_fast_and_plain_are_one_network(changes, make_architecture, mask):
    architecture = make_architecture(**changes)
    inputs = random_input(architecture, mask)
    fast, plain = make_pair(architecture)
    code, frames = run(fast, inputs, mask)
    assert code.shape == (ROWS, architecture.code_width)
    assert frames.shape == (ROWS, FRAMES, architecture.frame_width)
    for got, expected in zip((code, frames), run(plain, inputs, mask), strict=True):
        assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    [decoder] = fast.decoders.values()
    assert_allclose(say(decoder, code, POSITIONS[:1]), frames, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("changes", LEARNING, ids=describe)
def test_fast_and_plain_learn_the_same(changes, make_architecture, mask):
    architecture = make_architecture(**changes)
    inputs = random_input(architecture, mask)
    gradients = []
    for network in make_pair(architecture):
        running = {} if gradients else {"training": True}  # the fast one comes first
        variables = [variable.value for variable in network.variables]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            results = run(network, inputs, mask, **running)
            loss = tf.add_n([tf.reduce_sum(tf.square(result - 1.0)) for result in results])
        gradients.append(tape.gradient(loss, [inputs, *variables]))
    names = ["inputs", *(variable.path for variable in network.variables)]
    for name, fast, plain in zip(names, *gradients, strict=True):
        assert_allclose(fast, plain, rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_units": (3, 2)},
        {"bottleneck": "hidden_cell", "decoder_start": "state", "time_encoding": False},
        {"decoder_start": "input", "time_encoding": False, "activation": "relu"},
    ],
    ids=describe,
)
def test_frames_one_by_one_are_the_frames_at_once(changes, make_architecture):
    """A conditional decoder that is told what it said itself says it again."""
    architecture = make_architecture(conditional=True, **changes)
    _, plain = make_pair(architecture)
    decoder = plain.decoders["reconstruct"]
    code = tf.constant(
        np.random.default_rng(0).normal(size=(ROWS, architecture.code_width)), "float32"
    )
    frame, states = decoder.first_step(code)
    previous, said = [], []
    for position in range(FRAMES):
        previous.append(frame)
        frame, states = decoder.next_step(code, tf.fill((1, 1), position), frame, states)
        said.append(frame)
    at_once = decoder(code, POSITIONS, tf.stack(previous, axis=1))
    assert not np.any(previous[0])
    assert_allclose(tf.stack(said, axis=1), at_once, rtol=1e-5, atol=1e-6)


def test_a_variational_encoder_also_says_how_sure_it_is(make_architecture, mask):
    """Its code is the mean; the further layer reads what the bottleneck reads."""
    architecture = make_architecture(variational=True)
    fast, plain = make_pair(architecture)
    inputs = random_input(architecture, mask)
    for network in (fast, plain):
        pooled = network.encoder.pool(inputs, mask)
        code = network.encoder(inputs, mask)
        assert_array_equal(network.encoder.bottleneck(pooled), code)
        assert network.encoder.spread(pooled).shape == code.shape
    assert len(fast.variables) == len(Network(make_architecture()).variables) + 2


def test_variables_have_the_same_names_and_shapes(make_architecture):
    for changes in LEARNING:
        fast, plain = make_pair(make_architecture(**changes))
        assert [v.shape for v in fast.variables] == [v.shape for v in plain.variables]
        layers = [
            [variable.path.split("/")[0] for variable in network.variables]
            for network in (fast, plain)
        ]
        assert layers[0] == layers[1]


@pytest.mark.parametrize("encoder", ENCODERS, ids=describe)
@pytest.mark.parametrize("two_way", [False, True])
def test_padding_does_not_change_a_code(encoder, two_way, make_architecture, mask):
    architecture = make_architecture(bidirectional=two_way, hidden_units=(3, 2), **encoder)
    network, _ = make_pair(architecture)
    inputs = random_input(architecture, mask)
    dirty = tf.where(mask[:, :, tf.newaxis], inputs, 7.0)
    codes = network.encoder(inputs, mask)
    assert_array_equal(network.encoder(dirty, mask), codes)
    for row, length in enumerate(LENGTHS):
        alone = network.encoder(inputs[row : row + 1, :length], tf.ones((1, length), tf.bool))
        assert_allclose(alone[0], codes[row], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("start", ["input", "state", "input_state"])
@pytest.mark.parametrize("bottleneck", ["dense", "hidden", "cell", "hidden_cell"])
def test_every_column_of_the_code_and_every_frame_matters(bottleneck, start, make_architecture):
    architecture = make_architecture(bottleneck=bottleneck, decoder_start=start)
    network, _ = make_pair(architecture)
    code = tf.constant(
        np.random.default_rng(0).normal(size=(1, architecture.code_width)), "float32"
    )
    for time in range(FRAMES):
        with tf.GradientTape() as tape:
            tape.watch(code)
            frame = tf.reduce_sum(
                network.decoders["reconstruct"](code, POSITIONS[:1], training=True)[:, time]
            )
        assert np.all(tape.gradient(frame, code) != 0)


@pytest.mark.parametrize("start", ["input", "state"])
@pytest.mark.parametrize("time", [False, True])
def test_frames_of_a_code_differ_in_time(start, time, make_architecture):
    network, _ = make_pair(make_architecture(decoder_start=start, time_encoding=time))
    [frames] = network.decoders["reconstruct"](tf.zeros((1, 2)), POSITIONS[:1]).numpy()
    assert len(np.unique(frames, axis=0)) == FRAMES


def test_the_time_encoding_tells_long_sequences_apart(make_architecture):
    """Positions are encoded, not counted by the state: the first layer's input never repeats."""
    network, _ = make_pair(make_architecture(decoder_start="input"))
    [frames] = network.decoders["reconstruct"](tf.zeros((1, 2)), np.arange(512)[np.newaxis]).numpy()
    assert len(np.unique(frames, axis=0)) == 512


def test_pooling_reads_what_it_says(make_architecture, mask):
    """With the identity for a bottleneck the code is the pooled sequence itself."""
    pooled = {}
    for pooling in ("last", "mean", "last_mean"):
        width = 6 if pooling == "last_mean" else 3
        architecture = make_architecture(pooling=pooling, latent_dim=width)
        network = Network(architecture)
        weights = initial_weights(network.variables, np.random.default_rng(0))
        for variable, weight in zip(network.variables, weights, strict=True):
            variable.assign(np.eye(width) if weight.shape == (width, width) else weight)
        pooled[pooling] = network.encoder(random_input(architecture, mask), mask).numpy()
    assert_array_equal(pooled["last_mean"], np.hstack([pooled["last"], pooled["mean"]]))
    one_step = LENGTHS.index(1)
    assert_allclose(pooled["last"][one_step], pooled["mean"][one_step], rtol=1e-6)
    assert not np.allclose(pooled["last"][0], pooled["mean"][0])


def with_weights(architecture, weights):
    network = Network(architecture)
    for variable, weight in zip(network.variables, weights, strict=True):
        variable.assign(weight)
    return network


def test_hidden_and_cell_are_the_halves_of_a_code_of_both(make_architecture, mask):
    """The encoders have the same weights; a decoder that lacks a half starts with zeros there."""
    both, hidden, cell = (
        make_architecture(bottleneck=bottleneck, decoder_start="state")
        for bottleneck in ("hidden_cell", "hidden", "cell")
    )
    network, _ = make_pair(both)
    weights = [variable.numpy() for variable in network.variables]
    inputs = random_input(both, mask)
    code = network.encoder(inputs, mask)
    zeros = np.zeros((ROWS, 2), "f4")
    for architecture, half, padded in (
        (hidden, code[:, :2], np.hstack([code[:, :2], zeros])),
        (cell, code[:, 2:], np.hstack([zeros, code[:, 2:]])),
    ):
        one = with_weights(architecture, weights)
        assert_array_equal(one.encoder(inputs, mask), half)
        frames = network.decoders["reconstruct"](tf.constant(padded), POSITIONS)
        assert_array_equal(one.decoders["reconstruct"](half, POSITIONS), frames)


def test_a_row_without_a_step_has_a_finite_code(make_architecture):
    for changes in ENCODERS:
        architecture = make_architecture(**changes)
        for network in make_pair(architecture):
            inputs = tf.zeros((1, FRAMES, architecture.input_width))
            assert np.isfinite(network.encoder(inputs, tf.zeros((1, FRAMES), tf.bool))).all()


def test_initial_weights_follow_the_rules_of_keras(make_architecture):
    architecture = make_architecture(hidden_units=(16, 8), latent_dim=4)
    variables = Network(architecture).variables
    weights = initial_weights(variables, np.random.default_rng(0))
    assert [w.shape for w in weights] == [tuple(v.shape) for v in variables]
    assert {w.dtype for w in weights} == {np.dtype("f4")}
    for variable, weight in zip(variables, weights, strict=True):
        name = variable.path.split("/")[-1]
        if name == "recurrent_kernel":
            assert_allclose(weight @ weight.T, np.eye(len(weight)), atol=1e-5)
        elif name == "kernel":
            limit = np.sqrt(6 / sum(weight.shape))
            assert 0.7 * limit < np.abs(weight).max() <= limit
            assert abs(weight.mean()) < 0.3 * limit
        elif name == "gate_bias":
            entry, forget, candidate, exit_ = np.split(weight, 4)
            assert_array_equal(forget, 1)
            assert not np.any([entry, candidate, exit_])
        else:
            assert not weight.any()


def test_initial_values_are_distributed_like_those_of_keras():
    """Deviation of each kind of weight, beside Keras' own initializers."""
    layers = keras.layers.LSTM(32, seed=0), keras.layers.LSTM(32, seed=0)
    for layer in layers:
        layer.build((None, None, 16))
    kernel, recurrent, bias = layers[0].get_weights()
    mine = initial_weights(layers[1].weights, np.random.default_rng(0))
    assert_allclose(mine[0].std(), kernel.std(), rtol=0.1)
    assert_allclose(mine[1].std(), recurrent.std(), rtol=0.1)
    assert_allclose(mine[1] @ mine[1].T, recurrent @ recurrent.T, atol=1e-5)
    assert_array_equal(np.sort(bias)[-32:], 1)


def test_one_seed_gives_the_same_weights_and_another_does_not(make_architecture):
    variables = Network(make_architecture()).variables
    first, again, other = (
        initial_weights(variables, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    for one, two in zip(first, again, strict=True):
        assert_array_equal(one, two)
    assert not np.array_equal(first[0], other[0])


def test_building_draws_from_no_global_generator(make_architecture, keeps_random_states):
    with keeps_random_states():
        for fast in (True, False):
            network = Network(make_architecture(bidirectional=True), fast=fast)
            initial_weights(network.variables, np.random.default_rng(0))


@pytest.fixture(params=["float16 arithmetic", "float64 everywhere"])
def settings_of_the_user(request):
    """What users may have set for Keras models of their own."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    if request.param == "float16 arithmetic":
        keras.config.set_dtype_policy("mixed_float16")
    else:
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
def test_arithmetic_is_float32_whatever_the_user_set(
    fast, settings_of_the_user, make_architecture, mask
):
    architecture = make_architecture(hidden_units=(3, 2), time_encoding=False)
    network = Network(architecture, fast=fast)
    weights = initial_weights(network.variables, np.random.default_rng(0))
    for variable, weight in zip(network.variables, weights, strict=True):
        assert variable.dtype == "float32"
        variable.assign(weight)
    code = network.encoder(random_input(architecture, mask), mask)
    assert code.dtype == network.decoders["reconstruct"](code, POSITIONS).dtype == tf.float32
