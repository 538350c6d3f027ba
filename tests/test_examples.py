"""Each example runs, and each piece of Python in the documents runs as it stands.

Examples train for a few epochs only, in the process of the tests, so that TensorFlow's start is
shared. The demo runs as it stands, and with ``--whole-examples`` all are trained as they say.
"""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
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
WEB = "https://raw.githubusercontent.com/sklearn-lstmae/sklearn-lstmae/main/"

# A piece of Python, and below it what it prints.
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
NUMBER = r"-?\d+\.\d+"

# Seconds. Examples take half a minute on two cores; a busy machine may need much longer.
TIME_LIMIT = 600
FEW = 2  # epochs

# Runs the blocks of all documents in one process, so that TensorFlow is imported, and each
# network compiled, once. A document has variables of its own; lines are those of the document.
RUNNER = """
import contextlib, io, json, sys

printed = {}
for document, blocks in json.load(open(sys.argv[1])).items():
    names, printed[document] = {"__name__": "__main__"}, []
    for line, source in blocks:
        code = compile("\\n" * line + source, document, "exec")
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(code, names)
        printed[document].append(output.getvalue())
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
print(json.dumps(printed))
"""


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
    blocks, shown = {}, {}
    for document in ["README.md", *PAGES]:
        text = (ROOT / document).read_text("utf-8")
        matches = list(BLOCK.finditer(text))
        blocks[document] = [(text.count("\n", 0, m.start(1)), m[1]) for m in matches]
        shown[document] = [m[2] or "" for m in matches]
    (tmp_path / "blocks.json").write_text(json.dumps(blocks), "utf-8")
    (tmp_path / "runner.py").write_text(RUNNER, "utf-8")
    folder = tmp_path / "empty"
    folder.mkdir()
    output, files = run(["../runner.py", "../blocks.json"], folder)
    printed = json.loads(output)
    assert files == set()
    # Fractions may differ a little from machine to machine.
    assert without_fractions(printed) == without_fractions(shown)
    assert fractions_of(printed) == pytest.approx(fractions_of(shown), rel=0.1, abs=0.05)


def without_fractions(outputs):
    return {name: [re.sub(NUMBER, "#", text) for text in texts] for name, texts in outputs.items()}


def fractions_of(outputs):
    return [float(number) for number in re.findall(NUMBER, json.dumps(outputs))]


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
