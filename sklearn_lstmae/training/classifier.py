"""Classifiers: an encoder and a linear head with a softmax, trained.

Letters: N sequences, C columns that the head reads, G classes.
"""

from dataclasses import replace as copy_with
from functools import partial

import numpy as np

from sklearn_lstmae.inference.blocks import FittedClassifier, FittedNetwork
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.sequences.batch import Sequences
from sklearn_lstmae.sequences.frames import FrameReader
from sklearn_lstmae.sequences.scaling import Scaling
from sklearn_lstmae.training.classifying import Head
from sklearn_lstmae.training.loop import Run, follow
from sklearn_lstmae.training.plan import TrainingPlan
from sklearn_lstmae.training.program import get_program
from sklearn_lstmae.training.state import TrainedNetwork, TrainingState


def train_classifier(
    architecture: Architecture,
    plan: TrainingPlan,
    encoder,
    start_head,
    reader: FrameReader,
    validation: FrameReader | None = None,
    *,
    fine_tune,
    report=None,
):
    """Train a head on an encoder, and the encoder too.

    Parameters
    ----------
    architecture : Architecture
        Without decoders.
    plan : TrainingPlan
        Its ``shares`` are what errors on each class count for.
    encoder : list of float32 arrays
        Weights to start from; they are not changed.
    start_head : callable (columns) -> (kernel, bias)
        What the head starts from, (C, G) and (G,), for columns (N, C) of mean 0 and deviation 1,
        which ``reader`` has the classes of.
    reader, validation : FrameReader
        Rows to learn from, and rows to stop early by, with their classes.
    fine_tune : bool
        Whether the encoder learns, too.
    report : callable (epoch, losses, weights) -> bool, optional
        As `training.train` takes it.

    Returns
    -------
    TrainedNetwork
        Its weights are those of the encoder, float32, kernel (C, G) and bias (G,), float64.

    Raises
    ------
    ValueError
        When the loss or the weights stop being finite.
    """
    codes = FittedNetwork(architecture, encoder).encode(reader)
    center, scale = mean_and_deviation(codes)
    head = Head(codes.shape[1], len(plan.shares), fine_tune)
    weights = [array.astype(np.float32) for array in start_head((codes - center) / scale)]
    data = as_sequences(codes, reader.classes)
    if fine_tune:
        weights, data = [*encoder, *weights], reader

    def whole(weights):
        *tuned, kernel, bias = weights
        return [*(tuned or encoder), *unscale(kernel, bias, center, scale)]

    def measure(rows, weights):
        loss, accuracy = FittedClassifier(architecture, whole(weights)).judge(rows, plan.shares)
        return {"val_loss": loss, "val_accuracy": accuracy}

    def report_whole(epoch, losses, weights):
        return report(epoch, losses, whole(weights))

    trained = follow(
        Run(get_program(architecture), plan, data, head, (center, scale)),
        TrainedNetwork(TrainingState(weights)),
        None if validation is None else partial(measure, validation),
        None if report is None else report_whole,
    )
    return copy_with(trained, weights=whole(trained.weights))


def mean_and_deviation(columns):
    """Of each of (N, C): two float32 arrays (C,). A deviation of no more than rounding is 1."""
    mean, deviation = columns.mean(0, dtype=np.float64), columns.std(0, dtype=np.float64)
    rounding = 10 * np.finfo(np.float32).eps * np.abs(mean)
    deviation = np.where(deviation > rounding, deviation, 1.0)
    return mean.astype(np.float32), deviation.astype(np.float32)


def unscale(kernel, bias, center, scale):
    """Kernel (C, G) and bias (G,) of scaled columns -> those of columns as they are, float64."""
    kernel = kernel.astype(np.float64) / scale[:, np.newaxis]
    return kernel, bias - center.astype(np.float64) @ kernel


def as_sequences(codes, classes):
    """Reader of codes (N, C) as sequences of one frame."""
    n_sequences, n_columns = codes.shape
    sequences = Sequences(codes[:, np.newaxis], np.ones(n_sequences, np.int64), "3d")
    scaling = Scaling(None, np.zeros(n_columns), np.ones(n_columns))
    return FrameReader(sequences, scaling, patch_size=1, classes=classes)
