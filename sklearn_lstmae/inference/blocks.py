"""Work on any number of sequences, block by block, on all cores.

A row's result does not depend, to the bit, on the rows next to it: a block has a fixed width for
its architecture and its number of frames, products run on one thread each, and a row has as many
frames as its own length needs.

Letters: N sequences, B places of a block, b rows that fill some of them, K frames.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import joblib
import numpy as np
import threadpoolctl

from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.sequences.frames import round_up

# Rows depend on no other place of their block, to the bit, if the remainder of its width by the
# width of a vector is 0, products run on one thread, and no row is in the first and last places:
# OpenBLAS' Haswell kernel computes these in another order than all between them. The tests pass
# with its kernels for Nehalem, Sandybridge, SkylakeX and Cooperlake, too (OPENBLAS_CORETYPE).
WIDEST, NARROWEST, MARGIN = 256, 32, 8
GATE_VALUES = 2**15  # gates of a block that the cache of a core holds
BLOCK_VALUES = 2**24  # in the memory of a layer


def block_rows(architecture: Architecture, n_frames):
    """Rows of a block of sequences of ``n_frames`` frames."""
    return block_width(architecture, n_frames) - 2 * MARGIN


def block_width(architecture: Architecture, n_frames):
    """Places of such a block, those at its edges included."""
    units = architecture.most_units
    widest = units + max(architecture.input_width, 2 * units)
    width = WIDEST
    while width > NARROWEST and (
        4 * width * units > GATE_VALUES or width * n_frames * widest > BLOCK_VALUES
    ):
        width //= 2
    return width


def places_of(n_rows):
    """Places of ``n_rows`` rows in their block."""
    return slice(MARGIN, MARGIN + n_rows)


def row_blocks(architecture: Architecture, n_frames):
    """Rows of the same rounded number of frames, as many at a time as a block holds.

    (N,) -> list of (rows, number of frames); rows are a slice where they are consecutive.
    """
    rounded = round_up(n_frames)
    blocks = []
    for width in np.unique(rounded):
        rows = np.flatnonzero(rounded == width)
        size = block_rows(architecture, int(width))
        for chosen in np.split(rows, range(size, len(rows), size)):
            first, last = int(chosen[0]), int(chosen[-1])
            consecutive = last - first == len(chosen) - 1
            blocks.append((slice(first, last + 1) if consecutive else chosen, int(width)))
    return blocks


def in_place(blocks, results, n_rows):
    """Results of blocks, each row where it belongs: (n_rows, ...)."""
    whole = np.empty((n_rows, *results[0].shape[1:]), results[0].dtype)
    for (rows, _), result in zip(blocks, results, strict=True):
        whole[rows] = result
    return whole


def n_threads():
    """Threads that TensorFlow or joblib's processes are limited to, else the number of cores."""
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        limit = os.environ.get(name, "")
        if limit.isdigit() and int(limit):
            return int(limit)
    return joblib.cpu_count()


def on_all_cores(function, blocks):
    """[function(*block) for block in blocks], several at a time, with products on one thread each.

    A product that ran on several threads would have other bits, and so blocks run side by side
    instead. Even a single block runs in a thread of its own: Python interrupts the main thread only,
    so that the limit on the products is lifted whatever happens. No lock is held meanwhile, so that
    ``function`` may read data that call this function in their turn.
    """

    def run(block):
        with _one_thread:
            return function(*block)

    with ThreadPoolExecutor(min(n_threads(), len(blocks))) as threads:
        return list(threads.map(run, blocks))


def on_one_thread(function):
    """function(), with products on one thread."""
    [result] = on_all_cores(function, [()])
    return result


@cache
def _blas():
    return threadpoolctl.ThreadpoolController().select(user_api="blas")


class _OneThread:
    """Context in which products run on one thread, for any number of threads at a time.

    With most libraries the limit belongs to the process: the first thread to enter sets it, and the
    last one to leave lifts it. With some it belongs to the thread, which is why each sets it. It has
    no effect on a library that threadpoolctl does not know, or that another thread has taken control
    of. Enter it in threads that end soon, and not in the main thread, see `on_all_cores`.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._n_inside, self._first = 0, None
        if hasattr(os, "register_at_fork"):  # not on Windows
            os.register_at_fork(
                before=self._lock.acquire,
                after_in_parent=self._lock.release,
                after_in_child=self._begin_anew,
            )

    def __enter__(self):
        with self._lock:
            limit = _blas().limit(limits=1)
            if self._n_inside == 0:
                self._first = limit
            self._n_inside += 1

    def __exit__(self, *_):
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._first.restore_original_limits()

    def _begin_anew(self):
        """In a forked process, which has none of the threads that were inside."""
        if self._n_inside:
            self._n_inside = 0
            self._first.restore_original_limits()
        self._lock.release()


_one_thread = _OneThread()
