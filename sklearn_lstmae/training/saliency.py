"""How codes change with what the encoder reads.

Letters: B sequences, K frames, P steps a frame, F features, C columns of the code.
"""

import numpy as np

from sklearn_lstmae.network._tensorflow import tf
from sklearn_lstmae.network.architecture import LARGEST, Architecture
from sklearn_lstmae.network.in_tensorflow import TensorFlowOperations
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.sequences.frames import FrameReader

from .compiled import compile_once, on_device
from .minibatch import frame_arrays, frame_specs, take_minibatch

# Most values of the widest array of a call, which are the gates mostly.
LARGEST_CALL = 2**23


@on_device
def mean_saliency(architecture: Architecture, weights, reader: FrameReader):
    """Mean absolute gradient of each column of the code by each scaled value.

    Parameters
    ----------
    architecture : Architecture
        Without decoders.
    weights : list of float32 arrays
    reader : FrameReader

    Returns
    -------
    saliency : ndarray of shape (C, K * P, F), float64
        The mean is over all sequences; a value that a sequence does not have changes nothing.
    """
    saliency = compile_once(("saliency", architecture), lambda: _compile(architecture))
    n_frames = int(reader.n_frames.max())
    total = np.zeros((architecture.code_width, n_frames, architecture.frame_width))
    size = rows_at_a_time(architecture, n_frames)
    for first in range(0, len(reader), size):
        block = reader.read(slice(first, first + size), n_frames)
        arrays = frame_arrays(block.frames(block.past))
        for column, changes in enumerate(total):
            changes += saliency(weights, arrays, np.int32(column)).numpy()
    steps = n_frames * architecture.patch_size
    return total.reshape(len(total), steps, architecture.n_features) / len(reader)


def rows_at_a_time(architecture, n_frames):
    """Sequences of ``n_frames`` frames in a call: few enough that memory is in no danger."""
    widest = max(architecture.frame_width, 4 * architecture.most_units)
    return int(np.clip(LARGEST_CALL // (n_frames * widest), 16, 256))


def _compile(architecture):
    """A function of weights, frames and a column -> sum over sequences (K, P * F).

    The absolute gradient is the saliency of Simonyan et al. (2014), section 3.
    """
    network = network_of(architecture)

    def saliency(weights, arrays, column):
        values, *others = arrays
        with tf.GradientTape() as tape:
            tape.watch(values)
            clipped = tf.clip_by_value(values, -LARGEST, LARGEST)
            minibatch = take_minibatch(architecture, [clipped, *others], xla=True)
            ops = TensorFlowOperations(architecture, weights)
            codes = network.encoder.encode(ops, (minibatch.inputs(),), minibatch.time_major_mask)
            chosen = tf.gather(codes, column, axis=1)  # (B,)
        # The gradient of their sum is each row's own: rows do not depend on each other.
        gradient = tf.where(minibatch.observed, tape.gradient(chosen, values), 0.0)
        return tf.reduce_sum(tf.abs(gradient), 0)

    shapes = [tf.TensorSpec(shape) for shape in network.shapes]
    signature = [shapes, frame_specs(architecture), tf.TensorSpec([], tf.int32)]
    traced = tf.function(saliency, input_signature=signature, autograph=False)
    return traced.get_concrete_function()
