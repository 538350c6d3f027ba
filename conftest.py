"""Settings of all tests, which must stand before NumPy, scikit-learn or TensorFlow is imported.

Nothing of scikit-learn is imported here: scipy.sparse switches a warning off while it is imported,
and pytest undoes that where it happens before tests are collected.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("SCIPY_ARRAY_API", "1")  # else scikit-learn skips its array API check
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# The first example of a property compiles a network, so time limits per example say nothing.
# The same commit tries the same examples everywhere.
settings.register_profile("sklearn_lstmae", deadline=None, derandomize=True)
settings.load_profile("sklearn_lstmae")


TENSORFLOW = ("keras", "scikeras", "tensorflow")
IN_ANOTHER_PROCESS = "raise ImportError('Mark this test with @pytest.mark.tensorflow.')"


class SkipsTensorFlow:
    """An importer: the test, or the module of tests, that imports TensorFlow is skipped there."""

    def find_spec(self, name, path=None, target=None):
        if name in TENSORFLOW:
            pytest.skip("imports TensorFlow", allow_module_level=True)


def pytest_addoption(parser):
    parser.addoption(
        "--without-tensorflow",
        action="store_true",
        help="skip a test as soon as it imports TensorFlow, and tests with the marker tensorflow",
    )
    parser.addoption(
        "--whole-examples",
        action="store_true",
        help="train as long as the examples say, not for a few epochs only",
    )


def pytest_configure(config):
    if not config.getoption("--without-tensorflow"):
        return
    sys.meta_path.insert(0, SkipsTensorFlow())
    folder = tempfile.TemporaryDirectory()
    config.add_cleanup(folder.cleanup)
    for name in TENSORFLOW:
        Path(folder.name, f"{name}.py").write_text(IN_ANOTHER_PROCESS, "utf-8")
    os.environ["PYTHONPATH"] = os.pathsep.join([folder.name, os.environ.get("PYTHONPATH", "")])
    sys.path.insert(0, folder.name)  # which multiprocessing hands on


def pytest_runtest_setup(item):
    if item.config.getoption("--without-tensorflow") and item.get_closest_marker("tensorflow"):
        pytest.skip("starts processes that import TensorFlow")
