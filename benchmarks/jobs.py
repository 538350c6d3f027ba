"""What is to be done, whoever does it: shapes, data, learning rates."""

import math
from dataclasses import dataclass, replace

from sklearn_lstmae.datasets import make_waves


@dataclass(frozen=True)
class Job:
    """Train an autoencoder LSTM(U) -> Dense(L) -> repeat -> LSTM(U) -> Dense(F).

    Without ``latent_dim`` there is no Dense(L): the last hidden state is the code.
    """

    n_sequences: int  # N
    n_timesteps: int  # T
    n_features: int  # F
    units: int  # U
    batch_size: int  # B
    epochs: int
    latent_dim: int | None = 16  # L
    activation: str = "tanh"
    learning_rate: float = 3e-3

    def __str__(self):
        return (
            f"{self.n_sequences} x {self.n_timesteps} x {self.n_features}, "
            f"{self.units} units, batches of {self.batch_size}"
        )

    @property
    def n_steps(self):
        """Minibatches of all epochs."""
        return self.epochs * math.ceil(self.n_sequences / self.batch_size)

    def data(self):
        """Noisy waves, (N, T, F) float32, the same in every process."""
        X, _ = make_waves(self.n_sequences, self.n_timesteps, self.n_features, random_state=0)
        return X

    def shrunk(self):
        """A tiny job of the same kind, to try the benchmarks out."""
        return replace(
            self,
            n_sequences=min(self.n_sequences, 100),
            n_timesteps=min(self.n_timesteps, 10),
            units=min(self.units, 8),
            epochs=min(self.epochs, 3),
        )


def learning_rate_factor(step, n_steps, minimum=min, cos=math.cos):
    """Share of the peak in a step, the library's schedule: linear warm-up, then half a cosine.

    ``minimum`` and ``cos`` are Python's or those of a tensor library.
    """
    rise = minimum(1.0, (step + 1) / max(1.0, 0.05 * n_steps))
    return rise * 0.5 * (1.0 + cos(math.pi * step / n_steps))
