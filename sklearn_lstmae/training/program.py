"""The compiled functions of an Architecture, shared by all estimators of the process.

They take the weights as arguments, so that a second fit of a known architecture - in another
fold, estimator or thread - compiles nothing.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

import numpy as np

from sklearn_lstmae.network._tensorflow import check_process, keras, tf
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.network.forward import LARGEST
from sklearn_lstmae.network.network import Network, initial_weights
from sklearn_lstmae.training.autoencoder import Autoencoding
from sklearn_lstmae.training.classifying import Classifying, Head
from sklearn_lstmae.training.steps import Recipe, TrainingSteps
from sklearn_lstmae.training.targets import read_frames

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

    def saliency(self, weights, frames, lengths, column):
        """Absolute gradients of a column of codes, summed over rows: (B, K, P * F) -> (K, P * F).

        The absolute gradient is the saliency of Simonyan et al. (2014), section 3.
        """
        saliency = self._once("saliency", self._compile_saliency)
        return saliency(weights, frames, lengths.astype(np.int32), np.int32(column)).numpy()

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

    def _compile_saliency(self):
        def saliency(weights, frames, lengths, column):
            with tf.GradientTape() as tape:
                tape.watch(frames)
                clipped = tf.clip_by_value(frames, -LARGEST, LARGEST)
                values, _, indicators, mask = read_frames(self.architecture, clipped, lengths)
                with self.using(weights):
                    inputs = tf.concat([values, indicators], -1)
                    codes = self.network.encoder(inputs, mask, training=True)
                chosen = tf.gather(codes, column, axis=1)  # (B,)
            # The gradient of their sum is each row's own: rows do not depend on each other.
            return tf.reduce_sum(tf.abs(tape.gradient(chosen, frames)), 0)

        frames = tf.TensorSpec([None, None, self.architecture.frame_width])
        lengths, column = tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32)
        return self._compile(saliency, frames, lengths, column)

    def _compile(self, function, *specs):
        """Trace a function of the weights and of tensors of these specifications."""
        weights = [tf.TensorSpec(shape) for shape in self.shapes]
        traced = tf.function(function, input_signature=[weights, *specs], autograph=False)
        return traced.get_concrete_function()


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
