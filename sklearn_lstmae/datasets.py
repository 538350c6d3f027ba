"""Small sets of labelled sequences, for examples, tests and benchmarks."""

from numbers import Integral, Real

import numpy as np
from sklearn.datasets import load_digits
from sklearn.utils import check_random_state

from sklearn_lstmae._sklearn import Interval, positive_int, validate_params

# Darkness of a pixel at which it counts as ink; each row of each image has some gray.
INK = 12
# Height and width of a digit, in pixels.
SIDE = 8


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
        Determines lengths, where cycles begin, noise and the order of classes. There is no default:
        the caller decides whether results are reproducible.

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


@validate_params(
    {
        "n_sequences": [positive_int],
        "n_timesteps": [positive_int],
        "random_state": ["random_state"],
        "n_digits": [positive_int],
        "frame_size": [Interval(Integral, SIDE + 1, None, closed="left")],
        "speed": [Interval(Real, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def make_moving_digits(
    n_sequences=100, n_timesteps=20, *, random_state, n_digits=1, frame_size=16, speed=1.0
):
    """Make films of handwritten digits that move straight on and bounce off the walls.

    Scikit-learn's digits of 8 x 8 pixels move inside larger, square frames, each from a random
    place in a random direction. They bounce off the walls like billiard balls, pass through each
    other, and where they overlap the darker pixel shows. A digit between two pixels is interpolated
    linearly. This is moving MNIST (Srivastava et al. 2015, section 3), smaller, and with one speed
    for all.

    Parameters
    ----------
    n_sequences : int, default=100
        Sequences N.

    n_timesteps : int, default=20
        Frames T of a film, each a step.

    random_state : int, RandomState instance or None
        Determines which digits move, from where and in which directions. There is no default: the
        caller decides whether results are reproducible.

    n_digits : int, default=1
        Digits in a film.

    frame_size : int, default=16
        Height and width of a frame in pixels, at least 9.

    speed : float, default=1.0
        Pixels that a digit moves in a step.

    Returns
    -------
    X : ndarray of shape (N, T, F), float32
        The films; the F = ``frame_size`` ** 2 pixels of a frame row by row, from 0, empty, to 1,
        full of ink.

    y : ndarray of shape (N,), int, or (N, ``n_digits``) for more than one
        The digits.

    Notes
    -----
    Images are drawn without repetition until all 1797 are used: no two films of one call share an
    image unless ``n_sequences * n_digits`` is larger.

    References
    ----------
    Srivastava, Mansimov, Salakhutdinov: "Unsupervised Learning of Video Representations using
    LSTMs", ICML 2015.

    Examples
    --------
    >>> from sklearn_lstmae.datasets import make_moving_digits
    >>> X, y = make_moving_digits(30, 20, frame_size=12, random_state=0)
    >>> X.shape, y.shape
    ((30, 20, 144), (30,))
    """
    generator = check_random_state(random_state)
    images, labels = load_digits(return_X_y=True)
    n_drawn, n_images = n_sequences * n_digits, len(images)
    orders = [generator.permutation(n_images) for _ in range(-(-n_drawn // n_images))]
    drawn = np.concatenate(orders)[:n_drawn].reshape(n_sequences, n_digits)
    room = frame_size - SIDE
    start = generator.uniform(0, room, size=(n_sequences, n_digits, 2))  # of the upper left corner
    angle = generator.uniform(0, 2 * np.pi, size=(n_sequences, n_digits))
    velocity = speed * np.stack([np.sin(angle), np.cos(angle)], axis=2)
    X = np.zeros((n_sequences, n_timesteps, frame_size, frame_size), np.float32)
    for digit in range(n_digits):
        straight = np.arange(n_timesteps) * velocity[:, digit, :, np.newaxis]  # (N, 2, T)
        corner = bounce(start[:, digit, :, np.newaxis] + straight, room)
        down, right = (place(corner[:, axis], frame_size) for axis in (0, 1))  # (N, T, size, 8)
        moving = images[drawn[:, digit]].reshape(-1, 1, SIDE, SIDE) / 16
        np.maximum(X, down @ moving @ right.swapaxes(2, 3), out=X, casting="same_kind")
    X = X.reshape(n_sequences, n_timesteps, -1)
    y = labels[drawn]
    return X, y[:, 0] if n_digits == 1 else y


def bounce(position, length):
    """Fold straight motion into [0, ``length``], with a turn at each end."""
    return length - np.abs(length - position % (2 * length))


def place(corner, frame_size):
    """Shares of the pixels of a digit in those of a frame, along one axis.

    Parameters
    ----------
    corner : ndarray of shape (N, T)
        Where the first pixel of the digit lies, whole or between two pixels of the frame.

    Returns
    -------
    shares : ndarray of shape (N, T, ``frame_size``, 8)
        Each sums up to 1 over the frame.
    """
    ahead = np.arange(frame_size)[:, np.newaxis] - np.arange(SIDE)  # (size, 8)
    return np.maximum(1 - np.abs(ahead - corner[:, :, np.newaxis, np.newaxis]), 0)
