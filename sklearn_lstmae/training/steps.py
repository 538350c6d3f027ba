"""The compiled training step: many minibatches in one call.

Letters: M sequences in memory, S minibatches, B sequences of a minibatch, W weights, J terms of
the loss.
"""

from dataclasses import dataclass

import numpy as np

from sklearn_lstmae.network._tensorflow import tf
from sklearn_lstmae.training.optimizers import StatelessOptimizer

# Each shard of each step has so many seeds of its own.
SEEDS = 64


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
    objective : `autoencoding.Autoencoding` or `classifying.Classifying`
        What is learned: the ``shapes`` of the weights, the ``tables`` of data and ``constants``,
        the ``n_terms`` of the loss, and the functions ``counts`` and ``losses`` of a minibatch.
    recipe : Recipe
    """

    def __init__(self, objective, recipe: Recipe):
        self.objective, self.recipe = objective, recipe
        self._sizes = [int(np.prod(shape)) for shape in objective.shapes]
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

    def __call__(
        self, weights, state, tables, order, rates, shares, seed, first_step, constants=()
    ):
        """Train.

        Parameters
        ----------
        weights, state : lists of arrays
            Of the network and of the optimizer.
        tables : list of (float32 array of shape (M, ...), int32 array of shape (M,))
            The data, as the objective describes them.
        order : int32 array of shape (S, shards, B / shards)
            Rows of each minibatch, -1 for none.
        rates : float32 array of shape (S,)
            Learning rates.
        shares : float32 array of shape (J,)
            What each term of the loss counts for.
        seed : int
            Of all that is drawn, together with the number of the step.
        first_step : int
            Number of the first of these steps.
        constants : sequence of float32 arrays
            What else the losses depend on.

        Returns
        -------
        weights, state : as given, after the last step
        losses : array of shape (S, J)
            Sum of the errors of each term.
        counts : array of shape (S, J)
            How many these are of.
        """
        vector = np.concatenate([weight.ravel() for weight in weights])
        seed = np.array([seed, first_step], np.int32)
        vector, state, losses, counts = self._run(
            vector, state, tables, order, rates, shares, seed, list(constants)
        )
        parts = np.split(vector.numpy(), np.cumsum(self._sizes)[:-1])
        shapes = self.objective.shapes
        weights = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
        return weights, [np.asarray(array) for array in state], losses.numpy(), counts.numpy()

    def _trace(self):
        signature = [
            tf.TensorSpec([sum(self._sizes)]),
            [tf.TensorSpec(array.shape, array.dtype) for array in self.initial_state()],
            self.objective.tables,
            tf.TensorSpec([None, self.recipe.shards, None], tf.int32),  # order
            tf.TensorSpec([None]),  # rates
            tf.TensorSpec([self.objective.n_terms]),  # shares
            tf.TensorSpec([2], tf.int32),  # seed, first step
            self.objective.constants,
        ]
        traced = tf.function(self._loop, input_signature=signature, autograph=False)
        return traced.get_concrete_function()

    def _loop(self, vector, state, tables, order, rates, shares, seed, constants):
        n_steps, shards = tf.shape(order)[0], self.recipe.shards
        shape = [self.objective.n_terms]
        arrays = [tf.TensorArray(tf.float32, n_steps, element_shape=shape) for _ in range(2)]

        def body(step, vector, state, losses, counts):
            parts = [_take(tables, order[step, shard]) for shard in range(shards)]
            count = tf.add_n([self.objective.counts(part) for part in parts])  # (J,)
            results = []
            for shard, part in enumerate(parts):
                key = seed * [1, shards * SEEDS] + [0, (step * shards + shard) * SEEDS]
                scales = shares / tf.maximum(count, 1.0)
                results.append(self._gradient(vector, part, scales, key, constants))
            loss, gradient = (tf.add_n(list(both)) for both in zip(*results, strict=True))
            vector, state = self._update(state, gradient, vector, rates[step])
            return step + 1, vector, state, losses.write(step, loss), counts.write(step, count)

        _, vector, state, *arrays = tf.while_loop(
            lambda step, *_: step < n_steps, body, (0, vector, list(state), *arrays)
        )
        return vector, state, *(array.stack() for array in arrays)

    def _shard_gradient(self, vector, tables, scales, key, constants):
        """Summed losses (J,) and the gradient (W,) of their sum in these scales (J,)."""
        with tf.GradientTape() as tape:
            tape.watch(vector)
            parts = tf.split(vector, self._sizes)
            shapes = self.objective.shapes
            weights = [tf.reshape(*pair) for pair in zip(parts, shapes, strict=True)]
            losses = self.objective.losses(weights, tables, key, *constants)
            total = tf.tensordot(losses, scales, 1)
        return losses, tape.gradient(total, vector)


def _take(tables, rows):
    """Some rows of each table; the integers of those of -1, which are absent, are zero."""
    taken = tf.maximum(rows, 0)
    return [
        (tf.gather(values, taken), tf.where(rows < 0, 0, tf.gather(numbers, taken)))
        for values, numbers in tables
    ]
