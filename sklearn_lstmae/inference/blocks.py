"""Encoding, decoding and classifying any number of sequences, block by block, on all cores.

A row's result does not depend, to the bit, on the rows beside it: a block has a fixed number of
rows, and as many frames as the row's own length asks for.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import joblib
import numpy as np
import threadpoolctl

from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.network.forward import ForwardNetwork, block_rows
from sklearn_lstmae.sequences.frames import FrameReader, round_up
from sklearn_lstmae.sequences.scoring import loss_sums


class FittedNetwork:
    """An architecture and its weights.

    Parameters
    ----------
    architecture : Architecture
    weights : list of float32 arrays
    """

    def __init__(self, architecture: Architecture, weights):
        self.architecture = architecture
        self._network = ForwardNetwork(architecture, weights)

    def encode(self, reader: FrameReader):
        """Codes of all sequences: (N, C) float32, the statistics of a scaling appended."""

        def encode_rows(rows, n_frames):
            block = reader.read(rows, n_frames)
            codes = self._encode(block)
            return codes if block.statistics is None else np.hstack([codes, block.statistics])

        blocks = self.row_blocks(reader.n_frames)
        return _in_place(blocks, _on_all_cores(encode_rows, blocks), len(reader))

    def _encode(self, block):
        lengths = block.targets["reconstruct"].lengths
        return self._network.encode(block.frames("reconstruct"), lengths)

    def decode(self, codes, lengths, decoder="reconstruct"):
        """Scaled sequences as long as the longest: (N, C), (N,) -> (N, T, F), padding undefined."""
        architecture = self.architecture
        n_steps = int(lengths.max())

        def decode_rows(rows, n_frames):
            frames = self._network.decode(codes[rows], lengths[rows], n_frames, decoder)
            return _fit_steps(_to_steps(frames, architecture.n_features), n_steps)

        blocks = self.row_blocks(architecture.n_frames(lengths))
        return _in_place(blocks, _on_all_cores(decode_rows, blocks), len(codes))

    def row_blocks(self, n_frames):
        """Rows of the same rounded number of frames, as many at a time as a block holds.

        (N,) -> list of (rows, number of frames); rows are a slice where they are consecutive.
        """
        rounded = round_up(n_frames)
        blocks = []
        for width in np.unique(rounded):
            rows = np.flatnonzero(rounded == width)
            size = block_rows(self.architecture, int(width))
            for chosen in np.split(rows, range(size, len(rows), size)):
                first, last = int(chosen[0]), int(chosen[-1])
                consecutive = last - first == len(chosen) - 1
                blocks.append((slice(first, last + 1) if consecutive else chosen, int(width)))
        return blocks

    def map_outputs(self, reader: FrameReader, decoders, function):
        """Encode and decode all sequences and hand each block of them to a function.

        Parameters
        ----------
        reader : FrameReader
        decoders : tuple of str
            Which decoders should speak.
        function : callable (rows, block, outputs) -> result
            ``rows`` slice or indices, ``block`` FrameBlock, ``outputs`` what each decoder says in
            place of its target, (b, K * P, F) scaled. It is called from several threads.

        Returns
        -------
        list of results
        """

        def output_of(rows, n_frames):
            block = reader.read(rows, n_frames)
            codes = self._encode(block)
            outputs = {}
            for name in decoders:
                target = block.targets[name]
                n_frames = target.n_timesteps // reader.patch_size
                frames = self._network.decode(codes, target.lengths, n_frames, name)
                outputs[name] = _to_steps(frames, target.n_features)
            return function(rows, block, outputs)

        return _on_all_cores(output_of, self.row_blocks(reader.n_frames))

    def mean_losses(self, reader: FrameReader, decoders, loss, center=0.0):
        """Mean loss of each decoder over all observed values, and of saying ``center`` instead.

        ``center`` (F,) or a number, in scaled units. Returns two arrays of shape (D,).
        """

        def sums(_, block, outputs):
            return [
                [
                    loss_sums(target.values, said, target.mask, loss)
                    for said in (
                        outputs[name],
                        np.broadcast_to(np.float32(center), target.values.shape),
                    )
                ]
                for name, target in block.targets.items()
                if name in decoders
            ]

        total, count = np.moveaxis(np.sum(self.map_outputs(reader, decoders, sums), axis=0), 2, 0)
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0).T


class FittedClassifier:
    """An encoder and its head.

    Parameters
    ----------
    architecture : Architecture
        Without decoders.
    weights : list of arrays
        Those of the encoder, kernel (C, G) and bias (G,).
    """

    def __init__(self, architecture: Architecture, weights):
        *encoder, self._kernel, self._bias = weights
        self._network = FittedNetwork(architecture, encoder)

    def scores(self, reader: FrameReader):
        """Logarithms of the probabilities of classes, but for a constant: (N, G) float64."""
        return linear(self._network.encode(reader), self._kernel, self._bias)

    def judge(self, reader: FrameReader, shares):
        """Mean cross-entropy, each class counting its share (G,), and accuracy: two numbers."""
        scores, classes = self.scores(reader), reader.classes
        surprise = np.logaddexp.reduce(scores, axis=1) - scores[np.arange(len(scores)), classes]
        loss = (surprise * np.asarray(shares)[classes]).mean()
        return float(loss), float((scores.argmax(axis=1) == classes).mean())


def linear(columns, kernel, bias):
    """(N, C), (C, G), (G,) -> (N, G) float64, of which no row depends on others, to the bit.

    In a product of matrices the order of sums may depend on how many rows there are.
    """
    scores = np.tile(bias, (len(columns), 1))
    for column, weights in zip(columns.T.astype(np.float64), kernel, strict=True):
        scores += column[:, np.newaxis] * weights
    return scores


def n_threads():
    """Threads that TensorFlow or joblib's processes were told to use, or the cores there are."""
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        told = os.environ.get(name, "")
        if told.isdigit() and int(told):
            return int(told)
    return joblib.cpu_count()


@cache
def _blas():
    return threadpoolctl.ThreadpoolController().select(user_api="blas")


def _on_all_cores(function, blocks):
    """[function(*block) for block in blocks], several at a time, and of one caller at a time.

    A product that ran on several threads would have other bits, and so blocks run side by side
    instead. With most libraries the limit belongs to the process: of two callers at once the first
    to leave would lift it for the other, and so callers take turns, and ``function`` must not come
    back here. With some it belongs to the thread, which is why each sets it. It has no effect on a
    library that threadpoolctl does not know, or that another thread has taken control of.
    """
    with _turn, _one_thread():
        if len(blocks) == 1:
            return [function(*blocks[0])]
        n_workers = min(n_threads(), len(blocks))
        with ThreadPoolExecutor(n_workers, initializer=_one_thread) as threads:
            return list(threads.map(lambda block: function(*block), blocks))


def _one_thread():
    """Set the limit; as a context, lift it at the end."""
    return _blas().limit(limits=1)


_turn = threading.Lock()


def _new_turn():
    """In a forked process nobody is there to end the turn that was taken in its parent."""
    global _turn
    _turn = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_new_turn)


def _in_place(blocks, results, n_rows):
    """Results of blocks, each row where it belongs: (n_rows, ...)."""
    whole = np.empty((n_rows, *results[0].shape[1:]), np.float32)
    for (rows, _), result in zip(blocks, results, strict=True):
        whole[rows] = result
    return whole


def _to_steps(frames, n_features):
    """(b, K, P * F) -> (b, K * P, F)."""
    return frames.reshape(len(frames), -1, n_features)


def _fit_steps(steps, n_steps):
    """(b, any, F) -> (b, n_steps, F): cut, or zeros added."""
    if steps.shape[1] >= n_steps:
        return steps[:, :n_steps]
    return np.pad(steps, ((0, 0), (0, n_steps - steps.shape[1]), (0, 0)))
