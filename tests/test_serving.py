"""A fitted model needs no TensorFlow: it gives the same bits where that is not installed.

``make test-serve`` runs this with an environment that has none; elsewhere its import is blocked.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

FIXTURES = Path(__file__).parent / "fixtures"
SERVE = """
import io, pickle, sys, warnings
from pathlib import Path
import joblib, numpy as np
warnings.simplefilter("error")
warnings.filterwarnings("ignore", "LSTMAutoencoderTransformer was pickled with (sklearn|scikit)")
for name in sys.argv[3:]:
    sys.modules[name] = None
from sklearn_lstmae import load

def dumped(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)

def run(model, kind, X):
    if kind == "detector":
        return [model.decision_function(X), model.p_values(X), model.predict(X)]
    if kind == "classifier":
        return [model.predict_proba(X)]
    codes = model.transform(X)
    return [
        codes, model.inverse_transform(codes), model.errors(X, per="value"), model.reconstruct(X),
        model.score_samples(X),
    ]

folder, results = Path(sys.argv[1]), {}
for kind in ("transformer", "detector", "classifier"):
    model = load(folder / f"{kind}-1.lstmae")
    X = np.load(folder / f"{kind}-1.npz")["X"]
    for way, each in {"file": model, "joblib": dumped(model)}.items():
        for number, array in enumerate(run(each, kind, X)):
            results[f"{kind} {way} {number}"] = array
if np.__version__[0] > "1":
    old = pickle.loads((folder / "transformer-1.pickle").read_bytes())
    results["transformer pickle 0"] = old.transform(np.load(folder / "transformer-1.npz")["X"])
np.savez(sys.argv[2], **results)
assert not {name for name in ("keras", "tensorflow", "scikeras") if sys.modules.get(name)}
"""
FIT = """
import sys
for name in sys.argv[1:]:
    sys.modules[name] = None
from sklearn_lstmae import LSTMAutoencoderTransformer
try:
    LSTMAutoencoderTransformer(epochs=1).fit([[1.0, 2.0], [2.0, 1.0]])
except ImportError as error:
    print(error)
"""


def run_where_it_is_served(code, *arguments):
    """Run code without TensorFlow: what it writes."""
    python = os.environ.get("SERVING_PYTHON", sys.executable)
    blocked = [] if "SERVING_PYTHON" in os.environ else ["keras", "tensorflow", "scikeras"]
    done = subprocess.run(
        [python, "-c", code, *map(str, arguments), *blocked],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def test_fitted_models_give_the_same_bits(tmp_path):
    run_where_it_is_served(SERVE, FIXTURES, tmp_path / "served.npz")
    here = subprocess.run(
        [sys.executable, "-c", SERVE, FIXTURES, tmp_path / "here.npz"], capture_output=True
    )
    assert here.returncode == 0, here.stderr
    with np.load(tmp_path / "served.npz") as served, np.load(tmp_path / "here.npz") as expected:
        assert len(served.files) >= 18
        assert served.files == expected.files
        for name in served.files:
            assert_array_equal(served[name], expected[name], strict=True)
            assert_array_equal(served[name], served[name.replace("joblib", "file")], strict=True)
        with np.load(FIXTURES / "transformer-1.npz") as stored:
            np.testing.assert_allclose(
                served["transformer file 0"], stored["codes"], rtol=0, atol=1e-5
            )


@pytest.mark.skipif("SERVING_PYTHON" not in os.environ, reason="make test-serve has one")
def test_nothing_of_tensorflow_is_installed_where_it_is_served():
    code = "import importlib.util as i; print([i.find_spec(n) for n in ('keras', 'tensorflow')])"
    assert run_where_it_is_served(code).strip() == "[None, None]"


def test_fit_without_tensorflow_says_what_to_install():
    message = run_where_it_is_served(FIT)
    assert message.startswith(
        "Training a network and to_keras need Keras and TensorFlow, but keras"
    )
    assert "pip install keras tensorflow" in message


@pytest.mark.tensorflow
@pytest.mark.skipif("SERVING_PYTHON" in os.environ, reason="has no Keras")
def test_keras_without_tensorflow_says_so_too():
    code = FIT.replace("sys.argv[1:]", "['tensorflow']")
    assert "but tensorflow is not installed" in run_where_it_is_served(code)
