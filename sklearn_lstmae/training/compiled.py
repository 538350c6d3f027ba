"""What is compiled in this process, shared by all estimators.

A compiled function takes weights and numbers as arguments, so that a second fit of a known job, in
another fold, candidate or thread, compiles nothing. Nothing is ever forgotten: TensorFlow frees
almost none of the memory of a compiled function that is dropped.
"""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from sklearn_lstmae.network._tensorflow import check_process

from .steps import Objective, Recipe, TrainingSteps


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
