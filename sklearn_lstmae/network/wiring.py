"""The network, once: the layers of an `Architecture`, and the way from frames to codes and back.

Each back end computes layers in its own way: `in_numpy`, `in_tensorflow`, `in_keras` and
`in_onnx` each provide the `Operations`. A *vector* belongs to one sequence, a *series* has a vector
for each frame; what either is, an array or the name of a tensor, and in which order its axes come,
each back end decides.

Letters: K frames, D columns of whatever, C columns of the code, U units.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import Any

from .architecture import TIME_WAVELENGTHS, Architecture

# What a dense bottleneck sees of the encoder's outputs: "last" is the last state, all others
# are statistics over the real frames, `Operations.pool`.
POOLINGS = {
    "last": ("last",),
    "mean": ("mean",),
    "last_mean": ("last", "mean"),
    "all": ("last", "mean", "maximum", "minimum", "deviation"),
}

# Statistics that ``append_states`` appends to a code, of each output of the last LSTM layer.
STATES = ("mean", "deviation", "maximum", "minimum")

# Added to a variance below the root of a deviation, whose gradient would be infinite where all
# frames are equal, as they are in a sequence of one frame.
LEAST_VARIANCE = 1e-12

# What a decoder reads of the time -> columns: sine and cosine of each of `TIME_WAVELENGTHS`; 1 for
# the first frame and 0 for the others; nothing.
TIMES = {"encoded": 2 * len(TIME_WAVELENGTHS), "first": 1, "none": 0}


@dataclass(frozen=True)
class Dense:
    """A linear layer that reads ``width`` columns."""

    name: str
    width: int
    units: int

    @property
    def shapes(self):
        """Shape of each weight, in their order."""
        return {"kernel": (self.width, self.units), "bias": (self.units,)}


@dataclass(frozen=True)
class Lstm:
    """An LSTM layer, one way; gates in Keras' order: input, forget, candidate, output."""

    name: str
    width: int
    units: int
    backwards: bool = False

    @property
    def shapes(self):
        """Shape of each weight, in their order."""
        return {
            "kernel": (self.width, 4 * self.units),
            "recurrent_kernel": (self.units, 4 * self.units),
            "gate_bias": (4 * self.units,),
        }


@dataclass(frozen=True)
class Read:
    """What an LSTM layer reads at each frame: these columns, in this order.

    Attributes
    ----------
    time : array or tensor of shape (K, D), or None
        The same for all sequences. Its first axis is K even if it has no columns.
    series : tuple of series
    code : vector or None
        The same at all frames.
    """

    time: Any = None
    series: tuple = ()
    code: Any = None


def shapes_of(layers):
    """Shapes of the weights of layers, in their order: list of tuple."""
    return [shape for layer in layers for shape in layer.shapes.values()]


def first_given(*vectors):
    """The first vector that is not None."""
    return next(vector for vector in vectors if vector is not None)


class Operations(ABC):
    """What a back end must be able to do. A state is a pair of vectors, hidden and cell."""

    @abstractmethod
    def lstm(self, layer: Lstm, read: Read, *, mask=None, state=None):
        """Run over the frames: outputs, a series in the order of the frames, and the last state.

        A masked frame holds the state; its output is undefined. A ``state`` of None is zero, and
        so is a vector of None in it.
        """

    @abstractmethod
    def dense(self, layer: Dense, columns):
        """Apply a linear layer to a vector or a series."""

    @abstractmethod
    def join(self, vectors):
        """Vectors as one, columns after columns."""

    @abstractmethod
    def halves(self, vector):
        """Split a vector in two."""

    @abstractmethod
    def pool(self, kind, series, mask):
        """A statistic over the real frames of several series: one vector, 0 if there are none."""

    @abstractmethod
    def time(self, n_frames, kind):
        """The time of each frame as a decoder reads it, one of `TIMES`: (K, D).

        ``n_frames`` is K in whatever form the back end counts frames.
        """

    def drop(self, read: Read) -> Read:
        """Dropout, in training."""
        return read

    def scan(self, decoder, code, read: Read, states, n_frames):
        """Run a conditional decoder that reads its own previous frame: a series of frames.

        Each turn is `Decoder.run` with that frame as the series of ``read``; the first one reads a
        frame of zeros. Not needed in training, where the previous frames are known.
        """
        raise NotImplementedError(f"{type(self).__name__} knows the previous frames.")


class Encoder:
    """Frames -> code."""

    def __init__(self, architecture: Architecture):
        self.architecture = architecture
        ways = ("forward", "backward")[: 1 + architecture.bidirectional]
        width = architecture.input_width
        self.hidden = []
        for depth, units in enumerate(architecture.hidden_units):
            name = f"encoder_{depth}"
            self.hidden.append([Lstm(f"{name}_{w}", width, units, w == "backward") for w in ways])
            width = units * len(ways)
        self.spread = None
        if architecture.bottleneck == "dense":
            width *= len(POOLINGS[architecture.pooling])
            self.bottleneck: Dense | Lstm = Dense("bottleneck", width, architecture.latent_dim)
            if architecture.variational:
                self.spread = Dense("log_variance", width, architecture.latent_dim)
        else:
            self.bottleneck = Lstm("bottleneck", width, architecture.latent_dim)
        # The LSTM layers, with a state bottleneck: the ways of each.
        self.recurrent = list(self.hidden)
        if isinstance(self.bottleneck, Lstm):
            self.recurrent.append([self.bottleneck])

    @property
    def states_width(self):
        """Columns of the statistics of `encode_parts`."""
        return len(STATES) * sum(layer.units for layer in self.recurrent[-1])

    @property
    def layers(self):
        """Its layers in the order of their weights."""
        hidden = [layer for ways in self.hidden for layer in ways]
        return [*hidden, self.bottleneck, *([self.spread] if self.spread else [])]

    def encode(self, ops, series, mask):
        """The code, of a variational encoder its mean: a vector."""
        [code] = self.encode_parts(ops, series, mask, with_states=False)
        return code

    def encode_parts(self, ops, series, mask, with_states):
        """The code and, if asked for, the statistics `STATES`: a list of vectors.

        The latter are of the outputs of the last LSTM layer.
        """
        outputs, states = self._run(ops, series, mask)
        code = self._pool(ops, outputs, states, mask)
        if self.architecture.bottleneck == "dense":
            code = ops.dense(self.bottleneck, code)
        if not with_states:
            return [code]
        return [code, ops.join([ops.pool(kind, outputs, mask) for kind in STATES])]

    def pool(self, ops, series, mask):
        """What a dense bottleneck reads; with a state bottleneck the code itself."""
        outputs, states = self._run(ops, series, mask)
        return self._pool(ops, outputs, states, mask)

    def _run(self, ops, series, mask):
        """The series that the last LSTM layer outputs, one each way, and its last states."""
        read = Read(series=tuple(series))
        for ways in self.recurrent:
            read = ops.drop(read)
            runs = [ops.lstm(layer, read, mask=mask) for layer in ways]
            read = Read(series=tuple(outputs for outputs, _ in runs))
        return read.series, [state for _, state in runs]

    def _pool(self, ops, outputs, states, mask):
        if self.architecture.bottleneck == "dense":
            last = [hidden for hidden, _ in states]
            kinds = POOLINGS[self.architecture.pooling]
            pooled = [last if k == "last" else [ops.pool(k, outputs, mask)] for k in kinds]
            return ops.join([vector for vectors in pooled for vector in vectors])
        [(hidden, cell)] = states
        parts = {"hidden": [hidden], "cell": [cell], "hidden_cell": [hidden, cell]}
        return ops.join(parts[self.architecture.bottleneck])


class Decoder:
    """Code -> frames, in the order in which the decoder outputs them.

    Its layers are named after the task.
    """

    def __init__(self, architecture: Architecture, task):
        self.architecture = architecture
        is_dense = architecture.bottleneck == "dense"
        units = architecture.hidden_units[::-1]
        if not is_dense:
            units = (architecture.latent_dim, *units)
        self.reads_code = "input" in architecture.decoder_start
        self.starts_with_code = "state" in architecture.decoder_start
        self.time = "none" if self.reads_code or architecture.conditional else "first"
        if architecture.time_encoding:
            self.time = "encoded"
        width = TIMES[self.time]
        width += architecture.frame_width if architecture.conditional else 0
        width += architecture.code_width if self.reads_code else 0
        self.starts, self.hidden = [], []
        for depth, size in enumerate(units):
            name = f"{task}_{depth}"
            if self.starts_with_code and is_dense:
                self.starts.append(Dense(f"{name}_start", architecture.code_width, 2 * size))
            self.hidden.append(Lstm(name, width, size))
            width = size
        self.output = Dense(f"{task}_output", width, architecture.frame_width)

    @property
    def layers(self):
        """Its layers in the order of their weights."""
        return [*self.starts, *self.hidden, self.output]

    def decode(self, ops, code, n_frames, previous=None):
        """A series of frames.

        A conditional decoder reads ``previous``, a series of the frame before each, where it is
        known, else its own outputs (Srivastava et al. 2015, section 2.3).
        """
        known = () if previous is None else (previous,)
        read = Read(ops.time(n_frames, self.time), known, code if self.reads_code else None)
        read, states = ops.drop(read), self.first_states(ops, code)
        if self.architecture.conditional and previous is None:
            return ops.scan(self, code, read, states, n_frames)
        return self.run(ops, read, states)[0]

    def run(self, ops, read, states):
        """A series of frames, and the states of the layers after the last one."""
        after = []
        for depth, (layer, state) in enumerate(zip(self.hidden, states, strict=True)):
            outputs, state = ops.lstm(layer, ops.drop(read) if depth else read, state=state)
            read = Read(series=(outputs,))
            after.append(state)
        return ops.dense(self.output, outputs), after

    def first_states(self, ops, code):
        """State of each layer before the first frame."""
        if not self.starts_with_code:
            return [None] * len(self.hidden)
        if self.starts:
            return [ops.halves(ops.dense(start, code)) for start in self.starts]
        first = {
            "hidden": lambda: (code, None),
            "cell": lambda: (None, code),
            "hidden_cell": lambda: ops.halves(code),
        }
        return [first[self.architecture.bottleneck](), *[None] * (len(self.hidden) - 1)]


class Network:
    """An encoder and its decoders, without weights.

    Attributes
    ----------
    encoder : Encoder
    decoders : dict of Decoder
        By task.
    layers : list of Dense and Lstm
        In the order of the weights: encoder first.
    """

    def __init__(self, architecture: Architecture):
        self.encoder = Encoder(architecture)
        self.decoders = {task: Decoder(architecture, task) for task in architecture.decoders}
        parts: list = [self.encoder, *self.decoders.values()]
        self.layers = [layer for part in parts for layer in part.layers]

    @property
    def shapes(self):
        """Shapes of the weights, in their order: list of tuple."""
        return shapes_of(self.layers)

    def by_layer(self, weights):
        """Weights in their order -> {layer: list of its weights}."""
        weights = iter(weights)
        return {layer: [next(weights) for _ in layer.shapes] for layer in self.layers}


@cache
def network_of(architecture: Architecture) -> Network:
    """The network of an architecture."""
    return Network(architecture)
