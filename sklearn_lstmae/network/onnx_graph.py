"""A graph of ONNX operators, built line by line; it knows nothing of what it computes.

A tensor in the graph is known by its name, a string. Operators take arrays too, which become
constants.
"""

import itertools

import numpy as np


class Graph:
    """Operators and constants, collected.

    Parameters
    ----------
    onnx : module
        The imported package; the caller has handled its absence.

    outer : Graph, default=None
        The one that this is a part of, as the body of a loop; its tensors can be read here.
    """

    def __init__(self, onnx, outer=None):
        self.onnx = onnx
        self._nodes = []
        self._constants = {}
        self._numbers = itertools.count() if outer is None else outer._numbers

    def add(self, operator, *inputs, n_outputs=1, **attributes):
        """Apply an operator to tensors; the name of what comes out, or a list of names."""
        names = [each if isinstance(each, str) else self._constant(each) for each in inputs]
        outputs = [f"{operator}_{next(self._numbers)}" for _ in range(n_outputs)]
        self._nodes.append(self.onnx.helper.make_node(operator, names, outputs, **attributes))
        return outputs[0] if n_outputs == 1 else outputs

    def cast(self, tensor, dtype):
        """The same values in another dtype."""
        return self.add("Cast", tensor, to=self._type(dtype))

    def size(self, tensor, axis):
        """Length of an axis, an int64 tensor of shape (1,)."""
        return self.add("Shape", tensor, start=axis, end=axis + 1)

    def range(self, size):
        """0, 1, ... size - 1, int64, of a size of shape (1,)."""
        return self.add("Range", np.int64(0), self.add("Squeeze", size), np.int64(1))

    def mask(self, size, lengths):
        """(1,), (n,) -> (size, n) bool: the place is within the length."""
        return self.add("Less", self.add("Unsqueeze", self.range(size), [1]), lengths)

    def describe(self, name, dtype, shape):
        """An input or output; lengths may be names, or None if unknown."""
        return self.onnx.helper.make_tensor_value_info(name, self._type(dtype), shape)

    def output(self, name, tensor, shape):
        """A float32 tensor as an output of this name."""
        self._nodes.append(self.onnx.helper.make_node("Identity", [tensor], [name]))
        return self.describe(name, np.float32, shape)

    def finish(self, name, inputs, outputs):
        """All of it as a GraphProto."""
        constants = [
            self.onnx.numpy_helper.from_array(array, constant)
            for constant, array in self._constants.items()
        ]
        return self.onnx.helper.make_graph(self._nodes, name, inputs, outputs, constants)

    def _type(self, dtype):
        return self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))

    def _constant(self, value):
        name = f"constant_{next(self._numbers)}"
        self._constants[name] = np.asarray(value)
        return name
