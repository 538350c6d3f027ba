"""The benchmarks' harness, arithmetic and tables. Nothing is timed, and nothing trains long."""

import collections
import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import harness, jobs, records, report
from benchmarks.lines import growth, memmap


def make_record(case="a case"):
    timing = records.Timing(
        case,
        {"ours": [1.0, 2.0, 4.0], "PyTorch": [3.0, 4.0, 20.0]},
        per=2,
        losses={"ours": [0.10], "PyTorch": [0.105]},
        note="2 threads",
    )
    verdicts = [records.Verdict("be fast", "3 times", True), records.Verdict("more", "no", False)]
    return records.Record([timing], verdicts, {"n": 1})


# Processes -------------------------------------------------------------------------------


def test_contenders_take_turns_and_the_warm_up_is_not_counted():
    calls = []
    runs = {name: lambda name=name: calls.append(name) or len(calls) for name in "ABC"}
    results = harness.take_turns(runs, rounds=2, warm_up=1)
    assert "".join(calls) == "ABCABCABC"
    assert results == {"A": [4, 7], "B": [5, 8], "C": [6, 9]}


def test_a_remote_keeps_its_object_times_it_and_reports_errors():
    starters = {"one": lambda: harness.Remote(collections.Counter, "aab")}
    with harness.started(starters) as remotes:
        remote = remotes["one"]
        remote.call("update", "b")
        seconds, result = remote.timed("most_common")
        assert seconds >= 0
        assert dict(result) == {"a": 2, "b": 2}
        with pytest.raises(RuntimeError, match=r"A contender failed:(.|\n)*AttributeError"):
            remote.call("does_not_exist")
        with pytest.raises(RuntimeError, match="ended without an answer"):
            remote.call("update", "b")


# Jobs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_steps", [1, 7, 100])
def test_rivals_learn_at_the_rates_of_the_library(n_steps):
    from sklearn_lstmae.engine.training import learning_rates

    theirs = [0.01 * jobs.learning_rate_factor(step, n_steps) for step in range(n_steps)]
    np.testing.assert_allclose(theirs, learning_rates(0.01, n_steps), rtol=1e-5, atol=1e-9)


def test_a_shrunk_job_has_its_own_shape():
    job = jobs.Job(2000, 24, 3, 32, 32, epochs=10).shrunk()
    assert job.data().shape == (job.n_sequences, job.n_timesteps, 3)
    assert job.n_steps == job.epochs * -(-job.n_sequences // 32)


# One epoch is often no better than the mean: the warning says the truth.
@pytest.mark.filterwarnings("ignore:The fit is no better:sklearn.exceptions.ConvergenceWarning")
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
        assert rival.fit() == pytest.approx(loss, rel=records.QUALITY)
        rival.set_weights(weights)
        np.testing.assert_allclose(rival.encode(), codes, atol=1e-5)
        np.testing.assert_allclose(rival.decode(codes), ours.decode(codes), atol=1e-5)


# Arithmetic ------------------------------------------------------------------------------


def test_a_ratio_is_the_median_of_the_rounds():
    [timing] = make_record().timings
    assert timing.median("ours") == 1.0
    assert timing.ratio("PyTorch") == (3.0, 2.0, 5.0)


@pytest.mark.parametrize(("loss", "agrees"), [(0.91, True), (1.09, True), (0.89, False)])
def test_losses_within_ten_percent_agree(loss, agrees):
    timing = records.Timing("", {}, losses={"ours": [1.0, 1.0], "Keras": [loss, loss]})
    assert timing.agrees is agrees


def test_the_better_pytorch_counts():
    results = {
        "ours": [(1.0, 0.5)],
        "PyTorch, 1 thread": [(3.0, 0.6)],
        "PyTorch, 2 threads": [(2.0, 0.7)],
    }
    timing = records.make_timing("", results)
    assert timing.seconds == {"ours": [1.0], "PyTorch": [2.0]}
    assert timing.losses == {"ours": [0.5], "PyTorch": [0.7]}
    assert timing.note == "2 threads"


# Tables ----------------------------------------------------------------------------------


def test_tables_are_made_from_saved_results(tmp_path):
    report.save("epochs", make_record(), tmp_path)
    loaded, content = report.load("epochs", tmp_path)
    assert loaded == make_record()
    report.save("growth", make_record("units=16"), tmp_path)
    text = report.make_tables(["epochs", "absent", "growth"], tmp_path)
    assert f"Measured (epochs, growth): {content['date']}" in text
    assert "| epochs | be fast | 3 times | met |" in text
    assert "| epochs | more | no | **missed** |" in text
    row = "| a case | 1 s | 2 s, 2 threads | 3.00 (2.00 to 5.00) | 0.1, 0.105 |"
    assert text.count(row) == 1
    assert "![units](images/growth_units.png)" in text


def test_a_file_keeps_what_is_around_its_tables(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"Above.\n{report.BEGIN}\nold\n{report.END}\nBelow.\n", encoding="utf-8")
    report.save("epochs", make_record(), tmp_path)
    for _ in range(2):
        report.write_tables(["epochs"], readme, tmp_path)
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("Above.\n")
    assert text.endswith("Below.\n")
    assert text.count("be fast") == 1
    assert "old" not in text


def test_the_readme_shows_the_kept_results():
    text = report.README.read_text(encoding="utf-8")
    assert report.make_tables(command.LINES) in text


def test_a_figure_for_each_axis(tmp_path):
    cases = [f"{axis}={value}" for axis, (_, values) in growth.AXES.items() for value in values[:2]]
    timings = [
        records.Timing(case, {"ours": [1.0], "Keras": [3.0], "PyTorch": [2.0]}) for case in cases
    ]
    paths = growth.draw(records.Record(timings), tmp_path)
    assert len(paths) == len(growth.AXES)
    assert all(path.stat().st_size > 1000 for path in paths)


def test_a_file_of_about_the_size_that_was_asked_for(tmp_path):
    job = replace(memmap.JOB, n_sequences=16)
    memmap.write_file(tmp_path / "waves.npy", job, 5 * job.data().nbytes)
    assert np.load(tmp_path / "waves.npy", mmap_mode="r").shape == (80, 48, 64)


def test_an_unknown_line_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["epoch"])
    assert "'epoch' is not one of" in capsys.readouterr().err
