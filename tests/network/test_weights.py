"""Shapes that are said without TensorFlow are those of the network."""

from dataclasses import replace
from itertools import product

import pytest

from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.network.network import Network
from sklearn_lstmae.network.weights import weight_shapes

BASE = Architecture(
    n_features=3,
    patch_size=2,
    latent_dim=2,
    hidden_units=(5, 4),
    bidirectional=True,
    bottleneck="dense",
    pooling="last_mean",
    reverse_target=True,
    decoder_start="input_state",
    time_encoding=True,
    activation="tanh",
    tells_missing=False,
)
PARTS = [
    {"tells_missing": [False, True], "patch_size": [1, 2], "bidirectional": [False, True]},
    {"pooling": ["last", "mean", "last_mean"], "variational": [False, True]},
    {
        "bottleneck": ["dense", "hidden", "cell", "hidden_cell"],
        "hidden_units": [(5, 4), (3,)],
        "decoder_start": ["input", "state", "input_state"],
    },
    {"bottleneck": ["hidden", "hidden_cell"], "hidden_units": [()]},
    {
        "decoder_start": ["input", "state"],
        "time_encoding": [False, True],
        "conditional": [False, True],
        "decoders": [("reconstruct",), ("predict",), ("reconstruct", "predict")],
    },
]
ARCHITECTURES = [
    replace(BASE, **dict(zip(part, values, strict=True)))
    for part in PARTS
    for values in product(*part.values())
]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=range(len(ARCHITECTURES)))
def test_shapes_are_those_of_the_network(architecture):
    variables = Network(architecture).variables
    assert weight_shapes(architecture) == [tuple(variable.shape) for variable in variables]
