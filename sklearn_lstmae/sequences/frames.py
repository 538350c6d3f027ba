"""Steps <-> frames: a network reads and outputs P consecutive steps of scaled values at once.

Letters: N sequences, T steps, K frames, P steps a frame, F features.
"""

from dataclasses import dataclass
from dataclasses import replace as copy_with

import numpy as np

from sklearn_lstmae.sequences.batch import SequenceBatch, Sequences
from sklearn_lstmae.sequences.scaling import Scaling
from sklearn_lstmae.sequences.tasks import TASKS, past_lengths


@dataclass(frozen=True, eq=False)
class Frames:
    """What an encoder reads of some sequences, or what a decoder should output.

    Attributes
    ----------
    values : ndarray of shape (N, K, P * F), dtype float32
        Zero where nothing is observed.
    indicators : ndarray of shape (N, K, I), dtype bool
        What an encoder reads besides the values: where values may be missing, which of them are
        observed (I = P * F); else, where a frame can be partly padding, which of its steps are
        real (I = P); else nothing (I = 0).
    lengths : ndarray of shape (N,)
        Steps of each sequence.
    """

    values: np.ndarray
    indicators: np.ndarray
    lengths: np.ndarray


@dataclass(frozen=True, eq=False)
class FrameBlock:
    """Some sequences, ready for a network.

    Attributes
    ----------
    past : SequenceBatch
        Scaled values that the encoder reads, in whole frames: (N, K * P, F).

    targets : dict of SequenceBatch
        Scaled values that each decoder should output, by task, in whole frames.

    starts : dict of ndarray of shape (N,)
        Step of the sequence, from 0, with which each target begins.

    statistics : ndarray of shape (N, 2 * F), dtype float64, or None
        Mean and log-deviation of each sequence, from a scaling by sequence.

    patch_size : int
        P.

    may_miss : bool
        Whether values may be missing.

    classes : ndarray of int of shape (N,) or None
        Labels of the sequences where a classifier learns.

    summaries : float32 ndarray of shape (N, C) or None
        Summaries of the sequences where they are a target.
    """

    past: SequenceBatch
    targets: dict[str, SequenceBatch]
    starts: dict[str, np.ndarray]
    statistics: np.ndarray | None
    patch_size: int
    may_miss: bool
    classes: np.ndarray | None = None
    summaries: np.ndarray | None = None

    def frames(self, batch: SequenceBatch) -> Frames:
        """`past` or one of the targets, in frames."""
        n_sequences, n_frames = len(batch.lengths), batch.n_timesteps // self.patch_size
        shape = n_sequences, n_frames, self.patch_size * batch.n_features
        if self.may_miss:
            indicators = batch.mask.reshape(shape)
        elif self.patch_size > 1:
            indicators = batch.step_mask.reshape(n_sequences, n_frames, self.patch_size)
        else:
            indicators = np.zeros((n_sequences, n_frames, 0), bool)
        return Frames(batch.values.reshape(shape), indicators, batch.lengths)


@dataclass(frozen=True, eq=False)
class FrameReader:
    """Reads rows of validated sequences as scaled frames.

    Attributes
    ----------
    sequences : Sequences
    scaling : Scaling
    patch_size : int
        P.
    may_miss : bool
        Whether the network reads which values are observed.
    tasks : tuple of str
        Tasks whose targets are read. With "predict" the encoder reads what it reads in training:
        all but the last ``horizon`` steps.
    horizon : int or None
        Steps that a predicting decoder outputs; None: steps 2 to T.
    rows : ndarray of int or None
        Which of the sequences, None for all.
    classes : ndarray of int of shape (N,) or None
        Where a classifier learns, the class of each sequence that is read, from 0.
    summaries : float32 ndarray of shape (N, C) or None
        Where they are a target, the summary of each sequence that is read.
    """

    sequences: Sequences
    scaling: Scaling
    patch_size: int
    may_miss: bool = False
    tasks: tuple[str, ...] = ("reconstruct",)
    horizon: int | None = None
    rows: np.ndarray | None = None
    classes: np.ndarray | None = None
    summaries: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def lengths(self) -> np.ndarray:
        """Steps of each sequence: (N,)."""
        lengths = self.sequences.lengths
        return lengths if self.rows is None else lengths[self.rows]

    @property
    def n_frames(self) -> np.ndarray:
        """Frames that the encoder reads of each sequence: (N,)."""
        return -(-past_lengths(self.lengths, self.horizon) // self.patch_size)

    def subset(self, rows: np.ndarray) -> "FrameReader":
        """Make a reader of some of the sequences."""
        return copy_with(
            self,
            rows=rows if self.rows is None else self.rows[rows],
            classes=None if self.classes is None else self.classes[rows],
            summaries=None if self.summaries is None else self.summaries[rows],
        )

    def read(self, rows: slice | np.ndarray, n_frames: int) -> FrameBlock:
        """Read some rows, what the encoder reads padded to ``n_frames`` frames."""
        classes = None if self.classes is None else self.classes[rows]
        summaries = None if self.summaries is None else self.summaries[rows]
        rows = rows if self.rows is None else self.rows[rows]
        dtype = np.float32 if self.scaling.kind is None else np.float64
        n_steps, horizon = n_frames * self.patch_size, self.horizon
        batch = self.sequences.read(rows, n_steps + (horizon or 0), dtype)
        lengths = past_lengths(batch.lengths, horizon)
        whole, statistics = self.scaling.apply(batch, None if horizon is None else lengths)
        past = whole if horizon is None else cut(whole, np.zeros_like(lengths), lengths, n_steps)
        targets, starts = {}, {}
        for name in self.tasks:
            task = TASKS[name]
            starts[name], n_target = task.span(batch.lengths, horizon)
            targets[name] = past
            if task.follows:
                # As many frames as the encoder reads, so that few shapes are computed.
                width = n_steps if horizon is None else task.width(n_steps, horizon)
                width = -(-width // self.patch_size) * self.patch_size
                targets[name] = cut(whole, starts[name], n_target, width)
        return FrameBlock(
            past, targets, starts, statistics, self.patch_size, self.may_miss, classes, summaries
        )


def cut(batch: SequenceBatch, start: np.ndarray, lengths: np.ndarray, width: int) -> SequenceBatch:
    """``lengths`` (N,) steps of each sequence from ``start`` (N,), padded to ``width`` steps."""
    inside = (np.arange(width) < lengths[:, np.newaxis])[:, :, np.newaxis]
    place = np.arange(width) + start[:, np.newaxis]  # (N, width)
    place = np.minimum(place, batch.n_timesteps - 1)[:, :, np.newaxis]
    values = np.where(inside, np.take_along_axis(batch.values, place, axis=1), np.float32(0))
    observed = batch.observed
    if observed is not None:
        observed = np.take_along_axis(observed, place, axis=1) & inside
    return SequenceBatch(values, lengths, observed)


def put(values: np.ndarray, start: np.ndarray, width: int) -> np.ndarray:
    """Where `cut` took them from: (N, any, F), (N,) -> (N, width, F), NaN before and after."""
    place = np.arange(width) - start[:, np.newaxis]  # (N, width)
    inside = ((place >= 0) & (place < values.shape[1]))[:, :, np.newaxis]
    place = np.clip(place, 0, values.shape[1] - 1)[:, :, np.newaxis]
    return np.where(inside, np.take_along_axis(values, place, axis=1), np.nan)


def round_up(n_frames: np.ndarray | int) -> np.ndarray:
    """Find the next of 1, 2, ... 16, 18, ... 32, 36, ... 64, 72, ...: at most an eighth more.

    Sequences are computed at the rounded number of frames of their own length: few different
    shapes, little waste, and what a sequence gets does not depend on others.
    """
    n_frames = np.asarray(n_frames)
    step = 2 ** np.maximum(np.ceil(np.log2(np.maximum(n_frames, 1))).astype(int) - 4, 0)
    return -(-n_frames // step) * step
