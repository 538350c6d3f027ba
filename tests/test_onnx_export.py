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

from sklearn_lstmae import LSTMAutoencoderTransformer, export_onnx, storage

# An epoch is often no better than the mean: the warning says the truth.
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
    small = {"latent_dim": 2, "hidden_units": (3,), "epochs": 1, "random_state": 0}
    return LSTMAutoencoderTransformer(**small | parameters)


class Case:
    """A transformer whose weights are large enough to tell, and sequences of unequal length."""

    def __init__(self, parameters):
        self.x = HOLEY if parameters.get("missing") == "mask" else CUBE
        self.rows = [row[:length] for row, length in zip(self.x, LENGTHS, strict=True)]
        self.model = make(**parameters).fit(self.rows)
        generator = np.random.default_rng(0)
        for weight in self.model.weights_:
            weight += generator.normal(scale=0.5, size=weight.shape)

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
