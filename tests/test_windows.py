"""Pickles that name this module, where windows lived before, still open."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from helpers import needs_numpy_2
from sklearn_lstmae import LSTMAutoencoderTransformer, WindowSplit, sliding_windows, unwind

FIXTURES = Path(__file__).parent / "fixtures"


@needs_numpy_2
@pytest.mark.filterwarnings("ignore:LSTMAutoencoderTransformer was pickled with:UserWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
def test_an_old_pickle_of_a_search_splits_as_before():
    search = pickle.loads((FIXTURES / "search-1.pickle").read_bytes())
    records = [np.arange(9.0), np.arange(7.0)]
    windows, _ = sliding_windows(records, 4, stride=2)
    assert isinstance(search.cv, WindowSplit)
    folds = [(train.tolist(), test.tolist()) for train, test in search.cv.split(windows)]
    assert folds == [([4, 5, 6], [0, 1, 2, 3]), ([0, 1, 2, 3], [4, 5, 6])]
    for result, record in zip(unwind(windows, search.cv.index), records, strict=True):
        assert_array_equal(result, record)


@needs_numpy_2
@pytest.mark.filterwarnings("ignore:LSTMAutoencoderTransformer was pickled with:UserWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.pickle")), ids=lambda path: path.stem)
def test_parameters_that_old_pickles_do_not_have_are_the_defaults(path):
    estimator = pickle.loads(path.read_bytes())
    assert repr(estimator)
    model = getattr(estimator, "estimator", estimator)
    defaults = LSTMAutoencoderTransformer().get_params()
    parameters = clone(model).get_params()
    assert parameters.keys() == defaults.keys()
    assert parameters["append_states"] is False
