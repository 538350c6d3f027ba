"""The layers of an Architecture and how they are connected.

The same functions make the fast network that trains and the plain Keras models that users get:
only the LSTM layer differs. Letters: B sequences, K frames, P steps a frame, F features, U units,
L latent width, C columns of the code.
"""

import math

import numpy as np

from sklearn_lstmae.network._tensorflow import keras, tf
from sklearn_lstmae.network.architecture import TIME_WAVELENGTHS, Architecture
from sklearn_lstmae.network.forward import FREQUENCIES
from sklearn_lstmae.network.lstm import FastLSTM

ops = keras.ops


def keep(inputs):
    """No dropout."""
    return inputs


class Network:
    """An encoder and its decoders.

    Parameters
    ----------
    architecture : Architecture
    fast : bool
        With `FastLSTM`; else with ``keras.layers.LSTM``. The weights are the same, in the same
        order.
    """

    def __init__(self, architecture: Architecture, fast: bool = True):
        self.encoder = Encoder(architecture, fast)
        self.decoders = {name: Decoder(architecture, fast, name) for name in architecture.decoders}

    @property
    def variables(self):
        """Keras variables, encoder first."""
        parts: list = [self.encoder, *self.decoders.values()]
        return [variable for part in parts for variable in part.variables]


class Encoder:
    """Frames -> code."""

    def __init__(self, architecture, fast):
        self.architecture = architecture
        self.hidden = []
        width = architecture.input_width
        for depth, units in enumerate(architecture.hidden_units):
            ways = ["forward", "backward"] if architecture.bidirectional else ["forward"]
            self.hidden.append(
                [
                    make_lstm(architecture, units, width, f"encoder_{depth}_{way}", fast)
                    for way in ways
                ]
            )
            width = units * len(ways)
        if architecture.bottleneck == "dense":
            pooled = width * (2 if architecture.pooling == "last_mean" else 1)
            self.bottleneck = make_dense(architecture.latent_dim, pooled, "bottleneck")
            if architecture.variational:
                self.spread = make_dense(architecture.latent_dim, pooled, "log_variance")
        else:
            self.bottleneck = make_lstm(
                architecture, architecture.latent_dim, width, "bottleneck", fast
            )

    @property
    def variables(self):
        """Keras variables, first layer first."""
        layers = [layer for ways in self.hidden for layer in ways] + [self.bottleneck]
        if self.architecture.variational:
            layers.append(self.spread)
        return [variable for layer in layers for variable in layer.weights]

    def __call__(self, inputs, mask, *, drop=keep, **running):
        """(B, K, input_width), (B, K) -> (B, C); ``running`` as in `run_lstm`."""
        pooled = self.pool(inputs, mask, drop=drop, **running)
        return self.bottleneck(pooled) if self.architecture.bottleneck == "dense" else pooled

    def pool(self, inputs, mask, *, drop=keep, **running):
        """What a dense bottleneck reads; with a state bottleneck the code itself."""
        sequence = inputs
        for ways in self.hidden:
            sequence = drop(sequence)
            runs = [run_lstm(layer, sequence, mask=mask, **running) for layer in ways]
            sequence = ops.concatenate([outputs for outputs, _, _ in runs], -1)  # (B, K, ways*U)
            last = ops.concatenate([hidden for _, hidden, _ in runs], -1)  # (B, ways*U)
        if self.architecture.bottleneck == "dense":
            return self._pool(sequence, last, mask)
        _, hidden, cell = run_lstm(self.bottleneck, drop(sequence), mask=mask, **running)
        kinds = {"hidden": [hidden], "cell": [cell], "hidden_cell": [hidden, cell]}
        return ops.concatenate(kinds[self.architecture.bottleneck], -1)

    def _pool(self, sequence, last, mask):
        """(B, K, V), (B, V), (B, K) -> (B, V) or (B, 2V)."""
        if self.architecture.pooling == "last":
            return last
        weight = ops.cast(mask, "float32")  # (B, K)
        # Summed along the first axis, where all rows are added in the same order, wherever a row
        # begins in memory.
        weighted = ops.transpose(sequence * weight[:, :, None], (1, 0, 2))  # (K, B, V)
        total = ops.sum(weighted, axis=0)  # (B, V)
        mean = total / ops.maximum(ops.sum(weight, axis=1, keepdims=True), 1.0)
        return mean if self.architecture.pooling == "mean" else ops.concatenate([last, mean], -1)


class Decoder:
    """Code -> frames, in the order in which the decoder says them."""

    def __init__(self, architecture, fast, name):
        self.architecture = architecture
        units = architecture.hidden_units[::-1]
        if architecture.bottleneck != "dense":
            units = (architecture.latent_dim, *units)
        self.name = name
        self.reads_code = "input" in architecture.decoder_start
        self.starts_with_code = "state" in architecture.decoder_start
        constant = architecture.code_width if self.reads_code else 0
        self.starts, self.hidden = [], []
        width = self._sequence_width() + constant
        if architecture.conditional:
            width += architecture.frame_width
        for depth, size in enumerate(units):
            if self.starts_with_code and architecture.bottleneck == "dense":
                self.starts.append(
                    make_dense(2 * size, architecture.code_width, f"{name}_{depth}_start")
                )
            self.hidden.append(make_lstm(architecture, size, width, f"{name}_{depth}", fast))
            width = size
        self.output = make_dense(architecture.frame_width, width, f"{name}_output")

    @property
    def variables(self):
        """Keras variables: those of the starting states, then first layer first."""
        layers = [*self.starts, *self.hidden, self.output]
        return [variable for layer in layers for variable in layer.weights]

    def __call__(self, code, positions, previous=None, *, drop=keep, **running):
        """Say frames whose previous ones are known.

        Code (B, C), positions (B, K) or (1, K) counted from 0 and, for a conditional decoder, the
        frame before each (B, K, P * F) -> (B, K, P * F).
        """
        sequence = self._sequence(positions)  # (B or 1, K, D)
        if previous is not None:
            places = ops.ones_like(previous[:, :, :1])  # (B, K, 1)
            sequence = ops.concatenate([sequence * places, drop(previous)], -1)
        constant = drop(code) if self.reads_code else None
        states = self._initial_states(code)
        for depth, (layer, state) in enumerate(zip(self.hidden, states, strict=True)):
            sequence = drop(sequence) if depth else sequence
            if constant is None and sequence.shape[0] == 1:
                sequence = ops.repeat(sequence, ops.shape(code)[0], axis=0)
            sequence, _, _ = run_lstm(
                layer, sequence, initial_state=state, constant=constant, **running
            )
            constant = None
        return self.output(sequence)

    def first_step(self, code):
        """State before the first frame: the previous frame, and [hidden, cell] of each layer."""
        zero = ops.zeros_like(code[:, :1])  # (B, 1)
        states = [
            [ops.repeat(zero, layer.units, axis=1)] * 2 if state is None else state
            for layer, state in zip(self.hidden, self._initial_states(code), strict=True)
        ]
        return ops.repeat(zero, self.architecture.frame_width, axis=1), states

    def next_step(self, code, position, previous, states):
        """Say one frame after another, each read again for the next (Srivastava et al., 2.3).

        With Keras' own layers; `forward.Decoder` is what the library itself speaks with.
        Code (B, C), position (1, 1), previous frame (B, P * F), states -> frame (B, P * F), states
        """
        time = self._sequence(position)[0] * ops.ones_like(previous[:, :1])  # (B, D)
        inputs = ops.concatenate([time, previous, *([code] if self.reads_code else [])], -1)
        after = []
        for layer, state in zip(self.hidden, states, strict=True):
            _, inputs, cell = layer(inputs[:, None, :], initial_state=state)
            after.append([inputs, cell])
        return self.output(inputs), after

    def _sequence_width(self):
        if self.architecture.time_encoding:
            return 2 * len(TIME_WAVELENGTHS)
        return 0 if self.reads_code or self.architecture.conditional else 1

    def _sequence(self, positions):
        """What the first layer reads beside the code: the time, or else where the sequence starts.

        (B, K) -> (B, K, D)
        """
        positions = ops.cast(positions, "float32")[:, :, None]  # (B, K, 1)
        if self.architecture.time_encoding:
            angles = positions * FREQUENCIES
            return ops.concatenate([ops.sin(angles), ops.cos(angles)], -1)
        start = ops.cast(ops.equal(positions, 0.0), "float32")
        return start[:, :, : self._sequence_width()]

    def _initial_states(self, code):
        """(B, C) -> for each layer [hidden, cell], or None for zeros."""
        if not self.starts_with_code:
            return [None] * len(self.hidden)
        if self.architecture.bottleneck == "dense":
            return [ops.split(start(code), 2, axis=-1) for start in self.starts]
        zeros = ops.zeros_like(code)
        first = {
            "hidden": lambda: [code, zeros],
            "cell": lambda: [zeros, code],
            "hidden_cell": lambda: ops.split(code, 2, axis=-1),
        }[self.architecture.bottleneck]()
        return [first] + [None] * (len(self.hidden) - 1)


# Initial values are set by `initial_weights`: Keras' own initializers and seed generators draw
# from Python's global random state, which is the user's.
def make_dense(units, width, name):
    """A built dense layer for inputs of ``width`` columns."""
    layer = keras.layers.Dense(units, kernel_initializer="zeros", dtype="float32", name=name)
    layer.build((None, width))
    return layer


def make_lstm(architecture, units, width, name, fast):
    """A built LSTM layer for inputs of ``width`` columns; names in ``_backward`` read so."""
    backwards = name.endswith("_backward")
    if fast:
        layer = FastLSTM(
            units, activation=architecture.activation, go_backwards=backwards, name=name
        )
    else:
        layer = keras.layers.LSTM(
            units,
            activation=architecture.activation,
            go_backwards=backwards,
            return_sequences=True,
            return_state=True,
            kernel_initializer="zeros",
            recurrent_initializer="zeros",
            seed=0,
            dtype="float32",
            name=name,
        )
    layer.build((None, None, width))
    return layer


def run_lstm(layer, sequence, *, mask=None, initial_state=None, constant=None, **running):
    """Outputs (B, K, U) in the order of the sequence, last hidden and last cell state (B, U).

    The fast layer alone takes ``running``: ``training`` and ``n_steps``.
    """
    if isinstance(layer, FastLSTM):
        return layer.call(
            sequence, mask=mask, initial_state=initial_state, constant=constant, **running
        )
    if constant is not None:
        ones = ops.ones_like(ops.sum(sequence, axis=-1, keepdims=True))  # (B, K, 1)
        every_step = constant[:, None, :] * ones
        sequence = ops.concatenate([sequence, every_step], -1)
    outputs, hidden, cell = layer(sequence, mask=mask, initial_state=initial_state)
    return ops.flip(outputs, axis=1) if layer.go_backwards else outputs, hidden, cell


def initial_weights(variables, generator):
    """Fresh weights by Keras' rules for LSTM and Dense, drawn with NumPy.

    Parameters
    ----------
    variables : list of keras.Variable
        Their names and shapes.
    generator : numpy.random.Generator

    Returns
    -------
    list of float32 arrays
        Kernels uniform (Glorot and Bengio 2010), recurrent kernels orthogonal (Saxe et al. 2014),
        biases zero but for the forget gate's, which is one (Jozefowicz et al. 2015).
    """
    return [_initial_weight(v.path.split("/")[-1], v.shape, generator) for v in variables]


def _initial_weight(name, shape, generator):
    if name.startswith("recurrent"):
        units, gates = shape
        # TensorFlow's decomposition, since that of a threaded BLAS can wait for cores for seconds.
        orthogonal, triangle = tf.linalg.qr(generator.standard_normal((gates, units)))
        signed = orthogonal.numpy() * np.sign(np.diag(triangle.numpy()))
        return np.ascontiguousarray(signed.T, np.float32)
    if name == "kernel":
        limit = math.sqrt(6.0 / sum(shape))
        return generator.uniform(-limit, limit, shape).astype(np.float32)
    bias = np.zeros(shape, np.float32)
    if name == "gate_bias":
        bias[shape[0] // 4 : shape[0] // 2] = 1.0
    return bias
