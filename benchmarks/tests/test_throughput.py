"""Rows are timed as often as it takes, and verdicts are those of the slowest case."""

import os

import pytest

from benchmarks import records
from benchmarks.lines import throughput


def test_a_short_call_is_repeated():
    class Counted(throughput.Rows):
        calls = 0

        def transform(self, n_rows):
            self.calls += n_rows

    counted = Counted()
    seconds = counted.seconds("transform", 1)
    assert 0 < seconds < throughput.CALL / 100
    assert counted.calls > 100


def test_variables_are_those_of_processes_that_start_meanwhile(monkeypatch):
    monkeypatch.setenv("ONE", "1")
    monkeypatch.delenv("TWO", raising=False)
    with throughput.variables(ONE="3", TWO="2"):
        assert (os.environ["ONE"], os.environ["TWO"]) == ("3", "2")
    assert os.environ["ONE"] == "1"
    assert "TWO" not in os.environ


@pytest.mark.parametrize(("ours", "met"), [(0.9, [True, True]), (1.2, [False, True])])
def test_one_row_counts_where_it_takes_longest(ours, met):
    timings = [
        records.Timing(
            f"{method}, 1 row of a shape, {threads}",
            {"ours": [seconds], "PyTorch": [1.0], "onnxruntime": [1.0]},
        )
        for method in ("transform", "predict")
        for threads, seconds in [("1 thread", 0.5), ("2 threads", ours)]
    ]
    assert [verdict.met for verdict in throughput.judge(timings)] == met * 2
