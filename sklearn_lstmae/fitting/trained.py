"""What a training leaves, as rules for the fields of files and checkpoints.

Letters: W weights in all, D dilations, Q quantiles, S' shares, C components of a summary.
"""

import math

import numpy as np

from sklearn_lstmae._file_container import check_keys
from sklearn_lstmae.fitting.fields import ARRAYS, LARGEST, Array, Each, Number, Record, Some
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.sequences.summaries import KERNELS

# Minibatches are counted, and seeds drawn, in int32.
MOST = int(np.iinfo(np.int32).max)
COUNT = Number(int, 1, MOST)
SEED = Number(int, 0, MOST)

# Optimizer -> how many numbers it keeps for each weight. Keras knows, but only once it is imported.
MEMORIES = {
    "adadelta": 2,
    "adagrad": 1,
    "adam": 2,
    "adamax": 2,
    "adamw": 2,
    "lion": 1,
    "rmsprop": 1,
    "sgd": 0,
}

# Least and largest value of a loss in a history; others are any finite numbers, since rounding may
# bring what is a difference below zero.
RANGES = {
    **dict.fromkeys(("reconstruct_loss", "predict_loss", "summary_loss"), (0.0, LARGEST)),
    **dict.fromkeys(("accuracy", "val_accuracy"), (0.0, 1.0)),
}


def history(n_epochs, needed, possible=(), may_be_nan=False):
    """Rule for a history of some epochs.

    Parameters
    ----------
    n_epochs : int
    needed, possible : collection of str
        Names of losses that it has, and of others that it may have.
    may_be_nan : bool, default=False
        Whether a loss other than "loss" may be NaN, as where histories were joined.
    """
    rules = {}
    for name in (*needed, *possible):
        bounds = RANGES.get(name, (-LARGEST, LARGEST))
        number = Number(float, *bounds, may_be_nan and name != "loss")
        rules[name] = Some(number, n_epochs, n_epochs)
    return Record(rules, absent=possible)


def losses_of(architecture):
    """Names of the losses that each epoch of an autoencoder has."""
    decoders = [f"{task}_loss" for task in architecture.decoders]
    return ["loss", *decoders, *(["kl_loss"] if architecture.variational else [])]


def head_shapes(architecture, n_components):
    """Shapes of the weights that make components of a summary from a code; none without."""
    return [(architecture.code_width, n_components), (n_components,)] if n_components else []


def optimizer_variables(optimizer, architecture, n_components, n_steps):
    """Rule for the variables of an optimizer that made at most ``n_steps`` steps."""
    shapes = [*network_of(architecture).shapes, *head_shapes(architecture, n_components)]
    vector = Array((sum(map(math.prod, shapes)),), np.float32)  # (W,)
    numbers = [Array((), np.int64, 0, n_steps), Array((), np.float32, 0)]
    return Each([*numbers, *[vector] * MEMORIES[optimizer]])


def check_summary(summary, architecture, name):
    """Raise unless sequences of such a network have this summary; else its components, 0 for None.

    The numbers of its dilations, quantiles, shares and components are its own.
    """
    if summary is None:
        return 0
    ranks = {"dilations": 1, "thresholds": 4, "columns": 1, "mean": 1, "components": 2}
    check_keys(summary, ranks, name)
    for key, rank in ranks.items():
        if not isinstance(summary[key], ARRAYS) or len(summary[key].shape) != rank:
            raise ValueError(f"{name + '.' + key!r} is no array of {rank} dimensions.")
        if 0 in summary[key].shape:
            raise ValueError(f"{name + '.' + key!r} is empty.")
    n_columns, n_components = summary["components"].shape
    n_dilations, _, n_quantiles, _ = summary["thresholds"].shape
    shape = n_dilations, len(KERNELS), n_quantiles, architecture.n_features
    rules = {
        "dilations": Array((n_dilations,), np.int64, 1, MOST),  # of sequences of an earlier fit
        "thresholds": Array(shape, np.float32),
        "columns": Array((n_columns,), np.int64, 0, math.prod(shape) - 1),
        "mean": Array((n_columns,), np.float32, 0, 1),
        "components": Array((n_columns, n_components), np.float32),
    }
    Record(rules).check(summary, name)
    for key in ("dilations", "columns"):
        if isinstance(summary[key], np.ndarray) and not (np.diff(summary[key]) > 0).all():
            raise ValueError(f"'{name}.{key}' holds numbers that do not increase.")
    return n_components
