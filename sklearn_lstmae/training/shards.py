"""Shards: how the sequences of a fit are divided, and over which processes. No TensorFlow.

Every minibatch has an equal share of each shard. A process computes the gradients of its own shards
only; the sums over all shards are those of one process that has all of them.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Any

import numpy as np

from sklearn_lstmae.sequences.batch import Sequences
from sklearn_lstmae.sequences.frames import FrameReader


def _of_one_process(value: Any) -> list:
    return [value]


@dataclass(frozen=True, eq=False)
class Shards:
    """The shards of a fit.

    Attributes
    ----------
    total : int, default=1
        Number of shards in all processes. A fit of one shard chooses by itself how minibatches are
        divided.
    here : range
        Which of them this process has: equal parts of its sequences, in their order.
    gather : callable (value) -> list
        Values of all processes, in the order of their shards.
    reduce : callable (tensor) -> tensor, or None
        Sum over all processes, within a compiled step; None in a single process.
    """

    total: int = 1
    here: range = field(default=range(1))
    gather: Callable = _of_one_process
    reduce: Callable | None = None

    def everywhere(self, values: list) -> list:
        """A value for each shard here -> one for each shard."""
        return list(chain.from_iterable(self.gather(values)))

    def decide(self, value: Any) -> Any:
        """The value of the first process."""
        return self.gather(value)[0]

    def decider(self, function: Callable | None) -> Callable | None:
        """The function of the first process, which decides what all of them return, or None."""
        if len(self.here) == self.total:
            return function
        if not self.decide(function is not None):
            return None
        return lambda *arguments: self.decide(function and function(*arguments))

    def cut(self, sequences: Sequences) -> list[Sequences]:
        """The sequences of each shard here."""
        if len(self.here) == 1:
            return [sequences]
        bounds = self._bounds(len(sequences))
        return [
            Sequences(
                sequences.source[start:stop],
                sequences.lengths[start:stop],
                sequences.layout,
                sequences.has_missing,
            )
            for start, stop in pairwise(bounds)
        ]

    def rows(self, reader: FrameReader) -> list[np.ndarray]:
        """Rows of a reader that belong to each shard here; those of the reader increase."""
        bounds = self._bounds(len(reader.sequences))
        if reader.rows is not None:
            bounds = np.searchsorted(reader.rows, bounds)
        return np.split(np.arange(len(reader)), bounds[1:-1])

    def parts(self, reader: FrameReader) -> list[FrameReader]:
        """A reader for each shard here, where that has any sequence."""
        if len(self.here) == 1:
            return [reader] if len(reader) else []
        return [reader.subset(rows) for rows in self.rows(reader) if len(rows)]

    def draw(self, reader: FrameReader, choose: Callable[[int], Any]) -> list[np.ndarray]:
        """Rows of a reader among those that are drawn from the rows of all processes.

        ``choose`` takes the number of rows in all processes and returns arrays of some of them.
        """
        counts = self.everywhere([len(part) for part in self.parts(reader)])
        first = sum(counts[: self.here.start])
        drawn = choose(sum(counts))
        return [rows[(rows >= first) & (rows < first + len(reader))] - first for rows in drawn]

    def _bounds(self, n_sequences: int) -> np.ndarray:
        return split_evenly(n_sequences, len(self.here))


def split_evenly(n_rows: int, n_parts: int) -> np.ndarray:
    """Where parts of rows, as equal as can be, begin and end: increasing, (n_parts + 1,)."""
    return np.arange(n_parts + 1) * n_rows // n_parts


ONE_SHARD = Shards()

_current: ContextVar[Shards] = ContextVar("shards", default=ONE_SHARD)


def current_shards() -> Shards:
    """The shards of a fit that begins now."""
    return _current.get()


@contextlib.contextmanager
def sharing(shards: Shards) -> Iterator[None]:
    """Let a transformer that is fitted within have these shards.

    They are no argument of ``fit``, since what a process is part of is the same for all that it
    fits.
    """
    token = _current.set(shards)
    try:
        yield
    finally:
        _current.reset(token)
