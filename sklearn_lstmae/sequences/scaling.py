"""Scaling by the mean and deviation of observed values, and its inverse."""

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import replace as copy_with

import numpy as np

from sklearn_lstmae.sequences.batch import SequenceBatch, Sequences

FLOAT32_MAX = np.finfo(np.float32).max
EPS = np.finfo(np.float64).eps

# A sequence without a deviation counts as less lively than the least lively one of fit, by this
# share. A smaller one would make steps that a predicting decoder learns after a constant past,
# and that are scaled by it too, outweigh all others.
CONSTANT_SHARE = 0.1

# The bound of rounding grows with the number of values, up to this number: sums lose no digits
# here, and with more values a change of 1 on a level of 1e11 would count as rounding.
MOST_ROUNDED = 2**17

# The bound of `is_rounding` for float32 values, in which half a step outweighs any number of sums.
FLOAT32_ROUNDING = float(np.finfo(np.float32).eps) / 2


@dataclass(frozen=True, eq=False)
class Moments:
    """Moments of each feature over the observed values of sequences read so far.

    Attributes
    ----------
    count : ndarray of shape (F,), dtype int64
        Observed values.

    mean, variance : ndarray of shape (F,), dtype float64
        0 for a feature without any observed value.

    least : ndarray of shape (F,), dtype float64
        Smallest deviation of a sequence, those of constant sequences aside; infinite if there is
        none.

    resolution : float, default=that of float64
        Relative rounding of the coarsest dtype among the sequences.
    """

    count: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    least: np.ndarray
    resolution: float = EPS

    @classmethod
    def of_nothing(cls, n_features: int) -> "Moments":
        """Moments before any value was observed."""
        zeros = np.zeros(n_features)
        return cls(zeros.astype(np.int64), zeros, zeros, np.full(n_features, np.inf))

    def merge(self, other: "Moments") -> "Moments":
        """Moments of the values of both."""
        count, mean, variance = _pool(
            np.stack([self.count, other.count]),
            np.stack([self.mean, other.mean]),
            np.stack([self.variance, other.variance]),
            axis=0,
        )
        least = np.minimum(self.least, other.least)
        return Moments(count, mean, variance, least, max(self.resolution, other.resolution))


@dataclass(frozen=True, eq=False)
class Scaling:
    """How values are brought to mean 0 and deviation 1.

    Attributes
    ----------
    kind : {"feature", "sequence"} or None
        "feature" scales by the moments below; "sequence" scales each sequence by its own; None
        leaves values as they are.

    mean : ndarray of shape (F,), dtype float64
        Mean of the observed values of fit. The kind "sequence" subtracts it only where a sequence
        has no observed value of the feature.

    scale : ndarray of shape (F,), dtype float64
        Deviation of the observed values of fit; for "sequence" what stands in place of a
        sequence's deviation where that is zero or no more than rounding; 1 for None.
    """

    kind: str | None
    mean: np.ndarray
    scale: np.ndarray

    @property
    def center(self) -> np.ndarray:
        """Mean of the scaled values of fit: (F,)."""
        return self.mean if self.kind is None else np.zeros_like(self.mean)

    def apply(
        self, batch: SequenceBatch, seen: np.ndarray | None = None
    ) -> tuple[SequenceBatch, np.ndarray | None]:
        """Scale a batch.

        Parameters
        ----------
        batch : SequenceBatch
            Values in original units. Read them as float64 where the source is: subtracting
            comes before rounding, so that small changes on a large offset survive.

        seen : ndarray of shape (N,) or None, default=None
            For kind "sequence": statistics come from that many leading steps. None is all.

        Returns
        -------
        scaled : SequenceBatch
            float32, clipped to its range; zero where not observed.

        statistics : ndarray of shape (N, 2 * F), dtype float64, or None
            For kind "sequence" the mean of each feature, with all its digits, then its
            log-deviation, rounded to float32 as a code has it, so that the inverse agrees.
        """
        if self.kind is None:
            return copy_with(batch, values=batch.values.astype(np.float32, copy=False)), None
        mask = batch.mask  # (N, T, F)
        statistics = None
        mean, scale = self.mean, self.scale
        if self.kind == "sequence":
            statistics = self._statistics(batch, _leading(mask, seen))
            mean, scale = _unpack(statistics)
        difference = np.subtract(batch.values, mean, dtype=np.float64)
        scaled = _clip(np.where(mask, difference / scale, 0.0)).astype(np.float32)
        return copy_with(batch, values=scaled), statistics

    def invert(self, values: np.ndarray, statistics: np.ndarray | None = None) -> np.ndarray:
        """Scaled values back in original units.

        Parameters
        ----------
        values : ndarray of shape (N, T, F)
            Scaled values.

        statistics : ndarray of shape (N, 2 * F) or None, default=None
            What `apply` returned; needed for kind "sequence" only.

        Returns
        -------
        values : ndarray of shape (N, T, F), dtype float64
            Clipped to the range of float32, beyond which no sequence is accepted.
        """
        if self.kind is None:
            return values.astype(np.float64)
        mean, scale = (self.mean, self.scale) if statistics is None else _unpack(statistics)
        return _clip(values * scale + mean)

    def _statistics(self, batch: SequenceBatch, mask: np.ndarray) -> np.ndarray:
        """Mean and log-deviation of each sequence's features over a mask (N, T, F): (N, 2 * F)."""
        count, mean, variance = _of_sequences(batch.values, mask)  # (N, F) each
        mean = np.where(count > 0, mean, self.mean)
        deviation = np.sqrt(variance)
        is_constant = is_rounding(deviation, mean, count, batch.resolution)
        logarithm = np.log(np.where(is_constant, self.scale, deviation))
        return np.hstack([mean, logarithm.astype(np.float32)])


def scaling_of(kind: str | None, moments: Moments) -> Scaling:
    """Scaling of one kind by moments.

    By feature a deviation that is zero counts as 1, and one that is no more than rounding of the
    mean as at least 1; so does a feature without any observed value. By sequence such a deviation
    counts as a share of the smallest of `fit`, as 1 if there is none.
    """
    scale = np.ones_like(moments.mean)
    if kind == "sequence":
        scale = np.where(np.isinf(moments.least), 1.0, CONSTANT_SHARE * moments.least)
    elif kind == "feature":
        scale = np.sqrt(moments.variance)
        is_constant = is_rounding(scale, moments.mean, moments.count, moments.resolution)
        scale = np.where(is_constant, np.maximum(scale, 1.0), scale)
    return Scaling(kind, moments.mean, scale)


def least_deviation(scaling: Scaling) -> np.ndarray:
    """`Moments.least` of the sequences that a scaling by sequence was made of: (F,)."""
    # The scale is 1 where there is none; it is also 1 for a least deviation of 10.
    return np.where(scaling.scale == 1, np.inf, scaling.scale / CONSTANT_SHARE)


def is_rounding(
    deviation: np.ndarray, mean: np.ndarray, count: np.ndarray, resolution: float
) -> np.ndarray:
    """Whether values deviate from their mean by no more than rounding, all arrays alike.

    The bound is that of scikit-learn's scalers, ``count * eps * |mean|``, but half a step of the
    values' own dtype where that is coarser.
    """
    steps = np.maximum(np.minimum(count, MOST_ROUNDED) * EPS, resolution / 2)
    return deviation <= steps * np.abs(mean)


def mean_and_deviation(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each column of codes: (N, C) -> (C,) float64 each.

    Codes are float32, and of equal sequences equal up to a few steps of it: a deviation that is no
    more counts as 1.
    """
    mean, deviation = codes.mean(axis=0, dtype=np.float64), codes.std(axis=0, dtype=np.float64)
    rounding = 20 * FLOAT32_ROUNDING * np.abs(mean)
    return mean, np.where(deviation > rounding, deviation, 1.0)


def observe(sequences: Sequences) -> Moments:
    """Moments of sequences, which are read once, block by block, in float64."""
    batches = (sequences.read(rows, dtype=np.float64) for rows in sequences.blocks(2**22))
    return moments_of(batches, sequences.n_features)


def moments_of(batches: Iterable[SequenceBatch], n_features: int) -> Moments:
    """Moments of each of F features over the observed values of all steps of batches."""
    moments = Moments.of_nothing(n_features)
    for batch in batches:
        count, mean, variance = _of_sequences(batch.values, batch.mask)  # (N, F) each
        deviation = np.sqrt(variance)
        is_constant = is_rounding(deviation, mean, count, batch.resolution)
        least = np.where(is_constant, np.inf, deviation).min(axis=0)
        pooled = _pool(count, mean, variance, axis=0)  # (F,) each
        moments = moments.merge(Moments(*pooled, least, batch.resolution))
    return moments


def _of_sequences(
    values: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, mean and variance of each sequence's observed values: (N, T, F) -> (N, F) each."""
    observed = np.where(mask, values, 0.0).astype(np.float64, copy=False)
    return _pool(mask, observed, np.zeros((1, 1, 1)), axis=1)


def _pool(
    count: np.ndarray, mean: np.ndarray, variance: np.ndarray, axis: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, mean and variance of parts along an axis -> those of the whole.

    Sums are those of differences from the mean of the first part that has any value. If all parts
    are equal, these sums are zero, and small differences on a large level keep their digits. Chan,
    Golub and LeVeque (1983), "Algorithms for computing the sample variance", equations 1.7 and 3.3.
    """
    total = count.sum(axis=axis, keepdims=True, dtype=np.int64)
    share = count / np.maximum(total, 1)
    first = np.argmax(count > 0, axis=axis, keepdims=True)
    origin = np.take_along_axis(mean, first, axis=axis)
    shift = (share * (mean - origin)).sum(axis=axis, keepdims=True)
    difference = mean - origin - shift
    rest = (share * difference).sum(axis=axis, keepdims=True)
    whole = (share * (variance + np.square(difference))).sum(axis=axis, keepdims=True)
    whole = np.maximum(whole - np.square(rest), 0.0)
    mean = origin + (shift + rest)
    return total.squeeze(axis), mean.squeeze(axis), whole.squeeze(axis)


def _unpack(statistics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2 * F) -> mean and scale, (N, 1, F) float64 each."""
    mean, log_scale = np.split(statistics.astype(np.float64)[:, np.newaxis], 2, axis=2)
    return mean, np.exp(log_scale)


def _leading(mask: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """Drop what follows the first `seen` (N,) steps from a mask (N, T, F)."""
    if seen is None:
        return mask
    return mask & (np.arange(mask.shape[1]) < seen[:, np.newaxis])[:, :, np.newaxis]


def _clip(values: np.ndarray) -> np.ndarray:
    """Values within the range of float32, float64 as they are."""
    return np.clip(values, -np.float64(FLOAT32_MAX), np.float64(FLOAT32_MAX))
