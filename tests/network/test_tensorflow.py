"""TensorFlow starts in silence and whatever stderr is; another backend of Keras is refused."""

import ctypes
import os
import subprocess
import sys

import pytest

from helpers import run_python

FIT = """
import sys
import numpy as np
from sklearn_lstmae import LSTMAutoencoderTransformer

waves = np.sin(np.linspace(0, 6, 8) + np.arange(20)[:, np.newaxis])
model = LSTMAutoencoderTransformer(1, hidden_units=(2,), epochs=9, random_state=0)
for verbose in (0, 1, 2):
    codes = model.set_params(verbose=verbose).fit_transform(waves)
"""


# Stderr ----------------------------------------------------------------------------------


@pytest.mark.tensorflow
@pytest.mark.skipif(os.name != "posix", reason="a POSIX shell closes descriptors")
@pytest.mark.parametrize(
    ("closed", "prepare"),
    [("2>&-", ""), (">&- 2>&-", "import sys; sys.stderr = sys.stdout = None")],
    ids=["no stderr", "as in pythonw"],
)
def test_a_process_without_stderr_fits(closed, prepare, tmp_path):
    code = f"{prepare}\n{FIT}\nopen('codes', 'w').write(str(codes.shape))"
    command = ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, code]
    done = subprocess.run(command, cwd=tmp_path, timeout=300, check=False)
    assert done.returncode == 0
    assert (tmp_path / "codes").read_text("utf-8") == "(20, 1)"


@pytest.mark.tensorflow
def test_lines_of_others_are_written_at_once_while_tensorflow_is_imported():
    """Dated ones too, which resemble TensorFlow's."""
    code = """
        import subprocess, sys

        class Says:
            def find_spec(self, name, path=None, target=None):
                if name == "tensorflow.python.ops":
                    print("2026-01-01 10:00:00.0: I mine", file=sys.stderr)
                    print("W0000 00:00:1 mine", file=sys.stderr)
                    child = "import sys; print('I0000 00:00:1 child', file=sys.stderr)"
                    subprocess.run([sys.executable, "-S", "-c", child], check=True)

        sys.meta_path.insert(0, Says())
        from sklearn_lstmae.network import _tensorflow
    """
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    out, err = run_python(code, env=environment)
    assert out == ""
    assert err.splitlines() == [
        "2026-01-01 10:00:00.0: I mine",
        "W0000 00:00:1 mine",
        "I0000 00:00:1 child",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is held back")
def test_what_c_code_writes_is_passed_on_but_for_the_noise(capfd):
    from sklearn_lstmae.network._tensorflow import _without_start_up_noise

    library = ctypes.CDLL(None)
    lines = [
        b"WARNING: All log messages before absl::InitializeLog() is called\n",
        b"I0000 00:00:1795738901.711684    8937 port.cc:153] oneDNN\n",
        b"E0000 00:00:1795738901.711684    8937 cuda_fft.cc:477] no cuFFT\n",
        b"2026-01-01 10:00:00 a date\n",
        b"WARNING: of another library\n",
        b"I0000 is no time\n",
        b"F0000 00:00:1795738901.711684    8937 the end\n",
    ]
    with _without_start_up_noise():
        for line in lines:
            library.fputs(line, ctypes.c_void_p.in_dll(library, "stderr"))
        assert capfd.readouterr() == ("", "")
    assert capfd.readouterr() == ("", b"".join(lines[3:]).decode())


# Keras -----------------------------------------------------------------------------------

FAKE = """
import sys, types
sys.modules["keras"] = keras = types.ModuleType("keras")
keras.config = types.SimpleNamespace(backend=lambda: "jax")
"""
MESSAGE = "ImportError: Keras is set to the backend {!r}, but networks of sklearn_lstmae are "


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("variable", "in_file", "prepare", "backend"),
    [
        ("torch", None, "", "torch"),
        (None, "torch", "", "torch"),
        (None, None, FAKE, "jax"),
    ],
    ids=["missing", "in Keras' file", "imported before"],
)
def test_another_backend_of_keras_is_refused(variable, in_file, prepare, backend, tmp_path):
    if in_file:
        (tmp_path / "keras.json").write_text(f'{{"backend": "{in_file}"}}', "utf-8")
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    environment |= {"KERAS_HOME": str(tmp_path)} | ({"KERAS_BACKEND": variable} if variable else {})
    done = subprocess.run(
        [sys.executable, "-c", prepare + FIT],
        capture_output=True, text=True, env=environment, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert MESSAGE.format(backend) in done.stderr
    assert "set the environment variable KERAS_BACKEND to 'tensorflow' before" in done.stderr


def test_the_reason_of_an_error_is_past_where_a_graph_was_traced():
    from sklearn_lstmae.network._tensorflow import reason_of, tf

    @tf.function
    def fail(x):
        with tf.control_dependencies([tf.debugging.assert_positive(x, "the reason")]):
            return x + 1.0

    with pytest.raises(Exception, match=r"^Graph execution error:") as caught:
        fail(tf.constant(-1.0))
    assert "the reason" in reason_of(caught.value)
    assert reason_of(MemoryError()) == "MemoryError"
    assert reason_of(MemoryError("Unable to allocate\nmore lines")) == "Unable to allocate"
