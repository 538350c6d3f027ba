"""The default network and its twin learn the same, and verdicts are those of the ratios."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from benchmarks import records
from benchmarks.lines import default_fit
from benchmarks.twin import OursByDefault, TorchByDefault, prepare, tables_of
from sklearn_lstmae import LSTMAutoencoderTransformer
from sklearn_lstmae.datasets import make_waves


def waves(min_timesteps):
    X, _ = make_waves(24, 64, 2, min_timesteps=min_timesteps, random_state=0)
    return X


@pytest.mark.filterwarnings("ignore:.*no better than")
@pytest.mark.parametrize("min_timesteps", [None, 20], ids=["equal", "unequal"])
def test_the_twin_learns_the_same(min_timesteps):
    pytest.importorskip("torch")
    load = partial(waves, min_timesteps)
    ours = OursByDefault(load, 3)
    start = ours.start()
    assert TorchByDefault(load, 3, 1, start).fit() == pytest.approx(ours.fit(), rel=1e-3)


def test_a_target_is_backwards_and_padding_is_not_observed():
    X = [np.arange(1.0, n + 1)[:, np.newaxis] for n in (70, 41)]
    settings = LSTMAutoencoderTransformer()
    frames, n_frames, summaries = prepare(settings, X)
    read, target, observed = tables_of(frames, n_frames)
    assert list(n_frames) == [35, 21]
    assert summaries.shape == (2, 32)
    assert read.shape == (2, 35, 4)  # frames of two steps, and which of them are real
    for row, n in enumerate(n_frames):
        assert_array_equal(target[row, :n], read[row, :n, :2][::-1])
    assert observed.sum() == 70 + 41
    assert_array_equal(observed[1, 0], [1, 0])


@pytest.mark.parametrize(
    ("seconds", "loss", "met"),
    [(6.0, 1.0, [True] * 4), (2.0, 1.0, [True, True, False, True]), (6.0, 0.5, [False] * 4)],
)
def test_verdicts_are_those_of_the_ratios(seconds, loss, met):
    timings = [
        records.Timing(
            f"{kind}, a set",
            {"ours": [1.0], "PyTorch": [seconds]},
            losses={"ours": [1.0], "PyTorch": [loss]},
        )
        for kind in (default_fit.FIRST, default_fit.SECOND, default_fit.COLD)
    ]
    assert [verdict.met for verdict in default_fit.judge(timings)] == met
