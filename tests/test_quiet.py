"""Nothing is said, written or imported that nobody asked for: each case in a fresh process."""

import os

import pytest

from helpers import run_python
from sklearn_lstmae._versions import versions

# What conftest.py sets for tests would hide what users get to see.
HIDING = {"TF_CPP_MIN_LOG_LEVEL", "SCIPY_ARRAY_API", "KERAS_BACKEND", "MPLBACKEND"}

TENSORFLOW = tuple(int(part) for part in versions()["tensorflow"].split(".")[:2])


@pytest.fixture
def run(tmp_path):
    """A function that runs code in an empty folder: what it writes to stdout and to stderr."""

    def run(code):
        environment = {name: value for name, value in os.environ.items() if name not in HIDING}
        written = run_python(code, cwd=tmp_path, env=environment)
        assert list(tmp_path.iterdir()) == []
        return written

    return run


@pytest.mark.tensorflow
@pytest.mark.skipif(
    TENSORFLOW < (2, 21), reason="older versions write of XLA, whatever TF_CPP_MIN_LOG_LEVEL says"
)
def test_fits_of_several_architectures_are_silent(run):
    code = """
        import numpy as np
        from sklearn_lstmae import LSTMAutoencoderTransformer
        from sklearn_lstmae.training import loop as training

        waves = np.sin(np.linspace(0, 6, 12) + np.arange(40)[:, np.newaxis])
        ragged = [wave[:length, np.newaxis] for wave, length in zip(waves, [3, 5, 9, 12] * 10)]
        for latent_dim in range(1, 7):  # TensorFlow would warn of the sixth tracing in a row
            X = ragged if latent_dim % 2 else waves
            training.XLA_WORK = 0 if latent_dim == 6 else 10**9
            model = LSTMAutoencoderTransformer(
                latent_dim=latent_dim, hidden_units=(8,), epochs=60, learning_rate=0.02,
                bidirectional=latent_dim > 4, pooling="last_mean" if latent_dim > 4 else "last",
                missing="mask" if latent_dim % 2 else "error", random_state=0,
            ).fit(X)
            model.inverse_transform(model.transform(X))
            model.score(X)
        model.to_keras("decoder"), model.to_keras("autoencoder")
        model.to_keras().predict([waves[:2, :, np.newaxis], np.ones((2, 12), bool)], verbose=0)
    """
    assert run(code) == ("", "")


def test_what_needs_no_network_does_not_import_tensorflow(run):
    code = """
        import contextlib, pickle, sys
        import numpy as np
        from sklearn.base import clone
        from sklearn.exceptions import NotFittedError
        from sklearn.pipeline import make_pipeline
        from sklearn_lstmae import LSTMAutoencoderTransformer, show_versions

        model = LSTMAutoencoderTransformer(latent_dim=3)
        repr(model), model._repr_html_(), model.get_params(), model.set_params(epochs=2)
        clone(make_pipeline(pickle.loads(pickle.dumps(model)))).get_params()
        for attempt in (
            lambda: model.fit(np.full((3, 4), np.nan)),
            lambda: model.set_params(epochs=0).fit(np.ones((3, 4))),
            lambda: model.transform(np.ones((3, 4))),
        ):
            try:
                attempt()
            except (ValueError, NotFittedError):
                print("refused")
        with contextlib.redirect_stdout(None):
            show_versions()
        print(sorted({"tensorflow", "keras", "scikeras"} & sys.modules.keys()))
    """
    assert run(code) == ("refused\n" * 3 + "[]\n", "")
