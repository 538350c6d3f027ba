"""Small records, and what a command keeps of them."""

import pytest

from benchmarks import records, report


@pytest.fixture(scope="session")
def make_record():
    """A function of the name of a case: a record of everything that there is a table for."""
    return small_record


def small_record(case="a case"):
    timing = records.Timing(
        case,
        {"ours": [1.0, 2.0, 4.0], "PyTorch": [3.0, 4.0, 20.0]},
        per=2,
        losses={"ours": [0.10], "PyTorch": [0.105]},
        note="2 threads",
    )
    verdicts = [records.Verdict("be fast", "3 times", True), records.Verdict("more", "no", False)]
    scores = [
        records.Scores("a set", "ours", {"accuracy": [0.5, 0.7], "seconds": [9.0, 0.5, 0.7]}),
        records.Scores("a set", "PCA", {"accuracy": [0.55], "seconds": [1e-4]}),
        records.Scores("another", "PCA", {}),
        records.Scores("another", "ours", {"accuracy": [1.0]}),
    ]
    orders = [
        records.Order("left before right", "small", [1.0, 2.0, 3.0]),
        records.Order("left before right", "large", [-1.0, 0.0, 1.0]),
        records.Order("red before blue", "small", [-2.0, -2.0, -2.0]),
        records.Order("red before blue", "large", [5.0, 4.0, 6.0]),
    ]
    return records.Record([timing], verdicts, {"n": 1}, scores, orders)


@pytest.fixture
def kept(monkeypatch):
    """Dict of the records that a command saves, by line, and of the lines in "README.md"."""
    kept = {}
    monkeypatch.setattr(report, "save", kept.__setitem__)
    monkeypatch.setattr(report, "write_tables", lambda lines: kept.setdefault("README.md", lines))
    return kept
