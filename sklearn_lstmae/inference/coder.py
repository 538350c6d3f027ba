"""Encode, decode and classify any number of sequences with given weights.

Letters: N sequences, b rows of a block, T steps, K frames, P steps a frame, F features, C columns
of the code, G classes.
"""

import numpy as np

from sklearn_lstmae.network.architecture import LARGEST, Architecture
from sklearn_lstmae.network.in_numpy import NumpyOperations
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.sequences.frames import FrameReader, Frames
from sklearn_lstmae.sequences.scoring import loss_sums

from .blocks import block_width, in_place, on_all_cores, places_of, row_blocks


class Coder:
    """A network with weights.

    Parameters
    ----------
    architecture : Architecture
    weights : list of float32 arrays
        In the order of `wiring.Network.shapes`.
    """

    def __init__(self, architecture: Architecture, weights):
        self.architecture = architecture
        self._network = network_of(architecture)
        self._operations = NumpyOperations(architecture, weights)

    def encode(self, reader: FrameReader, append_states=False, dtype=np.float32):
        """Codes of all sequences: (N, C).

        The statistics of a scaling are appended, then, if asked for, those of the states. float64
        keeps all digits of the means among the statistics.
        """

        def encode_rows(block):
            code, *states = self.encode_block(block.frames(block.past), append_states)
            scaling = [] if block.statistics is None else [block.statistics]
            return np.hstack([code, *scaling, *states], dtype=dtype)

        def read(rows, n_frames):
            return [reader.read(rows, n_frames)]

        blocks = row_blocks(self.architecture, reader.n_frames)
        return in_place(blocks, _on_blocks(encode_rows, blocks, reader, read), len(reader))

    def decode(self, codes, lengths, task="reconstruct"):
        """Scaled sequences as long as the longest: (N, C), (N,) -> (N, T, F), padding undefined."""
        n_steps = int(lengths.max())

        def decode_rows(rows, n_frames):
            frames = self.decode_block(codes[rows], lengths[rows], n_frames, task)
            return _fit_steps(_to_steps(frames, self.architecture.n_features), n_steps)

        blocks = row_blocks(self.architecture, self.architecture.n_frames(lengths))
        return in_place(blocks, on_all_cores(decode_rows, blocks), len(codes))

    def map_outputs(self, reader: FrameReader, function):
        """Encode and decode all sequences and pass each block of them to a function.

        Parameters
        ----------
        reader : FrameReader
            Its ``tasks`` are those to decode.
        function : callable (rows, block, outputs) -> result
            ``rows`` slice or indices, ``block`` FrameBlock, ``outputs`` what each decoder outputs
            in place of its target, (b, K * P, F) scaled. It is called from several threads.

        Returns
        -------
        list of results
        """

        def read(rows, n_frames):
            return rows, reader.read(rows, n_frames)

        def output_of(rows, block):
            [codes] = self.encode_block(block.frames(block.past))
            outputs = {}
            for task, target in block.targets.items():
                n_frames = target.n_timesteps // reader.patch_size
                frames = self.decode_block(codes, target.lengths, n_frames, task)
                outputs[task] = _to_steps(frames, target.n_features)
            return function(rows, block, outputs)

        blocks = row_blocks(self.architecture, reader.n_frames)
        return _on_blocks(output_of, blocks, reader, read)

    def mean_losses(self, reader: FrameReader, loss, center=0.0):
        """Mean loss of each task over all observed values, and that of ``center`` as the output.

        ``center`` (F,) or a number, in scaled units. Returns two arrays, a number for each of the
        reader's tasks.
        """
        return means_of(self.summed_losses(reader, loss, center))

    def summed_losses(self, reader: FrameReader, loss, center=0.0):
        """Sums that `means_of` makes `mean_losses` of: those of several readers add up."""

        def sums(_, block, outputs):
            return [
                [
                    loss_sums(target.values, output, target.mask, loss)
                    for output in (
                        outputs[task],
                        np.broadcast_to(np.float32(center), target.values.shape),
                    )
                ]
                for task, target in block.targets.items()
            ]

        return np.sum(self.map_outputs(reader, sums), axis=0)  # (tasks, 2, 2)

    def encode_block(self, frames: Frames, append_states=False):
        """Codes (b, C) of at most `blocks.block_rows` sequences and, if asked for, their states."""
        n_rows, n_frames = frames.values.shape[:2]
        width, places = block_width(n_rows), places_of(n_rows)
        values, indicators = (
            np.zeros((n_frames, array.shape[2], width), array.dtype)
            for array in (frames.values, frames.indicators)
        )
        np.clip(frames.values.transpose(1, 2, 0), -LARGEST, LARGEST, out=values[:, :, places])
        indicators[:, :, places] = frames.indicators.transpose(1, 2, 0)
        ends = np.full(width, n_frames)
        ends[places] = self.architecture.n_frames(frames.lengths)
        mask = None if (ends == n_frames).all() else np.arange(n_frames)[:, np.newaxis] < ends
        with np.errstate(all="ignore"):
            parts = self._network.encoder.encode_parts(
                self._operations, (values, indicators), mask, append_states
            )
        return [np.ascontiguousarray(part[:, places].T) for part in parts]

    def decode_block(self, codes, lengths, n_frames, task="reconstruct"):
        """Frames of at most `blocks.block_rows` codes in the order of time: (b, K, P * F)."""
        width, places = block_width(len(codes)), places_of(len(codes))
        block = np.zeros((codes.shape[1], width), np.float32)
        block[:, places] = codes.T
        decoder = self._network.decoders[task]
        with np.errstate(all="ignore"):
            series = decoder.decode(self._operations, block, n_frames)  # (K, P * F, B)
        frames = np.ascontiguousarray(series[:, :, places].transpose(2, 0, 1))
        if not self.architecture.reverses(task):
            return frames
        place = np.arange(n_frames)
        last = self.architecture.n_frames(lengths)[:, np.newaxis] - 1  # (b, 1)
        place = np.where(place <= last, last - place, place)  # (b, K)
        place += n_frames * np.arange(len(codes))[:, np.newaxis]
        return frames.reshape(-1, frames.shape[2])[place]


def means_of(sums):
    """Mean losses of what `Coder.summed_losses` returned: two arrays, a number for each task."""
    total, count = np.moveaxis(sums, 2, 0)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0).T


class ClassScores:
    """An encoder and the head of a classifier.

    Parameters
    ----------
    architecture : Architecture
        Without decoders.
    weights : list of arrays
        Those of the encoder, kernel (C, G) and bias (G,).
    reads_states : bool
        Whether the statistics of the states are among the C columns.
    """

    def __init__(self, architecture: Architecture, weights, reads_states=False):
        *encoder, self._kernel, self._bias = weights
        self._coder, self._reads_states = Coder(architecture, encoder), reads_states

    def scores(self, reader: FrameReader):
        """Logarithms of the probabilities of classes, up to a constant: (N, G) float64."""
        columns = self._coder.encode(reader, self._reads_states)
        return linear(columns, self._kernel, self._bias)

    def judge(self, reader: FrameReader, shares):
        """Mean cross-entropy, each class weighted by its share (G,), and accuracy: two numbers."""
        scores, classes = self.scores(reader), reader.classes
        surprise = np.logaddexp.reduce(scores, axis=1) - scores[np.arange(len(scores)), classes]
        loss = (surprise * np.asarray(shares)[classes]).mean()
        return float(loss), float((scores.argmax(axis=1) == classes).mean())


def _on_blocks(function, blocks, reader, read):
    """`on_all_cores`, but a store is read in the order of its rows, whatever lengths they have."""
    if not reader.sequences.is_stored:
        return on_all_cores(function, blocks, read)
    order = np.argsort([rows.start if isinstance(rows, slice) else rows[0] for rows, _ in blocks])
    results = on_all_cores(function, [blocks[number] for number in order], read)
    return [results[place] for place in np.argsort(order)]


def linear(columns, kernel, bias):
    """(N, C), (C, G), (G,) -> (N, G) float64, where no row depends on others, to the bit.

    In a product of matrices the order of sums may depend on the number of rows.
    """
    scores = np.tile(bias, (len(columns), 1))
    for column, weights in zip(columns.T.astype(np.float64), kernel, strict=True):
        scores += column[:, np.newaxis] * weights
    return scores


def _to_steps(frames, n_features):
    """(b, K, P * F) -> (b, K * P, F)."""
    return frames.reshape(len(frames), -1, n_features)


def _fit_steps(steps, n_steps):
    """(b, any, F) -> (b, n_steps, F): cut, or zeros added."""
    if steps.shape[1] >= n_steps:
        return steps[:, :n_steps]
    return np.pad(steps, ((0, 0), (0, n_steps - steps.shape[1]), (0, 0)))
