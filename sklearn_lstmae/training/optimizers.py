"""Keras' optimizers in a stateless form: values in, values out.

Keras offers ``stateless_apply`` on JAX only. On TensorFlow the rules themselves, ``update_step``,
work just as well once the assignments go to a `keras.StatelessScope` instead of a ``tf.Variable``.
"""

from typing import Any

import numpy as np

from sklearn_lstmae.network._tensorflow import keras

_CLASSES = {
    "adadelta": keras.optimizers.Adadelta,
    "adagrad": keras.optimizers.Adagrad,
    "adam": keras.optimizers.Adam,
    "adamax": keras.optimizers.Adamax,
    "adamw": keras.optimizers.AdamW,
    "lion": keras.optimizers.Lion,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}


class StatelessOptimizer:
    """One of Keras' elementwise optimizers, for one vector of weights.

    Parameters
    ----------
    name : key of the table above
    size : int
        Length of the vector.
    """

    def __init__(self, name, size):
        self._rule = _stateless(_CLASSES[name])()
        self._vector = keras.Variable(np.zeros(size), dtype="float32", name="weights")
        self._rule.build([self._vector])

    def initial_state(self):
        """The optimizer's variables before the first step: list of float32 and int64 arrays.

        Keras keeps its learning rate in the dtype of `keras.config.floatx`, which is not read here.
        """
        values = [variable.numpy() for variable in self._rule.variables]
        return [value if value.dtype.kind == "i" else value.astype(np.float32) for value in values]

    def update(self, state, gradient, vector, rate):
        """One step: list of tensors, (W,), (W,), scalar -> vector (W,), list of tensors."""
        if self._rule.weight_decay is not None:
            vector -= vector * self._rule.weight_decay * rate
        variables = self._rule.variables
        mapping = [(self._vector, vector), *zip(variables, state, strict=True)]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            self._rule.update_step(gradient, self._vector, rate)
            self._rule.iterations.assign(self._rule.iterations + 1)
        return scope.get_current_value(self._vector), [
            keras.ops.cast(scope.get_current_value(variable), before.dtype)
            for variable, before in zip(variables, state, strict=True)
        ]


def _stateless(optimizer: Any) -> Any:
    """Keras optimizer class -> the same class, assigning to Keras variables only."""

    class Stateless(optimizer):
        def _var_key(self, variable):
            return id(variable)

        def assign(self, variable, value):
            variable.assign(value)

        def assign_add(self, variable, value):
            variable.assign(variable + value)

        def assign_sub(self, variable, value):
            variable.assign(variable - value)

    return Stateless
