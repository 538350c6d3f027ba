"""From validated sequences to the fitted attributes of a transformer.

A training begins from fresh weights, from the fitted ones (a warm start) or from a checkpoint;
after that there is one way for all of them.
"""

from dataclasses import replace as copy_with
from functools import partial, reduce

import numpy as np

from sklearn_lstmae.fitting.checkpoints import check_progress, describe, merge_jobs
from sklearn_lstmae.fitting.model import FittedModel, fitted_model
from sklearn_lstmae.fitting.parameters import check_size, complete, configure, make_plan
from sklearn_lstmae.fitting.seeds import draw_seed, hold_out
from sklearn_lstmae.fitting.sharing import check_shards, count_rows, draw_sample
from sklearn_lstmae.inference.blocks import on_one_thread
from sklearn_lstmae.inference.coder import Coder, means_of
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.sequences.scaling import Moments, least_deviation, observe, scaling_of
from sklearn_lstmae.sequences.summaries import ROWS, Summary, learn_summary
from sklearn_lstmae.training.shards import current_shards
from sklearn_lstmae.training.state import TrainingProgress, TrainingState

# Field of an Architecture -> the parameter that decides it, where the names differ.
PARAMETERS = {"decoders": "objective", "tells_missing": "missing", "variational": "kl_weight"}

# Settings that a model in use depends on, besides its architecture.
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
    from sklearn_lstmae.training.loop import fresh_state, train
    from sklearn_lstmae.training.objectives.autoencoder import Autoencoding

    shards = current_shards()
    known = _describe_model(estimator, sequences, shards, goes_on, one_pass)
    model = FittedModel.of(known)
    architecture = model.architecture
    check_size(architecture)
    reader = model.reader(sequences, architecture.decoders, as_trained=True)
    n_weights = len(network_of(architecture).shapes)  # others only serve training
    seed, start, keep = _begin(estimator, sequences, shards, goes_on, checkpoints, architecture)
    learning, validation = hold_out(estimator, reader, seed, shards)
    n_learning = count_rows(learning, shards)
    summary = _summary(estimator, start, learning, shards, seed)
    if summary is not None:
        learning = copy_with(learning, summaries=summary.apply(learning, on_one_thread))
    plan = make_plan(estimator, seed, one_pass, n_learning, summary is not None)
    objective = Autoencoding(architecture, model.loss, summary.n_components if summary else 0)
    fresh = fresh_state(objective, seed)
    if summary is not None:
        # The weights of absent components have no gradient, so that they stay zero.
        fresh.weights[-2][:, summary.is_absent] = 0.0
    start = start or TrainingProgress(fresh)
    progress = train(
        objective,
        plan,
        learning,
        copy_with(start, state=_adapt(start.state, fresh, n_weights, summary)),
        shards=shards,
        measure=None if validation is None else partial(_measure, model, plan, validation, shards),
        report=shards.decider(
            report.listener(lambda weights: {**known, "weights_": weights[:n_weights]})
        ),
        keep=shards.decider(keep),
    )
    weights = progress.weights[:n_weights]
    loss, baseline_loss = _losses(model, plan, learning, shards, weights)
    return {
        **known,
        **_results(estimator, progress, seed, goes_on, one_pass, n_weights),
        "weights_": weights,
        "loss_": loss,
        "baseline_loss_": baseline_loss,
    }


def _describe_model(estimator, sequences, shards, goes_on, one_pass):
    """Fitted attributes that need no training."""
    n_timesteps = check_shards(estimator, sequences, shards)
    configuration = configure(estimator, sequences, n_timesteps)
    each = shards.everywhere([observe(part) for part in shards.cut(sequences)])
    moments = reduce(Moments.merge, each)
    if goes_on:
        configuration = _carry_configuration(estimator, configuration, one_pass)
    if goes_on and one_pass:
        moments = _earlier_moments(estimator).merge(moments)
        n_timesteps = max(n_timesteps, estimator.n_timesteps_)
    scaling = scaling_of(estimator.scaling, moments)
    return {
        "configuration_": {**configuration, "resolution": float(moments.resolution)},
        "mean_": scaling.mean,
        "scale_": scaling.scale,
        "var_": moments.variance,
        "n_observed_": moments.count,
        "n_timesteps_": n_timesteps,
    }


def _summary(estimator, start, learning, shards, seed):
    """The summary that is a target: the one with which training began, or one of its own."""
    if not estimator.summary_weight:
        return None
    known = None if start is None else start.state.summary
    # On one thread, since another thread may limit those of products: bits must not depend on it.
    return known or learn_summary(draw_sample(learning, shards, ROWS, seed), seed, on_one_thread)


def _adapt(state, fresh, n_weights, summary):
    """A state with the weights of this objective, those of a new head as in a fresh state.

    With another head the optimizer starts from scratch.
    """
    if [weight.shape for weight in state.weights] == [weight.shape for weight in fresh.weights]:
        return copy_with(state, summary=summary)
    weights = [*state.weights[:n_weights], *fresh.weights[n_weights:]]
    return copy_with(state, weights=weights, optimizer=None, summary=summary)


def _losses(model, plan, reader, shards, weights):
    """Weighted loss of weights at inference, and that of predicting the mean: two floats.

    It is that of the decoders, so that it can be compared whatever else was a target.
    """
    coder = Coder(model.architecture, weights)
    sums = [
        coder.summed_losses(part, model.loss, model.scaling.center) for part in shards.parts(reader)
    ]
    each = means_of(np.sum(shards.everywhere(sums), axis=0))  # (2, tasks)
    return [float(np.dot(plan.term_weights[: len(loss)], loss)) for loss in each]


def _measure(model, plan, validation, shards, weights):
    weights = weights[: len(network_of(model.architecture).shapes)]
    return {"val_loss": _losses(model, plan, validation, shards, weights)[0]}


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
            "continues with the weights for these. Set warm_start=False to start from scratch."
        )
    for name, value in fitted["architecture"].items():
        if architecture[name] != value:
            _raise_changed(estimator, PARAMETERS.get(name, name), name, value)
    if not one_pass:
        return {**configuration, "architecture": architecture}
    for name in SETTINGS:
        if configuration[name] != fitted[name]:
            _raise_changed(estimator, name, name, fitted[name])
    return {**fitted, "append_states": configuration["append_states"]}


def refuse_another_order(estimator, names):
    """Raise where fitted weights would go on with the features of ``names`` in another order."""
    now = vars(estimator).get("feature_names_in_")
    if names is None or now is None or list(now) == list(names) or {*now} != {*names}:
        return
    raise ValueError(
        f"The features of X are {now.tolist()}, those of the fitted model {names.tolist()}: "
        "warm_start=True continues with weights that belong to each of them, so they must be in "
        "the same order. Reorder the columns of X, or set warm_start=False."
    )


def _raise_changed(estimator, parameter, name, fitted):
    raise ValueError(
        f"{parameter}={getattr(estimator, parameter)!r} does not match the fitted model, whose "
        f"{name} is {fitted!r}: to continue from this model, set {parameter} as it was. To start "
        "from scratch, use fit with warm_start=False."
    )


def _earlier_moments(estimator):
    if "n_observed_" not in vars(estimator):
        raise ValueError(
            "This model was fitted by an earlier version, which did not count observed values, so "
            "its scaling cannot be updated. Use fit, with warm_start=True to keep its weights."
        )
    least = least_deviation(fitted_model(estimator).scaling)
    resolution = complete(estimator.configuration_)["resolution"]
    return Moments(estimator.n_observed_, estimator.mean_, estimator.var_, least, resolution)


def _begin(estimator, sequences, shards, goes_on, checkpoints, architecture):
    """Seed of a training, what it begins from, and what keeps its progress after each epoch."""
    state, seed = None, None
    if goes_on:
        state = TrainingState(estimator.weights_)
        kept = vars(estimator).get("optimizer_state_")
        if kept is not None:
            is_same = kept["optimizer"] == estimator.optimizer
            variables = kept["variables"] if is_same else None
            weights, summary = estimator.weights_, kept.get("summary")
            if summary is not None:
                weights, summary = [*weights, *kept["head"]], Summary(**summary)
            state = TrainingState(weights, variables, kept["n_epochs"], kept["n_steps"], summary)
            seed = kept["seed"]
    any_seed = seed is None and estimator.random_state is None
    if seed is None:
        seed = shards.decide(draw_seed(estimator.random_state))
    start = None if state is None else TrainingProgress(state)
    if not shards.decide(checkpoints is not None):
        return seed, start, None
    jobs = shards.gather(describe(estimator, sequences, state, seed))
    job, found = merge_jobs(jobs), None
    if checkpoints is not None and estimator.resume:
        check = partial(
            check_progress,
            architecture=architecture,
            estimator=estimator,
            n_sequences=sum(each["number of sequences"] for each in jobs),
            start=state,
        )
        found, job = checkpoints.resume(job, any_seed, check)
    seed, found = shards.decide((job["seed"], found))
    return seed, found or start, partial(checkpoints.write, job) if checkpoints else None


# What came out ---------------------------------------------------------------------------


def _results(estimator, progress, seed, goes_on, one_pass, n_weights):
    """Attributes that grow while a training goes on."""
    history, n_before = progress.history, 0
    if goes_on:
        history, n_before = _join(estimator.history_, history), estimator.n_epochs_
    kept = None
    if one_pass or estimator.warm_start:
        state = progress.state
        kept = {
            "optimizer": str(estimator.optimizer),
            "variables": [np.array(variable) for variable in state.optimizer],
            "n_epochs": state.n_epochs,
            "n_steps": state.n_steps,
            "seed": seed,
            "head": progress.weights[n_weights:],
            "summary": None if state.summary is None else dict(vars(state.summary)),
        }
    return {
        "optimizer_state_": kept,
        "history_": history,
        "n_epochs_": n_before + progress.n_epochs,
        "best_epoch_": n_before + progress.best_epoch,
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
