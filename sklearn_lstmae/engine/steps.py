"""The compiled training step: many minibatches in one call.

Letters: M sequences in memory, S minibatches, B sequences of a minibatch, K frames, P steps a
frame, F features, D decoders, W weights.
"""

from dataclasses import dataclass

import numpy as np

from ._tensorflow import tf
from .architecture import Architecture
from .network import Network
from .objectives import (
    add_noise,
    count_observed,
    in_decoder_order,
    make_drop,
    mix_own,
    previous_frames,
    read_frames,
    sample_code,
    summed_divergence,
    summed_loss,
)
from .optimizers import StatelessOptimizer

# Each shard of each step has so many seeds of its own; all but dropout, which varies the other
# half of the seed, use these.
SEEDS = 64
NOISE, CODE, OWN = 63, 62, 60

# How much of what a conditional decoder reads in training is its own.
OWN_SHARE = 0.25


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


class TrainingSteps:
    """Train a network on one minibatch after the other.

    All weights are one vector here, so that an optimizer's update is a handful of operations.

    Parameters
    ----------
    architecture : Architecture
    network : Network
    recipe : Recipe
    using : callable (list of tensors) -> context
        In which the network has these weights.
    """

    def __init__(self, architecture: Architecture, network: Network, recipe: Recipe, using):
        self.architecture, self.network, self.recipe = architecture, network, recipe
        self._using = using
        self._shapes = [tuple(variable.shape) for variable in network.variables]
        self._sizes = [int(np.prod(shape)) for shape in self._shapes]
        self._optimizer = StatelessOptimizer(recipe.optimizer, sum(self._sizes), recipe.clipnorm)
        # Functions of their own, since TensorFlow counts the tracings of a method over all objects
        # and warns of many.
        compiler = {"autograph": False, "jit_compile": recipe.xla}
        self._gradient = tf.function(lambda *args: self._shard_gradient(*args), **compiler)
        self._update = tf.function(lambda *args: self._optimizer.update(*args), **compiler)
        self._run = self._trace()

    def initial_state(self):
        """The optimizer's variables before the first step: list of arrays."""
        return self._optimizer.initial_state()

    def __call__(self, weights, state, tables, order, rates, shares, seed, first_step):
        """Train.

        Parameters
        ----------
        weights, state : lists of arrays
            Of the network and of the optimizer.
        tables : list of (frames (M, K, P * F) float32, lengths (M,) int32)
            What the encoder reads and, for a predicting decoder, what it should say.
        order : int32 array of shape (S, shards, B / shards)
            Rows of each minibatch, -1 for none.
        rates : float32 array of shape (S,)
            Learning rates.
        shares : float32 array of shape (D + 1,)
            What the loss of each decoder and, last, the divergence count for.
        seed : int
            Of all that is drawn, together with the number of the step.
        first_step : int
            Number of the first of these steps.

        Returns
        -------
        weights, state : as given, after the last step
        losses : array of shape (S, D + 1)
            Sum of the errors of each decoder and, last, of the divergences.
        counts : array of shape (S, D + 1)
            Observed values that these are of.
        """
        vector = np.concatenate([weight.ravel() for weight in weights])
        seed = np.array([seed, first_step], np.int32)
        vector, state, losses, counts = self._run(vector, state, tables, order, rates, shares, seed)
        parts = np.split(vector.numpy(), np.cumsum(self._sizes)[:-1])
        weights = [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]
        return weights, [np.asarray(array) for array in state], losses.numpy(), counts.numpy()

    def _trace(self):
        terms = len(self.architecture.decoders) + 1
        tables = 2 if "predict" in self.architecture.decoders else 1
        frames = tf.TensorSpec([None, None, self.architecture.frame_width])
        signature = [
            tf.TensorSpec([sum(self._sizes)]),
            [tf.TensorSpec(array.shape, array.dtype) for array in self.initial_state()],
            [(frames, tf.TensorSpec([None], tf.int32))] * tables,
            tf.TensorSpec([None, self.recipe.shards, None], tf.int32),  # order
            tf.TensorSpec([None]),  # rates
            tf.TensorSpec([terms]),  # shares
            tf.TensorSpec([2], tf.int32),  # seed, first step
        ]
        traced = tf.function(self._loop, input_signature=signature, autograph=False)
        return traced.get_concrete_function()

    def _loop(self, vector, state, tables, order, rates, shares, seed):
        n_steps, shards = tf.shape(order)[0], self.recipe.shards
        terms = len(self.architecture.decoders) + 1
        arrays = [tf.TensorArray(tf.float32, n_steps, element_shape=[terms]) for _ in range(2)]

        def body(step, vector, state, losses, counts):
            parts = [_take(tables, order[step, shard]) for shard in range(shards)]
            count = tf.add_n([self._counts(part) for part in parts])  # (D + 1,)
            results = []
            for shard, part in enumerate(parts):
                key = seed * [1, shards * SEEDS] + [0, (step * shards + shard) * SEEDS]
                results.append(self._gradient(vector, part, shares / tf.maximum(count, 1.0), key))
            loss, gradient = (tf.add_n(list(both)) for both in zip(*results, strict=True))
            vector, state = self._update(state, gradient, vector, rates[step])
            return step + 1, vector, state, losses.write(step, loss), counts.write(step, count)

        _, vector, state, *arrays = tf.while_loop(
            lambda step, *_: step < n_steps, body, (0, vector, list(state), *arrays)
        )
        return vector, state, *(array.stack() for array in arrays)

    def _counts(self, tables):
        """Observed values of each decoder's target and, last, of all: (D + 1,)."""
        counts = [count_observed(self.architecture, *self._target(d, tables)) for d in self._names]
        return tf.stack([*counts, tf.add_n(counts)])

    @property
    def _names(self):
        return self.architecture.decoders

    def _target(self, decoder, tables):
        return tables[1] if decoder == "predict" else tables[0]

    def _shard_gradient(self, vector, tables, scales, key):
        """Summed losses (D + 1,) and the gradient (W,) of their sum in these scales (D + 1,)."""
        with tf.GradientTape() as tape:
            tape.watch(vector)
            parts = tf.split(vector, self._sizes)
            shaped = [tf.reshape(*pair) for pair in zip(parts, self._shapes, strict=True)]
            with self._using(shaped):
                losses = self._forward(tables, key)
            total = tf.tensordot(losses, scales, 1)
        return losses, tape.gradient(total, vector)

    def _forward(self, tables, key):
        """Summed losses: (D + 1,)."""
        frames, lengths, running = self._crop(*tables[0])
        drop = make_drop(self.recipe.dropout, key)
        values, observed, indicators, mask = read_frames(self.architecture, frames, lengths)
        noisy = add_noise(values, observed, self.recipe.noise, key + tf.constant([0, NOISE]))
        inputs = tf.concat([noisy, indicators], -1)
        divergence = 0.0
        if self.architecture.variational:
            pooled = self.network.encoder.pool(inputs, mask, drop=drop, **running)
            mean = self.network.encoder.bottleneck(pooled)
            log_variance = self.network.encoder.spread(pooled)
            code = sample_code(mean, log_variance, key + tf.constant([0, CODE]))
            divergence = summed_divergence(mean, log_variance, lengths > 0)
        else:
            code = self.network.encoder(inputs, mask, drop=drop, **running)
        losses = [
            self._decoder_loss(name, code, self._target(name, tables), drop, key)
            for name in self._names
        ]
        return tf.stack([*losses, divergence])

    def _decoder_loss(self, name, code, target, drop, key):
        frames, lengths, running = self._crop(*target)
        values, observed, _, _ = read_frames(self.architecture, frames, lengths)
        values, observed = (
            in_decoder_order(self.architecture, name, array, lengths)
            for array in (values, observed)
        )
        decoder = self.network.decoders[name]
        positions = tf.range(tf.shape(frames)[1])[tf.newaxis]
        previous = None
        if self.architecture.conditional:
            true = previous_frames(values)
            said = decoder(code, positions, true, n_steps=running["n_steps"])
            seed = key + tf.constant([0, OWN + self._names.index(name)])
            previous = mix_own(true, previous_frames(said), OWN_SHARE, seed)
        output = decoder(code, positions, previous, drop=drop, **running)
        return summed_loss(self.recipe.loss, values, output, observed)

    def _crop(self, frames, lengths):
        """Leave out frames beyond the longest sequence: the plain graph takes any shape.

        XLA compiles one shape, in which the loops end early.
        """
        n_frames = tf.maximum(self.architecture.n_frames(tf.reduce_max(lengths)), 1)
        if self.recipe.xla:
            return frames, lengths, {"training": True, "n_steps": n_frames}
        return frames[:, :n_frames], lengths, {"training": True, "n_steps": None}


def _take(tables, rows):
    """Some rows of each table, those of -1 empty."""
    taken = tf.maximum(rows, 0)
    return [
        (tf.gather(frames, taken), tf.where(rows < 0, 0, tf.gather(lengths, taken)))
        for frames, lengths in tables
    ]
