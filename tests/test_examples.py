"""Each example runs, and each piece of Python in the documents runs as it stands.

Examples train for a few epochs only, in the process of the tests, so that TensorFlow's start is
shared. The demo runs as it stands, and with ``--whole-examples`` all are trained as they say.
"""

import re
import runpy
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from documents import PROJECT, ROOT, check_blocks, run

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
DEMO = ROOT / "examples" / "plot_digits.py"
PAGES = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").glob("*.md"))]
LINKED = [
    "README.md",
    *PAGES,
    "examples/README.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
]
PICTURES = {str(path.relative_to(ROOT)) for path in (ROOT / "examples" / "images").iterdir()}
# Where README's pictures are on the web: it is also the text of the package's page there.
WEB = PROJECT["urls"]["Repository"].replace("//github.", "//raw.githubusercontent.") + "/main/"

FEW = 2  # epochs


def copy(example, folder):
    """Copy an example into a checkout that has nothing else: its path, and what it must leave."""
    folder = folder / "checkout"
    (folder / "examples" / "images").mkdir(parents=True)
    picture = f"examples/images/{example.stem.removeprefix('plot_')}.png"
    return Path(shutil.copy(example, folder / "examples")), {picture} & PICTURES


@pytest.fixture
def train_briefly(monkeypatch, request):
    """Let each training end after `FEW` epochs, whatever its plan says."""
    from sklearn_lstmae.training import loop

    def train(objective, plan, *args, **options):
        return original(objective, replace(plan, epochs=min(plan.epochs, FEW)), *args, **options)

    original = loop.train
    if not request.config.getoption("--whole-examples"):
        monkeypatch.setattr(loop, "train", train)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # few epochs
@pytest.mark.parametrize(
    "example", [path for path in EXAMPLES if path != DEMO], ids=lambda path: path.stem
)
def test_an_example_runs_and_leaves_its_picture_only(
    example, tmp_path, monkeypatch, capfd, train_briefly
):
    import matplotlib.pyplot as plt

    script, expected = copy(example, tmp_path)
    folder = script.parents[1]
    before = set(folder.rglob("*"))
    monkeypatch.chdir(folder)
    with plt.rc_context():
        runpy.run_path(str(script), run_name="__main__")
        plt.close("all")
    assert capfd.readouterr().err == ""
    assert {str(path.relative_to(folder)) for path in set(folder.rglob("*")) - before} == expected


@pytest.mark.tensorflow
def test_the_demo_runs_as_it_stands(tmp_path):
    script, expected = copy(DEMO, tmp_path)
    _, files = run([f"examples/{script.name}"], script.parents[1])
    assert {str(file) for file in files} == expected


def test_every_picture_has_its_example():
    examples = {f"examples/images/{path.stem.removeprefix('plot_')}.png" for path in EXAMPLES}
    assert examples >= PICTURES


def test_every_example_is_listed():
    listed = in_document(r"^- \[[^\]]*\]\(([a-z_]+\.py)\)", "examples/README.md")
    assert sorted(listed) == [path.name for path in EXAMPLES]


def in_document(pattern, document):
    """What a pattern finds in a document, by its path from the root."""
    return re.findall(pattern, (ROOT / document).read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.tensorflow
def test_the_python_of_the_documents_runs_and_prints_what_they_show(tmp_path):
    check_blocks(["README.md", *PAGES], tmp_path)


def anchors(document):
    """The names under which a document's headings are linked to."""
    text = re.sub(r"^```.*?^```", "", (ROOT / document).read_text("utf-8"), flags=re.M | re.S)
    headings = re.findall(r"^##+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", LINKED)
def test_the_links_of_a_document_lead_somewhere(document):
    for link in in_document(r"\]\(([^)]*)\)", document):
        path, _, anchor = link.removeprefix(WEB).partition("#")
        if path.startswith(("https:", "http:")):
            continue
        folder = ROOT if link.startswith(WEB) else (ROOT / document).parent
        target = folder / path if path else ROOT / document
        if path.startswith("gallery/"):  # a page that is made from an example
            target = ROOT / "examples" / f"{target.stem}.py"
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), (path, anchor)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_in_a_table_of_contents(page):
    listed = [name for each in PAGES for name in in_document(r"^([a-z_]+)$", each)]
    assert page == "docs/index.md" or Path(page).stem in listed
