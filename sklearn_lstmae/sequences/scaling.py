"""Scaling by the mean and deviation of observed values, and its inverse."""

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import replace as copy_with

import numpy as np

from sklearn_lstmae.sequences.batch import SequenceBatch, Sequences

FLOAT32_MAX = np.finfo(np.float32).max


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and variance of each feature over the observed values of sequences read so far.

    Attributes
    ----------
    count : ndarray of shape (F,), dtype int64
        Observed values.

    mean, variance : ndarray of shape (F,), dtype float64
        0 for a feature without any observed value.
    """

    count: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    @classmethod
    def of_nothing(cls, n_features: int) -> "Moments":
        """Moments before any value was observed."""
        return cls(np.zeros(n_features, np.int64), np.zeros(n_features), np.zeros(n_features))

    def merge(self, other: "Moments") -> "Moments":
        """Moments of the values of both.

        Chan, Golub and LeVeque (1979), "Updating formulae and a pairwise algorithm for computing
        sample variances": moments about the mean are merged without cancellation.
        """
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        shift = other.mean - self.mean
        between = np.square(shift) * (1 - share)
        variance = self.variance + (other.variance - self.variance + between) * share
        return Moments(count, self.mean + shift * share, variance)


@dataclass(frozen=True, eq=False)
class Scaling:
    """How values are brought to mean 0 and deviation 1.

    Attributes
    ----------
    kind : {"feature", "sequence"} or None
        "feature" scales by the moments below; "sequence" scales each sequence by its own; None
        leaves values as they are.

    mean, scale : ndarray of shape (F,), dtype float64
        Of the observed values of fit. Only the kind "feature" scales by them; "sequence" has
        0 and 1, None has a scale of 1.
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

        statistics : ndarray of shape (N, 2 * F), dtype float32, or None
            For kind "sequence" the mean of each feature, then its log-deviation.
        """
        if self.kind is None:
            return copy_with(batch, values=batch.values.astype(np.float32, copy=False)), None
        mask = batch.mask  # (N, T, F)
        statistics = None
        mean, scale = self.mean, self.scale
        if self.kind == "sequence":
            statistics = _sequence_statistics(batch.values, _leading(mask, seen))
            mean, scale = _unpack(statistics)  # rounded as stored, so that the inverse agrees
        difference = np.subtract(batch.values, mean, dtype=np.float64)
        scaled = _to_float32(np.where(mask, difference / scale, 0.0))
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
        values : ndarray of shape (N, T, F), dtype float32
            Clipped to the range of float32.
        """
        if self.kind is None:
            return values.astype(np.float32, copy=False)
        mean, scale = (self.mean, self.scale) if statistics is None else _unpack(statistics)
        return _to_float32(values * scale + mean)


def scaling_of(kind: str | None, moments: Moments) -> Scaling:
    """Scaling of one kind by moments, which the kind "sequence" ignores.

    A deviation that is zero, or no more than rounding of the mean, counts as 1. A feature without
    any observed value has mean 0 and scale 1.
    """
    ones = np.ones_like(moments.mean)
    if kind == "sequence":
        return Scaling(kind, np.zeros_like(moments.mean), ones)
    scale = _nonzero(np.sqrt(moments.variance), moments.mean) if kind else ones
    return Scaling(kind, moments.mean, scale)


def observe(kind: str | None, sequences: Sequences) -> Moments:
    """Moments that a scaling of one kind needs of sequences.

    They are read once, block by block, in float64; not at all for kind "sequence".
    """
    blocks = [] if kind == "sequence" else sequences.blocks(2**22)
    batches = (sequences.read(rows, dtype=np.float64) for rows in blocks)
    return moments_of(batches, sequences.n_features)


def moments_of(batches: Iterable[SequenceBatch], n_features: int) -> Moments:
    """Moments of each of F features over the observed values of all steps of batches."""
    moments = Moments.of_nothing(n_features)
    for batch in batches:
        count, mean, squares = _moments(batch.values, batch.mask, axis=(0, 1))
        moments = moments.merge(Moments(count, mean, squares / np.maximum(count, 1)))
    return moments


def _moments(
    values: np.ndarray, mask: np.ndarray, axis: int | tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count observed values of (N, T, F) along axes; their mean and sum of squared deviations."""
    count = mask.sum(axis=axis, keepdims=True)
    observed = np.where(mask, values, 0.0).astype(np.float64, copy=False)
    mean = observed.sum(axis=axis, keepdims=True) / np.maximum(count, 1)
    squares = np.square(np.where(mask, observed - mean, 0.0)).sum(axis=axis)
    return count.squeeze(axis), mean.squeeze(axis), squares


def _sequence_statistics(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(N, T, F) -> (N, 2 * F) float32: mean and log-deviation of each sequence's features."""
    count, mean, squares = _moments(values, mask, axis=1)  # (N, F) each
    deviation = _nonzero(np.sqrt(squares / np.maximum(count, 1)), mean)
    return np.hstack([mean, np.log(deviation)]).astype(np.float32)


def _unpack(statistics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2 * F) -> mean and scale, (N, 1, F) float64 each."""
    mean, log_scale = np.split(statistics.astype(np.float64)[:, np.newaxis], 2, axis=2)
    return mean, np.exp(log_scale)


def _leading(mask: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """Drop what follows the first `seen` (N,) steps from a mask (N, T, F)."""
    if seen is None:
        return mask
    return mask & (np.arange(mask.shape[1]) < seen[:, np.newaxis])[:, :, np.newaxis]


def _nonzero(deviation: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Deviations, 1 in place of those that are zero or no more than rounding of the mean."""
    rounding = 10 * np.finfo(np.float64).eps * np.abs(mean)
    return np.where(deviation <= rounding, 1.0, deviation)


def _to_float32(values: np.ndarray) -> np.ndarray:
    """Cast, with what is too large for float32 clipped."""
    return np.clip(values, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)
