"""From a pre-trained encoder and labeled sequences to the fitted attributes of a classifier.

Letters: N sequences, C columns that the head reads, G classes.
"""

from functools import partial

import numpy as np

from sklearn_lstmae.fitting.labels import entropy, regress
from sklearn_lstmae.inference.coder import ClassScores, Coder
from sklearn_lstmae.sequences.batch import Sequences
from sklearn_lstmae.sequences.frames import FrameReader
from sklearn_lstmae.sequences.scaling import Scaling, mean_and_deviation
from sklearn_lstmae.training.plan import TrainingPlan
from sklearn_lstmae.training.state import TrainingProgress, TrainingState


def learn_classes(model, plan: TrainingPlan, learning, validation=None, *, report, fine_tune):
    """Train a head on an encoder, and the encoder too.

    Parameters
    ----------
    model : FittedModel
        Its encoder is where training starts.
    plan : TrainingPlan
        Its term weights are those of errors on each class and, last, 0.
    learning, validation : FrameReader
        Sequences to learn from, and sequences to stop early by, with their classes.
    report : FitReport
    fine_tune : bool
        Whether the encoder learns, too.

    Returns
    -------
    attributes : dict

    Raises
    ------
    ValueError
        When the loss or the weights stop being finite.
    """
    from sklearn_lstmae.training.loop import train
    from sklearn_lstmae.training.objectives.classifier import Classifying

    architecture, encoder = model.architecture.encoder, model.encoder_weights
    shares = np.array(plan.term_weights[:-1])
    codes = Coder(architecture, encoder).encode(learning, model.append_states)
    center, scale = (each.astype(np.float32) for each in mean_and_deviation(codes))
    head = regress(learning.classes, shares, (codes - center) / scale)
    weights = [array.astype(np.float32) for array in head]
    reader = as_sequences(codes, learning.classes)
    if fine_tune:
        weights, reader = [*encoder, *weights], learning

    def whole(weights):
        *tuned, kernel, bias = weights
        return [*(tuned or encoder), *unscale(kernel, bias, center, scale)]

    def measure(rows, weights):
        scores = ClassScores(architecture, whole(weights), model.append_states)
        loss, accuracy = scores.judge(rows, shares)
        return {"val_loss": loss, "val_accuracy": accuracy}

    progress = train(
        Classifying(architecture, model.n_statistics, len(shares), model.append_states, fine_tune),
        plan,
        reader,
        TrainingProgress(TrainingState(weights)),
        constants=(center, scale),
        measure=None if validation is None else partial(measure, validation),
        report=report.listener(lambda weights: {"weights_": whole(weights)}),
    )
    weights = whole(progress.weights)
    scores = ClassScores(architecture, weights, model.append_states)
    return {
        "weights_": weights,
        "history_": progress.history,
        "n_epochs_": progress.n_epochs,
        "best_epoch_": progress.best_epoch,
        "loss_": scores.judge(learning, shares)[0],
        "baseline_loss_": entropy(shares, learning.classes),
    }


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
