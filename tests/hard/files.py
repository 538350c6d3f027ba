"""Forged files: `load` returns the model that was saved, one that a fit could have left, or raises
a ValueError with the file and the field, soon and without much memory.
"""

import collections
import contextlib
import io
import random
import re
import signal
import tempfile
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator

from hard import models
from hard.forging import forge
from hard.oracle import complaints
from sklearn_lstmae import load

SECONDS = 2
GIVE_UP = 10
# Ten times the file, and 16 MiB of padding that arrays of strings may take (`codec.PADDING`, with
# which a load was seen to take 16.0), as much again for what else is imported or cached meanwhile.
TIMES, ALLOWANCE = 10, 2**25
LONGEST_MESSAGE = 2000


class GivenUp(BaseException):
    """A load that takes too long; no `except` of the package catches it."""


@contextlib.contextmanager
def alarm(seconds):
    """Raise `GivenUp` within, after so many seconds of the processor, which others may use, too."""

    def ring(*_):
        raise GivenUp

    earlier = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, earlier)


def same(one, other):
    """Equal to the bit, whatever is nested in them; NaN is NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, BaseEstimator):
        return same(vars(one), vars(other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        is_like = (one.shape, one.dtype) == (other.shape, other.dtype)
        has_objects = is_like and one.dtype == object
        return is_like and (
            same(one.tolist(), other.tolist()) if has_objects else one.tobytes() == other.tobytes()
        )
    return one == other or (one != one and other != other)


def judge(path, data, original, is_readable=True):
    """Violations of a forged file, as short strings.

    Parameters
    ----------
    path : Path
        Where to write it.
    data : bytes
        Its bytes.
    original : estimator
        What was in the file before it was forged.
    is_readable : bool
        Whether header and frame are well formed, so that a message can name a field.
    """
    path.write_bytes(data)
    found, loaded, error = [], None, None
    tracemalloc.start()
    began = time.process_time()
    try:
        with alarm(GIVE_UP), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = load(path)
    except (Exception, GivenUp) as caught:  # of any type: that is what is looked for
        error = caught
    seconds = time.process_time() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if seconds > SECONDS or isinstance(error, GivenUp):
        found.append("slow")
    if peak > TIMES * len(data) + ALLOWANCE:
        found.append("much memory")
    if error is None:
        if not same(loaded, original):
            found += [f"accepted: {reason}" for reason in complaints(loaded)]
    elif not isinstance(error, (ValueError, GivenUp)) or isinstance(error, UnicodeError):
        found.append(f"raised {type(error).__name__}")
    elif isinstance(error, ValueError):
        found += of_message(str(error), path, is_readable)
    return found


def of_message(message, path, is_readable):
    """Violations of the message of a ValueError."""
    found = [] if str(path) in message else ["a message without the file"]
    rest = message.replace(str(path), "")
    if is_readable and not re.search(r"'[^']+'|header|checksum|truncated|of kind|version", rest):
        found.append("a message without the field")
    if len(rest) > LONGEST_MESSAGE:
        found.append("a long message")
    return found


def run(originals, n_files, seed, folder, show=lambda *_: None):
    """Forge files of models and judge them.

    Parameters
    ----------
    originals : dict of (bytes, estimator)
        Valid files by name.
    n_files : int
    seed : int
        File ``i`` depends on it and on ``i`` alone.
    folder : Path
        Where to write files.
    show : callable (number, name, ways, violation)
        Called for each violation.

    Returns
    -------
    Counter of (violation, ways)
        How often each was seen.
    """
    counts = collections.Counter()
    for number in range(n_files):
        name, ways, data = forged(originals, number, seed)
        is_readable = not {"bytes", "header", "frame"} & {*ways}
        for violation in judge(folder / "forged", data, originals[name][1], is_readable):
            counts[violation, ways[0]] += 1
            show(number, name, ways, violation)
    return counts


def forged(originals, number, seed):
    """Name of the model, ways and bytes of one forged file."""
    draw = random.Random(f"{seed} {number}")
    name = draw.choice(list(originals))
    data, ways = forge(draw, originals[name][0])
    return name, ways, data


# Of all models, in several processes ---------------------------------------------------------


def write_valid(folder):
    """Write a file of each model of `models`; this trains some."""
    for name, model in (models.without_training() | models.trained()).items():
        (folder / name).write_bytes(models.to_bytes(model))


def valid(files):
    """{name: bytes} -> {name: (bytes, what they are loaded as)}, as `run` takes them."""
    return {name: (data, load(io.BytesIO(data))) for name, data in files.items()}


def run_in(folder, n_files, seed):
    """`run` with the files of a folder."""
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

    def show(*what):
        print(*what, flush=True)

    with tempfile.TemporaryDirectory() as place:
        return run(valid(files), n_files, seed, Path(place), show)
