"""The archives of a release, and the library as users install it: ``make release-check``.

That builds the archives and installs the wheel into an empty environment, whose Python it names.
"""

import os
import re
import subprocess
import tarfile
import textwrap
import zipfile
from email.parser import HeaderParser

import pytest

from documents import PROJECT, ROOT, check_blocks, run
from sklearn_lstmae import __version__

if "INSTALLED_PYTHON" not in os.environ:
    pytest.skip("needs what `make release-check` builds", allow_module_level=True)

NAME = f"sklearn_lstmae-{__version__}"
# -I: nothing but what is installed there can be imported, the checkout included.
INSTALLED = [str(ROOT / os.environ["INSTALLED_PYTHON"]), "-I"]


def tracked(folder="."):
    """The files of the repository, or of one of its folders."""
    command = ["git", "ls-files", "-z", folder]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return set(listed.rstrip("\0").split("\0"))


@pytest.mark.skipif("RELEASE_TAG" not in os.environ, reason="needs the tag of a release")
def test_a_release_has_its_tag_and_its_date():
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert os.environ["RELEASE_TAG"] == f"v{__version__}"
    assert re.search(rf"^## {__version__} - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE)


@pytest.fixture
def wheel():
    with zipfile.ZipFile(ROOT / "dist" / f"{NAME}-py3-none-any.whl") as archive:
        yield archive


@pytest.fixture
def metadata(wheel):
    """Headers of the wheel's metadata, and below them README."""
    return HeaderParser().parsestr(wheel.read(f"{NAME}.dist-info/METADATA").decode())


def test_there_are_two_archives():
    archives = {path.name for path in (ROOT / "dist").iterdir()}
    assert archives == {f"{NAME}-py3-none-any.whl", f"{NAME}.tar.gz"}


def test_the_wheel_holds_the_package_and_its_license_only(wheel):
    papers = {
        f"{NAME}.dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE")
    }
    assert set(wheel.namelist()) == tracked("sklearn_lstmae") | papers
    assert "sklearn_lstmae/py.typed" in wheel.namelist()


def test_the_source_archive_holds_the_repository():
    with tarfile.open(ROOT / "dist" / f"{NAME}.tar.gz") as archive:
        names = {member.name for member in archive.getmembers() if not member.isdir()}
    assert names == {f"{NAME}/{name}" for name in tracked() | {"PKG-INFO"}}


def test_the_metadata_say_what_pyproject_says(metadata):
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == PROJECT["license"]
    assert metadata["Requires-Python"].split(",") == sorted(PROJECT["requires-python"].split(","))


def test_links_of_the_package_page_are_whole(metadata):
    links = re.findall(r"\]\(([^)]*)\)", metadata.get_payload())
    assert len(links) > 20
    assert [link for link in links if not link.startswith("https://")] == []


def test_the_blocks_of_readme_run_where_only_the_wheel_is_installed(tmp_path):
    check_blocks(["README.md"], tmp_path, INSTALLED)


def test_versions_are_shown_where_only_the_wheel_is_installed(tmp_path):
    code = """
        import sys, sklearn_lstmae
        print(sklearn_lstmae.__file__.startswith(sys.prefix))
        sklearn_lstmae.show_versions()
    """
    shown, _ = run(["-c", textwrap.dedent(code)], tmp_path, INSTALLED)
    assert shown.startswith("True\n")
    assert f" sklearn_lstmae: {__version__}\n" in shown
