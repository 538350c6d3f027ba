"""Records to learn from, and records with known anomalies to be judged on."""

from dataclasses import dataclass

import numpy as np

from benchmarks.quality.archives import aeon_folder

from .generators import ANOMALIES, add_anomalies, make_anomalous_record


@dataclass
class Set:
    """What is learned from a record, and what is judged.

    Attributes
    ----------
    normal : ndarray of shape (S, F)
        A record without anomalies.
    judged : dict of (ndarray of shape (S', F), ndarray of shape (S',), bool)
        By case: a record, and which steps of it are anomalous.
    length : int
        Steps T of a window.
    """

    normal: np.ndarray
    judged: dict
    length: int


def machine(seed):
    """A machine that runs in cycles, another one for each seed. A window has two cycles."""
    records = {kind: make_anomalous_record(kind, random_state=seed) for kind in ANOMALIES}
    half = len(next(iter(records.values()))[0]) // 2
    judged = {
        f"machine, {kind}": (record[half:], labels[half:])
        for kind, (record, labels) in records.items()
    }
    return Set(records["spike"][0][:half], judged, 50)


def walk(seed):
    """A person who walks, nine channels of acceleration, 64 steps a second.

    The file labels no step as anomalous, so anomalies are added to its second half, others for
    each seed. A window has a second.
    """
    path = aeon_folder("Daphnet_S06R02E0") / "S06R02E0.csv"
    record = np.loadtxt(path, delimiter=",", skiprows=1, usecols=range(1, 10))
    half = len(record) // 2
    judged = {
        f"walk, {kind}": add_anomalies(record[half:], kind, duration=64, random_state=seed)
        for kind in ANOMALIES
    }
    return Set(record[:half], judged, 64)


def pressure(seed):
    """Blood pressure, univariate, with one anomaly of 12 steps; the same for each seed.

    A window has about one heartbeat.
    """
    folder = aeon_folder("KDD-TSAD_135")
    (normal, _), (values, labels) = (
        np.loadtxt(
            folder / f"135_UCR_Anomaly_InternalBleeding16_{part}.csv",
            delimiter=",",
            skiprows=1,
            usecols=(1, 2),
            unpack=True,
        )
        for part in ("TRAIN", "TEST")
    )
    judged = {"blood pressure": (values[:, np.newaxis], labels > 0)}
    return Set(normal[:, np.newaxis], judged, 200)


SETS = {"machine": machine, "walk": walk, "blood pressure": pressure}
KINDS = {name: [f"{name}, {kind}" for kind in ANOMALIES] for name in ("machine", "walk")}
