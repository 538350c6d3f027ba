"""Verdicts on searches are those of time and memory."""

import os
import subprocess
import sys

import pytest

from benchmarks import records
from benchmarks.lines import searches


@pytest.mark.parametrize(
    ("seconds", "megabytes", "met"), [(2.0, 900, True), (0.5, 900, False), (2.0, 400, False)]
)
def test_threads_are_better_if_they_are_faster_and_take_less(seconds, megabytes, met):
    timing = records.Timing("", {"ours": [1.0], "processes": [seconds]})
    verdict = searches.judge("a search", timing, {"ours": 500.0, "processes": float(megabytes)})
    assert verdict.met is met
    assert f"{seconds:.2f} times as fast; 500 MB, {megabytes} MB" in verdict.measured


def test_memory_is_that_of_a_process_and_its_children():
    before = searches.size_of_all(os.getpid())
    code = "data = bytearray(range(250)) * 400_000; print(flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    child.stdout.readline()  # it has its 100 MB
    grown = searches.size_of_all(os.getpid()) - before
    child.communicate(b"\n")
    assert before > 10
    assert 95 < grown < 150
