"""Values are decoded as they were encoded, and nothing but values is ever decoded."""

import copy
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator

from sklearn_lstmae import _file_container as container
from sklearn_lstmae.saving.codec import Reader, Unread, Writer, check_within


class Toy(BaseEstimator):
    """An estimator that the codec knows from the table alone."""

    def __init__(self, first, second=None):
        self.first = first
        self.second = second

    def work(self):
        """A method, which no attribute may hide."""


class Other(BaseEstimator):
    """An estimator that is not in the table."""


def check(attributes):
    if attributes.get("sum_", 0) < 0:
        raise ValueError("'sum_' is negative.")


ESTIMATORS = {Toy: check}


def fitted(**attributes):
    toy = Toy((1, 2), np.arange(3))
    vars(toy).update({"sum_": 3, "codes_": np.ones((2, 2))} | attributes)
    return toy


def through_a_file(value, path):
    writer = Writer(ESTIMATORS)
    content = {"value": writer.encode(value, "model")}
    container.write(path, "test", writer.arrays, content)
    arrays, content = container.read(path, "test")
    reader = Reader(arrays, ESTIMATORS)
    decoded = reader.decode(content["value"], "model")
    assert not reader.unused
    return decoded


def assert_equal(got, expected):
    assert type(got) is type(expected)
    if isinstance(expected, np.ndarray):
        assert got.dtype == expected.dtype
        assert_array_equal(got, expected)
    else:
        assert got == expected or (np.isnan(got) and np.isnan(expected))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        ((np.int64(3), (4,)), (3, (4,))),
        ([3, None], [3, None]),
        ({"tuple": [1], "a": (2,)}, {"tuple": [1], "a": (2,)}),
        (Path("a", "b"), str(Path("a", "b"))),
        (np.nan, np.nan),
        (np.array([1, 2]), np.array([1, 2])),
        (np.array([[1.5]], ">f4"), np.array([[1.5]], "f4")),
        (np.array(["a", "bc"]), np.array(["a", "bc"])),
        (np.array(["a", "bc"], object), np.array(["a", "bc"], object)),
        (np.array([], object), np.array([], object)),
        (np.datetime64("2024-01-02", "ns"), np.datetime64("2024-01-02", "ns")),
        (np.timedelta64(5, "D"), np.timedelta64(5, "D")),
        (np.array([[1], [-5]], "M8[25us]"), np.array([[1], [-5]], "M8[25us]")),
        (np.arange(6).view("M8[D]")[::2], np.array([0, 2, 4]).view("M8[D]")),
        (np.array(["2024", "NaT"], ">M8[s]"), np.array(["2024", "NaT"], "M8[s]")),
        (np.array([3, 1], "m8[h]"), np.array([3, 1], "m8[h]")),
    ],
    ids=repr,
)
def test_any_plain_value_comes_back(value, expected, path, no_skops):
    assert_equal(through_a_file(value, path), expected)


@pytest.mark.parametrize(
    "value",
    [
        np.random.RandomState(3),
        {1: 2},
        {1, 2},
        np.array([1j]),
        np.array(["a", None], object),
        np.ma.masked_array([1, 2], [True, False]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_plain_comes_back_with_skops(value, path):
    decoded = through_a_file(value, path)
    assert type(decoded) is type(value)
    if isinstance(value, np.random.RandomState):
        assert decoded.randint(1000, size=9).tolist() == value.randint(1000, size=9).tolist()
    else:
        assert str(decoded) == str(value)


def test_an_estimator_of_the_table_comes_back(path, no_skops):
    decoded = through_a_file([fitted(), Toy(1)], path)
    assert [type(toy) for toy in decoded] == [Toy, Toy]
    for got, expected in zip(decoded, [fitted(), Toy(1)], strict=True):
        assert vars(got).keys() == vars(expected).keys()
        for name, value in vars(expected).items():
            assert_equal(vars(got)[name], value)


def test_another_estimator_is_left_to_skops_which_does_not_trust_it():
    with pytest.raises(ValueError, match=r"'model\[0\]' holds .*\.Other, which neither"):
        Writer(ESTIMATORS).encode([Other()], "model")


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"note": 1}, r"field 'model\.attributes\.note' is not known"),
        ({"sum_": -1}, r"field 'model\.attributes': 'sum_' is negative"),
    ],
    ids=["unknown", "impossible"],
)
def test_what_would_not_be_decoded_is_not_encoded(attributes, message):
    with pytest.raises(ValueError, match=message):
        Writer(ESTIMATORS).encode(fitted(**attributes), "model")


def test_arrays_that_no_value_refers_to_are_known():
    assert Reader({"0": np.ones(2), "1": np.ones(2)}, {}).unused == {"0", "1"}


def test_what_skops_stored_is_not_read_before_arrays_are(no_skops):
    spec = container.ArraySpec((9,), np.dtype(np.uint8))
    code = {"skops": {"class": "RandomState", "array": "0"}}
    assert Reader({"0": spec}, {}).decode(code, "model") == Unread("RandomState")


def test_times_have_their_dtype_before_arrays_are_read():
    spec = container.ArraySpec((9,), np.dtype(np.int64))
    code = {"times": {"dtype": "<M8[D]", "array": "0"}}
    expected = container.ArraySpec((9,), np.dtype("M8[D]"))
    assert Reader({"0": spec}, {}).decode(code, "model") == expected


def test_what_cannot_be_saved_is_named_and_a_splitter_is_replaced():
    folds = (fold for fold in [1])
    with pytest.raises(ValueError, match=r"'model\.second' holds a generator, which cannot be sav"):
        Writer({}).encode({"second": folds}, "model")
    with pytest.raises(
        ValueError, match=r"'model\.cv' .*\)\. Save it after set_params\(cv=5\): only"
    ):
        Writer({}).encode({"cv": folds}, "model")


# Codes made to deceive -------------------------------------------------------------------

TOY = ("estimator",)
PARAMETERS, ATTRIBUTES = (*TOY, "parameters"), (*TOY, "attributes")
UNTRUE = {
    r"field 'model' has keys \['lambda'\]": ({"lambda": "x"},),
    r"field 'model' has keys \[\]": ({},),
    r"'model': 'estimator' needs a dict": ([], *TOY),
    r"'model\.class' is 'os\.system', not one of \['Toy'\]": ("os.system", *TOY, "class"),
    r"'model\.class' is 'Other', not one of": ("Other", *TOY, "class"),
    r"'model\.class' is \[\], not one of": ([], *TOY, "class"),
    r"field 'model\.module' is not known": ("os", *TOY, "module"),
    r"'model\.parameters': 'dict' needs a dict": ([], *PARAMETERS),
    r"field 'model\.parameters\.zz' is not known": (1, *PARAMETERS, "zz"),
    r"'model\.parameters': .*missing .* argument: 'first'": ({}, *PARAMETERS),
    r"field 'model\.attributes\.zz' is not known": (1, *ATTRIBUTES, "zz"),
    r"field 'model\.attributes\.work' is not": (1, *ATTRIBUTES, "work"),
    r"field 'model\.attributes\.__class__' is not": (1, *ATTRIBUTES, "__class__"),
    r"field 'model\.attributes\._get_param_names' is not": (1, *ATTRIBUTES, "_get_param_names"),
    r"field 'model\.attributes': 'sum_' is negative": (-1, *ATTRIBUTES, "sum_"),
    r"'model\.attributes\.codes_' names the array '0', as another field does": (
        {"array": "0"}, *ATTRIBUTES, "codes_"
    ),
    r"'model' is not what skops wrote: {'array': '1', 'class': 3}": (
        {"skops": {"class": 3, "array": "1"}},
    ),
    r"'model' is not what skops wrote: {'array': '1', 'class': 'A'}": (
        {"skops": {"class": "A", "array": "1"}},
    ),
    r"names an array '99', which does not exist": ({"array": "99"}, *ATTRIBUTES, "codes_"),
    r"field 'model\.attributes\.codes_' is no array of strings": (
        {"strings": {"kind": "O", "items": [1]}}, *ATTRIBUTES, "codes_"
    ),
    r"'model\.attributes\.codes_': 'tuple' needs a list": (
        {"tuple": "ab"}, *ATTRIBUTES, "codes_"
    ),
    r"'model\.attributes\.codes_' is no array of times: '<M8\[D\]\[D\]'": (
        {"times": {"dtype": "<M8[D][D]", "array": "1"}}, *ATTRIBUTES, "codes_"
    ),
    r"'model\.attributes\.codes_' is no array of times: \[\]": (
        {"times": {"dtype": [], "array": "1"}}, *ATTRIBUTES, "codes_"
    ),
    r"'model\.attributes\.codes_' is no array of times: '<M8\[s\]' made of float64": (
        {"times": {"dtype": "<M8[s]", "array": "1"}}, *ATTRIBUTES, "codes_"
    ),
    r"names an array \[\], which does": ({"skops": {"class": "A", "array": []}},),
    r"field 'model\.array' is missing": ({"skops": {"class": "A"}},),
}  # fmt: skip


@pytest.mark.parametrize(("message", "change"), UNTRUE.items(), ids=UNTRUE)
def test_an_untrue_code_is_refused_naming_the_field(message, change):
    writer = Writer(ESTIMATORS)
    whole = {"model": copy.deepcopy(writer.encode(fitted(), "model"))}
    value, *parents = change
    part = whole
    *parents, last = ("model", *parents)
    for key in parents:
        part = part[key]
    part[last] = value
    modules = set(sys.modules)
    with pytest.raises(ValueError, match=message):
        Reader(writer.arrays, ESTIMATORS).decode(whole["model"], "model")
    assert set(sys.modules) == modules


@pytest.mark.parametrize("n_arrays", [1, 40])
def test_strings_that_need_far_more_memory_than_the_file_are_refused(n_arrays):
    items = ["a" * (8_000_000 // n_arrays), *[""] * 12500]
    code = [{"strings": {"kind": "U", "items": items}}] * n_arrays
    with pytest.raises(ValueError, match=r"field 'x\[\d+\]': 12501 strings, the longest of \d+"):
        Reader({}, {}).decode(code, "x")
    names = {"strings": {"kind": "U", "items": [f"feature {i}" for i in range(5000)]}}
    assert len(Reader({}, {}).decode(names, "x")) == 5000


def test_estimators_that_hold_each_other_without_end_are_refused():
    from sklearn_lstmae.saving.persistence import ESTIMATORS

    code = {"class": "FrozenEstimator", "parameters": {"estimator": 3}, "attributes": {}}
    for _ in range(30):
        inner = {"estimator": code}
        code = {"class": "FrozenEstimator", "parameters": {"estimator": inner}, "attributes": {}}
    with pytest.raises(ValueError, match="more than 8 nested estimators"):
        Reader({}, ESTIMATORS).decode({"estimator": code}, "model")


@pytest.mark.parametrize(
    "code",
    [
        {"zz" * 10**6: 1},
        {"tuple": "a" * 10**6},
        {"array": "a" * 10**6},
        {"strings": {"kind": "a" * 10**6, "items": []}},
        {"times": {"dtype": "a" * 10**6, "array": "0"}},
        {"estimator": {"class": "a" * 10**6, "parameters": {}, "attributes": {}}},
        {"estimator": {"class": "Toy", "parameters": {"a" * 10**6: 1}, "attributes": {}}},
        {"estimator": {"class": "Toy", "parameters": {"first": 1}, "attributes": {"a" * 10**6: 1}}},
        {"dict": {"a" * 10**6: {"array": 3}}},
        {"estimator": {"zz" * 10**6: 1}},
    ],
    ids=lambda code: str(code)[:40],
)
def test_messages_are_short_whatever_a_file_holds(code):
    arrays = {"0": np.zeros(3, np.int64)}
    with pytest.raises(ValueError, match="field 'model") as caught:
        Reader(arrays, ESTIMATORS).decode(code, "model")
    assert len(str(caught.value)) < 600


def test_decoding_takes_time_in_proportion_to_the_file():
    """The name of a field is not copied for each of its parts."""
    code = {"dict": {"n" * 500_000: [0] * 200_000}}
    for _ in range(20):
        code = {"dict": {"m" * 10_000: code}}
    start = time.process_time()
    Reader({}, {}).decode(code, "model")
    assert time.process_time() - start < 2


def test_values_within_each_other_without_end_are_refused():
    code = 1
    for _ in range(61):
        code = [code]
    with pytest.raises(ValueError, match=r"field 'model\[0\].*: values are nested more than 60"):
        Reader({}, {}).decode(code, "model")
    assert Reader({}, {}).decode(code[0], "model") == code[0]


# Estimators of ours within what skops stores ----------------------------------------------


@pytest.mark.parametrize(
    "holder",
    [lambda toy: [toy], lambda toy: {1: (toy,)}, lambda toy: np.array([toy, None], object), Other],
    ids=["list", "dict", "array", "estimator"],
)
def test_estimators_within_objects_are_checked(holder):
    value = holder(fitted()) if holder is not Other else vars_of_other(fitted())
    check_within(value, ESTIMATORS, "model")
    value = holder(fitted(sum_=-1)) if holder is not Other else vars_of_other(fitted(sum_=-1))
    with pytest.raises(ValueError, match=r"field 'model\.attributes': 'sum_' is negative"):
        check_within(value, ESTIMATORS, "model")


def vars_of_other(toy):
    """An estimator that holds another one."""
    other = Other()
    other.toy_ = toy
    return other


def test_estimators_within_objects_have_all_parameters():
    toy = fitted()
    del toy.second
    with pytest.raises(ValueError, match="field 'model' holds a Toy without 'second'"):
        check_within([toy], ESTIMATORS, "model")
