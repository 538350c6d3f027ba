"""The arithmetic of what was measured."""

import pytest

from benchmarks import records


def test_a_ratio_is_the_median_of_the_rounds(make_record):
    [timing] = make_record().timings
    assert timing.median("ours") == 1.0
    assert timing.ratio("PyTorch") == (3.0, 2.0, 5.0)


@pytest.mark.parametrize(("loss", "agrees"), [(0.91, True), (1.5, True), (0.89, False)])
def test_ours_may_not_learn_less(loss, agrees):
    timing = records.Timing("", {}, losses={"ours": [1.0, 1.0], "Keras": [loss, loss]})
    assert timing.agrees is agrees


def test_the_better_pytorch_counts():
    results = {
        "ours": [(1.0, 0.5)],
        "PyTorch, 1 thread": [(3.0, 0.6)],
        "PyTorch, 2 threads": [(2.0, 0.7)],
    }
    timing = records.make_timing("", results)
    assert timing.seconds == {"ours": [1.0], "PyTorch": [2.0]}
    assert timing.losses == {"ours": [0.5], "PyTorch": [0.7]}
    assert timing.note == "2 threads"


def test_an_interval_is_students():
    mean, lowest, highest = records.Order("", "", [1.0, 2.0, 3.0]).interval()
    assert mean == 2
    # 4.303 is Student's t of two degrees of freedom; the deviation is 1.
    assert (mean - lowest, highest - mean) == pytest.approx([4.303 / 3**0.5] * 2, rel=1e-4)


@pytest.mark.parametrize(
    ("gains", "outcome"),
    [([4.0, 5.0, 6.0], "holds"), ([1.0, 2.0, 3.0], "open"), ([-4.0, -5.0, -6.0], "the opposite")],
)
def test_an_order_holds_if_its_interval_is_on_one_side(gains, outcome):
    assert records.Order("", "", gains).outcome == outcome
