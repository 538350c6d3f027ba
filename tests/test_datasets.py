"""The generators keep their promises, and one seed gives one result."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from sklearn_lstmae.datasets import bounce, crop_digits, make_moving_digits, make_waves, place


def assert_equal_sets(left, right):
    (X_left, y_left), (X_right, y_right) = left, right
    np.testing.assert_array_equal(y_left, y_right)
    for one, other in zip(X_left, X_right, strict=True):
        np.testing.assert_array_equal(one, other)


def cycles(wave):
    """Cycles that a sine goes through: x[t - 1] + x[t + 1] = 2 cos(angle) x[t]."""
    middle, around = wave[1:-1], wave[:-2] + wave[2:]
    return len(wave) * np.arccos(middle @ around / (2 * middle @ middle)) / (2 * np.pi)


def test_waves_are_an_array():
    X, y = make_waves(7, 20, 3, random_state=0)
    assert (X.shape, X.dtype, y.shape) == ((7, 20, 3), np.float32, (7,))


def test_waves_of_unequal_length_are_a_list():
    X, y = make_waves(50, 20, 3, random_state=0, min_timesteps=12)
    assert {x.shape[1] for x in X} == {3}
    assert {len(x) for x in X} == set(range(12, 21))
    assert len(y) == 50


def test_a_shorter_wave_ends_earlier_and_is_no_faster():
    whole, _ = make_waves(20, 30, random_state=0)
    short, _ = make_waves(20, 30, random_state=0, min_timesteps=10)
    for long_one, short_one in zip(whole, short, strict=True):
        np.testing.assert_array_equal(long_one[: len(short_one)], short_one)


def test_classes_are_equal_in_number():
    _, y = make_waves(90, 10, random_state=0, n_classes=4)
    assert sorted(np.bincount(y)) == [22, 22, 23, 23]


def test_the_class_decides_the_frequency():
    X, y = make_waves(60, 40, random_state=0, noise=0.0)
    np.testing.assert_allclose([cycles(x[:, 0]) for x in X], 1 + y / 2, rtol=1e-5)


def test_shift_spreads_the_beginnings():
    alike, y = make_waves(60, 20, random_state=0, shift=0.0, noise=0.0)
    anywhere, _ = make_waves(60, 20, random_state=0, noise=0.0)
    assert np.ptp(alike[y == 0, 0], axis=0).max() == 0
    assert np.ptp(anywhere[y == 0, 0], axis=0).min() > 1.5


def test_noise_has_the_deviation_that_was_asked_for():
    clean, _ = make_waves(200, 20, random_state=0, noise=0.0)
    noisy, _ = make_waves(200, 20, random_state=0, noise=0.5)
    assert np.abs(clean).max() <= 1
    assert np.std(noisy - clean) == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("min_timesteps", [None, 5])
def test_a_seed_gives_the_same_waves_and_leaves_global_state_alone(min_timesteps):
    before = np.random.get_state()  # noqa: NPY002
    first, again, other = (
        make_waves(10, 9, random_state=seed, min_timesteps=min_timesteps) for seed in (3, 3, 4)
    )
    assert_equal_sets(first, again)
    assert not np.array_equal(first[0][0][:5], other[0][0][:5])
    np.testing.assert_equal(np.random.get_state(), before)  # noqa: NPY002


def test_waves_want_a_seed():
    with pytest.raises(TypeError, match="random_state"):
        make_waves(10)


def test_a_least_length_above_the_longest_is_refused():
    with pytest.raises(ValueError, match="min_timesteps=11 is more than n_timesteps=10"):
        make_waves(5, 10, random_state=0, min_timesteps=11)


@pytest.mark.parametrize("wrong", [{"n_sequences": 0}, {"shift": 2}, {"noise": -1}])
def test_a_wrong_parameter_is_refused(wrong):
    [name] = wrong
    with pytest.raises(ValueError, match=name):
        make_waves(**{"random_state": 0} | wrong)


def test_digits_begin_and_end_with_ink():
    X, y = crop_digits()
    assert len(X) == len(y) == 1797
    assert np.bincount([len(x) for x in X]).tolist()[5:] == [10, 27, 152, 1608]
    assert {(x.shape[1], x.dtype.name) for x in X} == {(8, "float32")}
    assert min(min(x[0].max(), x[-1].max()) for x in X) >= 12


# Moving digits ---------------------------------------------------------------------------


def centers(X, size):
    """Centers of the ink of each frame: (N, T, F) -> (N, T, 2), down and right."""
    frames = X.reshape(*X.shape[:2], size, size).astype(float)
    ink = frames.sum(axis=(2, 3))
    pixels = np.arange(size)
    down, right = frames.sum(axis=3) @ pixels, frames.sum(axis=2) @ pixels
    return np.stack([down, right], axis=2) / ink[:, :, np.newaxis]


def test_moving_digits_are_frames_of_gray():
    X, y = make_moving_digits(5, 7, frame_size=12, random_state=0)
    assert (X.shape, X.dtype, y.shape) == ((5, 7, 144), np.float32, (5,))
    assert 0 == X.min() < X.max() <= 1


def test_a_digit_keeps_its_ink_between_the_walls():
    X, _ = make_moving_digits(20, 40, frame_size=11, speed=1.3, random_state=0)
    ink = X.sum(axis=2)
    np.testing.assert_allclose(ink, np.repeat(ink[:, :1], 40, axis=1), rtol=1e-5)


def test_a_digit_moves_at_its_speed_and_turns_at_the_walls():
    X, _ = make_moving_digits(30, 40, frame_size=16, speed=0.7, random_state=0)
    steps = np.diff(centers(X, 16), axis=1)
    straight = np.isclose(steps[:, 1:], steps[:, :-1], atol=1e-4).all(axis=2)
    assert 0.5 < straight.mean() < 0.9
    speeds = np.linalg.norm(steps[:, 1:], axis=2)
    np.testing.assert_allclose(speeds[straight], 0.7, atol=1e-4)
    assert (speeds < 0.7 + 1e-4).all()  # a step in which it turns is shorter


def test_walls_throw_back():
    straight = np.array([-1, 0, 1, 3, 4, 6, 7, 9.5])
    np.testing.assert_allclose(bounce(straight, 3), [1, 0, 1, 3, 2, 0, 1, 2.5])


def test_a_digit_lies_on_pixels_or_between_them():
    on, between = place(np.array([[2.0, 2.25]]), 12)[0]
    np.testing.assert_array_equal(on, np.eye(12, 8, k=-2))
    np.testing.assert_allclose(between, 0.75 * np.eye(12, 8, k=-2) + 0.25 * np.eye(12, 8, k=-3))


def test_films_show_the_digits_that_they_are_said_to_show():
    X, y = make_moving_digits(1797, 2, frame_size=10, random_state=0)
    images, digits = load_digits(return_X_y=True)
    for digit in range(10):  # each image once
        ink = np.sort(X[y == digit, 1].sum(axis=1))
        expected = np.sort(images[digits == digit].sum(axis=1) / 16)
        np.testing.assert_allclose(ink, expected, rtol=1e-5)


def test_two_digits_are_in_a_film():
    X, y = make_moving_digits(20, 10, n_digits=2, frame_size=16, random_state=0)
    assert (X.shape, y.shape) == ((20, 10, 256), (20, 2))
    assert X.max() <= 1
    one, _ = make_moving_digits(20, 10, frame_size=16, random_state=0)
    assert 1.3 < X.sum() / one.sum() < 2  # less than twice, since they overlap


def test_images_are_used_again_when_all_were():
    few, digits = make_moving_digits(1797, 1, frame_size=9, random_state=0)
    many, again = make_moving_digits(1800, 1, frame_size=9, random_state=0)
    assert (few.shape, many.shape) == ((1797, 1, 81), (1800, 1, 81))
    np.testing.assert_array_equal(again[:1797], digits)


def test_a_seed_gives_the_same_films():
    first, again, other = (make_moving_digits(4, 5, random_state=seed) for seed in (3, 3, 4))
    assert_equal_sets(first, again)
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("wrong", [{"frame_size": 8}, {"n_digits": 0}, {"speed": -1}])
def test_a_wrong_parameter_of_films_is_refused(wrong):
    [name] = wrong
    with pytest.raises(ValueError, match=name):
        make_moving_digits(**{"random_state": 0} | wrong)


def test_films_want_a_seed():
    with pytest.raises(TypeError, match="random_state"):
        make_moving_digits(10)
