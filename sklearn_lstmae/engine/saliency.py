"""How codes change with what the encoder reads."""

import numpy as np

from sklearn_lstmae.sequences.frames import FrameReader

from ._tensorflow import tf
from .architecture import Architecture
from .objectives import read_frames
from .program import get_program


def mean_saliency(architecture: Architecture, weights, reader: FrameReader):
    """Mean absolute gradient of each column of the code by each scaled value.

    The absolute gradient is the saliency of Simonyan, Vedaldi and Zisserman (2014), section 3.

    Parameters
    ----------
    architecture : Architecture
    weights : list of float32 arrays
    reader : FrameReader

    Returns
    -------
    saliency : ndarray of shape (C, K * P, F), float64
        The mean is over all sequences; a value that a sequence does not have changes nothing.
    """
    program = get_program(architecture)
    weights = [tf.constant(weight) for weight in weights]
    n_frames = int(reader.n_frames.max())
    n_steps = n_frames * architecture.patch_size
    total = np.zeros((architecture.code_width, n_steps, architecture.n_features))
    size = program.block_rows(n_frames)
    for first in range(0, len(reader), size):
        block = reader.read(slice(first, first + size), n_frames)
        lengths = tf.constant(block.targets["reconstruct"].lengths, tf.int32)
        frames = tf.constant(block.frames("reconstruct"))  # (b, K, P * F)
        with tf.GradientTape(persistent=True) as tape, program.using(weights):
            tape.watch(frames)
            values, _, indicators, mask = read_frames(architecture, frames, lengths)
            inputs = tf.concat([values, indicators], -1)
            codes = program.network.encoder(inputs, mask, training=True)  # (b, C)
            columns = tf.unstack(codes, axis=1)
        # Rows do not depend on each other: the gradient of a sum over rows is each row's own.
        for column, changes in zip(columns, total, strict=True):
            gradient = tf.abs(tape.gradient(column, frames))
            changes += tf.reduce_sum(gradient, 0).numpy().reshape(changes.shape)
    return total / len(reader)
