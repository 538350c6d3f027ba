"""Small sets of labeled sequences, for examples, tests and benchmarks."""

from numbers import Integral, Real
from typing import Any, overload

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.utils import check_random_state

from sklearn_lstmae._sklearn import Interval, positive_int, validate_params

# Darkness of a pixel at which it counts as ink; each row of each image has some gray.
INK = 12
# Height and width of a digit, in pixels.
SIDE = 8


@overload
def make_waves(
    n_sequences: int = 100,
    n_timesteps: int = 40,
    n_features: int = 2,
    *,
    random_state: int | np.random.RandomState | None,
    n_classes: int = 3,
    min_timesteps: None = None,
    shift: float = 1.0,
    noise: float = 0.1,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int_]]: ...
@overload
def make_waves(
    n_sequences: int = 100,
    n_timesteps: int = 40,
    n_features: int = 2,
    *,
    random_state: int | np.random.RandomState | None,
    n_classes: int = 3,
    min_timesteps: int,
    shift: float = 1.0,
    noise: float = 0.1,
) -> tuple[list[npt.NDArray[np.float32]], npt.NDArray[np.int_]]: ...
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
    n_sequences: int = 100,
    n_timesteps: int = 40,
    n_features: int = 2,
    *,
    random_state: int | np.random.RandomState | None,
    n_classes: int = 3,
    min_timesteps: int | None = None,
    shift: float = 1.0,
    noise: float = 0.1,
) -> Any:
    """Generate noisy multivariate waves whose frequency and phase depend on their class.

    A sequence of class k of K has 1 + k / 2 cycles in ``n_timesteps`` steps. Each of its features
    lags behind the previous one by (1 + k / K) / 4 of a cycle. Its first step is at a random point
    of a cycle.

    Parameters
    ----------
    n_sequences : int, default=100
        Number of sequences N.

    n_timesteps : int, default=40
        Number of steps T of each sequence, or of the longest one if lengths differ.

    n_features : int, default=2
        Number of features F.

    random_state : int, RandomState instance or None
        Determines lengths, starting points, noise and the order of classes. Pass an int for
        reproducible output across multiple function calls. There is no default, so that the caller
        decides.

    n_classes : int, default=3
        Number of classes. Their sizes differ by at most one sequence.

    min_timesteps : int, default=None
        If not None, lengths are drawn uniformly from ``min_timesteps`` to ``n_timesteps``. A
        shorter sequence ends earlier; its waves have the same frequency.

    shift : float, default=1.0
        Share of a cycle over which the starting points of a class are spread: with 0 all sequences
        of a class start at the same point, with 1 anywhere in the cycle.

    noise : float, default=0.1
        Standard deviation of the Gaussian noise on each value. The waves are between -1 and 1.

    Returns
    -------
    X : ndarray of shape (N, T, F), float32, or list of N such arrays of shape (T_i, F)
        The sequences; a list if ``min_timesteps`` is not None.

    y : ndarray of shape (N,), int
        The classes, from 0.

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


def crop_digits() -> tuple[list[npt.NDArray[np.float32]], npt.NDArray[np.int_]]:
    """Load scikit-learn's handwritten digits as sequences of unequal length.

    Each row of the image is a step, and its 8 pixels are the features. Rows above and below the
    digit are cut off if they contain no ink, that is, no pixel that is at least three quarters
    black (12 of 16). This leaves 5 to 8 steps.

    Returns
    -------
    X : list of 1797 ndarrays of shape (T_i, 8), float32
        The images, with pixels from 0, white, to 16, black.

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
    n_sequences: int = 100,
    n_timesteps: int = 20,
    *,
    random_state: int | np.random.RandomState | None,
    n_digits: int = 1,
    frame_size: int = 16,
    speed: float = 1.0,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int_]]:
    """Generate films of handwritten digits that move in straight lines and bounce off the walls.

    scikit-learn's digits of 8 x 8 pixels move inside larger, square frames, each from a random
    place in a random direction. They bounce off the walls and pass through each other. Where digits
    overlap, the darker pixel is shown. A digit between two pixels is interpolated linearly. This is
    a smaller moving MNIST (Srivastava et al. 2015, section 3), with one speed for all digits.

    Parameters
    ----------
    n_sequences : int, default=100
        Number of sequences N.

    n_timesteps : int, default=20
        Number of frames T of a film. Each is a step.

    random_state : int, RandomState instance or None
        Determines the digits, their starting points and their directions. Pass an int for
        reproducible output across multiple function calls. There is no default, so that the caller
        decides.

    n_digits : int, default=1
        Number of digits per film.

    frame_size : int, default=16
        Height and width of a frame in pixels, at least 9.

    speed : float, default=1.0
        Number of pixels that a digit moves per step.

    Returns
    -------
    X : ndarray of shape (N, T, F), float32
        The films. The F = ``frame_size`` ** 2 features are the pixels of a frame, row by row, from
        0, white, to 1, black.

    y : ndarray of shape (N,), int, or (N, ``n_digits``) for more than one
        The digits.

    Notes
    -----
    Images are drawn without repetition until all 1797 are used, so that no two films of one call
    share an image unless ``n_sequences * n_digits`` is larger.

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
    y = labels[drawn]
    return X.reshape(n_sequences, n_timesteps, -1), y[:, 0] if n_digits == 1 else y


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
