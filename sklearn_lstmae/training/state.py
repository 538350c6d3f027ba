"""How far a training is. Data, no code of TensorFlow."""

from dataclasses import dataclass, field

from sklearn_lstmae.sequences.summaries import Summary


@dataclass(frozen=True, eq=False)
class TrainingState:
    """Where a network stands between two epochs: all that the next one begins from.

    Attributes
    ----------
    weights : list of float32 arrays
        Those of the network, then those that only training needs.
    optimizer : list of arrays or None
        Variables of the optimizer; None: as before its first step.
    n_epochs, n_steps : int
        Epochs and minibatches so far. What is drawn at random follows the seed of the plan and
        these, so that a training in pieces does not draw the same again.
    summary : sequences.summaries.Summary or None
        Definition of the summaries that are a target.
    """

    weights: list
    optimizer: list | None = None
    n_epochs: int = 0
    n_steps: int = 0
    summary: Summary | None = None


@dataclass(frozen=True, eq=False)
class TrainingProgress:
    """The results of a training so far.

    Attributes
    ----------
    state : TrainingState
        After the last epoch.
    weights : list of float32 arrays
        Weights of the best epoch.
    best_epoch : int
        From 1; 0 before the first one.
    history : dict of lists, a number an epoch
    """

    state: TrainingState
    weights: list = field(default_factory=list)
    best_epoch: int = 0
    history: dict = field(default_factory=lambda: {"loss": []})

    @property
    def n_epochs(self):
        """Epochs of this training."""
        return len(self.history["loss"])
