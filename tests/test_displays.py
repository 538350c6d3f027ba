"""Displays hold numbers and draw them; what is drawn is what the estimator says."""

import sys
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.dates import ConciseDateFormatter, date2num
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers import assert_same, padded, ragged
from sklearn_lstmae import (
    ErrorDisplay,
    LatentDisplay,
    LatentImportanceDisplay,
    LatentTraversalDisplay,
    LearningCurveDisplay,
    LSTMAutoencoderClassifier,
    LSTMAutoencoderDetector,
    LSTMAutoencoderTransformer,
    ReconstructionDisplay,
    find_events,
    latent_importance,
    sliding_windows,
    unwind,
)

RNG = np.random.default_rng(0)
LENGTHS = [5, 7, 6, 7, 4, 7, 6, 5]
CUBE = RNG.normal([0, 10], size=(8, 7, 2))
RAGGED = ragged(CUBE, LENGTHS)
FRAMES = [pd.DataFrame(sequence, columns=["u", "v"]) for sequence in RAGGED]
PADDED = padded(RAGGED)
HOURS = pd.date_range("2025-01-01", periods=20, freq="h")
RECORD = pd.Series(np.sin(np.arange(20.0)), HOURS)


def make(**parameters):
    small = {"latent_dim": 3, "hidden_units": (4,), "epochs": 2, "random_state": 0}
    return LSTMAutoencoderTransformer(**small | parameters)


@pytest.fixture(scope="module")
def model():
    """It knows the names of its features, and missing values."""
    return make(missing="mask").fit(FRAMES)


@pytest.fixture(scope="module")
def table_model():
    return make().fit(CUBE[:, :, 0])


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


class StandIn:
    """Public methods of a detector, with errors that are easy to foretell."""

    offset_ = -0.5

    def errors(self, X, per):
        assert per == "step"
        return np.abs(X[:, :, 0])

    def score_samples(self, X):
        return -np.abs(X).mean(axis=(1, 2))


def legend_of(axes):
    legend = axes.get_legend() or axes.figure.legends[0]
    return [text.get_text() for text in legend.get_texts()]


# All of them -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def displays(model):
    """A function that makes each display anew, on axes or without."""
    X, y = FRAMES, np.arange(8) % 2
    return {
        LearningCurveDisplay: lambda **how: LearningCurveDisplay.from_estimator(model, **how),
        ReconstructionDisplay: lambda **how: ReconstructionDisplay.from_estimator(model, X, **how),
        ErrorDisplay: lambda **how: ErrorDisplay.from_estimator(StandIn(), RECORD, 4, **how),
        LatentDisplay: lambda **how: LatentDisplay.from_estimator(model, X, y, **how),
        LatentTraversalDisplay: lambda **how: LatentTraversalDisplay.from_estimator(
            model, X, **how
        ),
        LatentImportanceDisplay: lambda **how: LatentImportanceDisplay.from_estimator(
            model, X, **how
        ),
    }


KINDS = [
    LearningCurveDisplay,
    ReconstructionDisplay,
    ErrorDisplay,
    LatentDisplay,
    LatentTraversalDisplay,
    LatentImportanceDisplay,
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_display_draws_on_given_axes_or_on_its_own(kind, displays):
    own = displays[kind]()
    assert isinstance(own, kind)
    own.figure_.draw_without_rendering()

    figure, (left, right) = plt.subplots(1, 2)
    given = displays[kind](ax=right)
    assert given.figure_ is figure
    figure.draw_without_rendering()
    assert not left.has_data()
    drawn = given.axes_.flat if hasattr(given, "axes_") else [given.ax_]
    for axes in drawn:
        assert axes.get_position().x0 > left.get_position().x1


def test_ticks_of_given_axes_stay(model):
    _, ax = plt.subplots(subplot_kw={"xticks": [1.5]})
    display = LearningCurveDisplay.from_estimator(model, ax=ax)
    assert display.ax_.get_xticks().tolist() == [1.5]


@pytest.mark.parametrize("kind", KINDS)
def test_a_display_is_drawn_again_from_its_numbers(kind, displays):
    first = displays[kind]()
    figure = first.figure_
    assert first.plot() is first
    assert first.figure_ is not figure
    names = kind.__init__.__code__.co_varnames[1 : 1 + kind.__init__.__code__.co_kwonlyargcount]
    copy = kind(**{name: getattr(first, name) for name in names})
    copy.plot().figure_.draw_without_rendering()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not LatentImportanceDisplay])
def test_options_of_matplotlib_win_by_any_of_their_names(kind, displays):
    display = displays[kind](c="red") if kind is not LatentDisplay else displays[kind](color="red")
    artists = {
        LearningCurveDisplay: lambda: list(display.lines_.values()),
        ErrorDisplay: lambda: [display.line_],
        LatentDisplay: lambda: display.scatters_,
    }.get(kind, lambda: list(display.lines_.flat))()
    for artist in artists:
        color = artist.get_facecolor()[0][:3] if kind is LatentDisplay else artist.get_color()
        assert to_rgba(color)[:3] == to_rgba("red")[:3]


def test_options_of_heat_maps(displays):
    display = displays[LatentImportanceDisplay](cmap="Greens")
    assert {image.get_cmap().name for image in display.images_} == {"Greens"}


@pytest.mark.parametrize("kind", KINDS)
def test_without_matplotlib_an_error_says_what_to_install(kind, displays, monkeypatch):
    ready = displays[kind]()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=rf"{kind.__name__}.from_estimator requires matplotlib"):
        displays[kind]()
    with pytest.raises(ImportError, match=rf"{kind.__name__}.plot requires.*pip install"):
        ready.plot()


OF_AUTOENCODERS = [kind for kind in KINDS if kind is not ErrorDisplay]


@pytest.mark.parametrize("kind", OF_AUTOENCODERS)
def test_a_display_of_a_detector_is_that_of_its_autoencoder(kind, model):
    X = () if kind is LearningCurveDisplay else (FRAMES,)
    detector = LSTMAutoencoderDetector(FrozenEstimator(model)).fit(FRAMES)
    display, expected = (kind.from_estimator(each, *X) for each in (detector, model))
    for name in ("history", "codes", "originals", "sequences", "shares", "feature_names"):
        if hasattr(expected, name):
            assert_same(getattr(display, name), getattr(expected, name))
    with pytest.raises(NotFittedError, match="LSTMAutoencoderDetector"):
        kind.from_estimator(LSTMAutoencoderDetector(), *X)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("estimator", [LSTMAutoencoderClassifier, StandardScaler])
def test_a_display_says_what_to_pass_in_place_of_other_estimators(kind, estimator):
    if estimator is StandardScaler:
        if kind is LatentDisplay:
            pytest.skip("what transforms has codes")
        estimator = StandardScaler().fit([[1.0], [2.0]])
    else:
        estimator = LSTMAutoencoderClassifier(make(), epochs=1)
        if kind is LearningCurveDisplay:
            pytest.skip("a classifier has a learning curve")
    more = {LearningCurveDisplay: (), ErrorDisplay: (RECORD, 4)}.get(kind, (FRAMES,))
    with pytest.raises(ValueError, match=r" has no \w+: pass .* classifier.autoencoder_"):
        kind.from_estimator(estimator, *more)


@pytest.mark.parametrize(
    "kind", [ReconstructionDisplay, LatentTraversalDisplay, LatentImportanceDisplay]
)
def test_windows_get_the_names_that_their_index_keeps(kind):
    frame = pd.DataFrame(CUBE.reshape(-1, 2), columns=["inlet", "outlet"])
    windows, index = sliding_windows(frame, 7, 7)
    model = make().fit(windows)
    display = kind.from_estimator(model, windows, feature_names=index.feature_names)
    assert display.feature_names == ["inlet", "outlet"]
    assert kind.from_estimator(model, windows).feature_names == ["feature 0", "feature 1"]
    with pytest.raises(ValueError, match="feature_names must be a list of 2 names"):
        kind.from_estimator(model, windows, feature_names=["inlet"])


# LearningCurveDisplay --------------------------------------------------------------------


def test_a_learning_curve_shows_history_baseline_and_best_epoch(model):
    display = LearningCurveDisplay.from_estimator(model)
    assert display.lines_.keys() == {"loss"}
    assert_array_equal(display.lines_["loss"].get_xydata(), [*enumerate(model.history_["loss"], 1)])
    assert_array_equal(display.baseline_line_.get_ydata(), [model.baseline_loss_] * 2)
    assert display.best_line_.get_xydata().tolist() == [[2, model.history_["loss"][1]]]
    assert legend_of(display.ax_) == ["training", "best constant", "best epoch: 2"]
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("epoch", "loss")


def test_the_best_epoch_is_marked_on_the_validation_loss():
    history = {"loss": [3, 2, 1], "reconstruct_loss": [3, 1, 1], "kl_loss": [0, 1, 1]}
    history |= {"val_loss": [3, 2, 4], "val_accuracy": [0.1, 0.2, 0.1]}
    display = LearningCurveDisplay(history=history, best_epoch=2).plot()
    assert display.lines_.keys() == {"loss", "val_loss", "reconstruct_loss", "kl_loss"}
    for name, line in display.lines_.items():
        assert_array_equal(line.get_xydata(), [*enumerate(history[name], 1)])
    assert display.best_line_.get_xydata().tolist() == [[2, 2]]
    assert display.best_line_.get_color() == display.lines_["val_loss"].get_color()
    assert legend_of(display.ax_) == [
        "training",
        "validation",
        "reconstruct",
        "kl",
        "best epoch: 2",
    ]


def test_epochs_without_a_validation_loss_leave_a_gap():
    """As those of `partial_fit` after a fit with early stopping do."""
    history = {"loss": [3.0, 2, 1], "val_loss": [3.0, 2, np.nan]}
    display = LearningCurveDisplay(history=history, best_epoch=3).plot()
    assert display.best_line_.get_xydata().tolist() == [[3, 1]]
    assert display.best_line_.get_color() == display.lines_["loss"].get_color()


def test_a_classifier_has_a_learning_curve():
    classifier = LSTMAutoencoderClassifier(make(), epochs=3, random_state=0)
    classifier.fit(RAGGED, np.arange(8) % 2)
    display = LearningCurveDisplay.from_estimator(classifier)
    assert_array_equal(display.lines_["loss"].get_ydata(), classifier.history_["loss"])
    assert_array_equal(display.baseline_line_.get_ydata(), [classifier.baseline_loss_] * 2)


def test_a_learning_curve_needs_no_baseline_and_no_best_epoch():
    class Fitted(StandardScaler):
        history_ = {"loss": [2.0, 1.0]}

    display = LearningCurveDisplay.from_estimator(Fitted().fit([[1.0], [2.0]]))
    assert display.baseline_line_ is None
    assert display.best_line_ is None
    assert legend_of(display.ax_) == ["training"]


def test_a_learning_curve_needs_a_history():
    scaler = StandardScaler().fit([[1.0], [2.0]])
    with pytest.raises(ValueError, match=r"StandardScaler has no history_.*autoencoder_"):
        LearningCurveDisplay.from_estimator(scaler)


# ReconstructionDisplay -------------------------------------------------------------------


def test_a_reconstruction_stands_on_its_original(model):
    display = ReconstructionDisplay.from_estimator(model, FRAMES, samples=[4, 1])
    rebuilt = model.reconstruct(FRAMES)
    assert display.axes_.shape == display.lines_.shape == (2, 2)
    for column, sample in enumerate([4, 1]):
        assert display.axes_[0, column].get_title() == f"sequence {sample}"
        for feature in range(2):
            original = display.original_lines_[feature, column]
            decoded = display.lines_[feature, column]
            assert_array_equal(original.get_xdata(), np.arange(LENGTHS[sample]))
            assert_array_equal(decoded.get_xdata(), np.arange(LENGTHS[sample]))
            assert_allclose(original.get_ydata(), RAGGED[sample][:, feature])
            assert_allclose(decoded.get_ydata(), rebuilt[sample][:, feature])
    assert [panel.get_ylabel() for panel in display.axes_[:, 0]] == ["u", "v"]
    assert [panel.get_xlabel() for panel in display.axes_[-1]] == ["step", "step"]
    assert legend_of(display.axes_[0, 0]) == ["original", "decoded", "error"]


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
def test_padding_is_not_drawn(model):
    array = ReconstructionDisplay.from_estimator(model, PADDED, samples=4)
    alone = ReconstructionDisplay.from_estimator(model, RAGGED, samples=4)
    for lines, expected in [
        (array.lines_, alone.lines_),
        (array.original_lines_, alone.original_lines_),
    ]:
        for line, other in zip(lines.flat, expected.flat, strict=True):
            assert_array_equal(line.get_xydata(), other.get_xydata())


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
def test_a_missing_value_is_a_gap_of_the_original_only(model):
    X = [RAGGED[1].copy(), RAGGED[2]]
    X[0][[2, 6], 0] = np.nan
    display = ReconstructionDisplay.from_estimator(model, X)
    assert_array_equal(np.flatnonzero(np.isnan(display.originals[0][:, 0])), [2, 6])
    assert not np.isnan(display.reconstructions[0]).any()
    assert display.original_lines_[0, 0].get_marker() == "."
    assert display.original_lines_[1, 0].get_marker() == "None"
    display.figure_.draw_without_rendering()


def test_a_prediction_stands_on_the_steps_that_it_is_about():
    predicting = make(objective="composite", horizon=2).fit(RAGGED)
    display = ReconstructionDisplay.from_estimator(
        predicting, RAGGED, samples=[0, 1], task="predict"
    )
    assert [line.get_xdata().tolist() for line in display.lines_[0]] == [[3, 4], [5, 6]]
    whole = ReconstructionDisplay.from_estimator(predicting, RAGGED, samples=[0])
    assert len(whole.lines_[0, 0].get_xdata()) == LENGTHS[0]


@pytest.mark.parametrize("as_frame", [True, False])
def test_sequences_of_a_table_have_one_feature_without_a_name(table_model, as_frame):
    X = CUBE[:, :, 0]
    model = table_model
    if as_frame:
        X = pd.DataFrame(X, columns=list("abcdefg"))
        model = make().fit(X)
    display = ReconstructionDisplay.from_estimator(model, X, samples=-1)
    assert display.feature_names == ["value"]
    assert display.samples == [7]
    assert_allclose(display.lines_[0, 0].get_ydata(), model.reconstruct(X)[7])


def test_features_are_chosen_by_name_or_number(model):
    for chosen in (["v"], [1], "v", 1, np.int64(1)):
        display = ReconstructionDisplay.from_estimator(model, FRAMES, features=chosen)
        assert display.feature_names == ["v"]
        assert_allclose(display.original_lines_[0, 0].get_ydata(), RAGGED[0][:, 1])
    for wrong in (["w"], [2], [-1], "w", "uv", 2, True, [True], 1.0, np.True_):
        with pytest.raises(ValueError, match=r"neither one of \['u', 'v'\] nor.* 0 to 1"):
            ReconstructionDisplay.from_estimator(model, FRAMES, features=wrong)
    with pytest.raises(ValueError, match=r"features is empty: choose at least one of \['u', 'v'\]"):
        ReconstructionDisplay.from_estimator(model, FRAMES, features=[])
    with pytest.raises(IndexError, match="8 is out of bounds"):
        ReconstructionDisplay.from_estimator(model, FRAMES, samples=8)


def test_panels_are_drawn_on_an_array_of_axes(model):
    _, axes = plt.subplots(1, 2)
    display = ReconstructionDisplay.from_estimator(FrozenEstimator(model), FRAMES, ax=axes)
    assert display.axes_.tolist() == [[axes[0]], [axes[1]]]
    with pytest.raises(ValueError, match=r"ax is 2 axes.* draws 2 rows of 2 panels"):
        ReconstructionDisplay.from_estimator(model, FRAMES, samples=[0, 1], ax=axes)
    with pytest.raises(ValueError, match=r"ax has no place in a grid.*add_subplot"):
        ReconstructionDisplay.from_estimator(model, FRAMES, ax=plt.figure().add_axes((0, 0, 1, 1)))


def test_the_legend_of_panels_is_outside_them(model):
    """It is the figure's where that shows nothing else, so that no row grows for it."""
    alone = plt.figure(layout="constrained")
    display = ReconstructionDisplay.from_estimator(model, FRAMES, ax=alone.subplots())
    assert len(alone.legends) == 1
    assert display.axes_[0, 0].get_legend() is None

    for figure in (plt.figure(layout="constrained"), plt.figure()):
        ax = figure.subplots(1, 2)[0] if figure.get_layout_engine() else figure.subplots()
        display = ReconstructionDisplay.from_estimator(model, FRAMES, ax=ax)
        assert figure.legends == []
        assert display.axes_[0, 0].get_legend() is not None


@pytest.mark.parametrize("as_array", [True, False])
def test_reconstructions_that_are_there_are_drawn(model, as_array):
    X = CUBE if as_array else FRAMES
    rebuilt = model.reconstruct(X)
    expected = ReconstructionDisplay.from_estimator(model, X, samples=[4, 1], features=["v"])
    display = ReconstructionDisplay.from_reconstructions(
        X, rebuilt, samples=[4, 1], features=["v"], feature_names=["u", "v"]
    )
    assert display.feature_names == ["v"]
    assert display.samples == [4, 1]
    for lines, others in [
        (display.lines_, expected.lines_),
        (display.original_lines_, expected.original_lines_),
    ]:
        for line, other in zip(lines.flat, others.flat, strict=True):
            assert_allclose(line.get_xydata(), other.get_xydata())
    numbered = ReconstructionDisplay.from_reconstructions(X, rebuilt)
    assert numbered.feature_names == ["feature 0", "feature 1"]
    with pytest.raises(ValueError, match="There are 3 reconstructions of 8 sequences"):
        ReconstructionDisplay.from_reconstructions(X, rebuilt[:3])


# ErrorDisplay ----------------------------------------------------------------------------


def test_errors_lie_on_the_index_of_the_record():
    display = ErrorDisplay.from_estimator(StandIn(), RECORD, 4, stride=3)
    assert_array_equal(display.errors.index, HOURS)
    assert_allclose(display.errors, np.abs(RECORD))
    assert_allclose(display.line_.get_ydata(), np.abs(RECORD))
    assert_array_equal(display.line_.get_xdata(), HOURS.to_numpy())
    assert display.threshold_line_ is display.fill_ is None
    assert display.ax_.get_xlabel() == "time"
    assert isinstance(display.ax_.xaxis.get_major_formatter(), ConciseDateFormatter)


def test_errors_of_a_transformer():
    windows, index = sliding_windows(RECORD, 4)
    model = make().fit(windows)
    display = ErrorDisplay.from_estimator(model, RECORD, 4)
    assert_allclose(display.errors, unwind(model.errors(windows, per="step"), index))
    by_window = ErrorDisplay.from_estimator(model, RECORD, 4, per="window")
    assert_allclose(by_window.errors, unwind(-model.score_samples(windows), index))
    assert by_window.threshold is None


def test_a_detectors_threshold_is_one_of_whole_windows():
    display = ErrorDisplay.from_estimator(StandIn(), RECORD, 4, per="window")
    windows, index = sliding_windows(RECORD, 4)
    assert_allclose(display.errors, unwind(np.abs(windows).mean(axis=(1, 2)), index))
    assert_array_equal(display.threshold_line_.get_ydata(), [0.5, 0.5])
    other = ErrorDisplay.from_estimator(StandIn(), RECORD, 4, per="window", threshold=0.7)
    assert other.threshold == 0.7


def test_a_record_is_cut_as_sliding_windows_does():
    gappy = RECORD.drop(HOURS[7:9])  # pieces of 7 and 11 steps
    with pytest.raises(ValueError, match=r"max_gap=None.*short=.drop"):
        ErrorDisplay.from_estimator(StandIn(), gappy, 8)
    joined = ErrorDisplay.from_estimator(StandIn(), gappy, "8h", max_gap=None, stride="2h")
    assert_allclose(joined.errors, np.abs(gappy))
    dropped = ErrorDisplay.from_estimator(StandIn(), gappy, 8, short="drop")
    assert_array_equal(np.isnan(dropped.errors), np.arange(18) < 7)


def test_errors_with_coordinates_are_drawn_along_them():
    xarray = pytest.importorskip("xarray")
    display = ErrorDisplay.from_errors(xarray.DataArray(RECORD.to_numpy(), [("time", HOURS)]))
    assert_array_equal(display.line_.get_xdata(), HOURS.to_numpy())
    assert display.ax_.get_xlabel() == "time"


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_times_are_shown_in_their_zone(zone):
    hours = pd.date_range("2024-06-01", periods=72, freq="h", tz=zone)
    display = ErrorDisplay.from_errors(pd.Series(np.arange(72.0), hours))
    formatter = display.ax_.xaxis.get_major_formatter()
    ticks = [date2num(hours[24]), date2num(hours[30])]
    assert formatter.format_ticks(ticks) == ["Jun-02", "06:00"]


def test_a_detector_and_the_events_that_are_found_by_its_errors():
    record = pd.Series(np.where(np.arange(20) == 9, 5.0, np.sin(np.arange(20.0))), HOURS)
    windows, _ = sliding_windows(record, 4)
    detector = LSTMAutoencoderDetector(make()).fit(windows)
    display = ErrorDisplay.from_estimator(detector, record, 4, per="window")
    assert display.threshold == -detector.offset_

    display = ErrorDisplay.from_estimator(detector, record, 4)
    events = find_events(display.errors, threshold=3.0)
    assert events["start"].tolist() == [HOURS[9]]
    shaded = ErrorDisplay.from_errors(display.errors, threshold=3.0, intervals=events)
    assert_allclose(bounds_of(shaded), date2num(HOURS[9]) + np.array([[-0.5, 0.5]]) / 24)


def test_what_is_above_the_threshold_is_filled():
    display = ErrorDisplay.from_errors([0.0, 0, 3, 0, np.nan, 2, 0], threshold=1)
    corners = np.vstack([path.vertices for path in display.fill_.get_paths()])
    assert corners[:, 1].min() == 1
    assert corners[:, 1].max() == 3
    assert legend_of(display.ax_) == ["error", "threshold: 1", "above it"]


def test_an_infinite_threshold_is_not_drawn():
    """A conformal detector with too few sequences to compare with has one."""
    display = ErrorDisplay.from_errors([0.0, 1.0], threshold=np.inf)
    assert display.threshold_line_ is None


def bounds_of(display):
    return [[span.get_x(), span.get_x() + span.get_width()] for span in display.spans_]


@pytest.mark.parametrize("as_frame", [True, False])
def test_intervals_reach_half_a_step_beyond_their_ends(as_frame):
    intervals = [(2, 2), (5, 7)]
    expected = np.array([[1.5, 2.5], [4.5, 7.5]])

    def listed(pairs):
        return pd.DataFrame(pairs, columns=["start", "end"]) if as_frame else pairs

    display = ErrorDisplay.from_errors(np.arange(10.0), intervals=listed(intervals))
    assert_allclose(bounds_of(display), expected)
    assert legend_of(display.ax_) == ["error", "interval"]
    numbered = pd.Series(np.arange(10.0))
    display = ErrorDisplay.from_errors(numbered, intervals=listed(intervals))
    assert_allclose(bounds_of(display), expected)

    at_hours = [(HOURS[2], HOURS[2]), (HOURS[5], HOURS[7])]
    for index, labels in [
        (HOURS, at_hours),
        (HOURS.tz_localize("UTC"), [[t.tz_localize("UTC") for t in pair] for pair in at_hours]),
        (HOURS.to_period("h"), [[t.to_period("h") for t in pair] for pair in at_hours]),
    ]:
        errors = pd.Series(np.arange(20.0), index)
        display = ErrorDisplay.from_errors(errors, intervals=listed(labels))
        assert_allclose(bounds_of(display), date2num(HOURS[0]) + expected / 24)
        display.figure_.draw_without_rendering()

    errors = pd.Series(np.arange(20.0), HOURS - HOURS[0])
    labels = [[t - HOURS[0] for t in pair] for pair in at_hours]
    display = ErrorDisplay.from_errors(errors, intervals=listed(labels))
    assert_allclose(bounds_of(display), 3600 * expected)
    assert display.ax_.get_xlabel() == "time [s]"


def test_no_intervals_are_none():
    for empty in ([], pd.DataFrame({"start": [], "end": []}), None):
        assert ErrorDisplay.from_errors([1.0, 2.0], intervals=empty).spans_ == []


def test_one_step_has_an_interval_too():
    assert bounds_of(ErrorDisplay.from_errors([1.0], intervals=[(0, 0)])) == [[-0.5, 0.5]]


def test_errors_of_several_records_are_refused():
    with pytest.raises(ValueError, match="record is a list: pass one record"):
        ErrorDisplay.from_estimator(StandIn(), [RECORD, RECORD], 4)
    with pytest.raises(ValueError, match=r"errors has shape \(2, 3\), but one error per step"):
        ErrorDisplay.from_errors(np.ones((2, 3)))
    with pytest.raises(ValueError, match="per='feature' is not one of"):
        ErrorDisplay.from_estimator(StandIn(), RECORD, 4, per="feature")


@pytest.mark.parametrize("per", ["step", "window"])
def test_errors_of_windows_that_are_there_are_drawn(per):
    windows, index = sliding_windows(RECORD, 4, 3)
    errors = np.abs(windows[:, :, 0])
    errors = errors if per == "step" else errors.mean(axis=1)
    display = ErrorDisplay.from_errors(errors, index=index)
    assert_array_equal(display.errors, unwind(errors, index, per=per))
    assert_array_equal(display.line_.get_xdata(), HOURS.to_numpy())
    float32 = ErrorDisplay.from_errors(errors.astype("f4"), index=index)
    assert_allclose(float32.errors, display.errors, rtol=1e-6)
    windows, index = sliding_windows([RECORD, RECORD], 4)
    with pytest.raises(ValueError, match=r"index has 2 records.* unwind"):
        ErrorDisplay.from_errors(windows[:, :, 0], index=index)


TIMES = {
    "arrow": HOURS.astype("timestamp[ns][pyarrow]"),
    "objects": HOURS.astype(object),
    "categories": pd.CategoricalIndex(HOURS),
    "intervals": pd.IntervalIndex.from_breaks(pd.date_range(HOURS[0], periods=21, freq="h")),
}


@pytest.mark.parametrize("make_of", TIMES)
def test_times_of_every_make_are_a_time_axis(make_of):
    index = TIMES[make_of]
    errors = pd.Series(np.arange(20.0), index)
    display = ErrorDisplay.from_errors(errors, intervals=[(index[5], index[7])])
    assert_allclose(bounds_of(display), date2num(HOURS[0]) + np.array([[4.5, 7.5]]) / 24)
    assert display.ax_.get_xlabel() == "time"
    assert isinstance(display.ax_.xaxis.get_major_formatter(), ConciseDateFormatter)
    display.figure_.draw_without_rendering()


LABELS = {
    "words": pd.Index([f"batch {number}" for number in range(20)]),
    "categories": pd.CategoricalIndex([f"batch {number}" for number in range(20)]),
    "levels": pd.MultiIndex.from_product([["a"], range(20)]),
    "clocks": pd.Index(HOURS.time),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_without_distances_are_drawn_at_steps(kind):
    labels = LABELS[kind]
    errors = pd.Series(np.arange(20.0), labels)
    display = ErrorDisplay.from_errors(errors, intervals=[(labels[5], labels[7])])
    assert_array_equal(display.line_.get_xdata(), np.arange(20))
    assert bounds_of(display) == [[4.5, 7.5]]
    display.figure_.draw_without_rendering()
    ticks = display.ax_.get_xticks()
    assert 2 <= len(ticks) < 10
    for place, text in zip(ticks, display.ax_.get_xticklabels(), strict=True):
        assert text.get_text() == (str(labels[int(place)]) if 0 <= place < 20 else "")
    with pytest.raises(ValueError, match="intervals has 'batch 77', which is not in the index"):
        ErrorDisplay.from_errors(errors, intervals=[(labels[5], "batch 77")])


def test_intervals_of_numbers_lie_between_their_bounds():
    errors = pd.Series(np.arange(20.0), pd.interval_range(0, 20))
    display = ErrorDisplay.from_errors(errors, intervals=[(errors.index[5], errors.index[7])])
    assert_array_equal(display.line_.get_xdata(), np.arange(20) + 0.5)
    assert bounds_of(display) == [[5, 8]]
    display = ErrorDisplay.from_errors(errors, intervals=[(5.5, 7.5)])
    assert bounds_of(display) == [[5, 8]]


def test_errors_on_strings_that_look_like_times_get_a_warning():
    errors = pd.Series(np.arange(2000.0), pd.date_range("2025", periods=2000, freq="h").astype(str))
    intervals = [(errors.index[5], errors.index[7])]
    with pytest.warns(UserWarning, match=r"errors.index = pandas.to_datetime") as caught:
        display = ErrorDisplay.from_errors(errors, intervals=intervals)
    assert caught[0].filename == __file__
    display.figure_.draw_without_rendering()
    assert len(display.ax_.get_xticks()) < 10
    assert bounds_of(display) == [[4.5, 7.5]]


def test_an_interval_has_a_least_width():
    """In points, however long the record is."""
    display = ErrorDisplay.from_errors(np.zeros(10**5), intervals=[(5, 5)])
    [span] = display.spans_
    assert span.get_linewidth() >= 1
    assert span.get_edgecolor()[3] > 0


# LatentDisplay ---------------------------------------------------------------------------


def test_codes_lie_in_the_plane_of_their_principal_components(model):
    from sklearn.decomposition import PCA

    display = LatentDisplay.from_estimator(model, FRAMES)
    codes = model.transform(FRAMES)
    pca = PCA(2).fit(codes)
    assert_allclose(np.abs(display.codes), np.abs(pca.transform(codes)), rtol=1e-4, atol=1e-6)
    assert_allclose(display.explained_variance_ratio, pca.explained_variance_ratio_, rtol=1e-4)
    assert_array_equal(display.scatters_[0].get_offsets(), display.codes)
    first = f"{pca.explained_variance_ratio_[0]:.0%}"
    assert display.ax_.get_xlabel() == f"component 1 ({first} of variance)"


def test_classes_have_a_color_a_marker_and_a_place_in_the_legend(model):
    y = np.array(["b", "a", "c", "a", "b", "c", "a", "b"])
    display = LatentDisplay.from_estimator(model, FRAMES, y)
    assert legend_of(display.ax_) == ["a", "b", "c"]
    assert_array_equal(display.scatters_[0].get_offsets(), display.codes[y == "a"])
    colors = {tuple(scatter.get_facecolor()[0]) for scatter in display.scatters_}
    shapes = {scatter.get_paths()[0].vertices.tobytes() for scatter in display.scatters_}
    assert len(colors) == len(shapes) == 3


def test_many_classes_look_different():
    display = LatentDisplay.from_codes(RNG.normal(size=(140, 2)), np.arange(140))
    colors = [tuple(scatter.get_facecolor()[0]) for scatter in display.scatters_]
    shapes = [scatter.get_paths()[0].vertices.tobytes() for scatter in display.scatters_]
    assert len(set(colors[:20])) == 20
    assert len(set(zip(colors, shapes, strict=True))) == 140


@pytest.mark.parametrize("n_classes", [9, 20, 47, 48, 300])
def test_a_legend_of_many_classes_leaves_room_for_codes(n_classes):
    display = LatentDisplay.from_codes(RNG.normal(size=(n_classes, 2)), np.arange(n_classes))
    names = [str(number) for number in range(min(n_classes, 48))]
    if n_classes > 48:
        names[-1] = "and 253 more"
    assert legend_of(display.ax_) == names
    display.figure_.draw_without_rendering()
    assert display.ax_.get_position().width > 0.4
    legend = display.ax_.get_legend().get_window_extent()
    assert legend.y0 > 0
    assert legend.x1 < display.figure_.bbox.x1


def test_codes_that_are_there_are_drawn(model):
    computed = LatentDisplay.from_estimator(model, FRAMES, [0, 1] * 4)
    display = LatentDisplay.from_codes(pd.DataFrame(model.transform(FRAMES)), [0, 1] * 4)
    assert_array_equal(display.codes, computed.codes)
    assert legend_of(display.ax_) == ["0", "1"]
    with pytest.raises(ValueError, match="minimum of 2 is required by LatentDisplay"):
        LatentDisplay.from_codes(display.codes[:1])


def test_a_quantity_has_a_color_bar(model):
    y = np.linspace(0, 1, 8)
    display = LatentDisplay.from_estimator(model, FRAMES, y)
    assert_array_equal(display.scatters_[0].get_array(), y)
    assert display.colorbar_ is not None
    assert LatentDisplay.from_estimator(model, FRAMES, [0.0, 1.0] * 4).colorbar_ is None


def test_a_code_of_one_column_lies_on_a_line(table_model):
    model = make(latent_dim=1).fit(CUBE[:, :, 0])
    display = LatentDisplay.from_estimator(model, CUBE[:, :, 0])
    assert_array_equal(display.codes[:, 1], 0)
    assert_allclose(display.explained_variance_ratio, [1, 0])


def test_equal_codes_are_drawn(table_model):
    display = LatentDisplay.from_estimator(table_model, CUBE[[0, 0, 0], :, 0])
    assert_allclose(display.codes, 0, atol=1e-6)
    assert np.isfinite(display.explained_variance_ratio).all()


def test_anything_with_transform_has_codes(table_model):
    X = CUBE[:, :, 0]
    pipeline = make_pipeline(FrozenEstimator(table_model), StandardScaler()).fit(X)
    display = LatentDisplay.from_estimator(pipeline, X)
    assert_allclose(np.square(display.codes).sum() / display.explained_variance_ratio.sum(), 24)


def test_codes_that_cannot_be_drawn_are_refused(table_model):
    X = CUBE[:, :, 0]
    with pytest.raises(ValueError, match=r"1 sample.*minimum of 2 is required by LatentDisplay"):
        LatentDisplay.from_estimator(table_model, X[:1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LatentDisplay.from_estimator(table_model, X, [0, 1])


# LatentTraversalDisplay ------------------------------------------------------------------


def test_a_traversal_decodes_the_mean_code_with_one_column_moved(model):
    display = LatentTraversalDisplay.from_estimator(
        model, FRAMES, columns=[2, 0], deviations=[-1, 0, 3]
    )
    codes = model.transform(FRAMES)
    moved = codes.mean(axis=0)
    moved[2] += 3 * codes[:, 2].std()
    [expected] = model.inverse_transform(moved[np.newaxis])
    assert display.sequences.shape == (2, 3, 7, 2)
    assert_allclose(display.sequences[0, 2], expected, atol=1e-5)
    assert_allclose(display.sequences[0, 1], display.sequences[1, 1])  # not moved at all
    assert_allclose(display.lines_[1, 0, 2].get_ydata(), expected[:, 1], atol=1e-5)
    assert [panel.get_title() for panel in display.axes_[0]] == ["column 2", "column 0"]
    assert [panel.get_ylabel() for panel in display.axes_[:, 0]] == ["u", "v"]
    assert legend_of(display.axes_[0, 0]) == ["-1", "0", "3"]


def test_the_columns_that_change_most_come_first(monkeypatch):
    model = SimpleNamespace(n_decoded=6)
    monkeypatch.setattr("sklearn_lstmae.displays.latent.fitted_model", lambda _: model)

    class Decoder:
        to_keras = None  # as only the autoencoder has it
        scale_ = np.array([1.0, 1000.0])

        def transform(self, X):
            return X

        def inverse_transform(self, Z, lengths=None):
            steps = np.ones((1, lengths or 4))
            features = [Z @ [0, 1.0, 2, 0, 3, 4], 1000 * (Z @ [2.5, 0, 0, 0, 0, 0])]
            return np.stack([feature[:, np.newaxis] * steps for feature in features], axis=2)

        def get_feature_names_out(self):
            return np.array([f"c{number}" for number in range(6)], object)

    codes = StandardScaler().fit_transform(RNG.normal(size=(20, 6)))
    display = LatentTraversalDisplay.from_estimator(Decoder(), codes)
    assert display.columns == [5, 4, 0, 2]
    named = LatentTraversalDisplay.from_estimator(
        Decoder(), codes, columns="c1", features=1, length=9
    )
    assert named.columns == [1]
    assert named.feature_names == ["feature 1"]
    assert named.sequences.shape == (1, 5, 9, 1)
    with pytest.raises(ValueError, match=r"columns has 6, which is neither .* 0 to 5"):
        LatentTraversalDisplay.from_estimator(Decoder(), codes, columns=[6])


def test_columns_that_a_scaling_appends_are_traversed_too():
    model = make(scaling="sequence").fit(CUBE)
    display = LatentTraversalDisplay.from_estimator(model, CUBE, columns="mean_x1")
    levels = display.sequences[0].mean(axis=1)  # (M, F)
    assert (np.diff(levels[:, 1]) > 0).all()
    assert_allclose(levels[:, 0], levels[0, 0], rtol=1e-5)


# LatentImportanceDisplay -----------------------------------------------------------------


def test_heat_maps_show_shares(model):
    display = LatentImportanceDisplay.from_estimator(model, FRAMES, columns=[2, 0])
    shares = latent_importance(model, FRAMES)
    assert_allclose(display.shares, shares[[2, 0]])
    assert_allclose(display.images_[0].get_array(), shares[2].T)
    assert [panel.get_title() for panel in display.axes_.flat] == ["column 2", "column 0"]
    labels = [label.get_text() for label in display.axes_[0, 0].get_yticklabels()]
    assert labels == ["u", "v"]
    assert {image.get_clim() for image in display.images_} == {(0, display.shares.max())}


def test_one_heat_map_has_all_columns_of_univariate_sequences(table_model):
    X = CUBE[:, :, 0]
    display = LatentImportanceDisplay.from_estimator(table_model, X)
    [image] = display.images_
    assert_allclose(image.get_array(), latent_importance(table_model, X)[:, :, 0])
    labels = [label.get_text() for label in display.axes_[0, 0].get_yticklabels()]
    assert labels == ["column 0", "column 1", "column 2"]


def test_panels_without_a_map_are_hidden():
    display = LatentImportanceDisplay(
        shares=np.full((5, 3, 2), 1 / 6), columns=list(range(5)), feature_names=["u", "v"]
    ).plot()
    assert display.axes_.shape == (2, 4)
    assert [panel.axison for panel in display.axes_[1]] == [True, False, False, False]
    assert [panel.get_xlabel() for panel in display.axes_[0]] == ["", "step", "step", "step"]


def test_missing_labels_are_gray_and_come_last():
    codes = np.random.default_rng(0).normal(size=(9, 3))
    for labels in (
        np.where(np.arange(9) % 3, [0.0, 1.0, 0.0] * 3, np.nan),
        np.array(["a", None, "b"] * 3, object),
        pd.array([1, pd.NA, 2] * 3, dtype="Int64"),
        pd.Series(["a", pd.NA, "b"] * 3, dtype="string"),
    ):
        display = LatentDisplay.from_codes(codes, labels)
        assert display.colorbar_ is None
        assert [len(each.get_offsets()) for each in display.scatters_] == [3, 3, 3]
        assert to_rgba(display.scatters_[-1].get_facecolor()[0], 1) == to_rgba("#666666")
        assert legend_of(display.ax_)[-1] == "missing"
    quantity = np.where(np.arange(9) % 3, np.linspace(0, 1, 9), np.nan)
    display = LatentDisplay.from_codes(codes, quantity)
    assert [len(each.get_offsets()) for each in display.scatters_] == [6, 3]
    assert display.colorbar_ is not None


def test_nullable_columns_are_drawn():
    frame = pd.DataFrame(CUBE[:, :, 0].astype(float)).convert_dtypes()
    frame.columns = frame.columns.astype(str)
    frame.iloc[0, 2] = pd.NA
    tables = [table.convert_dtypes() for table in FRAMES]
    tables[0].iloc[1, 0] = pd.NA
    for X in (frame, tables):
        display = ReconstructionDisplay.from_estimator(make(missing="mask").fit(X), X)
        assert np.isnan(display.originals[0]).sum() == 1
        assert display.originals[0].dtype == np.float64
