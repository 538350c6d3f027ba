"""Architecture: the description of a network. Data, no code of TensorFlow."""

from dataclasses import asdict, dataclass, fields, replace

import numpy as np

from sklearn_lstmae.sequences.tasks import TASKS

# Wavelengths of the decoder's time encoding: 4, 8, ... 512 frames (Vaswani et al. 2017,
# "Attention Is All You Need", section 3.5, with base 2, since sequences have tens to hundreds of
# frames here, not thousands).
TIME_WAVELENGTHS = tuple(4.0 * 2.0**octave for octave in range(8))
FREQUENCIES = 2.0 * np.pi / np.asarray(TIME_WAVELENGTHS, np.float32)

# At inference, encoders read values up to this size: products of larger ones would leave float32,
# and infinities of both signs make NaN.
LARGEST = 1e18


@dataclass(frozen=True)
class Architecture:
    """What the network is: two estimators with equal descriptions share what is compiled.

    The number of sequences, their lengths and everything that only matters in training are not
    part of it. Letters: F features, P patch size, L latent width, U units.
    """

    n_features: int  # F
    patch_size: int  # P
    latent_dim: int  # L
    hidden_units: tuple[int, ...]
    bidirectional: bool
    bottleneck: str  # "dense", "hidden", "cell" or "hidden_cell"
    pooling: str  # "last", "mean", "last_mean" or "all"
    reverse_target: bool
    decoder_start: str  # "input", "state" or "input_state"
    time_encoding: bool
    activation: str  # "tanh" or "relu"
    # The encoder also reads which values are observed. Files have the field by this name.
    tells_missing: bool
    decoders: tuple[str, ...] = ("reconstruct",)  # of "reconstruct" and "predict", in this order
    conditional: bool = False  # decoders read the previous frame
    variational: bool = False  # the encoder also outputs the variance of a code

    @property
    def frame_width(self):
        """Values of one frame: P * F."""
        return self.patch_size * self.n_features

    @property
    def input_width(self):
        """Width of what the encoder reads at once.

        The values of a frame; besides, which of them are observed, or, where a frame can be partly
        padding, which of its steps are real.
        """
        if self.tells_missing:
            return 2 * self.frame_width
        return self.frame_width + (self.patch_size if self.patch_size > 1 else 0)

    @property
    def code_width(self):
        """Columns that the bottleneck makes (a scaling may append more)."""
        return 2 * self.latent_dim if self.bottleneck == "hidden_cell" else self.latent_dim

    @property
    def most_units(self):
        """Units of its widest layer, the bottleneck among them."""
        return max((*self.hidden_units, self.latent_dim))

    @property
    def encoder(self):
        """The same encoder without decoders. Its weights are the first of all weights."""
        return replace(self, decoders=())

    def reverses(self, task):
        """Whether the decoder of this task outputs the sequence in reverse."""
        return self.reverse_target and not TASKS[task].follows

    def n_frames(self, n_steps):
        """Frames that hold ``n_steps`` steps (an int or an integer array)."""
        return -(-n_steps // self.patch_size)

    def to_dict(self):
        """Plain values, as a fitted estimator keeps them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, description):
        """Inverse of `to_dict`."""
        values = {field.name: description[field.name] for field in fields(cls)}
        sequences = {name: tuple(values[name]) for name in ("hidden_units", "decoders")}
        return cls(**{**values, **sequences})
