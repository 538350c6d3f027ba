"""The network in NumPy is the network in Keras, and no row knows of the others in its block."""

from itertools import product

import numpy as np
import pytest
import tensorflow as tf
import threadpoolctl
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.network.forward import (
    BLOCK_VALUES,
    MARGIN,
    NARROWEST,
    WIDEST,
    ForwardNetwork,
    block_rows,
)
from sklearn_lstmae.network.network import Network, initial_weights
from sklearn_lstmae.training.targets import in_decoder_order, read_frames

K = 5  # frames
N = 7  # sequences
STARTS = ("input", "state", "input_state")

ENCODERS = [
    {"pooling": "last"},
    {"pooling": "mean", "bidirectional": True},
    {"hidden_units": (4, 3), "bidirectional": True},
    {"activation": "relu", "hidden_units": (4, 3)},
    {"patch_size": 2},
    {"tells_missing": True},
    {"patch_size": 3, "tells_missing": True, "bidirectional": True, "pooling": "last"},
    {"variational": True},
    *(
        {"bottleneck": kind, "hidden_units": units}
        for kind, units in [("hidden", ()), ("cell", (3,))]
    ),
    {"bottleneck": "hidden_cell", "hidden_units": (4, 3)},
    {"bottleneck": "cell", "hidden_units": (), "activation": "relu"},
]
DECODERS = [
    {"decoder_start": start, "time_encoding": time, "conditional": conditional}
    for start, time, conditional in product(STARTS, (False, True), (False, True))
]
OTHERS = [{"reverse_target": False}, {"decoders": ("reconstruct", "predict")}]
# Each encoder, each decoder and each of the others is in some of them.
TABLE = [
    ENCODERS[place % len(ENCODERS)]
    | DECODERS[(place + place // len(ENCODERS)) % len(DECODERS)]
    | ({} if place % 3 else OTHERS[(place // 3) % len(OTHERS)])
    for place in range(2 * len(ENCODERS))
]


class Case:
    """An architecture, drawn weights, and sequences of all lengths for it."""

    def __init__(self, architecture, seed=0):
        self.architecture = architecture
        generator = np.random.default_rng(seed)
        self.keras = Network(architecture, fast=False)
        self.weights = [
            weight + 0.3 * generator.normal(size=weight.shape).astype("f4")
            for weight in initial_weights(self.keras.variables, generator)
        ]
        for variable, weight in zip(self.keras.variables, self.weights, strict=True):
            variable.assign(weight)
        self.network = ForwardNetwork(architecture, self.weights)
        self.lengths = generator.integers(1, K * architecture.patch_size + 1, N).astype("i4")
        self.lengths[0] = K * architecture.patch_size
        self.frames = generator.normal(size=(N, K, architecture.frame_width)).astype("f4")
        if architecture.tells_missing:
            self.frames[generator.uniform(size=self.frames.shape) < 0.2] = np.nan
        self.codes = generator.normal(size=(N, architecture.code_width)).astype("f4")

    def expected_codes(self):
        values, _, indicators, mask = read_frames(
            self.architecture, tf.constant(self.frames), tf.constant(self.lengths)
        )
        return self.keras.encoder(tf.concat([values, indicators], -1), mask)

    def expected_frames(self, name):
        decoder, codes = self.keras.decoders[name], tf.constant(self.codes)
        if self.architecture.conditional:
            frame, states = decoder.first_step(codes)
            said = []
            for position in range(K):
                frame, states = decoder.next_step(codes, tf.fill((1, 1), position), frame, states)
                said.append(frame)
            frames = tf.stack(said, axis=1)
        else:
            frames = decoder(codes, np.tile(np.arange(K), (N, 1)))
        return in_decoder_order(self.architecture, name, frames, tf.constant(self.lengths))


def describe(changes):
    return ", ".join(f"{name} {value}" for name, value in changes.items())


@pytest.fixture(scope="module")
def default(make_architecture):
    return Case(make_architecture(bidirectional=True))


@pytest.fixture
def one_thread_products():
    with threadpoolctl.threadpool_limits(1, "blas"):
        yield


# The same numbers ------------------------------------------------------------------------


@pytest.mark.parametrize("changes", TABLE, ids=describe)
def test_numpy_and_keras_are_one_network(changes, make_architecture):
    case = Case(make_architecture(**changes))
    codes = case.network.encode(case.frames, case.lengths)
    assert codes.dtype == np.float32
    assert_allclose(codes, case.expected_codes(), rtol=1e-5, atol=1e-6)
    for name in case.architecture.decoders:
        frames = case.network.decode(case.codes, case.lengths, K, name)
        assert frames.dtype == np.float32
        assert_allclose(frames, case.expected_frames(name), rtol=1e-5, atol=2e-6)


def test_the_table_holds_each_encoder_decoder_and_other():
    for part in (*ENCODERS, *DECODERS, *OTHERS):
        assert any(part.items() <= changes.items() for changes in TABLE), part


def test_decoded_frames_are_in_the_order_of_time(make_architecture):
    """A decoder that says a sequence from its end is turned round again, row by row."""
    forwards, backwards = (Case(make_architecture(reverse_target=turn)) for turn in (False, True))
    said = forwards.network.decode(forwards.codes, forwards.lengths, K)
    turned = backwards.network.decode(forwards.codes, forwards.lengths, K)
    for row, length in enumerate(forwards.lengths):
        assert_array_equal(turned[row, :length], said[row, :length][::-1])
        assert_array_equal(turned[row, length:], said[row, length:])


@pytest.mark.parametrize("conditional", [False, True])
def test_a_longer_forecast_begins_with_the_shorter_one(conditional, make_architecture):
    case = Case(make_architecture(decoders=("predict",), conditional=conditional))
    long = case.network.decode(case.codes, np.full(N, 9), 9, "predict")
    for n_steps in (1, 4, 8):
        short = case.network.decode(case.codes, np.full(N, n_steps), n_steps, "predict")
        assert_allclose(short, long[:, :n_steps], rtol=1e-5, atol=1e-6)


def test_a_code_is_the_mean_whatever_its_spread(make_architecture):
    case = Case(make_architecture(variational=True))
    places = [variable.path for variable in case.keras.variables]
    for variable in case.keras.encoder.spread.weights:
        case.weights[places.index(variable.path)] += 5
    other = ForwardNetwork(case.architecture, case.weights)
    assert_array_equal(
        other.encode(case.frames, case.lengths), case.network.encode(case.frames, case.lengths)
    )


# Rows ------------------------------------------------------------------------------------


KERNELS = [
    *({"hidden_units": (units,), "bidirectional": True} for units in (1, 3, 8, 31, 128)),
    {"n_features": 1, "latent_dim": 1},
    {"n_features": 1, "hidden_units": (1,), "latent_dim": 1, "bottleneck": "hidden"},
    {"bottleneck": "hidden_cell", "hidden_units": (4, 3), "activation": "relu"},
    {"conditional": True, "tells_missing": True, "patch_size": 2},
]


@pytest.mark.parametrize("changes", KERNELS, ids=describe)
def test_a_row_is_the_same_to_the_bit_wherever_it_stands_in_a_block(
    changes, make_architecture, one_thread_products
):
    case = Case(make_architecture(**changes))
    rows = block_rows(case.architecture, K)
    codes = case.network.encode(case.frames, case.lengths)
    frames = case.network.decode(codes, case.lengths, K)
    for first in (1, 6, rows - N):
        place = np.zeros(rows, int)
        place[first : first + N] = np.arange(N)
        moved = case.network.encode(case.frames[place], case.lengths[place])
        assert_array_equal(moved, codes[place])
        said = case.network.decode(moved, case.lengths[place], K)
        assert_array_equal(said, frames[place])


def test_what_padding_holds_has_no_effect(default):
    padding = np.arange(K) >= default.lengths[:, np.newaxis]
    codes = default.network.encode(default.frames, default.lengths)
    for garbage in (9.0, np.nan, np.inf):
        dirty = np.where(padding[:, :, np.newaxis], np.float32(garbage), default.frames)
        assert_array_equal(default.network.encode(dirty, default.lengths), codes)


@pytest.mark.parametrize("pooling", ["last", "mean", "last_mean"])
def test_more_padding_has_no_effect(pooling, make_architecture):
    case = Case(make_architecture(pooling=pooling, bidirectional=True))
    longer = np.pad(case.frames, ((0, 0), (0, 11), (0, 0)), constant_values=9)
    assert_allclose(
        case.network.encode(longer, case.lengths),
        case.network.encode(case.frames, case.lengths),
        rtol=1e-6,
        atol=1e-7,
    )


def test_what_goes_in_stays_as_it_is(default):
    given = [default.frames, default.lengths, default.codes, *default.weights]
    before = [array.copy() for array in given]
    codes = default.network.encode(default.frames, default.lengths)
    frames = default.network.decode(default.codes, default.lengths, K)
    kept = codes.copy(), frames.copy()
    default.network.encode(-default.frames, default.lengths)
    default.network.decode(-default.codes, default.lengths, K)
    for array, same in zip([*given, codes, frames], [*before, *kept], strict=True):
        assert_array_equal(array, same)


@pytest.mark.parametrize("value", [1e30, -np.finfo("f4").max])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_huge_values_make_no_warning_and_no_nan_in_other_rows(value, activation, make_architecture):
    case = Case(make_architecture(activation=activation))
    codes = case.network.encode(case.frames, case.lengths)
    huge = case.frames.copy()
    huge[2] = value
    got = case.network.encode(huge, case.lengths)
    others = np.arange(N) != 2
    assert_array_equal(got[others], codes[others])
    if activation == "tanh":
        assert np.isfinite(got).all()


# Blocks ----------------------------------------------------------------------------------


def test_blocks_of_long_sequences_have_fewer_rows(make_architecture):
    """Memory is bounded, and a block's size is a power of two that its length alone decides."""
    architecture = make_architecture()
    sizes = np.array([block_rows(architecture, n_frames) for n_frames in 2 ** np.arange(24)])
    widths = sizes + 2 * MARGIN
    assert widths[0] == WIDEST
    assert (np.diff(widths) <= 0).all()
    assert widths[-1] == NARROWEST
    assert set(np.log2(widths) % 1) == {0}
    held = widths * 2 ** np.arange(24) * (3 + 2 * 3)  # state and input of the widest layer
    assert (held[widths > NARROWEST] <= BLOCK_VALUES).all()


def test_blocks_of_wide_networks_have_fewer_rows(make_architecture):
    sizes = [block_rows(make_architecture(hidden_units=(2**u,)), 1) for u in range(5, 12)]
    assert sizes[0] == WIDEST - 2 * MARGIN
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == NARROWEST - 2 * MARGIN
