"""Laws: what must not matter does not, to the bit."""

import copy
import pickle
import random
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from helpers import assert_same, assert_same_fit, padded, run_python, take
from sklearn_lstmae import LSTMAutoencoderTransformer

CONFIGURATIONS = {
    "dense": {"latent_dim": 2, "hidden_units": (4,)},
    "state": {
        "latent_dim": 2,
        "hidden_units": (3, 2),
        "bidirectional": False,
        "bottleneck": "hidden_cell",
        "reverse_target": False,
        "patch_size": 2,
        "scaling": "sequence",
    },
}
RNG = np.random.default_rng(0)
LENGTHS = [5, 2, 7, 1, 6, 3, 7, 4, 1, 2, 5, 7, 3, 6, 4, 2]
RAGGED = [RNG.normal(size=(length, 2)).astype(np.float32) for length in LENGTHS]
CUBE = RNG.normal(size=(16, 7, 2)).astype(np.float32)
TABLE = CUBE[:, :, 0]
LAYOUTS = {"2d": TABLE, "3d": CUBE, "ragged": RAGGED}


def make(configuration="dense", **parameters):
    defaults = {"epochs": 2, "batch_size": 8, "random_state": 0}
    return LSTMAutoencoderTransformer(**CONFIGURATIONS[configuration] | defaults | parameters)


def outcome(model, X):
    """All that a fitted model says about X."""
    return [
        model.transform(X),
        model.reconstruct(X),
        model.score_samples(X),
        *(model.errors(X, per=per) for per in ("step", "feature")),
    ]


@pytest.fixture(scope="module", params=CONFIGURATIONS)
def configuration(request):
    return request.param


@pytest.fixture(scope="module", params=LAYOUTS)
def X(request):
    return LAYOUTS[request.param]


@pytest.fixture(scope="module")
def model(configuration, X):
    return make(configuration).fit(X)


@pytest.fixture(scope="module")
def cube_model():
    return make().fit(CUBE)


# Other rows ------------------------------------------------------------------------------


def test_a_row_does_not_depend_on_the_others(model, X):
    whole = outcome(model, X)
    for row in range(len(X)):
        for of_one, of_all in zip(outcome(model, take(X, [row])), whole, strict=True):
            length = len(of_one[0]) if np.ndim(of_one[0]) else None
            assert_same(of_one[0], of_all[row][:length] if length else of_all[row])


def test_the_order_of_rows_does_not_matter(model, X):
    order = np.random.default_rng(1).permutation(len(X))
    whole = [take(result, order) for result in outcome(model, X)]
    assert_same(outcome(model, take(X, order)), whole)


def test_a_row_is_the_same_in_a_large_and_in_a_small_batch(cube_model):
    many = np.concatenate([CUBE] * 40)  # several blocks of inference
    assert_same(cube_model.transform(many), np.concatenate([cube_model.transform(CUBE)] * 40))


def test_a_row_does_not_depend_on_its_place_where_units_do_not_fill_a_register():
    """Kernels compute what is left over by other instructions, which add in another order."""
    long = np.random.default_rng(1).normal(size=(12, 40, 1))
    model = make(hidden_units=(7,), patch_size=1, epochs=1).fit(long)
    codes = [model.transform(long[[row]])[0] for row in range(12)]
    assert_same(model.transform(long), np.stack(codes))


def test_score_is_that_of_all_values_together(model, X):
    """It is a ratio of sums, so that it does not depend on the rows' order."""
    order = np.random.default_rng(1).permutation(len(X))
    assert_allclose(model.score(take(X, order)), model.score(X), rtol=1e-6)


# Padding and missing values --------------------------------------------------------------


@pytest.mark.parametrize("n_more", [0, 1, 6, 30])
def test_the_amount_of_padding_does_not_matter(configuration, n_more):
    alone = make(configuration, missing="mask", patch_size=2).fit(RAGGED)
    array = make(configuration, missing="mask", patch_size=2).fit(padded(RAGGED, n_more))
    assert_same_fit(array, alone)
    assert array.n_timesteps_ == alone.n_timesteps_ == max(LENGTHS)
    codes = alone.transform(RAGGED)
    assert_same(array.transform(padded(RAGGED, n_more)), codes)
    assert_same(alone.transform(padded(RAGGED, n_more + 3)), codes)


def test_padding_gets_nan_and_nothing_else_does():
    X = padded(RAGGED, n_more=2)
    model = make(missing="mask").fit(X)
    for result in (model.reconstruct(X), model.errors(X, per="value")):
        assert_array_equal(np.isnan(result), np.isnan(X))
    assert_array_equal(np.isnan(model.errors(X, per="step")), np.isnan(X).all(axis=2))


def test_a_step_of_zeros_is_data(configuration):
    X = [np.vstack([sequence, np.zeros((2, 2), np.float32)]) for sequence in RAGGED]
    model = make(configuration).fit(X)
    assert (model.transform(X) != model.transform(RAGGED)).any(axis=1).all()
    per_step = model.errors(X, per="step")
    for errors, sequence in zip(per_step, X, strict=True):
        assert (errors[: len(sequence)] > 0).all()
        assert np.isnan(errors[len(sequence) :]).all()


def test_sequences_of_nothing_but_zeros_are_data():
    X = np.zeros((6, 5, 2))
    model = make().fit(X)
    assert np.isfinite(model.transform(X)).all()
    assert_array_equal(model.mean_, [0, 0])
    assert model.baseline_loss_ == 0


@pytest.fixture(scope="module")
def with_gaps():
    X = CUBE + np.float32(3)
    X[np.random.default_rng(2).random(X.shape) < 0.2] = np.nan
    X[0, 2] = np.nan  # a whole step
    X[:, -1] = 3
    return X


@pytest.mark.parametrize("scaling", ["feature", "sequence", None])
def test_a_missing_value_is_neither_scored_nor_learned_from(with_gaps, scaling):
    model = make(missing="mask", scaling=scaling).fit(with_gaps)
    values = model.errors(with_gaps, per="value")
    assert_array_equal(np.isnan(values), np.isnan(with_gaps))
    for per, axes in {"step": 2, "feature": 1, "sequence": (1, 2)}.items():
        every = np.isnan(values).all(axis=axes)
        mean = np.nansum(values, axis=axes) / np.maximum((~np.isnan(values)).sum(axis=axes), 1)
        assert_allclose(model.errors(with_gaps, per=per), np.where(every, np.nan, mean), rtol=1e-6)
    assert_allclose(model.loss_, np.nanmean(values), rtol=1e-5)
    assert np.isfinite(model.reconstruct(with_gaps)).all()  # it says what it takes them for


def test_statistics_of_fit_are_those_of_observed_values(with_gaps):
    model = make(missing="mask").fit(with_gaps)
    assert_allclose(model.mean_, np.nanmean(with_gaps, axis=(0, 1)), rtol=1e-6)
    assert_allclose(model.scale_, np.nanstd(with_gaps, axis=(0, 1)), rtol=1e-6)
    assert_allclose(model.baseline_loss_, 1, rtol=1e-6)


def test_the_network_is_told_what_is_missing(with_gaps):
    """What is missing is told from a value that happens to be the mean."""
    model = make(missing="mask").fit(with_gaps)
    filled = np.where(np.isnan(with_gaps), model.mean_, with_gaps)
    has_gap = np.isnan(with_gaps).any(axis=(1, 2))
    differs = (model.transform(with_gaps) != model.transform(filled)).any(axis=1)
    assert_array_equal(differs, has_gap)


def test_nan_at_the_end_of_a_list_item_is_missing_and_of_an_array_row_is_padding():
    model = make(missing="mask").fit(CUBE)
    X = CUBE.copy()
    X[:, -2:] = np.nan
    assert_same(model.transform(X), model.transform(CUBE[:, :-2]))
    assert (model.transform(list(X)) != model.transform(X)).any(axis=1).all()


# Seeds -----------------------------------------------------------------------------------


def test_one_seed_gives_one_result(configuration, X):
    assert_same_fit(make(configuration).fit(X), make(configuration).fit(X))


@pytest.mark.parametrize(
    "parameters", [{"dropout": 0.3, "noise": 0.2}, {"early_stopping": True, "patience": 9}], ids=str
)
@pytest.mark.filterwarnings("ignore:All 2 epochs were run")  # two epochs are few
def test_one_seed_gives_one_result_wherever_there_is_chance(parameters):
    one, same = (make(**parameters).fit(CUBE) for _ in range(2))
    other = make(**parameters | {"random_state": 1}).fit(CUBE)
    assert_same_fit(one, same)
    assert one.history_ != other.history_


def test_no_seed_gives_other_results_whatever_was_seeded_before():
    from keras.utils import set_random_seed

    make().fit(CUBE)
    codes = []
    for _ in range(2):
        set_random_seed(0)
        codes.append(make(random_state=None).fit_transform(CUBE))
    assert (codes[0] != codes[1]).any()


def test_a_random_state_is_drawn_from():
    state = np.random.RandomState(0)
    first, second = (make(random_state=state).fit_transform(CUBE) for _ in range(2))
    again = make(random_state=np.random.RandomState(0)).fit_transform(CUBE)
    assert_same(first, again)
    assert (first != second).any()


def test_global_random_states_are_neither_read_nor_changed():
    import tensorflow as tf
    from keras.utils import set_random_seed

    def draws():
        of_numpy = np.random.random()  # noqa: NPY002 - the global generator is what is meant
        return random.random(), of_numpy, float(tf.random.uniform([]))

    def use():
        model = make(dropout=0.3, noise=0.2).fit(CUBE)
        model.inverse_transform(model.transform(CUBE))
        model.to_keras()
        return model

    set_random_seed(5)
    expected = draws()
    set_random_seed(5)
    model = use()
    assert draws() == expected
    set_random_seed(6)
    assert_same_fit(use(), model)


# Life cycle ------------------------------------------------------------------------------


def test_fit_transform_is_fit_and_transform(configuration, X, model):
    assert_same(make(configuration).fit_transform(X), model.transform(X))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_copies_say_the_same(duplicate, model, X):
    assert_same(outcome(duplicate(model), X), outcome(model, X))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_says_the_same(protocol, model, X):
    restored = pickle.loads(pickle.dumps(model, protocol))
    assert_same(outcome(restored, X), outcome(model, X))
    assert vars(restored).keys() == vars(model).keys()


def test_fitted_state_is_arrays_and_plain_values(model):
    def plain(value):
        if isinstance(value, dict):
            return all(plain(item) for pair in value.items() for item in pair)
        if isinstance(value, (list, tuple)):
            return all(plain(item) for item in value)
        return value is None or type(value) in (np.ndarray, str, int, float, bool)

    fitted = {name: value for name, value in vars(model).items() if name.endswith("_")}
    assert [name for name, value in fitted.items() if not plain(value)] == []


def test_fit_adds_only_attributes_that_end_with_an_underscore(model):
    added = vars(model).keys() - model.get_params().keys()
    assert [name for name in added if not (name.endswith("_") and name[0] != "_")] == []


def test_methods_leave_the_model_alone(model, X):
    restored = pickle.loads(pickle.dumps(model))
    for one in (restored, model):
        before = copy.deepcopy(vars(one))
        outcome(one, X)
        one.score(X)
        one.inverse_transform(one.transform(X))
        one.get_feature_names_out()
        one.to_keras()
        assert_same(vars(one), before)


def test_data_are_left_alone(configuration, X):
    before = copy.deepcopy(X)
    make(configuration).fit_transform(X)
    assert_same(X, before)


def test_parameters_set_after_fit_change_nothing_until_the_next_fit():
    model = make().fit(CUBE)
    before = outcome(model, CUBE)
    model.set_params(latent_dim=5, loss="mae", scaling=None, missing="mask", hidden_units=(9, 9))
    model.set_params(patch_size=3, bottleneck="cell", epochs=-1, random_state="nonsense")
    assert_same(outcome(model, CUBE), before)
    with pytest.raises(ValueError, match="contains NaN"):
        model.transform(np.full((2, 3, 2), np.nan))


def test_another_fit_replaces_everything(X, configuration):
    fresh = make(configuration).fit(X)
    names = ["u", "v", "w"]
    frames = [pd.DataFrame(RNG.normal(size=(n, 3)), columns=names) for n in (9, 4)]
    used = make("state", early_stopping=True, validation_fraction=0.5, epochs=1, patience=5)
    with pytest.warns(match="All 1 epochs were run"):
        used.fit(frames)
    used.set_params(**make(configuration).set_params(early_stopping=False).get_params())
    used.fit(X)
    assert vars(used).keys() == vars(fresh).keys()
    assert_same_fit(used, fresh)
    assert_same(outcome(used, X), outcome(fresh, X))


def test_a_clone_is_not_fitted_and_fits_to_the_same(model, X):
    copied = clone(model)
    assert copied.get_params() == model.get_params()
    assert not [name for name in vars(copied) if name.endswith("_")]
    assert_same_fit(copied.fit(X), model)


class Interrupted:
    """A store on disk whose reader presses Ctrl-C once the first row is read."""

    shape, dtype, ndim = CUBE.shape, CUBE.dtype, 3

    def __getitem__(self, rows):
        if rows == slice(0, 1) or rows == 0:
            return CUBE[rows]
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("X", "parameters", "error"),
    [
        (CUBE[:, :, :0], {}, ValueError),
        (np.full((3, 4, 3), np.inf), {}, ValueError),
        (RAGGED[:1], {"early_stopping": True}, ValueError),
        (RAGGED, {"latent_dim": 0}, ValueError),
        (RAGGED, {"hidden_units": ()}, ValueError),
        (RAGGED, {"optimizer": "sgd", "learning_rate": 1e30, "epochs": 5}, ValueError),
        (Interrupted(), {}, KeyboardInterrupt),
    ],
    ids=["shape", "values", "split", "parameter", "combination", "divergence", "interrupt"],
)
def test_a_failed_fit_keeps_the_earlier_state(X, parameters, error):
    model = make().fit(CUBE)
    model.set_params(**parameters)
    before, codes = copy.deepcopy(vars(model)), model.transform(CUBE)
    with pytest.raises(error):
        model.fit(X)
    assert_same(vars(model), before)
    assert_same(model.transform(CUBE), codes)


def test_a_failed_first_fit_leaves_the_model_unfitted():
    model = make(optimizer="sgd", learning_rate=1e30, epochs=5)
    before = copy.deepcopy(vars(model))
    with pytest.raises(ValueError, match="stopped being finite in epoch"):
        model.fit(CUBE)
    assert vars(model) == before


# Layouts in memory -----------------------------------------------------------------------


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def strided(X):
    return np.repeat(X, 2, axis=1)[:, ::2]


@pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        read_only,
        strided,
        lambda X: X[::-1].copy()[::-1],
        lambda X: X.astype(">f4"),
        lambda X: X.astype("f8"),
        lambda X: X.astype(object),
        lambda X: X.tolist(),
    ],
    ids=["fortran", "read-only", "strided", "reversed", "big-endian", "float64", "object", "lists"],
)
@pytest.mark.parametrize("layout", ["2d", "3d"])
def test_memory_layout_does_not_matter(layout, convert):
    X = LAYOUTS[layout]
    expected = make().fit(X)
    model = make().fit(convert(X))
    assert_same_fit(model, expected)
    assert_same(model.transform(convert(X)), expected.transform(X))


@pytest.mark.parametrize("dtype", [bool, "u1", "i4", "i8", "f2"])
def test_numbers_of_any_type_are_those_numbers(dtype):
    X = np.random.default_rng(3).integers(0, 2, size=(9, 5, 2))
    assert_same_fit(make().fit(X.astype(dtype)), make().fit(X.astype("f4")))


def test_a_memory_map_is_an_array(tmp_path, cube_model):
    X = np.memmap(tmp_path / "X", np.float32, "w+", shape=CUBE.shape)
    X[:] = CUBE
    X.flush()
    X = np.memmap(tmp_path / "X", np.float32, "r", shape=CUBE.shape)
    assert_same_fit(make().fit(X), cube_model)
    assert_same(cube_model.transform(X), cube_model.transform(CUBE))


def test_equal_sequences_in_a_list_are_an_array(cube_model):
    assert_same_fit(make().fit(list(CUBE)), cube_model)
    assert_same(cube_model.transform(list(CUBE)), cube_model.transform(CUBE))


def test_a_table_is_one_feature():
    assert_same_fit(make().fit(TABLE), make().fit(TABLE[:, :, np.newaxis]))


# Threads and processes -------------------------------------------------------------------


def test_two_threads_transform_with_one_model(model, X):
    expected = outcome(model, X)
    with ThreadPoolExecutor(2) as threads:
        for result in threads.map(lambda _: outcome(model, X), range(6)):
            assert_same(result, expected)


def test_two_threads_fit_and_each_is_as_if_alone():
    """The architecture is new, so that the threads race for its program."""
    parameters = [{"latent_dim": 7}, {"latent_dim": 7}, {"latent_dim": 7, "random_state": 1}]

    def fit(one):
        return make(**one).fit(CUBE)

    with ThreadPoolExecutor(3) as threads:
        together = list(threads.map(fit, parameters))
    for model, one in zip(together, parameters, strict=True):
        assert_same_fit(model, fit(one))


@pytest.mark.tensorflow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_after_a_fork_fit_is_refused_at_once_and_all_else_works():
    """TensorFlow, which learns, would hang; what uses a fitted network needs no TensorFlow."""
    code = """
        import multiprocessing, time, warnings
        import numpy as np
        from joblib import Parallel, delayed
        from sklearn_lstmae import LSTMAutoencoderTransformer

        warnings.simplefilter("ignore")
        X = np.ones((4, 3, 2))
        model = LSTMAutoencoderTransformer(
            latent_dim=2, hidden_units=(3,), epochs=1, random_state=0
        )
        codes = model.fit_transform(X)

        def attempt(answer, method, *arguments):
            start = time.perf_counter()
            try:
                result = getattr(model, method)(*arguments)
            except BaseException as error:
                result = f"{type(error).__name__}: {error}"
            answer.send((result, time.perf_counter() - start))

        def call(method, *arguments):
            receiver, answer = fork.Pipe(duplex=False)
            child = fork.Process(target=attempt, args=(answer, method, *arguments))
            child.start()
            result, seconds = receiver.recv() if receiver.poll(10) else ("nothing", 10)
            child.kill()
            return result, seconds

        fork = multiprocessing.get_context("fork")
        for method, *arguments in [("transform", X), ("score", X), ("inverse_transform", codes)]:
            result, _ = call(method, *arguments)
            print(method, np.array_equal(result, getattr(model, method)(*arguments)))
        result = Parallel(n_jobs=2, backend="multiprocessing")(
            delayed(model.transform)(X) for _ in range(2)
        )
        print("joblib", np.array_equal(result, [codes, codes]))
        result, seconds = call("fit", X)
        print("fit", seconds < 30, result)
    """
    *works, refused = run_python(code)[0].splitlines()
    assert works == ["transform True", "score True", "inverse_transform True", "joblib True"]
    assert refused.startswith("fit True RuntimeError: Process")
    for word in ("fork", "spawn", "forkserver", "loky"):
        assert word in refused


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_another_process_says_the_same(tmp_path):
    """A pickle opens without TensorFlow, and a fork before TensorFlow was started works."""
    models = {
        f"{layout} {configuration}": (make(configuration).fit(X), X)
        for layout, X in LAYOUTS.items()
        for configuration in CONFIGURATIONS
    }
    (tmp_path / "models").write_bytes(pickle.dumps(models))
    code = """
        import multiprocessing, pathlib, pickle, sys

        def write_codes():
            codes = {name: model.transform(X) for name, (model, X) in models.items()}
            (folder / "codes").write_bytes(pickle.dumps(codes))

        folder = pathlib.Path(sys.argv[1])
        models = pickle.loads((folder / "models").read_bytes())
        print("tensorflow" in sys.modules)
        child = multiprocessing.get_context("fork").Process(target=write_codes)
        child.start()
        child.join()
        print(child.exitcode)
    """
    assert run_python(code, tmp_path) == ("False\n0\n", "")
    codes = pickle.loads((tmp_path / "codes").read_bytes())
    assert_same(codes, {name: model.transform(X) for name, (model, X) in models.items()})
