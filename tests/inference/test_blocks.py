"""Each row stands in one block, and blocks are computed side by side on one thread each."""

import contextlib
import multiprocessing
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import threadpoolctl
from numpy.testing import assert_array_equal

from sklearn_lstmae.inference import blocks as module
from sklearn_lstmae.inference.blocks import (
    MARGIN,
    NARROWEST,
    WIDEST,
    block_rows,
    block_width,
    in_place,
    n_threads,
    on_all_cores,
    on_one_thread,
    places_of,
    row_blocks,
)

WAIT = 60  # seconds: never reached unless a thread waits for another one


@pytest.fixture(scope="module")
def architecture(make_architecture):
    return make_architecture(hidden_units=(37,), latent_dim=3)


# Rows of blocks --------------------------------------------------------------------------


@pytest.mark.parametrize("units", [1, 37, 64, 128, 1000])
def test_a_block_holds_fewer_rows_of_longer_sequences(units, make_architecture):
    architecture = make_architecture(hidden_units=(units,))
    most = [block_rows(architecture, n_frames) for n_frames in 2 ** np.arange(20)]
    assert most == sorted(most, reverse=True)
    assert NARROWEST <= block_width(most[-1]) <= block_width(most[0]) <= WIDEST


def test_wide_layers_and_long_sequences_have_narrow_blocks(make_architecture):
    small, large = (make_architecture(hidden_units=(units,)) for units in (3, 1000))
    widest, narrowest = WIDEST - 2 * MARGIN, NARROWEST - 2 * MARGIN
    assert block_rows(small, 5) == widest
    assert block_rows(large, 5) == block_rows(large, 10**7) == narrowest
    assert block_rows(make_architecture(latent_dim=1000), 5) == narrowest


@pytest.mark.parametrize("n_rows", [1, 3, 16, 17, 48, 49, 111, 112, 113, 240])
def test_a_block_is_no_wider_than_its_rows_and_edges_need(n_rows):
    """A power of two, so that the remainder by the width of a vector is zero."""
    width = block_width(n_rows)
    assert width in (32, 64, 128, 256)
    places = np.arange(width)[places_of(n_rows)]
    assert len(places) == n_rows
    assert places[0] == MARGIN
    assert places[-1] < width - MARGIN
    assert width == NARROWEST or width // 2 < n_rows + 2 * MARGIN


@pytest.mark.parametrize("block_values", [module.BLOCK_VALUES, 2000])
@pytest.mark.parametrize("n_rows", [1, 2, 40, 700])
def test_blocks_hold_each_row_once_and_are_wide_enough(
    n_rows, block_values, architecture, monkeypatch
):
    monkeypatch.setattr(module, "BLOCK_VALUES", block_values)
    n_frames = np.random.default_rng(0).integers(1, 41, size=n_rows)
    seen = np.zeros(n_rows, int)
    for rows, width in row_blocks(architecture, n_frames):
        chosen = np.arange(n_rows)[rows]
        seen[chosen] += 1
        assert 1 <= len(chosen) <= block_rows(architecture, width)
        assert (n_frames[chosen] <= width).all()
        assert (n_frames[chosen] > width - 5).all()
        assert isinstance(rows, slice) == (len(chosen) == chosen[-1] - chosen[0] + 1)
    assert_array_equal(seen, 1)


def test_rows_of_equal_length_are_read_as_slices(architecture):
    n_rows = 2 * block_rows(architecture, 8) + 1
    blocks = row_blocks(architecture, np.full(n_rows, 7))
    assert [type(rows) for rows, _ in blocks] == [slice] * 3
    assert [width for _, width in blocks] == [7] * 3


def test_results_are_put_where_their_rows_are(architecture):
    n_frames = np.random.default_rng(0).integers(1, 41, size=700)
    blocks = row_blocks(architecture, n_frames)
    numbers = np.arange(700.0)[:, np.newaxis]
    whole = in_place(blocks, [numbers[rows] for rows, _ in blocks], 700)
    assert whole.dtype == numbers.dtype
    assert_array_equal(whole, numbers)


# Threads ---------------------------------------------------------------------------------

LIMITS = {
    "TF_NUM_INTRAOP_THREADS": [("1", 1), ("3", 3), ("", None), ("0", None), ("many", None)],
    "OMP_NUM_THREADS": [("1", 1), ("3", 3), ("", None)],
}


@pytest.fixture
def unlimited(monkeypatch):
    for name in LIMITS:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("name", "limit", "expected"),
    [(name, *pair) for name, pairs in LIMITS.items() for pair in pairs],
)
@pytest.mark.usefixtures("unlimited")
def test_threads_are_as_many_as_others_are_limited_to(name, limit, expected, monkeypatch):
    monkeypatch.setenv(name, limit)
    assert n_threads() == (expected or joblib.cpu_count())


@pytest.mark.usefixtures("unlimited")
def test_the_limit_of_tensorflow_comes_first(monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "2")
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert n_threads() == 2


@pytest.mark.parametrize("n_blocks", [1, 2, 30])
def test_results_come_in_the_order_of_the_blocks(n_blocks):
    def function(rows, n_frames):
        time.sleep(0.001 * (n_frames % 3))
        return rows, n_frames

    blocks = [(slice(number), number) for number in range(n_blocks)]
    assert on_all_cores(function, blocks) == blocks


@pytest.mark.parametrize("n_blocks", [1, 3])
def test_an_error_of_the_function_is_raised(n_blocks):
    def fail(rows, n_frames):
        raise LookupError("from the function")

    with pytest.raises(LookupError, match="from the function"):
        on_all_cores(fail, [(slice(1), 1)] * n_blocks)


def blas_threads():
    return [
        library["num_threads"]
        for library in threadpoolctl.threadpool_info()
        if library["user_api"] == "blas"
    ]


@pytest.mark.parametrize("fails", [False, True], ids=["it ends well", "it fails"])
@pytest.mark.parametrize("n_blocks", [1, 5])
def test_products_run_on_one_thread_and_others_have_theirs_back(n_blocks, fails):
    inside, before = [], blas_threads()

    def function(rows, n_frames):
        inside.append(blas_threads())
        if fails:
            raise LookupError

    with contextlib.suppress(LookupError):
        on_all_cores(function, [(slice(1), 1)] * n_blocks)
    assert inside
    assert all(set(threads) <= {1} for threads in inside)
    assert blas_threads() == before


def test_callers_take_turns():
    """The first to leave would lift the limit of the others."""
    running, most = [], []

    def function(rows, n_frames):
        running.append(n_frames)
        most.append(len(set(running)))
        time.sleep(0.002)
        running.remove(n_frames)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda caller: on_all_cores(function, [(0, caller)] * 3), range(4)))
    assert set(most) == {1}


def test_what_is_read_is_what_the_function_gets():
    def read(rows, n_frames):
        return rows, n_frames, blas_threads()

    before = blas_threads()
    blocks = [(slice(number), number) for number in range(9)]
    read_blocks = on_all_cores(lambda *arguments: arguments, blocks, read)
    assert read_blocks == [(*block, before) for block in blocks]


@pytest.mark.parametrize("n_blocks", [1, 5])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["in its thread", "in another thread"])
def test_what_is_read_may_be_computed_by_another_call(elsewhere, n_blocks):
    """As of data that a fitted estimator computes when they are read."""

    def inner():
        return on_all_cores(lambda rows, n_frames: n_frames, [(0, 1)] * 3)

    def read(rows, n_frames):
        if not elsewhere:
            return [inner()]
        with ThreadPoolExecutor(1) as threads:
            return [threads.submit(inner).result(WAIT)]

    before = blas_threads()
    assert on_all_cores(sum, [(0, 0)] * n_blocks, read) == [3] * n_blocks
    assert blas_threads() == before


@pytest.fixture
def interruptible():
    """A process that was started in the background may ignore interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("n_blocks", [1, 5])
def test_an_interrupt_lifts_the_limit(n_blocks):
    """Python raises it in the main thread, which waits."""
    before = blas_threads()

    def function(rows, number):
        if number == 0:
            signal.raise_signal(signal.SIGINT)
        time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        on_all_cores(function, [(0, number) for number in range(n_blocks)])
    assert blas_threads() == before
    assert on_all_cores(lambda rows, n_frames: blas_threads(), [(0, 0)]) == [[1] * len(before)]


def report_threads(queue):
    inside = on_all_cores(lambda rows, n_frames: blas_threads(), [(0, 0)])
    queue.put((blas_threads(), inside[0]))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_process_forked_meanwhile_works_and_has_no_limit():
    before, context = blas_threads(), multiprocessing.get_context("fork")
    queue, inside, may_end = context.SimpleQueue(), threading.Event(), threading.Event()
    child = context.Process(target=report_threads, args=(queue,), daemon=True)

    def function(rows, n_frames):
        inside.set()
        assert may_end.wait(WAIT)

    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(on_all_cores, function, [(0, 0)])
        assert inside.wait(WAIT)
        child.start()
        child.join(WAIT)
        may_end.set()
        running.result(WAIT)
    assert child.exitcode == 0
    assert queue.get() == (before, [1] * len(before))
    assert blas_threads() == before


def test_one_function_runs_on_one_thread():
    before = blas_threads()
    assert on_one_thread(blas_threads) == [1] * len(before)
    with pytest.raises(LookupError, match="from the function"):
        on_one_thread(lambda: {}["from the function"])
    assert blas_threads() == before
