"""A network as ONNX operators, with ONNX's own LSTM, for which runtimes have a fast kernel.

``keras.Model.export`` would write a loop of small operators instead.

Letters: n sequences, K frames, U units, D columns of whatever. A vector is the name of a tensor
(n, D), a series that of a tensor (K, n, D), a mask that of the lengths (n,), int64, in frames.
"""

import itertools

import numpy as np

from .architecture import FREQUENCIES, Architecture
from .onnx_graph import Graph
from .wiring import LEAST_VARIANCE, Operations, Read, network_of


def _mean(graph, values, lengths, real):
    """(K, n, D), (n,), (K, n, 1) -> (n, D)."""
    total = graph.add("Where", real, values, np.float32(0))
    total = graph.add("ReduceSum", total, [0], keepdims=0)
    return graph.add("Div", total, graph.cast(graph.add("Unsqueeze", lengths, [1]), np.float32))


def _maximum(graph, values, lengths, real):
    """(K, n, D), (n,), (K, n, 1) -> (n, D)."""
    values = graph.add("Where", real, values, np.float32(-np.inf))
    return graph.add("ReduceMax", values, axes=[0], keepdims=0)


def _minimum(graph, values, lengths, real):
    """(K, n, D), (n,), (K, n, 1) -> (n, D)."""
    values = graph.add("Where", real, values, np.float32(np.inf))
    return graph.add("ReduceMin", values, axes=[0], keepdims=0)


def _deviation(graph, values, lengths, real):
    """(K, n, D), (n,), (K, n, 1) -> (n, D)."""
    difference = graph.add("Sub", values, _mean(graph, values, lengths, real))
    variance = _mean(graph, graph.add("Mul", difference, difference), lengths, real)
    return graph.add("Sqrt", graph.add("Add", variance, np.float32(LEAST_VARIANCE)))


POOL = {"mean": _mean, "maximum": _maximum, "minimum": _minimum, "deviation": _deviation}


class OnnxOperations(Operations):
    """The operations of a network with these weights, added to a graph.

    Parameters
    ----------
    graph : Graph
    architecture : Architecture
    weights : list of float32 arrays
        In the order of `wiring.Network.shapes`.
    """

    def __init__(self, graph: Graph, architecture: Architecture, weights):
        self._graph, self._architecture, self._weights = graph, architecture, weights
        self._of = network_of(architecture).by_layer(weights)

    def lstm(self, layer, read, *, mask=None, state=None):
        """Add ONNX's LSTM operator."""
        graph = self._graph
        series = self._columns(read, state)  # (K, n, D)
        lengths = "" if mask is None else graph.cast(mask, np.int32)
        state = ["" if v is None else graph.add("Unsqueeze", v, [0]) for v in state or (None, None)]
        kernel, recurrent, bias = map(_gates, self._of[layer])
        outputs, *state = graph.add(
            "LSTM",
            series,
            kernel.T[np.newaxis],
            recurrent.T[np.newaxis],
            # ONNX has a second bias, within the recurrence.
            np.concatenate([bias, np.zeros_like(bias)])[np.newaxis],
            lengths,
            *state,
            n_outputs=3,
            hidden_size=layer.units,
            direction="reverse" if layer.backwards else "forward",
            activations=["Sigmoid", *[self._architecture.activation.capitalize()] * 2],
        )
        hidden, cell = (graph.add("Squeeze", each, [0]) for each in state)
        return graph.add("Squeeze", outputs, [1]), (hidden, cell)

    def dense(self, layer, columns):
        """Add a matrix product."""
        kernel, bias = self._of[layer]
        return self._graph.add("Add", self._graph.add("MatMul", columns, kernel), bias)

    def join(self, vectors):
        """Vectors as one."""
        return self._graph.add("Concat", *vectors, axis=1)

    def halves(self, vector):
        """Two vectors."""
        return self._graph.add("Split", vector, n_outputs=2, axis=1)

    def pool(self, kind, series, mask):
        """A statistic over the real frames."""
        graph = self._graph
        values = graph.add("Concat", *series, axis=2)
        real = graph.add("Unsqueeze", graph.mask(graph.size(values, 0), mask), [2])
        return POOL[kind](graph, values, mask, real)

    def time(self, n_frames, kind):
        """The time of each frame: (K, 1, D) of (1,)."""
        graph = self._graph
        positions = graph.add("Unsqueeze", graph.cast(graph.range(n_frames), np.float32), [1, 2])
        if kind == "encoded":
            angles = graph.add("Mul", positions, FREQUENCIES)
            return graph.add("Concat", graph.add("Sin", angles), graph.add("Cos", angles), axis=2)
        start = graph.cast(graph.add("Equal", positions, np.float32(0)), np.float32)
        return start if kind == "first" else graph.add("Slice", start, [0], [0], [2])

    def scan(self, decoder, code, read, states, n_frames):
        """Add ONNX's Scan operator, whose body is the decoder for one frame."""
        graph, rows = self._graph, self._graph.size(code, 0)

        def make_zeros(*shape):
            return graph.add("Expand", np.float32(0), graph.add("Concat", *shape, axis=0))

        first = [make_zeros([1], rows, [decoder.output.units])]
        for layer, state in zip(decoder.hidden, states, strict=True):
            zeros = make_zeros(rows, [layer.units])
            first += [zeros if vector is None else vector for vector in state or (None, None)]

        body = Graph(graph.onnx, outer=graph)
        names = [f"before_{number}" for number in range(len(first))]
        time = body.add("Unsqueeze", "time", [0])  # (1, 1, D)
        operations = OnnxOperations(body, self._architecture, self._weights)
        states = list(zip(names[1::2], names[2::2], strict=True))
        frame, states = decoder.run(operations, Read(time, (names[0],), read.code), states)
        after = [frame, *itertools.chain(*states), body.add("Squeeze", frame, [0])]
        body = body.finish(
            "frame",
            [body.describe(name, np.float32, None) for name in [*names, "time"]],
            [body.output(f"after_{number}", each, None) for number, each in enumerate(after)],
        )
        *_, frames = graph.add(
            "Scan", *first, read.time, n_outputs=len(after), body=body, num_scan_inputs=1
        )
        return frames

    def _columns(self, read, state):
        """All that a layer reads as one series."""
        graph, parts = self._graph, list(read.series)
        if read.time is not None:
            parts.insert(0, read.time)
        if read.code is not None:
            parts.append(graph.add("Unsqueeze", read.code, [0]))
        if read.time is not None:  # it is the same for all rows, and a code at all frames
            vectors = [v for v in (read.code, *(state or ())) if v is not None]
            rows = graph.size(vectors[0], 0) if vectors else graph.size(read.series[0], 1)
            shape = graph.add("Concat", graph.size(read.time, 0), rows, [1], axis=0)
            parts = [graph.add("Expand", part, shape) for part in parts]
        return graph.add("Concat", *parts, axis=2)


def _gates(weights):
    """Keras' order of gates (input, forget, candidate, output) -> ONNX's (i, o, f, c)."""
    entry, forget, candidate, exit_ = np.split(weights, 4, axis=-1)
    return np.concatenate([entry, exit_, forget, candidate], axis=-1)
