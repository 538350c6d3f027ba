"""Growth of memory over many fits in one process."""

import gc
from functools import partial

import numpy as np

from benchmarks.contenders import Ours
from benchmarks.harness import Remote, started
from benchmarks.jobs import Job
from benchmarks.records import Record, Verdict

JOB = Job(500, 24, 1, 32, 32, epochs=2)
WARM_UP, FITS = 5, 30
GOAL = 1.0


class Repeated(Ours):
    """Fits again and again."""

    def resident_sizes(self, n_fits):
        """Resident memory in MB after each fit; every fit has another number of rows."""
        sizes = []
        for number in range(n_fits):
            self.fit(rows=len(self.X) - number)
            gc.collect()
            sizes.append(resident_size())
        return sizes


def resident_size():
    """Memory of this process in MB."""
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return pages * 4096 / 1e6


def measure(quick):
    warm_up, fits = (2, 4) if quick else (WARM_UP, FITS)
    with started({"ours": partial(Remote, Repeated, JOB.shrunk() if quick else JOB)}) as remotes:
        sizes = remotes["ours"].call("resident_sizes", warm_up + fits)
    growth = (sizes[-1] - sizes[warm_up - 1]) / fits
    slope = float(np.polyfit(np.arange(fits), sizes[warm_up:], 1)[0])
    verdict = Verdict(
        f"memory grows by less than {GOAL:.0f} MB per fit over {fits} fits",
        f"{growth:.2f} MB (slope of a line through all: {slope:.2f} MB)",
        max(growth, slope) < GOAL,
    )
    return Record(verdicts=[verdict], numbers={"MB after each fit": sizes})
