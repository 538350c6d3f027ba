"""TrainingPlan: how to train. Data, no code of TensorFlow."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingPlan:
    """How to train.

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate : float
    optimizer : str
    clipnorm : float or None
    dropout, noise : float
    term_weights : tuple of float
        Weight of each term of the objective in the loss.
    patience : int or None
        Stop after that many epochs without a better loss on the validation rows; None: never.
    seed : int
    scheduled : bool
        The learning rate is the peak of `loop.learning_rates`; False: it stays what it is.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    optimizer: str
    clipnorm: float | None
    dropout: float
    noise: float
    term_weights: tuple[float, ...]
    patience: int | None
    seed: int
    scheduled: bool = True
