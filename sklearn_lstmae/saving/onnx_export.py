"""Write a fitted network as an ONNX file, which other runtimes run without Python.

The graph is built operator by operator from the Architecture and the weights. That needs neither
TensorFlow nor a converter, and uses ONNX's own LSTM operator, for which runtimes have a fast
kernel, where ``keras.Model.export`` writes a loop of small operators.

Letters: n sequences, T steps, K frames, P steps a frame, F features, U units, C columns that the
bottleneck makes, D columns of whatever. An LSTM reads and says (K, n, D), time first. Where a shape
is given for a name of a tensor, it is that of the tensor.
"""

import itertools

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_lstmae import _container as container
from sklearn_lstmae._versions import __version__
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.network.forward import FREQUENCIES, LARGEST
from sklearn_lstmae.network.onnx_graph import Graph
from sklearn_lstmae.sequences.scaling import FLOAT32_MAX
from sklearn_lstmae.transformer import LSTMAutoencoderTransformer

# Those of ONNX 1.12 (2022), the oldest that have each operator as it is used here.
OPSET, IR_VERSION = 17, 8
OUTPUTS = {"reconstruct": "reconstruction", "predict": "prediction"}
FLOAT32_RANGE = (-np.float64(FLOAT32_MAX), np.float64(FLOAT32_MAX))
DEVIATION_NOISE = 10 * np.finfo(np.float64).eps  # of the mean, as in `sequences.scaling`


def export_onnx(transformer, path, part="encoder"):
    """Write the encoder, or encoder and decoders, of a fitted transformer to an ONNX file.

    Whoever runs the file needs a runtime of ONNX (opset 17) and nothing else. Scaling is inside,
    unlike in `~LSTMAutoencoderTransformer.to_keras`: values are in original units.

    The file has two inputs: "x" (n, T, F), float32, and "mask" (n, T), bool, which is true for real
    steps and false for padding on the right; there it does not matter what x holds. n and T are
    free, but at least 1. X of shape (N, T) is an x of shape (n, T, 1). With ``missing="mask"`` a
    missing value is NaN in x. Outputs are float32; those of a sequence that ``transform`` would
    refuse (other NaN, an infinity, nothing observed) are NaN.

    Parameters
    ----------
    transformer : LSTMAutoencoderTransformer
        A fitted one.

    path : str or path-like
        A file there is replaced when the new one is safely on the disk; until then it stays as
        it is, whatever happens.

    part : {"encoder", "autoencoder"}, default="encoder"
        What comes out:

        - "encoder": "code" (n, L), what ``transform`` returns;
        - "autoencoder": "reconstruction" (n, T, F), what ``reconstruct`` returns, and "prediction",
          those of the two for which there is a decoder. The prediction is, with a ``horizon``, the
          ``forecast`` (n, H, F), else steps 2 to T (n, T - 1, F), as
          ``reconstruct(X, task="predict")`` returns them, and needs a T of at least 2. Padding is
          NaN.

    Raises
    ------
    TypeError
        If ``transformer`` is of another class; of a pipeline or a detector, pass the one within.

    ValueError
        If ``part`` is unknown.

    ImportError
        If onnx is not installed.

    OSError
        If the file cannot be written, a full disk included.

    See Also
    --------
    LSTMAutoencoderTransformer.to_keras : The same for Keras, to be trained further.

    Notes
    -----
    Codes are those of ``transform`` for x, a float32 array, to about 1e-5. That is tested with
    onnxruntime. A runtime must know LSTM's input ``sequence_lens`` if lengths differ, which the
    reference evaluator of the onnx package ignores.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from sklearn_lstmae import LSTMAutoencoderTransformer, export_onnx
    >>> X = np.sin(np.linspace(0, 6, 20) + np.arange(50)[:, np.newaxis])
    >>> autoencoder = LSTMAutoencoderTransformer(latent_dim=2, epochs=2, random_state=0).fit(X)
    >>> with TemporaryDirectory() as folder:
    ...     export_onnx(autoencoder, f"{folder}/encoder.onnx")
    """
    if not isinstance(transformer, LSTMAutoencoderTransformer):
        raise TypeError(
            f"export_onnx takes an LSTMAutoencoderTransformer. Got {transformer!r:.200}."
        )
    check_is_fitted(transformer)
    if part not in ["encoder", "autoencoder"]:  # a list, since part may be unhashable
        raise ValueError(f"part={part!r} is not one of ['encoder', 'autoencoder'].")
    try:
        import onnx
    except ImportError as error:
        raise ImportError('export_onnx needs onnx: pip install "sklearn-lstmae[onnx]".') from error
    graph = Graph(onnx)
    network = Network(graph, transformer)
    n_features = network.architecture.n_features
    inputs = [
        graph.describe("x", np.float32, ["n", "T", n_features]),
        graph.describe("mask", np.bool_, ["n", "T"]),
    ]
    tensors = network.encoder() if part == "encoder" else network.autoencoder()
    outputs = [graph.output(name, *tensor) for name, tensor in tensors.items()]
    model = onnx.helper.make_model(
        graph.finish(part, inputs, outputs),
        producer_name="sklearn_lstmae",
        producer_version=__version__,
        ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
    )
    container.write_parts(path, [model.SerializeToString()])


class Network:
    """The tensors of a fitted transformer, computed from the inputs "x" and "mask".

    Parameters
    ----------
    graph : Graph
        Where to.

    transformer : LSTMAutoencoderTransformer
        A fitted one.
    """

    def __init__(self, graph, transformer):
        self.graph = graph
        configuration = transformer.configuration_
        self.architecture = Architecture.from_dict(configuration["architecture"])
        self.horizon = configuration["horizon"]
        self.scaling = configuration["scaling"]
        # (F,) each, or, with scaling="sequence", once it is encoded, those of each (n, 1, F).
        self.moments = transformer.mean_, transformer.scale_
        self._weights = iter(transformer.weights_)  # taken in the order of `weight_shapes`
        self.n_steps = graph.size("mask", 1)
        self.lengths = graph.add("ReduceSum", graph.cast("mask", np.int64), [1], keepdims=0)
        self.real = self.observed = graph.add("Unsqueeze", "mask", [2])  # (n, T, 1)
        if self.architecture.tells_missing:
            is_there = graph.add("Not", graph.add("IsNaN", "x"))
            self.observed = graph.add("And", self.real, is_there)  # (n, T, F)
        self.refused = self._refuse()

    def encoder(self):
        """{name: (tensor, shape)} of the code, what a scaling appends included."""
        code, statistics = self._encode()
        width = self.architecture.code_width
        if statistics is not None:
            code = self.graph.add("Concat", code, statistics, axis=1)
            width += 2 * self.architecture.n_features
        return {"code": (self._hide(code, [1]), ["n", width])}

    def autoencoder(self):
        """{name: (tensor, shape)} of what each decoder says."""
        graph = self.graph
        code, _ = self._encode()
        outputs = {}
        for name in self.architecture.decoders:
            n_steps, lengths, size = self.n_steps, self.lengths, "T"
            if name == "predict" and self.horizon is None:
                n_steps, lengths = (graph.add("Sub", each, [1]) for each in (n_steps, lengths))
                size = "T-1"
            elif name == "predict":
                n_steps, size = np.array([self.horizon]), self.horizon
                lengths = graph.add("Expand", n_steps, graph.size(code, 0))
            said = self._decode(name, code, n_steps, lengths)
            outputs[OUTPUTS[name]] = (said, ["n", size, self.architecture.n_features])
        return outputs

    # Values and frames ---------------------------------------------------------------------

    def _encode(self):
        """Code (n, C) float32, and what a scaling appends (n, 2 * F), or None."""
        graph, architecture = self.graph, self.architecture
        scaled, statistics = self._scale()
        parts = [graph.add("Where", self.observed, scaled, np.float32(0))]  # (n, T, F)
        if architecture.tells_missing:
            parts.append(graph.cast(self.observed, np.float32))
        elif architecture.patch_size > 1:
            parts.append(graph.cast(self.real, np.float32))
        frames = graph.add("Concat", *map(self._to_frames, parts), axis=2)
        encoder = Encoder(architecture, self._take)
        return encoder.run(graph, frames, self._n_frames(self.lengths)), statistics

    def _refuse(self):
        """(n,) bool: sequences for which ``transform`` would raise.

        A graph cannot raise, and the LSTM of onnxruntime makes finite numbers of NaN.
        """
        graph = self.graph
        unreadable = graph.add("Or", graph.add("IsNaN", "x"), graph.add("IsInf", "x"))
        is_broken = self._any(graph.add("And", self.observed, unreadable))
        return graph.add("Or", is_broken, graph.add("Not", self._any(self.observed)))

    def _any(self, values):
        """(n, T, F) or (n, T, 1) bool -> (n,) bool."""
        numbers = self.graph.cast(values, np.float32)
        return self.graph.cast(
            self.graph.add("ReduceMax", numbers, axes=[1, 2], keepdims=0), np.bool_
        )

    def _hide(self, values, axes):
        """NaN in place of what was made of refused sequences."""
        refused = self.graph.add("Unsqueeze", self.refused, axes)
        return self.graph.add("Where", refused, np.float32(np.nan), values)

    def _scale(self):
        """x, scaled, and with "sequence" each mean and log-deviation (n, 2 * F), else None.

        In float64, as the transformer scales: a change may be small beside the mean.
        """
        graph, statistics = self.graph, None
        values = graph.cast("x", np.float64)
        if self.scaling == "sequence":
            statistics, *self.moments = self._statistics(values)
        if self.scaling is not None:
            mean, scale = self.moments
            values = graph.add("Div", graph.add("Sub", values, mean), scale)
        return graph.cast(graph.add("Clip", values, -LARGEST, LARGEST), np.float32), statistics

    def _statistics(self, values):
        """Statistics (n, 2 * F) float32 of each sequence, its mean and deviation (n, 1, F)."""
        graph, observed, zero = self.graph, self.observed, np.float64(0)
        count = graph.add("ReduceSum", graph.cast(observed, np.float64), [1])
        count = graph.add("Max", count, np.float64(1))  # (n, 1, F)
        total = graph.add("ReduceSum", graph.add("Where", observed, values, zero), [1])
        mean = graph.add("Div", total, count)
        difference = graph.add("Where", observed, graph.add("Sub", values, mean), zero)
        squares = graph.add("ReduceSum", graph.add("Mul", difference, difference), [1])
        deviation = graph.add("Sqrt", graph.add("Div", squares, count))
        noise = graph.add("Mul", graph.add("Abs", mean), DEVIATION_NOISE)
        is_constant = graph.add("LessOrEqual", deviation, noise)
        deviation = graph.add("Where", is_constant, np.float64(1), deviation)
        # Rounded as the code has them, so that whoever scales back with the code's agrees.
        rounded = [graph.cast(each, np.float32) for each in (mean, graph.add("Log", deviation))]
        mean, logarithm = (graph.cast(each, np.float64) for each in rounded)
        statistics = graph.add("Squeeze", graph.add("Concat", *rounded, axis=2), [1])
        return statistics, mean, graph.add("Exp", logarithm)

    def _to_frames(self, steps):
        """(n, T, D) -> (K, n, P * D), zeros after the last step."""
        graph, patch = self.graph, self.architecture.patch_size
        if patch > 1:
            more = graph.add("Mod", graph.add("Neg", self.n_steps), [patch])
            ends = graph.add("Concat", [0, 0, 0, 0], more, [0], axis=0)
            width = graph.add("Mul", graph.size(steps, 2), [patch])
            shape = graph.add("Concat", [0, -1], width, axis=0)
            steps = graph.add("Reshape", graph.add("Pad", steps, ends), shape)
        return graph.add("Transpose", steps, perm=[1, 0, 2])

    def _to_steps(self, frames, n_steps, lengths):
        """(K, n, P * F) -> (n, T, F) in original units, NaN from ``lengths`` (n,) on."""
        graph = self.graph
        rows = graph.add("Transpose", frames, perm=[1, 0, 2])
        steps = graph.add("Reshape", rows, [0, -1, self.architecture.n_features])
        values = graph.add("Slice", steps, [0], n_steps, [1])
        if self.scaling is not None:
            mean, scale = self.moments
            values = graph.add("Mul", graph.cast(values, np.float64), scale)
            values = graph.add("Clip", graph.add("Add", values, mean), *FLOAT32_RANGE)
            values = graph.cast(values, np.float32)
        real = graph.mask(n_steps, lengths)  # (T, n)
        real = graph.add("Unsqueeze", graph.add("Transpose", real, perm=[1, 0]), [2])
        return graph.add("Where", real, values, np.float32(np.nan))

    # Layers ----------------------------------------------------------------------------------

    def _decode(self, name, code, n_steps, lengths):
        """(n, C), (1,), (n,) -> (n, T, F) in original units."""
        graph = self.graph
        decoder = Decoder(self.architecture, self._take)
        positions = graph.range(self._n_frames(n_steps))
        frames = decoder.say(graph, code, graph.cast(positions, np.float32))
        if self.architecture.says_backwards(name):
            n_frames = self._n_frames(lengths)
            frames = graph.add("ReverseSequence", frames, n_frames, time_axis=0, batch_axis=1)
        return self._hide(self._to_steps(frames, n_steps, lengths), [1, 2])

    def _n_frames(self, n_steps):
        """Frames that hold so many steps, int64."""
        patch = self.architecture.patch_size
        return self.graph.add("Div", self.graph.add("Add", n_steps, [patch - 1]), [patch])

    def _take(self, count):
        """The next weights."""
        return list(itertools.islice(self._weights, count))


class Encoder:
    """Frames -> code.

    Parameters
    ----------
    architecture : Architecture

    take : callable (count) -> list of ndarray
        The next weights of the network.
    """

    def __init__(self, architecture, take):
        self.architecture = architecture
        ways = 2 if architecture.bidirectional else 1
        self.layers = [
            Lstm([take(3) for _ in range(ways)], architecture.activation)
            for _ in architecture.hidden_units
        ]
        if architecture.bottleneck == "dense":
            self.bottleneck = take(2)
            if architecture.variational:
                take(2)  # how sure the encoder is, which only training asks
        else:
            self.bottleneck = Lstm([take(3)], architecture.activation)

    def run(self, graph, sequence, n_frames):
        """(K, n, D), (n,) -> (n, C)."""
        for layer in self.layers:
            outputs, hidden, _ = layer.run(graph, sequence, n_frames)
            outputs = graph.add("Transpose", outputs, perm=[0, 2, 1, 3])  # (K, n, ways, U)
            sequence = graph.add("Reshape", outputs, [0, 0, -1])
            hidden = graph.add("Transpose", hidden, perm=[1, 0, 2])  # (n, ways, U)
            last = graph.add("Reshape", hidden, [0, -1])
        if self.architecture.bottleneck == "dense":
            return graph.add("Gemm", self._pool(graph, sequence, last, n_frames), *self.bottleneck)
        _, hidden, cell = self.bottleneck.run(graph, sequence, n_frames)
        kinds = {"hidden": [hidden], "cell": [cell], "hidden_cell": [hidden, cell]}
        states = [graph.add("Squeeze", each, [0]) for each in kinds[self.architecture.bottleneck]]
        return graph.add("Concat", *states, axis=1)

    def _pool(self, graph, sequence, last, n_frames):
        """(K, n, D), (n, D), (n,) -> (n, D) or (n, 2 * D)."""
        if self.architecture.pooling == "last":
            return last
        real = graph.add("Unsqueeze", graph.mask(graph.size(sequence, 0), n_frames), [2])
        total = graph.add("Where", real, sequence, np.float32(0))  # (K, n, D)
        total = graph.add("ReduceSum", total, [0], keepdims=0)
        count = graph.cast(graph.add("Unsqueeze", n_frames, [1]), np.float32)
        mean = graph.add("Div", total, count)
        if self.architecture.pooling == "mean":
            return mean
        return graph.add("Concat", last, mean, axis=1)


class Decoder:
    """Code -> frames, in the order in which the decoder says them.

    Parameters
    ----------
    architecture : Architecture

    take : callable (count) -> list of ndarray
        The next weights of the network.
    """

    def __init__(self, architecture, take):
        self.architecture = architecture
        self.reads_code = "input" in architecture.decoder_start
        n_layers = len(architecture.hidden_units) + (architecture.bottleneck != "dense")
        has_starts = "state" in architecture.decoder_start and architecture.bottleneck == "dense"
        self.starts = [take(2) for _ in range(n_layers if has_starts else 0)]
        self.layers = [Lstm([take(3)], architecture.activation) for _ in range(n_layers)]
        self.output = take(2)

    def say(self, graph, code, positions):
        """(n, C), (K,) float32 -> (K, n, P * F)."""
        states = self._initial_states(graph, code)
        if self.architecture.conditional:
            return self._say_freely(graph, code, positions, states)
        frames, _ = self._run(graph, self._inputs(graph, code, positions), states)
        return frames

    def _say_freely(self, graph, code, positions, states):
        """`say` one frame after another, each read again for the next."""
        widths = [self.architecture.frame_width, *(layer.units for layer in self.layers)]
        rows = graph.size(code, 0)
        zeros = [
            graph.add("Expand", np.float32(0), graph.add("Concat", [1], rows, [width], axis=0))
            for width in widths
        ]  # (1, n, D) each
        first = zeros[:1]
        for zero, state in zip(zeros[1:], states, strict=True):
            first += [each or zero for each in state]

        body = Graph(graph.onnx, outer=graph)
        names = [f"before_{number}" for number in range(len(first))]
        place = body.add("Unsqueeze", "position", [0])  # (1,)
        inputs = self._inputs(body, code, place, names[0])
        frame, states = self._run(body, inputs, zip(names[1::2], names[2::2], strict=True))
        after = [frame, *itertools.chain(*states), body.add("Squeeze", frame, [0])]
        body = body.finish(
            "frame",
            [body.describe(name, np.float32, None) for name in [*names, "position"]],
            [body.output(f"after_{number}", each, None) for number, each in enumerate(after)],
        )
        *_, frames = graph.add(
            "Scan", *first, positions, n_outputs=len(after), body=body, num_scan_inputs=1
        )
        return frames

    def _inputs(self, graph, code, positions, previous=None):
        """What the first layer reads: (n, C), (K,), (K, n, P * F) or None -> (K, n, D)."""
        places = graph.add("Unsqueeze", positions, [1, 2])  # (K, 1, 1)
        parts = []
        if self.architecture.time_encoding:
            angles = graph.add("Mul", places, FREQUENCIES)
            parts += [graph.add("Sin", angles), graph.add("Cos", angles)]
        elif previous is None and not self.reads_code:
            parts.append(graph.cast(graph.add("Equal", places, np.float32(0)), np.float32))
        if previous is not None:
            parts.append(previous)
        if self.reads_code:
            parts.append(graph.add("Unsqueeze", code, [0]))
        sizes = [graph.size(positions, 0), graph.size(code, 0), [1]]
        shape = graph.add("Concat", *sizes, axis=0)
        return graph.add("Concat", *(graph.add("Expand", part, shape) for part in parts), axis=2)

    def _run(self, graph, sequence, states):
        """(K, n, D) and the state of each layer -> frames (K, n, P * F), the states after."""
        after = []
        for layer, state in zip(self.layers, states, strict=True):
            outputs, *state = layer.run(graph, sequence, "", *state)
            sequence = graph.add("Squeeze", outputs, [1])  # (K, n, U)
            after.append(state)
        kernel, bias = self.output
        return graph.add("Add", graph.add("MatMul", sequence, kernel), bias), after

    def _initial_states(self, graph, code):
        """(n, C) -> for each layer hidden and cell (1, n, U), "" where they are zero."""
        zeros = [("", "")] * len(self.layers)
        if "state" not in self.architecture.decoder_start:
            return zeros
        state = graph.add("Unsqueeze", code, [0])
        if self.architecture.bottleneck == "dense":
            starts = [graph.add("Unsqueeze", graph.add("Gemm", code, *s), [0]) for s in self.starts]
            return [graph.add("Split", start, n_outputs=2, axis=2) for start in starts]
        first = {
            "hidden": lambda: (state, ""),
            "cell": lambda: ("", state),
            "hidden_cell": lambda: graph.add("Split", state, n_outputs=2, axis=2),
        }[self.architecture.bottleneck]()
        return [first, *zeros[1:]]


class Lstm:
    """ONNX's LSTM operator with weights of ``keras.layers.LSTM``.

    Parameters
    ----------
    ways : list of [kernel (D, 4U), recurrent kernel (U, 4U), bias (4U,)]
        Forward and, if it is there, backward.

    activation : {"tanh", "relu"}
    """

    def __init__(self, ways, activation):
        kernels, recurrents, biases = zip(*ways, strict=True)
        self.units = len(recurrents[0])
        self._weights = [
            np.stack([_gates(kernel).T for kernel in kernels]),  # (ways, 4U, D)
            np.stack([_gates(recurrent).T for recurrent in recurrents]),  # (ways, 4U, U)
            # ONNX has a second bias, within the recurrence.
            np.stack([np.concatenate([_gates(b), np.zeros_like(b)]) for b in biases]),
        ]
        self._settings = {
            "hidden_size": self.units,
            "direction": "bidirectional" if len(ways) == 2 else "forward",
            "activations": ["Sigmoid", *[activation.capitalize()] * 2] * len(ways),
        }

    def run(self, graph, sequence, lengths="", hidden="", cell=""):
        """Run over (K, n, D), or the first ``lengths`` (n,) steps of each, from a state.

        Returns the outputs (K, ways, n, U) and the last hidden and cell state (ways, n, U).
        """
        if lengths:
            lengths = graph.cast(lengths, np.int32)
        return graph.add(
            "LSTM", sequence, *self._weights, lengths, hidden, cell, n_outputs=3, **self._settings
        )


def _gates(weights):
    """Keras' order of gates (input, forget, candidate, output) -> ONNX's (i, o, f, c)."""
    entry, forget, candidate, exit_ = np.split(weights, 4, axis=-1)
    return np.concatenate([entry, exit_, forget, candidate], axis=-1)
