"""What a field of a file may hold: rules, and errors that name the field.

Files and checkpoints are read by the same rules. A rule takes an array, or the `ArraySpec` of one
that has not been read, of which it checks shape and dtype alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_lstmae._file_container import ArraySpec, shown

ARRAYS = (np.ndarray, ArraySpec)
LARGEST = float(np.finfo(np.float64).max)


class Rule:
    """What a value may be; a subclass has the method ``_check``."""

    def check(self, value: Any, where: str) -> None:
        """Raise ValueError, naming the field ``where``, unless it may hold the value."""
        self._check(value, where)

    def _check(self, value: Any, where: str) -> None:
        """Accept what was checked by other means."""


@dataclass(frozen=True)
class Number(Rule):
    """A number of one kind within bounds, by default finite; NaN only if it may be."""

    kind: type  # int or float
    least: float = -LARGEST
    most: float = LARGEST
    may_be_nan: bool = False

    def _check(self, value: Any, where: str) -> None:
        kinds = (int, np.integer) if self.kind is int else (float, np.floating)
        is_kind = isinstance(value, kinds) and not isinstance(value, bool)
        is_allowed = is_kind and (
            self.least <= value <= self.most or (self.may_be_nan and value != value)
        )
        _refuse_unless(is_allowed, value, where, f"{self.kind.__name__} {self._range}")

    @property
    def _range(self) -> str:
        return f"from {self.least:.6g} to {self.most:.6g}"


@dataclass(frozen=True)
class OneOf(Rule):
    """One of some plain values, of the same type."""

    values: Collection

    def _check(self, value: Any, where: str) -> None:
        is_one = any(type(value) is type(each) and value == each for each in self.values)
        _refuse_unless(is_one, value, where, f"one of {list(self.values)}")


@dataclass(frozen=True)
class Array(Rule):
    """An array of one shape and dtype, of numbers within bounds, by default finite."""

    shape: tuple
    dtype: Any
    least: float = -LARGEST
    most: float = LARGEST

    def _check(self, value: Any, where: str) -> None:
        dtype = np.dtype(self.dtype)
        is_like = isinstance(value, ARRAYS) and (value.shape, value.dtype) == (self.shape, dtype)
        _refuse_unless(is_like, value, where, f"array of {dtype} of shape {shown(self.shape)}")
        if not isinstance(value, np.ndarray):
            return
        if not np.isfinite(value).all():
            raise ValueError(f"{where!r} holds numbers that are not finite.")
        if value.size and not self.least <= value.min().item() <= value.max().item() <= self.most:
            raise ValueError(
                f"{where!r} holds numbers that are not from {self.least:.6g} to {self.most:.6g}."
            )


@dataclass(frozen=True)
class Words(Rule):
    """An array of n strings, as objects."""

    n_words: int

    def _check(self, value: Any, where: str) -> None:
        is_array = isinstance(value, np.ndarray) and value.dtype == object
        fits = is_array and value.shape == (self.n_words,) and all(type(w) is str for w in value)
        _refuse_unless(fits, value, where, f"array of {self.n_words} strings, as objects")


@dataclass(frozen=True)
class Each(Rule):
    """A list with one rule for each item."""

    rules: Collection

    def _check(self, value: Any, where: str) -> None:
        is_like = isinstance(value, list) and len(value) == len(self.rules)
        _refuse_unless(is_like, value, where, f"list of {len(self.rules)}")
        for number, (rule, item) in enumerate(zip(self.rules, value, strict=True)):
            rule.check(item, f"{where}[{number}]")


@dataclass(frozen=True)
class Some(Rule):
    """A list of items by one rule, of as many as its bounds allow."""

    rule: Any
    least: int
    most: int

    def _check(self, value: Any, where: str) -> None:
        is_like = isinstance(value, list) and self.least <= len(value) <= self.most
        numbers = f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"
        _refuse_unless(is_like, value, where, f"list of {numbers}")
        for number, item in enumerate(value):
            self.rule.check(item, f"{where}[{number}]")


@dataclass(frozen=True)
class OrNone(Rule):
    """None, or what another rule allows."""

    rule: Any

    def _check(self, value: Any, where: str) -> None:
        if value is not None:
            self.rule.check(value, where)


@dataclass(frozen=True)
class Record(Rule):
    """A dict with one rule for each key; files of earlier versions may lack some."""

    rules: Mapping[str, Any]
    absent: Collection[str] = ()

    def _check(self, value: Any, where: str) -> None:
        _refuse_unless(isinstance(value, dict), value, where, f"dict of {sorted(self.rules)}")
        for name in sorted(value.keys() - self.rules.keys()):
            raise ValueError(f"'{_within(where, name)}' is not known: no fit makes it.")
        for name, rule in self.rules.items():
            if name in value:
                rule.check(value[name], _within(where, name))
            elif name not in self.absent:
                raise ValueError(f"'{_within(where, name)}' is missing.")


def arrays_of(shapes: Collection[tuple], dtype: Any, **options: Any) -> Each:
    """Rule for a list of arrays of these shapes and one dtype."""
    return Each([Array(shape, dtype, **options) for shape in shapes])


def _within(where: str, name: str) -> str:
    return f"{where}.{name:.60}" if where else f"{name:.60}"


def _refuse_unless(is_allowed: Any, value: Any, where: str, expected: str) -> None:
    if not is_allowed:
        raise ValueError(f"{where!r} is {shown(value)}, but should be: {expected}.")
