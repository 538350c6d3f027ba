"""The house keeps its shape: imports point downwards, and no part grows too big.

The rules are functions from parsed modules to a list of complaints. Each is used twice: on the
package, where the list must be empty, and on a small sample that breaks the rule.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = "sklearn_lstmae"
FOLDER = Path(__file__).parents[1] / PACKAGE

MODULE_LINES, FUNCTION_LINES, CLASS_METHODS = 400, 45, 15

# A room may import itself and the rooms before it. Estimators come after `fitting`.
ROOMS = ["sequences", "network", "inference", "training", "fitting"]
# Rooms next to these -> what they may import.
# `windows` is only there for pickles that name it, from before there was a room `records`.
APART = {"records": {"sequences"}, "datasets": set(), "windows": {"records"}}
# Nothing of the package imports these.
LEAVES = {"displays", "distributed", "saving", "keras_models", "windows"}
# Private files at the top of the package, which any room may import and which import no room.
GROUND = {"_file_container", "_sklearn", "_versions"}
# Modules that import TensorFlow: these, and all of `training` but three.
TENSORFLOW = {f"network.{name}" for name in ("_tensorflow", "lstm", "in_tensorflow", "in_keras")}
WITHOUT_TENSORFLOW = {"training", "training.plan", "training.shards", "training.state"}
# Outside packages -> the rooms and modules that may import them.
ONLY_IN = {
    "tensorflow": {"training", *TENSORFLOW},
    "keras": {"training", "keras_models", *TENSORFLOW},
    "scikeras": set(),
    "matplotlib": {"displays"},
    "onnx": {"saving"},
    "dask": {"distributed"},
    "distributed": {"distributed"},
}
# Rooms in which arrays are all there is: no estimator, no scikit-learn.
WITHOUT_SKLEARN = {"network", "inference", "training"}
# The one module that imports private names of scikit-learn.
BORDER = f"{PACKAGE}._sklearn"
# Private attributes that scikit-learn defines for developers of estimators.
PROTOCOL = {
    "_estimator_type",
    "_get_param_names",
    "_init_callback_context",
    "_parameter_constraints",
}


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, its text and what the text parses to."""

    name: str
    is_package: bool
    source: str
    tree: ast.Module


def read_modules(folder):
    """Every module under a package folder, by dotted name."""
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        *parents, last = path.relative_to(folder.parent).with_suffix("").parts
        is_package = last == "__init__"
        name = ".".join(parents if is_package else [*parents, last])
        source = path.read_text(encoding="utf-8")
        modules[name] = Module(name, is_package, source, ast.parse(source, str(path)))
    return modules


# What a module imports -------------------------------------------------------------------


def absolute_base(module, node):
    """The dotted name after `from`, with leading dots resolved."""
    if node.level == 0:
        return node.module
    parts = module.name.split(".")
    climb = node.level - module.is_package
    anchor = parts[: len(parts) - climb]
    return ".".join([*anchor, node.module] if node.module else anchor)


def imported_names(module, modules):
    """Dotted names of all imports, those inside functions included."""
    names = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = absolute_base(module, node)
            for alias in node.names:
                submodule = f"{base}.{alias.name}"
                names.add(submodule if submodule in modules else base)
    return names


def room_of(name):
    """The part of the package a module belongs to: `sequences` for sequences.batch."""
    return name.split(".")[1] if name.startswith(PACKAGE + ".") else ""


def may_import(room, other):
    """Whether modules of a room may import those of another room of the package."""
    if room == other or other in GROUND:
        return room not in GROUND or room == other
    if room in GROUND:
        return False
    if room in APART:
        return other in APART[room]
    if room in ROOMS:
        return other in ROOMS and ROOMS.index(other) < ROOMS.index(room)
    return True


def room_violations(modules):
    return [
        f"{module.name} imports {name}"
        for module in modules.values()
        if room_of(module.name)
        for name in sorted(imported_names(module, modules))
        if room_of(name) and not may_import(room_of(module.name), room_of(name))
    ]


def outside_violations(modules):
    complaints = []
    for module in modules.values():
        room, place = room_of(module.name), module.name.removeprefix(PACKAGE + ".")
        for name in sorted(imported_names(module, modules)):
            top = name.split(".")[0]
            is_lost = top in ONLY_IN and not {room, place} & ONLY_IN[top]
            is_sklearn = top == "sklearn" or name == BORDER
            if is_lost or (is_sklearn and room in WITHOUT_SKLEARN):
                complaints.append(f"{module.name} imports {name}")
    return complaints


def imports_tensorflow(place):
    """Whether importing a module of the package, by its name within it, imports TensorFlow."""
    is_training = place.split(".")[0] == "training" and place not in WITHOUT_TENSORFLOW
    return place in TENSORFLOW or (is_training and not place.endswith("objectives"))


def tensorflow_violations(modules):
    """Importing any other module must not import TensorFlow; within a function it may."""
    complaints = []
    for module in modules.values():
        if imports_tensorflow(module.name.removeprefix(PACKAGE + ".")):
            continue
        body = ast.Module([n for n in module.tree.body if not isinstance(n, FUNCTIONS)], [])
        classes = [n for n in body.body if isinstance(n, ast.ClassDef)]
        body.body = [n for n in body.body if n not in classes]
        top = Module(module.name, module.is_package, module.source, body)
        for name in sorted(imported_names(top, modules)):
            if imports_tensorflow(name.removeprefix(PACKAGE + ".")) and name in modules:
                complaints.append(f"{module.name} imports {name}")
    return complaints


def private_violations(modules):
    """scikit-learn may move a private name in any release: one module knows them all."""
    complaints = []
    for module in modules.values():
        if module.name == BORDER:
            continue
        for node in ast.walk(module.tree):
            base = f"{node.module}." if isinstance(node, ast.ImportFrom) and not node.level else ""
            aliases = node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else []
            for name in [base + alias.name for alias in aliases]:
                top, *parts = name.split(".")
                if top == "sklearn" and any(re.match("_(?!_)", part) for part in parts):
                    complaints.append(f"{module.name} imports {name}")
    return complaints


def private_names(tree):
    """What a module defines, in classes too, or sets on an object."""
    nodes = list(ast.walk(tree))
    stored = [n for n in nodes if isinstance(getattr(n, "ctx", None), ast.Store)]
    return {n.name for n in nodes if isinstance(n, FUNCTIONS)} | {
        getattr(n, "attr", getattr(n, "id", None)) for n in stored
    }


def class_names(tree):
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def reaching_violations(modules):
    """No module reads a private attribute of an object of another module's class.

    An object's own attributes may come from a base class of another module.
    """
    complaints = []
    for module in modules.values():
        classes = [node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
        bases = {base.id for node in classes for base in node.bases if isinstance(base, ast.Name)}
        families = [m.tree for m in modules.values() if class_names(m.tree) & bases]
        inherited = set().union(*map(private_names, families))
        defined = private_names(module.tree)
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Attribute) or not re.match("_(?!_)", node.attr):
                continue
            is_own = isinstance(node.value, ast.Name) and node.value.id == "self"
            known = defined | PROTOCOL | (inherited if is_own else set())
            if node.attr not in known and module.name != BORDER:
                complaints.append(f"{module.name} reads {ast.unparse(node)}")
    return complaints


def ground_violations(modules):
    """At most three private files stand at the top of the package."""
    private = {room_of(name) for name in modules if room_of(name).startswith("_")}
    return [f"{name} is private and at the top" for name in sorted(private - GROUND)]


def root_violations(modules):
    return [
        f"{module.name} imports the package root"
        for module in modules.values()
        if PACKAGE in imported_names(module, modules)
    ]


def leaf_violations(modules):
    return [
        f"{module.name} imports {name}"
        for module in modules.values()
        if module.name != PACKAGE and room_of(module.name) not in LEAVES
        for name in sorted(imported_names(module, modules))
        if room_of(name) in LEAVES
    ]


def cycle_violations(modules):
    graph = {
        module.name: imported_names(module, modules) & modules.keys() for module in modules.values()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" <- ".join(error.args[1])]
    return []


# How big its parts are -------------------------------------------------------------------

NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def code_lines(module):
    """Numbers of the lines that hold code: no blank line, comment or docstring."""
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(module.source).readline):
        if token.type not in NOT_CODE:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(module.tree):
        documented = isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS))
        if documented and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            lines -= set(range(docstring.lineno, docstring.end_lineno + 1))
    return lines


def is_property(function):
    """Whether a method is a property, or a setter or deleter of one."""
    for decorator in function.decorator_list:
        name = ast.unparse(decorator).split(".")
        if name[-1] in {"property", "cached_property", "setter", "deleter"}:
            return True
    return False


def budget_violations(modules):
    complaints = []
    for module in modules.values():
        lines = code_lines(module)
        if len(lines) > MODULE_LINES:
            complaints.append(f"{module.name}: {len(lines)} lines")
        for node in ast.walk(module.tree):
            # The constructor of an estimator is as long as its list of parameters.
            if isinstance(node, FUNCTIONS) and node.name != "__init__":
                size = len(lines & set(range(node.lineno, node.end_lineno + 1)))
                if size > FUNCTION_LINES:
                    complaints.append(f"{module.name}.{node.name}: {size} lines")
            elif isinstance(node, ast.ClassDef):
                defined = [item for item in node.body if isinstance(item, FUNCTIONS)]
                methods = {item.name for item in defined if not is_property(item)}
                if len(methods) > CLASS_METHODS:
                    complaints.append(f"{module.name}.{node.name}: {len(methods)} methods")
    return complaints


# The rules, on the package ---------------------------------------------------------------

RULES = [
    room_violations,
    outside_violations,
    tensorflow_violations,
    private_violations,
    reaching_violations,
    ground_violations,
    root_violations,
    leaf_violations,
    cycle_violations,
    budget_violations,
]


@pytest.fixture(scope="module")
def modules():
    return read_modules(FOLDER)


@pytest.mark.parametrize("rule", RULES)
def test_package_keeps_the_rule(rule, modules):
    assert rule(modules) == []


def test_every_room_is_read(modules):
    places = {name.removeprefix(PACKAGE + ".") for name in modules}
    rooms = {room_of(name) for name in modules}
    assert rooms >= {*ROOMS, *APART, *LEAVES, *GROUND}
    assert rooms | places >= set().union(*ONLY_IN.values()) | WITHOUT_TENSORFLOW


def test_importing_the_package_does_not_import_tensorflow():
    heavy = "{'tensorflow', 'keras', 'scikeras', 'matplotlib'}"
    code = f"import sys, {PACKAGE}; print(sorted({heavy} & sys.modules.keys()))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (run.stdout.strip(), run.stderr) == ("[]", "")


# The rules, on samples that break them ---------------------------------------------------


@pytest.fixture
def house(tmp_path):
    """A function that writes {path: source} as a package and reads it back."""

    def build(files):
        defaults = dict.fromkeys(
            ["__init__.py", "sequences/__init__.py", "training/__init__.py"], ""
        )
        for path, source in (defaults | files).items():
            target = tmp_path / PACKAGE / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(source, encoding="utf-8")
        return read_modules(tmp_path / PACKAGE)

    return build


def module_of(path):
    """`sklearn_lstmae.sequences.batch` for "sequences/batch.py"."""
    return f"{PACKAGE}.{path.removesuffix('.py').replace('/', '.').removesuffix('.__init__')}"


TIDY = {
    "__init__.py": "from .transformer import T\nfrom .displays import D\n",
    "_sklearn.py": "from sklearn.base import _fit_context as fit_context\n",
    "_versions.py": "from sklearn import __version__\n",
    "displays.py": "import matplotlib\nfrom sklearn_lstmae.transformer import T\n",
    "detector.py": "",
    "transformer.py": "from .sequences import batch\ndef f():\n    from .training import loop\n",
    "training/loop.py": "import keras\nfrom ..sequences import batch\nfrom . import steps\n",
    "training/steps.py": "import tensorflow as tf\n",
    "sequences/__init__.py": "from .batch import Batch\n",
    "sequences/batch.py": "from sklearn.utils import check_array\nfrom .._sklearn import f\n",
    "records/__init__.py": "",
    "records/windows.py": "import numpy as np\nfrom .. import _versions\n",
}


@pytest.mark.parametrize("rule", RULES)
def test_a_tidy_house_breaks_no_rule(rule, house):
    assert rule(house(TIDY)) == []


@pytest.mark.parametrize(
    ("path", "source", "name"),
    [
        ("sequences/batch.py", "from ..training import loop", "sklearn_lstmae.training.loop"),
        (
            "sequences/batch.py",
            "def f():\n    from ..transformer import T",
            "sklearn_lstmae.transformer",
        ),
        ("sequences/__init__.py", "from .. import transformer", "sklearn_lstmae.transformer"),
        ("training/loop.py", "import sklearn_lstmae.transformer", "sklearn_lstmae.transformer"),
        ("records/windows.py", "from ..training import loop", "sklearn_lstmae.training.loop"),
        ("_versions.py", "from .sequences import batch", "sklearn_lstmae.sequences.batch"),
    ],
)
def test_a_room_that_looks_upwards_is_found(path, source, name, house):
    assert room_violations(house(TIDY | {path: source})) == [f"{module_of(path)} imports {name}"]


@pytest.mark.parametrize(
    ("path", "source", "name"),
    [
        ("sequences/batch.py", "import tensorflow as tf", "tensorflow"),
        ("sequences/batch.py", "def f():\n    from keras.layers import LSTM", "keras.layers"),
        ("transformer.py", "import scikeras", "scikeras"),
        ("transformer.py", "def f():\n    import matplotlib.pyplot as plt", "matplotlib.pyplot"),
        ("training/steps.py", "from sklearn.utils import check_array", "sklearn.utils"),
        ("training/steps.py", "import sklearn.utils as u", "sklearn.utils"),
        ("training/steps.py", "from .._sklearn import Interval", "sklearn_lstmae._sklearn"),
    ],
)
def test_an_outside_package_in_the_wrong_room_is_found(path, source, name, house):
    modules = house(TIDY | {path: source})
    assert outside_violations(modules) == [f"{module_of(path)} imports {name}"]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("from sklearn.utils import _safe_indexing as f", "sklearn.utils._safe_indexing"),
        ("from sklearn.utils._tags import Tags", "sklearn.utils._tags.Tags"),
        ("def f():\n    import sklearn.utils._tags", "sklearn.utils._tags"),
    ],
)
def test_a_private_name_of_scikit_learn_is_found(source, name, house):
    modules = house(TIDY | {"records/windows.py": source})
    assert private_violations(modules) == [f"sklearn_lstmae.records.windows imports {name}"]


@pytest.mark.parametrize(
    ("path", "source", "name"),
    [
        ("transformer.py", "from .training import loop", "training.loop"),
        ("sequences/batch.py", "from ..network._tensorflow import tf", "network._tensorflow"),
        ("detector.py", "from sklearn_lstmae.network import in_keras", "network.in_keras"),
    ],
)
def test_tensorflow_through_another_module_is_found(path, source, name, house):
    network = {f"network/{each}.py": "" for each in ("__init__", "_tensorflow", "in_keras")}
    modules = house(TIDY | network | {path: source})
    complaint = f"{module_of(path)} imports sklearn_lstmae.{name}"
    assert tensorflow_violations(modules) == [complaint]


def test_tensorflow_within_a_function_is_no_violation(house):
    source = "def fit():\n    from .training import loop"
    assert tensorflow_violations(house(TIDY | {"transformer.py": source})) == []


def test_a_private_attribute_of_another_class_is_found(house):
    own = "class C:\n    def _f(self): ...\n    def g(self): return self._f()\n"
    modules = house(TIDY | {"detector.py": own, "transformer.py": "def f(c): return c._f()"})
    assert reaching_violations(modules) == ["sklearn_lstmae.transformer reads c._f"]


def test_a_private_attribute_of_a_base_class_is_the_objects_own(house):
    base = "class Base:\n    def _f(self): ...\n"
    heir = (
        "from .transformer import Base\n"
        "class C(Base):\n    def g(self, other): return self._f(), other._f(), self._h()\n"
    )
    modules = house(TIDY | {"transformer.py": base, "detector.py": heir})
    found = [f"sklearn_lstmae.detector reads {name}" for name in ("other._f", "self._h")]
    assert reaching_violations(modules) == found


def test_a_private_file_at_the_top_is_found(house):
    modules = house(TIDY | {"_helpers.py": "x = 1"})
    assert ground_violations(modules) == ["_helpers is private and at the top"]


@pytest.mark.parametrize(
    "source",
    ["import sklearn_lstmae", "from sklearn_lstmae import T", "from . import __version__"],
)
def test_an_import_of_the_root_is_found(source, house):
    modules = house({"transformer.py": source})
    assert root_violations(modules) == ["sklearn_lstmae.transformer imports the package root"]


def test_an_import_of_a_leaf_is_found(house):
    modules = house(TIDY | {"transformer.py": "from . import displays"})
    [complaint] = leaf_violations(modules)
    assert complaint == "sklearn_lstmae.transformer imports sklearn_lstmae.displays"


@pytest.mark.parametrize(
    "files",
    [
        {"a.py": "from . import b", "b.py": "def f():\n    from .a import g"},
        {"sequences/__init__.py": "from .a import g", "sequences/a.py": "from . import g"},
    ],
    ids=["modules", "through a package"],
)
def test_a_cycle_is_found(files, house):
    [cycle] = cycle_violations(house(files))
    assert cycle.count(" <- ") == 2


def lines_of_code(count):
    """A body of `count` lines of code between lines that do not count."""
    return '    """Text\n\n    that goes on."""\n\n' + "    # why\n    x = 1\n\n" * count


@pytest.mark.parametrize("excess", [0, 1])
def test_a_long_function_is_found(excess, house):
    source = "def f():\n" + lines_of_code(FUNCTION_LINES - 1 + excess)
    expected = [f"sklearn_lstmae.a.f: {FUNCTION_LINES + 1} lines"] * excess
    assert budget_violations(house({"a.py": source})) == expected


@pytest.mark.parametrize("excess", [0, 1])
def test_a_long_module_is_found(excess, house):
    table = "TABLE = [\n" + "    1,\n" * (MODULE_LINES - 2 + excess) + "]\n"
    expected = [f"sklearn_lstmae.a: {MODULE_LINES + 1} lines"] * excess
    assert budget_violations(house({"a.py": '"""Text."""\n\n' + table})) == expected


@pytest.mark.parametrize("excess", [0, 1])
def test_a_class_of_many_methods_is_found(excess, house):
    methods = [f"    def m{i}(self): ..." for i in range(CLASS_METHODS + excess)]
    aside = [
        "    @property\n    def p(self): ...",
        "    @p.setter\n    def p(self, value): ...",
        "    @functools.cached_property\n    def q(self): ...",
    ]
    expected = [f"sklearn_lstmae.a.C: {CLASS_METHODS + 1} methods"] * excess
    source = "\n".join(["class C:", *methods, *aside])
    assert budget_violations(house({"a.py": source})) == expected
