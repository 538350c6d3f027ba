"""A file is whole or refused, and whatever happens, the old one or the new one is there."""

import errno
import hashlib
import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_lstmae import _file_container as container

RNG = np.random.default_rng(0)
ARRAYS = {
    "floats": RNG.normal(size=(2, 3)),
    "singles": RNG.normal(size=4).astype(np.float32),
    "counts": np.arange(-2, 3),
    "flags": np.array([True, False]),
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 3), np.float32),
}
CONTENT = {
    "a": 1,
    "b": [0.1, None, True],
    "c": {"d": "\u00e4\ud800"},
    "huge": 10**30,
    "inf": -np.inf,
}

# Seconds that a process of a fault test may take, on a busy machine.
TIME_LIMIT = 120


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.lstmae"


@pytest.fixture
def written(path):
    container.write(path, "test", ARRAYS, CONTENT)
    return path


def assert_read(path, arrays=ARRAYS, content=CONTENT):
    got, plain = container.read(path, "test")
    assert plain == content
    assert got.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (got[name].shape, got[name].dtype) == (array.shape, array.dtype)
        assert_array_equal(got[name], array)


def craft(path, **header):
    """A file whose checksums are right, with anything in its header, and the bytes `blobs`."""
    blobs = header.pop("blobs", b"")
    text = header.pop("text", None)
    version = header.pop("version", container.FORMAT_VERSION)
    if text is None:
        text = json.dumps({"kind": "test", "content": {}, "arrays": {}} | header).encode()
    prefix = container.PREFIX.pack(container.MAGIC, version, len(text))
    path.write_bytes(prefix + hashlib.sha256(prefix + text).digest() + text + blobs)


def entry(blob=b"", **fields):
    return {"dtype": "<f4", "shape": [0], "sha256": hashlib.sha256(blob).hexdigest()} | fields


# What comes back -------------------------------------------------------------------------


def test_what_was_written_is_read(written):
    assert_read(written)
    assert all(array.flags.writeable for array in container.read(written, "test")[0].values())


class PathWithMethods:
    """A path that reads and writes the file it names, such as py.path.local."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return os.fspath(self.path)

    def read(self, mode="r"):
        raise AssertionError

    write = read


@pytest.mark.parametrize("make_path", [os.fspath, os.fsencode, lambda path: path, PathWithMethods])
def test_a_path_is_a_string_or_path_like(make_path, path):
    container.write(make_path(path), "test", {}, {})
    assert container.read(make_path(path), "test") == ({}, {})


@pytest.mark.parametrize("number", [0, None])
def test_a_number_is_no_path(number):
    with pytest.raises(TypeError, match=r"expected str, bytes or os\.PathLike object"):
        container.write(number, "test", {}, {})
    with pytest.raises(TypeError, match=r"expected str, bytes or os\.PathLike object"):
        container.read(number, "test")


@pytest.mark.parametrize(
    "change",
    [
        np.asfortranarray,
        lambda array: np.repeat(array, 2, axis=0)[::2],
        lambda array: array.astype(">f8"),
    ],
    ids=["Fortran order", "strided", "big-endian"],
)
def test_memory_layout_does_not_matter(change, path):
    array = RNG.normal(size=(5, 4))
    container.write(path, "test", {"a": change(array)}, {})
    assert_read(path, {"a": array}, {})


@pytest.mark.parametrize("dtype", container.DTYPES)
def test_every_dtype_of_the_table_comes_back(dtype, path):
    array = np.array([0, 1, 1], dtype=dtype)
    container.write(path, "test", {"a": array}, {})
    assert_read(path, {"a": array}, {})


def test_nan_comes_back_with_its_bits(path):
    array = np.array([0x7FF80000DEADBEEF], np.uint64).view(np.float64)
    container.write(path, "test", {"a": array}, {"nan": np.nan})
    arrays, content = container.read(path, "test")
    assert arrays["a"].tobytes() == array.tobytes()
    assert np.isnan(content["nan"])


@pytest.mark.parametrize(
    "array",
    [
        np.array([print], dtype=object),
        np.array(["a"]),
        np.array([1j]),
        np.zeros(1, [("a", "f4")]),
        np.zeros(1, "M8[s]"),
    ],
    ids=lambda array: array.dtype.name,
)
def test_other_dtypes_are_refused(array, path):
    with pytest.raises(TypeError, match=r"array 'a' is of dtype .* but a file takes"):
        container.write(path, "test", {"a": array}, {})
    assert list(path.parent.iterdir()) == []


def test_content_that_is_not_plain_is_refused(path):
    with pytest.raises(TypeError, match="not JSON serializable"):
        container.write(path, "test", {}, {"a": object()})
    assert list(path.parent.iterdir()) == []


# Damage ----------------------------------------------------------------------------------


def test_a_flipped_bit_is_found_anywhere(written):
    whole = written.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        written.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"file\.lstmae: "):
            container.read(written, "test")


def test_a_file_cut_anywhere_is_found(written):
    whole = written.read_bytes()
    for length in range(len(whole)):
        written.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"file\.lstmae: .* truncated or corrupted"):
            container.read(written, "test")


def test_a_longer_file_is_found(written):
    written.write_bytes(written.read_bytes() + b"\0")
    with pytest.raises(ValueError, match="truncated or corrupted: arrays should have"):
        container.read(written, "test")


@pytest.mark.parametrize(
    "data", [b"PK\x03\x04 and so on", b"\x80\x04.", b"\n", b"\x89HDF\r\n\x1a\n"]
)
def test_a_file_of_another_program_is_refused(data, path):
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"file\.lstmae: this is not a file that sklearn_lstmae"):
        container.read(path, "test")


def test_a_newer_format_is_refused_naming_both_versions(path):
    craft(path, version=7)
    with pytest.raises(ValueError, match=r"version 7, but this .* reads versions up to 1"):
        container.read(path, "test")


def test_another_kind_is_refused(written):
    with pytest.raises(ValueError, match="is of kind 'test', not 'other'"):
        container.read(written, "other")


# Files made to deceive: all checksums are right -------------------------------------------


def test_a_crafted_file_of_honest_content_is_read(path):
    craft(path, arrays={"a": entry(b"\0" * 8, shape=[2])}, blobs=b"\0" * 8)
    assert_read(path, {"a": np.zeros(2, np.float32)}, {})


@pytest.mark.parametrize(
    "claim",
    [
        entry(dtype="|O"),
        entry(dtype="O"),
        entry(dtype="f4,f4"),
        entry(dtype=4),
        entry(shape=[-1]),
        entry(shape=[1.0]),
        entry(shape=[True]),
        entry(shape="12"),
        entry(sha256=None),
        entry(more=1),
        {},
        [],
        "a",
    ],
    ids=json.dumps,
)
def test_an_array_that_cannot_be_is_refused(claim, path):
    craft(path, arrays={"a": claim})
    with pytest.raises(ValueError, match="the header describes the array 'a' as"):
        container.read(path, "test")


def test_a_pickle_in_an_array_is_not_opened(path):
    opened = path.parent / "opened"
    pickled = f"cos\nsystem\n(S'touch {opened}'\ntR.".encode()
    craft(path, arrays={"a": entry(pickled, dtype="|O", shape=[1])}, blobs=pickled)
    with pytest.raises(ValueError, match="describes the array 'a' as"):
        container.read(path, "test")
    assert not opened.exists()


@pytest.mark.parametrize("shape", [[10**12], [10**17], [10**6, 10**6], [3]])
def test_more_than_the_file_holds_is_never_allocated(shape, path, monkeypatch):
    craft(path, arrays={"a": entry(b"\0" * 8, shape=shape)}, blobs=b"\0" * 8)
    monkeypatch.setattr(container.np, "empty", None)
    with pytest.raises(
        ValueError, match=r"truncated or corrupted: arrays should have .* but have 8"
    ):
        container.read(path, "test")


@pytest.mark.parametrize(
    "shape", [[10**30], [0, 10**30], [0, 2**62, 2**62], [1] * 65, [1] * 70 + [0], [2] * 100_000]
)
def test_shapes_that_numpy_cannot_have_are_refused_in_short(shape, path):
    craft(path, arrays={"a" * 10**6: entry(shape=shape)})
    with pytest.raises(ValueError, match=r"file\.lstmae: .*describes the array 'aa") as caught:
        container.read(path, "test")
    assert len(str(caught.value)) < 800


def test_values_are_cut_while_they_are_printed():
    """What is nested takes no longer, and no object prints itself."""

    class Loud:
        def __repr__(self):
            raise AssertionError("printed")

    assert container.shown([Loud()]) == "[an object of type Loud]"
    assert container.shown(np.zeros((2, 3))) == "an array of float64 of shape (2, 3)"
    assert container.shown({"a": None, "b": 0.5, "c": True}) == "{'a': None, 'b': 0.5, 'c': True}"
    nested = ["a" * 10**6] * 10**6
    for _ in range(50):
        nested = [nested] * 100
    assert len(container.shown(nested)) < 200
    assert len(container.shown(["a" * 10**6] * 10**6)) < 400
    assert len(container.shown(10**4000)) < 100


@pytest.mark.parametrize("text", [b"{", b"[" * 100_000, b"\xff", b"1" * 5000])
def test_a_header_that_is_no_json_is_named(text, path):
    craft(path, text=text)
    with pytest.raises(ValueError, match=r"file\.lstmae: the header cannot be read as JSON"):
        container.read(path, "test")


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"[]", b"{}", b"{", b"\xff", b"9" * 5000, b"[" * 10**5),
        b'{"kind": "test", "content": [], "arrays": {}}',
        b'{"kind": "test", "content": {}, "arrays": {}, "more": {}}',
    ],
    ids=range(9),
)
def test_a_header_that_is_none_is_refused(text, path):
    craft(path, text=text)
    with pytest.raises(ValueError, match=r"file\.lstmae: "):
        container.read(path, "test")


def test_a_check_comes_before_memory_is_taken(written, monkeypatch):
    def check(content, specs):
        assert content == CONTENT
        assert {name: spec.shape for name, spec in specs.items()} == {
            name: array.shape for name, array in ARRAYS.items()
        }
        assert all(spec.dtype == ARRAYS[name].dtype for name, spec in specs.items())
        raise ValueError("not what I need")

    monkeypatch.setattr(container.np, "empty", None)
    with pytest.raises(ValueError, match=r"file\.lstmae: not what I need"):
        container.read(written, "test", check)


# Where files are written -----------------------------------------------------------------


def test_a_missing_folder_is_named(tmp_path):
    path = tmp_path / "missing" / "file"
    with pytest.raises(FileNotFoundError, match=r"missing/file'$"):
        container.write(path, "test", {}, {})


def test_a_file_that_is_not_there_is_named(path):
    with pytest.raises(FileNotFoundError, match=r"file\.lstmae"):
        container.read(path, "test")


def test_a_folder_is_no_file(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(IsADirectoryError, match=r"folder'$"):
        container.write(folder, "test", {}, {})
    with pytest.raises(IsADirectoryError, match="folder"):
        container.read(folder, "test")
    assert list(tmp_path.iterdir()) == [folder]


def test_the_longest_name_that_a_file_may_have_works(tmp_path):
    path = tmp_path / ("x" * 255)
    container.write(path, "test", ARRAYS, CONTENT)
    assert_read(path)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_new_file_is_like_any_other_and_a_replaced_one_keeps_its_permissions(path):
    plain = path.with_name("plain")
    plain.touch()
    container.write(path, "test", {}, {})
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o600)
    container.write(path, "test", {}, {})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_a_link_is_followed(path):
    link = path.with_name("link")
    link.symlink_to(path)
    container.write(link, "test", ARRAYS, CONTENT)
    assert link.is_symlink()
    assert_read(path)


# File objects ----------------------------------------------------------------------------


class Trickle(io.RawIOBase):
    """A pipe: it takes and gives a few bytes at a time, and cannot seek."""

    def __init__(self, data=b""):
        self.data = bytearray(data)

    def writable(self):
        return True

    def readable(self):
        return True

    def write(self, data):
        self.data += data[:7]
        return min(7, len(data))

    def readinto(self, buffer):
        size = min(7, len(buffer), len(self.data))
        buffer[:size] = self.data[:size]
        del self.data[:size]
        return size


def test_a_file_object_holds_the_bytes_of_a_file(written, tmp_path):
    memory, pipe = io.BytesIO(b"before"), Trickle()
    memory.seek(6)
    for file in (memory, pipe):
        container.write(file, "test", ARRAYS, CONTENT)
        assert not file.closed
    assert memory.getvalue() == b"before" + written.read_bytes()
    assert pipe.data == written.read_bytes()
    with open(tmp_path / "opened", "wb", buffering=0) as file:
        container.write(file, "test", ARRAYS, CONTENT)
    assert (tmp_path / "opened").read_bytes() == written.read_bytes()


def test_a_file_object_is_read_from_its_position_on(written):
    memory = io.BytesIO(b"before" + written.read_bytes())
    memory.seek(6)
    with open(written, "rb", buffering=0) as opened:
        for file in (memory, opened, Trickle(written.read_bytes())):
            assert_read(file)
            assert not file.closed


def test_damage_of_a_file_object_is_found(written):
    whole = written.read_bytes()
    for file in (io.BytesIO(whole[:-1]), Trickle(whole + b"more")):
        with pytest.raises(ValueError, match=r"(BytesIO|Trickle) object at .*: .* or corrupted"):
            container.read(file, "test")
    written.write_bytes(whole[:-1])
    with (
        open(written, "rb") as file,
        pytest.raises(ValueError, match=r"file\.lstmae: .* or corrupted"),
    ):
        container.read(file, "test")


def test_a_file_object_of_text_is_refused(path):
    for file in (io.StringIO(), path.open("w")):
        with file, pytest.raises(TypeError, match=r"is a file of text: open it as a binary one"):
            container.write(file, "test", {}, {})
    with open(path) as file, pytest.raises(TypeError, match=r"file of text: .* 'wb' or 'rb'"):
        container.read(file, "test")


# What is read back -----------------------------------------------------------------------


def test_what_was_written_is_read_back_before_it_counts(path):
    seen = []
    container.write(path, "test", ARRAYS, CONTENT, check=lambda *found: seen.append(found))
    (content, specs), (plain, arrays) = seen
    assert content == plain == CONTENT
    assert all(spec.shape == ARRAYS[name].shape for name, spec in specs.items())
    for name, array in ARRAYS.items():
        assert_array_equal(arrays[name], array)


@pytest.mark.parametrize("error", [ValueError("no such thing"), RecursionError("no such thing")])
def test_what_would_not_open_again_is_not_written(error, written):
    def check(content, arrays):
        raise error

    file = io.BytesIO()
    for place in (written, file):
        with pytest.raises(ValueError, match=r"Nothing was written, since .* no such thing"):
            container.write(place, "test", {}, {}, check=check)
    assert_read(written)
    assert list(written.parent.iterdir()) == [written]
    assert file.getvalue() == b""


# What may happen meanwhile ---------------------------------------------------------------


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OSError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
    ids=["full", "interrupted"],
)
def test_a_failed_write_leaves_the_old_file_alone(step, fault, expected, written, monkeypatch):
    def fail(*_):
        raise fault

    monkeypatch.setattr(container.os, step, fail)
    with pytest.raises(expected) as caught:
        container.write(written, "test", {}, {})
    monkeypatch.undo()
    if expected is OSError:
        assert caught.value.errno == errno.ENOSPC
        assert caught.value.filename == str(written)
    assert_read(written)
    assert list(written.parent.iterdir()) == [written]


def test_a_reader_sees_the_old_file_or_the_new_one(path):
    versions = [np.full(10_000, number) for number in range(20)]
    container.write(path, "test", {"a": versions[0]}, {})

    def write_all():
        for version in versions:
            container.write(path, "test", {"a": version}, {})

    writer = threading.Thread(target=write_all)
    writer.start()
    while writer.is_alive():
        arrays, _ = container.read(path, "test")
        assert len(set(arrays["a"])) == 1
    writer.join()


def start(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_full_disk_is_an_error_that_names_the_file(written):
    code = """
        import resource, signal, sys
        import numpy as np
        from sklearn_lstmae import _file_container as container

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        try:
            container.write(sys.argv[1], "test", {"a": np.zeros(10**6)}, {})
        except OSError as error:
            print(error)
    """
    output, _ = start(code, written).communicate(timeout=TIME_LIMIT)
    assert output == f"[Errno {errno.EFBIG}] {os.strerror(errno.EFBIG)}: '{written}'\n"
    assert_read(written)
    assert list(written.parent.iterdir()) == [written]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_killed_write_leaves_the_old_file_alone(step, written):
    code = """
        import signal, sys, time
        import numpy as np
        from sklearn_lstmae import _file_container as container

        signal.alarm(int(sys.argv[3]))  # else a line that does not come is waited for for ever

        def wait(*_):
            print("there", flush=True)
            time.sleep(600)

        setattr(container.os, sys.argv[2], wait)
        container.write(sys.argv[1], "test", {"a": np.zeros(10**6)}, {})
    """
    process = start(code, written, step, TIME_LIMIT)
    assert process.stdout.readline() == "there\n"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=TIME_LIMIT)
    assert_read(written)
    [stale] = set(written.parent.iterdir()) - {written}
    assert stale.name.startswith(".sklearn_lstmae-")
    assert stale.suffix == ".tmp"
    container.write(written, "test", {}, {})
    assert_read(written, {}, {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (3, r"field 'part' should have \['a', 'b'\]\. Got 3"),
        ({"a": 1}, r"field 'part\.b' is missing"),
        ({"a": 1, "b": 2, "c": 3}, r"field 'part\.c' is not known"),
    ],
    ids=["no dict", "missing", "unknown"],
)
def test_a_part_with_other_keys_is_refused(content, message):
    container.check_keys({"a": 1, "b": None}, {"a", "b"}, "part")
    with pytest.raises(ValueError, match=message):
        container.check_keys(content, {"a", "b"}, "part")


def make_pipe(path):
    os.mkfifo(path)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such files")
@pytest.mark.parametrize(
    "make", [make_pipe, make_socket, lambda path: path.symlink_to("/dev/null")]
)
def test_only_regular_files_are_replaced(make, tmp_path):
    path = tmp_path / "file"
    make(path)
    before = os.stat(path)
    with pytest.raises(OSError, match=r"Not a regular file, so it is not replaced: .*file"):
        container.write(path, "model", {}, {})
    assert os.stat(path) == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_file_is_not_replaced(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    path.chmod(0o400)
    with pytest.raises(PermissionError, match="file"):
        container.write(path, "model", {}, {})
    assert path.read_text() == "mine"


def test_a_file_of_a_kind_is_known_by_its_beginning(written):
    """Damaged or not; no folder, link, or file of another kind or program."""
    assert container.begins_as(written, "test")
    assert not container.begins_as(written, "tes")
    assert not container.begins_as(written.parent, "test")
    whole = written.read_bytes()
    written.write_bytes(whole[:-1])
    assert container.begins_as(written, "test")
    link = written.with_name("link")
    link.symlink_to(written)
    assert not container.begins_as(link, "test")
    for other in (b"", whole[:60], b"x" + whole[1:]):
        written.write_bytes(other)
        assert not container.begins_as(written, "test")
