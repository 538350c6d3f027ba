"""From validated sequences to fitted attributes: what `fit` and `partial_fit` have in common.

A training begins from fresh weights, from the fitted ones (a warm start) or from a checkpoint;
after that there is one way for all of them.
"""

from functools import partial

import numpy as np

from sklearn_lstmae.fitting.checkpoints import describe
from sklearn_lstmae.fitting.parameters import configure, draw_seed, make_plan, split
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.sequences.frames import FrameReader, Horizon
from sklearn_lstmae.sequences.scaling import Moments, observe, scaling_of
from sklearn_lstmae.sequences.validation import check_horizon
from sklearn_lstmae.training.state import TrainedNetwork, TrainingState

# What an Architecture calls otherwise than the parameter that decides it.
PARAMETERS = {"decoders": "objective", "tells_missing": "missing", "variational": "kl_weight"}

# Beside its architecture, what a model in use depends on.
SETTINGS = ("horizon", "loss", "missing", "scaling")


def learn(estimator, sequences, report, *, goes_on=False, one_pass=False, checkpoints=None):
    """Fitted attributes that training makes.

    Parameters
    ----------
    estimator : LSTMAutoencoderTransformer
    sequences : Sequences
    report : FitReport
    goes_on : bool, default=False
        From the fitted weights of the estimator.
    one_pass : bool, default=False
        As `partial_fit`, else as `fit`.
    checkpoints : Checkpoints or None, default=None
        To write and, with the parameter ``resume``, to go on from.

    Returns
    -------
    attributes : dict
    """
    from sklearn_lstmae.inference.blocks import FittedNetwork
    from sklearn_lstmae.training.loop import train

    configuration = configure(estimator, sequences)
    moments = observe(estimator.scaling, sequences)
    n_timesteps = sequences.n_timesteps
    if goes_on:
        configuration = _carry_configuration(estimator, configuration, one_pass)
    if goes_on and one_pass:
        moments = _earlier_moments(estimator).merge(moments)
        n_timesteps = max(n_timesteps, estimator.n_timesteps_)
    scaling = scaling_of(estimator.scaling, moments)
    known = {
        "configuration_": configuration,
        "mean_": scaling.mean,
        "scale_": scaling.scale,
        "var_": moments.variance,
        "n_observed_": moments.count,
        "n_timesteps_": n_timesteps,
    }
    architecture = Architecture.from_dict(configuration["architecture"])
    horizon = None
    if "predict" in architecture.decoders:
        horizon = Horizon(configuration["horizon"])
        check_horizon(sequences, horizon)
    learning = FrameReader(sequences, scaling, architecture.patch_size, horizon)
    seed, start, keep = _begin(estimator, sequences, goes_on, checkpoints)
    validation = None
    if estimator.early_stopping:
        learning, validation = split(learning, estimator.validation_fraction, seed)
    plan = make_plan(estimator, seed, one_pass, len(learning))
    listener = report.listener(lambda weights: {**known, "weights_": weights})
    trained = train(architecture, plan, learning, validation, listener, start=start, keep=keep)
    network = FittedNetwork(architecture, trained.weights)
    losses = network.mean_losses(learning, architecture.decoders, plan.loss, scaling.center)
    loss, baseline_loss = (float(np.dot(plan.shares, each)) for each in losses)
    progress = _progress(estimator, trained, seed, goes_on, one_pass)
    return {**known, **progress, "loss_": loss, "baseline_loss_": baseline_loss}


# From the fitted weights -----------------------------------------------------------------


def _carry_configuration(estimator, configuration, one_pass):
    """The configuration with which fitted weights go on; raise if they cannot."""
    fitted, architecture = estimator.configuration_, dict(configuration["architecture"])
    if estimator.patch_size == "auto":
        architecture["patch_size"] = fitted["architecture"]["patch_size"]
    if architecture["n_features"] != fitted["architecture"]["n_features"]:
        raise ValueError(
            f"X has {architecture['n_features']} features, but {type(estimator).__name__} is "
            f"expecting {fitted['architecture']['n_features']} features as input: warm_start=True "
            "goes on from weights that read these. Set warm_start=False to begin anew."
        )
    for name, value in fitted["architecture"].items():
        if architecture[name] != value:
            _raise_changed(estimator, PARAMETERS.get(name, name), name, value)
    if not one_pass:
        return {**configuration, "architecture": architecture}
    for name in SETTINGS:
        if configuration[name] != fitted[name]:
            _raise_changed(estimator, name, name, fitted[name])
    return fitted


def _raise_changed(estimator, parameter, name, fitted):
    raise ValueError(
        f"{parameter}={getattr(estimator, parameter)!r} asks for another model than the fitted "
        f"one, whose {name} is {fitted!r}: to go on from it, set {parameter} as it was. To begin "
        "anew, use fit with warm_start=False."
    )


def _earlier_moments(estimator):
    if "n_observed_" not in vars(estimator):
        raise ValueError(
            "This model was fitted by an earlier version, which did not count observed values, so "
            "that its scaling cannot be carried on. Use fit, with warm_start=True to keep its "
            "weights."
        )
    return Moments(estimator.n_observed_, estimator.mean_, estimator.var_)


def _begin(estimator, sequences, goes_on, checkpoints):
    """Seed of a training, what it begins from, and who is given what it made after each epoch."""
    state, seed = None, None
    if goes_on:
        state = TrainingState(estimator.weights_)
        kept = vars(estimator).get("optimizer_state_")
        if kept is not None:
            is_same = kept["optimizer"] == estimator.optimizer
            variables = kept["variables"] if is_same else None
            state = TrainingState(estimator.weights_, variables, kept["n_epochs"], kept["n_steps"])
            seed = kept["seed"]
    any_seed = seed is None and estimator.random_state is None
    if seed is None:
        seed = draw_seed(estimator.random_state)
    start = None if state is None else TrainedNetwork(state)
    if checkpoints is None:
        return seed, start, None
    job, found = describe(estimator, sequences, state, seed), None
    if estimator.resume:
        found, job = checkpoints.resume(job, any_seed)
    return job["seed"], found or start, partial(checkpoints.write, job)


# What came out ---------------------------------------------------------------------------


def _progress(estimator, trained, seed, goes_on, one_pass):
    """Attributes that grow while a training goes on."""
    history, n_before = trained.history, 0
    if goes_on:
        history, n_before = _join(estimator.history_, history), estimator.n_epochs_
    kept = None
    if one_pass or estimator.warm_start:
        state = trained.state
        kept = {
            "optimizer": estimator.optimizer,
            "variables": [np.array(variable) for variable in state.optimizer],
            "n_epochs": state.n_epochs,
            "n_steps": state.n_steps,
            "seed": seed,
        }
    return {
        "weights_": trained.weights,
        "optimizer_state_": kept,
        "history_": history,
        "n_epochs_": n_before + trained.n_epochs,
        "best_epoch_": n_before + trained.best_epoch,
    }


def _join(earlier, later):
    """One history after the other, NaN where one of them has no such loss."""
    return {
        name: [
            *earlier.get(name, [np.nan] * len(earlier["loss"])),
            *later.get(name, [np.nan] * len(later["loss"])),
        ]
        for name in {**earlier, **later}
    }
