"""What `show_versions` prints: all that a bug report needs, without importing any of it."""

import importlib.metadata
import platform
import re

import numpy as np
import pytest

from documents import PROJECT
from sklearn_lstmae import __version__, _versions, show_versions

# The extras that users install. The others are for work on the library.
FOR_USERS = ["plot", "persist", "onnx", "dask"]


def names_of(requirements):
    """Names of the packages in a list of requirements: "dask" for "dask[array]>=2025.1"."""
    return {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}


@pytest.fixture
def shown(capsys):
    """What `show_versions` prints: {name: text}; of names printed twice, the last."""
    show_versions()
    printed = capsys.readouterr()
    assert printed.err == ""
    return dict(re.findall(r"^ *(\S+): (.+)$", printed.out, re.MULTILINE))


def test_it_shows_python_the_platform_and_the_package(shown):
    assert shown["python"].startswith(platform.python_version())
    assert shown["platform"] == platform.platform()
    assert shown["sklearn_lstmae"] == __version__
    assert int(shown["cores"]) >= 1


@pytest.mark.parametrize("name", ["numpy", "tensorflow", "scipy", "matplotlib", "zarr"])
def test_it_shows_the_installed_version_of_a_dependency(name, shown):
    assert shown[name] == importlib.metadata.version(name)


def test_it_shows_what_is_not_installed(monkeypatch, capsys):
    monkeypatch.setattr(_versions, "OPTIONAL_DEPENDENCIES", ("no package has this name",))
    show_versions()
    assert "no package has this name: not installed\n" in capsys.readouterr().out


def test_it_shows_the_library_for_linear_algebra_and_its_threads(shown):
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    libraries = {pool["internal_api"] for pool in threadpool_info()}
    assert libraries
    assert libraries <= shown.keys()
    assert all(re.match(r"\d+ threads, ", shown[library]) for library in libraries)


def test_it_lists_every_dependency_and_every_extra_for_users():
    extras = [PROJECT["optional-dependencies"][extra] for extra in FOR_USERS]
    assert names_of(PROJECT["dependencies"]) == {*_versions.DEPENDENCIES} - {"scipy"}
    assert set().union(*map(names_of, extras)) <= {*_versions.OPTIONAL_DEPENDENCIES}
