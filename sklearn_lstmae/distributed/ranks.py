"""One rank of a fit that several processes carry out together, with any launcher."""

import contextlib
from collections.abc import Sequence
from typing import Any

from sklearn_lstmae.fitting.in_one_step import learning_aside
from sklearn_lstmae.fitting.reports import CALLBACKS
from sklearn_lstmae.training.shards import sharing
from sklearn_lstmae.transformer import LSTMAutoencoderTransformer

# Parameters of all ranks but the first, which alone reports and writes.
SILENT = {"checkpoint_dir": None, "resume": False, "verbose": 0}


# What TensorFlow raises if a rank is lost.
LOST = ("Aborted", "Cancelled", "DeadlineExceeded", "Internal", "Unavailable")


class LostRankError(RuntimeError):
    """A fit on several ranks cannot continue: one of them has ended or cannot be reached."""


def fit_rank(
    estimator: LSTMAutoencoderTransformer, X: Any, addresses: Sequence[str], rank: int
) -> LSTMAutoencoderTransformer:
    """Fit a transformer as one of several processes, each with a part of the sequences.

    `fit` starts such processes, called ranks, on a Dask cluster. Use this function with another
    launcher, such as Slurm, Ray or mpirun. Every process calls it with the same estimator and
    addresses, with its own number and with its own part of X. All processes end with the same
    fitted estimator.

    Every rank contributes equally to a minibatch of ``batch_size`` sequences. The ranks add up
    their gradients, so that each step is the one that a single process would take. They wait for
    each other at each step, so the parts should have about the same size.

    Only rank 0 writes to ``checkpoint_dir``, calls callbacks (with its part as X) and prints the
    lines of ``verbose``. The seed of all ranks is that of ``random_state`` in rank 0, if it is an
    int or None.

    Parameters
    ----------
    estimator : LSTMAutoencoderTransformer
        The transformer to fit. With ``warm_start=True``, all processes need the same fitted one.

    X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
        The sequences of this rank, at least one. All ranks need the same layout.

    addresses : list of str
        "host:port" of each rank, in the order of their numbers. The ports must be free. There is no
        authentication, so they should not be reachable from other networks.

    rank : int
        Number of this process, from 0.

    Returns
    -------
    estimator : LSTMAutoencoderTransformer
        The same object, fitted.

    Raises
    ------
    RuntimeError
        If TensorFlow has been used in this process before.

    LostRankError
        If another rank has ended. It is raised within seconds.

    ValueError
        As in ``estimator.fit``. Numbers of sequences in the message are counted in this part.

    See Also
    --------
    fit : Fit one transformer on several workers of a Dask cluster.

    Examples
    --------
    With Slurm, run ``srun --ntasks-per-node=1 python train.py``. The file train.py contains:

    >>> import os
    >>> from sklearn_lstmae import LSTMAutoencoderTransformer, save
    >>> from sklearn_lstmae.distributed import fit_rank
    >>> rank = int(os.environ["SLURM_PROCID"])  # doctest: +SKIP
    >>> hosts = ["node1", "node2"]  # of SLURM_JOB_NODELIST
    >>> X = np.load(f"part-{rank}.npy", mmap_mode="r")  # doctest: +SKIP
    >>> autoencoder = LSTMAutoencoderTransformer(random_state=0)
    >>> addresses = [f"{host}:29500" for host in hosts]
    >>> fit_rank(autoencoder, X, addresses, rank)  # doctest: +SKIP
    >>> if rank == 0:  # doctest: +SKIP
    ...     save(autoencoder, "autoencoder.lstmae")
    """
    check_transformer(estimator)
    if not 0 <= rank < len(addresses):
        raise ValueError(
            f"rank={rank} has no address: there are {len(addresses)} addresses, and ranks count "
            "from 0."
        )
    from sklearn_lstmae.network._tensorflow import reason_of, tf
    from sklearn_lstmae.training.collectives import join_ranks

    lost = tuple(getattr(tf.errors, f"{name}Error") for name in LOST)
    try:
        shards = join_ranks(tuple(addresses), rank)
        with sharing(shards), learning_aside(estimator) as learner:
            if rank > 0:
                vars(learner).update(SILENT)
                for name in CALLBACKS:
                    vars(learner).pop(name, None)
            learner.fit(X)
    except (*lost, RuntimeError) as error:
        # With a compile cache, training blames that for what TensorFlow raises.
        reason = error if isinstance(error, lost) else error.__cause__
        if not isinstance(reason, lost):
            raise
        raise LostRankError(
            f"Rank {rank} lost another rank, which has ended or cannot be reached. "
            f"({reason_of(reason)})"
        ) from reason
    # Others may still read from this process what it has sent last, so that it must not end yet.
    # Whether they can is of no interest to a rank that has all.
    with contextlib.suppress(*lost):
        shards.gather(None)
    return estimator


def check_transformer(estimator):
    """Raise for what several ranks cannot fit."""
    if not isinstance(estimator, LSTMAutoencoderTransformer):
        raise TypeError(
            f"estimator is a {type(estimator).__name__}, but several ranks fit an "
            "LSTMAutoencoderTransformer: fit that one, and pass it, as a FrozenEstimator, to "
            "a detector or classifier."
        )
