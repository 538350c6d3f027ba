"""The benchmarks' harness, arithmetic and tables. Nothing is timed, and nothing trains long."""

import collections
import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import harness, jobs, labels, records, report, variants
from benchmarks.anomaly import __main__ as anomaly_command
from benchmarks.anomaly import contenders as watchers
from benchmarks.anomaly import measures as findings
from benchmarks.anomaly import sets as anomalous
from benchmarks.anomaly.generators import make_anomalous_record
from benchmarks.lines import growth, memmap
from benchmarks.quality import __main__ as quality_command
from benchmarks.quality import contenders, measures, sets
from sklearn_lstmae import LSTMAutoencoderTransformer
from sklearn_lstmae.datasets import make_waves


def make_record(case="a case"):
    timing = records.Timing(
        case,
        {"ours": [1.0, 2.0, 4.0], "PyTorch": [3.0, 4.0, 20.0]},
        per=2,
        losses={"ours": [0.10], "PyTorch": [0.105]},
        note="2 threads",
    )
    verdicts = [records.Verdict("be fast", "3 times", True), records.Verdict("more", "no", False)]
    scores = [
        records.Scores("a set", "ours", {"accuracy": [0.5, 0.7], "seconds": [9.0, 0.5, 0.7]}),
        records.Scores("a set", "PCA", {"accuracy": [0.55], "seconds": [1e-4]}),
        records.Scores("another", "PCA", {}),
        records.Scores("another", "ours", {"accuracy": [1.0]}),
    ]
    orders = [
        records.Order("left before right", "small", [1.0, 2.0, 3.0]),
        records.Order("left before right", "large", [-1.0, 0.0, 1.0]),
        records.Order("red before blue", "small", [-2.0, -2.0, -2.0]),
        records.Order("red before blue", "large", [5.0, 4.0, 6.0]),
    ]
    return records.Record([timing], verdicts, {"n": 1}, scores, orders)


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
    from sklearn_lstmae.training.loop import learning_rates

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


def test_an_interval_is_students():
    mean, lowest, highest = records.Order("", "", [1.0, 2.0, 3.0]).interval()
    assert mean == 2
    # 4.303 is Student's t of two degrees of freedom; the deviation is 1.
    assert (mean - lowest, highest - mean) == pytest.approx([4.303 / 3**0.5] * 2, rel=1e-4)


@pytest.mark.parametrize(
    ("gains", "outcome"),
    [([4.0, 5.0, 6.0], "holds"), ([1.0, 2.0, 3.0], "open"), ([-4.0, -5.0, -6.0], "the opposite")],
)
def test_an_order_holds_if_its_interval_is_on_one_side(gains, outcome):
    assert records.Order("", "", gains).outcome == outcome


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
    assert text.count("| red before blue | -2.000 (-2.000 to -2.000): the opposite |") == 1
    assert "![units](images/growth_units.png)" in text


def test_scores_are_a_table_for_each_measure():
    assert report.score_tables(make_record().scores) == [
        "| accuracy | ours | PCA |",
        "| --- | --- | --- |",
        "| a set | 0.600 ± 0.141 | 0.550 |",
        "| another | 1.000 | n/a |",
        "",
        "| seconds | ours | PCA |",
        "| --- | --- | --- |",
        "| a set | 0.7 | < 0.01 |",
    ]


def test_orders_are_a_row_for_each_claim():
    assert report.order_table(make_record().orders) == [
        "| order | small | large |",
        "| --- | --- | --- |",
        "| left before right | +2.000 (-0.484 to +4.484): open | +0.000 (-2.484 to +2.484): open |",
        "| red before blue | -2.000 (-2.000 to -2.000): the opposite "
        "| +5.000 (+2.516 to +7.484): holds |",
    ]
    assert report.order_table([]) == []


def test_packages_that_are_not_there_are_not_named():
    content = report.surroundings()
    content["versions"] = {"numpy": "2.4", "torch": None}
    assert report.describe(content).endswith("; numpy 2.4.")


def test_a_file_keeps_what_is_around_its_tables(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(
        f"Above.\n{report.BEGIN}\nOutdated.\n{report.END}\nBelow.\n", encoding="utf-8"
    )
    report.save("epochs", make_record(), tmp_path)
    for _ in range(2):
        report.write_tables(["epochs"], readme, tmp_path)
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("Above.\n")
    assert text.endswith("Below.\n")
    assert text.count("be fast") == 1
    assert "Outdated" not in text


def test_the_readme_shows_the_kept_results():
    text = report.README.read_text(encoding="utf-8")
    assert report.make_tables(command.SHOWN) in text


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


# Quality ---------------------------------------------------------------------------------

TINY = {"hidden_units": (4,), "epochs": 1}


def make_scores(ours, PCA, tutorial, rebuilt):
    """Scores of all sets, each contender as good on each."""
    accuracies = {"ours": ours, "PCA": PCA, "tutorial": tutorial}
    scores = [
        records.Scores(name, contender, {"accuracy": [value], "explained variance": [rebuilt]})
        for name in quality_command.ALL
        for contender, value in accuracies.items()
    ]
    scores += [records.Scores(name, "ceiling", {"explained variance": [1.0]}) for name in sets.LONG]
    return scores + measures.average(scores)


@pytest.mark.parametrize("contender", ["ours", "PCA", "tutorial", "raw"])
def test_a_contender_is_judged(contender):
    values = measures.Trials(TINY).run(contender, "digits", 0)
    assert 0.2 < values["accuracy"] <= 1
    assert -1 <= values["silhouette"] <= 1
    assert values["seconds"] >= 0
    assert ("explained variance" in values) == (contender != "raw")


def test_the_tutorials_network_is_the_tutorials_with_any_settings():
    split = sets.waves(10, 0)
    scaled = contenders.Scaled(split)
    settings = [{"epochs": 1}, {"epochs": 1, "dropout": 0.5, "conditional": True, "kl_weight": 1.0}]
    one, other = (contenders.tutorial(split, scaled, 0, each).test for each in settings)
    assert one.shape == (300, contenders.WIDTH)
    np.testing.assert_array_equal(one, other)


def test_too_few_rows_for_components():
    X, y = make_waves(30, 10, 2, random_state=0)
    split = sets.Split(X[:15], X[15:], y[:15], y[15:])
    assert contenders.components(split, contenders.Scaled(split), 0, {}) is None


# One epoch is often no better than the mean: the warning says the truth.
@pytest.mark.filterwarnings("ignore:The fit is no better:sklearn.exceptions.ConvergenceWarning")
def test_explained_variance_is_the_score_of_the_library():
    X, y = make_waves(40, 12, 2, min_timesteps=5, random_state=0)
    split = sets.Split(X[:30], X[30:], y[:30], y[30:])
    scaled = contenders.Scaled(split)
    model = LSTMAutoencoderTransformer(random_state=0, **TINY).fit(split.X_train)
    rebuilt = scaled.pad(model.reconstruct(split.X_test))
    assert scaled.explained_variance(rebuilt) == pytest.approx(model.score(split.X_test), abs=1e-5)
    assert scaled.explained_variance(scaled.test) == 1
    assert not scaled.test[[len(x) < scaled.width for x in split.X_test], -1].any()


def test_nobody_explains_noise():
    [value] = measures.Trials({}).ceiling("waves250", 0).values()
    variance = {"signal": 0.5, "noise": sets.NOISE**2}  # a sine's, and the noise's
    assert value == pytest.approx(variance["signal"] / sum(variance.values()), abs=0.002)


@pytest.mark.parametrize(("lengths", "equal"), [((2, 2), True), ((2, 3), False)])
def test_a_ts_file_is_read(tmp_path, lengths, equal):
    path = tmp_path / "set.ts"
    rows = [
        ":".join(",".join(f"{f}.{t}" for t in range(length)) for f in range(3)) + f":kind {length}"
        for length in lengths
    ]
    path.write_text("# A comment: 1\n@classLabel true a b\n@data\n" + "\n".join(rows) + "\n")
    X, y = sets.read_ts(path)
    assert isinstance(X, np.ndarray) == equal
    assert [x.shape for x in X] == [(length, 3) for length in lengths]
    np.testing.assert_allclose(X[0], [[0.0, 1.0, 2.0], [0.1, 1.1, 2.1]])
    assert list(y) == [f"kind {length}" for length in lengths]


def test_a_set_of_aeon_says_where_it_comes_from(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="BasicMotions is part of the package aeon"):
        sets.SETS["BasicMotions"](0)


def test_the_mean_is_over_the_sets_seed_by_seed():
    scores = [
        records.Scores("digits", "ours", {"accuracy": [0.5, 0.7]}),
        records.Scores("BasicMotions", "ours", {"accuracy": [0.7, 1.0]}),
        records.Scores("waves250", "ours", {"accuracy": [0.0, 0.0]}),
        records.Scores("digits", "PCA", {"accuracy": [0.5, 0.7]}),
        records.Scores("BasicMotions", "PCA", {}),
    ]
    [mean] = measures.average(scores)
    assert mean.contender == "ours"
    assert mean.values == {"accuracy": pytest.approx([0.6, 0.85])}
    assert measures.average(scores[2:3]) == []


@pytest.mark.parametrize(
    ("values", "met"),
    [
        ((0.95, 0.90, 0.85, 0.85), [True, True, True, True, True]),
        ((0.92, 0.90, 0.85, 0.85), [False, False, True, True, True]),
        ((0.87, 0.90, 0.75, 0.75), [False, True, False, False, False]),
    ],
)
def test_the_goals_of_quality(values, met):
    assert [verdict.met for verdict in measures.judge(make_scores(*values))] == met


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epochs=3", ("epochs", 3)),
        ("hidden_units=(4, 4)", ("hidden_units", (4, 4))),
        ("scaling=None", ("scaling", None)),
        ("loss=huber", ("loss", "huber")),
    ],
)
def test_settings_on_the_command_line(text, expected):
    assert quality_command.setting(text) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "epoch=3"], "Invalid parameter 'epoch'"),
        (["--sets", "digit"], "invalid choice: 'digit'"),
        (["--only", "our"], "invalid choice: 'our'"),
        (["--seeds", "0"], "--seeds 0 is less than 1"),
    ],
)
def test_a_choice_that_is_none_is_refused(capsys, options, message):
    with pytest.raises(SystemExit):
        quality_command.main(options)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("options", "kept"), [([], True), (["--set", "epochs=3"], False)])
def test_only_the_whole_measurement_is_kept(monkeypatch, capsys, options, kept):
    calls = []
    monkeypatch.setattr(quality_command, "measure", lambda *choice: make_record())
    monkeypatch.setattr(report, "save", lambda line, record: calls.append(line))
    monkeypatch.setattr(report, "write_tables", calls.append)
    quality_command.main(options)
    assert calls == (["quality", command.SHOWN] if kept else [])
    assert "| another | 1.000 | n/a |" in capsys.readouterr().out


# Anomalies -------------------------------------------------------------------------------


@pytest.fixture
def small_set(monkeypatch):
    """A record of the machine with a jump that anybody sees, in windows of 10 steps."""
    record, labels = make_anomalous_record("level", 600, 2, random_state=0, n_events=1)
    record[labels] += 50
    chosen = anomalous.Set(record[:300], {"small": (record[300:], labels[300:])}, 10)
    monkeypatch.setitem(anomalous.SETS, "small", lambda seed: chosen)
    return chosen


@pytest.mark.parametrize("contender", watchers.CONTENDERS)
def test_a_watcher_finds_what_anybody_sees(contender, small_set):
    values = findings.Trials(anomaly_command.QUICK).run(contender, "small", 0)["small"]
    assert 0.8 < values["ROC-AUC"] <= 1
    assert values["average precision"] > 0.5
    assert values["event F1"] == 1


def test_what_scores_windows_that_overlap_or_not_is_learned_once(small_set, monkeypatch):
    learned, scored = [], []

    def watch(windows, seed, settings):
        learned.append(len(windows))
        return lambda others: scored.append(len(others)) or np.zeros(others.shape[:2])

    for name, overlap in [("ours", True), ("ours, apart", False)]:
        monkeypatch.setitem(watchers.CONTENDERS, name, (watch, overlap))
    trials = findings.Trials({})
    values = [trials.run(name, "small", 0)["small"] for name in ("ours", "ours, apart")]
    assert (learned, scored) == ([291], [291, 30])
    assert [each["ROC-AUC"] for each in values] == [0.5, 0.5]


LABELS = np.repeat([0, 1, 0, 1, 0], [20, 4, 20, 6, 30]).astype(bool)


@pytest.mark.parametrize(
    ("alarms", "f1"),
    [
        (LABELS, 1),
        (np.r_[LABELS[10:], LABELS[:10]], 0),
        (np.isin(np.arange(80), [21, 25, 27, *range(60, 67)]), 0.5),  # one of two, one false
        (np.isin(np.arange(80), [21, 45, 60, 66, 70, 71, 72, 73, 74, 75]), 0.8),  # both, one false
        (np.isin(np.arange(80), [21, 45, 60, 67, 70, 71, 72, 73, 74, 75]), 4 / 6),  # two false
    ],
)
def test_f1_counts_anomalies_and_false_alarms(alarms, f1):
    noise = np.random.default_rng(0).uniform(size=len(alarms))
    assert findings.event_f1(noise + 2 * alarms, LABELS) == pytest.approx(f1)


def make_findings(ours, PCA):
    """Scores of each kind on which both were judged, the last one 3 points less for ours."""
    scores = []
    for cases in anomalous.KINDS.values():
        for case in cases:
            lost = 0.03 if case == cases[-1] else 0.0
            scores.append(records.Scores(case, "ours", {"ROC-AUC": [ours - lost, ours - lost]}))
            scores.append(records.Scores(case, "PCA", {"ROC-AUC": [PCA, PCA]}))
    return scores + findings.average(scores)


@pytest.mark.parametrize(
    ("ours", "met"), [(0.90, [False, False]), (0.91, [True, False]), (0.925, [True, True])]
)
def test_the_goals_of_anomalies(ours, met):
    verdicts = findings.judge(make_findings(ours, 0.90))
    assert [verdict.met for verdict in verdicts] == 2 * met
    assert f"{100 * (ours - 0.93):+.1f} points on machine, correlation" in verdicts[1].measured


def test_the_mean_of_the_kinds_is_of_those_who_were_judged_on_all():
    scores = make_findings(0.9, 0.8)
    assert len([each for each in scores if each.case.endswith(", mean")]) == 4
    kinds = [each for each in scores if not each.case.endswith(", mean")]
    found = [(each.case, each.contender) for each in findings.average(kinds[1:])]
    assert found == [("machine, mean", "PCA"), ("walk, mean", "PCA"), ("walk, mean", "ours")]


@pytest.mark.tensorflow
def test_anomalies_are_measured_quickly_without_aeon(monkeypatch, capsys):
    monkeypatch.setattr(report, "save", None)
    anomaly_command.main(["--quick", "--only", "PCA", "ours, apart"])
    output = capsys.readouterr().out
    assert "| machine, spike | 1.000 | 0." in output
    assert output.count("machine, mean") == 3


def test_only_all_anomalies_are_kept(monkeypatch):
    calls = []
    monkeypatch.setattr(anomaly_command, "measure_all", lambda *choice: make_record())
    monkeypatch.setattr(report, "save", lambda line, record: calls.append(line))
    monkeypatch.setattr(report, "write_tables", calls.append)
    anomaly_command.main(["--seeds", "2"])
    anomaly_command.main([])
    assert calls == ["anomaly", command.SHOWN]


# Variants --------------------------------------------------------------------------------

MEASURES = {
    "reconstruct": {variants.REBUILT, variants.REBUILT_IN_FIT, variants.ACCURACY},
    "predict": {variants.PREDICTED, variants.ACCURACY},
}
MEASURES["composite"] = MEASURES["reconstruct"] | MEASURES["predict"]


@pytest.mark.parametrize(
    ("network", "variant"),
    [("network of the paper", "composite, conditional"), ("defaults", "reconstruct, forwards")],
)
def test_a_variant_is_tried(network, variant):
    values = variants.trial(network, variant, 0, variants.QUICK)
    assert values.keys() == MEASURES[variant.split(",")[0]]
    assert 0 <= values[variants.ACCURACY] <= 1
    assert all(np.isfinite(value) and value > 0 for value in values.values())


def test_few_labels_are_enough_for_codes_that_tell_the_class():
    digits = np.tile(np.arange(10), 30)
    codes = np.eye(10)[digits]
    assert variants.few_label_accuracy(codes, digits, 200, 0) == 1
    noise = np.random.default_rng(0).normal(size=(300, 3))
    assert variants.few_label_accuracy(noise, digits, 200, 0) < 0.3


def pretend(network, variant, seed, size):
    """A trial in which the paper is right, but for composites, which predict worse."""
    objective, _, how = variant.partition(", ")
    error = {"": 0.5, "conditional": 0.3, "forwards": 0.7}[how] + 0.01 * seed
    values = dict.fromkeys(MEASURES[objective], error)
    if objective == "composite":
        values[variants.PREDICTED] = error + 0.1
    return values | {variants.ACCURACY: 0.9 if objective == "composite" else 0.8}


@pytest.mark.parametrize(("options", "kept"), [([], True), (["--quick"], False)])
def test_variants_are_measured_and_the_whole_measurement_is_kept(
    monkeypatch, capsys, options, kept
):
    saved, written = {}, []
    monkeypatch.setattr(variants, "trial", pretend)
    monkeypatch.setattr(report, "save", saved.__setitem__)
    monkeypatch.setattr(report, "write_tables", written.append)
    variants.main(options)
    shown = capsys.readouterr().out
    row = "| prediction error: composite before predict | -0.100 (-0.100 to -0.100): the opposite |"
    assert row in shown
    assert shown.count(": holds") == 2 * (len(variants.ORDERS) - 2)
    assert written == [command.SHOWN] * kept
    assert list(saved) == ["variants"] * kept
    for record in saved.values():
        assert len(record.scores) == len(variants.VARIANTS) * len(variants.NETWORKS)
        assert {len(order.gains) for order in record.orders} == {variants.FULL.n_seeds}


# Few labels ------------------------------------------------------------------------------


@pytest.mark.parametrize("n_labels", [1, 3])
def test_as_many_labels_of_each_class_are_chosen(n_labels):
    y = np.random.default_rng(0).integers(0, 4, size=80)
    rows = labels.choose(y, n_labels, 0)
    assert len(set(rows)) == 4 * n_labels
    np.testing.assert_array_equal(np.bincount(y[rows]), [n_labels] * 4)
    assert set(rows) <= set(labels.choose(y, n_labels + 2, 0))
    assert set(rows) != set(labels.choose(y, n_labels, 1))


# One epoch is often no better than the mean: the warning says the truth.
@pytest.mark.filterwarnings("ignore:The fit is no better:sklearn.exceptions.ConvergenceWarning")
def test_a_random_start_is_what_pre_training_starts_from():
    X = np.random.default_rng(0).normal(size=(20, 4, 2))
    made = labels.make_contenders(X, 0, labels.Size({}, latent_dim=2, epochs=1))
    random, trained = (made[name].autoencoder.weights_ for name in (labels.RANDOM, labels.TUNED))
    drawn = LSTMAutoencoderTransformer(2, epochs=1, learning_rate=1e-30, random_state=0).fit(X)
    for start, same, other in zip(drawn.weights_, random, trained, strict=True):
        np.testing.assert_allclose(same, start, atol=1e-6)
        assert not np.allclose(other, start, atol=1e-3)


def test_all_contenders_are_tried_with_all_numbers_of_labels():
    accuracies = labels.trials("digits", 0, labels.QUICK)
    assert list(accuracies) == [1, 2]
    for of_number in accuracies.values():
        assert of_number.keys() == set(sum(labels.ORDERS, ()))
        assert all(0 < accuracy < 1 for accuracy in of_number.values())


def pretend_trials(name, seed, size):
    """Trials in which pre-training helps with few labels, and is in the way of many."""
    start = dict.fromkeys(sum(labels.ORDERS, ()), 0.5)
    return {n: start | {labels.TUNED: 0.9 if n < 10 else 0.4} for n in size.labels[name]}


@pytest.mark.parametrize(("options", "kept"), [([], True), (["--quick"], False)])
def test_labels_are_measured_and_the_whole_measurement_is_kept(monkeypatch, capsys, options, kept):
    saved, written = {}, []
    monkeypatch.setattr(labels, "trials", pretend_trials)
    monkeypatch.setattr(report, "save", saved.__setitem__)
    monkeypatch.setattr(report, "write_tables", written.append)
    labels.main(options)
    shown = capsys.readouterr().out
    assert "| pre-trained before random start | +0.400 (+0.400 to +0.400): holds |" in shown
    assert ("-0.100 (-0.100 to -0.100): the opposite" in shown) == kept
    assert written == [command.SHOWN] * kept
    assert list(saved) == ["labels"] * kept
    for record in saved.values():
        assert {len(order.gains) for order in record.orders} == {labels.FULL.n_seeds}
        assert len(record.orders) == len(labels.ORDERS) * 7
