"""Arguments of methods after `fit`: lengths to decode, steps to forecast, names of features."""

from numbers import Integral
from typing import Literal

import numpy as np

# Names of `TASKS`, and of the means `AVERAGED` of errors, for type checkers.
TaskName = Literal["reconstruct", "predict"]
Per = Literal["sequence", "step", "feature", "value"]

# Longer sequences than this many steps are not decoded.
MOST_STEPS = int(np.iinfo(np.int32).max)


def check_lengths(lengths, n_sequences):
    """Steps to decode of each of ``n_sequences`` codes: int or (N,) -> int array (N,)."""
    array = np.asarray(lengths)
    is_valid = array.dtype.kind in "iu" and array.ndim <= 1
    if not is_valid or ((array < 1) | (array > MOST_STEPS)).any():
        raise ValueError(
            "lengths must be an int or a 1-D array of ints, each at least 1 and at most "
            f"{MOST_STEPS}. Got {lengths!r}."
        )
    if array.ndim == 1 and len(array) != n_sequences:
        raise ValueError(f"lengths has {len(array)} entries, but Z has {n_sequences} rows.")
    return np.broadcast_to(array, n_sequences).astype(np.int64)


def check_steps(model, steps, until):
    """Steps that a forecast should have at most."""
    horizon = model.horizon
    if "predict" not in model.architecture.decoders or horizon is None:
        raise ValueError(
            "forecast needs a predicting decoder that has learned a horizon: fit with "
            "objective='predict' or 'composite' and horizon an int."
        )
    if until is not None and steps is None:
        raise ValueError("until needs steps, the most steps of a forecast.")
    if steps is None:
        return horizon
    is_int = isinstance(steps, Integral) and not isinstance(steps, bool)
    if not is_int or not 1 <= steps <= MOST_STEPS:
        raise ValueError(
            f"steps must be an int of at least 1 and at most {MOST_STEPS}. Got {steps!r}."
        )
    if steps > horizon and not model.architecture.conditional:
        raise ValueError(
            f"steps={steps} is more than horizon={horizon}, which a decoder without "
            "conditional=True does not output: fit with a longer horizon or with conditional=True."
        )
    check_whole_frames(model, steps)
    return int(steps)


def check_whole_frames(model, steps):
    """Raise where a predicting decoder would output steps of a frame that it never learned."""
    horizon, patch_size = model.horizon, model.architecture.patch_size
    if horizon is not None and steps > horizon and horizon % patch_size:
        raise ValueError(
            f"steps={steps} is more than horizon={horizon}, which is no multiple of patch_size="
            f"{patch_size}, so that the decoder never learned to output its last frame to the end: "
            "fit with a horizon that is a multiple, or with patch_size=1."
        )


def cut_after(steps, until):
    """Steps (H, F) up to the first for which ``until`` holds, that one included."""
    for number, step in enumerate(steps, start=1):
        if until(step):
            return steps[:number]
    return steps


def check_feature_names(feature_names, n_features):
    """Names that are given for ``n_features`` features: list of str, or None if none are given."""
    if feature_names is None:
        return None
    names = [str(name) for name in feature_names]
    if isinstance(feature_names, str) or len(names) != n_features:
        raise ValueError(
            f"feature_names must be a list of {n_features} names, one for each feature. "
            f"Got {feature_names!r}."
        )
    return names
