"""What each method takes and returns, in every layout, and what it refuses."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from helpers import layouts, ragged
from helpers import make_transformer as make

RNG = np.random.default_rng(0)
LENGTHS = [5, 2, 7, 1, 6, 3, 7, 4, 1, 2]
CUBE = (3 + 2 * RNG.normal(size=(10, 7, 2))).astype(np.float32)
RAGGED = ragged(CUBE, LENGTHS)
TABLE = CUBE[:, :, 0]
LAYOUTS = layouts(CUBE, LENGTHS)
WAVES = np.sin(np.linspace(0, 6, 8) + np.arange(40)[:, np.newaxis])


@pytest.fixture(scope="module", params=LAYOUTS)
def layout(request):
    return request.param


@pytest.fixture(scope="module")
def X(layout):
    return LAYOUTS[layout]


@pytest.fixture(scope="module")
def model(X):
    return make().fit(X)


@pytest.fixture(scope="module")
def cube_model():
    return make().fit(CUBE)


@pytest.fixture(scope="module")
def list_model():
    return make().fit(RAGGED)


def shape_of(X):
    """(N, T), (N, T, F), or the shapes of the sequences of a list."""
    return [np.shape(item) for item in X] if isinstance(X, list) else np.shape(X)


# Input -----------------------------------------------------------------------------------


def test_tensors_are_read_as_arrays(cube_model):
    import tensorflow as tf

    for X in (tf.constant(CUBE), tf.Variable(CUBE), list(tf.constant(CUBE))):
        assert_array_equal(cube_model.transform(X), cube_model.transform(CUBE))
    assert_array_equal(make().fit(tf.constant(CUBE)).transform(CUBE), cube_model.transform(CUBE))
    ragged_tensor = tf.ragged.stack([tf.constant(sequence) for sequence in RAGGED])
    assert_array_equal(cube_model.transform(ragged_tensor), cube_model.transform(RAGGED))


def test_a_tensor_without_values_is_refused(cube_model):
    import keras

    with pytest.raises(ValueError, match="NumPy cannot read X, a KerasTensor"):
        cube_model.transform(keras.Input((7, 2)))


def test_a_dataset_of_tensorflow_is_told_the_way_to_arrays(cube_model):
    import tensorflow as tf

    X = tf.data.Dataset.from_tensor_slices(CUBE)
    with pytest.raises(ValueError, match=r"np.concatenate\(list\(X.as_numpy_iterator\(\)\)\)"):
        cube_model.transform(X)
    codes = cube_model.transform(CUBE)
    assert_array_equal(cube_model.transform(list(X.as_numpy_iterator())), codes)
    batches = np.concatenate(list(X.batch(4).as_numpy_iterator()))
    assert_array_equal(cube_model.transform(batches), codes)


def test_fit_warns_of_channels_before_time():
    with pytest.warns(UserWarning, match=r"one step of 7 features.*pass np.swapaxes\(X, 1, 2\)"):
        make(epochs=1).fit(np.swapaxes(CUBE[:, :, :1], 1, 2))


# Attributes ------------------------------------------------------------------------------


def test_fit_returns_itself_and_sets_what_it_documents(X, layout):
    model = make()
    assert model.fit(X, y="ignored") is model
    fitted = {name for name in vars(model) if name.endswith("_")}
    named = {"feature_names_in_"} if "frame" in layout else set()
    assert fitted == named | {
        "weights_", "history_", "n_epochs_", "best_epoch_", "loss_", "baseline_loss_", "mean_",
        "scale_", "var_", "n_observed_", "n_timesteps_", "n_features_in_", "configuration_",
        "optimizer_state_",
    }  # fmt: skip
    assert {weight.dtype for weight in model.weights_} == {np.dtype(np.float32)}
    assert model.n_timesteps_ == 7


@pytest.mark.parametrize(
    ("layout", "n_features_in"),
    [("2d", 7), ("frame", 7), ("3d", 2), ("list", 2), ("frames", 2), ("list-1d", 1)],
)
def test_n_features_in_is_the_width_of_a_table_and_else_the_features(layout, n_features_in):
    assert make().fit(LAYOUTS[layout]).n_features_in_ == n_features_in


def test_names_of_columns_are_kept():
    assert_array_equal(make().fit(LAYOUTS["frame"]).feature_names_in_, list("abcdefg"))
    assert_array_equal(make().fit(LAYOUTS["frames"]).feature_names_in_, ["u", "v"])


# Methods ---------------------------------------------------------------------------------


def test_transform_gives_a_float32_vector_a_sequence(model, X):
    codes = model.transform(X)
    assert (codes.shape, codes.dtype) == ((10, 2), np.float32)
    assert np.isfinite(codes).all()


def test_reconstruct_gives_sequences_like_those_of_x(model, X):
    output = model.reconstruct(X)
    assert type(output) is (list if isinstance(X, list) else np.ndarray)
    assert shape_of(output) == shape_of(X)
    assert {item.dtype for item in output} == {np.dtype(np.float64)}


def test_inverse_transform_gives_sequences_as_long_as_asked(model, X, layout):
    codes = model.transform(X)
    features = (2,) if layout in ("3d", "list", "frames") else ()
    for lengths, expected in ((None, 7), (3, 3), (np.int64(9), 9), (np.full(10, 4), 4)):
        output = model.inverse_transform(codes, lengths=lengths)
        assert isinstance(output, list) == isinstance(X, list)
        assert np.shape(output) == (10, expected, *features)
    output = model.inverse_transform(codes, lengths=LENGTHS)
    assert isinstance(output, list)
    assert shape_of(output) == [(length, *features) for length in LENGTHS]


@pytest.mark.parametrize("scaling", ["feature", "sequence", None])
def test_reconstruct_is_transform_and_inverse_transform(X, scaling):
    model = make(scaling=scaling).fit(X)
    lengths = [len(sequence) for sequence in X] if isinstance(X, list) else None
    expected = model.inverse_transform(model.transform(X), lengths=lengths)
    for one, other in zip(model.reconstruct(X), expected, strict=True):
        assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("per", "shape", "axes"),
    [("sequence", (10,), (1, 2)), ("step", (10, 7), 2), ("feature", (10, 2), 1)],
)
@pytest.mark.parametrize("layout", ["3d", "list"])
def test_errors_are_means_of_the_errors_of_values(layout, per, shape, axes):
    X = LAYOUTS[layout]
    model = make().fit(X)
    values = model.errors(X, per="value")
    assert (values.shape, values.dtype) == ((10, 7, 2), np.float64)
    observed = np.arange(7) < (np.array(LENGTHS)[:, np.newaxis] if layout == "list" else 7)
    assert_array_equal(np.isnan(values), ~np.broadcast_to(observed[..., np.newaxis], values.shape))
    got = model.errors(X, per=per)
    assert (got.shape, got.dtype) == (shape, np.float64)
    total, count = np.nansum(values, axis=axes), (~np.isnan(values)).sum(axis=axes)
    assert_allclose(got[count > 0], total[count > 0] / count[count > 0], rtol=1e-6)
    assert np.isnan(got[count == 0]).all()


def test_errors_are_those_of_the_reconstruction(model, X):
    values = model.errors(X, per="value")
    rows = X if isinstance(X, list) else np.asarray(X)
    for errors, row, output in zip(values, rows, model.reconstruct(X), strict=True):
        difference = (np.asarray(row) - output).reshape(len(output), -1) / model.scale_
        assert_allclose(errors[: len(output)], difference**2, rtol=1e-3, atol=1e-5)


def test_score_samples_are_negated_errors(model, X):
    scores = model.score_samples(X)
    assert (scores.shape, scores.dtype) == ((10,), np.float64)
    assert_array_equal(scores, -model.errors(X))
    assert (scores <= 0).all()


@pytest.mark.parametrize("scaling", ["feature", "sequence", None])
@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_score_is_explained_variance(scaling, loss):
    """Of squared differences, whatever the loss; the mean is that of fit, also for other X."""
    model = make(scaling=scaling, loss=loss).fit(CUBE)
    other = CUBE[:4] * 2 + 1
    if scaling == "sequence":
        scale, mean = other.std(axis=1, keepdims=True), other.mean(axis=1, keepdims=True)
    else:
        scale, mean = model.scale_, model.mean_
    error = ((other - model.reconstruct(other)) / scale) ** 2
    deviation = ((other - mean) / scale) ** 2
    assert_allclose(model.score(other), 1 - error.sum() / deviation.sum(), rtol=1e-4, atol=1e-4)
    assert isinstance(model.score(other, y="ignored"), float)


def test_losses_of_fit_are_those_of_its_sequences(model, X):
    assert_allclose(model.loss_, np.nanmean(model.errors(X, per="value")), rtol=1e-5)
    assert_allclose(model.baseline_loss_, 1, rtol=1e-5)
    assert_allclose(model.score(X), 1 - model.loss_ / model.baseline_loss_, atol=1e-5)


@pytest.mark.filterwarnings("error")
def test_a_good_fit_explains_the_data_and_is_not_warned_of():
    model = make(hidden_units=(8,), epochs=150, learning_rate=0.02).fit(WAVES)
    assert model.score(WAVES) > 0.8
    assert model.loss_ < 0.2 * model.baseline_loss_
    assert model.history_["loss"][-1] < 0.3 * model.history_["loss"][0]
    assert np.abs(model.reconstruct(WAVES) - WAVES).mean() < 0.3


def test_names_of_columns(model, X):
    names = model.get_feature_names_out()
    assert list(names) == ["lstmautoencodertransformer0", "lstmautoencodertransformer1"]
    assert names.dtype == object


# Other layouts than that of fit ----------------------------------------------------------


def test_layouts_can_be_mixed_where_features_agree(cube_model, list_model):
    for model in (cube_model, list_model):
        for X in (CUBE, RAGGED, CUBE[:, :3], np.concatenate([CUBE, CUBE], axis=1), RAGGED[:1]):
            assert model.transform(X).shape == (len(X), 2)
            assert shape_of(model.reconstruct(X)) == shape_of(X)
    univariate = make().fit(LAYOUTS["list-1d"])
    assert univariate.transform(TABLE[:, :3]).shape == (10, 2)
    assert_array_equal(univariate.transform(TABLE), univariate.transform(CUBE[:, :, :1]))


@pytest.mark.parametrize(
    ("layout", "X", "match"),
    [
        ("2d", TABLE[:, :6], "X has 6 features, but LSTMAutoencoderTransformer is expecting 7"),
        ("2d", CUBE, "X has 2 features, but LSTMAutoencoderTransformer is expecting 1 features"),
        ("3d", CUBE[:, :, :1], "X has 1 features, but LSTMAutoencoderTransformer is expecting 2"),
        ("3d", TABLE, "X is 2-D, univariate .* fitted on sequences with 2 features"),
        ("list", [np.ones((3, 3))], "X has 3 features, but LSTMAutoencoderTransformer is expect"),
        ("3d", TABLE[0], "Reshape your data"),
        ("3d", CUBE[:0], r"0 sample\(s\) \(shape=\(0, 7, 2\)\)"),
        ("3d", CUBE[:, :0], r"0 timestep\(s\) \(shape=\(10, 0, 2\)\)"),
        ("3d", [], r"0 sample\(s\)"),
        ("3d", 3.0, "scalar"),
        ("3d", np.full((2, 3, 2), np.nan), "contains NaN"),
        ("3d", np.full((2, 3, 2), 1e300), r"too large for dtype\('float32'\)"),
    ],
)
@pytest.mark.parametrize("method", ["transform", "reconstruct", "errors", "score_samples", "score"])
def test_each_method_refuses_what_does_not_agree_with_fit(layout, X, match, method):
    model = make().fit(LAYOUTS[layout])
    with pytest.raises(ValueError, match=match):
        getattr(model, method)(X)


def test_names_of_other_columns_are_refused():
    model = make().fit(LAYOUTS["frame"])
    frame = LAYOUTS["frame"]
    with pytest.raises(ValueError, match="unseen at fit time:\n- z"):
        model.transform(frame.rename(columns={"a": "z"}))
    with pytest.raises(ValueError, match="seen at fit time, yet now missing"):
        model.transform(frame.drop(columns="a"))
    with pytest.raises(ValueError, match="must be in the same order"):
        model.transform(frame[frame.columns[::-1]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.transform(TABLE)
    with pytest.warns(UserWarning, match="has feature names"):
        make().fit(TABLE).transform(frame)


# Small and odd data ----------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Every sequence of X has one step:UserWarning")
@pytest.mark.parametrize(
    "X",
    [
        CUBE[:1],
        CUBE[:, :1],
        CUBE[:1, :1],
        np.full((5, 4, 2), 7.0),
        np.repeat(CUBE[:1], 6, axis=0),
        np.zeros((5, 4, 2)),
        CUBE + np.float32(1e6),
        CUBE * np.float32(1e-42),
        np.full((5, 4, 2), -0.0),
        np.sign(CUBE[:5] - 3) * np.finfo(np.float32).max,
        [CUBE[0, :1], np.tile(CUBE[1], (30, 1)), CUBE[2]],
    ],
    ids=[
        "one sequence", "one step", "one value a feature", "constant", "repeated", "zeros",
        "offset", "subnormal", "negative zero", "largest", "short and long",
    ],
)  # fmt: skip
@pytest.mark.parametrize("scaling", ["feature", "sequence"])
def test_odd_data_give_finite_results(X, scaling):
    model = make(scaling=scaling).fit(X)
    codes = model.transform(X)
    assert np.isfinite(codes).all()
    assert all(np.isfinite(sequence).all() for sequence in model.inverse_transform(codes))
    assert np.isfinite(model.score_samples(X)).all()
    assert np.isfinite([model.score(X), model.loss_, model.baseline_loss_]).all()


def test_a_large_offset_does_not_matter():
    """Means are subtracted before numbers are rounded to float32."""
    offset = CUBE.astype(np.float64) + 2.0**26
    assert_allclose(make().fit_transform(offset), make().fit_transform(CUBE), atol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_constant_feature_is_the_same_in_each_layout_and_dtype(layout):
    """Not scaled up to the rounding of its mean, where another digit of a copy would stand out."""
    cube = np.tile(CUBE.astype(np.float64), (4, 1, 1))
    cube[..., 0] = 14.62
    X = layouts(cube, LENGTHS * 4)[layout]
    model = make(epochs=1).fit(X)
    assert model.scale_[0] == 1
    copy = layouts(cube.astype(np.float32), LENGTHS * 4)[layout]
    assert_allclose(model.transform(copy), model.transform(X), atol=1e-5)
    assert_allclose(model.errors(copy), model.errors(X), atol=1e-5)
    assert_allclose(make(epochs=1).fit(copy).baseline_loss_, model.baseline_loss_, atol=1e-6)


@pytest.mark.parametrize("scaling", ["feature", "sequence"])
@pytest.mark.parametrize(
    "family", [{}, {"objective": "composite", "horizon": 2}], ids=["reconstruct", "composite"]
)
def test_what_comes_back_has_the_digits_of_a_large_level(scaling, family):
    """Metres of a map, seconds since 1970: float32 has steps of 128 there."""
    level = 2.0**31
    X = CUBE.astype(np.float64).round(3)
    low, high = (make(epochs=1, scaling=scaling, **family).fit(each) for each in (X, X + level))
    assert_allclose(high.score(X + level), low.score(X), atol=1e-5)
    assert_allclose(high.reconstruct(X + level) - level, low.reconstruct(X), atol=1e-4)
    if family:
        assert_allclose(high.forecast(X + level) - level, low.forecast(X), atol=1e-4)
    if scaling == "feature":  # else the level stands in the codes, which are float32
        back = high.inverse_transform(high.transform(X + level)) - level
        assert_allclose(back, low.inverse_transform(low.transform(X)), atol=1e-4)


def test_sequences_much_longer_than_those_of_fit(cube_model):
    long = np.concatenate([CUBE] * 30, axis=1)
    assert np.isfinite(cube_model.transform(long)).all()
    assert cube_model.reconstruct(long).shape == long.shape


# What is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("transform", [CUBE]),
        ("inverse_transform", [np.ones((1, 2))]),
        ("reconstruct", [CUBE]),
        ("errors", [CUBE]),
        ("score_samples", [CUBE]),
        ("score", [CUBE]),
        ("get_feature_names_out", []),
        ("to_keras", []),
    ],
)
def test_each_method_needs_a_fit(method, arguments):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(make(), method)(*arguments)


@pytest.mark.parametrize(
    ("Z", "match"),
    [
        (np.ones((3, 5)), "Z has 5 columns, but the codes of this .* have 2"),
        (np.ones(2), "Reshape your data"),
        (np.ones((0, 2)), r"0 sample\(s\)"),
        (np.ones((3, 2, 1)), "dim 3"),
        (np.full((3, 2), np.nan), "Input Z contains NaN"),
        (np.full((3, 2), 1e300), "Input Z contains infinity or a value too large"),
    ],
)
def test_codes_that_transform_would_not_return_are_refused(cube_model, Z, match):
    with pytest.raises(ValueError, match=match):
        cube_model.inverse_transform(Z)


@pytest.mark.parametrize(
    "lengths",
    [
        *(0, -1, 2.5, "3", True, [1, 0, 2], [[1, 2, 3]], [1.0, 2, 3]),
        *(2**31, 2**63, 10**30, [1, 2**63, 1], np.full(3, 2**64 - 1, np.uint64)),
    ],
    ids=repr,
)
def test_lengths_that_are_not_counts_are_refused(cube_model, lengths):
    message = (
        "lengths must be an int or a 1-D array of ints, each at least 1 and at most 2147483647"
    )
    with pytest.raises(ValueError, match=message):
        cube_model.inverse_transform(np.ones((3, 2)), lengths=lengths)


def test_lengths_of_another_number_are_refused(cube_model):
    with pytest.raises(ValueError, match="lengths has 2 entries, but Z has 3 rows"):
        cube_model.inverse_transform(np.ones((3, 2)), lengths=[1, 2])


@pytest.mark.parametrize("per", ["row", None, 0, ["step"]])
def test_errors_per_something_else_are_refused(cube_model, per):
    with pytest.raises(ValueError, match=r"per=.* is not one of \['sequence', 'step'"):
        cube_model.errors(CUBE, per=per)


def test_a_keras_model_of_something_else_is_refused(cube_model):
    with pytest.raises(ValueError, match="part='predictor' is not one of"):
        cube_model.to_keras("predictor")


def test_names_of_another_number_of_features_are_refused(cube_model):
    with pytest.raises(ValueError, match="input_features should have length equal"):
        cube_model.get_feature_names_out(["a"])


# Outcomes --------------------------------------------------------------------------------


def test_a_fit_no_better_than_the_mean_is_told_with_both_numbers():
    noise = np.random.default_rng(0).normal(size=(20, 6, 2))
    with pytest.warns(ConvergenceWarning, match="no better than predicting") as caught:
        model = make(epochs=1).fit(noise)
    [warning] = [one for one in caught if one.category is ConvergenceWarning]
    for number in (model.loss_, model.baseline_loss_):
        assert f"{number:.6g}" in str(warning.message)
    assert model.loss_ >= model.baseline_loss_
    assert warning.filename == __file__


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("error")
def test_a_constant_is_not_warned_of():
    make().fit(np.ones((5, 6, 2)))


def test_a_fit_that_diverges_names_epoch_loss_and_remedies():
    model = make(optimizer="sgd", learning_rate=1e30, epochs=9, batch_size=32)
    match = r"in epoch \d+ \(last finite loss: \d.*\)\. Try a smaller learning_rate"
    with pytest.raises(ValueError, match=match):
        model.fit(CUBE)


def test_values_too_large_to_learn_from_are_told():
    with pytest.raises(ValueError, match="look for extreme values in X"):
        make(scaling=None).fit(CUBE * np.float32(1e30))


# Keras -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [{}, {"patch_size": 3, "missing": "mask"}, {"scaling": None, "bottleneck": "hidden"}],
    ids=str,
)
def test_keras_models_say_the_same(parameters):
    model = make(**parameters).fit(RAGGED)
    lengths = np.array(LENGTHS)
    mask = np.arange(7) < lengths[:, np.newaxis]
    x = ((CUBE - model.mean_) / model.scale_ if model.scaling else CUBE).astype(np.float32)
    x[~mask] = 99  # what is masked does not matter
    encoder, decoder, both = (
        model.to_keras(part) for part in ("encoder", "decoder", "autoencoder")
    )
    codes = np.asarray(encoder([x, mask]))
    assert_allclose(codes, model.transform(RAGGED), atol=1e-5)
    steps = np.asarray(decoder([codes, mask]))
    assert_allclose(both([x, mask]), steps, atol=1e-5)
    assert {"encoder", "decoder"} <= {layer.name for layer in both.layers}
    offset = model.mean_ if model.scaling else 0
    for output, row, length in zip(model.reconstruct(RAGGED), steps, lengths, strict=True):
        assert_allclose(output, row[:length] * model.scale_ + offset, atol=1e-4)
    assert model.to_keras() is not model.to_keras()


@pytest.mark.parametrize("scaling", ["feature", "sequence", None])
def test_values_far_from_those_of_fit_have_finite_codes(scaling):
    model = make(scaling=scaling).fit(CUBE)
    largest = np.sign(CUBE).astype(np.float32) * np.finfo(np.float32).max
    assert np.isfinite(model.transform(largest)).all()
