"""Losses of a training step, and the targets of decoders.

Letters: B sequences, K frames, P steps a frame, F features.
"""

from sklearn_lstmae.network._tensorflow import tf
from sklearn_lstmae.network.architecture import Architecture

LOSSES = {
    "mse": tf.square,
    "mae": tf.abs,
    "huber": lambda difference: tf.where(
        tf.abs(difference) <= 1.0, 0.5 * tf.square(difference), tf.abs(difference) - 0.5
    ),
}


def in_decoder_order(architecture: Architecture, task, series, lengths):
    """Frames in the order in which a decoder outputs them. Its own inverse.

    ``series`` (B, K, ...), ``lengths`` (B,) in steps: reversed within them, or as they are.
    """
    if not architecture.reverses(task):
        return series
    return tf.reverse_sequence(series, architecture.n_frames(lengths), seq_axis=1, batch_axis=0)


def summed_loss(loss, target, output, observed):
    """Sum of the errors over the observed values; all (B, K, P * F)."""
    return tf.reduce_sum(tf.where(observed, LOSSES[loss](target - output), 0.0))


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


def summed_errors(target, output, present):
    """Mean squared error of each row (B, C), summed over (B,) present rows: scalar."""
    each = tf.reduce_mean(tf.square(target - output), 1)  # (B,)
    return tf.reduce_sum(tf.where(present, each, 0.0))


def previous_frames(frames):
    """The frame before each of (K, B, P * F), zeros before the first."""
    return tf.pad(frames[:-1], [[1, 0], [0, 0], [0, 0]])


def mix_own(true, own, share, seed):
    """Scheduled sampling in two passes: frames (K, B, P * F), some of them the decoder's own.

    The decoder first outputs all frames after the true ones; then a ``share`` of what it reads is
    replaced by its own outputs (Bengio et al. 2015, "Scheduled Sampling", in the parallel form of
    Duckworth et al. 2019), so that no frame waits for another.
    """
    uniform = tf.random.stateless_uniform(tf.shape(true[:, :, :1]), seed)
    return tf.stop_gradient(tf.where(uniform < share, own, true))
