"""LSTMAutoencoderTransformer: sequences to vectors and back."""

from collections.abc import Callable
from numbers import Real
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, overload

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_array, check_is_fitted

from sklearn_lstmae._sklearn import (
    Interval,
    StrOptions,
    check_feature_names_in,
    fit_context,
    is_fitted,
    not_negative,
    positive,
    positive_int,
    validate_parameters,
)
from sklearn_lstmae._versions import PickledWithVersionsMixin
from sklearn_lstmae.fitting.arguments import (
    Per,
    TaskName,
    check_lengths,
    check_steps,
    check_whole_frames,
    cut_after,
)
from sklearn_lstmae.fitting.checkpoints import open_checkpoints
from sklearn_lstmae.fitting.in_one_step import learning_aside, of_one_fit, of_one_model, snapshot
from sklearn_lstmae.fitting.learn_autoencoder import learn, refuse_another_order
from sklearn_lstmae.fitting.model import fitted_model, unfrozen
from sklearn_lstmae.fitting.outcome import warn_of_outcome
from sklearn_lstmae.fitting.parameters import check_one_pass, check_parameters
from sklearn_lstmae.fitting.reports import CallbackSupportMixin, FitReport
from sklearn_lstmae.fitting.trained import MEMORIES
from sklearn_lstmae.network.wiring import POOLINGS, STATES
from sklearn_lstmae.sequences.batch import like_input, to_layout
from sklearn_lstmae.sequences.frames import put
from sklearn_lstmae.sequences.scoring import AVERAGED, LOSSES, errors, explained_variance
from sklearn_lstmae.sequences.tasks import OBJECTIVES, TASKS
from sklearn_lstmae.sequences.validation import check_sequences, warn_of_single_steps


class LSTMAutoencoderTransformer(
    PickledWithVersionsMixin,
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Turn sequences into vectors of fixed length with an LSTM autoencoder, and back.

    An encoder maps a sequence to a vector, the code. A decoder reconstructs the sequence from the
    code alone. `fit` trains both together to reconstruct the training sequences. `transform`
    returns the codes, one row per sequence, for other estimators to use.

    Sequences may be univariate or multivariate, and of equal or unequal length. ``X`` is one of:

    - array or DataFrame of shape (N, T): N univariate sequences, one per row;
    - array of shape (N, T, F): N sequences of T steps with F features;
    - list of N arrays or DataFrames of shape (T_i, F), or of 1-D arrays: each sequence has its own
      length.

    An array may also be a memory map, or a store that is read on demand: an h5py dataset, a
    zarr, xarray or Dask array, or a Dask DataFrame. Such data are read in blocks and need not fit
    into memory.

    The parameters are listed in five groups. Start with those in bold:

    - network: **latent_dim**, patch_size, hidden_units, bidirectional, bottleneck, pooling,
      activation, decoder_start, conditional, reverse_target, time_encoding;
    - objective: **objective**, horizon, prediction_weight, loss, summary_weight, kl_weight;
    - data: **scaling**, **missing**, **append_states**;
    - training: **epochs**, learning_rate, batch_size, optimizer, clipnorm, dropout, noise,
      early_stopping, validation_fraction, patience, random_state, verbose;
    - continuing: warm_start, checkpoint_dir, resume.

    .. versionadded:: 0.1

    Parameters
    ----------
    latent_dim : int, default=16
        Width L of the bottleneck. A code has L columns, unless ``bottleneck="hidden_cell"``,
        ``scaling="sequence"`` or ``append_states=True`` adds some.

    patch_size : int or "auto", default="auto"
        Number of consecutive steps P that are joined to one frame. The network reads and outputs
        one frame at a time. With longer frames, long sequences cost less time and are often easier
        to learn. "auto" is 1/32 of the length of the longest sequence in `fit`, rounded, and at
        least 1, so it is 1 for fewer than 48 steps; a divisor of ``horizon`` is preferred.
        Lengths, masks and errors are always per step.

    hidden_units : tuple of int, default=(64,)
        Widths of the LSTM layers of the encoder, first to last. The decoder mirrors them.

    bidirectional : bool, default=True
        Whether the layers of ``hidden_units`` in the encoder read in both directions.

    bottleneck : {"dense", "hidden", "cell", "hidden_cell"}, default="dense"
        How the encoder makes the code.

        - "dense": a linear layer over the pooled outputs of the encoder, see ``pooling``.
        - "hidden", "cell" or "hidden_cell": a further one-way LSTM layer of ``latent_dim`` units.
          The code is its last hidden state, its last cell state, or both (2 L columns). The decoder
          then begins with an LSTM layer of ``latent_dim`` units.

        The network of most tutorials has ``patch_size=1``, ``bidirectional=False``,
        ``bottleneck="hidden"``, ``hidden_units=()``, ``decoder_start="input"``,
        ``time_encoding=False``, ``reverse_target=False`` and ``summary_weight=0``.

    pooling : {"last", "mean", "last_mean", "all"}, default="last_mean"
        How the outputs of the encoder are pooled for the bottleneck: the last output, the mean of
        all outputs over the frames of the sequence, or both. "all" is last, mean, maximum, minimum
        and standard deviation. Values other than the default require ``bottleneck="dense"``.

    activation : {"tanh", "relu"}, default="tanh"
        Activation of the LSTM cells. "relu" is unbounded and may diverge; `fit` warns.

    decoder_start : {"input", "state", "input_state"}, default="input_state"
        How the code enters the decoder: as an input at each frame, as the initial state, or both.

    conditional : bool, default=False
        Whether decoders also read the previous frame. After training, this is the frame that the
        decoder has just output (autoregressive decoding). In training, it is the true frame three
        quarters of the time and the decoder's output otherwise (scheduled sampling, Bengio et
        al. 2015).

    reverse_target : bool, default=True
        Whether the reconstructing decoder outputs the sequence in reverse. Srivastava et al. (2015,
        section 2.2) found this easier to learn. Methods return sequences in their original order.

    time_encoding : bool, default=True
        Whether decoders also read the position of the current frame, as sines and cosines (Vaswani
        et al. 2017).

    objective : {"reconstruct", "predict", "composite"}, default="reconstruct"
        What is decoded from the code: the sequence itself, the steps that follow, or both.
        "composite" has two decoders on one encoder (Srivastava et al. 2015, sections 2.2 to 2.4).

    horizon : int or None, default=None
        Number of future steps to predict. During training, the encoder reads all but the last
        ``horizon`` steps of a sequence, and the predicting decoder learns to output those. If None,
        the encoder reads all T steps and the decoder learns to output steps 2 to T, as in most
        tutorials. Only allowed with objectives "predict" and "composite".

    prediction_weight : float, default=0.5
        Weight of the prediction in the loss, between 0 and 1; the reconstruction has the remaining
        weight. Values other than the default require ``objective="composite"``.

    loss : {"mse", "mae", "huber"}, default="mse"
        Error of a scaled value: squared, absolute, or Huber's with delta 1.

    summary_weight : float, default=0.3
        Weight of a second target in the loss, a summary of the sequence. The summary consists of
        statistics that depend on the shapes in a sequence, but hardly on where they occur. In
        training, a linear layer predicts the summary from the code, which forces the code to
        represent which shapes occur and how often. This usually improves classification and
        clustering of the codes, and makes reconstructions slightly worse (benchmarks/README.md,
        "Quality"). 0 trains a pure autoencoder.

        The summary is computed once per sequence, from the scaled input of the encoder. Fixed
        convolution kernels are applied to each feature, and a statistic is the share of steps at
        which the output of a kernel is above a threshold (MiniRocket, Dempster et al. 2021). The
        statistics are reduced to at most 32 principal components. The mean squared error with which
        the linear layer predicts these is the second term of the loss. If all sequences are shorter
        than a kernel, which has 9 steps, there is no summary. After training, the linear layer is
        not used.

    kl_weight : float, default=0.0
        If above 0, the autoencoder is variational (Kingma and Welling 2014). In training, a code is
        drawn from a normal distribution that the encoder outputs, and `transform` returns its mean.
        The divergence of this distribution from the standard normal, in nats per observed value, is
        multiplied by ``kl_weight`` and added to the loss. With ``loss="mse"`` and
        ``summary_weight=0``, a weight of 2.0 corresponds to the evidence lower bound of that paper
        for a Gaussian decoder with unit variance. Values above 0 need ``bottleneck="dense"``.

    scaling : {"feature", "sequence"} or None, default="feature"
        How values are scaled before the network reads them.

        - "feature": each feature is standardized by the mean and deviation of its observed values
          in `fit`.
        - "sequence": each sequence is standardized by its own mean and deviation per feature. These
          are appended to the code as 2 F columns (means, then logarithms of deviations), so that
          `inverse_transform` restores the level and scale of each sequence, up to the rounding of a
          code to float32. A feature that is constant in a sequence, up to rounding, has no usable
          deviation there. It is divided by its ``scale_`` instead.
        - None: values are read as they are.

    missing : {"error", "mask"}, default="error"
        How NaN is treated.

        - "error": NaN raises an error.
        - "mask": NaN is a missing value, which enters neither the loss nor a score. The network
          also reads which values are missing. In an array, steps at the end of a sequence that are
          NaN in all features are padding.

    append_states : bool, default=False
        Whether `transform` appends the states: four statistics of each output unit of the encoder's
        last LSTM layer, namely its mean, deviation, maximum and minimum over the frames of the
        sequence. A bidirectional layer of U units adds 8 U columns. These columns usually raise the
        accuracy of linear classifiers and improve the Mahalanobis distances of
        `LSTMAutoencoderDetector`, but not Euclidean distances, as in k-means. Training does not
        depend on this parameter, and `inverse_transform` ignores these columns.

    epochs : int, default=100
        Number of passes over the training sequences.

    learning_rate : float, default=3e-3
        Peak learning rate. The rate rises to it over the first twentieth of all minibatches, then
        falls to zero along half a cosine.

    batch_size : int or "auto", default="auto"
        Number of sequences per minibatch. "auto" is 32 with 320 or more training sequences. With
        fewer, it is the largest power of two that is at most a tenth of the number of training
        sequences, but at least 4. Smaller minibatches give each epoch more updates.

    optimizer : {"adadelta", "adagrad", "adam", "adamax", "adamw", "lion", "rmsprop", "sgd"}, \
default="adam"
        Name of the Keras optimizer. Only optimizers that update each weight independently of the
        other weights are available.

    clipnorm : float or None, default=1.0
        Maximum norm of the gradient of a minibatch with respect to all weights together. Gradients
        with a larger norm are scaled down to it. If None, gradients are not clipped.

    dropout : float, default=0.0
        Share of the inputs of LSTM layers that is dropped in training.

    noise : float, default=0.0
        Standard deviation of Gaussian noise, in scaled units, that is added in training to what the
        encoder reads. The target has no noise (a denoising autoencoder).

    early_stopping : bool, default=False
        Whether to set part of the sequences aside and to stop training when the loss on them no
        longer falls. The weights of the best epoch are kept.

    validation_fraction : float, default=0.1
        Share of the sequences to set aside for early stopping, between 0 and 1. Only used if
        ``early_stopping`` is True.

    patience : int, default=10
        Number of epochs without a better validation loss after which training stops. Only used if
        ``early_stopping`` is True.

    random_state : int, RandomState instance or None, default=None
        Determines initial weights, the order of sequences, dropout, noise and the validation part.
        Pass an int for reproducible results across multiple calls of `fit`. Global random states
        are neither read nor changed.

    verbose : int, default=0
        Verbosity: 0 is silent, 1 shows one progress line, 2 prints one line per epoch.

    warm_start : bool, default=False
        Whether `fit` starts from the fitted weights, if there are any. The learning rate rises and
        falls again, as in the first fit. ``mean_`` and ``scale_`` are computed from the new
        sequences alone, because their level and scale may differ from those of the earlier ones.
        The number of features must not change, nor may the parameters of the network group (listed
        first), ``objective`` or ``missing``; ``kl_weight`` must stay 0 or stay above 0.
        ``patch_size="auto"`` keeps the fitted patch size. The optimizer continues from
        ``optimizer_state_``, unless that is None, ``optimizer`` has changed, or the summary was
        switched on or off.

    checkpoint_dir : str, path-like or None, default=None
        Folder in which `fit` writes a checkpoint after each epoch; it is created if necessary. A
        checkpoint has checksums and is written completely or not at all. The last two checkpoints
        are kept, and those of an earlier fit are replaced. Only one fit at a time may use a folder;
        this is not checked on systems without ``flock``, such as Windows. Checkpoints cost some
        time: each epoch is a separate call of TensorFlow, and X is read once more for a checksum.

    resume : bool, default=False
        Whether `fit` continues from the last checkpoint in ``checkpoint_dir``, if there is one. The
        result is identical, bit for bit, to that of an uninterrupted `fit`. All parameters that
        affect training, the sequences, the seed and the package versions must be those of the
        interrupted fit. With ``random_state=None``, the seed is read from the checkpoint.
        ``epochs`` must not change, either; to train longer, use ``warm_start`` after the fit.

    Attributes
    ----------
    weights_ : list of ndarray, float32
        Weights of encoder and decoders.

    optimizer_state_ : dict or None
        State from which the next warm start or `partial_fit` continues: the variables of the
        optimizer, the seed, the numbers of epochs and minibatches so far and, with
        ``summary_weight``, the summary layer and the definition of its statistics. It is about
        twice as large as ``weights_``. None after a `fit` without ``warm_start``.

    history_ : dict of lists of float
        Losses of each epoch. A warm start and `partial_fit` append to the lists. NaN marks epochs
        in which a loss was not computed, for example "val_loss" without ``early_stopping``. The
        keys are

        - "loss": the training loss;
        - "reconstruct_loss", "predict_loss", "kl_loss": its parts, if the network has them;
        - "summary_loss", with ``summary_weight``: the loss of the summary. A value of about 1 is no
          better than predicting the mean of each statistic;
        - "val_loss", with ``early_stopping``: the loss of the decoders on the validation part.

    n_epochs_ : int
        Number of epochs that were run, including those before a warm start or `partial_fit`.

    best_epoch_ : int
        Epoch, counted from 1, from which ``weights_`` are taken.

    loss_ : float
        Loss of the decoders of the fitted model on the training sequences of the last `fit` or
        `partial_fit`, without dropout and noise.

    baseline_loss_ : float
        Loss of predicting the mean of each feature: its mean in `fit`, or with
        ``scaling="sequence"`` that in each sequence.

    mean_, scale_ : ndarray of shape (F,)
        Mean and deviation of the observed values of each feature in `fit`. With
        ``scaling="feature"``, values are standardized by them; if a feature is constant up to
        rounding, its ``scale_`` is 1 or its deviation, whichever is larger. With
        ``scaling="sequence"``, ``scale_`` replaces the deviation of a feature that is constant in a
        sequence. ``scale_`` is then a tenth of the smallest deviation of the feature over the
        sequences of `fit` in which it is not constant. If it is constant in all sequences,
        ``scale_`` is 1. With ``scaling=None``, ``scale_`` is 1.

    var_, n_observed_ : ndarray of shape (F,)
        Variance and number of the observed values of each feature.

    n_timesteps_ : int
        Length of the longest sequence in `fit`, or in all calls of `partial_fit`.

    configuration_ : dict
        Settings that the fitted model works with. A later ``set_params`` does not change them.

    n_features_in_ : int
        Number of features seen during `fit`: T for X of shape (N, T), otherwise F.

    feature_names_in_ : ndarray of str
        Names of features seen during `fit`. Defined only when X has feature names that are all
        strings.

    See Also
    --------
    LSTMAutoencoderDetector : Find outliers among sequences.
    LSTMAutoencoderClassifier : Classify sequences when only few of them have labels.
    sliding_windows : Cut a long record into sequences of equal length.
    latent_importance : How much each column of a code depends on each step and feature.
    sklearn.decomposition.PCA : Linear codes, for complete sequences of equal length.

    Notes
    -----
    TensorFlow is used for training only. The fitted model computes with NumPy.

    *Reproducibility.* The code of a sequence is identical, bit for bit, regardless of the other
    rows, the padding and the number of threads. Two fits with the same integer seed give identical
    weights on the same machine with the same number of TensorFlow threads. On another machine,
    codes of the same fitted model agree to about 1e-5, but refitting may give a different model.

    *Compilation.* A network is compiled once per process for each architecture, loss and optimizer,
    and again if dropout, noise, clipping, the summary or the divergence (``kl_weight`` above 0) is
    switched on or off. Other changes of ``dropout``, ``noise``, ``clipnorm``, ``learning_rate``,
    ``kl_weight``, ``summary_weight`` or ``prediction_weight`` do not trigger a new compilation. All
    threads, and all folds of a cross-validation in the same process, share the compiled network.
    Short fits run as a plain TensorFlow graph, long ones are compiled with XLA. XLA compiles again
    for each new combination of batch size and number of frames of the longest sequence. This takes
    one to two seconds each time, and makes each minibatch 1.3 to 5 times as fast, small ones of
    small layers most. Both use as many threads as TensorFlow is configured to use
    (``TF_NUM_INTRAOP_THREADS``); joblib's worker processes use as many as joblib allows. Training
    runs on the CPU, even if TensorFlow sees a GPU. If the environment variable
    ``SKLEARN_LSTMAE_CACHE`` names a folder, networks compiled with XLA are stored there, and later
    processes load them.

    *Stores.* Several threads read a memory map at the same time. Any other store is read by one
    thread at a time. Computing a lazy store may itself call methods of fitted estimators, for
    example if X is a Dask array that `distributed.transform` returned. This does not cause a
    deadlock.

    *Sample weights.* There is no ``sample_weight``. scikit-learn requires a weight of 2 to be
    equivalent to repeating the sample, which training with minibatches cannot guarantee.

    References
    ----------
    Dempster, Schmidt, Webb: "MiniRocket: A Very Fast (Almost) Deterministic Transform for Time
    Series Classification", KDD 2021.

    Srivastava, Mansimov, Salakhutdinov: "Unsupervised Learning of Video Representations using
    LSTMs", ICML 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_lstmae import LSTMAutoencoderTransformer
    >>> X = np.sin(np.linspace(0, 6, 20) + np.arange(50)[:, np.newaxis])
    >>> autoencoder = LSTMAutoencoderTransformer(latent_dim=2, epochs=2, random_state=0)
    >>> codes = autoencoder.fit_transform(X)
    >>> codes.shape
    (50, 2)
    >>> autoencoder.inverse_transform(codes).shape
    (50, 20)
    """

    weights_: list[npt.NDArray[np.float32]]
    optimizer_state_: dict[str, Any] | None
    history_: dict[str, list[float]]
    n_epochs_: int
    best_epoch_: int
    loss_: float
    baseline_loss_: float
    mean_: npt.NDArray[np.float64]
    scale_: npt.NDArray[np.float64]
    var_: npt.NDArray[np.float64]
    n_observed_: npt.NDArray[np.int64]
    n_timesteps_: int
    configuration_: dict[str, Any]
    n_features_in_: int
    feature_names_in_: npt.NDArray[np.object_]

    _parameter_constraints = {
        "latent_dim": [positive_int],
        "patch_size": [positive_int, StrOptions({"auto"})],
        "hidden_units": [tuple, list],
        "bidirectional": ["boolean"],
        "bottleneck": [StrOptions({"dense", "hidden", "cell", "hidden_cell"})],
        "pooling": [StrOptions(set(POOLINGS))],
        "activation": [StrOptions({"tanh", "relu"})],
        "decoder_start": [StrOptions({"input", "state", "input_state"})],
        "conditional": ["boolean"],
        "reverse_target": ["boolean"],
        "time_encoding": ["boolean"],
        "objective": [StrOptions(set(OBJECTIVES))],
        "horizon": [positive_int, None],
        "prediction_weight": [Interval(Real, 0, 1, closed="neither")],
        "loss": [StrOptions(set(LOSSES))],
        "summary_weight": [not_negative],
        "kl_weight": [not_negative],
        "scaling": [StrOptions({"feature", "sequence"}), None],
        "missing": [StrOptions({"error", "mask"})],
        "append_states": ["boolean"],
        "epochs": [positive_int],
        "learning_rate": [positive],
        "batch_size": [positive_int, StrOptions({"auto"})],
        "optimizer": [StrOptions(set(MEMORIES))],
        "clipnorm": [positive, None],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "noise": [not_negative],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "patience": [positive_int],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "checkpoint_dir": [str, PathLike, None],
        "resume": ["boolean"],
    }  # fmt: skip

    def __init__(
        self,
        latent_dim: int = 16,
        *,
        patch_size: int | Literal["auto"] = "auto",
        hidden_units: tuple[int, ...] | list[int] = (64,),
        bidirectional: bool = True,
        bottleneck: Literal["dense", "hidden", "cell", "hidden_cell"] = "dense",
        pooling: Literal["last", "mean", "last_mean", "all"] = "last_mean",
        activation: Literal["tanh", "relu"] = "tanh",
        decoder_start: Literal["input", "state", "input_state"] = "input_state",
        conditional: bool = False,
        reverse_target: bool = True,
        time_encoding: bool = True,
        objective: Literal["reconstruct", "predict", "composite"] = "reconstruct",
        horizon: int | None = None,
        prediction_weight: float = 0.5,
        loss: Literal["mse", "mae", "huber"] = "mse",
        summary_weight: float = 0.3,
        kl_weight: float = 0.0,
        scaling: Literal["feature", "sequence"] | None = "feature",
        missing: Literal["error", "mask"] = "error",
        append_states: bool = False,
        epochs: int = 100,
        learning_rate: float = 3e-3,
        batch_size: int | Literal["auto"] = "auto",
        optimizer: Literal[
            "adadelta", "adagrad", "adam", "adamax", "adamw", "lion", "rmsprop", "sgd"
        ] = "adam",
        clipnorm: float | None = 1.0,
        dropout: float = 0.0,
        noise: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        warm_start: bool = False,
        checkpoint_dir: str | PathLike[str] | None = None,
        resume: bool = False,
    ) -> None:
        self.latent_dim = latent_dim
        self.patch_size = patch_size
        self.hidden_units = hidden_units
        self.bidirectional = bidirectional
        self.bottleneck = bottleneck
        self.pooling = pooling
        self.activation = activation
        self.decoder_start = decoder_start
        self.conditional = conditional
        self.reverse_target = reverse_target
        self.time_encoding = time_encoding
        self.objective = objective
        self.horizon = horizon
        self.prediction_weight = prediction_weight
        self.loss = loss
        self.summary_weight = summary_weight
        self.kl_weight = kl_weight
        self.scaling = scaling
        self.missing = missing
        self.append_states = append_states
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.clipnorm = clipnorm
        self.dropout = dropout
        self.noise = noise
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.verbose = verbose
        self.warm_start = warm_start
        self.checkpoint_dir = checkpoint_dir
        self.resume = resume

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit encoder and decoder to sequences.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        y : Ignored
            Not used, present here for API consistency by convention.

        Returns
        -------
        self : LSTMAutoencoderTransformer
            Fitted estimator.

        Raises
        ------
        ValueError
            If X is not a set of sequences of numbers; if parameters contradict each other; if the
            loss or the weights become infinite or NaN; if ``resume`` finds a checkpoint of another
            fit or only damaged ones; if ``warm_start`` finds another network. After any error, the
            estimator is as it was before the call.

        TypeError
            If X contains times, categories or other values that are not numbers, or is sparse.

        ImportError
            If TensorFlow is not installed.

        OSError
            If ``checkpoint_dir`` cannot be written to.

        RuntimeError
            If another fit is using ``checkpoint_dir``.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If the fit is no better than predicting the mean, or if the validation loss was still
            falling at the end of a fit with ``early_stopping``.

        UserWarning
            If the last checkpoint is damaged, so that the one before it is used; if all sequences
            have one step, which looks like swapped axes; if ``activation`` is "relu".
        """
        check_parameters(self)
        with (
            open_checkpoints(self.checkpoint_dir) as checkpoints,
            learning_aside(self) as learner,
            FitReport(self, learner, self.epochs, X, y) as report,
        ):
            goes_on = self.warm_start and is_fitted(learner)
            n_before = learner.n_epochs_ if goes_on else 0
            names = vars(learner).get("feature_names_in_") if goes_on else None
            sequences = check_sequences(learner, X, missing=self.missing)
            refuse_another_order(learner, names)
            warn_of_single_steps(sequences)
            attributes = learn(learner, sequences, report, goes_on=goes_on, checkpoints=checkpoints)
            warn_of_outcome(self, attributes, attributes["n_epochs_"] - n_before)
            learner.__dict__.update(attributes)
            report.finish()
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Continue training with one pass over further sequences.

        The first call may follow a `fit`, or begin without one. ``learning_rate`` is constant,
        because the number of calls is not known. After a `fit`, whose rate ended near zero, choose
        a small one, such as 1e-4. The optimizer continues where the last call ended. ``epochs``,
        ``patience`` and checkpoints are not used.

        Before the pass, ``mean_`` and ``scale_`` are updated to those of all sequences so far. The
        network adapts to the new scaling in this pass and the next ones. They change most in the
        first calls, so begin with typical sequences, or with `fit`.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences, with the same features as before.

        y : Ignored
            Not used, present here for API consistency by convention.

        Returns
        -------
        self : LSTMAutoencoderTransformer
            Fitted estimator.

        Raises
        ------
        ValueError, TypeError, ImportError
            As in `fit`; also a ValueError if X or the parameters do not agree with the fitted
            model, or if ``early_stopping`` is True. The estimator is then as it was before the
            call.
        """
        validate_parameters(self)  # scikit-learn does so before the first call only
        check_parameters(self)
        check_one_pass(self)
        with learning_aside(self) as learner, FitReport(self, learner, 1, X, y) as report:
            goes_on = is_fitted(learner)
            fitted = fitted_model(learner).spec if goes_on else None
            sequences = check_sequences(learner, X, missing=self.missing, fitted=fitted)
            attributes = learn(learner, sequences, report, goes_on=goes_on, one_pass=True)
            learner.__dict__.update(attributes)
            report.finish()
        return self

    if TYPE_CHECKING:  # scikit-learn, which defines it, has no types

        def fit_transform(  # noqa: D102
            self, X: Any, y: Any = None, **fit_params: Any
        ) -> npt.NDArray[np.float32]: ...

    def transform(self, X: Any) -> npt.NDArray[np.float32]:
        """Encode sequences.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences. Their lengths may differ from those in `fit`, except in the layout
            (N, T), where scikit-learn requires the same T.

        Returns
        -------
        codes : ndarray of shape (N, L), float32
            The codes. L is ``latent_dim``, or twice that with ``bottleneck="hidden_cell"``.
            ``scaling="sequence"`` appends 2 F columns, and ``append_states`` then four columns for
            each output of the encoder's last layer.
        """
        model = fitted_model(self)
        return model.encode(model.read(self, X))

    @of_one_model
    def inverse_transform(self, Z: npt.ArrayLike, lengths: npt.ArrayLike | None = None) -> Any:
        """Decode codes.

        Parameters
        ----------
        Z : array of shape (N, L)
            Codes, as `transform` returns them.

        lengths : int or array of int of shape (N,), default=None
            Number of steps of each sequence. If None, all have ``n_timesteps_`` steps; with
            ``objective="predict"``, as many as the decoder learned to output.

        Returns
        -------
        sequences : ndarray of shape (N, T) or (N, T, F), float64, or list of (T_i, F)
            The decoded sequences, in the layout and the units of `fit`; a list if lengths differ.
            With ``objective="predict"`` they are the predicted steps. A predicting decoder outputs
            steps after its ``horizon``, too, but has not learned them.

        Raises
        ------
        ValueError
            If Z does not have as many columns as the codes of this model, or contains values that
            are not finite; if ``lengths`` are not ints of at least 1, one for all codes or one for
            each; if a predicting decoder would have to output a frame that is only partly learned.
        """
        model = fitted_model(self)
        with np.errstate(over="ignore"):  # what is too large for float32 is refused as infinite
            codes = check_array(Z, dtype=np.float32, input_name="Z")
        if codes.shape[1] not in (model.n_columns, model.n_decoded):
            raise ValueError(
                f"Z has {codes.shape[1]} columns, but the codes of this "
                f"{type(self).__name__} have {model.n_columns}: pass what transform returns."
            )
        task, n_steps = self._task(model, None), model.n_timesteps
        n_steps = TASKS[task].width(n_steps, model.horizon)
        n_steps = check_lengths(n_steps if lengths is None else lengths, len(codes))  # (N,)
        if TASKS[task].follows:
            check_whole_frames(model, int(n_steps.max()))
        return to_layout(model.decode(codes, n_steps, task), n_steps, model.layout)

    @overload
    def reconstruct(
        self, X: list[Any], task: TaskName | None = None
    ) -> list[npt.NDArray[np.float64]]: ...
    @overload
    def reconstruct(self, X: Any, task: TaskName | None = None) -> npt.NDArray[np.float64]: ...
    @of_one_model
    def reconstruct(self, X: Any, task: TaskName | None = None) -> Any:
        """Encode and decode sequences.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        task : {"reconstruct", "predict"}, default=None
            What to decode. "predict" returns the last ``horizon`` steps, predicted from the steps
            before them, or steps 2 to T with ``horizon=None``. If None, "reconstruct" unless
            ``objective="predict"``.

        Returns
        -------
        sequences : ndarray or list of ndarrays, float64
            The output of the decoder, in the layout and the units of X. A reconstruction has the
            lengths of X. Padding of an array is NaN.

        Raises
        ------
        ValueError, TypeError
            If X does not agree with the sequences of `fit`, or is too short for the ``horizon``; a
            ValueError also if no decoder has learned ``task``.
        """
        model = fitted_model(self)
        task = self._task(model, task)
        reader = model.read(self, X, (task,), as_trained=TASKS[task].follows)
        sequences = reader.sequences
        _, lengths = TASKS[task].span(sequences.lengths, reader.horizon)
        width = TASKS[task].width(sequences.width, reader.horizon)
        result = np.empty((len(reader), width, sequences.n_features))

        def keep(rows, block, outputs):
            original = model.scaling.invert(outputs[task], block.statistics)[:, :width]
            result[rows, : original.shape[1]] = original

        model.coder.map_outputs(reader, keep)
        return like_input(result, lengths, sequences.layout)

    @overload
    def forecast(
        self, X: Any, steps: int | None = None, until: None = None
    ) -> npt.NDArray[np.float64]: ...
    @overload
    def forecast(
        self, X: Any, steps: int, until: Callable[[npt.NDArray[np.float64]], bool | np.bool_]
    ) -> list[npt.NDArray[np.float64]]: ...
    @of_one_model
    def forecast(self, X: Any, steps: Any = None, until: Any = None) -> Any:
        """Predict the steps that follow each sequence.

        The encoder reads all of X.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        steps : int, default=None
            Number of steps H to predict, with ``until`` the largest number. If None, ``horizon``.
            More than ``horizon`` steps need ``conditional=True``.

        until : callable (step) -> bool, default=None
            Function of one predicted step (F,) in original units. The forecast of a sequence ends
            with the first step for which it returns True. It requires ``steps``.

        Returns
        -------
        forecast : ndarray of shape (N, H, F), float64, or list of (H_i, F) with ``until``
            The predicted steps, in original units.

        Raises
        ------
        ValueError
            If the model was fitted with ``objective="reconstruct"`` or without a ``horizon``, or if
            ``steps`` is too large for it.

        See Also
        --------
        label_forecast : A table of the forecast, with the times of its steps.
        """
        model = fitted_model(self)
        steps = check_steps(model, steps, until)
        codes = model.coder.encode(model.read(self, X), dtype=np.float64)
        values = model.decode(codes, np.full(len(codes), steps), "predict")
        return values if until is None else [cut_after(row, until) for row in values]

    @of_one_model
    def errors(
        self, X: Any, per: Per = "sequence", task: TaskName | None = None
    ) -> npt.NDArray[np.float64]:
        """Compute the errors of a decoder: the ``loss`` of scaled values, where observed.

        As in training, the encoder does not read the last ``horizon`` steps.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        per : {"sequence", "step", "feature", "value"}, default="sequence"
            Mean error of each sequence (N,), step (N, T) or feature (N, F), or the error of each
            value (N, T, F).

        task : {"reconstruct", "predict"}, default=None
            Decoder whose errors are computed. If None, "reconstruct" unless
            ``objective="predict"``.

        Returns
        -------
        errors : ndarray, float64
            The errors, in the shape that ``per`` states. NaN for padding, for missing values and
            for steps that the decoder does not output.

        Raises
        ------
        ValueError, TypeError
            As in `reconstruct`; a ValueError also for another value of ``per``.
        """
        model = fitted_model(self)
        task = self._task(model, task)
        reader = model.read(self, X, (task,), as_trained=True)
        if per not in list(AVERAGED):  # a list, since per may be unhashable
            raise ValueError(f"per={per!r} is not one of {list(AVERAGED)}.")
        width = reader.sequences.width
        shape = {"sequence": [], "step": [width], "feature": [reader.sequences.n_features]}
        shape["value"] = shape["step"] + shape["feature"]
        result = np.full([len(reader), *shape[per]], np.nan)

        def keep(rows, block, outputs):
            target = block.targets[task]
            difference = np.subtract(target.values, outputs[task], dtype=np.float64)
            part = errors(difference, target.mask, model.loss, per)
            if per == "step":
                part = put(part[:, :, np.newaxis], block.starts[task], width)[:, :, 0]
            elif per == "value":
                part = put(part, block.starts[task], width)
            result[rows] = part

        model.coder.map_outputs(reader, keep)
        return result

    @of_one_model
    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the negated mean error of each sequence.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        Returns
        -------
        scores : ndarray of shape (N,), float64
            The higher, the more similar to the sequences of `fit`; at most 0. NaN if all values
            that the decoder should output are missing.
        """
        return -self.errors(X)

    @of_one_model
    def score(self, X: Any, y: Any = None) -> float:
        """Return the explained variance of the reconstruction.

        With ``objective="predict"`` it is that of the prediction.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        y : Ignored
            Not used, present here for API consistency by convention.

        Returns
        -------
        score : float
            1 - (sum of squared errors) / (sum of squared deviations from the means in `fit`), over
            scaled, observed values, as in `sklearn.metrics.r2_score`. 1 is perfect, 0 is no better
            than predicting the mean. With ``scaling="sequence"``, the means are those of each
            sequence, so that such scores cannot be compared with those of another ``scaling``.
        """
        model = fitted_model(self)
        reader = model.read(self, X, (self._task(model, None),), as_trained=True)
        losses = model.coder.mean_losses(reader, "mse", model.scaling.center)
        return explained_variance(*(float(loss[0]) for loss in losses))

    @of_one_model
    def to_keras(
        self, part: Literal["encoder", "decoder", "predictor", "autoencoder"] = "encoder"
    ) -> Any:
        """Build a plain Keras model with the fitted weights.

        It consists of ``keras.layers`` and ``keras.ops`` only, so that its file opens without this
        package.

        Scaling is not part of the model. It reads and outputs scaled values: ``(x - mean_) /
        scale_`` with ``scaling="feature"``, x itself with None, and with "sequence" x standardized
        by the mean and deviation that `transform` appends to the code. With ``missing="mask"`` a
        missing value is NaN in x.

        Parameters
        ----------
        part : {"encoder", "decoder", "predictor", "autoencoder"}, default="encoder"
            Part of the network.

            - "encoder" reads x (n, T, F) and a mask (n, T), which is true for real steps and false
              for padding on the right. With ``append_states`` its output includes the statistics of
              the states.
            - "decoder" and "predictor" read codes z (n, L) and a mask of the steps to output. With
              ``conditional=True`` they output at most ``n_timesteps_`` steps.
            - "autoencoder" reads x and mask, and contains the others as named sub-models. With two
              decoders its output is a dict.

        Returns
        -------
        model : keras.Model
            A new model, which shares nothing with the estimator.

        See Also
        --------
        export_onnx : A file that runs without Python, with scaling inside.
        keras_models.classifier_fn : Supervised Keras models that start from the encoder.
        """
        model = fitted_model(self)
        from sklearn_lstmae.network.in_keras import build_model, parts_of

        if part not in parts_of(model.architecture):
            raise ValueError(
                f"part={part!r} is not one of {parts_of(model.architecture)}, the parts of a "
                f"network with decoders {list(model.architecture.decoders)}."
            )
        return build_model(
            model.architecture, model.weights, part, model.n_timesteps, model.append_states
        )

    @of_one_model
    def get_feature_names_out(
        self, input_features: npt.ArrayLike | None = None
    ) -> npt.NDArray[np.object_]:
        """Get output feature names for transformation.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input features, checked against those seen during `fit`. With
            ``scaling="sequence"`` and 3-D X they name the appended columns.

        Returns
        -------
        feature_names_out : ndarray of str
            "lstmautoencodertransformer0", ... for the columns of the code. ``scaling="sequence"``
            appends "mean_x0", ..., "log_deviation_x0", ... and ``append_states`` appends
            "lstmautoencodertransformer_mean_0", ... and so on for "deviation", "maximum" and
            "minimum".
        """
        check_is_fitted(self)
        names = check_feature_names_in(self, input_features)
        columns = super().get_feature_names_out(input_features)
        model, appended = fitted_model(self), []
        if model.scaling.kind == "sequence":
            features = ["x0"] if model.layout == "2d" else names
            appended += [f"{what}_{f}" for what in ("mean", "log_deviation") for f in features]
        if model.append_states:
            prefix, n_outputs = (
                type(self).__name__.lower(),
                model.encoder.states_width // len(STATES),
            )
            appended += [f"{prefix}_{kind}_{i}" for kind in STATES for i in range(n_outputs)]
        return np.concatenate([columns, np.asarray(appended, dtype=object)])

    def __sklearn_tags__(self):
        """Sequences in 2-D or 3-D; NaN with ``missing="mask"`` only."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self.missing == "mask"
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def _n_features_out(self):
        return fitted_model(self).architecture.code_width

    def _task(self, model, task):
        """The task that a method should use, its main one by default."""
        tasks = model.architecture.decoders
        if task is not None and task not in tasks:
            raise ValueError(
                f"task={task!r} is not one of {list(tasks)}, what this "
                f"{type(self).__name__} has learned to decode: choose its objective accordingly."
            )
        return tasks[0] if task is None else task


# scikit-learn's `set_output` wraps these, and names columns afterwards: of one model.
LSTMAutoencoderTransformer.transform = of_one_model(  # type: ignore[method-assign]
    LSTMAutoencoderTransformer.transform
)
LSTMAutoencoderTransformer.fit_transform = of_one_fit(  # type: ignore[method-assign]
    LSTMAutoencoderTransformer.fit_transform
)


class OptionalAutoencoderMixin:
    """Parameters of an estimator whose ``autoencoder`` is one with defaults where it is None."""

    autoencoder: Any
    _defaults: ClassVar[dict[str, Any]] = {}  # of that autoencoder, where others are better here

    @property
    def _autoencoder(self):
        if self.autoencoder is None:
            return LSTMAutoencoderTransformer(**self._defaults)
        return self.autoencoder

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of this estimator and of its autoencoder.

        Parameters
        ----------
        **params : dict
            Parameters by name, those of the autoencoder as ``autoencoder__<name>``. If one of them
            is given and ``autoencoder`` is None, it is first set to the autoencoder that None
            stands for.

        Returns
        -------
        self : estimator
            Estimator instance.
        """
        is_default = params.get("autoencoder", self.autoencoder) is None
        if is_default and any(name.startswith("autoencoder__") for name in params):
            params["autoencoder"] = LSTMAutoencoderTransformer(**self._defaults)
        return super().set_params(**params)  # type: ignore[misc]


def transformer_within(frozen: FrozenEstimator) -> LSTMAutoencoderTransformer:
    """The fitted transformer that a FrozenEstimator holds, as it is now.

    Raises
    ------
    ValueError
        If it holds something else, or a parameter of the transformer breaks its constraint.

    NotFittedError
        If the transformer is not fitted.
    """
    model = unfrozen(frozen)
    if not isinstance(model, LSTMAutoencoderTransformer):
        raise ValueError(
            "autoencoder is a FrozenEstimator of a "
            f"{type(model).__name__}: freeze a fitted LSTMAutoencoderTransformer."
        )
    check_is_fitted(model)
    model = snapshot(model)
    validate_parameters(model)
    return model
