"""What is compiled in this process, shared by all estimators.

A compiled function takes weights and numbers as arguments, so that a second fit of a known job, in
another fold, candidate or thread, compiles nothing. Nothing is ever forgotten: TensorFlow frees
almost none of the memory of a compiled function that is dropped.
"""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from sklearn_lstmae.network._tensorflow import check_process, tf

from .steps import Objective, Recipe, TrainingSteps

# Where everything is computed, whatever else TensorFlow sees. The loops have many small operations
# a step, which a GPU starts one by one, and its bits differ from those of a CPU.
DEVICE = "/CPU:0"


def on_device(function):
    """The function with all that TensorFlow traces, compiles and runs in it on `DEVICE`."""

    @wraps(function)
    def run(*args, **kwargs):
        with tf.device(DEVICE):
            return function(*args, **kwargs)

    return run


@dataclass
class _Slot:
    """A place for one compiled function, and the lock of the thread that makes it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    made: Any = None


_slots: dict[Hashable, _Slot] = {}
_slots_lock = threading.Lock()


def compile_once(key: Hashable, make: Callable[[], Any]):
    """What ``make`` returned when it was first called for this key, in any thread.

    Threads that ask for the same key wait for the first of them, others do not.

    Raises
    ------
    RuntimeError
        In a process that was forked after TensorFlow was started.
    """
    check_process()
    with _slots_lock:
        slot = _slots.setdefault(key, _Slot())
    with slot.lock:
        if slot.made is None:
            slot.made = make()
        return slot.made


def training_steps(objective: Objective, recipe: Recipe) -> TrainingSteps:
    """The compiled training step of an objective, made on first use."""
    return compile_once((objective, recipe), lambda: TrainingSteps(objective, recipe))
