"""``python -m hard``: what breaks this library, at length. CONTRIBUTING.md has a word on it."""

import argparse
import os
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PROCESSES = 2


def forge_files(n, seed):
    """Half of the files in each of two processes."""
    from hard import files

    with tempfile.TemporaryDirectory() as folder:
        valid = Path(folder, "valid")
        valid.mkdir()
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as trainer:
            trainer.submit(files.write_valid, valid).result()
        with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
            parts = [
                pool.submit(files.run_in, valid, n // PROCESSES, f"{seed} {part}")
                for part in range(PROCESSES)
            ]
            return sum((part.result() for part in parts), Counter())


def forge_checkpoints(n, seed):
    from hard import checkpoints

    with tempfile.TemporaryDirectory() as folder:
        return checkpoints.run(n, seed, Path(folder), show)


def live(n, seed):
    from hard import lives

    for name, share in {"transformer": 0.6, "detector": 0.2, "classifier": 0.2}.items():
        lives.run(name, int(n * share), seed)
    return Counter()


def read(n, seed):
    from hard import readers

    for name in readers.CASES:
        print(name, dict(readers.run(name, n // len(readers.CASES))))
    return Counter()


def fit_on_ranks(n, seed):
    import warnings

    from hard import ranks

    warnings.filterwarnings("ignore", "All 2 epochs were run|The fit is no better")
    return ranks.run(n, seed, show)


def show(*what):
    print(*what, flush=True)


# name: (function of how many and a seed, how many)
TRIALS = {
    "files": (forge_files, 20_000),
    "checkpoints": (forge_checkpoints, 3_000),
    "lives": (live, 1_000),
    "readers": (read, 100_000),
    "ranks": (fit_on_ranks, 20),
}


def main():
    parser = argparse.ArgumentParser(prog="python -m hard", description=__doc__)
    parser.add_argument(
        "trials", nargs="*", metavar="TRIAL", default=[*TRIALS], help=", ".join(TRIALS)
    )
    parser.add_argument("--n", type=int, help="how many files, lives, calls or fits")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    found = False
    for name in arguments.trials:
        trial, usual = TRIALS[name]
        n = arguments.n or usual
        counts = Counter()
        for (violation, _), count in trial(n, arguments.seed).items():
            counts[violation] += count
        found |= bool(counts)
        print(f"{name}, {n} with seed {arguments.seed}: {counts.total()} violations")
        for violation, count in counts.most_common():
            print(f"{count:6} {violation}")
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
