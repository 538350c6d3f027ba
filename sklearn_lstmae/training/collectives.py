"""Several processes that train together: sums and messages through TensorFlow's collectives."""

import functools
import itertools
import json
import os
import pickle

import numpy as np

from sklearn_lstmae.network._tensorflow import tf

from .compiled import on_device
from .shards import ONE_SHARD, Shards

# Any number, the same in all processes.
GROUP = 1


@functools.cache
def join_ranks(addresses: tuple, rank: int) -> Shards:
    """Wait for all ranks, and make their shards: one for each.

    Parameters
    ----------
    addresses : tuple of str
        "host:port" of each rank, the same in all of them.
    rank : int
        Number of this process among them.

    Raises
    ------
    RuntimeError
        If TensorFlow was used in this process before.
    """
    if len(addresses) == 1:
        return ONE_SHARD
    ranks = _Ranks(addresses, rank)
    return Shards(len(addresses), range(rank, rank + 1), ranks.gather, ranks.reduce)


class _Ranks:
    """What collectives of TensorFlow need. All ranks must call them in the same order."""

    def __init__(self, addresses, rank):
        task = {"type": "worker", "index": rank}
        before = os.environ.get("TF_CONFIG")
        os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
        try:
            # Made for nothing but that it starts the collectives; it stops them when it is freed.
            self._strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except RuntimeError as error:
            raise RuntimeError(
                f"This process cannot become rank {rank}, since TensorFlow has been used in it: "
                "start each rank in a fresh Python process, and fit nothing there before."
            ) from error
        finally:
            del os.environ["TF_CONFIG"]
            if before is not None:
                os.environ["TF_CONFIG"] = before
        self._size = len(addresses)
        self._keys = itertools.count(1)

    @on_device
    def reduce(self, tensor):
        """Sum over all ranks, to be traced once."""
        return tf.raw_ops.CollectiveReduceV2(
            input=tensor, merge_op="Add", final_op="Id", **self._members()
        )

    def gather(self, value):
        """Any value of each rank: list."""
        message = pickle.dumps(value, protocol=5)
        [sizes] = self._gather(np.array([len(message)])).T
        padded = np.zeros(-(-sizes.max() // 8), np.int64)
        padded.view(np.uint8)[: len(message)] = np.frombuffer(message, np.uint8)
        rows = self._gather(padded)
        return [pickle.loads(row.tobytes()[:size]) for row, size in zip(rows, sizes, strict=True)]

    @on_device
    def _gather(self, numbers):
        """(M,) int64 -> (ranks, M)."""
        gathered = tf.raw_ops.CollectiveGatherV2(input=numbers[np.newaxis], **self._members())
        return gathered.numpy()

    def _members(self):
        """Each operation has a key of its own, the same in all ranks."""
        return {
            "group_size": self._size,
            "group_key": GROUP,
            "instance_key": next(self._keys),
            "ordering_token": [],
        }
