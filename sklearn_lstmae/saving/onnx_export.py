"""Write a fitted network as an ONNX file, which other runtimes run without Python.

The graph is built operator by operator from the fitted model, which needs neither TensorFlow nor a
converter.

Letters: n sequences, T steps, K frames, P steps a frame, F features, C columns that the bottleneck
makes, D columns of whatever. Where a shape is given for a name of a tensor, it is that of the
tensor.
"""

import numpy as np

from sklearn_lstmae import _file_container as container
from sklearn_lstmae._versions import __version__
from sklearn_lstmae.fitting.model import fitted_model
from sklearn_lstmae.network.architecture import LARGEST
from sklearn_lstmae.network.in_onnx import OnnxOperations
from sklearn_lstmae.network.onnx_graph import Graph
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.sequences.scaling import FLOAT32_MAX
from sklearn_lstmae.sequences.tasks import TASKS
from sklearn_lstmae.transformer import LSTMAutoencoderTransformer

# Those of ONNX 1.12 (2022), the oldest that have each operator as it is used here.
OPSET, IR_VERSION = 17, 8
FLOAT32_RANGE = (-np.float64(FLOAT32_MAX), np.float64(FLOAT32_MAX))
DEVIATION_NOISE = 10 * np.finfo(np.float64).eps  # of the mean, as in `sequences.scaling`


def export_onnx(transformer, path, part="encoder"):
    """Write the encoder, or encoder and decoders, of a fitted transformer to an ONNX file.

    The file runs with any runtime of ONNX (opset 17) and needs nothing else. Scaling is inside,
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
    model = fitted_model(transformer)
    if part not in ["encoder", "autoencoder"]:  # a list, since part may be unhashable
        raise ValueError(f"part={part!r} is not one of ['encoder', 'autoencoder'].")
    try:
        import onnx
    except ImportError as error:
        raise ImportError('export_onnx needs onnx: pip install "sklearn-lstmae[onnx]".') from error
    graph = Graph(onnx)
    tensors = Tensors(graph, model)
    n_features = model.architecture.n_features
    inputs = [
        graph.describe("x", np.float32, ["n", "T", n_features]),
        graph.describe("mask", np.bool_, ["n", "T"]),
    ]
    named = tensors.encoder() if part == "encoder" else tensors.autoencoder()
    outputs = [graph.output(name, *tensor) for name, tensor in named.items()]
    file = onnx.helper.make_model(
        graph.finish(part, inputs, outputs),
        producer_name="sklearn_lstmae",
        producer_version=__version__,
        ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
    )
    container.write_parts(path, [file.SerializeToString()])


class Tensors:
    """The tensors of a fitted model, computed from the inputs "x" and "mask".

    Parameters
    ----------
    graph : Graph
        Where they are added.

    model : FittedModel
    """

    def __init__(self, graph, model):
        self.graph, self.model, self.architecture = graph, model, model.architecture
        self.operations = OnnxOperations(graph, model.architecture, model.weights)
        self.network = network_of(model.architecture)
        # (F,) each, or, with scaling="sequence", once it is encoded, those of each (n, 1, F).
        self.moments = model.scaling.mean, model.scaling.scale
        self.n_steps = graph.size("mask", 1)
        self.lengths = graph.add("ReduceSum", graph.cast("mask", np.int64), [1], keepdims=0)
        self.real = self.observed = graph.add("Unsqueeze", "mask", [2])  # (n, T, 1)
        if self.architecture.tells_missing:
            is_there = graph.add("Not", graph.add("IsNaN", "x"))
            self.observed = graph.add("And", self.real, is_there)  # (n, T, F)
        self.refused = self._refuse()

    def encoder(self):
        """{name: (tensor, shape)} of the code, what a scaling appends included."""
        scaled, statistics = self._scale()
        arguments = *self._frames(scaled), self.model.append_states
        parts = self.network.encoder.encode_parts(*arguments)
        if statistics is not None:
            parts.insert(1, statistics)
        code = self.graph.add("Concat", *parts, axis=1)
        return {"code": (self._hide(code, [1]), ["n", self.model.n_columns])}

    def autoencoder(self):
        """{name: (tensor, shape)} of the outputs of the decoders."""
        graph, horizon = self.graph, self.model.horizon
        code = self.network.encoder.encode(*self._frames(self._scale()[0]))
        outputs = {}
        for name, task in TASKS.items():
            if name not in self.architecture.decoders:
                continue
            n_steps, lengths, size = self.n_steps, self.lengths, "T"
            if task.follows and horizon is None:
                n_steps, lengths = (graph.add("Sub", each, [1]) for each in (n_steps, lengths))
                size = "T-1"
            elif task.follows:
                n_steps, size = np.array([horizon]), horizon
                lengths = graph.add("Expand", n_steps, graph.size(code, 0))
            output = self._decode(name, code, n_steps, lengths)
            outputs[task.onnx_name] = (output, ["n", size, self.architecture.n_features])
        return outputs

    # Values and frames ---------------------------------------------------------------------

    def _frames(self, scaled):
        """What the encoder is called with: operations, series and lengths in frames."""
        graph, architecture = self.graph, self.architecture
        parts = [graph.add("Where", self.observed, scaled, np.float32(0))]  # (n, T, F)
        if architecture.tells_missing:
            parts.append(graph.cast(self.observed, np.float32))
        elif architecture.patch_size > 1:
            parts.append(graph.cast(self.real, np.float32))
        series = [self._to_frames(part) for part in parts]
        return self.operations, series, self._n_frames(self.lengths)

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

        In float64, as the transformer scales: a change may be small compared with the mean.
        """
        graph, statistics = self.graph, None
        values = graph.cast("x", np.float64)
        if self.model.scaling.kind == "sequence":
            statistics, *self.moments = self._statistics(values)
        if self.model.scaling.kind is not None:
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
        # Rounded as the code has them, so that scaling back with the code's columns agrees.
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
        if self.model.scaling.kind is not None:
            mean, scale = self.moments
            values = graph.add("Mul", graph.cast(values, np.float64), scale)
            values = graph.add("Clip", graph.add("Add", values, mean), *FLOAT32_RANGE)
            values = graph.cast(values, np.float32)
        real = graph.mask(n_steps, lengths)  # (T, n)
        real = graph.add("Unsqueeze", graph.add("Transpose", real, perm=[1, 0]), [2])
        return graph.add("Where", real, values, np.float32(np.nan))

    def _decode(self, task, code, n_steps, lengths):
        """(n, C), (1,), (n,) -> (n, T, F) in original units."""
        decoder = self.network.decoders[task]
        frames = decoder.decode(self.operations, code, self._n_frames(n_steps))
        if self.architecture.reverses(task):
            n_frames = self._n_frames(lengths)
            frames = self.graph.add("ReverseSequence", frames, n_frames, time_axis=0, batch_axis=1)
        return self._hide(self._to_steps(frames, n_steps, lengths), [1, 2])

    def _n_frames(self, n_steps):
        """Frames that hold ``n_steps`` steps, int64."""
        patch = self.architecture.patch_size
        return self.graph.add("Div", self.graph.add("Add", n_steps, [patch - 1]), [patch])
