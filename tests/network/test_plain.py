"""Plain Keras models say what the engine says, and need nothing of this package."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.network.forward import ForwardNetwork
from sklearn_lstmae.network.plain import build_plain_model
from sklearn_lstmae.training.program import get_program

PARTS = ("encoder", "decoder", "autoencoder")
LENGTHS = np.array([7, 1, 4, 6, 3])
STEPS = 8  # one more than any sequence has

CASES = {
    "default": {},
    "frames of 3": {"patch_size": 3},
    "frames longer than T": {"patch_size": 9, "pooling": "last"},
    "missing": {"tells_missing": True, "bidirectional": True},
    "missing, frames of 2": {"tells_missing": True, "patch_size": 2},
    "both ways, stacked": {
        "bidirectional": True,
        "hidden_units": (3, 2),
        "pooling": "mean",
        "decoder_start": "state",
        "time_encoding": False,
    },
    "two states, in order": {"bottleneck": "hidden_cell", "reverse_target": False},
    "cell, code as input": {
        "bottleneck": "cell",
        "decoder_start": "input",
        "time_encoding": False,
        "patch_size": 2,
    },
    "conditional": {"conditional": True, "hidden_units": (3, 2)},
    "conditional, frames of 3": {
        "conditional": True,
        "patch_size": 3,
        "bottleneck": "cell",
        "time_encoding": False,
    },
    "variational": {"variational": True},
    "bottleneck alone": {"bottleneck": "hidden", "hidden_units": (), "activation": "relu"},
}


class Case:
    """An architecture, drawn weights, sequences (n, T, F) and what the engine makes of them."""

    def __init__(self, architecture):
        self.architecture = architecture
        generator = np.random.default_rng(0)
        self.weights = [
            weight + 0.3 * generator.normal(size=weight.shape).astype("f4")
            for weight in get_program(architecture).initial_weights(generator)
        ]
        self.mask = np.arange(STEPS) < LENGTHS[:, np.newaxis]
        x = generator.normal(size=(len(LENGTHS), STEPS, architecture.n_features)).astype("f4")
        if architecture.tells_missing:
            x[0, 2, 1] = x[3, 0, 0] = x[4] = np.nan
        self.x = np.where(self.mask[:, :, np.newaxis], x, np.float32(0))
        n_frames = architecture.n_frames(STEPS)
        more = n_frames * architecture.patch_size - STEPS
        frames = np.pad(self.x, ((0, 0), (0, more), (0, 0)))
        frames = frames.reshape(len(LENGTHS), n_frames, -1)
        network = ForwardNetwork(architecture, self.weights)
        self.codes = network.encode(frames, LENGTHS)
        decoded = network.decode(self.codes, LENGTHS, n_frames)
        steps = decoded.reshape(len(LENGTHS), -1, architecture.n_features)[:, :STEPS]
        self.decoded = np.where(self.mask[:, :, np.newaxis], steps, 0.0)

    def build(self, part):
        return build_plain_model(self.architecture, self.weights, part, STEPS)

    def run(self, models):
        """Results of the three models, by part."""
        x, z = [self.x, self.mask], [self.codes, self.mask]
        inputs = {"encoder": x, "decoder": z, "autoencoder": x}
        return {part: np.asarray(models[part](inputs[part])) for part in PARTS}

    def check(self, results):
        """Compare results, by part, with the engine's."""
        expected = {"encoder": self.codes, "decoder": self.decoded, "autoencoder": self.decoded}
        for part in PARTS:
            assert_allclose(results[part], expected[part], rtol=1e-5, atol=1e-5, err_msg=part)


@pytest.fixture(scope="module")
def cases(make_architecture):
    return {name: Case(make_architecture(**changes)) for name, changes in CASES.items()}


def all_layers(model):
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)


@pytest.mark.parametrize("name", CASES)
def test_plain_models_say_what_the_engine_says(name, cases):
    case = cases[name]
    models = {part: case.build(part) for part in PARTS}
    results = case.run(models)
    case.check(results)
    for part in ("decoder", "autoencoder"):
        assert not results[part][~case.mask].any()
    for layer in all_layers(models["autoencoder"]):
        assert type(layer).__module__.startswith("keras."), layer


@pytest.mark.parametrize("name", ["default", "frames of 3", "missing, frames of 2"])
@pytest.mark.parametrize("garbage", [7.0, np.nan])
def test_padding_is_not_read(name, garbage, cases):
    case = cases[name]
    encoder = case.build("encoder")
    dirty = np.where(case.mask[:, :, np.newaxis], case.x, np.float32(garbage))
    codes = encoder([case.x, case.mask])
    assert_array_equal(encoder([dirty, case.mask]), codes)
    cut = encoder([case.x[:, : LENGTHS.max()], case.mask[:, : LENGTHS.max()]])
    assert_allclose(cut, codes, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("decoders", [("predict",), ("reconstruct", "predict")])
def test_each_decoder_is_a_part_and_an_output(decoders, make_architecture):
    architecture = make_architecture(decoders=decoders)
    generator = np.random.default_rng(0)
    weights = get_program(architecture).initial_weights(generator)
    network = ForwardNetwork(architecture, weights)
    mask = np.arange(STEPS) < LENGTHS[:, np.newaxis]
    codes = generator.normal(size=(len(LENGTHS), 2)).astype("f4")
    parts = {"reconstruct": "decoder", "predict": "predictor"}
    for name in decoders:
        model = build_plain_model(architecture, weights, parts[name], STEPS)
        expected = network.decode(codes, LENGTHS, STEPS, name)
        expected = np.where(mask[:, :, np.newaxis], expected, 0.0)
        assert_allclose(model([codes, mask]), expected, rtol=1e-5, atol=1e-5)
    whole = build_plain_model(architecture, weights, "autoencoder", STEPS)
    said = whole([np.zeros((len(LENGTHS), STEPS, 2), "f4"), mask])
    if len(decoders) == 1:
        assert said.shape == (len(LENGTHS), STEPS, 2)
    else:
        assert said.keys() == set(decoders)


def test_the_autoencoder_is_its_encoder_then_its_decoder(cases):
    case = cases["both ways, stacked"]
    model = case.build("autoencoder")
    codes = np.asarray(model.get_layer("encoder")([case.x, case.mask]))
    steps = model.get_layer("decoder")([codes, case.mask])
    assert_array_equal(model([case.x, case.mask]), steps)


def test_a_model_has_the_weights_as_its_own(cases):
    case = cases["default"]
    before = [weight.copy() for weight in case.weights]
    model = case.build("autoencoder")
    for mine, weight in zip(model.get_weights(), case.weights, strict=True):
        assert_array_equal(mine, weight)
    for variable in model.trainable_variables:
        variable.assign(variable + 1)
    for weight, same in zip(case.weights, before, strict=True):
        assert_array_equal(weight, same)
    case.check(case.run({part: case.build(part) for part in PARTS}))


def test_building_draws_from_no_global_generator(cases, keeps_random_states):
    with keeps_random_states():
        cases["both ways, stacked"].build("autoencoder")


SAVED = ["missing, frames of 2", "both ways, stacked", "conditional, frames of 3"]
OPEN_ALL = """
import sys
sys.modules["sklearn_lstmae"] = None  # an import of it raises
import pathlib, keras, numpy as np
for path in pathlib.Path(sys.argv[1]).glob("*.keras"):
    arrays = np.load(path.with_suffix(".npz"))
    model = keras.saving.load_model(path)
    np.save(path.with_suffix(".npy"), model([arrays["first"], arrays["mask"]]))
"""


# Keras saves by np.array(variable), and its variables do not know NumPy 2's copy argument.
@pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)
def test_a_saved_file_opens_without_this_package(cases, tmp_path):
    saved = {name: cases[name] for name in SAVED}
    for name, case in saved.items():
        for part in PARTS:
            path = tmp_path / f"{name} {part}.keras"
            case.build(part).save(path)
            first = case.codes if part == "decoder" else case.x
            np.savez(path.with_suffix(".npz"), first=first, mask=case.mask)
    command = [sys.executable, "-c", OPEN_ALL, str(tmp_path)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for name, case in saved.items():
        case.check({part: np.load(tmp_path / f"{name} {part}.npy") for part in PARTS})
