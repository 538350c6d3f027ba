"""transform and inverse_transform of a fitted model, all contenders with the same weights."""

import numpy as np

from benchmarks.contenders import starters
from benchmarks.harness import ROUNDS, started, take_turns
from benchmarks.records import Record, Verdict, make_timing

from .epochs import SHAPES

# N, T, F and U of the shapes; a shape that differs in its batches only is the same here.
JOBS = [SHAPES[0], SHAPES[1], SHAPES[3], SHAPES[4]]
REPEATS = 5
TOLERANCE = 1e-4


def measure(quick):
    record = Record()
    for job in JOBS:
        record.timings += race(job.shrunk() if quick else job, 2 if quick else 2 * ROUNDS)
    for index, name in enumerate(["transform", "inverse_transform"]):
        lowest = min(timing.ratio("PyTorch")[0] for timing in record.timings[index::2])
        goal = f"{name} no slower than PyTorch on any shape"
        measured = f"at least {lowest:.2f} times as fast"
        record.verdicts.append(Verdict(goal, measured, lowest >= 1))
    return record


def race(job, rounds):
    """Timings of encoding and of decoding; they raise if the contenders' results differ."""
    with started(starters(job)) as remotes:
        ours, *rivals = remotes.values()
        ours.call("fit", 1)
        weights = ours.call("weights")
        codes = ours.call("encode")
        for rival in rivals:
            rival.call("set_weights", weights)
            np.testing.assert_allclose(rival.call("encode"), codes, atol=TOLERANCE)
            np.testing.assert_allclose(
                rival.call("decode", codes), ours.call("decode", codes), atol=TOLERANCE
            )

        def best_of_several(remote, *call):
            return min(remote.timed(*call)[0] for _ in range(REPEATS)), None

        timings = []
        for call in (["encode"], ["decode", codes]):
            runs = {
                name: lambda remote=remote, call=call: best_of_several(remote, *call)
                for name, remote in remotes.items()
            }
            results = take_turns(runs, rounds)
            timings.append(make_timing(f"{call[0]}, {job}", results, losses=False))
    return timings
