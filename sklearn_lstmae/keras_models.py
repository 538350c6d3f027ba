"""Keras models that start from the encoder of a fitted transformer, with or without scikeras.

`classifier_fn` and `regressor_fn` return a function that builds a new model, as
``scikeras.wrappers.KerasClassifier(model=...)`` and ``KerasRegressor`` require. This package does
not import scikeras. Users of scikeras 0.13 should know that

- scikit-learn 1.6 and later does not recognize its estimators as classifiers or regressors, so
  that a search does not stratify its folds, and scorers confuse the two. `EstimatorTags` corrects
  this;
- importing it changes how every ``keras.Model``, loss, metric and optimizer is pickled and copied;
- with a ``random_state``, it sets the global seeds of Python, NumPy and TensorFlow while it builds
  and trains, and makes TensorFlow deterministic. It restores them afterwards, except that
  TensorFlow's generator starts again. Do not use it in several threads. A ``RandomState`` counts as
  seed 0;
- it only accepts arrays, of sequences of equal length without NaN.

The estimators of this package are not affected: their results stay identical.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from sklearn.utils import ClassifierTags, RegressorTags
from sklearn.utils.validation import check_is_fitted

from sklearn_lstmae.fitting.in_one_step import snapshot
from sklearn_lstmae.fitting.model import fitted_model
from sklearn_lstmae.sequences.scaling import FLOAT32_ROUNDING
from sklearn_lstmae.transformer import LSTMAutoencoderTransformer


class EstimatorTags:
    """Mixin that lets scikit-learn recognize the estimators of scikeras.

    It must be the first base class.

    .. versionadded:: 0.1

    Examples
    --------
    ::

        class Classifier(EstimatorTags, KerasClassifier):
            pass
    """

    _estimator_type: str  # of the other base

    def __sklearn_tags__(self):
        """The tags that scikit-learn's own mixins set."""
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.estimator_type = self._estimator_type
        if tags.estimator_type == "classifier":
            tags.classifier_tags = ClassifierTags()
        else:
            tags.regressor_tags = RegressorTags()
        tags.target_tags.required = True
        tags.input_tags.three_d_array = True
        return tags


def classifier_fn(
    transformer: LSTMAutoencoderTransformer,
    n_classes: int,
    *,
    hidden_units: Sequence[int] = (),
    trainable: bool = True,
) -> Callable[..., Any]:
    """Return a function that builds a classifier on top of the fitted encoder.

    The model reads x of shape (n, T, F), or (n, T) if the transformer was fitted to that layout, in
    original units and without padding. Its output is the class probabilities (n, n_classes). It is
    not compiled; "sparse_categorical_crossentropy" is a suitable loss. For sequences of unequal
    length, add layers to ``transformer.to_keras()``, which reads a mask.

    Parameters
    ----------
    transformer : LSTMAutoencoderTransformer
        Fitted transformer. It is not changed: each model trains a copy of its weights.

    n_classes : int
        Number of classes.

    hidden_units : tuple of int, default=()
        Widths of dense layers (ReLU) between the code and the output.

    trainable : bool, default=True
        Whether the encoder is trained. If False, only the layers after it are.

    Returns
    -------
    build : callable
        ``build(*, hidden_units, trainable)`` returns a ``keras.Model``. Its arguments replace those
        above; in scikeras, they are ``model__hidden_units`` and ``model__trainable``.

    See Also
    --------
    regressor_fn : Return a function that builds a regressor.
    EstimatorTags : Mixin for searches with scikeras.
    LSTMAutoencoderClassifier : A classifier without scikeras, for sequences of any length.

    Examples
    --------
    ::

        class Classifier(EstimatorTags, KerasClassifier):
            pass

        model = Classifier(
            classifier_fn(transformer, n_classes=10),
            loss="sparse_categorical_crossentropy",
            optimizer="adam",
            epochs=20,
        )
        grid = {"optimizer__learning_rate": [1e-3, 1e-4], "model__trainable": [True, False]}
        search = GridSearchCV(model, grid).fit(X, y)
    """
    return _build_fn(transformer, n_classes, "softmax", hidden_units, trainable)


def regressor_fn(
    transformer: LSTMAutoencoderTransformer,
    n_outputs: int = 1,
    *,
    hidden_units: Sequence[int] = (),
    trainable: bool = True,
) -> Callable[..., Any]:
    """Return a function that builds a regressor on top of the fitted encoder.

    The model is like that of `classifier_fn`, but its output is numbers (n, n_outputs), and "mse"
    is a suitable loss.

    Parameters
    ----------
    transformer : LSTMAutoencoderTransformer
        Fitted transformer. It is not changed: each model trains a copy of its weights.

    n_outputs : int, default=1
        Number of columns of the target.

    hidden_units : tuple of int, default=()
        Widths of dense layers (ReLU) between the code and the output.

    trainable : bool, default=True
        Whether the encoder is trained. If False, only the layers after it are.

    Returns
    -------
    build : callable
        ``build(*, hidden_units, trainable)`` returns a ``keras.Model``, see `classifier_fn`.

    See Also
    --------
    classifier_fn : Return a function that builds a classifier; with an example.
    """
    return _build_fn(transformer, n_outputs, "linear", hidden_units, trainable)


def _build_fn(transformer, n_outputs, activation, hidden_units, trainable):
    check_is_fitted(transformer)
    # Not a closure, which could not be pickled.
    return functools.partial(
        _build,
        transformer,
        n_outputs,
        activation,
        hidden_units=hidden_units,
        trainable=trainable,
    )


def _build(transformer, n_outputs, activation, *, hidden_units, trainable):
    """A fresh keras.Model from x in original units to the outputs."""
    transformer = snapshot(transformer)
    encoder = transformer.to_keras("encoder")
    import keras

    encoder.trainable = trainable
    is_flat = transformer.configuration_["layout"] in ("2d", "list-1d")
    x = keras.Input((None,) if is_flat else (None, len(transformer.mean_)), name="x")
    values = x[:, :, None] if is_flat else x  # (n, T, F)
    scaled, statistics = _scale(keras.ops, transformer, values)
    mask = keras.ops.ones_like(values[:, :, 0], dtype="bool")
    encoded = encoder([scaled, mask])
    width = fitted_model(transformer).architecture.code_width
    parts = [encoded[:, :width], *statistics, encoded[:, width:]]
    code = keras.ops.concatenate(parts, -1)
    for width in hidden_units:
        code = keras.layers.Dense(width, activation="relu")(code)
    return keras.Model(x, keras.layers.Dense(n_outputs, activation=activation)(code))


def _scale(ops, transformer, values):
    """(n, T, F) scaled as `transform` does, and the columns (n, F) that it appends to the code.

    In float64, since a change may be small compared with the mean. Sums of alike float32 values are
    exact there.
    """
    kind, mean, scale = transformer.configuration_["scaling"], transformer.mean_, transformer.scale_
    if kind is None:
        return values, []
    exact = ops.cast(values, "float64")
    if kind == "feature":
        return ops.cast((exact - mean) / scale, "float32"), []
    observed = ops.equal(exact, exact)
    count = ops.sum(ops.cast(observed, "float64"), axis=1, keepdims=True)  # (n, 1, F)
    is_known, count = count > 0, ops.maximum(count, 1.0)
    own = ops.sum(ops.where(observed, exact, 0.0), axis=1, keepdims=True) / count
    mean = ops.where(is_known, own, mean)
    difference = ops.where(observed, exact - mean, 0.0)
    deviation = ops.sqrt(ops.sum(ops.square(difference), axis=1, keepdims=True) / count)
    is_constant = deviation <= FLOAT32_ROUNDING * ops.abs(mean)
    logarithm = ops.log(ops.where(is_constant, scale, deviation))
    statistics = [ops.cast(each[:, 0], "float32") for each in (mean, logarithm)]  # (n, F)
    scale = ops.exp(ops.cast(statistics[1][:, None], "float64"))
    return ops.cast((exact - mean) / scale, "float32"), statistics
