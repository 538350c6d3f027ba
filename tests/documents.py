"""The project's documents: what pyproject.toml says, and the Python of Markdown files, run."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

# A piece of Python, and below it what it prints.
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
NUMBER = r"-?\d+\.\d+"

# Seconds. Examples take half a minute on two cores; a busy machine may need much longer.
TIME_LIMIT = 600

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


def run(arguments, folder, python=(sys.executable,)):
    """Run Python in a folder of its own; what it printed and the files it left."""
    before = set(folder.rglob("*"))
    environment = os.environ | {"MPLBACKEND": "Agg", "MPLCONFIGDIR": str(folder.parent)}
    process = subprocess.run(
        [*python, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
    )
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout, {path.relative_to(folder) for path in set(folder.rglob("*")) - before}


def check_blocks(documents, folder, python=(sys.executable,)):
    """Fail unless the Python of documents prints what they show, and leaves no file."""
    blocks, shown = {}, {}
    for document in documents:
        text = (ROOT / document).read_text("utf-8")
        matches = list(BLOCK.finditer(text))
        blocks[document] = [(text.count("\n", 0, m.start(1)), m[1]) for m in matches]
        shown[document] = [m[2] or "" for m in matches]
    (folder / "blocks.json").write_text(json.dumps(blocks), "utf-8")
    (folder / "runner.py").write_text(RUNNER, "utf-8")
    empty = folder / "empty"
    empty.mkdir()
    output, files = run(["../runner.py", "../blocks.json"], empty, python)
    printed = json.loads(output)
    assert files == set()
    # Fractions may differ a little from machine to machine.
    assert without_fractions(printed) == without_fractions(shown)
    assert fractions_of(printed) == pytest.approx(fractions_of(shown), rel=0.1, abs=0.05)


def without_fractions(outputs):
    return {name: [re.sub(NUMBER, "#", text) for text in texts] for name, texts in outputs.items()}


def fractions_of(outputs):
    return [float(number) for number in re.findall(NUMBER, json.dumps(outputs))]
