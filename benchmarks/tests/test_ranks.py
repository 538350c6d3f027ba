"""What more ranks are worth follows from the measured times of one and two."""

import pytest
from numpy.testing import assert_allclose

from benchmarks.lines import ranks
from benchmarks.records import Record


def test_the_first_two_ranks_are_as_measured():
    assert ranks.speedup(0.01, 0.0125, 2) == pytest.approx(2 * 0.01 / 0.0125)
    assert ranks.speedup(0.01, 0.009, 2) == 2  # no exchange takes less than nothing


def test_each_further_rank_adds_two_messages():
    exchange = 0.003 + 2 * 98 * ranks.LATENCY
    assert_allclose(ranks.speedup(0.01, 0.013, 100), 100 * 0.01 / (0.01 + exchange))
    assert ranks.speedup(0.01, 0.013, 1000) < 1000 * 0.01 / (2 * 900 * ranks.LATENCY)


def test_the_figure_is_drawn_from_the_record(tmp_path):
    pytest.importorskip("matplotlib")
    record = Record()
    for share in ranks.SHARES:
        for n_ranks in (1, 2):
            record.numbers[f"{share} sequences a rank, {n_ranks}"] = [0.01 * n_ranks**0.2]
    [path] = ranks.draw(record, tmp_path)
    assert path.stat().st_size > 1000
