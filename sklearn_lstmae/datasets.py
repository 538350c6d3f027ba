"""Small sets of labelled sequences, for examples, tests and benchmarks."""

from numbers import Integral, Real

import numpy as np
from sklearn.datasets import load_digits
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

# Pixels of the digits from which on there is ink; some gray is in each row of each image.
INK = 12

positive_int = Interval(Integral, 1, None, closed="left")


@validate_params(
    {
        "n_sequences": [positive_int],
        "n_timesteps": [positive_int],
        "n_features": [positive_int],
        "random_state": ["random_state"],
        "n_classes": [positive_int],
        "min_timesteps": [positive_int, None],
        "shift": [Interval(Real, 0, 1, closed="both")],
        "noise": [Interval(Real, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def make_waves(
    n_sequences=100,
    n_timesteps=40,
    n_features=2,
    *,
    random_state,
    n_classes=3,
    min_timesteps=None,
    shift=1.0,
    noise=0.1,
):
    """Make noisy multivariate waves, whose class decides their frequency and phase.

    A sequence of class k of K goes through 1 + k / 2 cycles in ``n_timesteps`` steps, and each of
    its features lags behind the one before by (1 + k / K) / 4 of a cycle. Where in its cycle a
    sequence begins is random.

    Parameters
    ----------
    n_sequences : int, default=100
        Sequences N.

    n_timesteps : int, default=40
        Steps T of a sequence, the longest if lengths differ.

    n_features : int, default=2
        Features F of a step.

    random_state : int, RandomState instance or None
        Determines lengths, where cycles begin, noise and the order of classes. It has no default,
        so that whoever calls says it.

    n_classes : int, default=3
        Classes, as equal in number as ``n_sequences`` allows.

    min_timesteps : int, default=None
        If given, lengths are drawn evenly from ``min_timesteps`` to ``n_timesteps``. A shorter
        sequence ends earlier; its waves are no faster.

    shift : float, default=1.0
        Part of a cycle over which the beginnings of the sequences of a class spread: at 0 all
        begin alike, at 1 anywhere.

    noise : float, default=0.1
        Standard deviation of the Gaussian noise on each value; the waves reach from -1 to 1.

    Returns
    -------
    X : ndarray of shape (N, T, F), float32, or list of N such arrays of shape (T_i, F)
        The sequences; a list if ``min_timesteps`` is given.

    y : ndarray of shape (N,), int
        Class of each sequence, from 0.

    Examples
    --------
    >>> from sklearn_lstmae.datasets import make_waves
    >>> X, y = make_waves(60, 20, 3, random_state=0)
    >>> X.shape, y.shape
    ((60, 20, 3), (60,))
    """
    if min_timesteps is not None and min_timesteps > n_timesteps:
        raise ValueError(
            f"min_timesteps={min_timesteps} is more than n_timesteps={n_timesteps}: lengths are "
            "drawn between the two."
        )
    generator = check_random_state(random_state)
    y = generator.permutation(np.arange(n_sequences) % n_classes)  # (N,)
    start = shift * generator.uniform(size=(n_sequences, 1, 1))
    cycles = (1 + y / 2)[:, np.newaxis] * np.arange(n_timesteps) / n_timesteps  # (N, T)
    lags = (1 + y / n_classes)[:, np.newaxis] * np.arange(n_features) / 4  # (N, F)
    waves = np.sin(2 * np.pi * (start + cycles[:, :, np.newaxis] - lags[:, np.newaxis]))
    X = (waves + noise * generator.normal(size=waves.shape)).astype(np.float32)  # (N, T, F)
    if min_timesteps is None:
        return X, y
    lengths = generator.randint(min_timesteps, n_timesteps + 1, size=n_sequences)
    return [sequence[:length] for sequence, length in zip(X, lengths, strict=True)], y


def crop_digits():
    """Load scikit-learn's handwritten digits as sequences of unequal length.

    A row of the image is a step, and its 8 pixels are the features. Rows above and below the
    digit are cut off if they are without ink, that is, if none of their pixels is at least three
    quarters black (12 of 16). This leaves 5 to 8 steps.

    Returns
    -------
    X : list of 1797 ndarrays of shape (T_i, 8), float32
        Pixels from 0, white, to 16, black.

    y : ndarray of shape (1797,), int
        The digits.

    Examples
    --------
    >>> from sklearn_lstmae.datasets import crop_digits
    >>> X, y = crop_digits()
    >>> sorted({len(sequence) for sequence in X})
    [5, 6, 7, 8]
    """
    images, y = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8).astype(np.float32)
    X = []
    for image in images:
        inked = np.flatnonzero(image.max(axis=1) >= INK)
        X.append(image[inked[0] : inked[-1] + 1])
    return X, y
