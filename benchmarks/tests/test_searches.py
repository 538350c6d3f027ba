"""Verdicts on searches are those of time and memory."""

import os

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
    assert 10 < searches.resident_size_of_all(os.getpid()) < 100_000
