"""The compiled functions of an Architecture, shared by all estimators of the process.

They take the weights as arguments, so that a second fit of a known architecture - in another
fold, estimator or thread - compiles nothing.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ._tensorflow import check_process, keras, tf
from .architecture import Architecture
from .network import Network, initial_weights
from .objectives import add_noise, in_decoder_order, make_drop, read_frames, summed_loss
from .optimizers import StatelessOptimizer

# Inference works on blocks of a fixed number of rows (the last one padded with empty sequences),
# so that a row's code does not depend on how many rows come with it. A power of two: vectorized
# kernels then have no remainder, whose elements would be computed by other instructions. Long
# sequences come in smaller blocks, so that memory is bounded.
BLOCK_ROWS = 256
SMALLEST_BLOCK = 16
BLOCK_VALUES = 2**20
CACHED_PROGRAMS = 32


@dataclass(frozen=True)
class Recipe:
    """What a compiled training step depends on beside the Architecture."""

    loss: str
    dropout: float
    noise: float
    optimizer: str
    clipnorm: float | None
    shards: int  # equal parts of a minibatch whose gradients are computed side by side
    xla: bool


class Program:
    """One skeleton network and its compiled functions.

    Weights go in and out as a list of arrays in the order of the network's variables; inside the
    training step they are one vector, so that an optimizer's update is a handful of operations.
    """

    def __init__(self, architecture: Architecture):
        self.architecture = architecture
        self.network = Network(architecture)
        self.shapes = [tuple(variable.shape) for variable in self.network.variables]
        self._lock = threading.RLock()
        self._training_steps: dict[Recipe, TrainingSteps] = {}

    def initial_weights(self, generator):
        """Fresh weights: list of float32 arrays."""
        return initial_weights(self.network.variables, generator)

    def encode(self, weights, frames, lengths):
        """Codes of at most `block_rows` sequences: (b, K, P * F), (b,) steps -> (b, C)."""
        size = self.block_rows(frames.shape[1])
        encode = self._encoding
        block = encode(weights, _fill(size, frames), _fill(size, lengths, np.int32))
        return block.numpy()[: len(frames)]

    def decode(self, weights, codes, lengths, n_frames):
        """Frames of at most `block_rows` codes in the order of time: (b, C) -> (b, K, P * F)."""
        size = self.block_rows(n_frames)
        decode = self._decoding
        lengths = _fill(size, lengths, np.int32)
        block = decode(weights, _fill(size, codes), lengths, np.int32(n_frames))
        return block.numpy()[: len(codes)]

    def block_rows(self, n_frames):
        """Rows of a block of sequences of ``n_frames`` frames."""
        rows = BLOCK_ROWS
        while (
            rows > SMALLEST_BLOCK and rows * n_frames * self.architecture.frame_width > BLOCK_VALUES
        ):
            rows //= 2
        return rows

    def training_steps(self, recipe):
        """The compiled training step for ``recipe``, made once."""
        with self._lock:
            if recipe not in self._training_steps:
                self._training_steps[recipe] = TrainingSteps(self, recipe)
            return self._training_steps[recipe]

    def using(self, weights):
        """Context in which the network's variables have the values of the tensors ``weights``."""
        return keras.StatelessScope(zip(self.network.variables, weights, strict=True))

    @cached_property
    def _encoding(self):
        def encode(weights, frames, lengths):
            values, _, indicators, mask = read_frames(self.architecture, frames, lengths)
            with self.using(weights):
                return self.network.encoder(tf.concat([values, indicators], -1), mask)

        frames = tf.TensorSpec([None, None, self.architecture.frame_width])
        return self._compile(encode, frames, tf.TensorSpec([None], tf.int32))

    @cached_property
    def _decoding(self):
        def decode(weights, codes, lengths, n_frames):
            with self.using(weights):
                frames = self.network.decoder(codes, tf.range(n_frames)[tf.newaxis])
            return in_decoder_order(self.architecture, frames, lengths)

        codes = tf.TensorSpec([None, self.architecture.code_width])
        lengths = tf.TensorSpec([None], tf.int32)
        return self._compile(decode, codes, lengths, tf.TensorSpec([], tf.int32))

    def _compile(self, function, *specs):
        """Trace a function of the weights and of tensors of these specifications."""
        weights = [tf.TensorSpec(shape) for shape in self.shapes]
        with self._lock:
            traced = tf.function(function, input_signature=[weights, *specs], autograph=False)
            return traced.get_concrete_function()


class TrainingSteps:
    """Many minibatches in one call, for one `Program` and one `Recipe`.

    The optimizer is Keras' own, in its stateless form, over all weights as one vector.
    """

    def __init__(self, program: Program, recipe: Recipe):
        self.program = program
        self.recipe = recipe
        sizes = [int(np.prod(shape)) for shape in program.shapes]
        self._sizes = sizes
        self._optimizer = StatelessOptimizer(recipe.optimizer, sum(sizes), recipe.clipnorm)
        # Functions of their own, since TensorFlow counts the tracings of a method over all objects
        # and warns of many.
        compiler = {"autograph": False, "jit_compile": recipe.xla}
        self._gradient = tf.function(lambda *args: self._shard_gradient(*args), **compiler)
        self._update = tf.function(lambda *args: self._optimizer.update(*args), **compiler)
        self._run = self._trace()

    def initial_state(self):
        """The optimizer's variables before the first step: list of arrays."""
        return self._optimizer.initial_state()

    def __call__(self, weights, state, frames, lengths, order, rates, seed, first_step):
        """Train on one minibatch after the other.

        Parameters
        ----------
        weights, state : lists of arrays
            Of the network and of the optimizer.
        frames : float32 tensor of shape (M, K, P * F)
        lengths : int32 tensor of shape (M,)
        order : int32 array of shape (S, shards, B / shards)
            Rows of each minibatch, -1 for none.
        rates : float32 array of shape (S,)
            Learning rates.
        seed : int
            Of dropout and noise, together with the number of the step.
        first_step : int
            Number of the first of these steps.

        Returns
        -------
        weights, state : as given, after the last step
        errors, counts : arrays of shape (S,)
            Sum of errors and number of observed values of each minibatch.
        """
        vector = np.concatenate([weight.ravel() for weight in weights])
        vector, state, errors, counts = self._run(
            vector, state, frames, lengths, order, rates, np.array([seed, first_step], np.int32)
        )
        parts = np.split(vector.numpy(), np.cumsum(self._sizes)[:-1])
        weights = [
            part.reshape(shape) for part, shape in zip(parts, self.program.shapes, strict=True)
        ]
        return weights, [np.asarray(s) for s in state], errors.numpy(), counts.numpy()

    def _trace(self):
        width = self.program.architecture.frame_width
        state = self.initial_state()
        signature = [
            tf.TensorSpec([sum(self._sizes)]),
            [tf.TensorSpec(array.shape, array.dtype) for array in state],
            tf.TensorSpec([None, None, width]),  # frames
            tf.TensorSpec([None], tf.int32),  # lengths
            tf.TensorSpec([None, self.recipe.shards, None], tf.int32),  # order
            tf.TensorSpec([None]),  # rates
            tf.TensorSpec([2], tf.int32),  # seed, first step
        ]
        traced = tf.function(self._loop, input_signature=signature, autograph=False)
        return traced.get_concrete_function()

    def _loop(self, vector, state, frames, lengths, order, rates, seed):
        n_steps, shards = tf.shape(order)[0], self.recipe.shards
        sums = [tf.TensorArray(tf.float32, size=n_steps) for _ in range(2)]

        def body(step, vector, state, errors, counts):
            parts = []
            for shard in range(shards):
                rows = order[step, shard]  # (B / shards,)
                taken = tf.maximum(rows, 0)
                steps = tf.where(rows < 0, 0, tf.gather(lengths, taken))
                key = seed * [1, shards * 64] + [0, (step * shards + shard) * 64]
                parts.append(self._gradient(vector, tf.gather(frames, taken), steps, key))
            error, count, gradient = (tf.add_n(list(part)) for part in zip(*parts, strict=True))
            vector, state = self._update(state, gradient / count, vector, rates[step])
            return step + 1, vector, state, errors.write(step, error), counts.write(step, count)

        _, vector, state, *sums = tf.while_loop(
            lambda step, *_: step < n_steps, body, (0, vector, list(state), *sums)
        )
        return vector, state, *(array.stack() for array in sums)

    def _shard_gradient(self, vector, frames, lengths, key):
        """Sum of errors, number of observed values, gradient of the sum."""
        with tf.GradientTape() as tape:
            tape.watch(vector)
            error, count = self._forward(vector, frames, lengths, key)
        return error, count, tape.gradient(error, vector)

    def _forward(self, vector, frames, lengths, key):
        architecture, recipe = self.program.architecture, self.recipe
        network = self.program.network
        # The plain graph computes any shape; XLA compiled one, in which the loops end early.
        n_frames = architecture.n_frames(tf.reduce_max(lengths))
        running = {"training": True, "n_steps": n_frames if recipe.xla else None}
        if not recipe.xla:
            frames = frames[:, :n_frames]
        drop = make_drop(recipe.dropout, key)
        values, observed, indicators, mask = read_frames(architecture, frames, lengths)
        noisy = add_noise(values, observed, recipe.noise, key + tf.constant([0, 63]))
        with self.program.using(self._split(vector)):
            code = network.encoder(tf.concat([noisy, indicators], -1), mask, drop=drop, **running)
            positions = tf.range(tf.shape(frames)[1])[tf.newaxis]
            output = network.decoder(code, positions, drop=drop, **running)
        target = in_decoder_order(architecture, values, lengths)
        return summed_loss(
            recipe.loss, target, output, in_decoder_order(architecture, observed, lengths)
        )

    def _split(self, vector):
        parts = tf.split(vector, self._sizes)
        return [
            tf.reshape(part, shape) for part, shape in zip(parts, self.program.shapes, strict=True)
        ]


def _fill(size, rows, dtype=np.float32):
    """(b, ...) -> (size, ...), zeros below."""
    if len(rows) == size:
        return np.asarray(rows, dtype)
    block = np.zeros((size, *rows.shape[1:]), dtype)
    block[: len(rows)] = rows
    return block


_programs: OrderedDict[Architecture, Program] = OrderedDict()
_programs_lock = threading.Lock()


def get_program(architecture):
    """The program of ``architecture``, built on first use; the least recently used one goes.

    Raises
    ------
    RuntimeError
        In a process that was forked after TensorFlow was started.
    """
    check_process()
    with _programs_lock:
        if architecture not in _programs:
            _programs[architecture] = Program(architecture)
            if len(_programs) > CACHED_PROGRAMS:
                _programs.popitem(last=False)
        _programs.move_to_end(architecture)
        return _programs[architecture]


def clear_programs():
    """Forget all compiled functions (they are made again when needed)."""
    with _programs_lock:
        _programs.clear()
