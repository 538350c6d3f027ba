"""Fit one transformer on several workers of a Dask cluster."""

import copy
import itertools
import os
import pickle
import signal
import socket
import time
import uuid
import warnings
from typing import Any

from sklearn_lstmae._sklearn import num_samples, take_rows
from sklearn_lstmae.distributed.collections import divide_sequences, partition
from sklearn_lstmae.distributed.rank_process import Reply, run_in_process
from sklearn_lstmae.distributed.ranks import LostRankError, check_transformer
from sklearn_lstmae.fitting.in_one_step import learning_aside
from sklearn_lstmae.sequences.numbers import is_dask
from sklearn_lstmae.transformer import LSTMAutoencoderTransformer

# Seconds between two looks at ranks, and those that the others have to end after the first of them
# has failed: some then fail only since they lost it.
PATIENCE, GRACE = 0.2, 2.0

# Which of several failures explains the others.
MOST_TELLING = ("killed", "gone", "error", "lost", "stopped")


def fit(
    estimator: LSTMAutoencoderTransformer,
    X: Any,
    *,
    client: Any = None,
    n_ranks: int | None = None,
) -> LSTMAutoencoderTransformer:
    """Fit one transformer on several workers of a Dask cluster.

    Each worker starts a process, called a rank, that trains on a part of the sequences. Every part
    contributes equally to a minibatch of ``batch_size`` sequences. The ranks add up their gradients
    over the network, so that each step is the one that a single process would take. In each step
    they exchange a gradient as large as the network, which takes some milliseconds on a local
    network. Several workers pay off for data that do not fit on one machine, and with large
    minibatches.

    The number of workers only changes the order in which minibatches are drawn. The result
    therefore differs from that of ``estimator.fit(X)`` like the result of another seed.

    Rank 0, on the first worker, writes to ``checkpoint_dir``. To continue with ``resume=True``, for
    example after the loss of a worker, all workers that may become the first must share this
    folder. Copies of callbacks are called in rank 0, with its part as X, and the lines of
    ``verbose`` are printed there.

    Parameters
    ----------
    estimator : LSTMAutoencoderTransformer
        The transformer to fit. All parameters mean the same as in its ``fit``.

    X : array, DataFrame, list, or Dask array, DataFrame or bag
        The sequences, as in ``estimator.fit``. A block of a Dask array must contain whole
        sequences. Each item of a bag is a sequence (T_i, F). A Dask collection is never gathered:
        each worker only receives its part.

    client : distributed.Client, default=None
        Client of the cluster. If None, the current client.

    n_ranks : int, default=None
        Number of ranks, at most one per worker. If None, one per worker.

    Returns
    -------
    estimator : LSTMAutoencoderTransformer
        The same object, fitted as if in this process.

    Raises
    ------
    LostRankError
        If a rank was killed or lost. It is raised within seconds, and its message names the rank.

    ValueError
        As in ``estimator.fit``. Numbers of sequences in the message are counted in the part of one
        rank; a note names that rank. The estimator is then as it was before the call.

    See Also
    --------
    fit_rank : Fit as one of several processes, for other launchers than Dask.
    transform : Encode the sequences of a Dask collection.

    Notes
    -----
    Ranks listen on a free port without authentication. Only use them in a network that you trust,
    as with Dask itself.

    Examples
    --------
    >>> from distributed import Client, LocalCluster
    >>> from sklearn_lstmae import LSTMAutoencoderTransformer, distributed
    >>> client = Client(LocalCluster(n_workers=2))  # doctest: +SKIP
    >>> autoencoder = LSTMAutoencoderTransformer(random_state=0)
    >>> distributed.fit(autoencoder, X)  # doctest: +SKIP
    LSTMAutoencoderTransformer(random_state=0)
    """
    from distributed import Client, Event

    check_transformer(estimator)
    client = Client.current() if client is None else client
    workers = _choose_workers(client, n_ranks)
    parts = _divide(X, len(workers))
    estimator_sent = copy.copy(estimator)
    if estimator.checkpoint_dir is not None:
        estimator_sent.checkpoint_dir = os.path.abspath(estimator.checkpoint_dir)
    stop = Event(f"stop-{uuid.uuid4()}", client=client)
    try:
        futures = _start(client, workers, estimator_sent, parts, stop.name)
        replies = _wait(client, workers, futures)
    finally:
        stop.set()
    first = _judge(replies, workers)
    with learning_aside(estimator) as learner:
        for category, message in first.warnings:
            warnings.warn(message, category, stacklevel=2)
        learner.__dict__ = first.value  # and nothing of an earlier fit
    return estimator


def _choose_workers(client, n_ranks):
    """Addresses of the workers that get a rank."""
    workers = sorted(client.nthreads())
    n_ranks = len(workers) if n_ranks is None else n_ranks
    if not 1 <= n_ranks <= len(workers):
        raise ValueError(
            f"n_ranks={n_ranks} must be at least 1 and at most the number of workers, of which the "
            f"cluster has {len(workers)}: start more of them, or use fewer ranks."
        )
    return workers[:n_ranks]


def _divide(X, n_ranks):
    """A part of X for each rank."""
    if is_dask(X):
        return partition(X, n_ranks)
    bounds = divide_sequences(num_samples(X), n_ranks)
    return [take_rows(X, slice(*pair)) for pair in itertools.pairwise(bounds)]


def _start(client, workers, estimator, parts, stop):
    """A future of the reply of each rank."""
    asked = [client.submit(_free_address, workers=[each], pure=False) for each in workers]
    addresses, futures = client.gather(asked), []
    for rank, (worker, part) in enumerate(zip(workers, parts, strict=True)):
        only = {"workers": [worker], "allow_other_workers": False}
        if is_dask(part):
            part = client.compute(part, **only)
        else:
            part = client.scatter(part, workers=[worker], hash=False)
        job = estimator, part, addresses, rank
        futures.append(client.submit(_run, *job, stop, pure=False, **only))
    return futures


def _free_address():
    """A free port of a worker, as "host:port"."""
    from distributed import get_worker
    from distributed.comm import get_address_host

    host = get_address_host(get_worker().address)
    with socket.socket() as free:
        free.bind((host, 0))
        return f"{host}:{free.getsockname()[1]}"


def _run(estimator, X, addresses, rank, stop):
    """What a worker does: Reply of its rank."""
    import cloudpickle
    from distributed import Event

    event = Event(stop)
    job = cloudpickle.dumps((estimator, X, addresses, rank), protocol=pickle.HIGHEST_PROTOCOL)
    return run_in_process(job, event.is_set)


def _wait(client, workers, futures):
    """Replies of all ranks or, soon after one of them has failed, of those that have ended."""
    replies: dict[int, Reply] = {}
    deadline = None
    while len(replies) < len(futures) and (deadline is None or time.monotonic() < deadline):
        time.sleep(PATIENCE)
        alive = client.nthreads()
        for rank, (worker, future) in enumerate(zip(workers, futures, strict=True)):
            if rank in replies:
                continue
            if future.done():
                error = future.exception()
                replies[rank] = future.result() if error is None else Reply("error", error)
            elif worker not in alive:
                replies[rank] = Reply("gone")
        if deadline is None and any(reply.kind != "fitted" for reply in replies.values()):
            deadline = time.monotonic() + GRACE
    return replies


def _judge(replies, workers):
    """The reply of rank 0 if all ranks have fitted; else raise for the one that explains it."""
    failed = [pair for pair in replies.items() if pair[1].kind != "fitted"]
    if not failed:
        return replies[0]
    rank, reply = min(failed, key=lambda pair: MOST_TELLING.index(pair[1].kind))
    name = f"rank {rank} of {len(workers)} (worker {workers[rank]})"
    advice = (
        "If checkpoint_dir is set, fit with resume=True continues after the last epoch. The log of "
        "the worker may contain the reason."
    )
    if reply.kind == "gone":
        raise LostRankError(f"The worker of {name} is gone, so the fit has ended. {advice}")
    if reply.kind == "killed":
        raise LostRankError(f"The process of {name} {_death(reply.value)}. {advice}")
    if reply.kind == "stopped":
        raise LostRankError(f"The process of {name} was stopped. {advice}")
    reply.value.add_note(f"This was raised by {name}, on its part of X.")
    raise reply.value


def _death(status):
    """Words for the exit status of a process that did not reply."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
