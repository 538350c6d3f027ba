"""Each example runs as it stands, and so does each piece of Python in README.md."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
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
    listed = re.findall(r"\(([a-z_]+\.py)\)", (ROOT / "examples" / "README.md").read_text("utf-8"))
    assert sorted(listed) == [path.name for path in EXAMPLES]


def test_the_python_of_the_readme_runs(tmp_path):
    readme = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    script = tmp_path / "readme.py"
    script.write_text("\n".join(blocks), "utf-8")
    folder = tmp_path / "empty"
    folder.mkdir()
    _, files = run([str(script)], folder)
    assert files == set()


def test_the_links_of_the_readme_lead_somewhere():
    readme = (ROOT / "README.md").read_text("utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", readme)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
