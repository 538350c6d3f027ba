"""What skops stores is bounded before it is unpacked, and fails with ValueError alone."""

import contextlib
import io
import json
import time
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.preprocessing import StandardScaler

from sklearn_lstmae.saving import skops_archive as archive


@pytest.fixture(scope="module")
def data():
    return skops.io.dumps(StandardScaler().fit(np.arange(6.0).reshape(3, 2)))


def members_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def packed(members, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return file.getvalue()


def load(data, class_name="StandardScaler"):
    return archive.loads(data, class_name, {}, "model")


def with_schema(data, schema):
    return packed(members_of(data) | {"schema.json": json.dumps(schema)})


def schema_of(data):
    return json.loads(members_of(data)["schema.json"])


def nodes(part):
    """All dicts of a schema."""
    if isinstance(part, dict):
        yield part
    for item in part.values() if isinstance(part, dict) else part if isinstance(part, list) else []:
        yield from nodes(item)


@pytest.mark.parametrize(
    "value",
    [
        StandardScaler().fit(np.zeros((9, 2))),
        [np.zeros(3)] * 9,
        np.random.RandomState(0),
        {1: 2},
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_skops_wrote_is_read(value):
    data = archive.dumps(value, {}, "model")
    assert type(load(data, type(value).__name__)) is type(value)


def test_a_value_of_another_class_than_the_file_says_is_refused(data):
    with pytest.raises(ValueError, match="field 'model' holds a StandardScaler, not a OneHotEnco"):
        load(data, "OneHotEncoder")


@pytest.mark.parametrize("name", ["schema.json", "zeros", "first"])
def test_members_that_need_a_thousand_times_their_size_are_refused(name, data):
    members = members_of(data)
    name = next(iter(members)) if name == "first" else name
    bomb = packed(members | {name: members.get(name, b"") + bytes(10**7)})
    assert len(bomb) < 10**6
    with pytest.raises(ValueError, match=r"'model' is not what .*: its members take 100\d+, but"):
        load(bomb)


def test_an_array_that_claims_more_than_it_holds_is_refused(data):
    claim = np.lib.format.header_data_from_array_1_0(np.zeros(1)) | {"shape": (10**12,)}
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, claim)
    with pytest.raises(ValueError, match=r"its arrays take 8000000\d+, but no more than"):
        load(packed(members_of(data) | {"claim.npy": file.getvalue()}))


def test_an_array_that_many_nodes_read_is_refused():
    data = archive.dumps([np.zeros(10**5)], {}, "model")
    schema = schema_of(data)
    [node] = schema["content"]
    schema["content"] = [{**node, "__id__": number} for number in range(1, 200)]
    with pytest.raises(ValueError, match="members that its nodes read take 1592"):
        load(with_schema(data, schema), "list")


def test_nodes_that_stand_for_each_other_do_not_double_without_end():
    leaf = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "1"}
    node = leaf
    for number in range(60):
        first = {**leaf, "__loader__": "ListNode", "__class__": "list", "content": [node]}
        node = first | {"__id__": number + 1}
        node["content"] = [node["content"][0], {**leaf, "__id__": number}]
    start = time.process_time()
    schema = schema_of(archive.dumps([1], {}, "model")) | {"content": [node]}
    with pytest.raises(ValueError, match="nodes of its schema take"):
        load(packed({"schema.json": json.dumps(schema)}), "list")
    assert time.process_time() - start < 2


ERRORS = {
    "BadZipFile": lambda data: b"no archive",
    "KeyError": lambda data: packed({"other": b""}),
    "JSONDecodeError": lambda data: packed({"schema.json": b"{"}),
    "AttributeError|TypeError": lambda data: packed({"schema.json": b"[]"}),
    "RecursionError": lambda data: packed({"schema.json": b"[" * 10**5}),
    "": lambda data: data[: len(data) // 2],
}


@pytest.mark.parametrize(("error", "spoil"), ERRORS.items(), ids=ERRORS)
def test_each_error_of_skops_becomes_one_that_names_the_field(error, spoil, data):
    with pytest.raises(ValueError, match=f"field 'model' is not what skops wrote: .*({error})"):
        load(spoil(data))


def test_whatever_is_wrong_in_a_schema_is_a_value_error(data):
    whole = schema_of(data)
    for number, node in enumerate(nodes(whole)):
        for name in list(node):
            schema = json.loads(json.dumps(whole))
            list(nodes(schema))[number][name] = "x" * 1000
            with contextlib.suppress(ValueError):  # no other error
                load(with_schema(data, schema))
