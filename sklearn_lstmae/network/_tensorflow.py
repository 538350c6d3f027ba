"""TensorFlow and Keras, imported in silence and kept from hanging after a fork."""

import contextlib
import os
import re
import sys
import tempfile

# TensorFlow 2.21 writes these to the process's stderr while it is imported, whatever
# TF_CPP_MIN_LOG_LEVEL says. Anything else is passed on.
_START_UP_NOISE = re.compile(rb"^(WARNING: All log messages before|[IWE]\d{4} |\d{4}-\d\d-\d\d )")


@contextlib.contextmanager
def _without_start_up_noise():
    sys.stderr.flush()
    with tempfile.TemporaryFile() as captured:
        original = os.dup(2)
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            os.close(original)
            captured.seek(0)
            for line in captured:
                if not _START_UP_NOISE.match(line):
                    os.write(2, line)


def _follow_outer_limits():
    """Respect the number of threads that joblib gives to its worker processes."""
    if "OMP_NUM_THREADS" in os.environ:
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", os.environ["OMP_NUM_THREADS"])


if "tensorflow" in sys.modules or os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
    import keras
    import tensorflow as tf
else:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _follow_outer_limits()
    with _without_start_up_noise():
        import keras
        import tensorflow as tf

_process = os.getpid()


def check_process():
    """Raise where TensorFlow would hang: in a process forked after TensorFlow was started."""
    if os.getpid() != _process:
        raise RuntimeError(
            f"Process {os.getpid()} was forked from process {_process}, where TensorFlow was "
            "already running; TensorFlow does not survive a fork. Start processes with "
            "multiprocessing's 'spawn' or 'forkserver' method, or use joblib's 'loky' backend."
        )


__all__ = ["check_process", "keras", "tf"]
