"""One rank of a fit that several processes carry out together, whoever starts them."""

from sklearn_lstmae.fitting.in_one_step import learning_aside
from sklearn_lstmae.fitting.reports import CALLBACKS
from sklearn_lstmae.training.shards import sharing
from sklearn_lstmae.transformer import LSTMAutoencoderTransformer

# Parameters of all ranks but the first, which alone reports and writes.
SILENT = {"checkpoint_dir": None, "resume": False, "verbose": 0}


# What TensorFlow raises then.
LOST = ("Aborted", "Cancelled", "DeadlineExceeded", "Internal", "Unavailable")


class LostRankError(RuntimeError):
    """A rank cannot go on, since another one has ended or cannot be reached."""


def fit_rank(estimator, X, addresses, rank):
    """Fit a transformer as one of several processes, each of which has a part of the sequences.

    `fit` starts such processes on a Dask cluster. Other launchers, such as Slurm, Ray or mpirun,
    can start the same: every process calls this function with the same estimator and addresses,
    its own number and its own part of X, and ends up with the same fitted estimator.

    Each minibatch of ``batch_size`` sequences has an equal share of those of each rank. The ranks
    add up their gradients, and so take the steps of one process. They wait for one another at
    each step: parts should be of about equal size.

    Only rank 0 writes to ``checkpoint_dir``, calls callbacks (with its part as X) and prints what
    ``verbose`` asks for. An int or None as ``random_state`` of rank 0 is the seed of all.

    Parameters
    ----------
    estimator : LSTMAutoencoderTransformer
        To fit; with ``warm_start=True`` the same fitted one in all processes.

    X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
        The sequences of this rank, at least one. X in all ranks are written alike.

    addresses : list of str
        "host:port" of each rank, in the order of their numbers. A free port each; whoever can
        reach it is trusted, so that it should not be open to other networks.

    rank : int
        Number of this process, from 0.

    Returns
    -------
    estimator : LSTMAutoencoderTransformer
        Fitted.

    Raises
    ------
    RuntimeError
        If TensorFlow was used in this process before.

    LostRankError
        If another rank ended, within seconds.

    ValueError
        As ``estimator.fit``, with numbers of sequences of this part.

    See Also
    --------
    fit : Start ranks on a Dask cluster.

    Examples
    --------
    With Slurm, ``srun --ntasks-per-node=1 python train.py``, where train.py is:

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
            f"rank={rank} has no address among the {len(addresses)} of addresses: ranks count "
            "from 0."
        )
    from sklearn_lstmae.network._tensorflow import tf
    from sklearn_lstmae.training.collectives import join_ranks

    lost = [getattr(tf.errors, f"{name}Error") for name in LOST]
    try:
        with sharing(join_ranks(tuple(addresses), rank)), learning_aside(estimator) as learner:
            if rank > 0:
                vars(learner).update(SILENT)
                for name in CALLBACKS:
                    vars(learner).pop(name, None)
            learner.fit(X)
    except tuple(lost) as error:
        raise LostRankError(
            f"Rank {rank} lost another rank, which has ended or cannot be reached. "
            f"({str(error).splitlines()[0]})"
        ) from error
    return estimator


def check_transformer(estimator):
    """Raise for what several ranks cannot fit."""
    if not isinstance(estimator, LSTMAutoencoderTransformer):
        raise TypeError(
            f"estimator is a {type(estimator).__name__}, but several ranks fit an "
            "LSTMAutoencoderTransformer: fit that one, and pass it, as a FrozenEstimator, to "
            "a detector or classifier."
        )
