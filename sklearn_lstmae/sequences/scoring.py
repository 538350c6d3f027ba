"""Errors per value, step, feature and sequence, and scores made of their sums."""

from collections.abc import Callable

import numpy as np


def _huber(difference: np.ndarray) -> np.ndarray:
    """Half the square up to 1, and linear beyond."""
    size = np.abs(difference)
    return np.where(size <= 1.0, 0.5 * np.square(size), size - 0.5)


LOSSES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mse": np.square,
    "mae": np.abs,
    "huber": _huber,
}

# per: the axes of (N, T, F) that its mean runs over
AVERAGED: dict[str, tuple[int, ...]] = {
    "sequence": (1, 2),
    "step": (2,),
    "feature": (1,),
    "value": (),
}


def errors(difference: np.ndarray, mask: np.ndarray, loss: str, per: str) -> np.ndarray:
    """Mean error over observed values.

    Parameters
    ----------
    difference : ndarray of shape (N, T, F)
        What the loss is a function of; where the mask is False it may hold anything.

    mask : ndarray of shape (N, T, F), dtype bool
        Values that count.

    loss : {"mse", "mae", "huber"}
        The error of one value.

    per : {"sequence", "step", "feature", "value"}
        What each mean is about.

    Returns
    -------
    errors : ndarray of shape (N,), (N, T), (N, F) or (N, T, F), dtype float64
        NaN where nothing is observed.
    """
    axes = AVERAGED[per]
    count = mask.sum(axis=axes)
    total = _observed_errors(difference, mask, loss).sum(axis=axes)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def loss_sums(
    values: np.ndarray, prediction: np.ndarray, mask: np.ndarray, loss: str
) -> tuple[float, int]:
    """Sum of the errors of the observed values, and their number; blocks of rows just add up.

    Parameters
    ----------
    values : ndarray of shape (N, T, F)
        What should have been predicted.

    prediction : ndarray of shape (N, T, F) or (F,)
        What was: (F,) predicts the same for every step.

    mask : ndarray of shape (N, T, F), dtype bool
        Values that count.

    loss : {"mse", "mae", "huber"}
        The error of one value.

    Returns
    -------
    total : float
        Summed in float64.

    count : int
        ``total / count`` is the mean error.
    """
    difference = np.subtract(values, prediction, dtype=np.float64)
    return float(_observed_errors(difference, mask, loss).sum()), int(mask.sum())


def explained_variance(squared_error: float, squared_deviation: float) -> float:
    """Share of the squared deviation that a prediction explains, as `r2_score` counts it.

    Parameters
    ----------
    squared_error : float
        Sum of squared errors of the prediction.

    squared_deviation : float
        Sum of squared errors of the mean.

    Returns
    -------
    score : float
        1 is perfect and 0 no better than the mean. Where nothing deviates from the mean it is
        1 without error, else 0. NaN where there is nothing to judge.
    """
    if np.isnan(squared_deviation):
        return np.nan
    if squared_deviation > 0:
        return 1.0 - squared_error / squared_deviation
    return 1.0 if squared_error == 0 else 0.0


def _observed_errors(difference: np.ndarray, mask: np.ndarray, loss: str) -> np.ndarray:
    """(N, T, F) float64 errors, zero where not observed."""
    return LOSSES[loss](np.where(mask, difference, 0.0).astype(np.float64, copy=False))
