"""What skops stores: a zip archive, bounded before it is unpacked, with no error but ValueError.

skops checks the classes of what it loads. It does not bound the memory and the time that an
archive needs: members may be compressed a thousand to one, read by many nodes of the schema, or
claim more than they hold; and nodes that refer to each other may double at each level.
"""

import io
import json
import zipfile

import numpy as np

# Bytes that an archive may need in addition to ten times its own size.
SPARE = 2**20
NPY = b"\x93NUMPY"  # begins an array; what else unpacks to more, skops does not trust


def dumps(value, estimators, where, advice=""):
    """Bytes of an object; ``advice`` is added to the error of one that cannot be saved."""
    class_name = type(value).__name__
    skops = _import_skops(f"field {where!r} holds a {class_name}", advice)
    try:
        data = skops.dumps(value)
    except Exception as error:  # of many types, from the methods of any class
        raise ValueError(
            f"field {where!r} holds a {class_name}, which cannot be saved ({error}).{advice}"
        ) from error
    _check_trusted(skops, data, estimators, where, advice)
    return data


def loads(data, class_name, estimators, where):
    """Object of a class from its bytes."""
    skops = _import_skops(f"field {where!r} holds a {class_name:.60}")
    try:
        _check_size(data)
        _check_trusted(skops, data, estimators, where)
        value = skops.loads(data, trusted=_names_of(estimators))
    except _Untrusted:
        raise
    except Exception as error:  # of any type: skops believes what it reads
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"field {where!r} is not what skops wrote: {reason:.300}.") from error
    if type(value).__name__ != class_name:
        raise ValueError(f"field {where!r} holds a {type(value).__name__}, not a {class_name:.60}.")
    return value


class _Untrusted(ValueError):
    """An archive holds types that are not trusted."""


def _import_skops(reason, advice=""):
    try:
        import skops.io
    except ImportError as error:
        raise ImportError(f"{reason}, which needs skops: pip install skops.{advice}") from error
    return skops.io


def _names_of(estimators):
    """Dotted names of classes, as skops writes them."""
    return [f"{estimator.__module__}.{estimator.__qualname__}" for estimator in estimators]


def _check_trusted(skops, data, estimators, where, advice=""):
    untrusted = set(skops.get_untrusted_types(data=data)) - set(_names_of(estimators))
    if untrusted:
        names = ", ".join(sorted(untrusted))
        raise _Untrusted(
            f"field {where!r} holds {names:.300}, which neither sklearn_lstmae "
            f"nor skops trusts.{advice}"
        )


# Sizes -----------------------------------------------------------------------------------


def _check_size(data):
    """Raise if an archive asks for far more memory or time than its size explains."""
    most = 10 * len(data) + SPARE
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sizes = {member.filename: member.file_size for member in archive.infolist()}
        _refuse_more(sum(sizes.values()), most, "its members")
        claimed = sum(_claimed(archive.read(name)) for name in sizes)
        _refuse_more(claimed, most, "its arrays")
        schema = json.loads(archive.read("schema.json"))
    n_nodes, n_bytes = _count_reads(schema, sizes)
    _refuse_more(n_nodes, len(data), "nodes of its schema")
    _refuse_more(n_bytes, most, "members that its nodes read")


def _refuse_more(number, most, what):
    if number > most:
        raise ValueError(f"{what} take {number}, but no more than {most} are expected")


def _claimed(member):
    """Bytes of the arrays that a member unpacks to."""
    if member.startswith(NPY):
        file = io.BytesIO(member)
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0}
        shape, _, dtype = read.get(version, np.lib.format.read_array_header_2_0)(file)
        return int(np.prod([max(1, length) for length in shape], dtype=object)) * dtype.itemsize
    return len(member)


def _count_reads(schema, sizes):
    """Nodes that are visited and bytes that are read, where a node may stand for another one.

    skops takes a node whose ``__id__`` it has seen for the first one of that ``__id__``.
    """
    known: dict[int | str, int] = {}

    def count(part):
        if isinstance(part, list):
            counts = [count(each) for each in part]
        elif isinstance(part, dict):
            key = part.get("__id__")
            if isinstance(key, int | str) and key in known:
                return known[key], 0
            file = part.get("file")
            counts = [(1, sizes.get(file, 0) if isinstance(file, str) else 0)]
            counts += [count(each) for each in part.values()]
            if isinstance(key, int | str):
                known[key] = sum(nodes for nodes, _ in counts)
        else:
            return 0, 0
        return sum(nodes for nodes, _ in counts), sum(n_bytes for _, n_bytes in counts)

    return count(schema)
