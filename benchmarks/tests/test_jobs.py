"""What contenders do is the same, and of the size that was asked for."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import jobs, records
from benchmarks.lines import memmap


@pytest.mark.parametrize("n_steps", [1, 7, 100])
def test_rivals_learn_at_the_rates_of_the_library(n_steps):
    from sklearn_lstmae.training.loop import learning_rates

    theirs = [0.01 * jobs.learning_rate_factor(step, n_steps) for step in range(n_steps)]
    np.testing.assert_allclose(theirs, learning_rates(0.01, n_steps), rtol=1e-5, atol=1e-9)


def test_a_shrunk_job_has_its_own_shape():
    job = jobs.Job(2000, 24, 3, 32, 32, epochs=10).shrunk()
    assert job.data().shape == (job.n_sequences, job.n_timesteps, 3)
    assert job.n_steps == job.epochs * -(-job.n_sequences // 32)


@pytest.mark.parametrize("latent_dim", [3, None])
def test_contenders_compute_the_same_network(latent_dim):
    from benchmarks.contenders import Keras, Ours, Torch

    job = jobs.Job(20, 6, 2, 4, 8, epochs=2, latent_dim=latent_dim)
    ours = Ours(job)
    start = ours.initial_weights()
    loss = ours.fit()
    weights, codes = ours.weights(), ours.encode()
    rivals = [Keras(job)]
    if importlib.util.find_spec("torch"):
        rivals.append(Torch(job, 1))
    for rival in rivals:
        rival.begin_with(start)
        assert rival.fit_in_order(ours.orders()) == pytest.approx(loss, rel=1e-3)
        assert rival.fit() == pytest.approx(loss, rel=records.QUALITY)
        rival.set_weights(weights)
        np.testing.assert_allclose(rival.encode(), codes, atol=1e-5)
        np.testing.assert_allclose(rival.decode(codes), ours.decode(codes), atol=1e-5)


def test_a_file_of_about_the_size_that_was_asked_for(tmp_path):
    job = replace(memmap.JOB, n_sequences=16)
    memmap.write_file(tmp_path / "waves.npy", job, 5 * job.data().nbytes)
    assert np.load(tmp_path / "waves.npy", mmap_mode="r").shape == (80, 48, 64)
