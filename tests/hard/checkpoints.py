"""Forged checkpoints: a fit that resumes ends as if it was never stopped, with a model that a fit
could have left, or raises a ValueError with the file; an intact checkpoint before a forged one is
gone on with.
"""

import collections
import random
import shutil
import time
import warnings

from hard.files import GIVE_UP, GivenUp, alarm, of_message, same
from hard.forging import (
    change_array,
    change_frame,
    change_value,
    damage_file,
    damage_header,
    forge,
)
from hard.models import CUBE, SMALL
from hard.oracle import complaints
from sklearn_lstmae import LSTMAutoencoderTransformer

SECONDS = 2  # besides what the epochs that are left take


def contradict(random, draft):
    """Let the numbers of epochs, steps and losses say something else than each other."""
    name, values = random.choice(list(CONTRADICTIONS.items()))
    if name.startswith("history."):
        draft.content["history"][name.partition(".")[2]] = random.choice(values)
    else:
        draft.content[name] = random.choice(values)


CONTRADICTIONS = {
    "n_epochs": [0, 1, 2, 3, 5, -1, 2**40, "x", None, 1.5, True],
    "n_steps": [0, 1, 2**40, 2**63, -1, "x", None, 2.5],
    "best_epoch": [0, 1, 2, 3, 9, -1, "x", None],
    "history": [{}, [], None, {"loss": []}, {"loss": "ab"}, {"loss": [1, 2]}, {"zz": [1.0, 2.0]}],
    "history.loss": [[], [1.0], ["x", "y"], [1.0] * 9, [float("nan")] * 2, None],
    "history.zz": [[1.0, 2.0], [], 3],
    "job": [{}, [], None],
}


def rename_array(random, draft):
    """Another order or other names of arrays: "weights 0" and so on."""
    name = random.choice(list(draft.arrays))
    item = draft.arrays.pop(name)
    kind, _, number = name.partition(" ")
    other = random.choice(["weights", "optimizer", "best", "summary", "zz", ""])
    draft.arrays[random.choice([f"{other} {number}", f"{kind} 99", kind, "", " ", name])] = item


WAYS = {
    "value": (change_value, 20),
    "array": (change_array, 20),
    "contradiction": (contradict, 20),
    "names of arrays": (rename_array, 6),
    "frame": (change_frame, 2),
    "bytes": (damage_file, 4),
    "header": (damage_header, 4),
}

# Parameters of the fits, which stop after the second of three epochs.
FITS = {
    "plain": {},
    "early stopping": {"early_stopping": True, "patience": 5},
    "summary": {"summary_weight": 0.5},
}


class Stopped(BaseException):
    """Ends a fit as a kill would."""


def make(fit, folder, **parameters):
    small = SMALL | {"epochs": 3, "checkpoint_dir": folder} | FITS[fit]
    return LSTMAutoencoderTransformer(**small | parameters)


def prepare(folder, fits):
    """Stop fits after two epochs: {name: (model that was never stopped, its checkpoints)}."""
    import sklearn_lstmae.fitting.checkpoints as module

    prepared = {}
    for fit in fits:
        home, left, write = folder / fit, [2], module.Checkpoints.write

        def stopping(self, *arguments, left=left, write=write):
            write(self, *arguments)
            left[0] -= 1
            if not left[0]:
                raise Stopped

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few epochs
            whole = make(fit, None).fit(CUBE)
            module.Checkpoints.write = stopping
            try:
                make(fit, home).fit(CUBE)
            except Stopped:
                pass
            finally:
                module.Checkpoints.write = write
        files = {path.name: path.read_bytes() for path in sorted(home.glob("*.lstmae"))}
        prepared[fit] = whole, files
    return prepared


def judge(folder, fit, whole, files, forged, is_readable):
    """Violations of a fit that resumes from these files, of which ``forged`` is one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    model, error, found = make(fit, folder, resume=True), None, []
    began = time.process_time()
    try:
        with alarm(GIVE_UP), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(CUBE)
    except (Exception, GivenUp) as caught:  # of any type: that is what is looked for
        error = caught
    if time.process_time() - began > SECONDS or isinstance(error, GivenUp):
        found.append("slow")
    if error is None:
        model.set_params(resume=False, checkpoint_dir=None)
        if not same(model, whole):
            # Other finite numbers with right checksums are what another fit could have left.
            found += [f"accepted: {reason}" for reason in complaints(model)]
    elif not isinstance(error, (ValueError, GivenUp)) or isinstance(error, UnicodeError):
        found.append(f"raised {type(error).__name__}")
    elif isinstance(error, ValueError) and "Training stopped being finite" not in str(error):
        # That is of large, finite weights, which a fit could have; to name a parameter is enough.
        is_of_another_fit = "is of a fit whose" in str(error)
        found += of_message(str(error), folder / forged, is_readable and not is_of_another_fit)
        if len(files) > 1 and not is_of_another_fit:
            found.append("an intact checkpoint before the forged one that is not used")
    return found


def run(n_files, seed, folder, show=lambda *_: None, fits=tuple(FITS)):
    """Forge the last checkpoint of stopped fits, alone and with the one before, and go on.

    Parameters and result are those of `files.run`.
    """
    counts = collections.Counter()
    prepared = prepare(folder, fits)
    for number in range(n_files):
        draw = random.Random(f"{seed} {number}")
        fit = draw.choice(fits)
        whole, files = prepared[fit]
        *_, last = files
        data, ways = forge(draw, files[last], WAYS)
        chosen = {**files, last: data} if draw.random() < 0.5 else {last: data}
        is_readable = not {"bytes", "header", "frame"} & {*ways}
        for violation in judge(folder / "now", fit, whole, chosen, last, is_readable):
            counts[violation, ways[0]] += 1
            show(number, fit, ways, violation)
    return counts
