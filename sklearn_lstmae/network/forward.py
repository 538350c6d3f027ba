"""A fitted network in NumPy: it encodes and decodes without TensorFlow.

All arrays are (columns, places of a block), a row to a place, so that each step of a layer is one
product of matrices: its gates are [R | K | b] times what stands above each other in memory at that
step, the state before it, what it reads, and a one.

Letters: B places of a block, b rows that fill some, K frames, P steps a frame, F features, U units,
C columns of the code, D columns of whatever.
"""

from itertools import pairwise

import numpy as np

from sklearn_lstmae.network.architecture import TIME_WAVELENGTHS, Architecture

# A row's result depends on no other row and on no place in its block, to the bit, if blocks have a
# fixed width, whose remainder by the width of a vector is 0, products run on one thread, and no row
# is in the first and last places: OpenBLAS' Haswell kernel computes these in another order than all
# between them. The tests pass with its kernels for Nehalem, Sandybridge, SkylakeX and Cooperlake,
# too (OPENBLAS_CORETYPE).
WIDEST, NARROWEST, MARGIN = 256, 32, 8
GATE_VALUES = 2**15  # gates of a block that the cache of a core holds
BLOCK_VALUES = 2**24  # in the memory of a layer

FORWARDS, BACKWARDS = slice(None), slice(None, None, -1)

FREQUENCIES = 2.0 * np.pi / np.asarray(TIME_WAVELENGTHS, np.float32)

# Products of larger values would leave float32, and infinities of both signs make NaN.
LARGEST = 1e18


def block_rows(architecture: Architecture, n_frames):
    """Rows of a block of sequences of ``n_frames`` frames."""
    return block_width(architecture, n_frames) - 2 * MARGIN


def block_width(architecture: Architecture, n_frames):
    """Places of such a block, those at its edges included."""
    units = architecture.most_units
    widest = units + max(architecture.input_width, 2 * units)
    width = WIDEST
    while width > NARROWEST and (
        4 * width * units > GATE_VALUES or width * n_frames * widest > BLOCK_VALUES
    ):
        width //= 2
    return width


class ForwardNetwork:
    """An encoder and decoders with weights.

    Parameters
    ----------
    architecture : Architecture
    weights : list of float32 arrays
        In the order of `weights.weight_shapes`.
    """

    def __init__(self, architecture: Architecture, weights):
        weights = iter(weights)
        self.architecture = architecture
        self.encoder = Encoder(architecture, weights)
        self.decoders = {name: Decoder(architecture, weights) for name in architecture.decoders}

    def encode(self, frames, lengths):
        """Codes of at most `block_rows` sequences: (b, K, P * F), (b,) steps -> (b, C)."""
        block = self._places(len(frames), frames.shape[1])
        with np.errstate(all="ignore"):
            parts, seen = read_frames(self.architecture, frames, lengths, *block)
            return np.ascontiguousarray(self.encoder(parts, seen)[:, block[0]].T)

    def decode(self, codes, lengths, n_frames, decoder="reconstruct"):
        """Frames of at most `block_rows` codes in the order of time: (b, C) -> (b, K, P * F)."""
        places, width = self._places(len(codes), n_frames)
        block = np.zeros((codes.shape[1], width), np.float32)
        block[:, places] = codes.T
        with np.errstate(all="ignore"):
            said = self.decoders[decoder](block, n_frames)  # (K, P * F, B)
        frames = np.ascontiguousarray(said[:, :, places].transpose(2, 0, 1))
        if not self.architecture.says_backwards(decoder):
            return frames
        place = np.arange(n_frames)
        last = self.architecture.n_frames(lengths)[:, np.newaxis] - 1  # (b, 1)
        place = np.where(place <= last, last - place, place)  # (b, K)
        place += n_frames * np.arange(len(codes))[:, np.newaxis]
        return frames.reshape(-1, frames.shape[2])[place]

    def _places(self, n_rows, n_frames):
        """Where in a block the rows are, and how wide it is."""
        width = block_width(self.architecture, n_frames)
        return slice(MARGIN, MARGIN + n_rows), width


def read_frames(architecture, frames, lengths, places, width):
    """What the encoder reads: (b, K, P * F), (b,) -> list of (K, D, B), seen (K, B) or None.

    ``places`` of a block of ``width`` are these rows'; in others are zeros, as long as any.
    """
    n_frames, patch = frames.shape[1], architecture.patch_size
    values = np.zeros((n_frames, frames.shape[2], width), np.float32)
    np.clip(frames.transpose(1, 2, 0), -LARGEST, LARGEST, out=values[:, :, places])
    ends = np.full(width, n_frames * patch)
    ends[places] = lengths
    steps = np.arange(n_frames * patch).reshape(n_frames, patch, 1)
    real = steps < ends  # (K, P, B)
    observed = np.repeat(real, architecture.n_features, axis=1)
    if architecture.tells_missing:
        observed &= ~np.isnan(values)
    np.copyto(values, 0.0, where=~observed)
    indicators = observed if architecture.tells_missing else real
    if patch == 1 and not architecture.tells_missing:
        indicators = real[:, :0]
    seen = real[:, 0]
    return [values, indicators], None if seen.all() else seen


class Encoder:
    """Frames -> code."""

    def __init__(self, architecture, weights):
        self.architecture = architecture
        ways = 2 if architecture.bidirectional else 1
        self.hidden = [
            [Lstm(weights, architecture.activation) for _ in range(ways)]
            for _ in architecture.hidden_units
        ]
        if architecture.bottleneck == "dense":
            self.bottleneck = take_dense(weights)
        else:
            self.bottleneck = Lstm(weights, architecture.activation)
        if architecture.variational:
            take_dense(weights)  # how sure it is of a code: of use in training alone

    def __call__(self, parts, seen):
        """List of (K, D, B), (K, B) or None -> (C, B)."""
        for ways in self.hidden:
            outputs, lasts = [], []
            for way, turn in zip(ways, (FORWARDS, BACKWARDS), strict=False):
                run = Pass(way, [part[turn] for part in parts])
                outputs.append(run.go(None if seen is None else seen[turn])[turn])
                lasts.append(run.hidden[-1])
            parts, last = outputs, np.concatenate(lasts)
        kind = self.architecture.bottleneck
        if kind == "dense":
            return dense(self.bottleneck, self._pool(parts, last, seen))
        run = Pass(self.bottleneck, parts)
        run.go(seen)
        states = {"hidden": [run.hidden[-1]], "cell": [run.cell]}
        states["hidden_cell"] = states["hidden"] + states["cell"]
        return np.concatenate(states[kind])

    def _pool(self, parts, last, seen):
        """List of (K, D, B), (V, B), (K, B) or None -> (V, B) or (2V, B)."""
        if self.architecture.pooling == "last":
            return last
        if seen is None:
            mean = np.concatenate([part.sum(0) for part in parts]) / np.float32(len(parts[0]))
        else:
            held = seen[:, np.newaxis]
            total = np.concatenate([np.where(held, part, 0).sum(0) for part in parts])
            mean = total / np.maximum(seen.sum(0), 1).astype(np.float32)
        return mean if self.architecture.pooling == "mean" else np.concatenate([last, mean])


class Decoder:
    """Code -> frames, in the order in which the decoder says them."""

    def __init__(self, architecture, weights):
        self.architecture = architecture
        units = architecture.hidden_units[::-1]
        is_dense = architecture.bottleneck == "dense"
        if not is_dense:
            units = (architecture.latent_dim, *units)
        self.starts_with_code = "state" in architecture.decoder_start
        starts = units if self.starts_with_code and is_dense else ()
        self.starts = [take_dense(weights) for _ in starts]
        self.hidden = [Lstm(weights, architecture.activation) for _ in units]
        self.output = take_dense(weights)

    def __call__(self, code, n_frames):
        """(C, B) -> (K, P * F, B)."""
        architecture = self.architecture
        first, *others = self.hidden
        time = self._time(n_frames)  # (K, D)
        n_time, n_code = time.shape[1], len(code) if "input" in architecture.decoder_start else 0
        n_read = first.kernel.shape[1] - n_time - n_code
        kernels = np.split(first.kernel, [n_time, n_time + n_read], axis=1)
        states = self._states(code)
        previous = np.zeros((n_frames, n_read, code.shape[1]), np.float32)
        run = Pass(
            first,
            [previous],
            kernel=kernels[1],
            biases=time @ kernels[0].T + first.bias,
            constant=kernels[2] @ code if n_code else None,
            state=states[0],
        )
        if architecture.conditional:
            return self._say_freely(run, others, states)
        outputs = run.go()
        for layer, state in zip(others, states[1:], strict=True):
            outputs = Pass(layer, [outputs], state=state).go()
        return dense(self.output, outputs)

    def _say_freely(self, first, others, states):
        """One frame after another, each read for the next: -> (K, P * F, B)."""
        n_frames, _, n_rows = first.inputs.shape
        runs = [first]
        for layer, state in zip(others, states[1:], strict=True):
            empty = np.zeros((n_frames, layer.kernel.shape[1], n_rows), np.float32)
            runs.append(Pass(layer, [empty], state=state))
        said = np.empty((n_frames, self.architecture.frame_width, n_rows), np.float32)
        for k in range(n_frames):
            first.step(k)
            for below, run in pairwise(runs):
                run.inputs[k] = below.hidden[k + 1]
                run.step(k)
            said[k] = dense(self.output, runs[-1].hidden[k + 1])
            if k + 1 < n_frames:
                first.inputs[k + 1] = said[k]
        return said

    def _time(self, n_frames):
        """What the first layer reads beside the code and frames: (K, D)."""
        architecture = self.architecture
        positions = np.arange(n_frames, dtype=np.float32)[:, np.newaxis]
        if architecture.time_encoding:
            angles = positions * FREQUENCIES
            return np.hstack([np.sin(angles), np.cos(angles)])
        marks = not ("input" in architecture.decoder_start or architecture.conditional)
        return (positions == 0).astype(np.float32)[:, : int(marks)]

    def _states(self, code):
        """(C, B) -> for each layer (hidden, cell), or None for zeros."""
        if not self.starts_with_code:
            return [None] * len(self.hidden)
        if self.starts:
            return [np.split(dense(start, code), 2) for start in self.starts]
        zeros = np.zeros_like(code)
        state = {"hidden": (code, zeros), "cell": (zeros, code)}.get(self.architecture.bottleneck)
        return [np.split(code, 2) if state is None else state] + [None] * (len(self.hidden) - 1)


class Lstm:
    """The weights of a layer, arranged: gates in, forget, out, candidate, the first three halved.

    A sigmoid of a is (1 + tanh(a / 2)) / 2, so that one tanh serves all gates.
    """

    def __init__(self, weights, activation):
        self.kernel, self.recurrent, self.bias = (self._arrange(next(weights)) for _ in range(3))
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
    layer : Lstm
    parts : list of arrays of shape (K, D, B)
        What it reads.
    kernel : ndarray of shape (4U, D), optional
        Of what it reads, if that is not all of the layer's kernel.
    biases : ndarray of shape (K, 4U), optional
        If they differ from step to step.
    constant : ndarray of shape (4U, B), optional
        Added to the gates at each step.
    state : (hidden, cell), arrays of shape (U, B), optional
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
        self.hidden[0], cell = (0.0, 0.0) if state is None else state
        self.cell = np.empty((units, n_rows), np.float32)
        self.cell[...] = cell
        self.gates = np.empty((4 * units, n_rows), np.float32)
        self.smooth, self.candidate = self.gates[: 3 * units], self.gates[3 * units :]
        self.entry, self.forget, self.exit = self.smooth.reshape(3, units, n_rows)

    def go(self, seen=None):
        """All steps: (K, B) bool or None -> (K, U, B)."""
        for k in range(len(self.inputs)):
            if seen is None or seen[k].all():
                self.step(k)
            else:
                self._step_where(k, seen[k])
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

    def _step_where(self, k, seen):
        """Step ``k`` of some rows; others keep their state."""
        cell = self.cell.copy()
        self.step(k)
        np.copyto(self.cell, cell, where=~seen)
        np.copyto(self.hidden[k + 1], self.hidden[k], where=~seen)


def take_dense(weights):
    """The next kernel and bias, for columns: (E, D), (E, 1)."""
    kernel, bias = next(weights), next(weights)
    kernel, bias = np.asarray(kernel, np.float32), np.asarray(bias, np.float32)
    return np.ascontiguousarray(kernel.T), bias[:, np.newaxis]


def dense(layer, inputs):
    """(..., D, B) -> (..., E, B)."""
    kernel, bias = layer
    return kernel @ inputs + bias
