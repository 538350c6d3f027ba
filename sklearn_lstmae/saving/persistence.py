"""Save estimators to files that outlast versions and run nothing when they are loaded.

A file (`container` says how it is laid out) holds the parameters and attributes of an estimator as
plain values and arrays. A plain value stands for itself; whatever else there is stands as
``{tag: content}``, a tag of `TAGS`. Tags lead to functions of this module, classes are looked up in
`ESTIMATORS`, and nothing is ever imported or called because a file names it.
"""

import math
from collections.abc import Callable
from dataclasses import fields
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklearn_lstmae import _container as container
from sklearn_lstmae._sklearn import (
    Interval,
    StrOptions,
    positive_int,
    validate_parameter_constraints,
)
from sklearn_lstmae._versions import versions
from sklearn_lstmae.classifier import LSTMAutoencoderClassifier
from sklearn_lstmae.detector import SCORES, LSTMAutoencoderDetector
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.sequences.tasks import OBJECTIVES
from sklearn_lstmae.transformer import LSTMAutoencoderTransformer

KIND = "estimator"
SCALARS = (np.bool_, np.integer, np.float16, np.float32, np.float64, np.str_)
ARRAYS = (np.ndarray, container.ArraySpec)  # what stands for one while a file is checked, too
STRINGS = {"U": str, "O": object}  # kind of the dtype of an array of strings -> dtype


def save(estimator, path):
    """Save an estimator to a file, fitted or not, that `load` opens.

    Unlike a pickle, the file runs no code when it is loaded, is checked against damage, and opens
    in later versions of this package too.

    Parameters
    ----------
    estimator : estimator
        One of this package, a ``FrozenEstimator`` around one or a ``Pipeline`` of such. Estimators
        of scikit-learn in it, and a ``RandomState``, are handed to skops
        (``pip install sklearn-lstmae[persist]``). Of a search, save ``best_estimator_``; callbacks
        are not saved, take them off with ``set_callbacks()`` first. Splitters are not either: of a
        detector with one as ``cv``, ``set_params(cv=5)`` changes nothing after ``fit``.

    path : str or path-like
        A file there is replaced when the new one is safely on the disk; until then it stays as
        it is, whatever happens.

    Raises
    ------
    TypeError
        If ``estimator`` is none.

    ValueError
        If it holds something that would not load again: an object of a class that skops does not
        trust by default, an attribute that no fit makes, or ones that contradict each other.

    ImportError
        If skops is needed and not installed.

    OSError
        If the file cannot be written, a full disk included.

    See Also
    --------
    load : The inverse.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn_lstmae import LSTMAutoencoderTransformer, load, save
    >>> with TemporaryDirectory() as folder:
    ...     save(LSTMAutoencoderTransformer(latent_dim=3), f"{folder}/model.lstmae")
    ...     load(f"{folder}/model.lstmae")
    LSTMAutoencoderTransformer(latent_dim=3)
    """
    if not isinstance(estimator, BaseEstimator):
        raise TypeError(f"save takes an estimator. Got {estimator!r:.200}.")
    writer = Writer()
    content = {"versions": versions(), "model": writer.encode(estimator, "model")}
    container.write(path, KIND, writer.arrays, content)


def load(path):
    """Load an estimator that `save` wrote.

    Neither TensorFlow nor anything else is imported because the file says so. Estimators of this
    package are checked part by part before memory is taken; of those within skops' part only the
    classes are: they must be this package's or trusted by skops.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    estimator : estimator
        Equal to the saved one; its results are the same, to the bit, on the same machine.

    Raises
    ------
    ValueError
        If the file is truncated, corrupted, of a newer format or of another program, or
        if it does not describe an estimator, naming the field.

    ImportError
        If skops is needed and not installed.

    OSError
        If the file cannot be opened.

    See Also
    --------
    save : The inverse.
    """
    arrays, content = container.read(path, KIND, check=_decode)
    estimator = _decode(content, arrays)
    if not isinstance(estimator, BaseEstimator):
        raise ValueError(f"{path}: field 'model' is {estimator!r:.200}, which is no estimator.")
    return estimator


def _decode(content, arrays):
    """The saved object; with `container.ArraySpec` for arrays, one that only serves as a check."""
    _check_keys(content, {"versions", "model"}, "content")
    reader = Reader(arrays)
    model = reader.decode(content["model"], "model")
    if reader.unused:
        raise ValueError(f"no field names the arrays {sorted(reader.unused)}.")
    return model


# Values <-> plain values and arrays ------------------------------------------------------


class Writer:
    """Takes values apart.

    Attributes
    ----------
    arrays : dict of ndarray
        Those met so far; plain values name them.
    """

    def __init__(self):
        self.arrays = {}
        # By exact type: an instance of a subclass may hold more than these functions see.
        self._encoders = {
            tuple: self._tuple,
            dict: self._dict,
            np.ndarray: self._array,
            np.memmap: self._array,
            **dict.fromkeys(ESTIMATORS, self._estimator),
        }

    def encode(self, value, where):
        """A value as plain ones; ``where`` is its name in error messages."""
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, SCALARS):
            return value.item()
        if isinstance(value, PurePath):  # comes back as str: a file may be opened elsewhere
            return str(value)
        if type(value) is list:
            return [self.encode(item, f"{where}[{i}]") for i, item in enumerate(value)]
        tag, content = self._encoders.get(type(value), self._skops)(value, where)
        return {tag: content}

    def _tuple(self, value, where):
        return "tuple", self.encode(list(value), where)

    def _dict(self, value, where):
        if any(type(key) is not str for key in value):
            return self._skops(value, where)
        return "dict", {key: self.encode(item, f"{where}.{key}") for key, item in value.items()}

    def _array(self, value, where):
        items = value.ravel().tolist() if value.dtype.kind in STRINGS else []
        if value.ndim == 1 and value.dtype.kind in STRINGS and all(type(i) is str for i in items):
            return "strings", {"kind": value.dtype.kind, "items": items}
        if value.dtype.newbyteorder("<").str in container.DTYPES:
            return "array", self._keep(value)
        return self._skops(value, where)

    def _estimator(self, value, where):
        parameters = value.get_params(deep=False)
        attributes = {name: item for name, item in vars(value).items() if name not in parameters}
        _check_attributes(type(value), attributes, where)
        state = {"parameters": parameters, "attributes": attributes}
        return "estimator", {
            "class": type(value).__name__,
            **{name: self._dict(part, f"{where}.{name}")[1] for name, part in state.items()},
        }

    def _skops(self, value, where):
        skops = _import_skops(f"field {where!r} holds a {type(value).__name__}")
        data = skops.dumps(value)
        _check_trusted(skops, data, where)
        name = self._keep(np.frombuffer(data, np.uint8))
        return "skops", {"class": type(value).__name__, "array": name}

    def _keep(self, array):
        name = str(len(self.arrays))
        self.arrays[name] = array
        return name


class Reader:
    """Puts values together again, believing nothing.

    Parameters
    ----------
    arrays : dict of ndarray or of `container.ArraySpec`
        With the latter nothing is handed to skops.

    Attributes
    ----------
    unused : set of str
        Names of arrays that no value has asked for.
    """

    def __init__(self, arrays):
        self._arrays = arrays
        self.unused = set(arrays)

    def decode(self, code, where):
        """Inverse of `Writer.encode`."""
        if isinstance(code, list):
            return [self.decode(item, f"{where}[{i}]") for i, item in enumerate(code)]
        if not isinstance(code, dict):
            return code
        if len(code) != 1 or not code.keys() <= TAGS.keys():
            raise ValueError(f"field {where!r} has keys {sorted(code)}, not one of {sorted(TAGS)}.")
        [(tag, content)] = code.items()
        expected, decoder = TAGS[tag]
        if not isinstance(content, expected):
            raise ValueError(
                f"field {where!r}: {tag!r} needs a {expected.__name__}. Got {content!r:.200}."
            )
        return decoder(self, content, where)

    def _tuple(self, items, where):
        return tuple(self.decode(items, where))

    def _dict(self, items, where):
        return {key: self.decode(item, f"{where}.{key}") for key, item in items.items()}

    def _strings(self, content, where):
        match content:
            case {"kind": str(kind), "items": list(items), **rest} if (
                not rest and kind in STRINGS and all(isinstance(item, str) for item in items)
            ):
                return np.array(items, dtype=STRINGS[kind])
        raise ValueError(f"field {where!r} is no array of strings: {content!r:.200}.")

    def _array(self, name, where):
        if not isinstance(name, str) or name not in self._arrays:
            raise ValueError(f"field {where!r} names an array {name!r:.200}, which does not exist.")
        self.unused.discard(name)
        return self._arrays[name]

    def _estimator(self, content, where):
        _check_keys(content, {"class", "parameters", "attributes"}, where)
        name = content["class"]
        classes = {estimator.__name__: estimator for estimator in ESTIMATORS}
        if not isinstance(name, str) or name not in classes:
            raise ValueError(
                f"field '{where}.class' is {name!r:.200}, not one of {sorted(classes)}."
            )
        parameters, attributes = (
            self.decode({"dict": content[part]}, f"{where}.{part}")
            for part in ("parameters", "attributes")
        )
        _check_attributes(classes[name], attributes, where)
        return _make_estimator(classes[name], parameters, attributes, where)

    def _skops(self, content, where):
        _check_keys(content, {"class", "array"}, where)
        stored = self._array(content["array"], where)
        if isinstance(stored, container.ArraySpec):
            return stored
        skops = _import_skops(f"field {where!r} holds a {content['class']}")
        _check_trusted(skops, stored.tobytes(), where)
        return skops.loads(stored.tobytes(), trusted=_own_types())


# tag -> (type of its content, what makes a value of that)
TAGS: dict[str, tuple[type, Callable[[Reader, Any, str], Any]]] = {
    "array": (str, Reader._array),
    "dict": (dict, Reader._dict),
    "estimator": (dict, Reader._estimator),
    "skops": (dict, Reader._skops),
    "strings": (dict, Reader._strings),
    "tuple": (list, Reader._tuple),
}


def _make_estimator(estimator_class, parameters, attributes, where):
    for name in sorted(parameters.keys() - set(estimator_class._get_param_names())):
        raise ValueError(f"field '{where}.parameters.{name}' is not known.")
    try:
        estimator = estimator_class(**parameters)
    except TypeError as error:  # a parameter without default is missing
        raise ValueError(f"field '{where}.parameters': {error}") from error
    vars(estimator).update(attributes)
    return estimator


def _check_attributes(estimator_class, attributes, where):
    """Raise unless an instance may have these."""
    for name in attributes:
        # Named as fitted or private, and hiding nothing that the class defines.
        is_marked = name.startswith("_") or name.endswith("_")
        if not is_marked or not name.isidentifier() or hasattr(estimator_class, name):
            raise ValueError(f"field '{where}.attributes.{name}' is not known.")
    try:
        ESTIMATORS[estimator_class](attributes)
    except ValueError as error:
        raise ValueError(f"field '{where}.attributes': {error}") from error


def _check_keys(content, expected, where):
    """Raise unless a dict has exactly these keys."""
    if not isinstance(content, dict):
        raise ValueError(f"field {where!r} should have {sorted(expected)}. Got {content!r:.200}.")
    for name in sorted(content.keys() ^ expected):
        what = "is missing" if name in expected else "is not known"
        raise ValueError(f"field '{where}.{name}' {what}.")


# What is not ours ------------------------------------------------------------------------


def _import_skops(reason):
    try:
        import skops.io
    except ImportError as error:
        raise ImportError(
            f"{reason}, which needs skops: pip install sklearn-lstmae[persist]."
        ) from error
    return skops.io


def _own_types():
    return [f"{estimator.__module__}.{estimator.__qualname__}" for estimator in ESTIMATORS]


def _check_trusted(skops, data, where):
    untrusted = set(skops.get_untrusted_types(data=data)) - set(_own_types())
    if untrusted:
        raise ValueError(
            f"field {where!r} holds {', '.join(sorted(untrusted))}, which neither sklearn_lstmae "
            "nor skops trusts."
        )


# What is ours ----------------------------------------------------------------------------

CONFIGURATION = {"architecture", "horizon", "layout", "loss", "missing", "scaling"}
CONFIGURATION_CONSTRAINTS = LSTMAutoencoderTransformer._parameter_constraints | {
    "n_features": [positive_int],
    "patch_size": [positive_int],
    "tells_missing": ["boolean"],
    "variational": ["boolean"],
    "layout": [StrOptions({"2d", "3d", "list", "list-1d"})],
}
DETECTOR_CONSTRAINTS = LSTMAutoencoderDetector._parameter_constraints | {
    "offset_": [Interval(Real, None, None, closed="left")],  # -inf: nothing is found
}
ARRAYS = (np.ndarray, container.ArraySpec)


def _accept(attributes):
    """Of classes that have no attributes of their own to check."""


def _check_transformer(attributes):
    """Raise unless attributes are those of an unfitted transformer, or fit together."""
    needed = {"configuration_", "weights_", "mean_", "scale_", "n_timesteps_", "n_features_in_"}
    if not _are_fitted(attributes, needed):
        return
    architecture = _check_configuration(attributes["configuration_"])
    _check_features(attributes, ["n_timesteps_", "n_features_in_"])
    _check_arrays("weights_", attributes["weights_"], network_of(architecture).shapes, np.float32)
    for name in ("mean_", "scale_"):
        _check_arrays(name, [attributes[name]], [(architecture.n_features,)], np.float64)
    if "n_observed_" in attributes or "var_" in attributes:  # files of before have neither
        shapes = [(architecture.n_features,)]
        _check_arrays("n_observed_", [attributes.get("n_observed_")], shapes, np.int64)
        _check_arrays("var_", [attributes.get("var_")], shapes, np.float64)
    if attributes.get("optimizer_state_") is not None:
        _check_optimizer_state(attributes["optimizer_state_"], network_of(architecture).shapes)


def _check_classifier(attributes):
    """Raise unless attributes are those of an unfitted classifier, or fit together."""
    needed = {"autoencoder_", "classes_", "weights_", "n_features_in_"}
    if not _are_fitted(attributes, needed):
        return
    _check_features(attributes, ["n_features_in_"])
    model, classes, weights = (
        attributes[name] for name in ("autoencoder_", "classes_", "weights_")
    )
    width = _check_learned(model, attributes["n_features_in_"])
    if not isinstance(classes, ARRAYS) or len(classes.shape) != 1 or classes.shape[0] < 2:
        raise ValueError(f"'classes_' is no array of at least two classes: {classes!r:.200}.")
    if not isinstance(weights, list) or len(weights) < 2:
        raise ValueError(f"'weights_' is no list of an encoder's and a head's: {weights!r:.200}.")
    encoder = Architecture.from_dict(model.configuration_["architecture"]).encoder
    head = [(width, *classes.shape), classes.shape]
    _check_arrays("weights_", weights[:-2], network_of(encoder).shapes, np.float32)
    _check_arrays("weights_", weights[-2:], head, np.float64)


def _check_detector(attributes):
    """Raise unless attributes are those of an unfitted detector, or fit together."""
    needed = {"autoencoder_", "offset_", "configuration_", "n_features_in_"}
    arrays = {"calibration_scores_", "score_center_", "score_spread_"}
    if not _are_fitted(attributes, needed | arrays | {"code_center_", "code_precision_"}):
        return
    configuration = attributes["configuration_"]
    _check_keys(configuration, {"threshold", "score_from"}, "configuration_")
    plain = configuration | {"offset_": attributes["offset_"]}
    validate_parameter_constraints(DETECTOR_CONSTRAINTS, plain, "LSTMAutoencoderDetector")
    _check_features(attributes, ["n_features_in_"])
    width = _check_learned(attributes["autoencoder_"], attributes["n_features_in_"])
    scores, looks_at = attributes["calibration_scores_"], SCORES[configuration["score_from"]]
    shapes = {
        "calibration_scores_": (scores.shape if isinstance(scores, ARRAYS) else ())[:1] or (1,),
        "score_center_": (len(looks_at),),
        "score_spread_": (len(looks_at),),
    }
    if "code" in looks_at:
        shapes |= {"code_center_": (width,), "code_precision_": (width, width)}
    for name, shape in shapes.items():
        _check_arrays(name, [attributes[name]], [shape], np.float64)


def _check_learned(autoencoder, n_features_in):
    """Raise unless this is a transformer, frozen or not, of such a fit; the width of its codes."""
    while isinstance(autoencoder, FrozenEstimator):
        autoencoder = autoencoder.estimator
    is_ours = isinstance(autoencoder, LSTMAutoencoderTransformer)
    if not is_ours or vars(autoencoder).get("n_features_in_") != n_features_in:
        raise ValueError(
            f"'autoencoder_' is of type {type(autoencoder).__name__}, and no transformer that was "
            f"fitted with n_features_in_={n_features_in}."
        )
    configuration = autoencoder.configuration_
    architecture = Architecture.from_dict(configuration["architecture"])
    appended = 2 * architecture.n_features if configuration["scaling"] == "sequence" else 0
    return architecture.code_width + appended


def _are_fitted(attributes, needed):
    """Whether attributes are those of a fitted estimator; raise if it lacks one that it needs."""
    if not any(name.endswith("_") for name in attributes):
        return False
    for name in sorted(needed - attributes.keys()):
        raise ValueError(f"{name!r} is missing.")
    return True


def _check_features(attributes, counts):
    """Raise unless these attributes are counts, and each feature has a name if any has."""
    numbers = {name: attributes[name] for name in counts}
    validate_parameter_constraints(
        {key: [positive_int] for key in counts}, numbers, "a fitted estimator"
    )
    if "feature_names_in_" in attributes:
        names, shape = attributes["feature_names_in_"], (attributes["n_features_in_"],)
        _check_arrays("feature_names_in_", [names], [shape], object)


def _check_configuration(configuration):
    """Raise unless a configuration is complete and possible; its Architecture."""
    _check_keys(configuration, CONFIGURATION, "configuration_")
    description = configuration["architecture"]
    _check_keys(
        description, {field.name for field in fields(Architecture)}, "configuration_.architecture"
    )
    validate_parameter_constraints(
        CONFIGURATION_CONSTRAINTS, description | configuration, "configuration_"
    )
    units, decoders = description["hidden_units"], description["decoders"]
    if not all(type(width) is int and width >= 1 for width in units):
        raise ValueError(f"'hidden_units' should be ints of at least 1. Got {units!r:.200}.")
    if description["bottleneck"] == "dense" and not units:
        raise ValueError("'hidden_units' is empty, which a 'dense' bottleneck cannot have.")
    if description["bottleneck"] != "dense" and description["variational"]:
        raise ValueError("'variational' is set, which only a 'dense' bottleneck can be.")
    if decoders not in map(list, OBJECTIVES.values()):
        raise ValueError(f"'decoders' is {decoders!r:.200}, which no objective has.")
    return Architecture.from_dict(description)


def _check_optimizer_state(state, shapes):
    """Raise unless a training of weights of these shapes could go on from it."""
    count = [Interval(Integral, 0, None, closed="left")]
    constraints = {
        "optimizer": LSTMAutoencoderTransformer._parameter_constraints["optimizer"],
        "variables": [list],
        "seed": count,
        "n_epochs": count,
        "n_steps": count,
    }
    _check_keys(state, constraints.keys(), "optimizer_state_")
    validate_parameter_constraints(constraints, state, "optimizer_state_")
    possible = [(), (sum(map(math.prod, shapes)),)]  # a number, or one for each weight
    for array in state["variables"]:
        if not isinstance(array, ARRAYS) or array.shape not in possible:
            raise ValueError(
                f"'optimizer_state_.variables' holds {array!r:.200}, not an array of one of the "
                f"shapes {possible}."
            )


def _check_arrays(name, arrays, shapes, dtype):
    """Raise unless arrays have these shapes and one dtype."""
    if not isinstance(arrays, list) or not all(isinstance(array, ARRAYS) for array in arrays):
        raise ValueError(f"{name!r} is no array or list of arrays: {arrays!r:.200}.")
    got = [(array.shape, array.dtype) for array in arrays]
    expected = [(shape, np.dtype(dtype)) for shape in shapes]
    if got != expected:
        raise ValueError(
            f"{name!r} has (shape, dtype) {got!r:.500}, but 'configuration_' asks for "
            f"{expected!r:.500}."
        )


# The classes that files may name -> what raises ValueError where its attributes are impossible.
ESTIMATORS = {
    LSTMAutoencoderDetector: _check_detector,
    LSTMAutoencoderTransformer: _check_transformer,
    LSTMAutoencoderClassifier: _check_classifier,
    FrozenEstimator: _accept,
    Pipeline: _accept,
}
