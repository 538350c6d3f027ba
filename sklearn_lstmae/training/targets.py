"""What a network is trained for: targets, noise, and the loss over observed values.

Letters: B sequences, K frames, P steps a frame, F features.
"""

import itertools

from sklearn_lstmae.network._tensorflow import tf
from sklearn_lstmae.network.architecture import Architecture

LOSSES = {
    "mse": tf.square,
    "mae": tf.abs,
    "huber": lambda difference: tf.where(
        tf.abs(difference) <= 1.0, 0.5 * tf.square(difference), tf.abs(difference) - 0.5
    ),
}


def read_frames(architecture: Architecture, frames, lengths):
    """What the network reads, and what is observed.

    Parameters
    ----------
    frames : tensor of shape (B, K, P * F)
        Scaled values, zero in the padding, NaN where a value is missing.
    lengths : int32 tensor of shape (B,)
        Steps of each sequence.

    Returns
    -------
    values (B, K, P * F) without NaN, observed (B, K, P * F) bool, indicators (B, K, *) beside
    the values in the encoder's input, mask (B, K) bool of the frames that hold a step
    """
    patch, features = architecture.patch_size, architecture.n_features
    n_frames = tf.shape(frames)[1]
    step = tf.reshape(tf.range(n_frames * patch), [1, n_frames, patch])
    real = step < lengths[:, tf.newaxis, tf.newaxis]  # (B, K, P)
    observed = tf.repeat(real, features, axis=2) if features > 1 else real
    indicators = tf.cast(real, tf.float32)
    if architecture.tells_missing:
        observed &= tf.equal(frames, frames)
        indicators = tf.cast(observed, tf.float32)
    elif patch == 1:
        indicators = indicators[:, :, :0]
    values = tf.where(observed, frames, 0.0)
    return values, observed, indicators, real[:, :, 0]


def in_decoder_order(architecture: Architecture, decoder, sequence, lengths):
    """Frames as a decoder says them: reversed within their own length, or as they are.

    Its own inverse. ``sequence`` (B, K, ...), ``lengths`` (B,) in steps.
    """
    if not architecture.says_backwards(decoder):
        return sequence
    return tf.reverse_sequence(sequence, architecture.n_frames(lengths), seq_axis=1, batch_axis=0)


def make_drop(rate, seed):
    """Dropout that draws one mask for all steps, as Keras' LSTM does, from an explicit seed.

    Parameters
    ----------
    rate : float
    seed : int32 tensor of shape (2,)

    Returns
    -------
    function of a tensor (B, K, D) or (B, D)
    """
    site = itertools.count()

    def drop(inputs):
        if rate == 0.0:
            return inputs
        shape = tf.shape(inputs)
        shape = [shape[0], 1, shape[2]] if inputs.shape.rank == 3 else shape
        uniform = tf.random.stateless_uniform(shape, [seed[0] + next(site), seed[1]])
        return tf.where(uniform >= rate, inputs / (1.0 - rate), 0.0)

    return drop


def add_noise(values, observed, deviation, seed):
    """Gaussian noise on observed values; ``values`` and ``observed`` (B, K, P * F)."""
    if deviation == 0.0:
        return values
    noise = tf.random.stateless_normal(tf.shape(values), seed, stddev=deviation)
    return values + tf.where(observed, noise, 0.0)


def summed_loss(loss, target, output, observed):
    """Sum of the errors over the observed values; all (B, K, P * F)."""
    return tf.reduce_sum(tf.where(observed, LOSSES[loss](target - output), 0.0))


def count_observed(architecture: Architecture, frames, lengths):
    """Number of observed values in frames (B, K, P * F) of (B,) steps."""
    if architecture.tells_missing:
        _, observed, _, _ = read_frames(architecture, frames, lengths)
        return tf.reduce_sum(tf.cast(observed, tf.float32))
    return tf.cast(tf.reduce_sum(lengths) * architecture.n_features, tf.float32)


def sample_code(mean, log_variance, seed):
    """A code of the encoder's normal distribution, (B, L): Kingma and Welling 2014, section 2.4."""
    return mean + tf.exp(0.5 * log_variance) * tf.random.stateless_normal(tf.shape(mean), seed)


def summed_divergence(mean, log_variance, present):
    """Kullback-Leibler divergence from the standard normal, summed over present rows.

    (Kingma and Welling 2014, appendix B.) (B, L), (B, L), (B,) bool -> scalar, in nats.
    """
    variance = tf.exp(log_variance)
    each = 0.5 * tf.reduce_sum(tf.square(mean) + variance - 1.0 - log_variance, 1)  # (B,)
    return tf.reduce_sum(tf.where(present, each, 0.0))


def previous_frames(frames):
    """(B, K, P * F) -> the frame before each, zeros before the first."""
    return tf.pad(frames[:, :-1], [[0, 0], [1, 0], [0, 0]])


def mix_own(true, own, share, seed):
    """Scheduled sampling in two passes: frames (B, K, P * F), some of them the decoder's own.

    The decoder first says all frames after the true ones; then a ``share`` of what it reads is
    replaced by what it said (Bengio et al. 2015, "Scheduled Sampling", in the parallel form of
    Duckworth et al. 2019), so that no step waits for another.
    """
    uniform = tf.random.stateless_uniform(tf.shape(true[:, :, :1]), seed)
    return tf.stop_gradient(tf.where(uniform < share, own, true))
