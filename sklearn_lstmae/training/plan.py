"""TrainingPlan: how to train. Data, no code of TensorFlow."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingPlan:
    """How to train a network.

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate : float
    loss, optimizer : str
        The loss of a decoder; of a classifier it is the cross-entropy.
    clipnorm : float or None
    dropout, noise : float
    shares : tuple of float
        What the loss of each decoder, or of each class, counts for.
    kl_weight : float
        What the divergence of codes, per observed value, counts for; 0 of a classifier.
    patience : int or None
        Stop after so many epochs without a better loss on the validation rows; None: never.
    seed : int
    scheduled : bool
        The learning rate is the peak of `training.learning_rates`; False: it stays what it is.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    loss: str
    optimizer: str
    clipnorm: float | None
    dropout: float
    noise: float
    shares: tuple[float, ...]
    kl_weight: float
    patience: int | None
    seed: int
    scheduled: bool = True
