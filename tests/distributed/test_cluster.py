"""One fit on several ranks: that of one process with as many shards. Real processes, loopback.

Each pair of ranks takes seconds to start, so that one fit has many options at once.
"""

import os
import re
import signal
import sys
import time

import dask.array as da
import numpy as np
import pandas as pd
import psutil
import pytest
from distributed import Client, LocalCluster

from helpers import assert_same, make_transformer, ragged
from sklearn_lstmae import LSTMAutoencoderDetector, distributed
from sklearn_lstmae.distributed.cluster import MOST_TELLING, _judge
from sklearn_lstmae.distributed.rank_process import Reply, run_in_process
from sklearn_lstmae.distributed.ranks import LostRankError
from sklearn_lstmae.fitting.in_one_step import fitted_attributes
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


def ranks(parent):
    """Processes of ranks that a process has started."""
    children = psutil.Process(parent).children()
    return [each.pid for each in children if "rank_process" in " ".join(each.cmdline())]


@pytest.fixture
def watcher(tmp_path):
    """A callback that notes epochs in a file, and once kills the other rank after the second."""
    pytest.importorskip("sklearn.callback", reason="callbacks are new in scikit-learn 1.9")

    class Watcher:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...
        def on_fit_task_end(self, estimator, context, *, X):
            if context.task_name != "epoch":
                return
            epoch = context.task_id + 1
            with open(tmp_path / "epochs", "a") as file:
                print(epoch, len(X), file=file)
            if epoch == 2 and not (tmp_path / "killed").exists():
                [other] = set(ranks(os.getppid())) - {os.getpid()}
                os.kill(other, signal.SIGKILL)
                (tmp_path / "killed").write_text(str(time.time()))

    return Watcher()


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:The fit is no better")
def test_a_fit_that_loses_a_rank_is_resumed_to_the_bits_of_one_process(
    client, X, watcher, tmp_path, capfd
):
    """Ragged, masked, with dropout, noise, two decoders, early stopping and summaries.

    Rank 0 alone calls back, prints, and writes checkpoints.
    """
    lengths = 9 + np.arange(N) % 4
    sequences = ragged(np.where(np.random.default_rng(1).random(X.shape) < 0.1, np.nan, X), lengths)
    options = {
        "missing": "mask", "dropout": 0.1, "noise": 0.1, "objective": "composite", "horizon": 2,
        "early_stopping": True, "patience": 2, "epochs": 12, "learning_rate": 0.3, "batch_size": 1,
        "warm_start": True,
    }  # fmt: skip
    files = {"checkpoint_dir": tmp_path / "checkpoints", "resume": True, "verbose": 2}
    estimator = make_transformer(**options, **files).set_callbacks(watcher)
    with pytest.raises(LostRankError, match=r"rank 1 of 2 \(worker tcp.* was killed by SIGKILL"):
        distributed.fit(estimator, sequences, client=client)
    assert time.time() - float((tmp_path / "killed").read_text()) < 60
    assert not hasattr(estimator, "weights_")
    assert ranks(os.getpid()) == []
    assert len(list((tmp_path / "checkpoints").glob("*.lstmae"))) == 2

    assert distributed.fit(estimator, sequences, client=client) is estimator
    assert ranks(os.getpid()) == []
    with sharing(Shards(2, range(2))):
        expected = make_transformer(**options).fit(sequences)
    assert_same(fitted_attributes(estimator), fitted_attributes(expected))
    assert expected.n_epochs_ < expected.epochs
    epochs = [1, 2, *range(2, expected.n_epochs_ + 1)]  # what is resumed reports its last epoch
    assert (tmp_path / "epochs").read_text().splitlines() == [f"{each} 13" for each in epochs]
    printed = re.findall(r"^epoch (\d+)/12: loss", capfd.readouterr().err, re.MULTILINE)
    assert printed == [str(each) for each in epochs]


@pytest.mark.tensorflow
def test_calls_of_a_fit_may_have_different_numbers_of_steps(client, X):
    """Without callbacks many epochs are one call, and the last call has fewer of them."""
    from sklearn_lstmae.training.loop import STEPS_A_CALL

    options = {"epochs": 100, "batch_size": 2}
    assert options["epochs"] % (STEPS_A_CALL // (N // 2))
    before = make_transformer(epochs=1).fit(pd.DataFrame(X[:, :, 0], columns=list("abcdefghijkl")))
    got = distributed.fit(before.set_params(**options), X, client=client)
    with sharing(Shards(2, range(2))):
        expected = make_transformer(**options).fit(X)
    assert_same(fitted_attributes(got), fitted_attributes(expected))  # no names of columns


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (
            Reply("killed", -9),
            r"process of rank 1 of 2 \(worker b\) was killed by SIGKILL\. If checkpoint_dir",
        ),
        (Reply("killed", -99), "was killed by signal 99"),
        (Reply("killed", 3), "ended with status 3"),
        (Reply("gone"), r"The worker of rank 1 of 2 \(worker b\) is gone, so the fit has ended"),
        (Reply("stopped"), "The process of rank 1 .* was stopped"),
        (Reply("lost", LostRankError("Rank 1 lost another rank")), "^Rank 1 lost another rank"),
    ],
    ids=["signal", "unknown signal", "status", "gone", "stopped", "lost"],
)
def test_the_rank_that_ended_first_is_named(reply, expected):
    """That others lost it explains less, and that they were stopped then explains nothing."""
    with pytest.raises(LostRankError, match=expected):
        _judge({1: reply}, ["a", "b"])
    less_telling = MOST_TELLING[MOST_TELLING.index(reply.kind) + 1 :]
    for kind in less_telling:
        other = Reply(kind, LostRankError("Rank 0 lost another rank"))
        with pytest.raises(LostRankError, match=expected):
            _judge({0: other, 1: reply}, ["a", "b"])


def test_an_error_of_a_rank_has_a_note_that_names_it():
    replies = {0: Reply("lost", LostRankError("lost")), 1: Reply("error", ValueError("wrong"))}
    with pytest.raises(ValueError, match="wrong") as caught:
        _judge(replies, ["a", "b"])
    assert caught.value.__notes__ == [
        "This was raised by rank 1 of 2 (worker b), on its part of X."
    ]


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


@pytest.mark.parametrize("ends", ["in the fit", "after it"])
@pytest.mark.filterwarnings("ignore:All 2 epochs were run")
def test_a_rank_waits_for_others_after_the_fit_but_needs_them_no_more(ends, X, monkeypatch):
    """Else those that still read what it has sent last would lose it."""
    from sklearn_lstmae.network._tensorflow import tf
    from sklearn_lstmae.training import collectives

    sent = []

    def gather(value):
        sent.append(value)
        if value is None or ends == "in the fit":
            raise tf.errors.UnavailableError(None, None, "Socket closed")
        return [value]

    monkeypatch.setattr(collectives, "join_ranks", lambda *_: Shards(gather=gather))
    estimator = make_transformer()
    if ends == "in the fit":
        with pytest.raises(LostRankError, match=r"Rank 0 lost another rank.*\(Socket closed\)"):
            distributed.fit_rank(estimator, X, ["a:1"], 0)
        return
    distributed.fit_rank(estimator, X, ["a:1"], 0)
    assert hasattr(estimator, "weights_")
    assert [value for value in sent if value is None] == sent[-1:]


def test_a_rank_that_is_lost_in_training_is_not_taken_for_a_damaged_cache(X, monkeypatch):
    from sklearn_lstmae.network._tensorflow import tf
    from sklearn_lstmae.training import collectives, loop

    error = tf.errors.UnavailableError(None, None, "Socket closed")

    def fail(*_):
        raise error

    monkeypatch.setenv("SKLEARN_LSTMAE_CACHE", "/a/cache")
    monkeypatch.setattr(collectives, "join_ranks", lambda *_: Shards())
    monkeypatch.setattr(loop.Run, "advance", fail)
    with pytest.raises(LostRankError, match=r"Rank 0 lost another rank.*\(Socket closed\)"):
        distributed.fit_rank(make_transformer(), X, ["a:1"], 0)
    error = tf.errors.OutOfRangeError(None, None, "Read less bytes than requested")
    with pytest.raises(RuntimeError, match="SKLEARN_LSTMAE_CACHE='/a/cache' is damaged"):
        distributed.fit_rank(make_transformer(), X, ["a:1"], 0)


def test_a_rank_that_is_killed_while_it_replies_was_killed(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nprintf '\\200\\005\\225'\nkill -9 $$\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    assert run_in_process(b"", lambda: False) == Reply("killed", -signal.SIGKILL)
