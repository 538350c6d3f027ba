"""The tutorial's whole fit in a fresh process, without its imports."""

from dataclasses import dataclass, replace

import numpy as np

from benchmarks.contenders import starters
from benchmarks.harness import ROUNDS, started, take_turns
from benchmarks.jobs import Job
from benchmarks.records import Record, Verdict, make_timing


@dataclass(frozen=True)
class TutorialJob(Job):
    """One sequence: 0.1, 0.2, ..., 0.9."""

    def data(self):
        return np.linspace(0.1, 0.9, 9, dtype=np.float32).reshape(1, 9, 1)


JOB = TutorialJob(1, 9, 1, 100, 32, epochs=300, latent_dim=None, activation="relu")
LEARNED = 1e-3  # a loss that says 0.1 ... 0.9 to within 0.03


def measure(quick):
    job = replace(JOB, epochs=20, units=8) if quick else JOB
    runs = {name: lambda start=start: fit_afresh(start) for name, start in starters(job).items()}
    results = take_turns(runs, 1 if quick else ROUNDS, warm_up=0 if quick else 1)
    worst = max(loss for runs in results.values() for _, loss in runs)
    # From one sequence all learn nearly everything: what is left has no meaning as a ratio.
    timing = make_timing("1 x 9 x 1, 100 units, 300 epochs", results, losses=False)
    ratio, *_ = timing.ratio("PyTorch")
    record = Record([timing], numbers={"largest final loss": worst})
    doubt = "" if worst <= LEARNED else f" (but a final loss is {worst:.2g}, above {LEARNED})"
    goal = "the tutorial's whole fit no slower than PyTorch's"
    measured = f"PyTorch takes {ratio:.2f} times as long{doubt}"
    record.verdicts.append(Verdict(goal, measured, ratio >= 1 and not doubt))
    return record


def fit_afresh(start):
    """Seconds and loss of a fit in a new process."""
    with started({"only": start}) as remotes:
        return remotes["only"].timed("fit")
