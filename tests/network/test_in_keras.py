"""Keras models of a fitted network compute what the network computes, without this package.

Letters: n sequences, T steps, F features, C columns of the code.
"""

import subprocess
import sys

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.network.in_keras import build_model, parts_of
from sklearn_lstmae.network.wiring import POOLINGS

PARTS = ("encoder", "decoder", "autoencoder")
LENGTHS = np.array([7, 1, 4, 6, 3])
STEPS = 8  # one more than any sequence has
MASK = np.arange(STEPS) < LENGTHS[:, np.newaxis]

CASES = {
    "default": {},
    "frames of 3": {"patch_size": 3},
    "frames longer than T": {"patch_size": 9, "pooling": "last"},
    "missing": {"tells_missing": True, "bidirectional": True},
    "missing, frames of 2": {"tells_missing": True, "patch_size": 2},
    **{
        f"both ways, stacked, {pooling}": {
            "bidirectional": True,
            "hidden_units": (3, 2),
            "pooling": pooling,
            "decoder_start": "state",
            "time_encoding": False,
        }
        for pooling in POOLINGS
    },
    "two states, in order": {"bottleneck": "hidden_cell", "reverse_target": False},
    "code as input": {"decoder_start": "input", "time_encoding": False},
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
        "decoder_start": "state",
    },
    "variational": {"variational": True},
    "bottleneck alone": {"bottleneck": "hidden", "hidden_units": (), "activation": "relu"},
}


class Case:
    """An architecture, drawn weights, sequences (n, T, F), and codes and steps as expected."""

    def __init__(self, architecture, weights, reference):
        self.architecture, self.weights, self.reference = architecture, weights, reference
        generator = np.random.default_rng(0)
        x = generator.normal(size=(len(LENGTHS), STEPS, architecture.n_features)).astype("f4")
        if architecture.tells_missing:
            x[0, 2, 1] = x[3, 0, 0] = x[4] = np.nan
        self.x = np.where(MASK[:, :, np.newaxis], x, np.float32(0))
        rows = zip(self.x, LENGTHS, strict=True)
        codes = [reference.encode(reference.read(row[:length])) for row, length in rows]
        self.codes = np.array(codes, np.float32)

    def decoded(self, task):
        """Steps of each code (n, T, F), zeros after its length."""
        steps = np.zeros((len(LENGTHS), STEPS, self.architecture.n_features))
        for row, length in enumerate(LENGTHS):
            steps[row, :length] = self.reference.decode_steps(task, self.codes[row], length)
        return steps

    def build(self, part):
        return build_model(self.architecture, self.weights, part, STEPS)

    def build_whole(self):
        """The autoencoder and the models that it is made of, by part."""
        whole = self.build("autoencoder")
        return {part: whole.get_layer(part) for part in PARTS[:2]} | {"autoencoder": whole}

    def run(self, models):
        """Results of the three models, by part."""
        x, z = [self.x, MASK], [self.codes, MASK]
        inputs = {"encoder": x, "decoder": z, "autoencoder": x}
        return {part: np.asarray(models[part](inputs[part])) for part in PARTS}

    def check(self, results):
        """Compare results, by part, with the reference."""
        decoded = self.decoded("reconstruct")
        expected = {"encoder": self.codes, "decoder": decoded, "autoencoder": decoded}
        for part, result in results.items():
            assert result.dtype == np.float32
            assert_allclose(result, expected[part], rtol=1e-5, atol=1e-5, err_msg=part)


@pytest.fixture(scope="module")
def make_case(make_architecture, draw_weights, make_reference):
    """A function of a name in CASES, and of what differs from it."""

    def make(name, **changes):
        architecture = make_architecture(**CASES[name], **changes)
        weights = draw_weights(architecture)
        return Case(architecture, weights, make_reference(architecture, weights))

    return make


def all_layers(model):
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)


@pytest.mark.parametrize("name", CASES)
def test_models_agree_with_the_reference(name, make_case):
    case = make_case(name)
    models = case.build_whole()
    results = case.run(models)
    case.check(results)
    for part in ("decoder", "autoencoder"):
        assert not results[part][~MASK].any()
    for layer in all_layers(models["autoencoder"]):
        assert type(layer).__module__.startswith("keras."), layer


@pytest.mark.parametrize("name", ["default", "frames of 3", "missing, frames of 2"])
@pytest.mark.parametrize("garbage", [7.0, np.nan])
def test_padding_is_not_read(name, garbage, make_case):
    case = make_case(name)
    encoder = case.build("encoder")
    dirty = np.where(MASK[:, :, np.newaxis], case.x, np.float32(garbage))
    codes = encoder([case.x, MASK])
    assert_array_equal(encoder([dirty, MASK]), codes)
    longest = LENGTHS.max()
    cut = encoder([case.x[:, :longest], MASK[:, :longest]])
    assert_allclose(cut, codes, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["frames of 3", "code as input"])
def test_number_and_lengths_are_free(name, make_case):
    case = make_case(name)
    model, whole = case.build("autoencoder"), case.decoded("reconstruct")
    for row, length in enumerate(LENGTHS):
        steps = model([case.x[row : row + 1, :length], MASK[row : row + 1, :length]])
        assert_allclose(steps[0], whole[row, :length], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n_steps", [1, 2, 3, 16])
def test_axes_of_equal_length_are_not_confused(n_steps, make_case):
    """One sequence with as many steps as there are columns of the code, units or of the time.

    A sum in Keras takes an array of shape (1, K, 1) for a bias if the other has K columns.
    """
    case = make_case("default")
    steps = case.build("decoder")([case.codes[:1], np.ones((1, n_steps), bool)])
    expected = case.reference.decode_steps("reconstruct", case.codes[0], n_steps)
    assert_allclose(steps[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("decoders", [("predict",), ("reconstruct", "predict")])
def test_each_decoder_is_a_part_and_an_output(decoders, make_case):
    case = make_case("default", decoders=decoders)
    names = {"reconstruct": "decoder", "predict": "predictor"}
    assert parts_of(case.architecture) == ["encoder", *map(names.get, decoders), "autoencoder"]
    outputs = case.build("autoencoder")([case.x, MASK])
    outputs = {decoders[0]: outputs} if len(decoders) == 1 else outputs
    assert outputs.keys() == set(decoders)
    for task in decoders:
        model, expected = case.build(names[task]), case.decoded(task)
        assert model.name == names[task]
        for got in (model([case.codes, MASK]), outputs[task]):
            assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_the_autoencoder_is_its_encoder_then_its_decoder(make_case):
    case = make_case("both ways, stacked, mean")
    model = case.build("autoencoder")
    codes = np.asarray(model.get_layer("encoder")([case.x, MASK]))
    steps = model.get_layer("decoder")([codes, MASK])
    assert_array_equal(model([case.x, MASK]), steps)


def test_a_model_has_the_weights_as_its_own(make_case):
    case = make_case("default")
    before = [weight.copy() for weight in case.weights]
    model = case.build("autoencoder")
    for mine, weight in zip(model.get_weights(), case.weights, strict=True):
        assert_array_equal(mine, weight)
    for variable in model.trainable_variables:
        variable.assign(variable + 1)
    for weight, same in zip(case.weights, before, strict=True):
        assert_array_equal(weight, same)
    case.check(case.run({part: case.build(part) for part in PARTS}))


def test_building_draws_from_no_global_generator(make_case, keeps_random_states):
    case = make_case("both ways, stacked, mean")
    with keeps_random_states():
        case.build("autoencoder")


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


@pytest.mark.parametrize("name", ["missing, frames of 2", "conditional"])
def test_arithmetic_is_float32_whatever_the_user_set(name, settings_of_the_user, make_case):
    case = make_case(name)
    models = case.build_whole()
    for weight in models["autoencoder"].weights:
        assert weight.dtype == "float32"
    case.check(case.run(models))


SAVED = [
    *(("missing, frames of 2", part) for part in PARTS),
    ("both ways, stacked, mean", "autoencoder"),
    ("conditional, frames of 3", "autoencoder"),
]
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
def test_a_saved_file_opens_without_this_package(make_case, tmp_path):
    cases = {name: make_case(name) for name, _ in SAVED}
    for name, part in SAVED:
        case, path = cases[name], tmp_path / f"{name} {part}.keras"
        case.build(part).save(path)
        first = case.codes if part == "decoder" else case.x
        np.savez(path.with_suffix(".npz"), first=first, mask=MASK)
    command = [sys.executable, "-c", OPEN_ALL, str(tmp_path)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for name, part in SAVED:
        cases[name].check({part: np.load(tmp_path / f"{name} {part}.npy")})
