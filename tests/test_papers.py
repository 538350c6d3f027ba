"""The papers of the project agree with each other: versions, addresses, license."""

import re

import pytest

from documents import PROJECT, ROOT
from sklearn_lstmae import __version__

PAPERS = [
    ROOT / "pyproject.toml",
    ROOT / "CITATION.cff",
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(path for path in (ROOT / ".github").rglob("*") if path.is_file()),
]
WORKFLOWS = ROOT / ".github" / "workflows"


def test_the_changelog_begins_with_this_version():
    heading = re.search(r"^## (\S+) ", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert heading[1] == __version__.removesuffix(".dev0")


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_project_has_one_address(paper):
    owned = r"https://(?:github|raw\.githubusercontent)\.com/([\w.-]+/sklearn-lstmae\b)"
    addresses = re.findall(owned, paper.read_text("utf-8"))
    assert {f"https://github.com/{name}" for name in addresses} <= {PROJECT["urls"]["Repository"]}


def test_the_citation_has_the_license_and_no_version():
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nlicense: {PROJECT['license']}\n" in citation
    assert not re.search(r"^(version|date-released):", citation, re.MULTILINE)


def test_each_version_of_python_that_is_declared_is_tested():
    declared = re.findall(r"Python :: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.MULTILINE)
    [listed] = re.findall(r"python: \[(.+)\]", (WORKFLOWS / "tests.yml").read_text("utf-8"))
    assert re.findall(r"\d+\.\d+", listed) == declared
    minors = [int(version.split(".")[1]) for version in declared]
    assert minors == [*range(minors[0], minors[-1] + 1)]
    assert PROJECT["requires-python"] == f">={declared[0]},<3.{minors[-1] + 1}"


@pytest.mark.parametrize("workflow", sorted(WORKFLOWS.iterdir()), ids=lambda path: path.name)
def test_workflows_run_what_the_makefile_has(workflow):
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    run = re.findall(r"- run: (.+)", workflow.read_text("utf-8"))
    assert run
    assert {*run} <= {f"make {target}" for target in targets}
