"""``import sklearn_lstmae`` beside ``import sklearn``, each in a new interpreter."""

import os
import subprocess
import sys

from benchmarks.harness import take_turns
from benchmarks.records import Record, Timing, Verdict

CODE = """
import sys, time
start = time.perf_counter()
import {package}
print(time.perf_counter() - start, "tensorflow" in sys.modules)
"""
PACKAGES = {"ours": "sklearn_lstmae", "scikit-learn": "sklearn"}
GOAL = 1.2
ROUNDS = 15


def import_afresh(package):
    """Seconds of an import in a new interpreter, and whether TensorFlow came along.

    The bytecode of both is there from a round to warm up on, as it is of what pip installed.
    """
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    run = subprocess.run(
        [sys.executable, "-c", CODE.format(package=package)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, tensorflow = run.stdout.split()
    return float(seconds), tensorflow == "True"


def measure(quick):
    runs = {name: lambda p=package: import_afresh(p) for name, package in PACKAGES.items()}
    results = take_turns(runs, 2 if quick else ROUNDS)
    seconds = {name: [took for took, _ in times] for name, times in results.items()}
    tensorflow = any(loaded for _, loaded in results["ours"])
    timing = Timing("import", seconds)
    ratio = 1 / timing.ratio("scikit-learn")[0]
    verdict = Verdict(
        f"`import sklearn_lstmae` at most {GOAL} times `import sklearn`, without TensorFlow",
        f"{ratio:.2f} times, {'with' if tensorflow else 'without'} TensorFlow",
        ratio <= GOAL and not tensorflow,
    )
    return Record([timing], [verdict])
