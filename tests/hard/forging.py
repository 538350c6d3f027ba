"""Files that nobody saved: valid ones, changed at the level of their structure.

A `Draft` is a file taken apart. `forge` changes one, at places and in ways that a seed decides, and
`Draft.to_bytes` puts it together again, with right checksums unless they are what was changed.
"""

import copy
import hashlib
import io
import json
import math
import struct
import zipfile
from dataclasses import dataclass, field

import numpy as np

PREFIX = struct.Struct("<8sIQ")
DIGEST_BYTES = 32

NAN, INF = math.nan, math.inf
NUMBERS = [
    NAN, INF, -INF, -1, 0, -0.0, 1e-320, 0.5, 1.0, 2, 3, 1e300, 2**31, 2**40, 2**63, 10**30,
    True, False,
]  # fmt: skip
WORDS = [
    "", "x", "0", "nan", "2d", "3d", "list", "list-1d", "feature", "sequence", "mask", "error",
    "mse", "mae", "train", "cv", "conformal", "both", "code", "reconstruction", "hidden",
    "hidden_cell", "dense", "relu", "last", "all", "input", "sgd", "adam", "reconstruct", "predict",
    "loss", "os.system", "../../x", "caf\u00e9", "a\0", "\ud800", "a" * 1000, "a" * 100_000,
]  # fmt: skip
NAMES = [
    "zz", "zz_", "_zz", "__class__", "__dict__", "fit", "transform", "weights_", "mean_", "class",
    "latent_dim", "n_features_in_", "feature_names_in_", "optimizer_state_", "autoencoder_", "",
    "a.b", "a b_", "1_", "\u03b1_", "n" * 1000 + "_", "n" * 100_000 + "_",
]  # fmt: skip
CLASSES = [
    "LSTMAutoencoderTransformer", "LSTMAutoencoderDetector", "LSTMAutoencoderClassifier",
    "FrozenEstimator", "Pipeline", "BaseEstimator", "object", "sklearn.pipeline.Pipeline", "os",
]  # fmt: skip
DTYPES = [
    "|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8",  # possible
    ">f4", "<f16", "<c8", "|O", "<U5", "|S3", "|V4", "<M8[s]", "<m8", "f4,f4", "", 4, None,
]  # fmt: skip
TIMES = ["<M8[s]", "<m8[D]", "<M8", "<M8[0s]", "<M8[999999999as]", "<U4", "|O", "<M8[s]\n", 3]
DEEP = "\x1adeep"  # begins a string that `Draft.to_bytes` replaces by nested values


@dataclass
class Draft:
    """A file taken apart, with right checksums until they are changed."""

    kind: object
    content: object
    arrays: dict = field(default_factory=dict)  # name: [entry of the header, bytes]
    version: int = 1
    is_signed: bool = True  # whether the header has the right checksum

    @classmethod
    def of(cls, data):
        _, version, length = PREFIX.unpack_from(data)
        start = PREFIX.size + DIGEST_BYTES
        header = json.loads(data[start : start + length])
        draft, start = cls(header["kind"], header["content"], version=version), start + length
        for name, entry in header["arrays"].items():
            size = math.prod(entry["shape"]) * np.dtype(entry["dtype"]).itemsize
            draft.arrays[name] = [entry, data[start : start + size]]
            start += size
        return draft

    def array(self, name):
        entry, data = self.arrays[name]
        return np.frombuffer(data, entry["dtype"]).reshape(entry["shape"])

    def put(self, name, array):
        """Replace an array; its checksum is right."""
        array = np.ascontiguousarray(array).reshape(np.shape(array))
        dtype = array.dtype.newbyteorder("<")
        data = array.astype(dtype).tobytes()
        digest = hashlib.sha256(data).hexdigest()
        entry = {"dtype": dtype.str, "shape": list(array.shape), "sha256": digest}
        self.arrays[name] = [entry, data]

    def to_bytes(self):
        entries = {name: entry for name, (entry, _) in self.arrays.items()}
        header = {"kind": self.kind, "content": self.content, "arrays": entries}
        text = _nest(json.dumps(header)).encode()
        return self.sign(text) + b"".join(data for _, data in self.arrays.values())

    def sign(self, text):
        """All that stands before the arrays."""
        prefix = PREFIX.pack(b"\x89LSTMA\r\n", self.version, len(text))
        digest = hashlib.sha256(prefix + text).digest()
        return prefix + (digest if self.is_signed else digest[::-1]) + text


def deep(opening, core, closing, depth):
    """Stands for ``core`` within ``depth`` pairs; `json.dumps` nests a thousand values at most."""
    return DEEP + json.dumps([opening, core, closing, depth])


def _nest(text):
    start = text.find('"' + json.dumps(DEEP)[1:-1])
    if start < 0:
        return text
    token, length = json.JSONDecoder().raw_decode(text[start:])
    opening, core, closing, depth = json.loads(token.removeprefix(DEEP))
    return text[:start] + opening * depth + core + closing * depth + _nest(text[start + length :])


# Places ----------------------------------------------------------------------------------


def children(node):
    """(key, value) of each part of a value."""
    if isinstance(node, dict):
        return list(node.items())
    return list(enumerate(node)) if isinstance(node, list) else []


def pick(random, tree):
    """A place below ``tree``, (parent, key): each field is as likely, whatever it contains."""
    parent, key, node = None, None, tree
    while children(node) and (parent is None or random.random() < 0.9):
        parent, (key, node) = node, random.choice(children(node))
    return parent, key


def holders(tree, tag):
    """Each dict below ``tree`` that has a key."""
    found = [tree] if isinstance(tree, dict) and tag in tree else []
    return found + [each for _, part in children(tree) for each in holders(part, tag)]


# Ways to change plain values ---------------------------------------------------------------


def other_value(random, draft, value):
    """Something else of the same type, or of any."""
    is_number = isinstance(value, (int, float))
    if is_number and random.random() < 0.7:
        return random.choice(NUMBERS)
    if isinstance(value, str) and random.random() < 0.7:
        return random.choice(WORDS)
    array = {"array": random.choice([*draft.arrays, "zz"])}
    return random.choice(
        [
            random.choice(NUMBERS), random.choice(WORDS), None, [], {}, [[]], [NAN], ["x"], [1, 2],
            {"dict": {}}, {"dict": {"loss": [1.0]}}, {"tuple": []}, {"tuple": [1, "x"]}, {"zz": 1},
            array, {"times": array | {"dtype": random.choice(TIMES)}}, {"array": []}, [array],
            {"skops": array | {"class": "KFold"}}, {"estimator": {}}, strings(random),
            nested(random),
        ]
    )  # fmt: skip


def nested(random):
    """Values within each other."""
    opening, closing = random.choice(
        [
            ("[", "]"),
            ('{"dict": {"a": ', "}}"),
            ('{"tuple": [', "]}"),
            (
                '{"estimator": {"class": "FrozenEstimator", "parameters": {"estimator": ',
                '}, "attributes": {}}}',
            ),
            (
                '{"estimator": {"class": "Pipeline", "parameters": {"steps": [{"tuple": ["a", ',
                ']}]}, "attributes": {}}}',
            ),
        ]
    )
    core = random.choice(["1", "null", "[]", '"x"'])
    return deep(opening, core, closing, random.choice([2, 9, 30, 300, 3000]))


def strings(random):
    """An array of strings, or what looks like one."""
    items = random.choice(
        [
            ["a", "b"], ["b", "a"], ["a", "a"], [], ["a\0", "a"], ["", "x"], ["\ud800", "b"], [1],
            [None], ["a" * 20_000] + [""] * 12_500, ["a" * 400] + [""] * 9_000, "ab", ["ab"] * 999,
        ]
    )  # fmt: skip
    content = {"kind": random.choice(["U", "O", "U", "O", "S", "V", 3]), "items": items}
    if random.random() < 0.1:
        content["zz"] = 1
    return {"strings": content}


def replace_value(random, draft, parent, key):
    parent[key] = other_value(random, draft, parent[key])


def remove_value(random, draft, parent, key):
    del parent[key]


def add_value(random, draft, parent, key):
    value = copy.deepcopy(parent[key])
    value = random.choice([value, value, other_value(random, draft, value)])
    if isinstance(parent, list):
        parent.insert(random.randrange(len(parent) + 1), value)
    else:
        parent[random.choice(NAMES)] = value


def rename(random, draft, parent, key):
    if isinstance(parent, dict):
        name = random.choice([random.choice(NAMES), str(key).rstrip("_"), f"{key}_"])
        parent[name] = parent.pop(key)


def wrap(random, draft, parent, key):
    value = parent[key]
    parent[key] = random.choice([[value], {"tuple": [value]}, {"dict": {"a": value}}, [value] * 2])


def swap(random, draft, parent, key):
    other, name = pick(random, draft.content)
    if other is None:
        return
    first, second = copy.deepcopy(parent[key]), copy.deepcopy(other[name])
    parent[key] = second
    if random.random() < 0.5 and other is not parent:
        other[name] = first


def multiply(random, draft, parent, key):
    if isinstance(parent[key], list) and parent[key]:
        parent[key] = parent[key] * random.choice([2, 10, 1000])


def reverse(random, draft, parent, key):
    if isinstance(parent[key], list):
        parent[key].reverse()


VALUE_WAYS = [replace_value] * 8 + [remove_value, add_value] * 2 + [rename, wrap, swap, multiply]
VALUE_WAYS += [reverse]


def change_value(random, draft):
    tree = draft.content.get("model", draft.content)
    parent, key = pick(random, random.choice([tree] * 9 + [draft.content]))
    if parent is not None:
        random.choice(VALUE_WAYS)(random, draft, parent, key)


def change_class(random, draft):
    estimators = holders(draft.content, "class")
    if estimators:
        random.choice(estimators)["class"] = random.choice(CLASSES)


def change_tag(random, draft):
    tagged = [each for tag in TAGS for each in holders(draft.content, tag)]
    if tagged:
        value = random.choice(tagged)
        tag = next(tag for tag in TAGS if tag in value)
        value[random.choice(TAGS)] = value.pop(tag)


TAGS = ["array", "dict", "estimator", "skops", "strings", "times", "tuple"]


def change_reference(random, draft):
    references = holders(draft.content, "array")
    if references:
        random.choice(references)["array"] = random.choice([*draft.arrays, "zz", 3])


def contradict(random, draft):
    """Let the configuration say something else than weights and attributes."""
    name, values = random.choice(list(CONTRADICTIONS.items()))
    places = holders(draft.content, name)
    if places:
        random.choice(places)[name] = copy.deepcopy(random.choice(values))


CONTRADICTIONS = {
    "layout": ["2d", "3d", "list", "list-1d"],
    "horizon": [None, 1, 2, 10**9],
    "scaling": [None, "feature", "sequence"],
    "missing": ["mask", "error"],
    "tells_missing": [True, False],
    "decoders": [["reconstruct"], ["predict"], ["reconstruct", "predict"], []],
    "conditional": [True, False],
    "variational": [True, False],
    "loss": ["mse", "mae", "huber"],
    "append_states": [True, False],
    "resolution": [float(np.finfo("f4").eps), 0.5, NAN],
    "threshold": ["train", "cv", "conformal"],
    "score_from": ["reconstruction", "code", "both"],
    "offset_": [NAN, INF, -INF, 0.0, 1e300],
    "n_timesteps_": [1, 2, 3, 10**9, 2**63, 0],
    "n_features_in_": [1, 2, 3, 9],
    "history_": [5, {"dict": {}}, {"dict": {"loss": []}}, {"dict": {"loss": ["x"]}}, None],
    "n_epochs_": [0, 1, -1, 2.5, "3", 10**9],
    "best_epoch_": [0, 1, -1, 2.5, 10**9],
    "loss_": [NAN, -1.0, "x", None, INF],
    "baseline_loss_": [NAN, -1.0, "x", None, INF],
    "classes_": [
        {"strings": {"kind": "U", "items": ["b", "a"]}},
        {"strings": {"kind": "O", "items": ["a", "a"]}},
    ],
    "feature_names_in_": [
        {"strings": {"kind": "O", "items": ["a", "b"]}},
        {"strings": {"kind": "O", "items": ["a", "a"]}},
        {"strings": {"kind": "O", "items": [str(i) for i in range(9)]}},
    ],
}


# Ways to change arrays -------------------------------------------------------------------


def change_items(random, draft):
    name = random.choice(list(draft.arrays))
    array = draft.array(name).copy()
    if not array.size:
        return
    number = random.choice(NUMBERS)
    if array.dtype.kind != "f":
        info = np.iinfo(array.dtype) if array.dtype.kind in "iu" else None
        number = 0 if info is None or number != number else min(max(number, info.min), info.max)
    with np.errstate(all="ignore"):
        number = np.asarray(number, np.float64 if array.dtype.kind == "f" else object)
        where = random.choice([slice(None), random.randrange(array.size)])
        array.reshape(-1)[where] = number.astype(array.dtype)
    draft.put(name, array)


def change_sign(random, draft):
    name = random.choice(list(draft.arrays))
    array = draft.array(name)
    if array.dtype.kind in "fi":
        draft.put(name, -array)


def change_dtype(random, draft):
    name = random.choice(list(draft.arrays))
    with np.errstate(all="ignore"):
        draft.put(name, draft.array(name).astype(random.choice(DTYPES[:12])))


def change_shape(random, draft):
    name = random.choice(list(draft.arrays))
    array = draft.array(name)
    draft.put(
        name,
        random.choice(
            [
                array.ravel(), array.T, array[..., np.newaxis], array[np.newaxis], array[:0],
                array.reshape(-1)[: random.randrange(1 + array.size)], np.concatenate([array] * 2)
                if array.ndim
                else array, array.reshape(-1, 1), np.zeros((0,) * random.choice([1, 2, 32, 64])),
                array.reshape((1,) * random.choice([2, 31, 40, 60]) + array.shape),
            ]
        ),
    )  # fmt: skip


def claim_shape(random, draft):
    """A shape that the bytes do not have, or only as a product."""
    entry = draft.arrays[random.choice(list(draft.arrays))][0]
    shape = list(entry["shape"])
    entry["shape"] = random.choice(
        [
            [*shape, -1], [-n for n in shape], [*shape, 0], [2**63], [2**40, 2**40], [0, 2**64],
            [*shape, 1.0], [*shape, True], [*shape, "1"], [*shape, [1]], None, "3", {"0": 3},
            [*shape, *[1] * 70], [*shape, *[1] * 5000], [2] * 3000 + [0], [10**300, 0], shape[::-1],
        ]
    )  # fmt: skip


def claim_dtype(random, draft):
    draft.arrays[random.choice(list(draft.arrays))][0]["dtype"] = random.choice(DTYPES)


def claim_digest(random, draft):
    entry = draft.arrays[random.choice(list(draft.arrays))][0]
    entry["sha256"] = random.choice(["", "0" * 64, entry["sha256"].upper(), None, 3, [], "a" * 999])


def change_entry(random, draft):
    entry = draft.arrays[random.choice(list(draft.arrays))][0]
    name = random.choice(list(entry))
    if random.random() < 0.5:
        entry[random.choice(NAMES)] = 1
    else:
        del entry[name]


def drop_array(random, draft):
    del draft.arrays[random.choice(list(draft.arrays))]


def add_array(random, draft):
    name = random.choice([*NAMES, "99", *draft.arrays])
    shape = random.choice([(), (0,), (3,), (2, 2), (100_000,), (1,) * 64])
    draft.put(name, np.zeros(shape, random.choice(["f4", "f8", "i8", "u1"])))


def exchange_arrays(random, draft):
    one, other = (random.choice(list(draft.arrays)) for _ in range(2))
    draft.arrays[one], draft.arrays[other] = draft.arrays[other], draft.arrays[one]


ARRAY_WAYS = [
    *[change_items] * 6, change_sign, *[change_dtype] * 2, *[change_shape] * 2, claim_shape,
    claim_dtype, claim_digest, change_entry, drop_array, add_array, exchange_arrays,
]  # fmt: skip


def change_array(random, draft):
    if draft.arrays:
        random.choice(ARRAY_WAYS)(random, draft)


# What skops stores -----------------------------------------------------------------------


def change_skops(random, draft):
    """Change the zip archive that skops wrote: its bytes, members, or the schema in it."""
    stored = [each["skops"] for each in holders(draft.content, "skops")]
    stored = [
        each for each in stored if isinstance(each, dict) and each.get("array") in draft.arrays
    ]
    if not stored:
        return change_value(random, draft)
    name = random.choice(stored)["array"]
    data = draft.array(name).tobytes()
    if random.random() < 0.3:
        data = damage(random, data)
    else:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist()}
        random.choice([_change_schema] * 6 + [_change_members] * 2 + [_inflate])(random, members)
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        data = file.getvalue()
    draft.put(name, np.frombuffer(data, np.uint8))


def _change_schema(random, members):
    schema = json.loads(members["schema.json"])
    inner = Draft(None, {"model": schema})
    for _ in range(random.choice([1, 1, 2])):
        parent, key = pick(random, schema)
        if parent is None:
            continue
        if isinstance(parent[key], str) and random.random() < 0.5:
            parent[key] = random.choice(
                [
                    "LSTMAutoencoderTransformer", "StandardScaler", "system", "Popen", "os",
                    "posix", "builtins", "eval", "numpy", "MethodNode", "FunctionNode", "TypeNode",
                    "ObjectNode", "ListNode", "sklearn.preprocessing._data", "x", "",
                ]
            )  # fmt: skip
        else:
            random.choice(VALUE_WAYS)(random, inner, parent, key)
    members["schema.json"] = _nest(json.dumps(schema)).encode("utf-8", "replace")


def _change_members(random, members):
    name = random.choice(list(members))
    way = random.randrange(4)
    if way == 0:
        del members[name]
    elif way == 1:
        members[name] = damage(random, members[name])
    elif way == 2:
        members[random.choice(["../x", "/x", "x" * 1000, "schema.json2"])] = b"x"
    else:
        members[name] = b""


def _inflate(random, members):
    """Members that need a thousand times the memory that they take in the file."""
    name = random.choice([*members, "zeros"])
    members[name] = members.get(name, b"") + bytes(random.choice([10**6, 10**7, 10**8]))


# Bytes -----------------------------------------------------------------------------------


def damage(random, data):
    """Bytes of which some are flipped, missing or added."""
    data = bytearray(data)
    way = random.randrange(5)
    if way == 0:
        return bytes(data[: random.randrange(1 + len(data))])
    if way == 1:
        return bytes(data) + random.choice([b"\0", b"x" * 100])
    if way == 2:
        start = random.randrange(len(data))
        del data[start : start + random.choice([1, 8, 1000])]
        return bytes(data)
    for _ in range(random.choice([1, 1, 20])):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(data)


def damage_file(random, draft):
    return damage(random, draft.to_bytes())


def damage_header(random, draft):
    """A header of other bytes with the right checksum."""
    entries = {name: entry for name, (entry, _) in draft.arrays.items()}
    header = {"kind": draft.kind, "content": draft.content, "arrays": entries}
    text = json.dumps(header)
    odd = [
        damage(random, text.encode()), b"", b"{}", b"[]", b"null", b"1" * 5000, b"[" * 100_000,
        text.replace(": ", ":\n\t").encode(), text.encode("utf-16"), text.encode() + b" " * 1000,
        text.replace('"kind"', '"kind": 1, "kind"').encode(), b"\xef\xbb\xbf" + text.encode(),
        text.replace("2,", "2" * 5000 + ",", 1).encode(), b'{"kind": "estimator"}',
    ]  # fmt: skip
    return draft.sign(random.choice(odd)) + b"".join(data for _, data in draft.arrays.values())


def change_frame(random, draft):
    """Change the outermost level: version, kind, checksum."""
    way = random.randrange(4)
    if way == 0:
        draft.version = random.choice([0, 2, 2**32 - 1])
    elif way == 1:
        draft.kind = random.choice(["checkpoint", "estimator", "x", None, 3, [], "k" * 100_000])
    elif way == 2:
        draft.is_signed = False
    else:
        draft.content = random.choice([None, [], {}, 3, "x", {"model": None}, draft.content])


# All -------------------------------------------------------------------------------------

# Name of a way -> function of a random.Random and a Draft, and how often it is taken. One that
# returns bytes comes last.
WAYS = {
    "value": (change_value, 30),
    "array": (change_array, 18),
    "contradiction": (contradict, 18),
    "skops": (change_skops, 10),
    "class": (change_class, 4),
    "tag": (change_tag, 3),
    "reference": (change_reference, 4),
    "frame": (change_frame, 2),
    "bytes": (damage_file, 4),
    "header": (damage_header, 4),
}


def forge(random, data, ways=WAYS):
    """A forged file, and the names of the ways in which it was changed.

    Parameters
    ----------
    random : random.Random
    data : bytes
        A valid file.
    ways : dict
        As `WAYS`.

    Returns
    -------
    data : bytes
    names : list of str
    """
    draft, names = Draft.of(data), []
    weights = [weight for _, weight in ways.values()]
    for _ in range(random.choice([1, 1, 1, 1, 2, 3])):
        [name] = random.choices(list(ways), weights)
        names.append(name)
        try:
            whole = ways[name][0](random, draft)
        except Exception:  # of any type: it does not apply to what an earlier one left
            continue
        if whole is not None:
            return whole, names
    return draft.to_bytes(), names
