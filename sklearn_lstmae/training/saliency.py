"""How codes change with what the encoder reads."""

import numpy as np

from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.sequences.frames import FrameReader
from sklearn_lstmae.training.program import get_program

# The widest array of a call, the gates mostly, has at most so many values.
LARGEST_CALL = 2**23


def mean_saliency(architecture: Architecture, weights, reader: FrameReader):
    """Mean absolute gradient of each column of the code by each scaled value.

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
    n_frames = int(reader.n_frames.max())
    total = np.zeros((architecture.code_width, n_frames, architecture.frame_width))
    size = rows_at_a_time(architecture, n_frames)
    for first in range(0, len(reader), size):
        block = reader.read(slice(first, first + size), n_frames)
        frames, lengths = block.frames("reconstruct"), block.targets["reconstruct"].lengths
        for column, changes in enumerate(total):
            changes += program.saliency(weights, frames, lengths, column)
    steps = n_frames * architecture.patch_size
    return total.reshape(len(total), steps, architecture.n_features) / len(reader)


def rows_at_a_time(architecture, n_frames):
    """Sequences of ``n_frames`` frames in a call: not so many that memory is in danger."""
    widest = max(architecture.frame_width, 4 * architecture.most_units)
    return int(np.clip(LARGEST_CALL // (n_frames * widest), 16, 256))
