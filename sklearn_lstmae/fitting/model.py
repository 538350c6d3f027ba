"""FittedModel: what every method after `fit` works with."""

from dataclasses import dataclass

from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_lstmae.fitting.parameters import complete
from sklearn_lstmae.inference.coder import Coder
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.sequences.frames import FrameReader
from sklearn_lstmae.sequences.scaling import Scaling
from sklearn_lstmae.sequences.validation import SequenceSpec, check_horizon, check_sequences

# What scikit-learn knows of the columns of X.
COLUMNS = ("n_features_in_", "feature_names_in_")


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A fitted transformer as values, built once in each call of a method.

    Attributes
    ----------
    architecture : Architecture
    weights : list of float32 arrays
    scaling : Scaling
    horizon : int or None
    layout, missing, loss : str
        As the configuration has them.
    append_states : bool
        Whether statistics of the encoder's outputs are appended to a code.
    n_timesteps : int
        Longest sequence of ``fit``.
    """

    architecture: Architecture
    weights: list
    scaling: Scaling
    horizon: int | None
    layout: str
    missing: str
    loss: str
    append_states: bool
    n_timesteps: int

    @classmethod
    def of(cls, attributes):
        """The model that fitted attributes describe, or that they will once it has weights."""
        configuration = complete(attributes["configuration_"])
        settings = ("append_states", "horizon", "layout", "missing", "loss")
        return cls(
            Architecture.from_dict(configuration["architecture"]),
            attributes.get("weights_", []),
            Scaling(configuration["scaling"], attributes["mean_"], attributes["scale_"]),
            n_timesteps=attributes["n_timesteps_"],
            **{name: configuration[name] for name in settings},
        )

    @property
    def coder(self):
        """Its network in use."""
        return Coder(self.architecture, self.weights)

    @property
    def spec(self):
        """What X has to agree with."""
        return SequenceSpec(self.layout, self.architecture.n_features)

    @property
    def encoder_weights(self):
        """The weights of ``architecture.encoder``."""
        return self.weights[: len(network_of(self.architecture.encoder).shapes)]

    @property
    def n_statistics(self):
        """Columns that a scaling appends to a code."""
        return 2 * self.architecture.n_features if self.scaling.kind == "sequence" else 0

    @property
    def n_decoded(self):
        """Columns that `decode` reads: those of a code, and those that a scaling appends."""
        return self.architecture.code_width + self.n_statistics

    @property
    def n_columns(self):
        """Columns of what `encode` returns."""
        return self.n_decoded + (self.encoder.states_width if self.append_states else 0)

    @property
    def encoder(self):
        """The `wiring.Encoder`."""
        return network_of(self.architecture).encoder

    def encode(self, reader):
        """Codes with all that is appended to them: (N, n_columns) float32."""
        return self.coder.encode(reader, self.append_states)

    def read(self, estimator, X, tasks=(), as_trained=False):
        """Validate X as a method of an estimator takes it, and make its reader."""
        sequences = check_sequences(estimator, X, missing=self.missing, fitted=self.spec)
        return self.reader(sequences, tasks, as_trained)

    def reader(self, sequences, tasks=(), as_trained=False, classes=None):
        """Reader of validated sequences, with the targets of some tasks.

        ``as_trained``: the encoder does not read the steps that a decoder is trained to predict.
        """
        horizon = None
        if as_trained and "predict" in self.architecture.decoders:
            horizon = self.horizon
            check_horizon(sequences, horizon)
        return FrameReader(
            sequences,
            self.scaling,
            self.architecture.patch_size,
            self.architecture.tells_missing,
            tasks,
            horizon,
            classes=classes,
        )

    def decode(self, codes, lengths, task):
        """Sequences in original units, padding undefined: (N, *), (N,) -> (N, T, F)."""
        width = self.architecture.code_width
        codes, statistics = codes[:, :width], codes[:, width : self.n_decoded]
        values = self.coder.decode(codes, lengths, task)
        return self.scaling.invert(values, statistics if statistics.size else None)


def fitted_model(estimator):
    """The model of a fitted transformer, frozen or not.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    """
    check_is_fitted(estimator)
    return FittedModel.of(vars(unfrozen(estimator)))


def unfrozen(estimator):
    """The estimator within a FrozenEstimator, or itself."""
    while isinstance(estimator, FrozenEstimator):
        estimator = estimator.estimator
    return estimator


def take_over_columns(estimator, other):
    """Give an estimator what another one knows of the columns of X."""
    for name in COLUMNS:
        vars(estimator).pop(name, None)
    estimator.__dict__.update({name: vars(other)[name] for name in COLUMNS if name in vars(other)})


def names_of_features(estimator):
    """Names that a fitted transformer, frozen or not, saw of its features; None if of none.

    Columns of a table (N, T) are steps: their names are not those of features.
    """
    model = unfrozen(estimator)
    names = getattr(model, "feature_names_in_", None)
    return None if names is None or model.configuration_["layout"] == "2d" else names
