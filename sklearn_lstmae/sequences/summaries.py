"""Summaries: statistics of a sequence that do not depend on where in it a shape occurs.

They are shares of outputs above a threshold of fixed convolution kernels, the idea of MiniRocket
(Dempster, Schmidt and Webb 2021): all 84 kernels of length 9 with three weights of 2 and six of -1,
at a few dilations, with a few thresholds. Their principal components are a second target in
training.

A kernel counts where its middle reads an observed value. A missing value counts as the one observed
before it, and what lies outside of a sequence as its first or last observed value. The weights of
a kernel add up to 0, so that a constant added to a sequence changes nothing.

Letters: N sequences, b rows of a block, T steps, F features, D dilations, Q thresholds of a kernel,
S = F * D * 84 * Q shares, M outputs that thresholds are learned from, C components.
"""

import itertools
from dataclasses import dataclass
from functools import partial

import numpy as np

from sklearn_lstmae.sequences.batch import SequenceBatch
from sklearn_lstmae.sequences.frames import FrameReader
from sklearn_lstmae.sequences.tasks import past_lengths

# Which three of its nine weights are 2; the others are -1.
LENGTH = 9
KERNELS = tuple(itertools.combinations(range(LENGTH), 3))

# At most this many dilations, from 1 to a kernel as long as the longest sequence.
DILATIONS = 5

# Thresholds are these quantiles of a kernel's outputs ...
QUANTILES = (0.2, 0.5, 0.8)
# ... at about this many places, and at fewer of them where there are many features.
PLACES = 2048
PLACE_VALUES = 2**17

# Everything is learned from this many sequences at most, ...
ROWS = 512
# ... and from this many shares of sequences with many features.
SHARES = 4096

# Components of a summary. Where sequences are fewer, the last ones are zero: as many for each fold
# of a search, so that all folds share a compiled network.
COMPONENTS = 32

# Values count up to this size, so that no output leaves float32.
LARGEST = 1e18

# Values of a block: what a kernel reads and writes stays in a core's cache.
BLOCK_VALUES = 2**17


def _call(function):
    return function()


@dataclass(frozen=True, eq=False)
class Summary:
    """Which statistics are a target, learned from sequences.

    Attributes
    ----------
    dilations : ndarray of int, shape (D,)
    thresholds : float32 ndarray of shape (D, 84, Q, F)
    columns : ndarray of int, shape (S',)
        Which of the S shares are used: those that differ among sequences, and not too many.
    mean : ndarray of shape (S',)
        Of the shares that are used.
    components : ndarray of shape (S', C)
        What makes components of shares without their mean; zeros for a component that is absent.
    """

    dilations: np.ndarray
    thresholds: np.ndarray
    columns: np.ndarray
    mean: np.ndarray
    components: np.ndarray

    @property
    def n_components(self):
        """C."""
        return self.components.shape[1]

    @property
    def is_absent(self):
        """Which components are zero for all sequences: (C,)."""
        return ~self.components.any(axis=0)

    def apply(self, reader: FrameReader, run=_call):
        """Components of all sequences of a reader, as its encoder reads them: (N, C) float32.

        ``run`` calls a function that multiplies matrices, and returns what it returned.
        """
        summaries = np.empty((len(reader), self.n_components), np.float32)
        for rows, batch in _blocks(reader, np.arange(len(reader))):
            centered = self._centered(batch)
            summaries[rows] = run(partial(np.matmul, centered, self.components))
        return summaries

    def _centered(self, batch):
        """(b, S'), the mean in place of shares of features without an observed value."""
        shares = shares_of(batch, self.dilations, self.thresholds)[:, self.columns]
        return np.nan_to_num(shares - self.mean)


def learn_summary(reader: FrameReader, seed, run=_call):
    """Summary of the sequences of a reader, as their encoder reads them.

    None if they do not differ, or if all are shorter than a kernel, which would mostly read what
    lies outside of them. ``run`` is as in `Summary.apply`.
    """
    n_steps = past_lengths(reader.lengths, reader.horizon).max()
    if n_steps < LENGTH:
        return None
    generator = np.random.default_rng([seed, 2])
    rows = np.arange(len(reader))
    if len(rows) > ROWS:
        rows = np.sort(generator.choice(rows, ROWS, replace=False))
    dilations = choose_dilations(n_steps)
    thresholds = _learn_thresholds(reader, rows, dilations, generator)
    n_shares = thresholds.size
    columns = np.arange(n_shares)
    if n_shares > SHARES:
        columns = np.sort(generator.choice(columns, SHARES, replace=False))
    shares = np.concatenate(
        [shares_of(batch, dilations, thresholds)[:, columns] for _, batch in _blocks(reader, rows)]
    )  # (N', S')
    return run(partial(_reduce, dilations, thresholds, columns, shares))


def choose_dilations(n_steps):
    """Dilations for sequences of at most ``n_steps`` steps, at least 9: increasing int64."""
    most = np.log2((n_steps - 1) / (LENGTH - 1))
    return np.unique(np.logspace(0, most, DILATIONS, base=2).astype(np.int64))


def shares_of(batch: SequenceBatch, dilations, thresholds):
    """Shares of outputs above each threshold.

    Parameters
    ----------
    batch : SequenceBatch
    dilations : ndarray of int, shape (D,)
    thresholds : float32 ndarray of shape (D, 84, Q, F)

    Returns
    -------
    ndarray of shape (b, S), float32
        NaN for a feature without an observed value.
    """
    n_rows, _, n_features = batch.values.shape
    series, mask = _hold(batch), _time_major(batch.mask)  # (T, F * b)
    shares = np.empty((*thresholds.shape[:3], series.shape[1]), np.float32)  # (D, 84, Q, F * b)
    limits = np.repeat(thresholds, n_rows, axis=-1)
    is_above, is_whole = np.empty(series.shape, bool), mask.all()
    for number, dilation in enumerate(dilations):
        for kernel, outputs in enumerate(_outputs(_taps(series, dilation))):
            for quantile, limit in enumerate(limits[number, kernel]):
                np.greater(outputs, limit, out=is_above)
                if not is_whole:
                    is_above &= mask
                shares[number, kernel, quantile] = _count(is_above)
    with np.errstate(invalid="ignore"):
        shares /= mask.sum(0, dtype=np.float32)
    return shares.reshape(-1, n_features, n_rows).transpose(2, 0, 1).reshape(n_rows, -1)


def _learn_thresholds(reader, rows, dilations, generator):
    """Quantiles of outputs at random places: (D, 84, Q, F) float32."""
    n_places = min(PLACES, PLACE_VALUES // reader.sequences.n_features)
    n_places = max(1, -(-n_places // len(rows)))  # of each sequence
    uniform = generator.random((n_places, len(rows)))
    blocks = [
        _taps_at_random(batch, dilations, uniform[:, places])
        for places, batch in _blocks(reader, rows)
    ]
    taps, mask = (np.concatenate(parts, axis=-1) for parts in zip(*blocks, strict=True))
    shape = len(dilations), len(KERNELS), len(QUANTILES), reader.sequences.n_features
    thresholds = np.zeros(shape, np.float32)
    for feature, is_observed in enumerate(mask):
        for number in range(len(dilations)) if is_observed.any() else ():
            nine = taps[number, :, feature][:, is_observed]  # (9, M)
            outputs = np.stack([output.copy() for output in _outputs(nine)])  # (84, M)
            thresholds[number, :, :, feature] = np.quantile(outputs, QUANTILES, axis=1).T
    return thresholds


def _taps_at_random(batch, dilations, uniform):
    """What kernels read at places within sequences, and whether their middle is observed.

    ``uniform`` (m, b), from 0 to 1, are the places. Returns (D, 9, F, m * b), (F, m * b).
    """
    n_places, n_rows = uniform.shape
    n_features = batch.n_features
    place = np.tile((uniform * batch.lengths).astype(np.int64), n_features)  # (m, F * b)

    def take(series):
        taken = np.take_along_axis(series, place, axis=0).reshape(n_places, n_features, n_rows)
        return taken.transpose(1, 0, 2).reshape(n_features, -1)

    series = _hold(batch)
    taps = [[take(tap) for tap in _taps(series, dilation)] for dilation in dilations]
    return np.array(taps), take(_time_major(batch.mask))


def _reduce(dilations, thresholds, columns, shares):
    """Standardize shares (N', S') and find their principal components, None if there are none."""
    with np.errstate(invalid="ignore"):
        known = np.isfinite(shares)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, shares, 0).sum(0, dtype=np.float64) / count
    centered = np.where(known, shares - mean, 0.0)
    deviation = np.sqrt(np.square(centered).sum(0) / count)
    differs = deviation > 1e-6
    columns, mean, deviation = columns[differs], mean[differs], deviation[differs]
    scaled = centered[:, differs] / deviation  # (N', S'')
    scaled -= scaled.mean(0)
    # N' is at most `ROWS`, while there may be more shares.
    squares, left = np.linalg.eigh(scaled @ scaled.T)
    n_kept = min(COMPONENTS, len(shares) - 1, int((squares > 1e-9 * squares.max(initial=0)).sum()))
    if n_kept < 1 or not differs.any():
        return None
    squares, left = squares[::-1][:n_kept], left[:, ::-1][:, :n_kept]
    axes = scaled.T @ (left / np.sqrt(squares))  # (S'', C), of length 1
    size = np.sqrt(squares.sum() / COMPONENTS / len(shares))
    components = np.zeros((len(axes), COMPONENTS))
    components[:, :n_kept] = axes / size / deviation[:, np.newaxis]
    return Summary(
        dilations, thresholds, columns, mean.astype(np.float32), components.astype(np.float32)
    )


def _blocks(reader, rows):
    """Blocks of some rows, as the encoder reads them: places in ``rows``, SequenceBatch."""
    n_frames = reader.n_frames[rows]
    width = int(n_frames.max()) * reader.patch_size * reader.sequences.n_features
    size = max(1, BLOCK_VALUES // width)
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        batch = reader.read(some, int(n_frames[start : start + size].max())).past
        n_steps = batch.lengths.max()  # the last frame may be partly padding
        observed = None if batch.observed is None else batch.observed[:, :n_steps]
        batch = SequenceBatch(batch.values[:, :n_steps], batch.lengths, observed)
        yield slice(start, start + len(some)), batch


def _time_major(array):
    """(b, T, F) -> (T, F * b)."""
    n_rows, n_steps, n_features = array.shape
    return array.transpose(1, 2, 0).reshape(n_steps, n_features * n_rows)


def _hold(batch):
    """Values, where none is observed the one before, or else the first one: (T, F * b)."""
    values, mask = _time_major(batch.values), _time_major(batch.mask)
    values = np.clip(values, -LARGEST, LARGEST)
    if mask.all():
        return values
    place = np.where(mask, np.arange(len(mask))[:, np.newaxis], mask.argmax(0))
    return np.take_along_axis(values, np.maximum.accumulate(place), axis=0)


def _taps(series, dilation):
    """What adds up to the output of a kernel, three of nine: (T, n) -> (9, T, n).

    With weights of -1 and 2 the output is three times the values at the places of the 2s, minus
    the sum of all nine.
    """
    dilation = min(dilation, len(series))  # a longer one finds the same ends, in more memory
    reach = LENGTH // 2 * dilation
    longer = np.pad(series, ((reach, reach), (0, 0)), mode="edge")
    nine = np.stack([longer[place * dilation :][: len(series)] for place in range(LENGTH)])
    return 3 * nine - nine.sum(0) / 3


def _outputs(taps):
    """Output of each of the `KERNELS`, which lasts until the next one: (9, ...) -> (...)."""
    pair, output = np.empty_like(taps[0]), np.empty_like(taps[0])
    for first, second in itertools.combinations(range(LENGTH - 1), 2):
        np.add(taps[first], taps[second], out=pair)
        for third in range(second + 1, LENGTH):
            yield np.add(pair, taps[third], out=output)


def _count(is_above):
    """Number of true values of each column: (T, n) -> (n,)."""
    total = np.zeros(is_above.shape[1], np.int64)
    for start in range(0, len(is_above), 255):  # a byte holds as many
        total += np.add.reduce(is_above[start : start + 255], axis=0, dtype=np.uint8)
    return total
