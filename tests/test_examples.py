"""Each example runs as it stands, and so does each piece of Python in the documents."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
DOCUMENTS = ["README.md", "examples/README.md"]
LINKED = [*DOCUMENTS, "CONTRIBUTING.md", "benchmarks/README.md"]
PICTURES = {str(path.relative_to(ROOT)) for path in (ROOT / "examples" / "images").iterdir()}

# Seconds. Examples take half a minute on two cores; a busy machine may need much longer.
TIME_LIMIT = 600


def run(arguments, folder):
    """Run Python in a folder of its own; what it printed and the files it left."""
    before = set(folder.rglob("*"))
    environment = os.environ | {"MPLBACKEND": "Agg", "MPLCONFIGDIR": str(folder.parent)}
    process = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
    )
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout, {path.relative_to(folder) for path in set(folder.rglob("*")) - before}


@pytest.mark.tensorflow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_leaves_its_picture_only(example, tmp_path):
    folder = tmp_path / "checkout"
    (folder / "examples" / "images").mkdir(parents=True)
    shutil.copy(example, folder / "examples")
    _, files = run([f"examples/{example.name}"], folder)
    picture = f"examples/images/{example.stem.removeprefix('plot_')}.png"
    assert {str(file) for file in files} == {picture} & PICTURES


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
@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_python_of_a_document_runs(document, tmp_path):
    blocks = in_document(r"^```python\n(.*?)^```", document)
    assert len(blocks) > 5
    script = tmp_path / "document.py"
    script.write_text("\n".join(blocks), "utf-8")
    folder = tmp_path / "empty"
    folder.mkdir()
    _, files = run([str(script)], folder)
    assert files == set()


def anchors(document):
    """The names under which a document's headings are linked to."""
    text = re.sub(r"^```.*?^```", "", (ROOT / document).read_text("utf-8"), flags=re.M | re.S)
    headings = re.findall(r"^##+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", LINKED)
def test_the_links_of_a_document_lead_somewhere(document):
    links = in_document(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", document)
    assert links or document not in DOCUMENTS
    for path, anchor in links:
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), (path, anchor)
