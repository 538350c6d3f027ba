"""Tasks of a decoder: which steps of a sequence it outputs, and what other formats call it.

Letters: N sequences, T steps, H steps of a horizon.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Task:
    """One kind of decoder.

    Attributes
    ----------
    name : str
        As in the parameter ``task`` and in ``history_``.
    follows : bool
        Whether the target follows what the encoder reads, else it is the same steps.
    keras_name, onnx_name : str
        Name of the decoder as a Keras model and of its output in an ONNX file.
    """

    name: str
    follows: bool
    keras_name: str
    onnx_name: str

    def span(self, lengths: np.ndarray, horizon: int | None) -> tuple[np.ndarray, np.ndarray]:
        """First step, from 0, and number of steps of the target: (N,) -> (N,), (N,)."""
        past = past_lengths(lengths, horizon)
        if not self.follows:
            return np.zeros_like(lengths), past
        start = np.ones_like(lengths) if horizon is None else past
        return start, lengths - start

    def width(self, past_width: int, horizon: int | None) -> int:
        """Longest target for inputs of at most ``past_width`` steps."""
        if not self.follows:
            return past_width
        return past_width - 1 if horizon is None else horizon


TASKS = {
    "reconstruct": Task("reconstruct", False, "decoder", "reconstruction"),
    "predict": Task("predict", True, "predictor", "prediction"),
}

# objective -> tasks of its decoders
OBJECTIVES = {
    "reconstruct": ("reconstruct",),
    "predict": ("predict",),
    "composite": ("reconstruct", "predict"),
}


def past_lengths(lengths: np.ndarray, horizon: int | None) -> np.ndarray:
    """Steps that the encoder reads in training: all but the last H, (N,) -> (N,)."""
    return lengths if horizon is None else lengths - horizon
