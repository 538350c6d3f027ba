"""Steps <-> frames: what the network reads at once is P consecutive steps of scaled values.

Letters: N sequences, T steps, K frames, P steps a frame, F features, H steps of a horizon.
"""

from dataclasses import dataclass
from dataclasses import replace as copy_with

import numpy as np

from sklearn_lstmae.sequences.batch import SequenceBatch, Sequences
from sklearn_lstmae.sequences.scaling import Scaling


@dataclass(frozen=True)
class Horizon:
    """What a predicting decoder should say.

    Attributes
    ----------
    steps : int or None
        The last H steps, which the encoder does not see. None: the encoder sees all T steps, and
        the decoder should say steps 2 to T.
    """

    steps: int | None

    def past(self, lengths: np.ndarray) -> np.ndarray:
        """Steps that the encoder sees of sequences of these lengths: (N,) -> (N,)."""
        return lengths if self.steps is None else lengths - self.steps

    def start(self, lengths: np.ndarray) -> np.ndarray:
        """First step, from 0, that the decoder should say: (N,) -> (N,)."""
        return np.ones_like(lengths) if self.steps is None else lengths - self.steps

    def width(self, past_width: int) -> int:
        """Most steps to say of sequences of which the encoder sees at most so many."""
        return past_width if self.steps is None else self.steps


@dataclass(frozen=True, eq=False)
class FrameBlock:
    """Some sequences, ready for the network.

    Attributes
    ----------
    targets : dict of SequenceBatch
        Scaled values that each decoder should say, in whole frames: "reconstruct" what the
        encoder sees (N, K * P, F), "predict" what follows.

    starts : dict of ndarray of shape (N,)
        Step of the sequence, from 0, with which each target begins.

    statistics : ndarray of shape (N, 2 * F) or None
        Of a scaling by sequence.

    patch_size : int
        P.

    classes : ndarray of int of shape (N,) or None
        Of a classifier that learns.
    """

    targets: dict[str, SequenceBatch]
    starts: dict[str, np.ndarray]
    statistics: np.ndarray | None
    patch_size: int
    classes: np.ndarray | None = None

    def frames(self, target: str) -> np.ndarray:
        """Values of a target as (N, K, P * F): NaN where one is missing, zero in the padding."""
        batch = self.targets[target]
        values = batch.values
        if batch.observed is not None:
            missing = batch.step_mask[:, :, np.newaxis] & ~batch.observed
            values = np.where(missing, np.float32(np.nan), values)
        n_frames = batch.n_timesteps // self.patch_size
        return values.reshape(len(values), n_frames, self.patch_size * batch.n_features)


@dataclass(frozen=True, eq=False)
class FrameReader:
    """Reads rows of validated sequences as scaled frames.

    Attributes
    ----------
    sequences : Sequences
    scaling : Scaling
    patch_size : int
        P.
    horizon : Horizon or None
        Of a predicting decoder; None: there is none.
    rows : ndarray of int or None
        Which of the sequences, None for all.
    classes : ndarray of int of shape (N,) or None
        Where a classifier learns, the class of each sequence that is read, from 0. Not together
        with a horizon.
    """

    sequences: Sequences
    scaling: Scaling
    patch_size: int
    horizon: Horizon | None = None
    rows: np.ndarray | None = None
    classes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def lengths(self) -> np.ndarray:
        """Steps of each sequence: (N,)."""
        lengths = self.sequences.lengths
        return lengths if self.rows is None else lengths[self.rows]

    @property
    def n_frames(self) -> np.ndarray:
        """Frames that the encoder sees of each sequence: (N,)."""
        past = self.lengths if self.horizon is None else self.horizon.past(self.lengths)
        return -(-past // self.patch_size)

    def subset(self, rows: np.ndarray) -> "FrameReader":
        """Make a reader of some of the sequences."""
        return copy_with(
            self,
            rows=rows if self.rows is None else self.rows[rows],
            classes=None if self.classes is None else self.classes[rows],
        )

    def read(self, rows: slice | np.ndarray, n_frames: int) -> FrameBlock:
        """Read some rows, what the encoder sees padded to ``n_frames`` frames."""
        classes = None if self.classes is None else self.classes[rows]
        rows = rows if self.rows is None else self.rows[rows]
        dtype = np.float32 if self.scaling.kind is None else np.float64
        n_steps = n_frames * self.patch_size
        if self.horizon is None:
            batch = self.sequences.read(rows, n_steps, dtype)
            past, statistics = self.scaling.apply(batch)
            starts = {"reconstruct": np.zeros_like(past.lengths)}
            return FrameBlock({"reconstruct": past}, starts, statistics, self.patch_size, classes)
        batch = self.sequences.read(rows, n_steps + (self.horizon.steps or 0), dtype)
        seen = self.horizon.past(batch.lengths)
        whole, statistics = self.scaling.apply(batch, seen)
        width = -(-self.horizon.width(n_steps) // self.patch_size) * self.patch_size
        starts = {"reconstruct": np.zeros_like(seen), "predict": self.horizon.start(batch.lengths)}
        targets = {
            "reconstruct": cut(whole, starts["reconstruct"], seen, n_steps),
            "predict": cut(whole, starts["predict"], batch.lengths, width),
        }
        return FrameBlock(targets, starts, statistics, self.patch_size)


def cut(batch: SequenceBatch, start: np.ndarray, stop: np.ndarray, width: int) -> SequenceBatch:
    """Steps ``start`` to ``stop - 1`` (N,) of each sequence, padded to ``width`` steps."""
    place = np.arange(width) + start[:, np.newaxis]  # (N, width)
    inside = (place < stop[:, np.newaxis])[:, :, np.newaxis]
    place = np.minimum(place, batch.n_timesteps - 1)[:, :, np.newaxis]
    values = np.where(inside, np.take_along_axis(batch.values, place, axis=1), np.float32(0))
    observed = batch.observed
    if observed is not None:
        observed = np.take_along_axis(observed, place, axis=1) & inside
    return SequenceBatch(values, stop - start, observed)


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
