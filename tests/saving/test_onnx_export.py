"""An exported file says what the transformer says, in a runtime that knows nothing of it."""

import os
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from sklearn_lstmae import LSTMAutoencoderTransformer, export_onnx, save
from sklearn_lstmae import _file_container as container
from sklearn_lstmae.training.state import TrainingProgress, TrainingState

# Drawn weights are no better than the mean: the warning says the truth.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The fit is no better:sklearn.exceptions.ConvergenceWarning",
    "ignore:activation='relu' lets:UserWarning",
)

RNG = np.random.default_rng(0)
LENGTHS = np.array([7, 5, 4, 7, 6, 4])
CUBE = (50 + [2, 0.1] * RNG.normal(size=(6, 7, 2))).astype(np.float32)
MASK = np.arange(7) < LENGTHS[:, np.newaxis]
HOLEY = np.where(RNG.uniform(size=CUBE.shape) < 0.2, np.float32(np.nan), CUBE)

CASES = {
    "default": {},
    "frames of 3": {"patch_size": 3, "pooling": "mean", "reverse_target": False},
    "frames longer than T": {"patch_size": 9, "pooling": "last"},
    "one way, stacked": {
        "bidirectional": False,
        "hidden_units": (3, 4),
        "decoder_start": "state",
        "time_encoding": False,
    },
    "both ways, stacked": {"hidden_units": (4, 3), "decoder_start": "input", "scaling": None},
    "missing": {"missing": "mask"},
    "missing, sequences scaled": {"missing": "mask", "patch_size": 2, "scaling": "sequence"},
    "sequences scaled": {"scaling": "sequence"},
    "hidden": {"bottleneck": "hidden", "activation": "relu"},
    "the tutorials' network": {
        "bottleneck": "hidden",
        "hidden_units": (),
        "decoder_start": "input",
        "time_encoding": False,
        "reverse_target": False,
    },
    "cell": {"bottleneck": "cell", "time_encoding": False, "decoder_start": "state"},
    "both states": {"bottleneck": "hidden_cell", "decoder_start": "state"},
    "variational": {"kl_weight": 0.1},
    "conditional": {"conditional": True, "hidden_units": (3, 4)},
    "conditional, from states": {
        "conditional": True,
        "bottleneck": "cell",
        "time_encoding": False,
        "decoder_start": "state",
        "patch_size": 2,
    },
    "predict": {"objective": "predict"},
    "composite": {"objective": "composite", "horizon": 3, "scaling": "sequence"},
    "composite, conditional": {
        "objective": "composite",
        "horizon": 2,
        "conditional": True,
        "patch_size": 3,
    },
}


def make(**parameters):
    return LSTMAutoencoderTransformer(**{"latent_dim": 2, "hidden_units": (3,)} | parameters)


def draw(objective, *_, **__):
    """In place of training, which would take most of the time: large weights, biases too."""
    weights = [RNG.normal(size=shape).astype("f4") for shape in objective.shapes]
    return TrainingProgress(TrainingState(weights, []), weights, 1, {"loss": [1.0]})


class Case:
    """A transformer, and sequences of unequal length."""

    def __init__(self, parameters):
        self.x = HOLEY if parameters.get("missing") == "mask" else CUBE
        self.rows = [row[:length] for row, length in zip(self.x, LENGTHS, strict=True)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sklearn_lstmae.training.loop.train", draw)
            self.model = make(**parameters).fit(self.rows)

    def expected(self):
        """What the transformer says, by name of output."""
        model, decoders = self.model, self.model.configuration_["architecture"]["decoders"]
        outputs = {"code": model.transform(self.rows)}
        if "reconstruct" in decoders:
            outputs["reconstruction"] = padded(model.reconstruct(self.rows, task="reconstruct"), 7)
        if "predict" in decoders and model.horizon:
            outputs["prediction"] = model.forecast(self.rows)
        elif "predict" in decoders:
            outputs["prediction"] = padded(model.reconstruct(self.rows, task="predict"), 6)
        return outputs


def padded(sequences, width):
    """Arrays (T_i, F) -> (n, T, F), NaN after the ends."""
    widths = [(0, width - len(sequence)) for sequence in sequences]
    return np.stack(
        [
            np.pad(sequence, [more, (0, 0)], constant_values=np.nan)
            for sequence, more in zip(sequences, widths, strict=True)
        ]
    )


def run(path, x, mask):
    """The outputs of a file, by name."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"x": x, "mask": mask}), strict=True))


def close(outputs, expected):
    assert outputs.keys() == expected.keys()
    for name, output in outputs.items():
        assert output.dtype == np.float32
        assert_allclose(output, expected[name], rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def cases():
    """A function of a name in CASES."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = Case(CASES[name])
        return made[name]

    return get


@pytest.mark.parametrize("name", CASES)
def test_a_file_says_what_the_transformer_says(name, cases, tmp_path):
    case = cases(name)
    expected = case.expected()
    assert np.abs(np.diff(expected["code"], axis=0)).max() > 1e-3
    path = tmp_path / "encoder.onnx"
    export_onnx(case.model, path)
    onnx.checker.check_model(path, full_check=True)
    close(run(path, case.x, MASK), {"code": expected.pop("code")})
    export_onnx(case.model, path, part="autoencoder")
    onnx.checker.check_model(path, full_check=True)
    close(run(path, case.x, MASK), expected)


def test_length_and_number_of_sequences_are_free(cases, tmp_path):
    model, path = cases("frames of 3").model, tmp_path / "model.onnx"
    export_onnx(model, path, part="autoencoder")
    for x in (CUBE[:1, :1], np.tile(CUBE, (3, 4, 1))):
        expected = {"reconstruction": model.reconstruct(x)}
        close(run(path, x, np.ones(x.shape[:2], bool)), expected)


@pytest.mark.parametrize("name", ["frames of 3", "missing", "sequences scaled"])
@pytest.mark.parametrize("garbage", [7.0, np.nan, np.inf])
def test_padding_is_not_read(name, garbage, cases, tmp_path):
    case, path = cases(name), tmp_path / "encoder.onnx"
    export_onnx(case.model, path)
    dirty = np.where(MASK[:, :, np.newaxis], case.x, np.float32(garbage))
    expected = run(path, np.where(MASK[:, :, np.newaxis], case.x, np.float32(0)), MASK)
    assert_array_equal(run(path, dirty, MASK)["code"], expected["code"])


@pytest.mark.parametrize("name", ["default", "cell", "missing", "sequences scaled", "conditional"])
@pytest.mark.parametrize("part", ["encoder", "autoencoder"])
def test_what_transform_would_refuse_is_nan(name, part, cases, tmp_path):
    case, path = cases(name), tmp_path / "model.onnx"
    export_onnx(case.model, path, part)
    x, mask = case.x.copy(), MASK.copy()
    x[1, 2:3] = np.nan
    if name == "missing":
        x[1] = np.nan
    x[2, 3, 1] = -np.inf
    mask[3] = False
    [clean], [dirty] = run(path, case.x, MASK).values(), run(path, x, mask).values()
    assert np.isnan(dirty[[1, 2, 3]]).all()
    assert_array_equal(dirty[[0, 4, 5]], clean[[0, 4, 5]])


def test_a_constant_sequence_has_a_deviation_of_one(cases, tmp_path):
    model, path = cases("sequences scaled").model, tmp_path / "encoder.onnx"
    export_onnx(model, path)
    x = CUBE.copy()
    x[:3, :, 0] = np.float32([[0.1], [0.0], [-1e7]])
    close(run(path, x, np.ones_like(MASK)), {"code": model.transform(x)})


def test_a_table_is_sequences_of_one_feature(tmp_path):
    table, path = CUBE[:, :, 0], tmp_path / "encoder.onnx"
    model = make(epochs=1).fit(table)
    export_onnx(model, path)
    x = table[:, :, np.newaxis]
    close(run(path, x, np.ones(table.shape, bool)), {"code": model.transform(table)})


def test_settings_after_fit_change_nothing(cases, tmp_path):
    case, path = cases("default"), tmp_path / "encoder.onnx"
    export_onnx(case.model, path)
    before = path.read_bytes()
    case.model.set_params(latent_dim=5, scaling=None)
    export_onnx(case.model, path)
    case.model.set_params(latent_dim=2, scaling="feature")
    assert path.read_bytes() == before


def test_inputs_and_outputs_are_described(cases, tmp_path):
    path = tmp_path / "model.onnx"
    export_onnx(cases("composite").model, path, part="autoencoder")
    session = onnxruntime.InferenceSession(path)
    described = {each.name: each.shape for each in session.get_inputs() + session.get_outputs()}
    assert described == {
        "x": ["n", "T", 2],
        "mask": ["n", "T"],
        "reconstruction": ["n", "T", 2],
        "prediction": ["n", 3, 2],
    }
    export_onnx(cases("sequences scaled").model, path)
    [code] = onnxruntime.InferenceSession(path).get_outputs()
    assert (code.name, code.shape, code.type) == ("code", ["n", 6], "tensor(float)")


WITHOUT_TENSORFLOW = """
import sys
from sklearn_lstmae import export_onnx, load
export_onnx(load("model.lstmae"), "model.onnx", part="autoencoder")
assert not {"tensorflow", "keras"} & sys.modules.keys()
"""


def test_exporting_does_not_import_tensorflow(cases, tmp_path):
    case = cases("conditional")
    save(case.model, tmp_path / "model.lstmae")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW], cwd=tmp_path, env=environment, check=True
    )
    expected = case.expected()["reconstruction"]
    close(run(tmp_path / "model.onnx", case.x, MASK), {"reconstruction": expected})


def test_an_old_file_stays_if_the_new_one_cannot_be_written(cases, tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(container.os, "replace", fail)
    with pytest.raises(OSError, match=r"No space left on device: .*model\.onnx"):
        export_onnx(cases("default").model, path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("part", ["decoder", None, ["encoder"]])
def test_an_unknown_part_is_refused(part, cases, tmp_path):
    with pytest.raises(ValueError, match=r"part=.* is not one of \['encoder', 'autoencoder'\]"):
        export_onnx(cases("default").model, tmp_path / "model.onnx", part)
    assert not list(tmp_path.iterdir())


def test_an_unfitted_transformer_is_refused(tmp_path):
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        export_onnx(make(), tmp_path / "model.onnx")


@pytest.mark.parametrize("wrong", [None, LSTMAutoencoderTransformer, make_pipeline(make())])
def test_what_is_no_transformer_is_refused(wrong, tmp_path):
    with pytest.raises(TypeError, match=r"takes an LSTMAutoencoderTransformer\. Got "):
        export_onnx(wrong, tmp_path / "model.onnx")


def test_without_onnx_the_extra_is_named(cases, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'needs onnx: pip install "sklearn-lstmae\[onnx\]"'):
        export_onnx(cases("default").model, tmp_path / "model.onnx")
