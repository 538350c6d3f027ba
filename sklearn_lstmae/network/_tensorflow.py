"""TensorFlow and Keras, imported in silence and kept from hanging after a fork."""

import contextlib
import ctypes
import os
import re
import sys

from sklearn_lstmae.network._compile_cache import use_compile_cache

# TensorFlow 2.21 writes these while it is imported, whatever TF_CPP_MIN_LOG_LEVEL is. Anything else
# is passed on.
_START_UP_NOISE = re.compile(rb"WARNING: All log messages before |[IWE]\d{4} \d\d:\d\d:\d")

# Lines before the reason in an error of a graph: where its operation was traced.
_TRACE = re.compile(r'\s*$|Graph execution error:|Detected at node |\s+File "|\d+ root error')

# Backends of Keras that TensorFlow's optimizers and models do not work with.
_OTHER_BACKENDS = ("jax", "openvino", "torch")


@contextlib.contextmanager
def _without_start_up_noise():
    """Keep what C and C++ code writes to stderr, and pass on all but the noise at the end.

    Only the variable ``stderr`` of the C library changes, which glibc allows. Descriptor 2 and
    ``sys.stderr`` stay as they are, and need not be open: lines that Python code writes meanwhile,
    in any thread or child process, do not come this way.
    """
    if sys.platform != "linux" or not hasattr(library := ctypes.CDLL(None), "gnu_get_libc_version"):
        yield
        return
    library.open_memstream.restype = ctypes.c_void_p
    text, size = ctypes.c_char_p(), ctypes.c_size_t()
    # Never closed, since another thread may still write to it.
    stream = library.open_memstream(ctypes.byref(text), ctypes.byref(size))
    if stream is None:  # no memory
        yield
        return
    stderr = ctypes.c_void_p.in_dll(library, "stderr")
    original = stderr.value
    try:
        stderr.value = stream
        yield
    finally:
        stderr.value = original
        library.fflush(ctypes.c_void_p(stream))
        lines = ctypes.string_at(text, size.value).splitlines(keepends=True)
        with contextlib.suppress(OSError):  # a process may have no stderr
            os.write(2, b"".join(line for line in lines if not _START_UP_NOISE.match(line)))


def _import_keras():
    """Keras, if it is set to TensorFlow.

    Raises
    ------
    ImportError
        If it or TensorFlow is not installed, or if it is set to another backend.
    """
    backend, failure = os.environ.get("KERAS_BACKEND"), None
    try:
        import keras

        backend = keras.config.backend()
    except (ImportError, ValueError) as error:  # the backend is missing, or Keras does not know it
        failure, missing = error, (getattr(error, "name", None) or "").partition(".")[0]
        if missing in ("keras", "tensorflow"):
            raise ImportError(
                f"Training a network and to_keras need Keras and TensorFlow, but {missing} is not "
                "installed: run `pip install keras tensorflow`. A fitted model needs neither."
            ) from error
        if not backend and missing in _OTHER_BACKENDS:
            backend = missing  # from Keras' configuration file
        if backend in (None, "", "tensorflow"):
            raise
    if backend != "tensorflow":
        raise ImportError(
            f"Keras is set to the backend {backend!r}, but networks of sklearn_lstmae are trained "
            "with TensorFlow: set the environment variable KERAS_BACKEND to 'tensorflow' before "
            "Python imports Keras."
        ) from failure
    return keras


def _follow_outer_limits():
    """Respect the number of threads that joblib gives to its worker processes."""
    if "OMP_NUM_THREADS" in os.environ:
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", os.environ["OMP_NUM_THREADS"])


_follow_outer_limits()
if "tensorflow" in sys.modules or os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
    keras = _import_keras()
    import tensorflow as tf
else:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _without_start_up_noise():
        keras = _import_keras()
        import tensorflow as tf

# TensorFlow reads its flags when it first computes something.
use_compile_cache(tf.__version__)

_process = os.getpid()


def check_process():
    """Raise where TensorFlow would hang: in a process forked after TensorFlow was started."""
    if os.getpid() != _process:
        raise RuntimeError(
            f"Process {os.getpid()} was forked from process {_process}, where TensorFlow was "
            "already running; TensorFlow does not survive a fork. Start processes with "
            "multiprocessing's 'spawn' or 'forkserver' method, or use joblib's 'loky' backend."
        )


def reason_of(error):
    """The line of an error that says what has happened, else the name of its class."""
    lines = (line.strip() for line in str(error).splitlines() if not _TRACE.match(line))
    return next(lines, type(error).__name__)


__all__ = ["check_process", "keras", "reason_of", "tf"]
