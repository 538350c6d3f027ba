"""Settings that must stand before NumPy, scikit-learn or TensorFlow is imported."""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("SCIPY_ARRAY_API", "1")  # else scikit-learn skips its array API check
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from hypothesis import settings

# The first example of a property compiles a network, so time limits per example say nothing.
# The same commit tries the same examples everywhere.
settings.register_profile("sklearn_lstmae", deadline=None, derandomize=True)
settings.load_profile("sklearn_lstmae")
