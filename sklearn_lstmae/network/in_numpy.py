"""A network in NumPy: what encodes and decodes once it is fitted, without TensorFlow.

All arrays are (columns, places of a block), a sequence to a place, so that each step of a layer is
one product of matrices: its gates are [R | K | b] times what stands above each other in memory at
that step, the state before it, what it reads, and a one.

Letters: B places of a block, K frames, U units, D columns of whatever. A vector is (D, B), a series
(K, D, B), a mask (K, B) or None, where nothing is masked.
"""

from itertools import pairwise
from typing import Any

import numpy as np

from .architecture import FREQUENCIES, Architecture
from .wiring import LEAST_VARIANCE, TIMES, Lstm, Operations, Read, first_given, network_of

FORWARDS, BACKWARDS = slice(None), slice(None, None, -1)


def _mean(values, mask):
    """(K, D, B), (K, B) or None -> (D, B)."""
    if mask is None:
        return values.sum(0) / np.float32(len(values))
    total = np.where(mask[:, np.newaxis], values, 0).sum(0)
    return total / np.maximum(mask.sum(0), 1).astype(np.float32)


def _maximum(values, mask):
    """(K, D, B), (K, B) or None -> (D, B)."""
    if mask is None:
        return values.max(0)
    maximum = np.where(mask[:, np.newaxis], values, np.float32(-np.inf)).max(0)
    return np.where(mask.any(0), maximum, np.float32(0))


def _minimum(values, mask):
    """(K, D, B), (K, B) or None -> (D, B)."""
    return -_maximum(-values, mask)


def _deviation(values, mask):
    """(K, D, B), (K, B) or None -> (D, B)."""
    variance = _mean(np.square(values - _mean(values, mask)), mask)
    return np.sqrt(variance + np.float32(LEAST_VARIANCE))


POOL = {"mean": _mean, "maximum": _maximum, "minimum": _minimum, "deviation": _deviation}


class NumpyOperations(Operations):
    """The operations of a network with these weights.

    Parameters
    ----------
    architecture : Architecture
    weights : list of float32 arrays
        In the order of `wiring.Network.shapes`.
    """

    def __init__(self, architecture: Architecture, weights):
        self._weights = network_of(architecture).by_layer(weights)
        self._activation = architecture.activation
        self._arranged: dict[Any, Any] = {}

    def _weights_of(self, layer):
        """The weights of a layer, arranged when it is first run: an encoder needs no decoder's."""
        if layer not in self._arranged:
            weights = self._weights[layer]
            self._arranged[layer] = (
                ArrangedLstm(weights, self._activation)
                if isinstance(layer, Lstm)
                else _columns_first(*weights)
            )
        return self._arranged[layer]

    def lstm(self, layer, read, *, mask=None, state=None):
        """Run a layer over a block."""
        turn = BACKWARDS if layer.backwards else FORWARDS
        run = self._pass(layer, read, state, turn=turn)
        outputs = run.go(None if mask is None else mask[turn])[turn]
        return outputs, (run.hidden[-1], run.cell)

    def dense(self, layer, columns):
        """(..., D, B) -> (..., E, B)."""
        kernel, bias = self._weights_of(layer)
        return kernel @ columns + bias

    def join(self, vectors):
        """Vectors as one."""
        return np.concatenate(vectors)

    def halves(self, vector):
        """Two vectors."""
        return np.split(vector, 2)

    def pool(self, kind, series, mask):
        """A statistic over the real frames."""
        return np.concatenate([POOL[kind](values, mask) for values in series])

    def time(self, n_frames, kind):
        """The time of each frame: (K, D)."""
        positions = np.arange(n_frames, dtype=np.float32)[:, np.newaxis]
        if kind == "encoded":
            angles = positions * FREQUENCIES
            return np.hstack([np.sin(angles), np.cos(angles)])
        return (positions == 0).astype(np.float32)[:, : TIMES[kind]]

    def scan(self, decoder, code, read, states, n_frames):
        """One frame after another in the memory of one pass for each layer."""
        first, *others = decoder.hidden
        width, n_rows = decoder.architecture.frame_width, code.shape[1]
        previous = np.zeros((n_frames, width, n_rows), np.float32)
        runs = [self._pass(first, Read(read.time, (previous,), read.code), states[0])]
        for layer, state in zip(others, states[1:], strict=True):
            below = np.zeros((n_frames, layer.width, n_rows), np.float32)
            runs.append(self._pass(layer, Read(series=(below,)), state))
        frames = np.empty_like(previous)
        for k in range(n_frames):
            runs[0].step(k)
            for below, run in pairwise(runs):
                run.inputs[k] = below.hidden[k + 1]
                run.step(k)
            frames[k] = self.dense(decoder.output, runs[-1].hidden[k + 1])
            if k + 1 < n_frames:
                runs[0].inputs[k + 1] = frames[k]
        return frames

    def _pass(self, layer, read, state, turn=FORWARDS):
        """The pass of a layer over what it reads.

        What is the same for all sequences is added to the bias, and what is the same at all frames
        to the gates, once.
        """
        arranged = self._weights_of(layer)
        series = [values[turn] for values in read.series]
        if read.time is None and read.code is None:
            return Pass(arranged, series, state=state)
        n_time = 0 if read.time is None else read.time.shape[1]
        n_code = 0 if read.code is None else len(read.code)
        ends = [n_time, arranged.kernel.shape[1] - n_code]
        of_time, kernel, of_code = np.split(arranged.kernel, ends, axis=1)
        if not series:
            n_rows = first_given(read.code, *(state or ())).shape[1]
            series = [np.empty((len(read.time), 0, n_rows), np.float32)]
        return Pass(
            arranged,
            series,
            kernel=kernel,
            biases=None if read.time is None else read.time[turn] @ of_time.T + arranged.bias,
            constant=of_code @ read.code if n_code else None,
            state=state,
        )


class ArrangedLstm:
    """The weights of a layer, arranged: gates in, forget, out, candidate, the first three halved.

    A sigmoid of a is (1 + tanh(a / 2)) / 2, so that one tanh serves all gates.
    """

    def __init__(self, weights, activation):
        self.kernel, self.recurrent, self.bias = map(self._arrange, weights)
        self.activation = activation
        self.units = self.recurrent.shape[1]

    @staticmethod
    def _arrange(array):
        """(..., 4U) -> (4U, ...)."""
        entry, forget, candidate, exit_ = np.split(np.asarray(array, np.float32), 4, axis=-1)
        half = np.float32(0.5)
        gates = [half * entry, half * forget, half * exit_, candidate]
        return np.ascontiguousarray(np.concatenate(gates, axis=-1).T)


class Pass:
    """One way of a layer through a block.

    Parameters
    ----------
    layer : ArrangedLstm
    parts : list of arrays of shape (K, D, B)
        The columns that the layer reads.
    kernel : ndarray of shape (4U, D), optional
        The part of the layer's kernel that ``parts`` need, if that is not all of it.
    biases : ndarray of shape (K, 4U), optional
        If they differ from step to step.
    constant : ndarray of shape (4U, B), optional
        Added to the gates at each step.
    state : (hidden, cell), arrays of shape (U, B) or None, optional
        Before the first step; zeros by default.
    """

    def __init__(self, layer, parts, *, kernel=None, biases=None, constant=None, state=None):
        kernel = layer.kernel if kernel is None else kernel
        units, self.activation = layer.units, layer.activation
        self.biases, self.constant = biases, constant
        self.matrix = np.hstack([layer.recurrent, kernel, layer.bias[:, np.newaxis]])
        n_frames, n_rows = parts[0].shape[0], parts[0].shape[2]
        memory = np.empty((n_frames + 1, self.matrix.shape[1], n_rows), np.float32)
        self.memory, self.hidden, self.inputs = memory, memory[:, :units], memory[:-1, units:-1]
        memory[:, -1] = 1.0
        place = 0
        for part in parts:
            self.inputs[:, place : place + part.shape[1]] = part
            place += part.shape[1]
        hidden, cell = state or (None, None)
        self.hidden[0] = 0.0 if hidden is None else hidden
        self.cell = np.empty((units, n_rows), np.float32)
        self.cell[...] = 0.0 if cell is None else cell
        self.gates = np.empty((4 * units, n_rows), np.float32)
        self.smooth, self.candidate = self.gates[: 3 * units], self.gates[3 * units :]
        self.entry, self.forget, self.exit = self.smooth.reshape(3, units, n_rows)

    def go(self, mask=None):
        """All steps: (K, B) bool or None -> (K, U, B)."""
        for k in range(len(self.inputs)):
            if mask is None or mask[k].all():
                self.step(k)
            else:
                self._step_where(k, mask[k])
        return self.hidden[1:]

    def step(self, k):
        """Step ``k`` of all rows."""
        if self.biases is not None:
            self.matrix[:, -1] = self.biases[k]
        np.matmul(self.matrix, self.memory[k], out=self.gates)
        if self.constant is not None:
            self.gates += self.constant
        if self.activation == "tanh":
            np.tanh(self.gates, out=self.gates)
        else:
            np.tanh(self.smooth, out=self.smooth)
            np.maximum(self.candidate, 0.0, out=self.candidate)
        self.smooth *= 0.5
        self.smooth += 0.5
        self.cell *= self.forget
        self.entry *= self.candidate
        self.cell += self.entry
        if self.activation == "tanh":
            np.tanh(self.cell, out=self.candidate)
        else:
            np.maximum(self.cell, 0.0, out=self.candidate)
        np.multiply(self.exit, self.candidate, out=self.hidden[k + 1])

    def _step_where(self, k, mask):
        """Step ``k`` of some rows; others keep their state."""
        cell = self.cell.copy()
        self.step(k)
        np.copyto(self.cell, cell, where=~mask)
        np.copyto(self.hidden[k + 1], self.hidden[k], where=~mask)


def _columns_first(kernel, bias):
    """Weights of a dense layer for columns: (E, D), (E, 1)."""
    kernel, bias = np.asarray(kernel, np.float32), np.asarray(bias, np.float32)
    return np.ascontiguousarray(kernel.T), bias[:, np.newaxis]
