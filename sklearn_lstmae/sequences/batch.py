"""Sequences of their own length as one padded array, and back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import replace as copy_with
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from sklearn.utils import gen_batches

from sklearn_lstmae.sequences.stores import Store, read_rows, release_pages

# Rows that are looked at one after the other are read in blocks of this size.
BLOCK_BYTES = 2**24


@dataclass(frozen=True, eq=False)
class SequenceBatch:
    """Sequences side by side, padded on the right.

    Attributes
    ----------
    values : ndarray of shape (N, T, F)
        float32 and C-contiguous unless asked otherwise; zero where not observed. It may be a
        view of the user's data: never write into it.

    lengths : ndarray of shape (N,), dtype int64
        Steps of each sequence; what follows them is padding.

    observed : ndarray of shape (N, T, F), dtype bool, or None
        False where a value is missing or padding. None means that nothing is missing.

    resolution : float, default=that of float64
        Relative rounding of the values where they come from, coarser than `values` shows if
        these were float32 and are read as float64.
    """

    values: np.ndarray
    lengths: np.ndarray
    observed: np.ndarray | None = None
    resolution: float = float(np.finfo(np.float64).eps)

    @property
    def n_sequences(self) -> int:
        """N."""
        return self.values.shape[0]

    @property
    def n_timesteps(self) -> int:
        """T, padding included."""
        return self.values.shape[1]

    @property
    def n_features(self) -> int:
        """F."""
        return self.values.shape[2]

    @property
    def step_mask(self) -> np.ndarray:
        """(N, T) bool: the step lies within its sequence."""
        return np.arange(self.n_timesteps) < self.lengths[:, np.newaxis]

    @property
    def mask(self) -> np.ndarray:
        """(N, T, F) bool: the value is observed. Read-only where nothing is missing."""
        steps = self.step_mask[:, :, np.newaxis]
        if self.observed is None:
            return np.broadcast_to(steps, self.values.shape)
        return self.observed & steps


class Sequences:
    """Validated sequences, read on demand.

    Rows are cast and padded when they are read, so that neither a memory map nor a large array
    is ever copied as a whole. The source is never modified.

    Parameters
    ----------
    source : ndarray or Store of shape (N, T, F), or list of ndarrays of shape (T_i, F)
        Numbers of any real dtype.

    lengths : ndarray of shape (N,), dtype int64
        Steps of each sequence. In an array what follows them is padding, whatever it holds.

    layout : {"2d", "3d", "list", "list-1d"}
        How the user writes sequences; `to_layout` writes them that way again.

    has_missing : bool
        Whether a value within a length is NaN.

    Attributes
    ----------
    n_sequences, n_timesteps, n_features : int
        N, the longest length, F.

    width : int
        Steps of the user's array, its padding included; of a list, the longest length.
    """

    def __init__(
        self,
        source: Any,
        lengths: np.ndarray,
        layout: str,
        has_missing: bool = False,
    ) -> None:
        self.source = source
        self.lengths = lengths
        self.layout = layout
        self.has_missing = has_missing
        self.n_sequences = len(lengths)
        self.n_timesteps = int(lengths.max())
        self.n_features = n_features_of(source)
        self.width = self.n_timesteps if isinstance(source, list) else int(source.shape[1])

    def __len__(self) -> int:
        return self.n_sequences

    @property
    def is_stored(self) -> bool:
        """Whether rows are read from a store, best in their order."""
        return isinstance(self.source, Store)

    @cached_property
    def resolution(self) -> float:
        """Relative rounding of the coarsest dtype of the source; that of float64 if not known."""
        arrays = self.source if isinstance(self.source, list) else [self.source]
        dtypes = {getattr(array, "dtype", None) for array in arrays}
        floats = [d for d in dtypes if isinstance(d, np.dtype) and d.kind == "f"]
        return max(float(np.finfo(dtype).eps) for dtype in [*floats, np.dtype(np.float64)])

    def read(
        self,
        rows: slice | np.ndarray,
        n_timesteps: int | None = None,
        dtype: DTypeLike = np.float32,
    ) -> SequenceBatch:
        """Read some of the sequences as one batch.

        Parameters
        ----------
        rows : slice or ndarray of int
            Which sequences, in which order.

        n_timesteps : int or None, default=None
            T of the batch, at least the longest of these sequences, which is the default.

        dtype : dtype, default=np.float32
            float64 keeps all digits of the source, for those who subtract before they round.

        Returns
        -------
        batch : SequenceBatch
            A view of the source where that is an array that needs neither cast nor padding.
            `observed` is an array if anything is missing anywhere, in these rows or not.
        """
        lengths = self.lengths[rows]
        if n_timesteps is None:
            n_timesteps = int(lengths.max(initial=0))
        if isinstance(self.source, list):
            chosen = [self.source[row] for row in np.arange(self.n_sequences)[rows]]
            values = _stack(chosen, n_timesteps, self.n_features, dtype)  # (N, T, F)
            release_pages(chosen)
        else:
            values = _crop_or_pad(read_rows(self.source, rows, dtype), n_timesteps)

        batch = SequenceBatch(values, lengths, resolution=self.resolution)
        if not self.has_missing and (lengths == n_timesteps).all():
            return batch
        observed = batch.step_mask[:, :, np.newaxis]  # (N, T, 1)
        if self.has_missing:
            observed = observed & ~np.isnan(values)  # (N, T, F)
        values = np.where(observed, values, values.dtype.type(0))
        return copy_with(batch, values=values, observed=observed if self.has_missing else None)

    def blocks(self, max_bytes: int = BLOCK_BYTES) -> Iterator[slice]:
        """Slices of consecutive rows, each of at most `max_bytes` as float32, or one row."""
        row_bytes = 4 * self.n_timesteps * self.n_features
        return gen_batches(self.n_sequences, max(1, max_bytes // row_bytes))


def n_features_of(source: Any) -> int:
    """F of a source."""
    return int(source[0].shape[1] if isinstance(source, list) else source.shape[2])


def join(sequences: Sequences, more: Sequences) -> np.ndarray | list[np.ndarray]:
    """All of two sets of one layout, the way the user writes it.

    Both have the same width where they are arrays. The result is a copy, padding included.
    """
    if isinstance(sequences.source, list):
        arrays = [*sequences.source, *more.source]
        return [array[:, 0] for array in arrays] if sequences.layout == "list-1d" else arrays
    values = np.concatenate([np.asarray(part.source) for part in (sequences, more)])
    return values[:, :, 0] if sequences.layout == "2d" else values


def unpad(values: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    """Rows of (N, T, F) cut to their lengths: a list of (T_i, F)."""
    return [row[:length] for row, length in zip(values, lengths, strict=True)]


def to_layout(
    values: np.ndarray, lengths: np.ndarray, layout: str
) -> np.ndarray | list[np.ndarray]:
    """Sequences the way the user writes them.

    Parameters
    ----------
    values : ndarray of shape (N, T, F)
        Right-padded values, at least one sequence.

    lengths : ndarray of shape (N,)
        Steps of each sequence.

    layout : {"2d", "3d", "list", "list-1d"}
        As in `Sequences`.

    Returns
    -------
    sequences : ndarray or list of ndarrays
        (N, T) for "2d" and (N, T, F) for "3d"; where lengths differ, and for the other layouts,
        a list of (T_i,) for "2d" and "list-1d", of (T_i, F) for "3d" and "list".
    """
    is_flat = layout in ("2d", "list-1d")
    if layout in ("2d", "3d") and (lengths == lengths[0]).all():
        values = values[:, : lengths[0]]
        return values[:, :, 0] if is_flat else values
    sequences = unpad(values, lengths)
    return [sequence[:, 0] for sequence in sequences] if is_flat else sequences


def like_input(values: np.ndarray, lengths: np.ndarray, layout: str) -> Any:
    """`to_layout`, but an array stays an array, with NaN in its padding: (N, T, F) -> same."""
    if layout in ("list", "list-1d"):
        return to_layout(values, lengths, layout)
    padding = np.arange(values.shape[1]) >= lengths[:, np.newaxis]
    values[padding] = np.nan
    return values[:, :, 0] if layout == "2d" else values


def _stack(
    arrays: Sequence[np.ndarray], n_timesteps: int, n_features: int, dtype: DTypeLike
) -> np.ndarray:
    """Arrays (T_i, F) as one (N, T, F), zero after their ends."""
    values = np.zeros((len(arrays), n_timesteps, n_features), dtype=dtype)
    with np.errstate(all="ignore"):
        for row, array in zip(values, arrays, strict=True):
            row[: len(array)] = array
    return values


def _crop_or_pad(values: np.ndarray, n_timesteps: int) -> np.ndarray:
    """(N, any, F) -> (N, T, F): steps dropped, or zeros added, at the end."""
    n_more = n_timesteps - values.shape[1]
    if n_more > 0:
        return np.pad(values, ((0, 0), (0, n_more), (0, 0)))
    return np.ascontiguousarray(values[:, :n_timesteps])
