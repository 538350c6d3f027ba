"""The compiled training step: many minibatches in one call.

Letters: M sequences in memory, S minibatches, B sequences of a minibatch, W weights, J terms of
the loss.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from sklearn_lstmae.network._tensorflow import tf

from .minibatch import make_drop
from .optimizers import StatelessOptimizer
from .plan import TrainingPlan

# Seeds of each shard of each step, see `Shard`.
SEEDS = 64

# TensorFlow multiplies a gradient by the longest norm before it divides, so that more would make
# it infinite. The norm of a longer gradient is infinite itself.
LARGEST_NORM = 1e18


@dataclass(frozen=True)
class Recipe:
    """What a compiled training step depends on besides its objective.

    Numbers are its arguments, so that a search over them compiles once; whether there is any
    dropout, noise or clipping changes what is computed, and so is part of the recipe.
    """

    optimizer: str
    drops: bool
    is_noisy: bool
    clips: bool
    shards: int  # equal parts of a minibatch whose gradients are computed side by side
    xla: bool
    here: range  # the shards of this process
    reduce: Callable | None  # (tensor) -> its sum over all processes; None in a single one

    @classmethod
    def of(cls, plan: TrainingPlan, shards, xla, here=None, reduce=None):
        """The recipe of a plan; ``here`` is all shards by default."""
        return cls(
            plan.optimizer,
            plan.dropout > 0,
            plan.noise > 0,
            plan.clipnorm is not None,
            shards,
            xla,
            range(shards) if here is None else here,
            reduce,
        )


class Numbers(NamedTuple):
    """What a step takes of a plan as arguments, besides learning rates and term weights."""

    dropout: Any
    noise: Any
    clipnorm: Any


@dataclass(frozen=True)
class Shard:
    """How a part of a minibatch is computed.

    Attributes
    ----------
    key : int32 tensor of shape (2,)
        Seeds of this shard start here. Dropout varies the first number, all else the second.
    drop : callable (tensor) -> tensor, or None
        Dropout.
    noise : float32 scalar tensor or None
        Deviation of the noise.
    xla : bool
        Whether XLA compiles it.
    """

    key: Any
    drop: Callable | None
    noise: Any
    xla: bool

    def seed(self, number):
        """One of `SEEDS` seeds."""
        return self.key + tf.constant([0, number])


class Objective(Protocol):
    """What is learned in a training step: a frozen value, equal ones share compiled steps."""

    @property
    def layers(self) -> list:
        """The `wiring.Dense` and `wiring.Lstm` that are trained."""

    @property
    def shapes(self) -> list:
        """Shapes of their weights."""

    @property
    def tables(self) -> list:
        """Specifications of the data that a step reads, a row for each sequence."""

    @property
    def constants(self) -> list:
        """Specifications of further arrays that the losses depend on."""

    @property
    def n_terms(self) -> int:
        """J, terms of the loss."""

    def load(self, block):
        """Arrays of a `sequences.frames.FrameBlock`, in the order of ``tables``."""

    def counts(self, tables):
        """How many errors each term sums up: tensors of a minibatch -> (J,)."""

    def losses(self, weights, tables, shard: Shard, *constants):
        """Sum of the errors of each term: (J,)."""

    def names(self, means):
        """Mean losses (epochs, J) as they stand in a history: dict of lists."""


class TrainingSteps:
    """Train weights on one minibatch after the other.

    All weights are one vector here, so that an optimizer's update is a handful of operations.

    Parameters
    ----------
    objective : Objective
    recipe : Recipe
    """

    def __init__(self, objective: Objective, recipe: Recipe):
        self.objective, self.recipe = objective, recipe
        self._sizes = [int(np.prod(shape)) for shape in objective.shapes]
        self._optimizer = StatelessOptimizer(recipe.optimizer, sum(self._sizes))
        # Functions of their own, since TensorFlow counts the tracings of a method over all objects
        # and warns of many.
        compiler = {"autograph": False, "jit_compile": recipe.xla}
        self._gradient = tf.function(lambda *args: self._shard_gradient(*args), **compiler)
        self._update = tf.function(lambda *args: self._clip_and_update(*args), **compiler)
        self._run = self._trace()

    def initial_state(self):
        """The optimizer's variables before the first step: list of arrays."""
        return self._optimizer.initial_state()

    def __call__(self, plan, weights, state, tables, order, rates, first_step, constants=()):
        """Train.

        Parameters
        ----------
        plan : TrainingPlan
            Its numbers and its seed.
        weights, state : lists of arrays
            Weights, and variables of the optimizer.
        tables : list of arrays
            The data, M rows each, as `Objective.load` returns them.
        order : int32 array of shape (S, shards of this process, B / shards)
            Rows of each minibatch, -1 for none.
        rates : float32 array of shape (S,)
            Learning rates.
        first_step : int
            Number of the first of these steps. All that is drawn follows it and the seed.
        constants : sequence of float32 arrays
            As the objective specifies them.

        Returns
        -------
        weights, state : as given, after the last step
        losses : array of shape (S, J)
            Sum of the errors of each term, over all processes.
        counts : array of shape (S, J)
            Number of these errors.
        """
        vector = np.concatenate([weight.ravel() for weight in weights])
        seed = np.array([plan.seed, first_step], np.int32)
        numbers = Numbers(plan.dropout, plan.noise, min(plan.clipnorm or 0.0, LARGEST_NORM))
        term_weights = np.array(plan.term_weights, np.float32)
        vector, state, losses, counts = self._run(
            vector, state, tables, order, rates, term_weights, seed, numbers, list(constants)
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
            tf.TensorSpec([None, len(self.recipe.here), None], tf.int32),  # order
            tf.TensorSpec([None]),  # rates
            tf.TensorSpec([self.objective.n_terms]),  # term weights
            tf.TensorSpec([2], tf.int32),  # seed, first step
            Numbers(tf.TensorSpec([]), tf.TensorSpec([]), tf.TensorSpec([])),
            self.objective.constants,
        ]
        traced = tf.function(self._loop, input_signature=signature, autograph=False)
        return traced.get_concrete_function()

    def _loop(self, vector, state, tables, order, rates, term_weights, seed, numbers, constants):
        n_steps, shards, here = tf.shape(order)[0], self.recipe.shards, self.recipe.here
        shape = [self.objective.n_terms]
        arrays = [tf.TensorArray(tf.float32, n_steps, element_shape=shape) for _ in range(2)]
        first_count = tf.zeros(shape)  # a single process counts at each step instead
        if self.recipe.reduce is not None:
            first_count = self.recipe.reduce(self._count(self._take_parts(tables, order[0])))

        def body(step, count, vector, state, losses, counts):
            parts = self._take_parts(tables, order[step])
            if self.recipe.reduce is None:
                count = self._count(parts)
            results = []
            for shard, part in zip(here, parts, strict=True):
                key = seed * [1, shards * SEEDS] + [0, (step * shards + shard) * SEEDS]
                scales = term_weights / tf.maximum(count, 1.0)
                results.append(self._gradient(vector, part, scales, key, numbers, constants))
            loss, gradient = (tf.add_n(list(both)) for both in zip(*results, strict=True))
            next_count = count
            if self.recipe.reduce is not None:
                # With the counts of the next step, so that each step has one exchange. Its size is
                # the same in all calls, since TensorFlow holds a collective to its first shape.
                next_order = order[tf.minimum(step + 1, n_steps - 1)]
                next_count = self._count(self._take_parts(tables, next_order))
                summed = self.recipe.reduce(tf.concat([loss, gradient, next_count], 0))
                loss, gradient, next_count = tf.split(summed, [*shape, sum(self._sizes), *shape])
            vector, state = self._update(state, gradient, vector, rates[step], numbers)
            written = losses.write(step, loss), counts.write(step, count)
            return step + 1, next_count, vector, state, *written

        _, _, vector, state, *arrays = tf.while_loop(
            lambda step, *_: step < n_steps,
            body,
            (0, first_count, vector, list(state), *arrays),
            # All processes must sum the same thing at a time.
            parallel_iterations=10 if self.recipe.reduce is None else 1,
        )
        return vector, state, *(array.stack() for array in arrays)

    def _take_parts(self, tables, order):
        """The rows of one step, (shards of this process, B / shards): tables of each shard."""
        return [_take(tables, order[place]) for place in range(len(self.recipe.here))]

    def _count(self, parts):
        """Number of errors that each term sums up over the shards of this process: (J,)."""
        return tf.add_n([self.objective.counts(part) for part in parts])

    def _shard_gradient(self, vector, tables, scales, key, numbers, constants):
        """Summed losses (J,) and the gradient (W,) of their sum in these scales (J,)."""
        shard = Shard(
            key,
            make_drop(numbers.dropout, key) if self.recipe.drops else None,
            numbers.noise if self.recipe.is_noisy else None,
            self.recipe.xla,
        )
        with tf.GradientTape() as tape:
            tape.watch(vector)
            parts = tf.split(vector, self._sizes)
            shapes = self.objective.shapes
            weights = [tf.reshape(*pair) for pair in zip(parts, shapes, strict=True)]
            losses = self.objective.losses(weights, tables, shard, *constants)
            total = tf.tensordot(losses, scales, 1)
        return losses, tape.gradient(total, vector)

    def _clip_and_update(self, state, gradient, vector, rate, numbers):
        """One step of the optimizer, with a gradient no longer than ``clipnorm``."""
        if self.recipe.clips:
            gradient = tf.clip_by_norm(gradient, numbers.clipnorm)
        return self._optimizer.update(state, gradient, vector, rate)


def _take(tables, rows):
    """Some rows of each table. Of rows of -1, which are absent, integers and booleans are zero."""
    taken = tf.maximum(rows, 0)
    return [_take_rows(table, taken, rows >= 0) for table in tables]


def _take_rows(table, rows, present):
    values = tf.gather(table, rows)
    if table.dtype == tf.float32:
        return values
    present = tf.reshape(present, [-1] + [1] * (table.shape.rank - 1))
    return tf.where(present, values, tf.zeros([], table.dtype))
