"""LSTMAutoencoderTransformer: sequences to vectors and back."""

from numbers import Real
from os import PathLike
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
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
    check_lengths,
    check_steps,
    check_whole_frames,
    cut_after,
)
from sklearn_lstmae.fitting.checkpoints import open_checkpoints
from sklearn_lstmae.fitting.in_one_step import learning_aside, of_one_fit, of_one_model
from sklearn_lstmae.fitting.learn_autoencoder import learn
from sklearn_lstmae.fitting.model import fitted_model
from sklearn_lstmae.fitting.outcome import warn_of_outcome
from sklearn_lstmae.fitting.parameters import check_one_pass, check_parameters
from sklearn_lstmae.fitting.reports import CallbackSupportMixin, FitReport
from sklearn_lstmae.network.wiring import POOLINGS, STATES
from sklearn_lstmae.sequences.batch import like_input, to_layout
from sklearn_lstmae.sequences.frames import put
from sklearn_lstmae.sequences.scoring import AVERAGED, errors, explained_variance
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

    An encoder reads a sequence and makes a vector of it, the code; a decoder rebuilds the
    sequence from the code alone. Both are trained together to rebuild the sequences of ``fit``.
    ``transform`` returns the codes, so that anything that works on vectors works on sequences.

    Sequences may be univariate or multivariate, of equal or unequal length; ``X`` is one of

    - array or DataFrame of shape (N, T): N univariate sequences, one a row;
    - array of shape (N, T, F), a memory map included: N sequences of T steps and F features;
    - list of N arrays or DataFrames of shape (T_i, F), or of 1-D arrays: each of its own length.

    Parameters
    ----------
    latent_dim : int, default=16
        Width L of the bottleneck.

    patch_size : int or "auto", default="auto"
        Consecutive steps P that are joined to one frame, which an LSTM reads and says at once.
        Longer frames make long sequences train, and cost less. "auto" is 1 up to some 48 steps
        and about T / 32 beyond, T the longest sequence of ``fit``. Lengths, masks and errors are
        per step all the same.

    hidden_units : tuple of int, default=(64,)
        Widths of the encoder's LSTM layers, first to last; the decoder mirrors them.

    bidirectional : bool, default=True
        The layers of ``hidden_units`` in the encoder read both ways.

    bottleneck : {"dense", "hidden", "cell", "hidden_cell"}, default="dense"
        "dense": a linear layer over the pooled outputs of the encoder. Otherwise one more LSTM
        of ``latent_dim`` units, one way, whose last hidden state, cell state or both (2 L
        columns) are the code; the decoder then begins with an LSTM of ``latent_dim`` units.
        ``hidden_units=()`` with "hidden", ``decoder_start="input"``, ``time_encoding=False``,
        ``reverse_target=False`` and ``summary_weight=0`` is the network of most tutorials.

    pooling : {"last", "mean", "last_mean", "all"}, default="last_mean"
        Input of a dense bottleneck: the last outputs of the encoder, their mean over the frames of
        the sequence, or both. "all" is last, mean, maximum, minimum and deviation.

    summary_weight : float, default=0.3
        Weight of a second target in training. A linear layer must output, from the code alone,
        statistics of the sequence that hardly change when a shape occurs elsewhere in it, so that
        codes tell which shapes there are and how often, not only where. The statistics are shares
        of positive outputs of fixed convolution kernels, computed once, feature by feature, from
        the scaled values that the encoder reads (MiniRocket, Dempster et al. 2021), brought to at
        most 32 principal components. The error is squared. Above 0, codes mostly classify and
        cluster better, and reconstruct a little less (benchmarks/README.md, "Quality"). 0 is a pure
        autoencoder, and so is any weight where all sequences are shorter than the kernels, 9 steps.
        Only `fit` and `partial_fit` need the layer and the statistics; `transform` is the same
        network with any weight.

    objective : {"reconstruct", "predict", "composite"}, default="reconstruct"
        What is decoded from the code: the sequence itself, what comes next, or both, by two
        decoders on one encoder (Srivastava et al. 2015, sections 2.2 to 2.4).

    horizon : int or None, default=None
        Of "predict" and "composite": in training the encoder does not see the last ``horizon``
        steps of a sequence, and the predicting decoder should say them. None: the encoder sees
        all T steps, and the decoder should say steps 2 to T, as tutorials have it.

    prediction_weight : float, default=0.5
        Share of the prediction in the loss of "composite".

    conditional : bool, default=False
        Decoders also read the frame that they said before. In training it is the true one, and
        a quarter of the time their own (scheduled sampling, Bengio et al. 2015), so that training
        resembles inference, where it is always their own.

    reverse_target : bool, default=True
        The reconstructing decoder says the sequence backwards, which makes learning easier
        (Srivastava et al. 2015, section 2.2). Methods return sequences forwards.

    decoder_start : {"input", "state", "input_state"}, default="input_state"
        How the code enters the decoder: as an input at each step, as the initial state, or both.

    time_encoding : bool, default=True
        The decoder is told at which frame it is (sines and cosines, Vaswani et al. 2017).

    dropout : float, default=0.0
        Share of the inputs of LSTM layers that is dropped in training.

    noise : float, default=0.0
        Standard deviation of Gaussian noise that is added in training to what the encoder reads,
        in units of the scaled values; the target stays clean (a denoising autoencoder).

    kl_weight : float, default=0.0
        Above 0 a dense bottleneck is variational: in training a code is drawn from a normal
        distribution that the encoder describes, and the divergence of that from the standard
        normal, in nats per observed value, counts this much beside the loss (Kingma and Welling
        2014; 2.0 with "mse" is their bound for a unit variance of the values). Codes are the
        means.

    activation : {"tanh", "relu"}, default="tanh"
        Of the LSTM cells. "relu" is unbounded and may diverge, as a warning says.

    loss : {"mse", "mae", "huber"}, default="mse"
        Error of a scaled value: squared, absolute, or Huber's with delta 1.

    append_states : bool, default=False
        `transform` appends to each code the mean, deviation, maximum and minimum, over the frames
        of the sequence, of each output of the encoder's last LSTM layer: 8 U columns for a two-way
        layer of U units. Training does not depend on it, and `inverse_transform` ignores these
        columns. Use it ahead of a linear classifier, whose accuracy it raises; distances, as in
        k-means, are not improved by so many columns.

    scaling : {"feature", "sequence"} or None, default="feature"
        "feature": each feature is brought to mean 0 and deviation 1 by the observed values of
        ``fit``. "sequence": each sequence is, by its own mean and deviation per feature, which
        are appended to the code as 2 F further columns (means, log-deviations), so that the
        inverse is exact up to the rounding of a code to float32. The deviation of a sequence that
        is constant up to rounding counts as a tenth of the smallest deviation of a sequence of
        ``fit``, so that a constant sequence is the least lively in any unit. None: values enter as
        they are.

    missing : {"error", "mask"}, default="error"
        "error": NaN is refused. "mask": NaN is a missing value, which enters neither the loss
        nor a score and of which the network is told; steps at the end of a row of an array that
        are NaN throughout are padding.

    optimizer : str, default="adam"
        One of Keras' optimizers that work element by element: "adadelta", "adagrad", "adam",
        "adamax", "adamw", "lion", "rmsprop", "sgd".

    learning_rate : float, default=3e-3
        Peak of the learning rate, reached after the first twentieth of all minibatches; from
        there it falls to zero in half a cosine.

    clipnorm : float or None, default=1.0
        Longest gradient of a minibatch, all weights together; longer ones are scaled down.

    epochs : int, default=100
        Passes over the training sequences.

    batch_size : int or "auto", default="auto"
        Sequences of a minibatch. "auto" is 32, and for less than 320 sequences to learn from the
        power of two next below a tenth of them, at least 4: few sequences need more steps.

    early_stopping : bool, default=False
        Set part of the sequences aside, stop when the loss on them no longer falls, and keep the
        best weights.

    validation_fraction : float, default=0.1
        The part that ``early_stopping`` sets aside.

    patience : int, default=10
        Epochs without a better validation loss after which ``early_stopping`` stops.

    checkpoint_dir : str, path-like or None, default=None
        A folder, made if need be, that gets a checkpoint after each epoch of `fit`: a file that is
        written whole or not at all and carries checksums. The last two are kept, and they stay
        after `fit`. One fit at a time may use a folder (on systems without ``flock``, such as
        Windows, this is not checked); checkpoints of an earlier fit there are replaced. Each epoch
        is a call of its own then, and X is read once more for a checksum.

    resume : bool, default=False
        Go on from the last checkpoint in ``checkpoint_dir``, if there is one, and end with the
        same bits as a `fit` that was never interrupted. Parameters, sequences, the seed and
        versions must be those of the interrupted fit; with ``random_state=None`` its seed is
        taken. It does not train for more ``epochs`` than that fit had: ``warm_start`` does.

    warm_start : bool, default=False
        `fit` goes on from the fitted weights, if there are any, with a learning rate that rises
        and falls anew. All else is learned from the new sequences, ``mean_`` and ``scale_`` too:
        another machine's level and size need not be those of the first. What makes the network
        must be as before; "auto" keeps the patch size. The optimizer goes on where the last
        warm start or `partial_fit` ended.

    random_state : int, RandomState instance or None, default=None
        Determines initial weights, the order of sequences, dropout, noise and the validation
        part. Global random states are neither read nor changed.

    verbose : int, default=0
        0 is silent, 1 shows one progress line, 2 prints a line an epoch.

    Attributes
    ----------
    weights_ : list of ndarray, float32
        Weights of encoder and decoder.

    optimizer_state_ : dict or None
        With ``warm_start`` and after `partial_fit`, what the next one goes on from: the
        optimizer's variables, the seed, the epochs and minibatches since they began and, with
        ``summary_weight``, the layer and the definition of the statistics. It is about twice as
        large as ``weights_``; any other `fit` drops it.

    history_ : dict of lists of float
        Of each epoch "loss", as seen in training; its parts "reconstruct_loss", "predict_loss"
        and, with ``kl_weight``, "kl_loss", where there are such; "summary_loss" with
        ``summary_weight``, about 1 for a layer that outputs their mean; and "val_loss", that of the
        decoders, with ``early_stopping``. It goes on with a warm start and with `partial_fit`; NaN
        stands for losses that some of the epochs did not have.

    n_epochs_ : int
        Epochs that were run, those before a warm start or `partial_fit` included.

    best_epoch_ : int
        Epoch, from 1, that ``weights_`` are of.

    loss_ : float
        Loss of the decoders of the fitted model on its training sequences, those of the last call,
        without dropout and noise.

    baseline_loss_ : float
        Loss of predicting each feature's mean.

    mean_, scale_ : ndarray of shape (F,)
        Mean and deviation of the observed values of ``fit``, feature by feature, as
        ``scaling="feature"`` uses them. The deviation of a feature that is constant up to rounding
        counts as at least 1. With
        ``scaling="sequence"``, ``scale_`` is what the deviation of a constant sequence counts as:
        a tenth of the smallest deviation of a sequence of ``fit`` that is not constant, 1 if all
        are. It is 1 with None.

    var_, n_observed_ : ndarray of shape (F,)
        Variance and number of the observed values that ``mean_`` is the mean of.

    n_timesteps_ : int
        Longest sequence of ``fit``, or of all calls of `partial_fit`.

    configuration_ : dict
        The settings that the fitted model works with; later ``set_params`` do not change them.

    n_features_in_ : int
        T for X of shape (N, T), else F.

    feature_names_in_ : ndarray of str
        Names of the columns of the DataFrame(s) of ``fit``.

    Notes
    -----
    TensorFlow trains; what is fitted encodes and decodes in NumPy, without TensorFlow. A
    sequence's code does not depend, to the bit, on the other rows, on padding or on the thread;
    two fits with one integer seed give the same weights, to the bit, on one machine with one
    number of TensorFlow threads (elsewhere codes agree to about 1e-5).

    Networks are compiled once in a process for each architecture, loss and optimizer, and for
    whether there is any dropout, noise, clipping or summary; other values of ``dropout``,
    ``noise``, ``clipnorm``, ``learning_rate``, ``kl_weight``, ``summary_weight`` or
    ``prediction_weight``, other rows, folds or threads compile nothing. A training of more than
    some 40,000 steps of LSTM layers is compiled with XLA, once more for each longest length and
    batch size, which takes a few seconds and makes each step two to three times as fast; a shorter
    one runs in TensorFlow's plain graph. The number of threads is TensorFlow's
    (``TF_NUM_INTRAOP_THREADS``) for both; joblib's worker processes use as many as joblib gives
    them.

    An array of shape (N, T, F) that stays where it is, as a memory map or a dataset of h5py does,
    is read block by block, from several threads at once. Reading it may call methods of fitted
    estimators.

    There is no ``sample_weight``: training by minibatches cannot make a weight of 2 equal a
    repeated sample, as scikit-learn demands.

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

    _parameter_constraints = {
        "latent_dim": [positive_int],
        "patch_size": [positive_int, StrOptions({"auto"})],
        "hidden_units": [tuple, list],
        "bidirectional": ["boolean"],
        "bottleneck": [StrOptions({"dense", "hidden", "cell", "hidden_cell"})],
        "pooling": [StrOptions(set(POOLINGS))],
        "summary_weight": [not_negative],
        "objective": [StrOptions(set(OBJECTIVES))],
        "horizon": [positive_int, None],
        "prediction_weight": [Interval(Real, 0, 1, closed="neither")],
        "conditional": ["boolean"],
        "reverse_target": ["boolean"],
        "decoder_start": [StrOptions({"input", "state", "input_state"})],
        "time_encoding": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "noise": [not_negative],
        "kl_weight": [not_negative],
        "activation": [StrOptions({"tanh", "relu"})],
        "loss": [StrOptions({"mse", "mae", "huber"})],
        "append_states": ["boolean"],
        "scaling": [StrOptions({"feature", "sequence"}), None],
        "missing": [StrOptions({"error", "mask"})],
        "optimizer": [
            StrOptions(
                {"adadelta", "adagrad", "adam", "adamax", "adamw", "lion", "rmsprop", "sgd"}
            )
        ],
        "learning_rate": [positive],
        "clipnorm": [positive, None],
        "epochs": [positive_int],
        "batch_size": [positive_int, StrOptions({"auto"})],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "patience": [positive_int],
        "checkpoint_dir": [str, PathLike, None],
        "resume": ["boolean"],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }  # fmt: skip

    def __init__(
        self,
        latent_dim=16,
        *,
        patch_size="auto",
        hidden_units=(64,),
        bidirectional=True,
        bottleneck="dense",
        pooling="last_mean",
        summary_weight=0.3,
        objective="reconstruct",
        horizon=None,
        prediction_weight=0.5,
        conditional=False,
        reverse_target=True,
        decoder_start="input_state",
        time_encoding=True,
        dropout=0.0,
        noise=0.0,
        kl_weight=0.0,
        activation="tanh",
        loss="mse",
        append_states=False,
        scaling="feature",
        missing="error",
        optimizer="adam",
        learning_rate=3e-3,
        clipnorm=1.0,
        epochs=100,
        batch_size="auto",
        early_stopping=False,
        validation_fraction=0.1,
        patience=10,
        checkpoint_dir=None,
        resume=False,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.latent_dim = latent_dim
        self.patch_size = patch_size
        self.hidden_units = hidden_units
        self.bidirectional = bidirectional
        self.bottleneck = bottleneck
        self.pooling = pooling
        self.summary_weight = summary_weight
        self.objective = objective
        self.horizon = horizon
        self.prediction_weight = prediction_weight
        self.conditional = conditional
        self.reverse_target = reverse_target
        self.decoder_start = decoder_start
        self.time_encoding = time_encoding
        self.dropout = dropout
        self.noise = noise
        self.kl_weight = kl_weight
        self.activation = activation
        self.loss = loss
        self.append_states = append_states
        self.scaling = scaling
        self.missing = missing
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.clipnorm = clipnorm
        self.epochs = epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.checkpoint_dir = checkpoint_dir
        self.resume = resume
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Train encoder and decoder on sequences.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        y : ignored
            Not used, present here for API consistency by convention.

        Returns
        -------
        self : LSTMAutoencoderTransformer
            Fitted.

        Raises
        ------
        ValueError
            If X is not a set of sequences, if parameters contradict each other, if loss or
            weights stop being finite, if ``resume`` finds a checkpoint of another fit or no
            intact one, or if ``warm_start`` finds another network. The state of an earlier fit
            is kept, whatever is raised.

        OSError
            If no file can be written to ``checkpoint_dir``.

        RuntimeError
            If another fit uses ``checkpoint_dir``.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If the fit is no better than predicting the mean, or if early stopping
            never stopped.

        UserWarning
            If the last checkpoint is damaged and the one before is used, or if all sequences have
            one step, which looks like swapped axes.
        """
        check_parameters(self)
        with (
            open_checkpoints(self.checkpoint_dir) as checkpoints,
            learning_aside(self) as learner,
            FitReport(self, learner, self.epochs, X, y) as report,
        ):
            goes_on = self.warm_start and is_fitted(learner)
            n_before = learner.n_epochs_ if goes_on else 0
            sequences = check_sequences(learner, X, missing=self.missing)
            warn_of_single_steps(sequences)
            attributes = learn(learner, sequences, report, goes_on=goes_on, checkpoints=checkpoints)
            warn_of_outcome(self, attributes, attributes["n_epochs_"] - n_before)
            learner.__dict__.update(attributes)
            report.finish()
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Go on training with one pass over further sequences, or begin with it.

        The optimizer goes on where the last call ended, at the constant rate ``learning_rate``,
        as the number of calls is not known: after a `fit`, whose rate ended near zero, choose a
        small one. ``epochs``, ``patience`` and checkpoints are of `fit`.
        ``mean_`` and ``scale_`` are those of all sequences so far: they are brought up to date
        with X before the pass, and what the network learned in the units of before it corrects in
        the passes to come. They move most in the first calls, so begin with sequences that are
        like those to come, or with `fit`.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences, with the features of those before.

        y : ignored
            Not used, present here for API consistency by convention.

        Returns
        -------
        self : LSTMAutoencoderTransformer
            Fitted.

        Raises
        ------
        ValueError
            As `fit`; and if X or the parameters do not agree with the fitted model. The state
            of before is kept.
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

    def transform(self, X):
        """Encode sequences.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences; any length but for (N, T), where scikit-learn asks for the T of fit.

        Returns
        -------
        codes : ndarray of shape (N, L), float32
            L is ``latent_dim``; twice that with ``bottleneck="hidden_cell"``; 2 F more with
            ``scaling="sequence"``; and then, with ``append_states``, four times the outputs of the
            encoder's last layer.
        """
        model = fitted_model(self)
        return model.encode(model.read(self, X))

    @of_one_model
    def inverse_transform(self, Z, lengths=None):
        """Decode codes.

        Parameters
        ----------
        Z : array of shape (N, L)
            Codes, as `transform` returns them.

        lengths : int or array of int of shape (N,), default=None
            Steps of each sequence; ``n_timesteps_`` by default.

        Returns
        -------
        sequences : ndarray of shape (N, T) or (N, T, F), float64, or list of (T_i, F)
            In the layout and the units of ``fit``; a list where lengths differ. With
            ``objective="predict"`` what the predicting decoder says, by default as many steps as
            it learned to say.
        """
        model = fitted_model(self)
        with np.errstate(over="ignore"):  # what is too large for float32 is refused as infinite
            Z = check_array(Z, dtype=np.float32, input_name="Z")
        if Z.shape[1] not in (model.n_columns, model.n_decoded):
            raise ValueError(
                f"Z has {Z.shape[1]} columns, but the codes of this "
                f"{type(self).__name__} have {model.n_columns}: pass what transform returns."
            )
        task, n_steps = self._task(model, None), model.n_timesteps
        n_steps = TASKS[task].width(n_steps, model.horizon)
        lengths = check_lengths(n_steps if lengths is None else lengths, len(Z))
        if TASKS[task].follows:
            check_whole_frames(model, int(lengths.max()))
        return to_layout(model.decode(Z, lengths, task), lengths, model.layout)

    @of_one_model
    def reconstruct(self, X, task=None):
        """Encode and decode sequences.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        task : {"reconstruct", "predict"}, default=None
            What to decode; None is "reconstruct", where there is such a decoder. "predict": the
            last ``horizon`` steps, said from the steps before them, or, with ``horizon=None``,
            steps 2 to T.

        Returns
        -------
        sequences : ndarray or list of ndarrays, float64
            In the layout and units of X, and for "reconstruct" in its lengths; NaN on the padding
            of an array.
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

    @of_one_model
    def forecast(self, X, steps=None, until=None):
        """Say what follows sequences, all of which is past.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        steps : int, default=None
            Steps H to say, at most those of ``until``; ``horizon`` by default. More than
            ``horizon`` need ``conditional=True``.

        until : callable (step) -> bool, default=None
            Sees one step (F,) in original units after the other and ends the forecast of its
            sequence after the first step for which it holds. ``steps`` is needed then.

        Returns
        -------
        forecast : ndarray of shape (N, H, F), float64, or list of (H_i, F) with ``until``
            In original units.

        Raises
        ------
        ValueError
            Without a predicting decoder that has learned a ``horizon``.

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
    def errors(self, X, per="sequence", task=None):
        """Errors of a decoder: the ``loss`` of scaled values, over observed ones.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        per : {"sequence", "step", "feature", "value"}, default="sequence"
            Mean errors of each sequence (N,), step (N, T) or feature (N, F), or the errors
            themselves (N, T, F).

        task : {"reconstruct", "predict"}, default=None
            As in `reconstruct`.

        Returns
        -------
        errors : ndarray, float64
            NaN where nothing is observed (padding and missing values) and on steps that the
            decoder does not say: as in training, the encoder does not see the last ``horizon``
            steps, which are the predicting decoder's.
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
    def score_samples(self, X):
        """Negated mean error of each sequence: the higher, the more like those of ``fit``.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        Returns
        -------
        scores : ndarray of shape (N,), float64
            At most 0; NaN where all that the decoder should say is missing.
        """
        return -self.errors(X)

    @of_one_model
    def score(self, X, y=None):
        """Explained variance of the reconstruction, or of the prediction with objective "predict".

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        y : ignored
            Not used, present here for API consistency by convention.

        Returns
        -------
        score : float
            1 - (sum of squared errors) / (sum of squared deviations from the means of ``fit``),
            of scaled, observed values. 1 is perfect, 0 no better than the mean.
        """
        model = fitted_model(self)
        reader = model.read(self, X, (self._task(model, None),), as_trained=True)
        losses = model.coder.mean_losses(reader, "mse", model.scaling.center)
        return explained_variance(*(float(loss[0]) for loss in losses))

    @of_one_model
    def to_keras(self, part="encoder"):
        """Build a plain Keras model with the fitted weights.

        It is made of ``keras.layers`` and ``keras.ops`` only, so that a file of it opens without
        this package. Scaling is outside: the model reads and says scaled values, which are
        ``(x - mean_) / scale_`` with ``scaling="feature"``, x itself with None, and with "sequence"
        x by its own mean and deviation, as `transform` appends them to the code. With
        ``missing="mask"`` a missing value is NaN in x.

        Parameters
        ----------
        part : {"encoder", "decoder", "predictor", "autoencoder"}, default="encoder"
            Inputs of the encoder: x (n, T, F) and mask (n, T), which is true for real steps and
            false for padding on the right; with ``append_states`` it outputs the statistics of the
            states after the code. Inputs of the decoder and the predictor: z (n, L) and
            such a mask, of the steps to say. The autoencoder reads x and mask and has the others
            as named sub-models; with two decoders it returns a dict of their outputs.

            A decoder with ``conditional=True`` says at most ``n_timesteps_`` steps.

        Returns
        -------
        model : keras.Model
            A fresh one at each call.
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
    def get_feature_names_out(self, input_features=None):
        """Names of the columns of a code.

        Parameters
        ----------
        input_features : array-like of str, default=None
            As everywhere in scikit-learn: checked against the names of ``fit``. With
            ``scaling="sequence"`` and 3-D X they name the appended means and log-deviations.

        Returns
        -------
        names : ndarray of str
            "lstmautoencodertransformer0", ... and "mean_x0", ..., "log_deviation_x0", ... for the
            columns that ``scaling="sequence"`` appends; "lstmautoencodertransformer_mean_0", ...
            "..._deviation_0", ... "..._maximum_0", ... "..._minimum_0", ... for those of
            ``append_states``.
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
LSTMAutoencoderTransformer.fit_transform = of_one_fit(LSTMAutoencoderTransformer.fit_transform)


class OptionalAutoencoderMixin:
    """Parameters of an estimator whose ``autoencoder`` is one with defaults where it is None."""

    autoencoder: Any

    def set_params(self, **params):
        """Set parameters, those of the autoencoder as ``autoencoder__<name>``.

        Parameters
        ----------
        **params : dict
            Parameters by name. One of the autoencoder turns ``autoencoder=None`` into an explicit
            LSTMAutoencoderTransformer.

        Returns
        -------
        self : estimator
            With these parameters.
        """
        if self.autoencoder is None and any(name.startswith("autoencoder__") for name in params):
            params = {"autoencoder": LSTMAutoencoderTransformer(), **params}
        return super().set_params(**params)  # type: ignore[misc]
