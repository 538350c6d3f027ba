"""Encoding and decoding of any number of sequences, block by block, on all cores.

A row's result does not depend, to the bit, on the rows beside it: a block has a fixed number of
rows, and as many frames as the row's own length asks for.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np

from sklearn_lstmae.sequences.frames import FrameReader, round_up
from sklearn_lstmae.sequences.scoring import loss_sums

from .architecture import Architecture
from .program import get_program


class FittedNetwork:
    """An architecture and its weights.

    Parameters
    ----------
    architecture : Architecture
    weights : list of float32 arrays
    """

    def __init__(self, architecture: Architecture, weights):
        self.program = get_program(architecture)
        self.weights = weights

    def encode(self, reader: FrameReader):
        """Codes of all sequences: (N, C) float32, the statistics of a scaling appended."""

        def encode_rows(rows, n_frames):
            block = reader.read(rows, n_frames)
            codes = self.program.encode(self.weights, block.frames, block.batch.lengths)
            return codes if block.statistics is None else np.hstack([codes, block.statistics])

        blocks = self.row_blocks(reader.n_frames)
        return _in_place(blocks, _on_all_cores(encode_rows, blocks), len(reader))

    def decode(self, codes, lengths):
        """Scaled sequences as long as the longest: (N, C), (N,) -> (N, T, F), padding undefined."""
        architecture = self.program.architecture
        n_steps = int(lengths.max())

        def decode_rows(rows, n_frames):
            frames = self.program.decode(self.weights, codes[rows], lengths[rows], n_frames)
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
            size = self.program.block_rows(int(width))
            for chosen in np.split(rows, range(size, len(rows), size)):
                first, last = int(chosen[0]), int(chosen[-1])
                consecutive = last - first == len(chosen) - 1
                blocks.append((slice(first, last + 1) if consecutive else chosen, int(width)))
        return blocks

    def map_reconstructions(self, reader: FrameReader, function):
        """Reconstruct all sequences and hand each block of them to a function.

        Parameters
        ----------
        reader : FrameReader
        function : callable (rows, block, output) -> result
            ``rows`` slice or indices, ``block`` FrameBlock, ``output`` (b, K * P, F), scaled. It
            is called from several threads.

        Returns
        -------
        list of results
        """

        def reconstruct_rows(rows, n_frames):
            block = reader.read(rows, n_frames)
            lengths = block.batch.lengths
            codes = self.program.encode(self.weights, block.frames, lengths)
            frames = self.program.decode(self.weights, codes, lengths, n_frames)
            return function(rows, block, _to_steps(frames, block.batch.n_features))

        return _on_all_cores(reconstruct_rows, self.row_blocks(reader.n_frames))

    def mean_losses(self, reader: FrameReader, loss, center=0.0):
        """Mean loss over all observed values of the reconstruction, and of predicting ``center``.

        ``center`` (F,) or a number, in scaled units.
        """

        def sums(_, block, output):
            values, mask = block.batch.values, block.batch.mask
            return [
                loss_sums(values, prediction, mask, loss)
                for prediction in (output, np.broadcast_to(np.float32(center), values.shape))
            ]

        total, count = np.sum(self.map_reconstructions(reader, sums), axis=0).T
        return total / count


def n_threads():
    """Threads that TensorFlow was told to use, or else the cores of this process."""
    told = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    return int(told) if told.isdigit() and int(told) else joblib.cpu_count()


def _on_all_cores(function, blocks):
    """[function(*block) for block in blocks], several at a time."""
    if len(blocks) == 1:
        return [function(*blocks[0])]
    with ThreadPoolExecutor(min(n_threads(), len(blocks))) as threads:
        return list(threads.map(lambda block: function(*block), blocks))


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
