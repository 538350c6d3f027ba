"""What a network reads in a step of training: frames, masks, noise, dropout.

Letters: M sequences in memory, B sequences, K frames, P steps a frame, F features, I indicators of
a frame.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_lstmae.network._tensorflow import tf
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.network.in_tensorflow import TensorFlowOperations

EPSILON = np.finfo(np.float32).eps

# Number of a seed, see `steps.Shard`.
NOISE = 63


def frame_specs(architecture: Architecture):
    """Specifications of the arrays that `frame_arrays` makes."""
    width = architecture.frame_width
    return [
        tf.TensorSpec([None, None, width]),
        tf.TensorSpec([None, None, architecture.input_width - width], tf.bool),
        tf.TensorSpec([None], tf.int32),
    ]


def frame_arrays(frames):
    """`sequences.frames.Frames` -> values (M, K, P * F), indicators (M, K, I), lengths (M,)."""
    return [frames.values, frames.indicators, frames.lengths.astype(np.int32)]


@dataclass(frozen=True)
class Minibatch:
    """Frames of B sequences.

    Attributes
    ----------
    values : tensor of shape (B, K, P * F)
    indicators : bool tensor of shape (B, K, I)
    lengths : int32 tensor of shape (B,)
        In steps; 0 for a sequence that is absent.
    mask : bool tensor of shape (B, K)
        Frames that hold a real step.
    observed : bool tensor of shape (B, K, P * F)
        Values that count.
    n_frames : int32 scalar tensor or None
        Frames to compute, None for all K.
    """

    values: Any
    indicators: Any
    lengths: Any
    mask: Any
    observed: Any
    n_frames: Any

    def inputs(self, noise=None):
        """What the encoder reads, with noise (B, K, P * F) added or not: (K, B, P * F + I)."""
        values = self.values if noise is None else self.values + tf.where(self.observed, noise, 0.0)
        inputs = tf.concat([values, tf.cast(self.indicators, tf.float32)], -1)
        return tf.transpose(inputs, [1, 0, 2])

    @property
    def time_major_mask(self):
        """(K, B, 1)."""
        return tf.transpose(self.mask)[:, :, tf.newaxis]


def take_minibatch(architecture: Architecture, arrays, xla):
    """Some rows of `frame_arrays` as a Minibatch, without frames that none of them has.

    XLA compiles one shape, in which the loops end early; the plain graph takes any shape.
    """
    values, indicators, lengths = arrays
    n_frames = tf.maximum(architecture.n_frames(tf.reduce_max(lengths)), 1)
    if not xla:
        values, indicators, n_frames = values[:, :n_frames], indicators[:, :n_frames], None
    frame = tf.range(tf.shape(values)[1])
    mask = frame < architecture.n_frames(lengths)[:, tf.newaxis]
    observed = indicators
    if not architecture.tells_missing:
        real = indicators if architecture.patch_size > 1 else mask[:, :, tf.newaxis]
        observed = tf.repeat(real, architecture.n_features, axis=2)
    return Minibatch(values, indicators, lengths, mask, observed, n_frames)


def count_observed(architecture: Architecture, indicators, lengths):
    """Number of observed values of sequences of (B,) steps."""
    if architecture.tells_missing:
        return tf.reduce_sum(tf.cast(indicators, tf.float32))
    return tf.cast(tf.reduce_sum(lengths), tf.float32) * float(architecture.n_features)


def make_drop(rate, seed):
    """Dropout that draws one mask for all frames, as Keras' LSTM does, from an explicit seed.

    Parameters
    ----------
    rate : float32 scalar tensor
    seed : int32 tensor of shape (2,)

    Returns
    -------
    function of a tensor (K, B, D) or (B, D)
    """
    site = itertools.count()

    def drop(inputs):
        uniform = tf.random.stateless_uniform(
            tf.shape(inputs)[-2:], [seed[0] + next(site), seed[1]]
        )
        kept = tf.maximum(1.0 - rate, EPSILON)  # not 0, whose gradient would be NaN
        return tf.where(uniform >= rate, inputs / kept, 0.0)

    return drop


def read_in_training(architecture, weights, arrays, shard):
    """Operations of an encoder in training, the series that it reads, and their mask.

    Parameters
    ----------
    architecture : Architecture
    weights : list of tensors
    arrays : tensors
        Rows of what `frame_arrays` made.
    shard : steps.Shard
        Dropout and noise.
    """
    minibatch = take_minibatch(architecture, arrays, shard.xla)
    noise = None
    if shard.noise is not None:
        shape = tf.shape(minibatch.values)
        noise = tf.random.stateless_normal(shape, shard.seed(NOISE), stddev=shard.noise)
    ops = TensorFlowOperations(architecture, weights, n_frames=minibatch.n_frames, drop=shard.drop)
    return ops, (minibatch.inputs(noise),), minibatch.time_major_mask
