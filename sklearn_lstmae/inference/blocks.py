"""Work on any number of sequences, block by block, on all cores.

A row's result does not depend, to the bit, on the rows next to it or on their number: a block is
wide enough that each place but those at its edges is computed in one order, products run on one
thread each, and a row has as many frames as its own length needs.

Letters: N sequences, B places of a block, b rows that fill some of them, K frames.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache, partial

import joblib
import numpy as np
import threadpoolctl

from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.sequences.frames import round_up

# Rows depend on no other place of their block, to the bit, if the remainder of its width by the
# width of a vector is 0, products run on one thread, and no row is in the first and last places:
# OpenBLAS' Haswell kernel computes these in another order than all between them. The tests pass
# with its kernels for Nehalem, Sandybridge, SkylakeX and Cooperlake, too (OPENBLAS_CORETYPE).
# The remainder is that of any power of two from NARROWEST on.
WIDEST, NARROWEST, MARGIN = 256, 32, 8
GATE_VALUES = 2**15  # gates of a block that the cache of a core holds
BLOCK_VALUES = 2**24  # in the memory of a layer


def block_rows(architecture: Architecture, n_frames):
    """Most rows of a block of sequences of ``n_frames`` frames."""
    return _most_places(architecture, n_frames) - 2 * MARGIN


def block_width(n_rows):
    """Places of a block of ``n_rows`` rows, those at its edges included: a power of two."""
    return max(NARROWEST, 1 << (n_rows + 2 * MARGIN - 1).bit_length())


def _most_places(architecture: Architecture, n_frames):
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


def on_all_cores(function, blocks, read=lambda *block: block):
    """[function(*read(*block)) for block in blocks], several at a time.

    A product that ran on several threads would have other bits, and so blocks run side by side
    instead. With most libraries the limit belongs to the process: of two callers at once the first
    to leave would lift it for the other, and so callers take turns. With some it belongs to the
    thread, which is why each sets it. It has no effect on a library that threadpoolctl does not
    know, or that another thread has taken control of.

    Only ``read``, outside of these turns, may run code of the user: data that are computed when
    they are read may call this function in any thread.
    """
    n_workers = min(n_threads(), len(blocks))
    if n_workers == 1:
        return [on_one_thread(partial(function, *read(*block))) for block in blocks]
    results = []
    with ThreadPoolExecutor(n_workers) as threads:
        for first in range(0, len(blocks), n_workers):
            part = zip(*blocks[first : first + n_workers], strict=True)
            arguments = list(threads.map(read, *part))
            results += on_one_thread(partial(_side_by_side, threads, function, arguments))
    return results


def on_one_thread(function):
    """function(), with products on one thread, of one caller at a time."""
    with _turn:
        limit = _blas().limit()  # knows what there was
        try:
            _one_thread(limit)
            return function()
        finally:
            try:
                _lift(limit)
            except BaseException:  # an interrupt
                _lift(limit)
                raise


def _side_by_side(threads, function, arguments):
    """[function(*each) for each in arguments], each in a thread that is limited, too."""

    def run(*each):
        with _setting:
            if not _in_force:  # it begins when an interrupt has ended the turn
                return None
            _one_thread()
        return function(*each)

    futures = []
    try:
        for each in arguments:
            futures.append(threads.submit(run, *each))
        return [future.result() for future in futures]
    finally:  # when nothing is computed any more, the limit may be lifted
        for future in futures:
            future.cancel()
        wait(futures)


@cache
def _blas():
    return threadpoolctl.ThreadpoolController().select(user_api="blas")


def _one_thread(limit=None):
    """Set the limit; ``limit`` is what a turn that begins has to lift."""
    with _setting:
        if limit is not None:
            _in_force.append(limit)
        _blas().limit(limits=1)


def _lift(limit):
    with _setting:
        with limit:  # at its end
            pass
        if limit in _in_force:
            _in_force.remove(limit)


def _begin_anew():
    """In a forked process, end the turn of a thread that this process does not have."""
    global _turn
    _turn = threading.RLock()
    for limit in reversed(_in_force[:]):
        _lift(limit)
    _setting.release()


# A signal handler may use a model that it interrupts in the main thread.
_turn, _setting = threading.RLock(), threading.RLock()
_in_force: list = []

if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(
        before=_setting.acquire, after_in_parent=_setting.release, after_in_child=_begin_anew
    )
