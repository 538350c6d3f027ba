"""LSTMAutoencoderDetector: which sequences are unlike those of fit."""

import warnings
from copy import copy
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_lstmae._sklearn import (
    HasMethods,
    Interval,
    StrOptions,
    fit_context,
    take_rows,
    validate_parameters,
)
from sklearn_lstmae._versions import PickledWithVersionsMixin
from sklearn_lstmae.fitting.arguments import check_feature_names
from sklearn_lstmae.fitting.in_one_step import learning_aside, of_one_fit, of_one_model, snapshot
from sklearn_lstmae.fitting.model import fitted_model, unfrozen
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
from sklearn_lstmae.sequences.validation import check_horizon, check_sequences
from sklearn_lstmae.transformer import LSTMAutoencoderTransformer, OptionalAutoencoderMixin

# The scores that each score_from looks at.
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
    """Find the sequences that are unlike those of ``fit``, with an LSTM autoencoder.

    An autoencoder that has learned to rebuild normal sequences rebuilds others badly (Malhotra
    et al. 2016), or gives them codes far from the usual ones. The detector contains such an
    autoencoder, makes a score of what it says, and says from which score on a sequence is an
    outlier. ``X`` is whatever the autoencoder takes: array of shape (N, T) or (N, T, F), DataFrame,
    or list of (T_i, F), with NaN if the autoencoder has ``missing="mask"``.

    Parameters
    ----------
    autoencoder : LSTMAutoencoderTransformer, FrozenEstimator or None, default=None
        A clone of it is fitted. None is one with default parameters, which `set_params` and
        searches change as those of an explicit one: ``autoencoder__latent_dim=8``. A
        `sklearn.frozen.FrozenEstimator` around a fitted one is used as it is: what it was fitted
        with decides, not parameters that were set later.

    contamination : float, default=0.1
        The share of sequences, above 0 and at most 0.5, that should be found: of those of ``fit``
        with ``threshold="train"``. With "cv" and "conformal" of new sequences that are like those
        of ``fit``: the rate of false alarms.

    threshold : {"train", "cv", "conformal"}, default="train"
        Where ``offset_``, the threshold of the scores, comes from. The default is for finding
        outliers within ``X``. **To judge new sequences, choose "conformal" or "cv"**: with 120
        waves in ``fit`` and ``contamination=0.1``, "train" found 46 % of new waves without fault,
        "cv" 4.5 % and "conformal" 6.3 %.

        "train": the ``contamination`` quantile of the scores of ``fit``, as with scikit-learn's
        `IsolationForest`. Sequences that were learned score better than new ones, so that many
        more than this share of new ones may be found. It alone has `fit_predict`, which is why it
        is the default.

        "cv": the same quantile of out-of-fold scores. For each fold of ``cv`` a clone learns the
        other folds and scores this one; in the end, one model learns all.

        "conformal": split conformal. Part of the sequences is held out, the model learns the
        rest, and new sequences are compared with those held out: see `p_values`. Those with a
        p-value of at most ``contamination`` are found.

    score_from : {"reconstruction", "code", "both"}, default="reconstruction"
        What the score is.

        "reconstruction": the negated mean error of a sequence, as the autoencoder's `errors` has
        it: of the reconstruction, or of the prediction with ``objective="predict"``.

        "code": the negated Mahalanobis distance of the code from the codes of sequences that were
        learned, with their shrunk covariance (`sklearn.covariance.LedoitWolf`), which has an
        inverse with few sequences, too.

        "both": the lower of the two, after each was brought to median 0 and interquartile range 1
        over the sequences that were learned. A sequence is found if either finds it.

    cv : int, CV splitter or iterable, default=5
        Of "cv" the folds. Of "conformal" an int holds out 1 / ``cv`` of the sequences, drawn by
        chance, and a splitter the test part of its first split. With ``groups`` an int keeps
        groups whole. Without, folds of "cv" are consecutive sequences. Unused with "train".

    random_state : int, RandomState instance or None, default=None
        Determines what "conformal" holds out. When given, it is also set on the clone of
        ``autoencoder``; None leaves that one's own. Global random states are neither read nor
        changed.

    Attributes
    ----------
    autoencoder_ : LSTMAutoencoderTransformer or FrozenEstimator
        The fitted autoencoder.

    offset_ : float
        Threshold: `decision_function` is `score_samples` minus this. With "conformal" it is -inf
        if too few sequences were held out to find anything: `decision_function` is inf then,
        `predict` 1, and no error is above ``-offset_``.

    calibration_scores_ : ndarray of shape (M,), float64
        The scores that ``offset_`` was taken from, NaN left out: of all sequences of ``fit`` with
        "train", out-of-fold ones, fold after fold, with "cv", those held out with "conformal".

    code_center_, code_precision_ : ndarray of shape (L,) and (L, L), or None
        Mean and inverse covariance of codes; None with ``score_from="reconstruction"``.

    score_center_, score_spread_ : ndarray of shape (1,) or (2,)
        What is subtracted from the scores and what they are divided by: 0 and 1 but with "both".

    configuration_ : dict
        "threshold" and "score_from" of the fit; later ``set_params`` do not change them.

    n_features_in_ : int
        T for X of shape (N, T), else F.

    feature_names_in_ : ndarray of str
        Names of the columns of the DataFrame(s) of ``fit``.

    Notes
    -----
    *With a FrozenEstimator* nothing is learned but the distribution of codes. "cv" is an error.
    With "conformal" and ``score_from="reconstruction"`` all sequences of ``fit`` are compared with,
    since none has to be learned from. They should not be those that the autoencoder was trained on,
    whose errors are smaller than those of new ones.

    *What "conformal" promises.* If a new sequence is exchangeable with those held out, its p-value
    is at most a with a probability of at most a, for each a, whatever the model and however few
    are held out. The probability is over the held-out sequences, too: of one draw of them, the
    rate of false alarms may lie above or below a, the further, the fewer they are.

    Windows of a record that overlap or follow each other are **not** exchangeable, nor are
    sequences of one group with those of another: their p-values are a scale without that promise.
    Hold out whole stretches of the record then, with ``groups`` or a splitter that keeps windows
    that overlap on one side; or a window is compared with copies of what was learned.

    *A sequence that cannot be judged* has the score NaN: with ``missing="mask"`` all that the
    decoder should say of it may be missing. Thresholds are taken without it, its p-value is NaN,
    and `predict` says 1 of it, since nothing speaks against it, and warns. With "both" its code
    alone counts.

    "cv" and "conformal" copy the rows that they learn, of a memory map too.

    *Scoring.* ``y`` is not read by ``fit``. For scikit-learn's scorers it must be as `predict` has
    it, 1 for normal sequences and -1 for outliers: with 0 and 1 for outliers, "roc_auc" is turned
    upside down and "f1" fails.

    *Length of windows.* Windows of a record should be at least as long as one period of what is
    normal, and longer than the faults to be found: of a window that is faulty from its first step
    to its last, the encoder sees nothing normal, so that its code, and with it the reconstruction
    of all features, is wrong, and `explain` may name features that are well.

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

    _parameter_constraints = {
        "autoencoder": [HasMethods(["fit", "transform", "errors"]), None],
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        "threshold": [StrOptions({"train", "cv", "conformal"})],
        "score_from": [StrOptions({"reconstruction", "code", "both"})],
        "cv": ["cv_object"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        autoencoder=None,
        *,
        contamination=0.1,
        threshold="train",
        score_from="reconstruction",
        cv=5,
        random_state=None,
    ):
        self.autoencoder = autoencoder
        self.contamination = contamination
        self.threshold = threshold
        self.score_from = score_from
        self.cv = cv
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, groups=None):
        """Learn what is normal, and from which score on it is not.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        y : ignored
            Not used, present here for API consistency by convention.

        groups : array-like of shape (N,), default=None
            Which sequences belong together, as windows of one record do: "cv" and "conformal"
            learn from a group or score it, not both. Unused with "train".

        Returns
        -------
        self : LSTMAutoencoderDetector
            Fitted.

        Raises
        ------
        ValueError
            If the autoencoder cannot be fitted on X, if parameters contradict each other, if there
            are too few sequences to split, or if no sequence can be judged. The state of an
            earlier fit is kept.

        Warns
        -----
        UserWarning
            If "conformal" holds out so few sequences that no p-value can be as small as
            ``contamination``.
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
    def fit_predict(self, X, y=None):
        """Find the outliers within X, with ``threshold="train"`` only.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        y : ignored
            Not used, present here for API consistency by convention.

        Returns
        -------
        labels : ndarray of shape (N,), int
            -1 for outliers, 1 for others.
        """
        return self.fit(X).predict(X)

    @of_one_model
    def predict(self, X):
        """Tell outliers from others.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        Returns
        -------
        labels : ndarray of shape (N,), int
            -1 for outliers, where `decision_function` is below 0, and 1 for others. With
            "conformal" these are the p-values of at most ``contamination``, exactly.

        Warns
        -----
        UserWarning
            If a sequence cannot be judged; it gets a 1.
        """
        decision = self.decision_function(X)
        unjudged = np.flatnonzero(np.isnan(decision))
        if unjudged.size:
            warnings.warn(
                f"{unjudged.size} of {len(decision)} sequences cannot be judged, the first of them "
                f"sequence {unjudged[0]}, since all that the decoder should say is missing: "
                "predict says 1, and decision_function NaN.",
                UserWarning,
                stacklevel=3,  # past the function that takes the snapshot
            )
        return np.where(decision < 0, -1, 1)

    @of_one_model
    def decision_function(self, X):
        """Score above the threshold: `score_samples` minus ``offset_``.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        Returns
        -------
        decision : ndarray of shape (N,), float64
            Below 0 for outliers.
        """
        return self.score_samples(X) - self.offset_

    @of_one_model
    def score_samples(self, X):
        """How normal each sequence is.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        Returns
        -------
        scores : ndarray of shape (N,), float64
            The higher, the more like those of ``fit``; in units that ``score_from`` says.
        """
        check_is_fitted(self)
        return self._judge(X)

    @of_one_model
    def p_values(self, X):
        """Conformal p-values, with ``threshold="conformal"`` only.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        Returns
        -------
        p_values : ndarray of shape (N,), float64
            (1 + number of held-out sequences that score no higher) / (M + 1), M being the number
            of held-out sequences (Bates et al. 2023): of sequences that are exchangeable with
            those, at most a share a has a p-value of at most a, for each a. None is below
            1 / (M + 1).

        Raises
        ------
        ValueError
            With another threshold.
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
    def errors(self, X, per="sequence"):
        """Errors of the autoencoder, of its reconstruction if it has one, else its prediction.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        per : {"sequence", "step", "feature", "value"}, default="sequence"
            Mean errors of each sequence (N,), step (N, T) or feature (N, F), or the errors
            themselves (N, T, F).

        Returns
        -------
        errors : ndarray, float64
            As `LSTMAutoencoderTransformer.errors` has them.
        """
        check_is_fitted(self)
        return self.autoencoder_.errors(X, per=per)

    @of_one_model
    def explain(self, X, *, feature_names=None):
        """Say which features carry the error of each sequence, and where it is largest.

        It needs pandas, and N T F numbers of memory: pass the sequences in question. It explains
        errors whatever ``score_from`` is, since the distance of a code has no steps. Where a fault
        is as long as the sequence it may name the wrong feature: see the Notes on windows.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        feature_names : list of F str, default=None
            Names of the features, such as ``index.feature_names`` of the index of
            `sliding_windows`, since windows have none. None: those of ``fit``, if there are any.

        Returns
        -------
        table : pandas.DataFrame
            One row for each sequence and feature, those of a sequence from the largest share to
            the smallest, with the columns

            - "sample": number of the sequence in X, from 0;
            - "step": where the feature's error is largest, from 0;
            - "feature": its name, if it has one, else its number;
            - "error": its mean error over the steps;
            - "share": its part of the sequence's error; those of a sequence sum to 1.

            A feature without any error, all of it missing, has no row.
        """
        import pandas as pd

        errors = self.errors(X, per="value")
        columns = share_errors(errors)
        names = check_feature_names(feature_names, errors.shape[2])
        model = self.autoencoder_
        # Columns of an array (N, T) are steps: their names are not features'.
        if names is None and model.configuration_["layout"] != "2d":
            names = getattr(model, "feature_names_in_", None)
        if names is not None:
            columns["feature"] = np.asarray(names, dtype=object)[columns["feature"]]
        return pd.DataFrame(columns)

    @property
    def novelty(self):
        """Whether the threshold is for new sequences only, as scikit-learn's detectors call it.

        True with "cv" and "conformal": ``contamination`` is not the share that is found among the
        sequences of ``fit`` then, and there is no `fit_predict`.
        """
        return self.threshold != "train"

    def __sklearn_tags__(self):
        """Input as the autoencoder takes it."""
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._autoencoder).input_tags
        return tags

    @property
    def _autoencoder(self):
        return LSTMAutoencoderTransformer() if self.autoencoder is None else self.autoencoder

    @property
    def _is_frozen(self):
        return isinstance(self.autoencoder, FrozenEstimator)

    def _calibrate(self, X, groups):
        """Learn, and return the scores that the threshold is taken from."""
        needs_no_learning = self._is_frozen and self.score_from == "reconstruction"
        if self.threshold == "train" or needs_no_learning:
            return self._learn(X)._judge(X)
        folds = _make_splitter(self, groups).split(X, None, groups)
        if self.threshold == "conformal":
            learning, held_out = next(iter(folds))
            return self._learn(take_rows(X, learning))._judge(take_rows(X, held_out))
        self._learn(X)
        return np.concatenate(
            [
                copy(self)._learn(take_rows(X, learning))._judge(take_rows(X, held_out))
                for learning, held_out in folds
            ]
        )

    def _learn(self, X):
        """Fit all but the threshold."""
        if self._is_frozen:  # as it is now: another fit of the original does not change this model
            autoencoder = FrozenEstimator(snapshot(unfrozen(self.autoencoder)))
        else:
            autoencoder = clone(self._autoencoder)
            if self.random_state is not None:
                autoencoder.set_params(random_state=self.random_state)
        self.autoencoder_ = autoencoder.fit(X, None)
        self.configuration_ = {"threshold": self.threshold, "score_from": self.score_from}
        self.code_center_ = self.code_precision_ = None
        if self.score_from != "reconstruction":
            self.code_center_, self.code_precision_ = describe_codes(self._encode(X))
        n_scores = len(SCORES[self.score_from])
        self.score_center_, self.score_spread_ = np.zeros(n_scores), np.ones(n_scores)
        if n_scores > 1:
            self.score_center_, self.score_spread_ = center_and_spread(self._score_each(X))
        return self

    def _encode(self, X):
        # Distances are not improved by the columns of `append_states`.
        width = fitted_model(self.autoencoder_).n_decoded
        return np.asarray(self.autoencoder_.transform(X), dtype=np.float64)[:, :width]

    def _score_each(self, X):
        """(N, 1), or (N, 2) with "both"; the higher, the more normal."""
        scores = {
            "reconstruction": lambda: -self.autoencoder_.errors(X),
            "code": lambda: -mahalanobis(self._encode(X), self.code_center_, self.code_precision_),
        }
        names = SCORES[self.configuration_["score_from"]]
        return np.column_stack([scores[name]() for name in names])

    def _judge(self, X):
        """Score sequences: (N,). The lowest counts, NaN aside."""
        scores = (self._score_each(X) - self.score_center_) / self.score_spread_
        return np.fmin.reduce(scores, axis=1)


def _check_rows(detector, autoencoder, X):
    """Validate all of X, so that messages count its rows and not those of a part of it.

    Returns X as something that scikit-learn can take rows of, which a tensor is not.
    """
    validate_parameters(autoencoder)
    if isinstance(autoencoder, FrozenEstimator):  # its fit decides, its parameters may have changed
        model = fitted_model(autoencoder)
        missing, horizon = model.missing, model.horizon
        predicts = "predict" in model.architecture.decoders
    else:
        missing, horizon = autoencoder.missing, autoencoder.horizon
        predicts = autoencoder.objective != "reconstruct"
    X = to_container(X, "X")
    sequences = check_sequences(detector, X, missing=missing)
    if predicts:
        check_horizon(sequences, horizon)
    return X


def _make_splitter(detector, groups):
    """What splits rows to learn from those to score."""
    from sklearn.model_selection import GroupKFold, KFold, check_cv

    if not isinstance(detector.cv, Integral):
        return check_cv(detector.cv)
    by_chance = {}
    if detector.threshold == "conformal":
        by_chance = {"shuffle": True, "random_state": draw_seed(detector.random_state)}
    return (KFold if groups is None else GroupKFold)(int(detector.cv), **by_chance)


def _warn_of_too_few(n_scores, contamination):
    """Say that no p-value can be as small as the contamination."""
    warnings.warn(
        f"The {n_scores} sequences that threshold='conformal' compares with allow no p-value below "
        f"{1 / (n_scores + 1):.3g}, so that contamination={contamination:.3g} finds nothing: fit "
        "on more sequences, hold a larger part of them out (a smaller cv), or raise contamination.",
        UserWarning,
        stacklevel=USER_LINE,
    )
