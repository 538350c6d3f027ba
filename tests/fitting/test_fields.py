"""A rule accepts what a field may hold, and names field, value and expectation else."""

import numpy as np
import pytest

from sklearn_lstmae._file_container import ArraySpec
from sklearn_lstmae.fitting.fields import (
    Array,
    Each,
    Number,
    OneOf,
    OrNone,
    Record,
    Rule,
    Some,
    Words,
    arrays_of,
)

NAN, INF = np.nan, np.inf
ALLOWED = [
    (Rule(), object()),
    (Number(int, 1, 3), 3),
    (Number(int, 1, 3), np.int64(1)),
    (Number(float), -0.0),
    (Number(float), np.float64(1e300)),
    (Number(float, 0, 1, may_be_nan=True), NAN),
    (OneOf([False, True]), False),
    (OneOf([None, "a", ["b"]]), ["b"]),
    (Array((2,), np.float32), np.ones(2, np.float32)),
    (Array((0,), np.float32, 3), np.ones(0, np.float32)),
    (Array((2,), np.float32, 3), ArraySpec((2,), np.dtype(np.float32))),
    (Words(2), np.array(["a", ""], object)),
    (Each([Number(int), OneOf(["a"])]), [1, "a"]),
    (Some(Number(int), 0, 2), []),
    (OrNone(Number(int)), None),
    (Record({"a": Number(int), "b": Number(int)}, absent=["b"]), {"a": 1}),
    (arrays_of([(), (1,)], np.int64), [np.array(1), np.array([1])]),
]
REFUSED = [
    (Number(int, 1, 3), 0, "'x' is 0, but should be: int from 1 to 3"),
    (Number(int, 1, 3), 4, "'x' is 4"),
    (Number(int, 1, 3), True, "'x' is True"),
    (Number(int, 1, 3), 2.0, "'x' is 2.0"),
    (Number(int, 1, 3), "2", "'x' is '2'"),
    (Number(int), 10**400, "'x' is 1000"),
    (Number(float), 1, "'x' is 1, but should be: float"),
    (Number(float), NAN, "'x' is nan"),
    (Number(float), -INF, "'x' is -inf"),
    (Number(float), None, "'x' is None"),
    (OneOf([False, True]), 0, r"'x' is 0, but should be: one of \[False, True\]"),
    (OneOf([1]), 1.0, "'x' is 1.0"),
    (OneOf(["a"]), np.ones(3), "'x' is an array of float64"),
    (Array((2,), np.float32), [1.0, 2.0], r"'x' is \[1.0, 2.0\], but .* float32 of shape \(2,\)"),
    (Array((2,), np.float32), np.ones(2), "'x' is an array of float64 of shape"),
    (Array((2,), np.float32), np.ones((2, 1), np.float32), r"of shape \(2, 1\)"),
    (Array((2,), np.float32), ArraySpec((3,), np.dtype("f4")), r"'x' is an array of float32 of sh"),
    (Array((2,), float), np.array([1, NAN]), "'x' holds numbers that are not finite"),
    (Array((2,), float), np.array([1, -INF]), "'x' holds numbers that are not finite"),
    (Array((2,), float, 0, 1), np.array([1, 2.0]), "'x' holds numbers that are not from 0 to 1"),
    (Words(2), np.array(["a", "b"]), "'x' is an array of <U1"),
    (Words(2), np.array(["a", 1], object), "array of 2 strings, as objects"),
    (Words(None), np.array(["a"], object), "'x' is an array of object"),
    (Words(1), ["a"], r"'x' is \['a'\]"),
    (Each([Number(int)]), [], r"'x' is \[\], but should be: list of 1"),
    (Each([Number(int)]), (1,), r"'x' is \(1,\)"),
    (Each([Number(int), Number(int)]), [1, "a"], r"'x\[1\]' is 'a'"),
    (Some(Number(int), 1, 2), [], "but should be: list of 1 to 2"),
    (Some(Number(int), 2, 2), [1], "but should be: list of 2"),
    (Some(Number(int), 0, 2), [None], r"'x\[0\]' is None"),
    (OrNone(Number(int)), "a", "'x' is 'a'"),
    (Record({"a": Number(int)}), [], r"'x' is \[\], but should be: dict of \['a'\]"),
    (Record({"a": Number(int)}), {}, r"'x\.a' is missing"),
    (Record({"a": Number(int)}), {"a": 1, "b": 2}, r"'x\.b' is not known: no fit makes it"),
    (Record({"a": Number(int)}), {"a": None}, r"'x\.a' is None"),
]


@pytest.mark.parametrize(("rule", "value"), ALLOWED)
def test_what_may_be_is_accepted(rule, value):
    rule.check(value, "x")


@pytest.mark.parametrize(("rule", "value", "message"), REFUSED)
def test_what_may_not_be_is_refused_naming_the_field(rule, value, message):
    with pytest.raises(ValueError, match=message):
        rule.check(value, "x")


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (OneOf(["a"]), "a" * 10**6),
        (Number(int, 0, 1), 10**4000),
        (Each([]), ["a" * 10**6] * 1000),
        (Record({}), {"a" * 10**6: 1}),
        (Record({}), [[["a" * 1000] * 1000] * 1000] * 1000),
    ],
)
def test_messages_are_short(rule, value):
    with pytest.raises(ValueError, match="'x") as caught:
        rule.check(value, "x")
    assert len(str(caught.value)) < 500
