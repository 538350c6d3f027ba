"""Records of the anomaly benchmark: only labelled steps change, and each kind in its own way."""

import numpy as np
import pytest

from benchmarks.anomaly.generators import ANOMALIES, add_anomalies, make_anomalous_record

KINDS = list(ANOMALIES)
RECORD = np.random.default_rng(0).normal(size=(600, 3)) * [1, 2, 5]


def stretches(labels):
    """First and last step of each run of labels."""
    edges = np.flatnonzero(np.diff(np.r_[False, labels, False]))
    return [(start, end - 1) for start, end in edges.reshape(-1, 2)]


def anomalous(kind, **parameters):
    return add_anomalies(RECORD, kind, **{"duration": 40, "random_state": 0} | parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_is_normal_up_to_its_middle(kind):
    record, labels = make_anomalous_record(kind, 1001, 2, random_state=0, n_events=3)
    assert (record.shape, record.dtype) == ((1001, 2), np.float64)
    assert (labels.shape, labels.dtype) == ((1001,), bool)
    assert not labels[:500].any()
    assert len(stretches(labels)) == 3
    other, _ = make_anomalous_record("level", 1001, 2, random_state=0, n_events=3)
    np.testing.assert_array_equal(record[:500], other[:500])


def test_all_features_follow_one_cycle_in_their_own_way():
    """Without noise a record is a curve: neighbors in one feature pair and slope are neighbors."""
    record, _ = make_anomalous_record("spike", 20000, 4, random_state=0, noise=0.0)
    record = record[:10000]
    np.testing.assert_allclose(record.std(axis=0), 1, atol=0.05)
    distance = np.square(record[5000:, :2][:, None] - record[None, :5000:10, :2]).sum(axis=2)
    nearest = record[:5000:10][distance.argmin(axis=1)]
    assert np.median(np.abs(nearest - record[5000:])) < 0.05


def test_the_noise_of_a_record_has_the_deviation_that_was_asked_for():
    clean, noisy = (
        make_anomalous_record("flat", random_state=0, noise=noise)[0][:1000] for noise in (0, 0.5)
    )
    assert np.std(noisy - clean) == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_only_labelled_steps_change(kind):
    record, labels = anomalous(kind)
    np.testing.assert_array_equal(record[~labels], RECORD[~labels])
    n_changed = (record != RECORD)[labels].any(axis=0).sum()
    assert n_changed == 3 if kind == "frequency" else 1 <= n_changed <= 3


@pytest.mark.parametrize("kind", KINDS)
def test_anomalies_are_as_many_and_as_long_as_was_asked_for(kind):
    for n_events, duration in [(1, 3), (6, 20), (5, 60)]:
        _, labels = anomalous(kind, n_events=n_events, duration=duration)
        lengths = {end - start + 1 for start, end in stretches(labels)}
        least, most = (1, 1) if kind == "spike" else (np.ceil(duration / 2), duration)
        assert len(stretches(labels)) == n_events
        assert least <= min(lengths) <= max(lengths) <= most
        parts = [600 // n_events * part for part in range(n_events + 1)]
        for (start, end), first, stop in zip(stretches(labels), parts, parts[1:], strict=False):
            assert first <= start <= end < stop


@pytest.mark.parametrize(("kind", "low", "high"), [("spike", 1.5, 3), ("level", 1, 2)])
def test_values_are_off_by_so_many_deviations(kind, low, high):
    record, labels = anomalous(kind, n_events=7)
    difference = (record - RECORD) / RECORD.std(axis=0)
    for start, end in stretches(labels):
        [feature] = np.flatnonzero(difference[start])
        offset = difference[start : end + 1, feature]
        assert low <= abs(offset[0]) <= high
        np.testing.assert_allclose(offset, offset[0])
    assert len(set(np.sign(difference[difference != 0]))) == 2


def test_all_features_pass_twice_as_fast():
    ramp = np.arange(600.0)[:, np.newaxis] * [1, -1]
    record, labels = add_anomalies(ramp, "frequency", random_state=0)
    for start, end in stretches(labels):
        np.testing.assert_allclose(
            np.diff(record[start : end + 1], axis=0), [[2, -2]] * (end - start)
        )


def test_a_value_stays_what_it_was():
    record, labels = anomalous("flat")
    for start, end in stretches(labels):
        stays = (record[start : end + 1] == RECORD[start]).all(axis=0)
        assert stays.sum() == 1


def test_a_feature_does_what_it_did_at_another_time():
    record, labels = anomalous("correlation")
    for start, end in stretches(labels):
        event = record[start : end + 1]
        [feature] = np.flatnonzero(event[0] != RECORD[start])
        copied = np.lib.stride_tricks.sliding_window_view(RECORD[:, feature], end - start + 1)
        assert (copied == event[:, feature]).all(axis=1).sum() == 1
        correlation = np.corrcoef(event[:, feature], RECORD[start : end + 1, feature])[0, 1]
        assert correlation < 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_anomalies(kind):
    before = np.random.get_state()  # noqa: NPY002
    for make in (
        lambda seed: make_anomalous_record(kind, random_state=seed),
        lambda seed: anomalous(kind, random_state=seed),
    ):
        (first, labels), (again, same), (other, _) = (make(seed) for seed in (3, 3, 4))
        np.testing.assert_array_equal(first, again)
        np.testing.assert_array_equal(labels, same)
        assert not np.array_equal(first, other)
    np.testing.assert_equal(np.random.get_state(), before)  # noqa: NPY002


def test_a_record_too_short_for_its_events_is_refused():
    with pytest.raises(ValueError, match=r"8 events of up to 40 .* 640 steps, .* has 600"):
        anomalous("flat", n_events=8)
    with pytest.raises(ValueError, match=r"5 events of up to 50 .* 500 steps, .* has 495"):
        make_anomalous_record("flat", 990, random_state=0)


def test_one_feature_cannot_fall_out_of_step():
    with pytest.raises(ValueError, match=r"'correlation' needs at least 2 features"):
        make_anomalous_record("correlation", n_features=1, random_state=0)
