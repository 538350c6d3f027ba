"""One fit on several ranks: that of one process with as many shards. Real processes, loopback.

Each pair of ranks takes seconds to start, so that one fit has many options at once.
"""

import os
import signal
import threading
import time
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster

from helpers import assert_same, make_transformer, ragged
from sklearn_lstmae import LSTMAutoencoderDetector, distributed
from sklearn_lstmae.training.shards import Shards, sharing

N, T, F = 26, 12, 2


@pytest.fixture(scope="module")
def client():
    local = {"protocol": "tcp", "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, **local) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(N, T, F)).astype("f4")


def ranks():
    """Processes of ranks that this process has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = path.read_text().rpartition(")")[2].split()[1]
            command = path.with_name("cmdline").read_bytes()
            if int(parent) == os.getpid() and b"rank_process" in command:
                found.append(int(path.parent.name))
        except OSError:  # it has ended
            continue
    return sorted(found)


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:All 2 epochs were run:UserWarning")
def test_two_ranks_fit_what_two_shards_of_one_process_do(client, X):
    """Bit for bit: ragged, masked, with dropout, noise, two decoders, early stopping, summaries."""
    lengths = 9 + np.arange(N) % 4
    sequences = ragged(np.where(np.random.default_rng(1).random(X.shape) < 0.1, np.nan, X), lengths)
    options = {
        "missing": "mask", "dropout": 0.1, "noise": 0.1, "objective": "composite", "horizon": 2,
        "early_stopping": True, "batch_size": 8, "warm_start": True,
    }  # fmt: skip
    estimator = make_transformer(**options)
    assert distributed.fit(estimator, sequences, client=client) is estimator
    with sharing(Shards(2, range(2))):
        expected = make_transformer(**options).fit(sequences)
    assert_same(vars(estimator), vars(expected))
    assert ranks() == []


@pytest.mark.tensorflow
@pytest.mark.skipif(not Path("/proc").exists(), reason="finds processes by /proc")
def test_a_killed_rank_is_an_error_that_names_it(client, X, tmp_path):
    killed = []

    def kill():
        while not list(tmp_path.glob("*.lstmae")):
            time.sleep(0.1)
        victim = ranks()[-1]
        killed.append(time.monotonic())
        os.kill(victim, signal.SIGKILL)

    lazy = da.from_array(X, chunks=(7, 5, 1))
    estimator = make_transformer(epochs=10**5, checkpoint_dir=tmp_path, batch_size=8)
    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    with pytest.raises(RuntimeError, match=r"rank \d of 2 \(worker tcp.*was killed by SIGKILL"):
        distributed.fit(estimator, lazy, client=client)
    assert time.monotonic() - killed[0] < 60
    assert not hasattr(estimator, "weights_")
    deadline = time.monotonic() + 30
    while ranks() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert ranks() == []


# What is refused before any rank is started ----------------------------------------------


@pytest.mark.parametrize("n_ranks", [0, 3])
def test_a_rank_needs_a_worker(n_ranks, client, X):
    with pytest.raises(ValueError, match=rf"n_ranks={n_ranks} must be at least 1 and at most"):
        distributed.fit(make_transformer(), X, client=client, n_ranks=n_ranks)


@pytest.mark.parametrize("convert", [np.asarray, list, da.from_array])
def test_a_rank_needs_a_sequence(convert, client, X):
    with pytest.raises(ValueError, match="X has 1 sequences, fewer than n_ranks=2"):
        distributed.fit(make_transformer(), convert(X[:1]), client=client)


def test_a_rank_needs_a_partition(client, X):
    lazy = da.from_array(X, chunks=(N, -1, -1))
    with pytest.raises(ValueError, match="X has 1 partitions, fewer than n_ranks=2"):
        distributed.fit(make_transformer(), lazy[lazy[:, 0, 0] > 0], client=client)


def test_a_transformer_is_expected(client, X):
    with pytest.raises(TypeError, match="estimator is a LSTMAutoencoderDetector"):
        distributed.fit(LSTMAutoencoderDetector(), X, client=client)


def test_a_rank_has_an_address(X):
    with pytest.raises(ValueError, match="rank=2 has no address: there are 2"):
        distributed.fit_rank(make_transformer(), X, ["a:1", "b:1"], 2)
