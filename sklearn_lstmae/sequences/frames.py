"""Steps <-> frames: what the network reads at once is P consecutive steps of scaled values.

Letters: N sequences, T steps, K frames, P steps a frame, F features.
"""

from dataclasses import dataclass
from dataclasses import replace as copy_with

import numpy as np

from sklearn_lstmae.sequences.batch import SequenceBatch, Sequences
from sklearn_lstmae.sequences.scaling import Scaling


@dataclass(frozen=True, eq=False)
class FrameBlock:
    """Some sequences, ready for the network.

    Attributes
    ----------
    batch : SequenceBatch
        Scaled values (N, K * P, F).

    frames : ndarray of shape (N, K, P * F), dtype float32
        The same values; NaN where one is missing, zero in the padding.

    statistics : ndarray of shape (N, 2 * F) or None
        Of a scaling by sequence.
    """

    batch: SequenceBatch
    frames: np.ndarray
    statistics: np.ndarray | None


@dataclass(frozen=True, eq=False)
class FrameReader:
    """Reads rows of validated sequences as scaled frames.

    Attributes
    ----------
    sequences : Sequences
    scaling : Scaling
    patch_size : int
        P.
    rows : ndarray of int or None
        Which of the sequences, None for all.
    """

    sequences: Sequences
    scaling: Scaling
    patch_size: int
    rows: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def lengths(self) -> np.ndarray:
        """Steps of each sequence: (N,)."""
        lengths = self.sequences.lengths
        return lengths if self.rows is None else lengths[self.rows]

    @property
    def n_frames(self) -> np.ndarray:
        """Frames of each sequence: (N,)."""
        return -(-self.lengths // self.patch_size)

    def subset(self, rows: np.ndarray) -> "FrameReader":
        """Make a reader of some of the sequences."""
        return copy_with(self, rows=rows if self.rows is None else self.rows[rows])

    def read(self, rows: slice | np.ndarray, n_frames: int) -> FrameBlock:
        """Read some rows, padded to ``n_frames`` frames."""
        rows = rows if self.rows is None else self.rows[rows]
        dtype = np.float32 if self.scaling.kind is None else np.float64
        batch = self.sequences.read(rows, n_frames * self.patch_size, dtype)
        batch, statistics = self.scaling.apply(batch)
        values = batch.values
        if batch.observed is not None:
            missing = batch.step_mask[:, :, np.newaxis] & ~batch.observed
            values = np.where(missing, np.float32(np.nan), values)
        frames = values.reshape(len(values), n_frames, -1)
        return FrameBlock(batch, frames, statistics)


def round_up(n_frames: np.ndarray | int) -> np.ndarray:
    """Find the next of 1, 2, ... 16, 18, ... 32, 36, ... 64, 72, ...: at most an eighth more.

    Sequences are computed at the rounded number of frames of their own length: few different
    shapes, little waste, and what a sequence gets does not depend on others.
    """
    n_frames = np.asarray(n_frames)
    step = 2 ** np.maximum(np.ceil(np.log2(np.maximum(n_frames, 1))).astype(int) - 4, 0)
    return -(-n_frames // step) * step
