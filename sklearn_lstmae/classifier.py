"""LSTMAutoencoderClassifier: classes of sequences, learned from few labels."""

from copy import copy
from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.extmath import softmax
from sklearn.utils.validation import check_is_fitted

from sklearn_lstmae._sklearn import (
    Interval,
    StrOptions,
    fit_context,
    num_samples,
    positive,
    positive_int,
    take_rows,
    validate_parameters,
)
from sklearn_lstmae._versions import PickledWithVersionsMixin
from sklearn_lstmae.fitting.in_one_step import learning_aside, of_one_model, snapshot
from sklearn_lstmae.fitting.labels import check_classes, find_unlabeled, weigh_classes
from sklearn_lstmae.fitting.learn_classifier import learn_classes
from sklearn_lstmae.fitting.model import fitted_model
from sklearn_lstmae.fitting.outcome import CLASSES_OUTCOME, warn_of_outcome
from sklearn_lstmae.fitting.parameters import check_counts
from sklearn_lstmae.fitting.reports import CallbackSupportMixin, FitReport
from sklearn_lstmae.fitting.seeds import draw_seed, split_rows
from sklearn_lstmae.inference.coder import ClassScores
from sklearn_lstmae.sequences.batch import join
from sklearn_lstmae.sequences.validation import SequenceSpec, check_same_layout, check_sequences
from sklearn_lstmae.training.plan import TrainingPlan
from sklearn_lstmae.transformer import LSTMAutoencoderTransformer, OptionalAutoencoderMixin

# What scikit-learn knows of the columns of X.
COLUMNS = ("n_features_in_", "feature_names_in_")


class LSTMAutoencoderClassifier(
    PickledWithVersionsMixin,
    CallbackSupportMixin,
    OptionalAutoencoderMixin,
    ClassifierMixin,
    BaseEstimator,
):
    """Tell the classes of sequences, of which few need to have a label.

    An autoencoder first learns, without labels, from all sequences there are; then a linear layer
    with a softmax, the head, learns from the labeled ones to read classes from its codes, and the
    encoder learns with it. ``X`` is whatever the autoencoder takes: array of shape (N, T) or
    (N, T, F), DataFrame, or list of (T_i, F), with NaN if the autoencoder has ``missing="mask"``.

    Parameters
    ----------
    autoencoder : LSTMAutoencoderTransformer, FrozenEstimator or None, default=None
        A clone of it is pre-trained on the sequences of ``fit``. None is one with default
        parameters, which `set_params` and searches change as those of an explicit one:
        ``autoencoder__latent_dim=8``. A `sklearn.frozen.FrozenEstimator` around a fitted one is
        used as it is; it is never changed. Its ``optimizer``, ``clipnorm``, ``dropout`` and
        ``noise`` are those of the classifier's training, too.

    fine_tune : bool, default=True
        The encoder learns with the head. False: only the head does, from codes that stay as they
        are, without ``dropout`` and ``noise``.

    epochs : int, default=50
        Passes over the labeled sequences.

    learning_rate : float, default=3e-4
        Peak learning rate; the schedule is that of the autoencoder. It is smaller than that of the
        autoencoder, since larger steps lead away from what pre-training found, and few labels are
        soon learned by heart. Raise it where labels are many.

    batch_size : int, default=32
        Sequences of a minibatch.

    class_weight : dict, "balanced" or None, default=None
        What an error on each class counts for: {class: weight}, 1 for a class that is not named;
        "balanced" is in inverse proportion to how often a class occurs; None counts all errors
        alike. Only the proportions of weights matter.

    unlabeled : number, str, datetime64 or None, default=None
        The value of ``y`` that means "no label", such as -1 in `sklearn.semi_supervised`. Sequences
        with it are learned from as those of ``X_unlabeled`` are, by the autoencoder only, and it is
        none of ``classes_``. Unlike ``X_unlabeled`` it goes through cross-validation and searches.
        NaN stands for NaN, None, NaT and pandas' NA. With a FrozenEstimator such sequences are left
        out.

    early_stopping : bool, default=False
        Set part of the labeled sequences aside, the same part of each class, stop when the loss on
        them no longer falls, and keep the best weights. Pre-training sees them, without labels.

    validation_fraction : float, default=0.1
        The part that ``early_stopping`` sets aside.

    patience : int, default=10
        Epochs without a better validation loss after which ``early_stopping`` stops.

    random_state : int, RandomState instance or None, default=None
        Determines the order of sequences, dropout, noise and the validation part. When given, it
        is also set on the clone of ``autoencoder``; None leaves that one's own. Global random
        states are neither read nor changed.

    verbose : int, default=0
        Of the classifier's own training: 0 is silent, 1 shows one progress line, 2 prints a line
        an epoch. Pre-training has the autoencoder's ``verbose``.

    Attributes
    ----------
    classes_ : ndarray of shape (G,)
        The classes, sorted.

    autoencoder_ : LSTMAutoencoderTransformer
        The pre-trained autoencoder, as it was before the classifier's training: its weights are
        not fine-tuned. It has ``append_states=True``.

    weights_ : list of ndarray
        Weights of the encoder, fine-tuned or not, float32; then kernel (C, G) and bias (G,) of the
        head, float64, C being the columns that ``autoencoder_.transform`` returns.

    history_ : dict of lists of float
        Of each epoch "loss" (cross-entropy in nats, weighted by class) and "accuracy", as seen in
        training, and with ``early_stopping`` "val_loss" and "val_accuracy".

    n_epochs_ : int
        Epochs that were run.

    best_epoch_ : int
        Epoch, from 1, that ``weights_`` are of.

    loss_ : float
        Loss of the fitted model on the sequences it learned from, without dropout and noise.

    baseline_loss_ : float
        Loss of predicting for each sequence how often each class occurs.

    n_features_in_ : int
        T for X of shape (N, T), else F.

    feature_names_in_ : ndarray of str
        Names of the columns of the DataFrame(s) of ``fit``.

    Notes
    -----
    The head starts from a penalized logistic regression on the codes: otherwise the encoder would
    first be changed for the sake of a head that knows nothing (Kumar et al. 2022), and of few
    labels there are too few minibatches for a head to get that far.

    The head reads what ``transform`` of ``autoencoder_`` returns, the statistics of the encoder's
    outputs included (``append_states``), which raise its accuracy (benchmarks/README.md,
    "Quality"). All of a sequence is encoded, also with a ``horizon``; of a variational encoder the
    mean code is read; with ``scaling="sequence"`` the appended means and log-deviations are read,
    too. The columns are brought to mean 0 and deviation 1 for training, which ``weights_`` then
    have in them.

    The probabilities of a sequence do not depend, to the bit, on the other rows. Programs are
    compiled once in a process for each architecture, optimizer and number of classes, and for
    whether there is any dropout, noise or clipping.

    There is no ``sample_weight``: training by minibatches cannot make a weight of 2 equal a
    repeated sample, as scikit-learn demands.

    References
    ----------
    Dai, Le: "Semi-supervised Sequence Learning", NIPS 2015, pre-train the LSTM of a classifier as
    an autoencoder.

    Kumar, Raghunathan, Jones, Ma, Liang: "Fine-Tuning can Distort Pretrained Features and
    Underperform Out-of-Distribution", ICLR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_lstmae import LSTMAutoencoderClassifier, LSTMAutoencoderTransformer
    >>> slow, fast = (np.sin(f * np.arange(20) + np.arange(40)[:, np.newaxis]) for f in (0.3, 0.9))
    >>> X, y = np.concatenate([slow[:3], fast[:3]]), np.repeat(["slow", "fast"], 3)
    >>> autoencoder = LSTMAutoencoderTransformer(latent_dim=4, epochs=20)
    >>> classifier = LSTMAutoencoderClassifier(autoencoder, random_state=0)
    >>> classifier.fit(X, y, X_unlabeled=np.concatenate([slow[3:20], fast[3:20]]))
    LSTMAutoencoderClassifier(autoencoder=LSTMAutoencoderTransformer(epochs=20,
                                                                     latent_dim=4),
                              random_state=0)
    >>> classifier.predict(np.concatenate([slow[38:], fast[38:]]))
    array(['slow', 'slow', 'fast', 'fast'], dtype='<U4')
    """

    _parameter_constraints = {
        "autoencoder": [LSTMAutoencoderTransformer, FrozenEstimator, None],
        "fine_tune": ["boolean"],
        "epochs": [positive_int],
        "learning_rate": [positive],
        "batch_size": [positive_int],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "unlabeled": [Real, str, np.datetime64, None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "patience": [positive_int],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        autoencoder=None,
        *,
        fine_tune=True,
        epochs=50,
        learning_rate=3e-4,
        batch_size=32,
        class_weight=None,
        unlabeled=None,
        early_stopping=False,
        validation_fraction=0.1,
        patience=10,
        random_state=None,
        verbose=0,
    ):
        self.autoencoder = autoencoder
        self.fine_tune = fine_tune
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.class_weight = class_weight
        self.unlabeled = unlabeled
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, X_unlabeled=None):
        """Pre-train the autoencoder, then train the classifier.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        y : array-like of shape (N,)
            Their classes, at least two: numbers, strings or times; and the value ``unlabeled`` for
            sequences without a label. Without that parameter, missing labels are errors, and so is
            a -1 next to two classes or more of 0 and above.

        X_unlabeled : like X, default=None
            Further sequences for pre-training, in the layout of X. All are copied together with X,
            out of a memory map too. Not with a FrozenEstimator.

        Returns
        -------
        self : LSTMAutoencoderClassifier
            Fitted.

        Raises
        ------
        ValueError
            If X is not a set of sequences, y not classes of them, if the autoencoder cannot be
            fitted, if parameters contradict each other, or if loss or weights stop being finite.
            The state of an earlier fit is kept.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If the fit is no better than predicting how often each class occurs, or if early
            stopping never stopped; and those of the autoencoder's ``fit``.
        """
        check_counts(self, ("epochs", "batch_size", "patience"))
        with (
            learning_aside(self) as learner,
            FitReport(self, learner, self.epochs, X, y) as report,
        ):
            is_frozen = isinstance(self.autoencoder, FrozenEstimator)
            check = learner._take_frozen if is_frozen else learner._check
            labeled, unlabeled = check(X, X_unlabeled)
            learner.classes_, numbers = check_classes(learner, y, labeled)
            seed, parts = draw_seed(self.random_state), [np.flatnonzero(numbers >= 0)]
            if self.early_stopping:
                [rows] = parts
                split = split_rows(len(rows), self.validation_fraction, seed, numbers[rows])
                parts = [rows[part] for part in split]
            shares = weigh_classes(self.class_weight, learner.classes_, numbers[parts[0]])
            if not is_frozen:
                learner.autoencoder_ = learner._pretrain(X, labeled, unlabeled)
            model = fitted_model(learner.autoencoder_)
            reader = model.reader(labeled, classes=numbers)
            attributes = learn_classes(
                model,
                learner._make_plan(shares, seed),
                *(reader.subset(rows) for rows in parts),
                report=report,
                fine_tune=bool(self.fine_tune),
            )
            warn_of_outcome(self, attributes, attributes["n_epochs_"], CLASSES_OUTCOME)
            learner.__dict__.update(attributes)
            report.finish()
        return self

    def score(self, X, y, sample_weight=None):
        """Return the accuracy on sequences that have a label.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        y : array-like of shape (N,)
            Their classes. Sequences with the value ``unlabeled`` do not count; scorers of
            scikit-learn count them as errors.

        sample_weight : array-like of shape (N,), default=None
            What each sequence counts for.

        Returns
        -------
        accuracy : float
            Share of sequences that `predict` is right about.

        Raises
        ------
        ValueError
            If no sequence has a label.
        """
        if self.unlabeled is not None:
            rows = np.flatnonzero(~find_unlabeled(y, self.unlabeled))
            if not rows.size:
                raise ValueError(
                    f"None of {num_samples(y)} sequences has a label to score with: all of y is "
                    f"unlabeled={self.unlabeled!r}."
                )
            X, y = take_rows(X, rows), take_rows(y, rows)
            sample_weight = None if sample_weight is None else take_rows(sample_weight, rows)
        return super().score(X, y, sample_weight)

    @of_one_model
    def predict(self, X):
        """Tell the class of each sequence.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        Returns
        -------
        classes : ndarray of shape (N,)
            The most probable of ``classes_``.
        """
        scores = self._scores(X)
        return self.classes_[scores.argmax(axis=1)]

    @of_one_model
    def predict_proba(self, X):
        """Tell the probability of each class.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        Returns
        -------
        probabilities : ndarray of shape (N, G), float64
            In the order of ``classes_``; each row sums to 1.
        """
        return softmax(self._scores(X), copy=False)

    def __sklearn_tags__(self):
        """Input as the autoencoder takes it."""
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._autoencoder).input_tags
        return tags

    @property
    def _autoencoder(self):
        return LSTMAutoencoderTransformer() if self.autoencoder is None else self.autoencoder

    def _take_frozen(self, X, X_unlabeled):
        """Validate X for a pre-trained autoencoder, which becomes the fitted one."""
        if X_unlabeled is not None:
            raise ValueError(
                "X_unlabeled is for pre-training, which autoencoder=FrozenEstimator(...) excludes: "
                "leave X_unlabeled out, or pass the transformer itself as autoencoder."
            )
        model = self.autoencoder.estimator
        if not isinstance(model, LSTMAutoencoderTransformer):
            raise ValueError(
                "autoencoder is a FrozenEstimator of a "
                f"{type(model).__name__}: freeze a fitted LSTMAutoencoderTransformer."
            )
        check_is_fitted(model)
        model = snapshot(model)
        validate_parameters(model)
        # A copy, so that another fit of the original does not change this model.
        self.autoencoder_ = copy(model).set_params(append_states=True)
        self.autoencoder_.configuration_ = model.configuration_ | {"append_states": True}
        take_over_columns(self, model)
        fitted = fitted_model(model)
        return check_sequences(self, X, missing=fitted.missing, fitted=fitted.spec), None

    def _check(self, X, X_unlabeled):
        """Validate the sequences of fit."""
        autoencoder = self._autoencoder
        validate_parameters(autoencoder)
        missing = autoencoder.missing
        labeled = check_sequences(self, X, missing=missing)
        if X_unlabeled is None:
            return labeled, None
        spec = SequenceSpec(labeled.layout, labeled.n_features)
        name = "X_unlabeled"
        unlabeled = check_sequences(self, X_unlabeled, missing=missing, fitted=spec, name=name)
        check_same_layout(labeled, unlabeled, name)
        return labeled, unlabeled

    def _pretrain(self, X, labeled, unlabeled):
        """Fit a clone of the autoencoder on all sequences."""
        autoencoder = clone(self._autoencoder).set_params(append_states=True)
        if self.random_state is not None:
            autoencoder.set_params(random_state=self.random_state)
        if unlabeled is None:
            return autoencoder.fit(X)
        autoencoder.fit(join(labeled, unlabeled))
        take_over_columns(autoencoder, self)
        return autoencoder

    def _make_plan(self, shares, seed):
        autoencoder = self.autoencoder_
        return TrainingPlan(
            epochs=int(self.epochs),
            batch_size=int(self.batch_size),
            learning_rate=float(self.learning_rate),
            optimizer=autoencoder.optimizer,
            clipnorm=None if autoencoder.clipnorm is None else float(autoencoder.clipnorm),
            dropout=float(autoencoder.dropout),
            noise=float(autoencoder.noise),
            term_weights=(*shares.tolist(), 0.0),
            patience=int(self.patience) if self.early_stopping else None,
            seed=seed,
        )

    def _scores(self, X):
        """Logarithms of probabilities, up to a constant: (N, G)."""
        check_is_fitted(self)
        model = fitted_model(self.autoencoder_)
        reader = model.read(self, X)
        scores = ClassScores(model.architecture.encoder, self.weights_, model.append_states)
        return scores.scores(reader)


def take_over_columns(estimator, other):
    """Give an estimator what another one knows of the columns of X."""
    for name in COLUMNS:
        vars(estimator).pop(name, None)
    estimator.__dict__.update({name: vars(other)[name] for name in COLUMNS if name in vars(other)})
