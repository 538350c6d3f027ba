"""LSTMAutoencoderDetector: outliers among sequences."""

import warnings
from collections.abc import Sequence
from copy import copy
from itertools import islice
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags, indexable
from sklearn.utils.validation import check_is_fitted

from sklearn_lstmae._sklearn import (
    Interval,
    StrOptions,
    available_if,
    fit_context,
    validate_parameters,
)
from sklearn_lstmae._versions import PickledWithVersionsMixin
from sklearn_lstmae.fitting.arguments import Per, check_feature_names
from sklearn_lstmae.fitting.in_one_step import learning_aside, of_one_fit, of_one_model, snapshot
from sklearn_lstmae.fitting.model import (
    fitted_model,
    names_of_features,
    take_over_columns,
    unfrozen,
)
from sklearn_lstmae.fitting.outcome import USER_LINE
from sklearn_lstmae.fitting.seeds import draw_seed
from sklearn_lstmae.fitting.thresholds import (
    center_and_spread,
    conformal_offset,
    conformal_p_values,
    describe_codes,
    drop_unjudged,
    mahalanobis,
    quantile_offset,
    share_errors,
)
from sklearn_lstmae.sequences.numbers import to_container
from sklearn_lstmae.sequences.stores import take_rows
from sklearn_lstmae.sequences.validation import check_horizon, check_sequences
from sklearn_lstmae.transformer import (
    LSTMAutoencoderTransformer,
    OptionalAutoencoderMixin,
    transformer_within,
)

if TYPE_CHECKING:
    import pandas

# The scores that each score_from uses.
SCORES = {
    "reconstruction": ("reconstruction",),
    "code": ("code",),
    "both": ("reconstruction", "code"),
}

# How each threshold comes from scores.
OFFSETS = {"train": quantile_offset, "cv": quantile_offset, "conformal": conformal_offset}


def _judges_rows_of_fit(detector):
    if detector.novelty:
        raise AttributeError(
            "fit_predict is not available with threshold="
            f"{detector.threshold!r}, which is for sequences that fit has not seen: call fit, and "
            "predict on new ones, or choose threshold='train'."
        )
    return True


class LSTMAutoencoderDetector(
    PickledWithVersionsMixin, OptionalAutoencoderMixin, OutlierMixin, BaseEstimator
):
    """Find outliers among sequences with an LSTM autoencoder.

    An autoencoder trained on normal sequences usually reconstructs abnormal ones poorly (Malhotra
    et al. 2016), or maps them to codes far from the usual ones. The detector fits an autoencoder,
    turns its errors or codes into one score per sequence, and chooses the threshold below which a
    sequence is an outlier.

    ``X`` is what the autoencoder accepts: array of shape (N, T) or (N, T, F), DataFrame, or list of
    (T_i, F). NaN is allowed if the autoencoder has ``missing="mask"``.

    .. versionadded:: 0.1

    Parameters
    ----------
    autoencoder : LSTMAutoencoderTransformer, FrozenEstimator or None, default=None
        The autoencoder. `fit` fits a clone of it. If None, it has ``summary_weight=0`` and
        ``append_states=True``, which suit detection better, and otherwise default parameters.
        `set_params` and searches can change its parameters: ``autoencoder__latent_dim=8``. To use a
        fitted autoencoder without fitting it again, wrap it in `sklearn.frozen.FrozenEstimator`.
        Parameters that are set on it after its own fit have no effect.

    contamination : float, default=0.1
        Share of sequences to flag, above 0 and at most 0.5. With ``threshold="train"`` it is the
        share of the sequences of `fit`. With "cv" and "conformal" it is the intended rate of false
        alarms among new, normal sequences; "conformal" guarantees that the average rate is not
        higher.

    threshold : {"train", "cv", "conformal"}, default="train"
        How the threshold of the scores, ``offset_``, is chosen. The default finds outliers within
        X. **To judge new sequences, use "conformal" or "cv"**: with 120 waves in `fit` and
        ``contamination=0.1``, "train" flagged 46 % of new, normal waves, "cv" 4.5 % and "conformal"
        6.3 %.

        - "train": the ``contamination`` quantile of the scores of the sequences of `fit`, as in
          `sklearn.ensemble.IsolationForest`. Training sequences score better than new ones.
          Therefore, the share of new sequences that is flagged may be far above ``contamination``.
          It is the default because `fit_predict` is only available with it.
        - "cv": the same quantile of out-of-fold scores. For each fold of ``cv``, a clone is fitted
          to the other folds and scores the sequences of this fold. Another model, which scores new
          sequences, is fitted to all sequences.
        - "conformal": split conformal prediction. The model is fitted to part of the sequences, and
          new sequences are compared with the held-out rest, see `p_values`. Sequences with a
          p-value of at most ``contamination`` are outliers.

    score_from : {"reconstruction", "code", "both"}, default="reconstruction"
        What the score of a sequence is.

        - "reconstruction": its negated mean error, see `errors`.
        - "code": the negated Mahalanobis distance of its code from the codes of the training
          sequences. Their covariance is shrunk (`sklearn.covariance.LedoitWolf`), so that it has an
          inverse even with few sequences. If the autoencoder has ``append_states=True``, the
          distance includes the states; this is recommended.
        - "both": the lower of these two scores. Both are first standardized to median 0 and
          interquartile range 1 over the training sequences.

    cv : int, CV splitter, iterable or None, default=5
        How sequences are split; None means 5. ``threshold="cv"`` uses all splits,
        ``threshold="conformal"`` only the first one. With an int, ``threshold="conformal"`` holds
        out 1 / ``cv`` of the sequences at random, and the folds of ``threshold="cv"`` are
        consecutive sequences; if `fit` gets ``groups``, both keep each group together. Not used
        with ``threshold="train"``.

    random_state : int, RandomState instance or None, default=None
        Determines which sequences "conformal" holds out. Unless it is None, it is also set on the
        clone of ``autoencoder``. Pass an int for reproducible results across multiple calls of
        `fit`. Global random states are neither read nor changed.

    Attributes
    ----------
    autoencoder_ : LSTMAutoencoderTransformer or FrozenEstimator
        The fitted autoencoder.

    offset_ : float
        Threshold of the scores: `decision_function` is `score_samples` minus ``offset_``. With
        "conformal" it is -inf if too few sequences were held out to flag any; `decision_function`
        is then inf, and `predict` returns 1.

    calibration_scores_ : ndarray of shape (M,), float64
        Scores from which ``offset_`` was computed, without NaN. With "train", they are the scores
        of all sequences of `fit`; with "cv", the out-of-fold scores, fold by fold; with
        "conformal", the scores of the held-out sequences.

    code_center_, code_precision_ : ndarray of shape (C,) and (C, C), or None
        Mean and inverse covariance of the C columns that `transform` of the autoencoder returns.
        None with ``score_from="reconstruction"``.

    score_center_, score_spread_ : ndarray of shape (1,) or (2,)
        Center and spread by which the scores are standardized. 0 and 1 unless ``score_from`` is
        "both".

    configuration_ : dict
        The "threshold" and "score_from" of the fit. A later ``set_params`` does not change them.

    n_features_in_ : int
        Number of features seen during `fit`: T for X of shape (N, T), otherwise F.

    feature_names_in_ : ndarray of str
        Names of features seen during `fit`. Defined only when X has feature names that are all
        strings.

    See Also
    --------
    LSTMAutoencoderTransformer : The autoencoder alone.
    find_events : Turn errors along a record into intervals.
    WindowSplit : Splitter that keeps overlapping windows of a record together, for ``cv``.
    sklearn.ensemble.IsolationForest : Outliers among vectors.

    Notes
    -----
    *Frozen autoencoders.* With a FrozenEstimator, `fit` learns only the distribution of codes and
    the threshold, and raises an error with "cv". With "conformal" and
    ``score_from="reconstruction"``, no sequences are held out: nothing has to be learned, so all
    sequences of `fit` serve for the comparison. Do not pass the sequences that the autoencoder was
    trained on: their errors are smaller than those of new ones.

    *The guarantee of "conformal".* If a new sequence is exchangeable with the held-out ones, it is
    flagged with a probability of at most ``contamination``. This holds for every value of
    ``contamination``, for any model, and for any number of held-out sequences. This is an average
    over all draws of the held-out sequences. For a given draw, the rate of false alarms may be
    higher or lower; the fewer sequences are held out, the more it varies.

    Windows of a record that overlap or follow each other are **not** exchangeable, nor are
    sequences of different groups. Their p-values can be used to rank them, but the guarantee does
    not hold. Hold out whole stretches of the record, with ``groups`` or with a splitter such as
    `WindowSplit`. Otherwise, held-out windows overlap training windows and score too well.

    *Sequences that cannot be judged.* With ``missing="mask"`` and ``score_from="reconstruction"``,
    a sequence cannot be judged if all values that the decoder should output are missing. Its score
    and its p-value are NaN, it does not enter the threshold, and `predict` warns and returns 1.
    With "code" and "both", such a sequence is judged by its code.

    *Memory.* "cv" and "conformal" copy the sequences that they learn from, even those of a memory
    map.

    *Metrics.* `fit` does not read ``y``. For scikit-learn's metrics, y must be 1 for normal
    sequences and -1 for outliers, as in the output of `predict`. With 0 for normal sequences and 1
    for outliers, "roc_auc" is reversed and "f1" fails.

    *Length of windows.* Windows of a record should be at least as long as one period of its normal
    behavior, and longer than the faults to be found. If a fault fills a whole window, the encoder
    reads no normal steps. The code and the reconstruction of all features may then be wrong, and
    `explain` may name features without a fault.

    References
    ----------
    Malhotra, Ramakrishnan, Anand, Vig, Agarwal, Shroff: "LSTM-based Encoder-Decoder for
    Multi-sensor Anomaly Detection", ICML Anomaly Detection Workshop 2016.

    Bates, Candès, Lei, Romano, Sesia: "Testing for outliers with conformal p-values", The Annals of
    Statistics 51 (1), 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_lstmae import LSTMAutoencoderDetector, LSTMAutoencoderTransformer
    >>> X = np.sin(np.linspace(0, 6, 20) + np.arange(50)[:, np.newaxis])
    >>> X[7, 10] = 9.0
    >>> autoencoder = LSTMAutoencoderTransformer(latent_dim=2, epochs=50, random_state=0)
    >>> detector = LSTMAutoencoderDetector(autoencoder, contamination=0.02).fit(X)
    >>> np.flatnonzero(detector.predict(X) == -1)
    array([7])
    """

    autoencoder_: Any
    offset_: float
    calibration_scores_: npt.NDArray[np.float64]
    code_center_: npt.NDArray[np.float64] | None
    code_precision_: npt.NDArray[np.float64] | None
    score_center_: npt.NDArray[np.float64]
    score_spread_: npt.NDArray[np.float64]
    configuration_: dict[str, Any]
    n_features_in_: int
    feature_names_in_: npt.NDArray[np.object_]

    _parameter_constraints = {
        "autoencoder": [LSTMAutoencoderTransformer, FrozenEstimator, None],
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        "threshold": [StrOptions({"train", "cv", "conformal"})],
        "score_from": [StrOptions({"reconstruction", "code", "both"})],
        "cv": ["cv_object"],
        "random_state": ["random_state"],
    }

    # Without the summary, errors and distances separate anomalies as well or better; distances that
    # include the states separate them better (benchmarks/README.md, "Anomalies").
    _defaults: ClassVar[dict] = {"summary_weight": 0.0, "append_states": True}

    def __init__(
        self,
        autoencoder: LSTMAutoencoderTransformer | FrozenEstimator | None = None,
        *,
        contamination: float = 0.1,
        threshold: Literal["train", "cv", "conformal"] = "train",
        score_from: Literal["reconstruction", "code", "both"] = "reconstruction",
        cv: Any = 5,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.autoencoder = autoencoder
        self.contamination = contamination
        self.threshold = threshold
        self.score_from = score_from
        self.cv = cv
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, groups: npt.ArrayLike | None = None) -> Self:
        """Fit the autoencoder and the threshold.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        y : Ignored
            Not used, present here for API consistency by convention.

        groups : array-like of shape (N,), default=None
            Group labels of the sequences, such as the record that a window comes from. If ``cv`` is
            an int or a splitter that uses groups, "cv" and "conformal" never learn from one part of
            a group and score another. Not used with "train".

        Returns
        -------
        self : LSTMAutoencoderDetector
            Fitted estimator.

        Raises
        ------
        ValueError
            If the autoencoder cannot be fitted to X; if parameters contradict each other; if there
            are too few sequences to split; if no sequence can be judged. After any error, the
            estimator is as it was before the call.

        TypeError, ImportError, OSError, RuntimeError
            As in `LSTMAutoencoderTransformer.fit`.

        Warns
        -----
        UserWarning
            If "conformal" holds out so few sequences that every p-value is above
            ``contamination``. The warnings of the autoencoder's ``fit`` come in addition.
        """
        if self.threshold == "cv" and self._is_frozen:
            raise ValueError(
                "threshold='cv' fits clones of autoencoder, which a FrozenEstimator does not "
                "allow: choose threshold 'train' or 'conformal', which calibrate on the rows of "
                "fit, or pass the transformer itself."
            )
        with learning_aside(self) as learner:
            X = _check_rows(learner, self._autoencoder, X)
            scores = drop_unjudged(learner._calibrate(*indexable(X, groups)))
            learner.calibration_scores_ = scores
            learner.offset_ = OFFSETS[self.threshold](scores, self.contamination)
            if learner.offset_ == -np.inf:
                _warn_of_too_few(len(scores), self.contamination)
        return self

    @available_if(_judges_rows_of_fit)
    @of_one_fit
    def fit_predict(self, X: Any, y: Any = None) -> npt.NDArray[np.int_]:
        """Fit to X and return labels for X.

        Only available with ``threshold="train"``.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        y : Ignored
            Not used, present here for API consistency by convention.

        Returns
        -------
        labels : ndarray of shape (N,), int
            -1 for outliers, 1 for inliers.
        """
        return self.fit(X).predict(X)

    @of_one_model
    def predict(self, X: Any) -> npt.NDArray[np.int_]:
        """Predict whether sequences are outliers.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        Returns
        -------
        labels : ndarray of shape (N,), int
            -1 for outliers, for which `decision_function` is below 0, and 1 for inliers. With
            "conformal", outliers are exactly the sequences with a p-value of at most
            ``contamination``.

        Warns
        -----
        UserWarning
            If a sequence cannot be judged. Its label is 1.
        """
        decision = self.decision_function(X)
        unjudged = np.flatnonzero(np.isnan(decision))
        if unjudged.size:
            warnings.warn(
                f"{unjudged.size} of {len(decision)} sequences cannot be judged, the first of them "
                f"sequence {unjudged[0]}, because all values that the decoder should output are "
                "missing: predict returns 1, and decision_function NaN.",
                UserWarning,
                stacklevel=3,  # past the function that takes the snapshot
            )
        return np.where(decision < 0, -1, 1)

    @of_one_model
    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the score relative to the threshold: `score_samples` minus ``offset_``.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        Returns
        -------
        decision : ndarray of shape (N,), float64
            Negative for outliers. NaN for sequences that cannot be judged.
        """
        return self.score_samples(X) - self.offset_

    @of_one_model
    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:
        """Return how normal each sequence is.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        Returns
        -------
        scores : ndarray of shape (N,), float64
            The higher, the more similar to the sequences of `fit`. ``score_from`` determines the
            units.
        """
        check_is_fitted(self)
        return self._judge(X)

    @of_one_model
    def p_values(self, X: Any) -> npt.NDArray[np.float64]:
        """Return conformal p-values.

        Only available with ``threshold="conformal"``.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        Returns
        -------
        p_values : ndarray of shape (N,), float64
            (1 + number of held-out sequences whose score is not higher) / (M + 1), where M is the
            number of held-out sequences (Bates et al. 2023). For a sequence that is exchangeable
            with those, a p-value of at most a has a probability of at most a. The smallest p-value
            is 1 / (M + 1).

        Raises
        ------
        ValueError
            If the detector was fitted with another threshold.
        """
        check_is_fitted(self)
        if self.configuration_["threshold"] != "conformal":
            raise ValueError(
                f"p_values needs sequences that were held out, and threshold="
                f"{self.configuration_['threshold']!r} holds none out: fit with "
                "threshold='conformal'."
            )
        return conformal_p_values(self._judge(X), self.calibration_scores_)

    @of_one_model
    def errors(self, X: Any, per: Per = "sequence") -> npt.NDArray[np.float64]:
        """Return the errors of the autoencoder.

        They are the errors of its reconstruction. With ``objective="predict"`` they are those of
        its prediction.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        per : {"sequence", "step", "feature", "value"}, default="sequence"
            Mean error of each sequence (N,), step (N, T) or feature (N, F), or the error of each
            value (N, T, F).

        Returns
        -------
        errors : ndarray, float64
            The errors, see `LSTMAutoencoderTransformer.errors`.
        """
        check_is_fitted(self)
        return self.autoencoder_.errors(X, per=per)

    @of_one_model
    def explain(self, X: Any, *, feature_names: Sequence[str] | None = None) -> "pandas.DataFrame":
        """Rank the features of each sequence by their share of its error.

        This needs memory for N T F numbers: pass only the sequences in question. It always explains
        errors, whatever ``score_from`` is, because the distance of a code has no steps. If a fault
        is as long as the sequence, it may name the wrong feature: see "Length of windows" in the
        Notes.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        feature_names : list of F str, default=None
            Names of the features. For windows, which have none, pass ``index.feature_names`` of the
            index that `sliding_windows` returned. If None, the names seen during `fit`, if any.

        Returns
        -------
        table : pandas.DataFrame
            One row per sequence and feature. The rows of a sequence are sorted by share, the
            largest first. A feature whose values are all missing has no row. The columns are

            - "sample": number of the sequence in X, from 0;
            - "step": step with the largest error of the feature, from 0;
            - "feature": name of the feature, or its number if it has no name;
            - "error": mean error of the feature over the steps;
            - "share": share of the feature in the error of the sequence; the shares of a sequence
              sum to 1.
        """
        import pandas as pd

        errors = self.errors(X, per="value")
        columns = share_errors(errors)
        names = check_feature_names(feature_names, errors.shape[2])
        if names is None:
            names = names_of_features(self.autoencoder_)
        if names is not None:
            columns["feature"] = np.asarray(names, dtype=object)[columns["feature"]]
        return pd.DataFrame(columns)

    @property
    def novelty(self) -> bool:
        """Whether the threshold is for new sequences only, as in scikit-learn's detectors.

        True with "cv" and "conformal". There is then no `fit_predict`, because ``contamination`` is
        not the share of outliers among the sequences of `fit`.
        """
        return self.threshold != "train"

    def __sklearn_tags__(self):
        """Input as the autoencoder takes it."""
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._autoencoder).input_tags
        return tags

    @property
    def _is_frozen(self):
        return isinstance(self.autoencoder, FrozenEstimator)

    def _calibrate(self, X, groups):
        """Learn, and return the scores that the threshold is taken from."""
        needs_no_learning = self._is_frozen and self.score_from == "reconstruction"
        if self.threshold == "train" or needs_no_learning:
            return self._learn(X)._judge(X)
        splits = _make_splitter(self, groups).split(X, None, groups)
        # Listed before anything is learned, which may take hours: a split may raise.
        folds = list(islice(splits, 1 if self.threshold == "conformal" else None))
        if not folds:
            raise ValueError(f"cv={self.cv!r} has no split into rows to learn from and to score.")
        if self.threshold == "conformal":
            [(learning, held_out)] = folds
            return self._learn(take_rows(X, learning))._judge(take_rows(X, held_out))
        self._learn(X)
        scores = []
        for learning, held_out in folds:
            learner = copy(self)._learn(take_rows(X, learning), is_fold=True)
            scores.append(learner._judge(take_rows(X, held_out)))
        return np.concatenate(scores)

    def _learn(self, X, is_fold=False):
        """Fit all but the threshold."""
        if self._is_frozen:  # as it is now: another fit of the original does not change this model
            autoencoder = FrozenEstimator(snapshot(unfrozen(self.autoencoder)))
        else:
            autoencoder = clone(self._autoencoder)
            if self.random_state is not None:
                autoencoder.set_params(random_state=self.random_state)
            if is_fold:  # the folder belongs to the fit on all sequences
                autoencoder.set_params(checkpoint_dir=None, resume=False)
        self.autoencoder_ = autoencoder.fit(X, None)
        self.configuration_ = {
            "threshold": str(self.threshold),
            "score_from": str(self.score_from),
        }
        self.code_center_ = self.code_precision_ = None
        if self.score_from != "reconstruction":
            self.code_center_, self.code_precision_ = describe_codes(self._encode(X))
        n_scores = len(SCORES[self.score_from])
        self.score_center_, self.score_spread_ = np.zeros(n_scores), np.ones(n_scores)
        if n_scores > 1:
            self.score_center_, self.score_spread_ = center_and_spread(self._score_each(X))
        return self

    def _encode(self, X):
        return np.asarray(self.autoencoder_.transform(X), dtype=np.float64)

    def _score_each(self, X):
        """(N, 1), or (N, 2) with "both"; the higher, the more normal."""
        center, precision = np.asarray(self.code_center_), self.code_precision_
        # Detectors of earlier versions measured distances without states.
        width = center.size
        scores = {
            "reconstruction": lambda: -self.autoencoder_.errors(X),
            "code": lambda: -mahalanobis(self._encode(X)[:, :width], center, precision),
        }
        names = SCORES[self.configuration_["score_from"]]
        return np.column_stack([scores[name]() for name in names])

    def _judge(self, X):
        """Score sequences: (N,). The lowest counts, NaN aside."""
        scores = (self._score_each(X) - self.score_center_) / self.score_spread_
        return np.fmin.reduce(scores, axis=1)


def _check_rows(detector, autoencoder, X):
    """Validate all of X, so that messages count its rows and not those of a part of it.

    Returns X as something that rows can be taken of, which a tensor is not.
    """
    spec = None
    if isinstance(autoencoder, FrozenEstimator):  # its fit decides, its parameters may have changed
        transformer = transformer_within(autoencoder)
        model = fitted_model(transformer)
        missing, horizon, spec = model.missing, model.horizon, model.spec
        predicts = "predict" in model.architecture.decoders
        take_over_columns(detector, transformer)
    else:
        validate_parameters(autoencoder)
        missing, horizon = autoencoder.missing, autoencoder.horizon
        predicts = autoencoder.objective != "reconstruct"
    X = to_container(X, "X")
    sequences = check_sequences(detector, X, missing=missing, fitted=spec)
    if predicts:
        check_horizon(sequences, horizon)
    return X


def _make_splitter(detector, groups):
    """What splits rows to learn from those to score."""
    from sklearn.model_selection import GroupKFold, KFold, check_cv

    cv = 5 if detector.cv is None else detector.cv
    if not isinstance(cv, Integral):
        return check_cv(cv)
    by_chance = {}
    if detector.threshold == "conformal":
        by_chance = {"shuffle": True, "random_state": draw_seed(detector.random_state)}
    return (KFold if groups is None else GroupKFold)(int(cv), **by_chance)


def _warn_of_too_few(n_scores, contamination):
    """Say that no p-value can be as small as the contamination."""
    warnings.warn(
        f"The {n_scores} sequences that threshold='conformal' compares with allow no p-value below "
        f"{1 / (n_scores + 1):.3g}, so that contamination={contamination:.3g} finds nothing: fit "
        "on more sequences, hold a larger part of them out (a smaller cv), or raise contamination.",
        UserWarning,
        stacklevel=USER_LINE,
    )
