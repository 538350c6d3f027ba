"""Rules for what a training leaves."""

import numpy as np
import pytest

from sklearn_lstmae.fitting.trained import (
    MEMORIES,
    check_summary,
    history,
    losses_of,
    optimizer_variables,
)
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.network.wiring import network_of

PARTS = {
    "n_features": 2, "patch_size": 1, "latent_dim": 2, "hidden_units": (3,), "bidirectional": True,
    "bottleneck": "dense", "pooling": "last_mean", "reverse_target": True,
    "decoder_start": "input_state", "time_encoding": True, "activation": "tanh",
    "tells_missing": False, "decoders": ("reconstruct",), "variational": True,
}  # fmt: skip
NETWORK = Architecture(**PARTS)


@pytest.mark.parametrize("optimizer", MEMORIES)
def test_keras_keeps_the_variables_that_the_table_says(optimizer):
    from sklearn_lstmae.training.optimizers import _CLASSES, StatelessOptimizer

    assert MEMORIES.keys() == _CLASSES.keys()
    size = sum(int(np.prod(shape)) for shape in network_of(NETWORK).shapes)
    state = [np.asarray(each) for each in StatelessOptimizer(optimizer, size).initial_state()]
    optimizer_variables(optimizer, NETWORK, 0, 5).check(state, "variables")


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ({"loss": [0.1, 0.2], "reconstruct_loss": [0.1, 0.2]}, r"'h\.kl_loss' is missing"),
        ({"loss": [0.1, np.inf]}, r"'h\.loss\[1\]' is inf"),
        ({"loss": [0.1]}, r"'h\.loss' is \[0\.1\], but should be: list of 2"),
        (
            {"loss": [0.1, 0.2], "reconstruct_loss": [-0.1, 0]},
            r"'h\.reconstruct_loss\[0\]' is",
        ),
        ({"accuracy": [0.1, 0.2]}, r"'h\.accuracy' is not known"),
    ],
)
def test_a_history_has_the_losses_of_its_network(losses, message):
    with pytest.raises(ValueError, match=message):
        history(2, losses_of(NETWORK)).check(losses, "h")


def make_summary(**changed):
    summary = {
        "dilations": np.array([1, 2]),
        "thresholds": np.zeros((2, 84, 3, 2), np.float32),
        "columns": np.arange(5),
        "mean": np.full(5, 0.5, np.float32),
        "components": np.ones((5, 3), np.float32),
    }
    return summary | changed


def test_a_summary_tells_its_components():
    assert check_summary(None, NETWORK, "s") == 0
    assert check_summary(make_summary(), NETWORK, "s") == 3


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dilations": np.array([0, 1])}, r"'s\.dilations' holds numbers .* from 1 to"),
        ({"dilations": np.array([2, 1])}, r"'s\.dilations' holds numbers that do not increase"),
        (
            {"columns": np.array([1, 2, 2, 3, 4])},
            r"'s\.columns' holds .* do not increase",
        ),
        ({"columns": np.arange(5) + 1005}, r"'s\.columns' holds .* from 0 to 1007"),
        ({"mean": np.full(5, 2, np.float32)}, r"'s\.mean' holds numbers that are not from 0 to 1"),
        ({"mean": np.full(5, 0.5)}, r"'s\.mean' is an array of float64"),
        ({"components": np.full((5, 3), np.nan, np.float32)}, r"'s\.components' .* not finite"),
        ({"components": np.ones((5, 0), np.float32)}, r"'s\.components' is empty"),
        ({"components": 3}, r"'s\.components' is no array of 2 dimensions"),
        ({"thresholds": np.zeros((2, 84, 3), np.float32)}, r"'s\.thresholds' is no array of 4"),
        ({"thresholds": np.zeros((2, 84, 3, 1), np.float32)}, r"'s\.thresholds' is an array of"),
        ({"zz": 1}, r"field 's\.zz' is not known"),
    ],
)
def test_a_summary_that_no_training_learns_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        check_summary(make_summary(**changed), NETWORK, "s")


@pytest.mark.parametrize("summary", [3, [], {"mean": 1}])
def test_what_is_no_summary_is_refused(summary):
    with pytest.raises(ValueError, match="field 's"):
        check_summary(summary, NETWORK, "s")
