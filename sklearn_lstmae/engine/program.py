"""The compiled functions of an Architecture, shared by all estimators of the process.

They take the weights as arguments, so that a second fit of a known architecture - in another
fold, estimator or thread - compiles nothing.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from functools import partial
from typing import Any

import numpy as np

from ._tensorflow import check_process, keras, tf
from .architecture import Architecture
from .autoencoding import Autoencoding
from .classifying import Classifying, Head
from .network import Network, initial_weights
from .objectives import in_decoder_order, read_frames
from .steps import Recipe, TrainingSteps

# Inference works on blocks of a fixed number of rows (the last one padded with empty sequences),
# so that a row's code does not depend on how many rows come with it. A power of two: vectorized
# kernels then have no remainder, whose elements would be computed by other instructions. Long
# sequences come in smaller blocks, so that the widest array of a block has at most so many values.
BLOCK_ROWS = 256
SMALLEST_BLOCK = 16
BLOCK_VALUES = 2**23

# Products of larger values would leave float32, and infinities of both signs make NaN.
LARGEST = 1e18

CACHED_PROGRAMS = 32
CACHED_FUNCTIONS = 16  # of a program: training steps of different recipes, mostly


class Program:
    """One skeleton network and its compiled functions.

    Weights go in and out as a list of arrays in the order of the network's variables; inside the
    training step they are one vector, so that an optimizer's update is a handful of operations.
    """

    def __init__(self, architecture: Architecture):
        self.architecture = architecture
        self.network = Network(architecture)
        self.shapes = [tuple(variable.shape) for variable in self.network.variables]
        self._lock = threading.Lock()
        self._made: dict[Hashable, Any] = {}  # what was compiled, by what it is

    def initial_weights(self, generator):
        """Fresh weights: list of float32 arrays."""
        return initial_weights(self.network.variables, generator)

    def encode(self, weights, frames, lengths):
        """Codes of at most `block_rows` sequences: (b, K, P * F), (b,) steps -> (b, C)."""
        size = self.block_rows(frames.shape[1])
        encode = self._once("encode", self._compile_encode)
        block = encode(weights, _fill(size, frames), _fill(size, lengths, np.int32))
        return block.numpy()[: len(frames)]

    def saliency(self, weights, frames, lengths, column):
        """Absolute gradients of a column of codes, summed over rows: (B, K, P * F) -> (K, P * F).

        The absolute gradient is the saliency of Simonyan et al. (2014), section 3.
        """
        saliency = self._once("saliency", self._compile_saliency)
        return saliency(weights, frames, lengths.astype(np.int32), np.int32(column)).numpy()

    def decode(self, weights, codes, lengths, n_frames, decoder="reconstruct"):
        """Frames of at most `block_rows` codes in the order of time: (b, C) -> (b, K, P * F)."""
        size = self.block_rows(n_frames)
        decode = self._once(decoder, partial(self._compile_decode, decoder))
        lengths = _fill(size, lengths, np.int32)
        block = decode(weights, _fill(size, codes), lengths, np.int32(n_frames))
        return block.numpy()[: len(codes)]

    def block_rows(self, n_frames):
        """Rows of a block of sequences of ``n_frames`` frames."""
        architecture = self.architecture
        units = max((*architecture.hidden_units, architecture.latent_dim))
        widest = max(architecture.frame_width, 4 * units)  # the gates, mostly
        rows = BLOCK_ROWS
        while rows > SMALLEST_BLOCK and rows * n_frames * widest > BLOCK_VALUES:
            rows //= 2
        return rows

    def training_steps(self, recipe: Recipe, head: Head | None = None):
        """The compiled training step for ``recipe``, made once: of all decoders, or of a head."""

        def make():
            known = self.architecture, self.network, recipe, self.using
            learned = Autoencoding(*known) if head is None else Classifying(*known, head)
            return TrainingSteps(learned, recipe)

        return self._once((recipe, head), make)

    def using(self, weights):
        """Context in which the network's variables have the values of the tensors ``weights``."""
        return keras.StatelessScope(zip(self.network.variables, weights, strict=True))

    def _once(self, key, make):
        """What ``make`` returned when it was first asked for under this key, in any thread."""
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
                if len(self._made) > CACHED_FUNCTIONS:
                    self._made.pop(next(iter(self._made)))
            return self._made[key]

    def _encode(self, weights, frames, lengths, **running):
        """Tensors (B, K, P * F), (B,) -> (B, C)."""
        frames = tf.clip_by_value(frames, -LARGEST, LARGEST)
        values, _, indicators, mask = read_frames(self.architecture, frames, lengths)
        with self.using(weights):
            return self.network.encoder(tf.concat([values, indicators], -1), mask, **running)

    def _compile_encode(self):
        frames = tf.TensorSpec([None, None, self.architecture.frame_width])
        return self._compile(self._encode, frames, tf.TensorSpec([None], tf.int32))

    def _compile_saliency(self):
        def saliency(weights, frames, lengths, column):
            with tf.GradientTape() as tape:
                tape.watch(frames)
                codes = self._encode(weights, frames, lengths, training=True)
                chosen = tf.gather(codes, column, axis=1)  # (B,)
            # The gradient of their sum is each row's own: rows do not depend on each other.
            return tf.reduce_sum(tf.abs(tape.gradient(chosen, frames)), 0)

        frames = tf.TensorSpec([None, None, self.architecture.frame_width])
        lengths, column = tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32)
        return self._compile(saliency, frames, lengths, column)

    def _compile_decode(self, name):
        decoder = self.network.decoders[name]

        def decode(weights, codes, lengths, n_frames):
            with self.using(weights):
                if self.architecture.conditional:
                    frames = _say_freely(decoder, codes, n_frames)
                else:
                    frames = decoder(codes, tf.range(n_frames)[tf.newaxis])
            return in_decoder_order(self.architecture, name, frames, lengths)

        codes = tf.TensorSpec([None, self.architecture.code_width])
        lengths = tf.TensorSpec([None], tf.int32)
        return self._compile(decode, codes, lengths, tf.TensorSpec([], tf.int32))

    def _compile(self, function, *specs):
        """Trace a function of the weights and of tensors of these specifications."""
        weights = [tf.TensorSpec(shape) for shape in self.shapes]
        traced = tf.function(function, input_signature=[weights, *specs], autograph=False)
        return traced.get_concrete_function()


def _say_freely(decoder, codes, n_frames):
    """Frames of a conditional decoder that reads its own: (B, C) -> (B, K, P * F)."""

    def body(step, previous, states, said):
        position = tf.reshape(step, [1, 1])
        frame, states = decoder.next_step(codes, position, previous, states)
        return step + 1, frame, states, said.write(step, frame)

    said = tf.TensorArray(tf.float32, size=n_frames)
    *_, said = tf.while_loop(
        lambda step, *_: step < n_frames, body, (0, *decoder.first_step(codes), said)
    )
    return tf.transpose(said.stack(), [1, 0, 2])


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
