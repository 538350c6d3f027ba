"""LSTMAutoencoderClassifier: classes of sequences, learned from few labels."""

from copy import copy
from numbers import Real
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_consistent_length, get_tags
from sklearn.utils.extmath import softmax
from sklearn.utils.validation import check_is_fitted

from sklearn_lstmae._sklearn import (
    Interval,
    StrOptions,
    fit_context,
    num_samples,
    positive,
    positive_int,
    validate_parameters,
)
from sklearn_lstmae._versions import PickledWithVersionsMixin
from sklearn_lstmae.fitting.in_one_step import learning_aside, of_one_model
from sklearn_lstmae.fitting.labels import check_classes, find_unlabeled, weigh_classes
from sklearn_lstmae.fitting.learn_classifier import learn_classes
from sklearn_lstmae.fitting.model import fitted_model, take_over_columns
from sklearn_lstmae.fitting.outcome import CLASSES_OUTCOME, warn_of_outcome
from sklearn_lstmae.fitting.parameters import check_counts
from sklearn_lstmae.fitting.reports import CallbackSupportMixin, FitReport
from sklearn_lstmae.fitting.seeds import draw_seed, split_rows
from sklearn_lstmae.inference.coder import ClassScores
from sklearn_lstmae.sequences.batch import join
from sklearn_lstmae.sequences.numbers import to_container
from sklearn_lstmae.sequences.stores import take_rows
from sklearn_lstmae.sequences.validation import SequenceSpec, check_same_layout, check_sequences
from sklearn_lstmae.training.plan import TrainingPlan
from sklearn_lstmae.transformer import (
    LSTMAutoencoderTransformer,
    OptionalAutoencoderMixin,
    transformer_within,
)


class LSTMAutoencoderClassifier(
    PickledWithVersionsMixin,
    CallbackSupportMixin,
    OptionalAutoencoderMixin,
    ClassifierMixin,
    BaseEstimator,
):
    """Classify sequences when only few of them have labels.

    An autoencoder is first trained on all sequences, without labels (Dai and Le 2015). Then the
    head, a linear layer with a softmax, is trained on the codes and states of the labeled
    sequences. The encoder is fine-tuned together with the head.

    ``X`` is what the autoencoder accepts: array of shape (N, T) or (N, T, F), DataFrame, or list of
    (T_i, F). NaN is allowed if the autoencoder has ``missing="mask"``.

    .. versionadded:: 0.1

    Parameters
    ----------
    autoencoder : LSTMAutoencoderTransformer, FrozenEstimator or None, default=None
        The autoencoder. `fit` pre-trains a clone of it on all sequences. If None, it has default
        parameters, which `set_params` and searches can change:
        ``autoencoder__latent_dim=8``. To use a fitted autoencoder without training it again, wrap
        it in `sklearn.frozen.FrozenEstimator`. It is never changed: fine-tuning works on a copy of
        its encoder. The classifier is trained with the ``optimizer``, ``clipnorm``, ``dropout`` and
        ``noise`` of the autoencoder.

    fine_tune : bool, default=True
        Whether the encoder is trained with the head. If False, only the head is trained, on fixed
        codes without ``dropout`` and ``noise``.

    epochs : int, default=50
        Number of passes over the labeled sequences.

    learning_rate : float, default=3e-4
        Peak learning rate. The schedule is that of the autoencoder. The default is smaller than
        that of the autoencoder: with few labels, a higher rate undoes the pre-training and leads to
        overfitting.

    batch_size : int, default=32
        Number of sequences per minibatch.

    class_weight : dict, "balanced" or None, default=None
        Weights associated with classes in the form ``{class: weight}``. A class that is not in the
        dict has weight 1. "balanced" weights classes in inverse proportion to their frequencies. If
        None, all classes have weight 1. Only the proportions of weights matter.

    unlabeled : number, str, datetime64 or None, default=None
        Value of ``y`` that means "no label", such as -1 in `sklearn.semi_supervised`. It is not one
        of ``classes_``. Sequences with this value are used for pre-training only, like the argument
        ``X_unlabeled`` of `fit`. With a FrozenEstimator they are not used. Unlike ``X_unlabeled``,
        this works in cross-validation and searches (with the default scorer).
        ``unlabeled=float("nan")`` matches every kind of missing label: NaN, None, NaT and
        pandas.NA. Cross-validation and searches then need a splitter such as
        `sklearn.model_selection.KFold` as ``cv``, because scikit-learn's default, which stratifies,
        refuses missing labels. If None, every sequence must have a label.

    early_stopping : bool, default=False
        Whether to set part of the labeled sequences aside, stratified by class, and to stop
        training when the loss on them no longer falls. The weights of the best epoch are kept.
        Pre-training uses all sequences.

    validation_fraction : float, default=0.1
        Share of the labeled sequences to set aside for early stopping, between 0 and 1. Only used
        if ``early_stopping`` is True.

    patience : int, default=10
        Number of epochs without a better validation loss after which training stops. Only used if
        ``early_stopping`` is True.

    random_state : int, RandomState instance or None, default=None
        Determines the order of sequences, dropout, noise and the validation part. Unless it is
        None, it is also set on the clone of ``autoencoder``. Pass an int for reproducible results
        across multiple calls of `fit`. Global random states are neither read nor changed.

    verbose : int, default=0
        Verbosity: 0 is silent, 1 shows one progress line, 2 prints one line per epoch. Pre-training
        uses the ``verbose`` of the autoencoder.

    Attributes
    ----------
    classes_ : ndarray of shape (G,)
        The class labels, sorted.

    autoencoder_ : LSTMAutoencoderTransformer
        The pre-trained autoencoder. Its weights are not fine-tuned. It has ``append_states=True``.

    weights_ : list of ndarray
        The weights of the encoder (float32, fine-tuned unless ``fine_tune`` is False), followed by
        the kernel of shape (C, G) and the bias of shape (G,) of the head (float64). C is the number
        of columns that ``autoencoder_.transform`` returns.

    history_ : dict of lists of float
        Loss and accuracy of each epoch on the training sequences: "loss" is the cross-entropy in
        nats, weighted by class, and "accuracy" the share of correct classes. With
        ``early_stopping`` also "val_loss" and "val_accuracy" on the validation part.

    n_epochs_ : int
        Number of epochs that were run.

    best_epoch_ : int
        Epoch, counted from 1, from which ``weights_`` are taken.

    loss_ : float
        Loss of the fitted model on its training sequences, without dropout and noise.

    baseline_loss_ : float
        Loss of predicting the frequencies of the classes for every sequence.

    n_features_in_ : int
        Number of features seen during `fit`: T for X of shape (N, T), otherwise F.

    feature_names_in_ : ndarray of str
        Names of features seen during `fit`. Defined only when X has feature names that are all
        strings.

    See Also
    --------
    LSTMAutoencoderTransformer : The autoencoder alone, for other classifiers on its codes.
    keras_models.classifier_fn : Keras classifiers that start from a fitted encoder.

    Notes
    -----
    *The head* starts from a penalized logistic regression on the columns that it reads. With random
    initial weights, the first minibatches would distort the encoder (Kumar et al. 2022), and with
    few labels there are too few minibatches to train the head.

    The head reads everything that ``autoencoder_.transform`` returns: the code, the means and
    log-deviations that ``scaling="sequence"`` appends, and the states (``append_states``). Linear
    classifiers are usually more accurate with these states (benchmarks/README.md, "Quality"). The
    columns are standardized for training, but ``weights_`` apply to columns that are not
    standardized.

    *The encoder* reads all steps of a sequence, even with a ``horizon``. If the autoencoder is
    variational (``kl_weight`` above 0), the classifier uses the mean of the code and draws no
    samples.

    *Reproducibility.* The probabilities of a sequence are identical, bit for bit, regardless of the
    other rows.

    *Compilation.* The classifier is compiled once per process for each architecture, optimizer and
    number of classes, and again if ``fine_tune``, dropout, noise or clipping is switched on or off.
    With XLA, it is also compiled for each batch size and number of frames, as the transformer is.

    *Sample weights.* There is no ``sample_weight`` in `fit`. scikit-learn requires a weight of 2 to
    be equivalent to repeating the sample, which training with minibatches cannot guarantee.

    References
    ----------
    Dai, Le: "Semi-supervised Sequence Learning", NIPS 2015.

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

    classes_: npt.NDArray[Any]
    autoencoder_: LSTMAutoencoderTransformer
    weights_: list[npt.NDArray[Any]]
    history_: dict[str, list[float]]
    n_epochs_: int
    best_epoch_: int
    loss_: float
    baseline_loss_: float
    n_features_in_: int
    feature_names_in_: npt.NDArray[np.object_]

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
        autoencoder: LSTMAutoencoderTransformer | FrozenEstimator | None = None,
        *,
        fine_tune: bool = True,
        epochs: int = 50,
        learning_rate: float = 3e-4,
        batch_size: int = 32,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        unlabeled: float | str | np.datetime64 | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
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
    def fit(self, X: Any, y: npt.ArrayLike, X_unlabeled: Any = None) -> Self:
        """Pre-train the autoencoder, then train the classifier.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        y : array-like of shape (N,)
            Class labels, of at least two classes: numbers, strings or times. Sequences without a
            label have the value ``unlabeled``. If that parameter is None, missing labels are
            errors, and so is -1 next to at least two classes of 0 and above.

        X_unlabeled : like X, default=None
            Further sequences for pre-training, in the layout of X. They are copied together with X,
            even from a memory map. Not allowed with a FrozenEstimator.

        Returns
        -------
        self : LSTMAutoencoderClassifier
            Fitted estimator.

        Raises
        ------
        ValueError
            If X is not a set of sequences or y not their classes; if the autoencoder cannot be
            fitted; if parameters contradict each other; if the loss or the weights become infinite
            or NaN. After any error, the estimator is as it was before the call.

        TypeError, ImportError, OSError, RuntimeError
            As in `LSTMAutoencoderTransformer.fit`.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If the fit is no better than predicting the frequencies of the classes, or if the
            validation loss was still falling at the end of a fit with ``early_stopping``. The
            warnings of the autoencoder's ``fit`` come in addition.
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

    def score(self, X: Any, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """Return the accuracy on the sequences that have a label.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        y : array-like of shape (N,)
            True labels. Sequences with the value ``unlabeled`` are left out. (scikit-learn's
            scorers count them as errors.)

        sample_weight : array-like of shape (N,), default=None
            Sample weights.

        Returns
        -------
        score : float
            Mean accuracy of ``self.predict(X)`` with respect to ``y``.

        Raises
        ------
        ValueError
            If no sequence has a label, or if X, y and ``sample_weight`` differ in length.
        """
        if self.unlabeled is not None:
            check_consistent_length(X, y, sample_weight)
            rows = np.flatnonzero(~find_unlabeled(y, self.unlabeled))
            if not rows.size:
                raise ValueError(
                    f"None of {num_samples(y)} sequences has a label to score with: all of y is "
                    f"unlabeled={self.unlabeled!r}."
                )
            X, y = take_rows(to_container(X, "X"), rows), take_rows(y, rows)
            sample_weight = None if sample_weight is None else take_rows(sample_weight, rows)
        return super().score(X, y, sample_weight)

    @of_one_model
    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Predict the class of each sequence.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        Returns
        -------
        y : ndarray of shape (N,)
            The most probable class of each sequence.
        """
        scores = self._scores(X)
        return self.classes_[scores.argmax(axis=1)]

    @of_one_model
    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        Returns
        -------
        probabilities : ndarray of shape (N, G), float64
            The class probabilities, in the order of ``classes_``. Each row sums to 1.
        """
        return softmax(self._scores(X), copy=False)

    def __sklearn_tags__(self):
        """Input as the autoencoder takes it."""
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._autoencoder).input_tags
        return tags

    def _take_frozen(self, X, X_unlabeled):
        """Validate X for a pre-trained autoencoder, which becomes the fitted one."""
        if X_unlabeled is not None:
            raise ValueError(
                "X_unlabeled is for pre-training, which autoencoder=FrozenEstimator(...) excludes: "
                "leave X_unlabeled out, or pass the transformer itself as autoencoder."
            )
        model = transformer_within(self.autoencoder)
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
