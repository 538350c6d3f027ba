"""Records with known anomalies, made from nothing or from a normal record."""

import numpy as np
from sklearn.utils import check_array, check_random_state

CYCLE = 25  # steps of a cycle of the machine, on average
HARMONICS = 3

# Kinds of anomalies. Each function changes ``changed`` at a slice of steps and at one feature, and
# reads the unchanged record.


def _offset(record, feature, low, high, generator):
    """A difference, upwards or downwards, of ``low`` to ``high`` deviations of a feature."""
    return generator.choice([-1, 1]) * generator.uniform(low, high) * record[:, feature].std()


def _add_spike(record, changed, steps, feature, generator):
    changed[steps, feature] += _offset(record, feature, 1.5, 3.0, generator)


def _add_level(record, changed, steps, feature, generator):
    changed[steps, feature] += _offset(record, feature, 1.0, 2.0, generator)


def _add_frequency(record, changed, steps, feature, generator):
    changed[steps] = record[steps.start : 2 * steps.stop - steps.start : 2]


def _add_flat(record, changed, steps, feature, generator):
    changed[steps, feature] = record[steps.start, feature]


def _add_correlation(record, changed, steps, feature, generator):
    length = steps.stop - steps.start
    starts = generator.randint(len(record) - length + 1, size=10)
    others = [record[start : start + length, feature] for start in starts]
    changed[steps, feature] = max(
        others, key=lambda other: np.square(other - record[steps, feature]).sum()
    )


ANOMALIES = {
    "spike": _add_spike,
    "level": _add_level,
    "frequency": _add_frequency,
    "flat": _add_flat,
    "correlation": _add_correlation,
}


def make_anomalous_record(
    kind, n_timesteps=2000, n_features=3, *, random_state, n_events=5, noise=0.1
):
    """Make the record of a machine that runs in cycles and has anomalies in the second half.

    Each feature is a function of where the machine is in its cycle, of three harmonics and with
    standard deviation 1. A cycle takes 25 steps on average, and more or less as its speed wanders.

    Parameters
    ----------
    kind : {"spike", "level", "frequency", "flat", "correlation"}
        What happens, as in `add_anomalies`.

    n_timesteps : int, default=2000
        Steps S of the record, normal before the middle.

    n_features : int, default=3
        Features F of a step.

    random_state : int, RandomState instance or None
        Determines the machine, its run and its anomalies. With the same int the run is the same for
        each kind of anomaly.

    n_events : int, default=5
        Number of anomalies, of 25 to 50 steps each, or of one step for a spike.

    noise : float, default=0.1
        Standard deviation of the Gaussian noise on each value.

    Returns
    -------
    record : ndarray of shape (S, F), float64
        The record.

    labels : ndarray of shape (S,), bool
        Whether a step is anomalous.
    """
    generator = check_random_state(random_state)
    record = _run_machine(n_timesteps, n_features, generator)
    record += noise * generator.normal(size=record.shape)
    half = n_timesteps // 2
    second, labels = add_anomalies(
        record[half:], kind, n_events, duration=2 * CYCLE, random_state=generator
    )
    return np.concatenate([record[:half], second]), np.append(np.zeros(half, dtype=bool), labels)


def add_anomalies(record, kind, n_events=5, *, duration=50, random_state):
    """Add anomalies to a record.

    Parameters
    ----------
    record : array-like of shape (S, F)
        The record. It is copied.

    kind : {"spike", "level", "frequency", "flat", "correlation"}
        What happens, to one feature drawn at random except with "frequency". The standard deviation
        of that feature is d.

        "spike": one value is off by 1.5 d to 3 d.

        "level": values are off by d to 2 d.

        "frequency": all features pass twice as fast.

        "flat": the value stays what it was.

        "correlation": the feature has its values of another time, while the others go on. That is
        the most different one of ten times drawn at random. It needs two features.

    n_events : int, default=5
        Number of anomalies, one in each of ``n_events`` parts of equal length.

    duration : int, default=50
        Steps of an anomaly, drawn evenly from a half to the whole of it. A spike has one step.

    random_state : int, RandomState instance or None
        Determines places, lengths, sizes and features.

    Returns
    -------
    record : ndarray of shape (S, F), float64
        A copy with anomalies.

    labels : ndarray of shape (S,), bool
        Whether a step is anomalous.

    Raises
    ------
    ValueError
        If the record has fewer than 2 ``duration`` steps for each event, or with "correlation" one
        feature only.
    """
    record = check_array(record, dtype=np.float64)  # (S, F)
    n_steps, n_features = record.shape
    part = n_steps // n_events
    if part < 2 * duration:
        raise ValueError(
            f"{n_events} events of up to {duration} steps need {2 * duration * n_events} steps, "
            f"but the record has {n_steps} for them: ask for fewer or shorter ones, or a longer "
            "record."
        )
    if kind == "correlation" and n_features == 1:
        raise ValueError("kind='correlation' needs at least 2 features, but the record has 1.")
    generator = check_random_state(random_state)
    changed, labels = record.copy(), np.zeros(n_steps, dtype=bool)
    for first in part * np.arange(n_events):
        # Room for twice the duration remains, which "frequency" reads.
        start = first + generator.randint(part - 2 * duration + 1)
        length = generator.randint((duration + 1) // 2, duration + 1)
        feature = generator.randint(n_features)
        steps = slice(start, start + (1 if kind == "spike" else length))
        ANOMALIES[kind](record, changed, steps, feature, generator)
        labels[steps] = True
    return changed, labels


def _run_machine(n_timesteps, n_features, generator):
    """Features (S, F) of deviation 1 that follow the phase of one cycle, each in its own way."""
    order = np.arange(1, HARMONICS + 1)
    amplitudes = generator.uniform(0.3, 1.0, size=(n_features, HARMONICS)) / order  # (F, 3)
    amplitudes /= np.sqrt(np.square(amplitudes).sum(axis=1, keepdims=True) / 2)
    offsets = generator.uniform(size=(n_features, HARMONICS))  # (F, 3)
    # The speed wanders: a moving average over two cycles, of deviation 0.15.
    span = 2 * CYCLE
    steps = generator.normal(size=n_timesteps + span - 1)
    speed = 1 + 0.15 * np.convolve(steps, np.full(span, 1 / np.sqrt(span)), mode="valid")
    phase = generator.uniform() + np.cumsum(speed) / CYCLE  # (S,), in cycles
    turns = phase[:, np.newaxis, np.newaxis] * order + offsets  # (S, F, 3)
    return (amplitudes * np.cos(2 * np.pi * turns)).sum(axis=2)
