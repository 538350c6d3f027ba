"""Work on any number of sequences, block by block, on all cores.

A row's result does not depend, to the bit, on the rows next to it: a block has a fixed width for
its architecture and its number of frames, products run on one thread each, and a row has as many
frames as its own length needs.

Letters: N sequences, B places of a block, b rows that fill some of them, K frames.
"""

import contextlib
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
    """[function(*block) for block in blocks], several at a time, and of one caller at a time.

    A product that ran on several threads would have other bits, and so blocks run side by side
    instead. With most libraries the limit belongs to the process: of two callers at once the first
    to leave would lift it for the other, and so callers take turns, and ``function`` must not call
    this function. With some it belongs to the thread, which is why each sets it. It has no effect
    on a library that threadpoolctl does not know, or that another thread has taken control of.
    """
    with one_thread():
        if len(blocks) == 1:
            return [function(*blocks[0])]
        n_workers = min(n_threads(), len(blocks))
        with ThreadPoolExecutor(n_workers, initializer=_one_thread) as threads:
            return list(threads.map(lambda block: function(*block), blocks))


@contextlib.contextmanager
def one_thread():
    """Context in which products run on one thread, of one caller at a time."""
    with _inference_lock, _one_thread():
        yield


@cache
def _blas():
    return threadpoolctl.ThreadpoolController().select(user_api="blas")


def _one_thread():
    """Set the limit; as a context, lift it at the end."""
    return _blas().limit(limits=1)


_inference_lock = threading.Lock()


def _renew_lock():
    """Replace the lock in a forked process.

    A lock held by another thread at the time of a fork is never released in the child.
    """
    global _inference_lock
    _inference_lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_lock)
