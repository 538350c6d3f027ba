"""A network in TensorFlow, with the fast LSTM: what trains.

Inside, all series are time-major. Letters: B sequences, K frames, D columns of whatever, U units. A
vector is (B, D), a series (K, B, D), a mask (K, B, 1) bool, or None for an LSTM alone.
"""

import math

import numpy as np

from ._tensorflow import tf
from .architecture import FREQUENCIES, Architecture
from .lstm import Recurrence, hold
from .wiring import LEAST_VARIANCE, TIMES, Operations, Read, first_given, network_of


def _mean(values, mask):
    """(K, B, D), (K, B, 1) -> (B, D)."""
    weight = tf.cast(mask, tf.float32)
    return tf.reduce_sum(values * weight, 0) / tf.maximum(tf.reduce_sum(weight, 0), 1.0)


def _maximum(values, mask):
    """(K, B, D), (K, B, 1) -> (B, D), 0 for a sequence that is absent.

    Frames that share the maximum share its gradient equally.
    """
    maximum = tf.reduce_max(tf.where(mask, values, values.dtype.min), 0)
    return tf.where(tf.reduce_any(mask, 0), maximum, 0.0)


def _minimum(values, mask):
    """(K, B, D), (K, B, 1) -> (B, D), 0 for a sequence that is absent."""
    return -_maximum(-values, mask)


def _deviation(values, mask):
    """(K, B, D), (K, B, 1) -> (B, D)."""
    variance = _mean(tf.square(values - _mean(values, mask)), mask)
    return tf.sqrt(variance + LEAST_VARIANCE)


POOL = {"mean": _mean, "maximum": _maximum, "minimum": _minimum, "deviation": _deviation}


class TensorFlowOperations(Operations):
    """The operations of a network with these weights, differentiable.

    Parameters
    ----------
    architecture : Architecture
    weights : list of tensors
        In the order of `wiring.Network.shapes`.
    n_frames : int32 scalar tensor, optional
        Compute this many frames only, all others being masked or unused.
    drop : callable (tensor) -> tensor, optional
        Dropout.
    """

    def __init__(self, architecture: Architecture, weights, *, n_frames=None, drop=None):
        self._weights = network_of(architecture).by_layer(weights)
        self._activation, self._n_frames, self._drop = architecture.activation, n_frames, drop

    def lstm(self, layer, read, *, mask=None, state=None):
        """Run a layer; each column is multiplied once, however often it is read.

        A mask is that of an encoder: no real frame follows a masked one, and there is no state.
        """
        kernel, recurrent, bias = self._weights[layer]
        series = _join_series(read.series) if read.series else None  # (K, B, D)
        parts = [read.time, series, read.code]
        widths = [0 if part is None else part.shape[-1] for part in parts]
        of_time, of_series, of_code = tf.split(kernel, widths)
        projected = bias
        if read.time is not None:
            projected = (_product(read.time, of_time) + bias)[:, tf.newaxis]  # (K, 1, 4U)
        if series is not None:
            projected = _product(series, of_series) + projected  # (K, B, 4U)
        every_frame = None if read.code is None else read.code @ of_code  # (B, 4U)
        if series is None:
            rows = tf.shape(first_given(read.code, *(state or ())))[0]
        else:
            rows = tf.shape(series)[1]
        zeros = tf.zeros([rows, layer.units])
        state = [zeros if vector is None else vector for vector in state or (None, None)]
        if mask is not None:
            projected = hold(projected, mask)
        recurrence = Recurrence(recurrent, self._activation, layer.backwards, self._n_frames)
        outputs, hidden, cell = recurrence.run(projected, every_frame, *state)
        if mask is not None and not layer.backwards:
            hidden = _last(outputs, mask)
        return outputs, (hidden, cell)

    def dense(self, layer, columns):
        """(..., D) -> (..., E)."""
        kernel, bias = self._weights[layer]
        return _product(columns, kernel) + bias

    def join(self, vectors):
        """Vectors as one."""
        return tf.concat(vectors, -1)

    def halves(self, vector):
        """Two vectors."""
        return tf.split(vector, 2, axis=-1)

    def pool(self, kind, series, mask):
        """A statistic over the real frames: of each series, since XLA joins vectors faster."""
        return self.join([POOL[kind](values, mask) for values in series])

    def time(self, n_frames, kind):
        """The time of each frame: (K, D)."""
        positions = tf.cast(tf.range(n_frames), tf.float32)[:, tf.newaxis]
        if kind == "encoded":
            angles = positions * FREQUENCIES
            return tf.concat([tf.sin(angles), tf.cos(angles)], -1)
        return tf.cast(tf.equal(positions, 0.0), tf.float32)[:, : TIMES[kind]]

    def drop(self, read):
        """Dropout on all but the time."""
        if self._drop is None:
            return read
        series = (self._drop(_join_series(read.series)),) if read.series else ()
        return Read(read.time, series, None if read.code is None else self._drop(read.code))


def _product(columns, kernel):
    """(..., D), (D, E) -> (..., E). oneDNN would end the process at a product over no columns."""
    if columns.shape[-1]:
        return tf.tensordot(columns, kernel, 1)
    return tf.zeros([*tf.unstack(tf.shape(columns)[:-1]), kernel.shape[-1]])


def _last(series, mask):
    """The last real frame, 0 for a sequence that is absent: (K, B, D), (K, B, 1) -> (B, D)."""
    frame = tf.range(tf.shape(mask)[0])[:, tf.newaxis, tf.newaxis]
    is_last = frame == tf.reduce_sum(tf.cast(mask, tf.int32), 0) - 1
    return tf.reduce_sum(tf.where(is_last, series, 0.0), 0)


def _join_series(series):
    return series[0] if len(series) == 1 else tf.concat(series, -1)


def initial_weights(layers, generator):
    """Fresh weights by Keras' rules for LSTM and Dense, drawn with NumPy.

    Parameters
    ----------
    layers : list of Dense and Lstm
    generator : numpy.random.Generator

    Returns
    -------
    list of float32 arrays
        Kernels uniform (Glorot and Bengio 2010), recurrent kernels orthogonal (Saxe et al. 2014),
        biases zero but for the forget gate's, which is one (Jozefowicz et al. 2015).
    """
    return [
        _INITIAL[name](shape, generator) for layer in layers for name, shape in layer.shapes.items()
    ]


def _uniform(shape, generator):
    limit = math.sqrt(6.0 / sum(shape))
    return generator.uniform(-limit, limit, shape).astype(np.float32)


def _orthogonal(shape, generator):
    # TensorFlow's decomposition, since that of a threaded BLAS can wait for cores for seconds.
    orthogonal, triangle = tf.linalg.qr(generator.standard_normal(shape[::-1]))
    signed = orthogonal.numpy() * np.sign(np.diag(triangle.numpy()))
    return np.ascontiguousarray(signed.T, np.float32)


def _gate_bias(shape, _):
    bias = np.zeros(shape, np.float32)
    bias[shape[0] // 4 : shape[0] // 2] = 1.0
    return bias


_INITIAL = {
    "kernel": _uniform,
    "recurrent_kernel": _orthogonal,
    "gate_bias": _gate_bias,
    "bias": lambda shape, _: np.zeros(shape, np.float32),
}
