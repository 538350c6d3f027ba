"""Docstrings name each parameter of a signature, with the default that it has."""

import ast
import inspect
import re

import pytest

import sklearn_lstmae
from sklearn_lstmae import datasets, keras_models

# "name : type" or "name, name : type"; a default ends it.
ENTRY = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: : (.*))?$")
DEFAULT = re.compile(r"default=(.+)$")


def public_callables():
    """Functions, classes, and what is written in each class: {name: callable}."""
    generators = {name: thing for name, thing in vars(datasets).items() if name[:5] == "make_"}
    builders = {name: getattr(keras_models, name) for name in ("classifier_fn", "regressor_fn")}
    exported = {name: getattr(sklearn_lstmae, name) for name in sklearn_lstmae.__all__}
    found = {}
    for name, thing in (exported | generators | builders).items():
        if callable(thing):
            found[name] = thing
        if inspect.isclass(thing):
            methods = {n: m for n, m in vars(thing).items() if n[0] != "_" and callable(m)}
            found |= {f"{name}.{method}": each for method, each in methods.items()}
    return found


CALLABLES = public_callables()


def documented(thing):
    """Names of the section "Parameters", and what each type says."""
    text = inspect.getdoc(thing) or ""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-+$|\Z)", text, re.M | re.S)
    entries = {}
    for line in section.group(1).splitlines() if section else ():
        entry = ENTRY.match(line)
        if entry:
            for name in entry.group(1).split(", "):
                entries[name.lstrip("*")] = entry.group(2) or ""
    return entries


def parameters_of(thing):
    """Parameters of a signature by name, without ``self``."""
    thing = thing.__init__ if inspect.isclass(thing) else thing
    signature = inspect.signature(inspect.unwrap(thing))
    return {
        name: each for name, each in signature.parameters.items() if name not in ("self", "cls")
    }


def test_all_that_is_public_is_looked_at():
    assert {"save", "find_events", "LSTMAutoencoderTransformer.fit", "make_waves"} <= {*CALLABLES}
    assert len(CALLABLES) > 50


@pytest.mark.parametrize("name", CALLABLES)
def test_the_docstring_names_the_parameters_and_their_defaults(name):
    entries, parameters = documented(CALLABLES[name]), parameters_of(CALLABLES[name])
    assert list(entries) == list(parameters)
    for parameter, text in entries.items():
        default, said = parameters[parameter].default, DEFAULT.search(text)
        if said is not None:
            assert ast.literal_eval(said.group(1)) == default, parameter
        elif text and text not in ("Ignored",) and "optional" not in text:
            assert default is inspect.Parameter.empty, parameter
