"""Write a fitted network as an ONNX file, which other runtimes run without Python.

The graph is built operator by operator from the fitted model, which needs neither TensorFlow nor a
converter.

Letters: n sequences, T steps, K frames, P steps a frame, F features, C columns that the bottleneck
makes, D columns of whatever. Where a shape is given for a name of a tensor, it is that of the
tensor.
"""

import json
import warnings
from dataclasses import replace as copy_with
from os import PathLike
from typing import BinaryIO, Literal, get_args

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_lstmae import _file_container as container
from sklearn_lstmae._versions import __version__
from sklearn_lstmae.classifier import LSTMAutoencoderClassifier
from sklearn_lstmae.detector import SCORES, LSTMAutoencoderDetector
from sklearn_lstmae.fitting.in_one_step import snapshot
from sklearn_lstmae.fitting.model import fitted_model, names_of_features, unfrozen
from sklearn_lstmae.network.architecture import LARGEST
from sklearn_lstmae.network.in_onnx import OnnxOperations
from sklearn_lstmae.network.onnx_graph import Graph
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.sequences.scaling import FLOAT32_MAX, FLOAT32_ROUNDING, least_deviation
from sklearn_lstmae.sequences.tasks import TASKS
from sklearn_lstmae.transformer import LSTMAutoencoderTransformer

# Those of ONNX 1.12 (2022), the oldest that have each operator as it is used here.
OPSET, IR_VERSION = 17, 8
FLOAT32_RANGE = (-np.float64(FLOAT32_MAX), np.float64(FLOAT32_MAX))

# What a transformer can be exported as.
Part = Literal["encoder", "autoencoder"]

# Deviation, as a share of the mean, below which codes are off by some 0.01 and more.
SMALL_DEVIATION = 1e-5


def export_onnx(
    estimator: BaseEstimator,
    path: str | PathLike[str] | BinaryIO,
    part: Part = "encoder",
) -> None:
    """Write what a fitted estimator computes to an ONNX file.

    Any ONNX runtime (opset 17) can run the file, which needs nothing else. Unlike in
    `~LSTMAutoencoderTransformer.to_keras`, scaling is part of the model: values are in original
    units.

    The model has two inputs, and both are required:

    - "x" (n, T, F), float32: the sequences. X of shape (N, T) is an x of shape (n, T, 1). With
      ``missing="mask"``, a missing value is NaN.
    - "mask" (n, T), bool: true for real steps, missing values included, and false for padding on
      the right, where the values of x have no effect. For sequences of equal length it is
      ``np.ones(x.shape[:2], dtype=bool)``.

    n and T may have any value of at least 1. Outputs are float32. They are NaN for a sequence that
    the estimator would refuse: one with another NaN, with an infinity, without an observed value,
    or with too few steps for a ``horizon``.

    Parameters
    ----------
    estimator : LSTMAutoencoderTransformer, LSTMAutoencoderClassifier or LSTMAutoencoderDetector
        Fitted estimator, or a ``FrozenEstimator`` around one. ``part`` determines the outputs of a
        transformer. The outputs of the others are

        - of a classifier: "probabilities" (n, G), as ``predict_proba`` returns them. The metadata
          of the file contains the names of the classes, in the order of the columns, as a JSON list
          under "classes";
        - of a detector: "score" (n,), as ``score_samples`` returns it; "threshold" (), which is
          ``offset_``; and "decision" (n,), as ``decision_function`` returns it: below 0 for
          outliers, NaN for a sequence that cannot be judged. P-values are not included.

    path : str, path-like or binary file object
        Where to write. An existing file is replaced only when the new one is safely on disk; after
        any failure it is unchanged. A file object, such as `io.BytesIO`, is written to from its
        position, and stays open.

    part : {"encoder", "autoencoder"}, default="encoder"
        Outputs of the file. Only used with a transformer.

        - "encoder": "code" (n, L), as ``transform`` returns it.
        - "autoencoder": "reconstruction" (n, T, F), as ``reconstruct`` returns it, and
          "prediction", as far as there is a decoder for each. With a ``horizon``, the prediction is
          the ``forecast`` (n, H, F). Otherwise it is steps 2 to T (n, T - 1, F), as
          ``reconstruct(X, task="predict")`` returns them, and T must be at least 2. Padding is NaN.

    Warns
    -----
    UserWarning
        If the deviation of a feature is less than 1e-5 of its mean, so that float32, the type of x,
        loses digits. Subtract a constant from this feature before `fit`, and from x.

    Raises
    ------
    TypeError
        If ``estimator`` is of another class. Of a pipeline, export the step of this package. The
        other steps, such as a scaler or a classifier, cannot be written to the file.

    ValueError
        If ``part`` is unknown, or not the default for a classifier or a detector.

    ImportError
        If onnx is not installed.

    OSError
        If the file cannot be written, for example because the disk is full.

    See Also
    --------
    LSTMAutoencoderTransformer.to_keras : Build a Keras model, which can be trained further.
    save : Save an estimator to a file that `load` reads.

    Notes
    -----
    Outputs agree with those of the estimator for the same float32 array to about 1e-5, as tested
    with onnxruntime. If lengths differ, the runtime must support the input ``sequence_lens`` of
    LSTM, which the reference evaluator of the onnx package ignores.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from sklearn_lstmae import LSTMAutoencoderTransformer, export_onnx
    >>> X = np.sin(np.linspace(0, 6, 20) + np.arange(50)[:, np.newaxis])
    >>> autoencoder = LSTMAutoencoderTransformer(latent_dim=2, epochs=2, random_state=0).fit(X)
    >>> with TemporaryDirectory() as folder:
    ...     export_onnx(autoencoder, f"{folder}/encoder.onnx")

    Another program then runs it:

    >>> from io import BytesIO
    >>> import onnxruntime
    >>> file = BytesIO()
    >>> export_onnx(autoencoder, file)
    >>> session = onnxruntime.InferenceSession(file.getvalue())
    >>> x = X[:, :, np.newaxis].astype(np.float32)
    >>> [codes] = session.run(["code"], {"x": x, "mask": np.ones(x.shape[:2], dtype=bool)})
    >>> bool(np.allclose(codes, autoencoder.transform(X), atol=1e-4))
    True
    """
    estimator = unfrozen(estimator)
    _check_exportable(estimator, part)
    estimator = snapshot(estimator)
    check_is_fitted(estimator)
    try:
        import onnx
    except ImportError as error:
        raise ImportError("export_onnx needs onnx: pip install onnx.") from error
    autoencoder = getattr(estimator, "autoencoder_", estimator)
    model = fitted_model(autoencoder)
    _warn_of_levels(autoencoder, model)
    graph = Graph(onnx)
    n_features = model.architecture.n_features
    inputs = [
        graph.describe("x", np.float32, ["n", "T", n_features]),
        graph.describe("mask", np.bool_, ["n", "T"]),
    ]
    outputs_of = next(f for kind, f in OUTPUTS.items() if isinstance(estimator, kind))
    named = outputs_of(graph, estimator, part)
    outputs = [graph.output(name, *tensor) for name, tensor in named.items()]
    file = onnx.helper.make_model(
        graph.finish(part, inputs, outputs),
        producer_name="sklearn_lstmae",
        producer_version=__version__,
        ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
    )
    if hasattr(estimator, "classes_"):
        classes = estimator.classes_
        names = (classes.astype(str) if classes.dtype.kind in "mM" else classes).tolist()
        onnx.helper.set_model_props(file, {"classes": json.dumps(names)})
    container.write_parts(path, [file.SerializeToString()])


def _check_exportable(estimator, part):
    """Raise unless this part of this estimator can be exported."""
    if not isinstance(estimator, tuple(OUTPUTS)):
        raise TypeError(_what_to_export(estimator))
    if part not in get_args(Part):
        raise ValueError(f"part={part!r} is not one of {list(get_args(Part))}.")
    if part != "encoder" and not isinstance(estimator, LSTMAutoencoderTransformer):
        raise ValueError(
            f"part={part!r} is only used with a transformer; a {type(estimator).__name__} has one "
            "set of outputs: leave part out, or pass its autoencoder_."
        )


def _what_to_export(estimator):
    """Message for an estimator that cannot be exported."""
    names = ", ".join(kind.__name__ for kind in OUTPUTS)
    message = f"export_onnx takes one of {names}. Got {estimator!r:.200}."
    if isinstance(estimator, Pipeline):
        steps = {name: type(step).__name__ for name, step in estimator.steps}
        message += (
            f" For a pipeline with the steps {steps}, export the step of this package, "
            "pipeline[name]. The file does not include other steps, such as a scaler or a "
            "classifier: apply them before and after it."
        )
    elif hasattr(estimator, "best_estimator_"):
        message += " For a search, export best_estimator_."
    return message


def _transformer_outputs(graph, transformer, part):
    tensors = Tensors(graph, fitted_model(transformer))
    return tensors.encoder() if part == "encoder" else tensors.autoencoder()


def _classifier_outputs(graph, classifier, _):
    """{name: (tensor, shape)} of the probabilities."""
    *encoder, kernel, bias = classifier.weights_
    model = fitted_model(classifier.autoencoder_)
    model = copy_with(model, architecture=model.architecture.encoder, weights=encoder)
    tensors = Tensors(graph, model)
    columns = graph.cast(tensors.code(), np.float64)  # (n, C)
    scores = graph.add("Add", graph.add("MatMul", columns, kernel), bias)  # (n, G)
    probabilities = graph.cast(graph.add("Softmax", scores, axis=1), np.float32)
    return {"probabilities": (tensors.hide(probabilities, [1]), ["n", len(bias)])}


def _detector_outputs(graph, detector, _):
    """{name: (tensor, shape)} of score, threshold and their difference."""
    model = fitted_model(detector.autoencoder_)
    names = SCORES[detector.configuration_["score_from"]]
    tensors = Tensors(graph, model, as_trained="reconstruction" in names)
    scores = []
    for name, center, spread in zip(
        names, detector.score_center_, detector.score_spread_, strict=True
    ):
        if name == "reconstruction":
            score = tensors.errors()
        else:
            # The code is that of all steps, as `transform` returns it.
            code = Tensors(graph, model).code(len(detector.code_center_))
            score = _distance(graph, code, detector.code_center_, detector.code_precision_)
        score = graph.add("Neg", score)
        scores.append(graph.add("Div", graph.add("Sub", score, center), spread))
    score = scores[0]
    if len(scores) > 1:  # the lower one, and where one is NaN, the other
        first, second = scores
        second_or_lower = graph.add("Min", first, second)
        score = graph.add("Where", graph.add("IsNaN", first), second, second_or_lower)
    score, decision = (
        tensors.hide(graph.cast(each, np.float32))
        for each in (score, graph.add("Sub", score, np.float64(detector.offset_)))
    )
    threshold = graph.add("Identity", np.float32(detector.offset_))
    return {"score": (score, ["n"]), "threshold": (threshold, []), "decision": (decision, ["n"])}


def _distance(graph, codes, center, precision):
    """Mahalanobis distance of codes (n, L) from the center (L,): (n,) float64."""
    difference = graph.add("Sub", graph.cast(codes, np.float64), center)  # (n, L)
    products = graph.add("Mul", graph.add("MatMul", difference, precision), difference)
    squares = graph.add("ReduceSum", products, [1], keepdims=0)
    return graph.add("Sqrt", graph.add("Max", squares, np.float64(0)))  # rounding goes below zero


OUTPUTS = {
    LSTMAutoencoderTransformer: _transformer_outputs,
    LSTMAutoencoderClassifier: _classifier_outputs,
    LSTMAutoencoderDetector: _detector_outputs,
}


def _warn_of_levels(transformer, model):
    """Warn of features whose changes are so small on their level that float32 loses them."""
    scaling = model.scaling
    if scaling.kind is None:
        return  # the transformer rounds them to float32 too
    deviation = least_deviation(scaling) if scaling.kind == "sequence" else scaling.scale
    is_lost = deviation < SMALL_DEVIATION * np.abs(scaling.mean)
    names = names_of_features(transformer)
    if names is None:
        names = np.arange(model.architecture.n_features)
    if is_lost.any():
        warnings.warn(
            f"The standard deviation of the features {names[is_lost].tolist()} is less than "
            f"{SMALL_DEVIATION:g} of their mean: float32, the type of the file's inputs, loses "
            "digits of such small changes, so the file's outputs differ from those of the "
            "transformer. Subtract a level, such as mean_, from X before fit, and also from the "
            "inputs of the file.",
            UserWarning,
            stacklevel=3,
        )


class Tensors:
    """The tensors of a fitted model, computed from the inputs "x" and "mask".

    Parameters
    ----------
    graph : Graph
        Where they are added.

    model : FittedModel

    as_trained : bool, default=False
        Whether the encoder reads what it reads in training: with a predicting decoder not the last
        ``horizon`` steps.
    """

    def __init__(self, graph, model, as_trained=False):
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
        self.all_observed = self.observed
        if as_trained and "predict" in model.architecture.decoders:
            self._leave_out_the_target()

    def encoder(self):
        """{name: (tensor, shape)} of the code, what a scaling appends included."""
        return {"code": (self.hide(self.code(), [1]), ["n", self.model.n_columns])}

    def code(self, width=None):
        """(n, C), what is appended included, or the first ``width`` columns of it."""
        scaled, statistics = self._scale()
        arguments = *self._frames(scaled), self.model.append_states
        parts = self.network.encoder.encode_parts(*arguments)
        if statistics is not None:
            parts.insert(1, statistics)
        code = self.graph.add("Concat", *parts, axis=1)
        return code if width is None else self.graph.add("Slice", code, [0], [width], [1])

    def errors(self):
        """Mean error of each sequence, of the decoder that comes first: (n,) float64.

        NaN where its target has no observed value.
        """
        graph, task, horizon = self.graph, self.architecture.decoders[0], self.model.horizon
        scaled = target = self._scale()[0]
        code = self.network.encoder.encode(*self._frames(scaled))
        n_steps, lengths, observed = self.n_steps, self.lengths, self.observed
        if TASKS[task].follows and horizon is None:
            n_steps, lengths = (graph.add("Sub", each, [1]) for each in (n_steps, lengths))
            target, observed = (
                graph.add("Slice", each, [1], [np.iinfo(np.int64).max], [1])
                for each in (scaled, self.all_observed)
            )
        elif TASKS[task].follows:
            n_steps = np.array([horizon])
            lengths = graph.add("Expand", n_steps, graph.size(code, 0))
            target, observed = (
                _following(graph, each, self.lengths, horizon)
                for each in (scaled, self.all_observed)
            )
        output = self._decode(task, code, n_steps, lengths)
        values = (graph.cast(each, np.float64) for each in (target, output))
        error = _loss(graph, graph.add("Sub", *values), self.model.loss)
        each = np.ones((1, 1, self.architecture.n_features))
        total, count = (
            graph.add(
                "ReduceSum", graph.add("Where", observed, of, np.float64(0)), [1, 2], keepdims=0
            )
            for of in (error, each)
        )
        return graph.add("Div", total, count)

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
            output = self.hide(self._to_units(output, n_steps, lengths), [1, 2])
            outputs[task.onnx_name] = (output, ["n", size, self.architecture.n_features])
        return outputs

    # Values and frames ---------------------------------------------------------------------

    def _frames(self, scaled):
        """What the encoder is called with: operations, series and lengths in frames."""
        graph, architecture = self.graph, self.architecture
        readable = graph.add("Clip", scaled, np.float32(-LARGEST), np.float32(LARGEST))
        parts = [graph.add("Where", self.observed, readable, np.float32(0))]  # (n, T, F)
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
        is_broken = _any(graph, graph.add("And", self.observed, unreadable))
        return graph.add("Or", is_broken, graph.add("Not", _any(graph, self.observed)))

    def _leave_out_the_target(self):
        """The encoder reads all but the last steps; sequences that are too short are refused."""
        graph, horizon = self.graph, self.model.horizon
        least = np.int64(2 if horizon is None else horizon + 1)
        is_short = graph.add("Less", self.lengths, least)
        self.refused = graph.add("Or", self.refused, is_short)
        if horizon is not None:
            self.lengths = graph.add("Max", graph.add("Sub", self.lengths, [horizon]), np.int64(0))
            read = graph.add("Transpose", graph.mask(self.n_steps, self.lengths), perm=[1, 0])
            self.real = graph.add("Unsqueeze", read, [2])  # (n, T, 1)
            self.observed = graph.add("And", self.observed, self.real)

    def hide(self, values, axes=()):
        """NaN in place of what was made of refused sequences; ``axes`` are those but the first."""
        refused = self.graph.add("Unsqueeze", self.refused, axes) if axes else self.refused
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
        return graph.cast(graph.add("Clip", values, *FLOAT32_RANGE), np.float32), statistics

    def _statistics(self, values):
        """Statistics (n, 2 * F) float32 of each sequence, its mean and deviation (n, 1, F).

        Plain sums do: in float64 those of alike float32 values are exact.
        """
        graph, observed, zero = self.graph, self.observed, np.float64(0)
        count = graph.add("ReduceSum", graph.cast(observed, np.float64), [1])
        is_known = graph.add("Greater", count, zero)
        count = graph.add("Max", count, np.float64(1))  # (n, 1, F)
        total = graph.add("ReduceSum", graph.add("Where", observed, values, zero), [1])
        mean = graph.add("Div", total, count)
        mean = graph.add("Where", is_known, mean, self.model.scaling.mean)
        difference = graph.add("Where", observed, graph.add("Sub", values, mean), zero)
        squares = graph.add("ReduceSum", graph.add("Mul", difference, difference), [1])
        deviation = graph.add("Sqrt", graph.add("Div", squares, count))
        noise = graph.add("Mul", graph.add("Abs", mean), np.float64(FLOAT32_ROUNDING))
        is_constant = graph.add("LessOrEqual", deviation, noise)
        deviation = graph.add("Where", is_constant, self.model.scaling.scale, deviation)
        # The deviation is rounded as the code has it, so that scaling back with that agrees.
        rounded = [graph.cast(each, np.float32) for each in (mean, graph.add("Log", deviation))]
        statistics = graph.add("Squeeze", graph.add("Concat", *rounded, axis=2), [1])
        return statistics, mean, graph.add("Exp", graph.cast(rounded[1], np.float64))

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

    def _to_units(self, values, n_steps, lengths):
        """(n, T, F) in original units, NaN from ``lengths`` (n,) on."""
        graph = self.graph
        if self.model.scaling.kind is not None:
            mean, scale = self.moments
            values = graph.add("Mul", graph.cast(values, np.float64), scale)
            values = graph.add("Clip", graph.add("Add", values, mean), *FLOAT32_RANGE)
            values = graph.cast(values, np.float32)
        real = graph.mask(n_steps, lengths)  # (T, n)
        real = graph.add("Unsqueeze", graph.add("Transpose", real, perm=[1, 0]), [2])
        return graph.add("Where", real, values, np.float32(np.nan))

    def _decode(self, task, code, n_steps, lengths):
        """(n, C), (1,), (n,) -> scaled values (n, T, F), any from ``lengths`` (n,) on."""
        decoder = self.network.decoders[task]
        frames = decoder.decode(self.operations, code, self._n_frames(n_steps))
        if self.architecture.reverses(task):
            n_frames = self._n_frames(lengths)
            frames = self.graph.add("ReverseSequence", frames, n_frames, time_axis=0, batch_axis=1)
        rows = self.graph.add("Transpose", frames, perm=[1, 0, 2])
        steps = self.graph.add("Reshape", rows, [0, -1, self.architecture.n_features])
        return self.graph.add("Slice", steps, [0], n_steps, [1])

    def _n_frames(self, n_steps):
        """Frames that hold ``n_steps`` steps, int64."""
        patch = self.architecture.patch_size
        return self.graph.add("Div", self.graph.add("Add", n_steps, [patch - 1]), [patch])


def _loss(graph, difference, loss):
    """Error of each value, as `sequences.scoring.LOSSES` has it."""
    size = graph.add("Abs", difference)
    if loss == "mae":
        return size
    square = graph.add("Mul", difference, difference)
    if loss == "mse":
        return square
    linear = graph.add("Sub", size, np.float64(0.5))
    is_small = graph.add("LessOrEqual", size, np.float64(1))
    return graph.add("Where", is_small, graph.add("Mul", square, np.float64(0.5)), linear)


def _any(graph, values):
    """(n, T, F) or (n, T, 1) bool -> (n,) bool."""
    numbers = graph.cast(values, np.float32)
    return graph.cast(graph.add("ReduceMax", numbers, axes=[1, 2], keepdims=0), np.bool_)


def _following(graph, steps, lengths, horizon):
    """(n, T, D), (n,) -> (n, H, D): the steps after the first ``lengths``."""
    place = graph.add("Add", graph.add("Unsqueeze", lengths, [1]), np.arange(horizon))
    last = graph.add("Sub", graph.size(steps, 1), [1])
    place = graph.add("Unsqueeze", graph.add("Min", place, last), [2])  # (n, H, 1)
    return graph.add("GatherND", steps, place, batch_dims=1)
