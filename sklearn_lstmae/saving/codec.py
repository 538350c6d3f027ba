"""Values <-> plain values and arrays.

A plain value (None, bool, int, float, str, list) stands for itself; anything else becomes
``{tag: content}``, with a tag of `TAGS`. Tags lead to functions of this module, and classes of
estimators are looked up in a table that the caller passes: nothing is imported or called because a
file names it. skops stores whatever is neither plain nor of such a class.
"""

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from sklearn_lstmae import _file_container as container
from sklearn_lstmae._file_container import shown
from sklearn_lstmae.fitting.in_one_step import snapshot
from sklearn_lstmae.saving import skops_archive as archive

SCALARS = (np.bool_, np.integer, np.float16, np.float32, np.float64, np.str_)
STRINGS = {"U": str, "O": object}  # kind of the dtype of an array of strings -> dtype
# Padding of arrays of strings, in bytes, that a file may need in addition to ten times its size.
PADDING = 2**24
# Estimators of this package within each other: a detector holds a FrozenEstimator of a transformer.
NESTED = 8
# Values within each other, and estimators among them.
DEEPEST = 60
# Characters of the name of a field, about.
LONGEST_NAME = 200
# The dtypes of times and of differences between them: a unit and how many of it are one step.
TIMES = re.compile(r"<[mM]8(\[\d{0,9}(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?")
# Last part of the name of a value that cannot be saved -> what to do.
ADVICE = {"cv": " Save it after set_params(cv=5): only the next fit reads cv."}

# What scikit-learn keeps of `set_fit_request` and the like: objects of a class that is private.
REQUESTS = "_metadata_request"

# Class of an estimator -> function of its attributes that raises ValueError if they are impossible.
Estimators = Mapping[type, Callable[[dict[str, Any]], object]]


class Writer:
    """Encodes values.

    Parameters
    ----------
    estimators : dict of type -> callable
        The classes that are not left to skops, see `Estimators`.

    Attributes
    ----------
    arrays : dict of ndarray
        Arrays of the values so far, by the names that stand for them in plain values.
    """

    def __init__(self, estimators: Estimators):
        self.arrays: dict[str, np.ndarray] = {}
        self._estimators = estimators
        # By exact type: an instance of a subclass may hold more than these functions read.
        self._encoders = {
            tuple: self._tuple,
            dict: self._dict,
            np.ndarray: self._array,
            np.memmap: self._array,
            **dict.fromkeys(estimators, self._estimator),
        }

    def encode(self, value, where):
        """A value as plain ones; ``where`` is its name in error messages."""
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, np.datetime64 | np.timedelta64):  # the latter is an np.integer, too
            return dict([self._array(np.asarray(value), where)])
        if isinstance(value, SCALARS):
            return value.item()
        if isinstance(value, PurePath):  # decoded as str: the file may be opened on another system
            return str(value)
        if type(value) is list:
            return [self.encode(item, _within(where, f"[{i}]")) for i, item in enumerate(value)]
        tag, content = self._encoders.get(type(value), self._skops)(value, where)
        return {tag: content}

    def _tuple(self, value, where):
        return "tuple", self.encode(list(value), where)

    def _dict(self, value, where):
        if any(type(key) is not str for key in value):
            return self._skops(value, where)
        return "dict", {
            key: self.encode(item, _within(where, f".{key:.60}")) for key, item in value.items()
        }

    def _array(self, value, where):
        items = value.ravel().tolist() if value.dtype.kind in STRINGS else []
        if value.ndim == 1 and value.dtype.kind in STRINGS and all(type(i) is str for i in items):
            return "strings", {"kind": value.dtype.kind, "items": items}
        dtype = value.dtype.newbyteorder("<")
        if dtype.str in container.DTYPES:
            return "array", self._keep(value)
        if dtype.kind in "mM":
            numbers = np.asarray(value, dtype).view("<i8")
            return "times", {"dtype": dtype.str, "array": self._keep(numbers)}
        return self._skops(value, where)

    def _estimator(self, value, where):
        value = _without_requests(snapshot(value), where)
        state = parts_of(value)
        encoded = {name: self._dict(part, f"{where}.{name}")[1] for name, part in state.items()}
        # Last, since it relies on what is within.
        check_attributes(type(value), self._estimators, state["attributes"], where)
        return "estimator", {"class": type(value).__name__, **encoded}

    def _skops(self, value, where):
        advice = ADVICE.get(where.rpartition(".")[2], "")
        value = _without_requests(value, where)
        data = archive.dumps(value, self._estimators, where, advice)
        check_within(value, self._estimators, where)
        name = self._keep(np.frombuffer(data, np.uint8))
        return "skops", {"class": type(value).__name__, "array": name}

    def _keep(self, array):
        name = str(len(self.arrays))
        self.arrays[name] = array
        return name


@dataclass(frozen=True)
class Unread:
    """In place of what skops stores, before it is read: the name of its class."""

    name: str


class Reader:
    """Decodes values and verifies them on the way.

    Parameters
    ----------
    arrays : dict of ndarray or of `container.ArraySpec`
        With the latter nothing is passed to skops.

    estimators : dict of type -> callable
        The classes that a value may be of, see `Estimators`.

    Attributes
    ----------
    unused : set of str
        Names of arrays that no value so far refers to.
    """

    def __init__(self, arrays: Mapping[str, Any], estimators: Estimators):
        self._arrays = arrays
        self._estimators = estimators
        self.unused = set(arrays)
        self._padding, self._n_nested, self._depth = PADDING, 0, 0

    def decode(self, code, where):
        """Inverse of `Writer.encode`."""
        if not isinstance(code, list | dict):
            return code
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError(f"field {where!r}: values are nested more than {DEEPEST} deep.")
        decoded = self._decode_nested(code, where)
        self._depth -= 1
        return decoded

    def _decode_nested(self, code, where):
        if isinstance(code, list):
            return [
                self.decode(item, _within(where, f"[{i}]"))
                if isinstance(item, list | dict)
                else item  # a name for each of many numbers takes long
                for i, item in enumerate(code)
            ]
        if len(code) != 1 or not code.keys() <= TAGS.keys():
            keys = shown(sorted(code))
            raise ValueError(f"field {where!r} has keys {keys}, not one of {sorted(TAGS)}.")
        [(tag, content)] = code.items()
        expected, decoder = TAGS[tag]
        if not isinstance(content, expected):
            raise ValueError(
                f"field {where!r}: {tag!r} needs a {expected.__name__}. Got {shown(content)}."
            )
        return decoder(self, content, where)

    def _tuple(self, items, where):
        return tuple(self.decode(items, where))

    def _dict(self, items, where):
        return {
            key: self.decode(item, _within(where, f".{key:.60}")) for key, item in items.items()
        }

    def _strings(self, content, where):
        match content:
            case {"kind": str(kind), "items": list(items), **rest} if (
                not rest and kind in STRINGS and all(isinstance(item, str) for item in items)
            ):
                if kind == "U":
                    self._check_padding(items, where)
                return np.array(items, dtype=STRINGS[kind])
        raise ValueError(f"field {where!r} is no array of strings: {shown(content)}.")

    def _check_padding(self, items, where):
        """Raise, before memory is taken, if strings would take much more of it than the file."""
        n_bytes = 4 * len(items) * max(map(len, items), default=0)
        self._padding -= max(0, n_bytes - 10 * sum(map(len, items)))
        if self._padding < 0:
            raise ValueError(
                f"field {where!r}: {len(items)} strings, the longest of {max(map(len, items))} "
                "characters, need far more memory than the file has bytes."
            )

    def _array(self, name, where):
        if not isinstance(name, str) or name not in self._arrays:
            raise ValueError(f"field {where!r} names an array {shown(name)}, which does not exist.")
        if name not in self.unused:
            raise ValueError(f"field {where!r} names the array {name!r}, as another field does.")
        self.unused.discard(name)
        return self._arrays[name]

    def _times(self, content, where):
        container.check_keys(content, {"dtype", "array"}, where)
        dtype, numbers = content["dtype"], self._array(content["array"], where)
        if not isinstance(dtype, str) or not TIMES.fullmatch(dtype) or numbers.dtype != np.int64:
            raise ValueError(
                f"field {where!r} is no array of times: {shown(dtype)} made of {numbers.dtype}."
            )
        if isinstance(numbers, container.ArraySpec):
            return container.ArraySpec(numbers.shape, np.dtype(dtype))
        return numbers.view(dtype)[()]  # a scalar, where there are no axes

    def _estimator(self, content, where):
        container.check_keys(content, {"class", "parameters", "attributes"}, where)
        name = content["class"]
        classes = {estimator.__name__: estimator for estimator in self._estimators}
        if not isinstance(name, str) or name not in classes:
            raise ValueError(
                f"field '{where}.class' is {shown(name)}, not one of {sorted(classes)}."
            )
        self._n_nested += 1
        if self._n_nested > NESTED:
            raise ValueError(f"field {where!r}: more than {NESTED} nested estimators.")
        parameters, attributes = (
            self.decode({"dict": content[part]}, f"{where}.{part}")
            for part in ("parameters", "attributes")
        )
        self._n_nested -= 1
        check_attributes(classes[name], self._estimators, attributes, where)
        return _make_estimator(classes[name], parameters, attributes, where)

    def _skops(self, content, where):
        container.check_keys(content, {"class", "array"}, where)
        stored, name = self._array(content["array"], where), content["class"]
        if not isinstance(name, str) or stored.dtype != np.uint8 or len(stored.shape) != 1:
            raise ValueError(f"field {where!r} is not what skops wrote: {shown(content)}.")
        if isinstance(stored, container.ArraySpec):
            return Unread(name)
        value = archive.loads(stored.tobytes(), name, self._estimators, where)
        check_within(value, self._estimators, where)
        return value


# tag -> (type of its content, decoder of that content)
TAGS: dict[str, tuple[type, Callable[[Reader, Any, str], Any]]] = {
    "array": (str, Reader._array),
    "dict": (dict, Reader._dict),
    "estimator": (dict, Reader._estimator),
    "skops": (dict, Reader._skops),
    "strings": (dict, Reader._strings),
    "times": (dict, Reader._times),
    "tuple": (list, Reader._tuple),
}


# Estimators ------------------------------------------------------------------------------


def _without_requests(value, where):
    """The value or, with a warning, an estimator without what a file cannot hold of it."""
    if REQUESTS not in getattr(value, "__dict__", {}):
        return value
    warnings.warn(
        f"The metadata requests of field {where!r}, as set_fit_request makes them, are not saved: "
        "set them again after load.",
        UserWarning,
        stacklevel=2,
    )
    plain = snapshot(value)
    plain.__dict__ = {name: item for name, item in vars(value).items() if name != REQUESTS}
    return plain


def parts_of(estimator):
    """Parameters of an estimator, and its other attributes."""
    parameters = estimator.get_params(deep=False)
    attributes = {name: item for name, item in vars(estimator).items() if name not in parameters}
    return {"parameters": parameters, "attributes": attributes}


def _make_estimator(estimator_class, parameters, attributes, where):
    for name in sorted(parameters.keys() - set(estimator_class._get_param_names())):
        raise ValueError(f"field '{where}.parameters.{name:.60}' is not known.")
    try:
        estimator = estimator_class(**parameters)
    except TypeError as error:  # a parameter without default is missing
        raise ValueError(f"field '{where}.parameters': {error}") from error
    vars(estimator).update(attributes)
    return estimator


def check_attributes(estimator_class, estimators, attributes, where):
    """Raise unless an instance may have these attributes."""
    for name in attributes:
        # Fitted or private by name, and not one that hides something of the class.
        is_marked = name.startswith("_") or name.endswith("_")
        if not is_marked or not name.isidentifier() or hasattr(estimator_class, name):
            raise ValueError(f"field '{where}.attributes.{name:.60}' is not known.")
    try:
        estimators[estimator_class](attributes)
    except ValueError as error:
        raise ValueError(f"field '{where}.attributes': {error}") from error


def check_within(value, estimators, where):
    """Raise unless each estimator of the table within an object of another class may be so."""
    found = [each for each in _reachable(value) if type(each) in estimators]
    for each in found:
        for name in sorted(set(each._get_param_names()) - vars(each).keys()):
            raise ValueError(f"field {where!r} holds a {type(each).__name__} without {name!r}.")
    # Those that are within others first, as checks of the latter rely on them.
    for each in reversed(found):
        check_attributes(type(each), estimators, parts_of(each)["attributes"], where)


def _reachable(value):
    """All objects within a value, each once."""
    seen, left = {id(value): value}, [value]
    while left:
        value = left.pop()
        yield value
        parts = [*vars(value).values()] if hasattr(value, "__dict__") else []
        if isinstance(value, dict):
            parts += value.values()
        elif isinstance(value, list | tuple | set):
            parts += value
        elif isinstance(value, np.ndarray) and value.dtype == object:
            parts += value.flat
        for part in parts:
            if id(part) not in seen:
                seen[id(part)] = part
                left.append(part)


def _within(where, part):
    """The name of a part; names of what is deep within each other are those of a place above."""
    return where + part if len(where) < LONGEST_NAME else where
