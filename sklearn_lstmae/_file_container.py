"""One file of named arrays and plain values: written whole or not at all, checked when read.

A file is, in this order, without gaps, all numbers little-endian::

    magic             8 bytes, as in PNG: one that no text has, and line ends that a
                      transfer in text mode would change
    format version    4 bytes
    length of header  8 bytes
    SHA-256           32 bytes, of the three fields above and the header
    header            JSON: "kind", "content", and "arrays": dtype, shape, SHA-256 of each
    arrays            their bytes in C order, in the order of the header, to the end of the file

So each byte is covered by a checksum, and a file of another length is not what it was. Containers
that exist cover less: no checksum protects the directory of a zip archive (npz, skops), in which
names and offsets of its members stand, nor the metadata of HDF5 as Keras writes it; safetensors
has no checksums. All could hold more than arrays need, which is what attacks are made of.
Checksums find accidents, not malice, so a reader believes nothing that it has not checked.
"""

import contextlib
import errno
import hashlib
import io
import json
import math
import os
import reprlib
import secrets
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeGuard

import numpy as np

MAGIC = b"\x89LSTMA\r\n"
FORMAT_VERSION = 1
PREFIX = struct.Struct("<8sIQ")
DIGEST_BYTES = hashlib.sha256().digest_size

# All that an array may be: nothing that holds objects, whose bytes would be a pickle.
DTYPES = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")

# Axes of an array, as many as NumPy has, and bytes.
MOST_AXES, MOST_BYTES = 64, 2**63 - 1

# A path, or a binary file that its owner opened and will close.
Place = str | os.PathLike[str] | BinaryIO


@dataclass(frozen=True)
class ArraySpec:
    """Shape and dtype, according to the header, of an array that has not been read."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return math.prod(self.shape) * self.dtype.itemsize


Check = Callable[[Mapping[str, Any], Mapping[str, ArraySpec]], object]


class _Short(reprlib.Repr):
    """Values as messages have them."""

    def __init__(self):
        super().__init__()
        self.maxlevel, self.maxdict, self.maxlist, self.maxtuple = 2, 4, 4, 4
        self.maxstring = self.maxlong = 60

    def repr_instance(self, x, level):
        if isinstance(x, float | bool | None):
            return repr(x)
        if isinstance(x, ArraySpec | np.ndarray):
            return f"an array of {x.dtype} of shape {self.repr1(x.shape, level)}"
        return f"an object of type {type(x).__name__:.60}"


def shown(value: object) -> str:
    """A value for a message, cut while it is printed: a long one is never printed as a whole."""
    return _Short().repr(value)


def write(
    path: Place,
    kind: str,
    arrays: Mapping[str, np.ndarray],
    content: Mapping[str, Any],
    check: Callable[[Any, Mapping[str, Any]], object] | None = None,
) -> None:
    """Write a file; another one at its place is replaced when all is safely on the disk.

    Parameters
    ----------
    path : str, path-like or binary file
        Where to. A link is followed, and a file that is replaced passes its permissions on.
        While it is written, the file has another name in the same folder,
        ``.sklearn_lstmae-*.tmp``; one that a killed process left there may be deleted.
        A file object is written to from its position on, and stays open.

    kind : str
        Purpose of the file; `read` needs the same one.

    arrays : dict of ndarray
        Booleans, integers or real numbers of at most 64 bits, of any shape and memory layout.

    content : dict
        Values of JSON, and non-finite floats.

    check : callable (content, arrays) -> object, default=None
        Called, before another file is replaced or a file object is written to, with what is read
        back: as in `read`, then with the arrays themselves.

    Raises
    ------
    TypeError
        If an array has another dtype, content is not plain, or a file object is of text. Nothing
        is written.

    ValueError
        If ``check`` raises it. Nothing is written.

    OSError
        If the file cannot be written, naming ``path``. An old file is as it was.
    """
    portable = {name: _as_portable(name, array) for name, array in arrays.items()}
    buffers = {name: _bytes_of(array) for name, array in portable.items()}
    entries = {
        name: {
            "dtype": array.dtype.str,
            "shape": array.shape,
            "sha256": hashlib.sha256(buffers[name]).hexdigest(),
        }
        for name, array in portable.items()
    }
    header = json.dumps({"kind": kind, "content": content, "arrays": entries}).encode()
    prefix = PREFIX.pack(MAGIC, FORMAT_VERSION, len(header))
    digest = hashlib.sha256(prefix + header).digest()

    def verify(file: BinaryIO) -> None:
        if check is None:
            return
        try:
            found, plain = _read(file, kind, check)
            check(plain, found)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"Nothing was written, since it would not open again: {error}") from (
                error
            )

    write_parts(path, [prefix, digest, header, *buffers.values()], verify)


def write_parts(
    path: Place,
    parts: Iterable[bytes | memoryview],
    verify: Callable[[BinaryIO], None] = lambda file: None,
) -> None:
    """Write a file of any format, as `write` does: whole or not at all.

    Parameters
    ----------
    path : str, path-like or binary file
        As in `write`.

    parts : iterable of bytes-like
        What the file consists of, one after the other.

    verify : callable (file) -> None
        Called with the file, at its beginning, before it takes its place; it raises where the
        file should not.

    Raises
    ------
    OSError
        As in `write`.
    """
    if _is_file(path):
        whole = b"".join(parts)
        verify(io.BytesIO(whole))
        _write_all(path, whole)
        return
    try:
        _replace(os.path.realpath(_name_of(path)), parts, verify)
    except OSError as error:
        raise OSError(error.errno, error.strerror, _name_of(path)) from error


def read(
    path: Place, kind: str, check: Check | None = None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a file that `write` wrote.

    Parameters
    ----------
    path : str, path-like or binary file
        Where from. A file object is read from its position to its end, and stays open.

    kind : str
        As in `write`.

    check : callable (content, specs) -> object, default=None
        Called before arrays are read and memory is taken for them, with the `ArraySpec` of each.
        It raises ValueError where content or arrays are not what the caller can use.

    Returns
    -------
    arrays : dict of ndarray
        Equal to those written, little-endian and writeable.

    content : dict
        Equal to that written, but for JSON's habits: tuples are lists.

    Raises
    ------
    TypeError
        If a file object is of text.

    ValueError
        Naming ``path``: if the file is truncated or corrupted, if it is of another program, of a
        newer format or of another kind, or if ``check`` raises it.

    OSError
        If it cannot be opened.
    """
    with (
        contextlib.nullcontext(path) if _is_file(path) else open(_name_of(path), "rb") as file,
        errors_name(path),
    ):
        return _read(_seekable(file), kind, check)


def begins_as(path: str, kind: str) -> bool:
    """Whether a path is a file that begins as one of a kind, undamaged or not."""
    if not os.path.isfile(path) or os.path.islink(path):
        return False
    beginning = json.dumps({"kind": kind})[:-1].encode()
    with open(path, "rb") as file:
        prefix = file.read(PREFIX.size + DIGEST_BYTES + len(beginning))
    return prefix.startswith(MAGIC) and prefix.endswith(beginning)


@contextlib.contextmanager
def errors_name(path: Place) -> Iterator[None]:
    """Let a ValueError about what is in a file name the file."""
    try:
        yield
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{_name_of(path)}: {error}") from error


def check_keys(content: Any, expected: Iterable[str], where: str) -> None:
    """Raise unless a part of the content, named ``where``, is a dict with exactly these keys."""
    if not isinstance(content, dict):
        raise ValueError(f"field {where!r} should have {sorted(expected)}. Got {shown(content)}.")
    for name in sorted(content.keys() ^ set(expected)):
        what = "is missing" if name in expected else "is not known"
        raise ValueError(f"field '{where}.{name:.60}' {what}.")


# File objects ----------------------------------------------------------------------------


def _is_file(path: Place) -> TypeGuard[BinaryIO]:
    """Whether it is a file object, and not a path; raise where it is one of text."""
    if not (hasattr(path, "write") or hasattr(path, "read")):
        return False
    if isinstance(path, os.PathLike) and not hasattr(path, "seekable"):
        return False  # a path with methods for what it names, such as that of py.path
    if isinstance(path, io.TextIOBase):
        raise TypeError(f"{path} is a file of text: open it as a binary one, 'wb' or 'rb'.")
    return True


def _name_of(path: Any) -> str:
    """The path as a string, or what a file object calls itself."""
    return str(getattr(path, "name", path)) if _is_file(path) else os.fsdecode(path)


def _write_all(file: BinaryIO, data: bytes) -> None:
    """Write all of it; a file without a buffer, such as a pipe, may take a part at a time."""
    rest = memoryview(data)
    while rest:
        n_written = file.write(rest)
        rest = rest[len(rest) if n_written is None else n_written :]


def _seekable(file: BinaryIO) -> BinaryIO:
    """The file, or what is left of it where it can be read only once, as from a socket."""
    return file if file.seekable() else io.BytesIO(file.read())


def _n_bytes_left(file: BinaryIO) -> int:
    """Bytes from the position of a file to its end."""
    position = file.tell()
    size = file.seek(0, os.SEEK_END) - position
    file.seek(position)
    return size


# Writing ---------------------------------------------------------------------------------


def _as_portable(name: str, array: np.ndarray) -> np.ndarray:
    """The same values in C order and little-endian."""
    dtype = array.dtype.newbyteorder("<")
    if dtype.str not in DTYPES:
        raise TypeError(
            f"The array {name!r} is of dtype {array.dtype}, but a file takes booleans, integers "
            "and real numbers of at most 64 bits only."
        )
    return np.asarray(array, dtype=dtype, order="C")


def _bytes_of(array: np.ndarray) -> memoryview:
    """The memory of an array in C order, as bytes; writing to them writes to it."""
    return array.reshape(-1).view(np.uint8).data


def _replace(
    target: str, parts: Iterable[bytes | memoryview], verify: Callable[[BinaryIO], None]
) -> None:
    """Make a file of parts. Whatever happens, ``target`` is the old file or the new one."""
    _check_replaceable(target)
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".sklearn_lstmae-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "x+b") as file:
            if os.path.exists(target):
                shutil.copymode(target, temporary)
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            verify(file)
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
    if os.name == "posix":  # the new name is on the disk, too; elsewhere no folder can be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _check_replaceable(target: str) -> None:
    """Raise OSError if something is there that must not be replaced."""
    if not os.path.exists(target):
        return
    if os.path.isdir(target):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not os.path.isfile(target):  # a device, a pipe, a socket
        raise OSError(errno.EINVAL, "Not a regular file, so it is not replaced")
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


# Reading ---------------------------------------------------------------------------------


def _damage(what: str) -> ValueError:
    return ValueError(f"the file is truncated or corrupted: {what}.")


def _read(
    file: BinaryIO, kind: str, check: Check | None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and content of a file, from its position to its end."""
    header = _read_header(file, kind)
    specs = _specs_of(header["arrays"], _n_bytes_left(file))
    if check is not None:
        check(header["content"], specs)
    arrays = {
        name: _read_array(file, name, spec, header["arrays"][name]["sha256"])
        for name, spec in specs.items()
    }
    return arrays, header["content"]


def _read_header(file: BinaryIO, kind: str) -> dict[str, Any]:
    """The header, its checksum verified and its outermost level checked."""
    size = _n_bytes_left(file)
    prefix = file.read(PREFIX.size)
    if not MAGIC.startswith(prefix[: len(MAGIC)]):
        raise ValueError("this is not a file that sklearn_lstmae wrote.")
    if len(prefix) < PREFIX.size:
        raise _damage(f"it ends after {size} bytes, within its first fields")
    _, version, length = PREFIX.unpack(prefix)
    if version > FORMAT_VERSION:
        raise ValueError(
            f"the file is of format version {version}, but this sklearn_lstmae reads versions up "
            f"to {FORMAT_VERSION}: update it, or write the file anew with this one."
        )
    if length > size:
        raise _damage(f"it has {size} bytes, but its header alone should have {length}")
    digest = file.read(DIGEST_BYTES)
    text = file.read(length)
    if hashlib.sha256(prefix + text).digest() != digest:
        raise _damage("the checksum of its header is wrong")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the header cannot be read as JSON: {error}") from error
    expected = {"kind": str, "content": dict, "arrays": dict}
    if not isinstance(header, dict) or {k: type(v) for k, v in header.items()} != expected:
        raise ValueError(f"the header does not consist of {sorted(expected)}.")
    if header["kind"] != kind:
        raise ValueError(f"the file is of kind {shown(header['kind'])}, not {kind!r}.")
    return header


def _specs_of(entries: dict[str, Any], n_bytes: int) -> dict[str, ArraySpec]:
    """Specs of the arrays in the header; raise unless they fill ``n_bytes``."""
    specs = {name: _spec_of(name, entry) for name, entry in entries.items()}
    claimed = sum(spec.nbytes for spec in specs.values())
    if claimed != n_bytes:
        raise _damage(f"arrays should have {claimed} bytes in it, but have {n_bytes}")
    return specs


def _spec_of(name: str, entry: Any) -> ArraySpec:
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "sha256": str(), **rest} if (
            not rest
            and dtype in DTYPES
            and len(shape) <= MOST_AXES
            and all(type(length) is int and length >= 0 for length in shape)
            # NumPy counts bytes as if no axis was empty.
            and math.prod(max(1, length) for length in shape) * 8 <= MOST_BYTES
        ):
            return ArraySpec(tuple(shape), np.dtype(dtype))
    raise ValueError(f"the header describes the array {shown(name)} as {shown(entry)}.")


def _read_array(file: BinaryIO, name: str, spec: ArraySpec, digest: str) -> np.ndarray:
    array = np.empty(spec.shape, spec.dtype)
    buffer = _bytes_of(array)
    file.readinto(buffer)  # type: ignore[attr-defined]
    if hashlib.sha256(buffer).hexdigest() != digest:
        raise _damage(f"the checksum of its array {shown(name)} is wrong")
    return array
