"""The description of a network: its layers, their order, and what each of them reads."""

import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae import _file_container as container
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.network.in_numpy import NumpyOperations
from sklearn_lstmae.network.wiring import (
    POOLINGS,
    TIMES,
    Dense,
    Lstm,
    Operations,
    Read,
    network_of,
)

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures").glob("*.lstmae"))
BOTTLENECKS = ("dense", "hidden", "cell", "hidden_cell")
STARTS = ("input", "state", "input_state")

PARTS = [
    {"tells_missing": [False, True], "patch_size": [1, 2], "bidirectional": [False, True]},
    {"pooling": list(POOLINGS), "variational": [False, True], "bidirectional": [False, True]},
    {
        "bottleneck": BOTTLENECKS,
        "hidden_units": [(5, 4), (3,)],
        "decoder_start": STARTS,
        "bidirectional": [False, True],
    },
    {"bottleneck": BOTTLENECKS[1:], "hidden_units": [()], "decoder_start": STARTS},
    {
        "decoder_start": STARTS,
        "time_encoding": [False, True],
        "conditional": [False, True],
        "decoders": [("reconstruct",), ("predict",), ("reconstruct", "predict")],
    },
]
VARIANTS = [
    dict(zip(part, values, strict=True)) for part in PARTS for values in product(*part.values())
]


def describe(changes):
    return ", ".join(str(value) for value in changes.values())


@pytest.fixture(params=VARIANTS, ids=describe)
def architecture(request, make_architecture):
    return make_architecture(n_features=3, **request.param)


def drawn(architecture, draw_weights, n_sequences=4):
    """Operations with drawn weights, and a series of 5 frames that the encoder reads."""
    series = np.random.default_rng(1).normal(size=(5, architecture.input_width, n_sequences))
    return NumpyOperations(architecture, draw_weights(architecture)), series.astype("f4")


# Layers ----------------------------------------------------------------------------------


def test_each_layer_has_a_name_of_its_own(architecture):
    names = [layer.name for layer in network_of(architecture).layers]
    assert len(set(names)) == len(names)


def test_shapes_are_those_of_the_weights_of_each_kind():
    assert Dense("dense", 2, 3).shapes == {"kernel": (2, 3), "bias": (3,)}
    shapes = {"kernel": (2, 12), "recurrent_kernel": (3, 12), "gate_bias": (12,)}
    assert Lstm("lstm", 2, 3).shapes == Lstm("lstm", 2, 3, backwards=True).shapes == shapes


class Widths(Operations):
    """Widths in place of vectors and series; layers in the order in which they are computed."""

    def __init__(self, architecture):
        self.conditional = architecture.conditional
        self.computed = []

    def lstm(self, layer, read, *, mask=None, state=None):
        time, code = read.time or 0, read.code or 0
        assert time + sum(read.series) + code == layer.width
        assert all(width in (None, layer.units) for width in state or ())
        # All that back ends have to do, see test_operations.
        assert len(read.series) <= (1 if read.time is not None else 2)
        assert read.time is not None or (read.series and read.code is None)
        assert read.time is None or not layer.backwards
        self.computed.append(layer)
        return layer.units, (layer.units, layer.units)

    def dense(self, layer, columns):
        assert columns == layer.width
        self.computed.append(layer)
        return layer.units

    def join(self, vectors):
        return sum(vectors)

    def halves(self, vector):
        half, rest = divmod(vector, 2)
        assert rest == 0
        return half, half

    def pool(self, kind, series, mask):
        return sum(series)

    def time(self, n_frames, kind):
        return TIMES[kind]

    def scan(self, decoder, code, read, states, n_frames):
        assert self.conditional
        assert read.series == ()
        frame = decoder.architecture.frame_width
        frames, after = decoder.run(self, Read(read.time, (frame,), read.code), states)
        assert len(after) == len(states)
        return frames


@pytest.mark.parametrize("knows_previous", [False, True])
def test_each_layer_reads_what_it_is_as_wide_as(knows_previous, architecture):
    ops, network = Widths(architecture), network_of(architecture)
    code = network.encoder.encode(ops, (architecture.input_width,), None)
    assert code == architecture.code_width
    previous = architecture.frame_width if architecture.conditional and knows_previous else None
    for decoder in network.decoders.values():
        assert decoder.decode(ops, code, 5, previous) == architecture.frame_width
    in_training = [network.encoder.spread] if architecture.variational else []
    assert len(set(ops.computed)) == len(ops.computed)
    assert set(ops.computed) == set(network.layers) - set(in_training)


def test_the_encoder_may_read_two_series(architecture):
    ops, width = Widths(architecture), architecture.frame_width
    encoder = network_of(architecture).encoder
    code = encoder.encode(ops, (width, architecture.input_width - width), None)
    assert code == architecture.code_width


def test_an_encoder_has_the_first_of_all_weights(architecture):
    network, encoder = network_of(architecture), network_of(architecture.encoder)
    assert network.layers[: len(encoder.layers)] == encoder.layers == network.encoder.layers
    assert network.shapes[: len(encoder.shapes)] == encoder.shapes
    assert len(network.shapes) > len(encoder.shapes)
    assert architecture.encoder.code_width == architecture.code_width


def test_decoders_differ_in_their_names_only(make_architecture):
    network = network_of(make_architecture(decoders=("reconstruct", "predict")))
    first, second = network.decoders.values()
    assert [layer.shapes for layer in first.layers] == [layer.shapes for layer in second.layers]
    for task, decoder in network.decoders.items():
        assert all(layer.name.startswith(f"{task}_") for layer in decoder.layers)


def test_a_variational_encoder_has_one_layer_more(make_architecture):
    plain, variational = (network_of(make_architecture(variational=v)) for v in (False, True))
    [more] = set(variational.layers) - set(plain.layers)
    assert more == variational.encoder.spread
    assert more.shapes == variational.encoder.bottleneck.shapes


def test_each_weight_belongs_to_one_layer(architecture, draw_weights):
    network, weights = network_of(architecture), draw_weights(architecture)
    by_layer = network.by_layer(weights)
    assert list(by_layer) == network.layers
    assert all(
        one is other
        for one, other in zip((w for each in by_layer.values() for w in each), weights, strict=True)
    )
    for layer, arrays in by_layer.items():
        assert [array.shape for array in arrays] == list(layer.shapes.values())


def test_equal_architectures_share_a_network(make_architecture):
    assert network_of(make_architecture()) is network_of(make_architecture())
    assert network_of(make_architecture()) is not network_of(make_architecture(latent_dim=3))


def fitted_parts(content):
    """What a file stores of each fitted transformer: dicts with configuration and weights."""
    if isinstance(content, dict) and {"configuration_", "weights_"} <= content.keys():
        yield content
    children = content.values() if isinstance(content, dict) else content
    for child in children if isinstance(content, dict | list) else ():
        yield from fitted_parts(child)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_stored_weights_have_the_shapes_of_the_layers(path):
    arrays, content = container.read(path, "estimator")
    parts = list(fitted_parts(content))
    assert parts
    for part in parts:
        description = part["configuration_"]["dict"]["architecture"]["dict"]
        architecture = Architecture.from_dict(json.loads(json.dumps(description)))
        shapes = [arrays[weight["array"]].shape for weight in part["weights_"]]
        assert shapes == network_of(architecture).shapes


# Codes and frames ------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooling_joins_its_kinds_in_order(pooling, make_architecture, draw_weights):
    architecture = make_architecture(pooling=pooling, bidirectional=True)
    ops, series = drawn(architecture, draw_weights)
    encoder = network_of(architecture).encoder
    runs = [ops.lstm(layer, Read(series=(series,))) for layer in encoder.hidden[0]]
    parts = {"last": np.concatenate([hidden for _, (hidden, _) in runs])}
    for kind in set(POOLINGS[pooling]) - {"last"}:
        parts[kind] = ops.pool(kind, [outputs for outputs, _ in runs], None)
    expected = np.concatenate([parts[kind] for kind in POOLINGS[pooling]])
    assert_array_equal(encoder.pool(ops, (series,), None), expected)


def test_a_code_is_the_mean_whatever_its_variance(make_architecture, draw_weights):
    architecture = make_architecture(variational=True)
    ops, series = drawn(architecture, draw_weights)
    encoder = network_of(architecture).encoder
    pooled = encoder.pool(ops, (series,), None)
    code = encoder.encode(ops, (series,), None)
    assert_array_equal(code, ops.dense(encoder.bottleneck, pooled))
    assert ops.dense(encoder.spread, pooled).shape == code.shape


def test_hidden_and_cell_are_the_halves_of_a_code_of_both(make_architecture, draw_weights):
    """With equal weights; a decoder that lacks a half starts with zeros there."""
    both, hidden, cell = (
        make_architecture(bottleneck=bottleneck, decoder_start="state")
        for bottleneck in ("hidden_cell", "hidden", "cell")
    )
    ops, series = drawn(both, draw_weights)
    network = network_of(both)
    code = network.encoder.encode(ops, (series,), None)
    zeros = np.zeros((2, 4), "f4")
    for architecture, half, padded in (
        (hidden, code[:2], np.concatenate([code[:2], zeros])),
        (cell, code[2:], np.concatenate([zeros, code[2:]])),
    ):
        one = network_of(architecture)
        assert_array_equal(one.encoder.encode(ops, (series,), None), half)
        frames = network.decoders["reconstruct"].decode(ops, padded, 5)
        assert_array_equal(one.decoders["reconstruct"].decode(ops, half, 5), frames)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("bottleneck", BOTTLENECKS)
def test_every_column_of_the_code_has_an_effect_on_every_frame(
    bottleneck, start, make_architecture, draw_weights
):
    architecture = make_architecture(bottleneck=bottleneck, decoder_start=start)
    ops, decoder = drawn(architecture, draw_weights)[0], network_of(architecture).decoders
    code = np.zeros((architecture.code_width, 1 + architecture.code_width), "f4")
    np.fill_diagonal(code[:, 1:], 1.0)  # each column changed alone, after no change
    frames = decoder["reconstruct"].decode(ops, code, 4)  # (K, F, n)
    change = np.abs(frames[:, :, 1:] - frames[:, :, :1]).max(1)
    assert (change > 1e-5).all()


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("time", [False, True])
def test_frames_of_a_code_differ(start, time, make_architecture, draw_weights):
    architecture = make_architecture(decoder_start=start, time_encoding=time)
    ops, decoder = drawn(architecture, draw_weights)[0], network_of(architecture).decoders
    frames = decoder["reconstruct"].decode(ops, np.ones((2, 1), "f4"), 4)[:, :, 0]
    assert len(np.unique(frames, axis=0)) == 4


def test_the_time_encoding_tells_late_frames_apart(make_architecture, draw_weights):
    architecture = make_architecture(decoder_start="input")
    ops, decoder = drawn(architecture, draw_weights)[0], network_of(architecture).decoders
    frames = decoder["reconstruct"].decode(ops, np.zeros((2, 1), "f4"), 512)[:, :, 0]
    assert len(np.unique(frames, axis=0)) == 512


@pytest.mark.parametrize("start", STARTS)
def test_known_frames_are_read_before_each_frame(start, make_architecture, draw_weights):
    """The frames so far do not depend on what comes later; the next one does."""
    architecture = make_architecture(conditional=True, decoder_start=start)
    ops, decoder = drawn(architecture, draw_weights)[0], network_of(architecture).decoders
    code = np.ones((2, 1), "f4")
    previous = np.random.default_rng(0).normal(size=(5, 2, 1)).astype("f4")
    other = previous.copy()
    other[2] += 1.0
    frames, changed = (decoder["reconstruct"].decode(ops, code, 5, p) for p in (previous, other))
    assert_allclose(changed[:2], frames[:2], rtol=1e-6)
    assert (np.abs(changed[2:] - frames[2:]).max((1, 2)) > 1e-4).all()


def test_describing_and_using_a_network_needs_no_tensorflow():
    code = (
        "import sys\n"
        "from sklearn_lstmae.network import architecture, in_numpy, in_onnx, onnx_graph, wiring\n"
        "print(sorted({'tensorflow', 'keras', 'onnx'} & sys.modules.keys()))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
