"""Save estimators to files that outlast versions and run nothing when they are loaded.

`codec` turns an estimator into plain values and arrays, `checks` decides which attributes a fitted
one may have, and `_file_container` is the file.
"""

from sklearn.base import BaseEstimator

from sklearn_lstmae import _file_container as container
from sklearn_lstmae._versions import versions
from sklearn_lstmae.saving.checks import ESTIMATORS
from sklearn_lstmae.saving.codec import Reader, Writer

KIND = "estimator"


def save(estimator, path):
    """Save an estimator to a file, fitted or not, that `load` opens.

    Unlike a pickle, the file runs no code when it is loaded, is checked against damage, and opens
    in later versions of this package too.

    Parameters
    ----------
    estimator : estimator
        One of this package, a ``FrozenEstimator`` around one or a ``Pipeline`` of such. Estimators
        of scikit-learn in it, and a ``RandomState``, are stored by skops
        (``pip install sklearn-lstmae[persist]``). Instead of a search, save its
        ``best_estimator_``. Callbacks and splitters are not saved: remove them first, with
        ``set_callbacks()``, and with ``set_params(cv=5)``, which changes nothing after ``fit``.

    path : str, path-like or binary file object
        An existing file is replaced when the new one is safely on the disk and was read back;
        until then it stays as it is, whatever happens. A file object, such as `io.BytesIO` or one
        of ``open(path, "wb")``, is written to from its position on, and stays open; it may be one
        that cannot seek, such as a pipe.

    Raises
    ------
    TypeError
        If ``estimator`` is not an estimator, or ``path`` a file object of text.

    ValueError
        If it holds something that would not load again: an object of a class that skops does not
        trust by default, an attribute or a value that no fit makes, such as weights that are not
        finite, or attributes that contradict each other.
        Nothing is written then.

    ImportError
        If skops is needed and not installed.

    OSError
        If the file cannot be written, a full disk included.

    See Also
    --------
    load : Load the estimator again.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn_lstmae import LSTMAutoencoderTransformer, load, save
    >>> with TemporaryDirectory() as folder:
    ...     save(LSTMAutoencoderTransformer(latent_dim=3), f"{folder}/model.lstmae")
    ...     load(f"{folder}/model.lstmae")
    LSTMAutoencoderTransformer(latent_dim=3)
    """
    if not isinstance(estimator, BaseEstimator):
        raise TypeError(f"save takes an estimator. Got {container.shown(estimator)}.")
    writer = Writer(ESTIMATORS)
    content = {"versions": versions(), "model": writer.encode(estimator, "model")}
    container.write(path, KIND, writer.arrays, content, check=_decode)


def load(path):
    """Load an estimator that `save` wrote.

    The file decides neither which modules are imported nor which functions run. Estimators of this
    package are checked part by part before memory is allocated, and must be as a fit makes them. Of
    what skops stores, sizes and classes are checked, which must be of this package or trusted by
    skops, and estimators of this package within it.

    Parameters
    ----------
    path : str, path-like or binary file object
        The file. A file object is read from its position to its end, and stays open; one that
        cannot seek, such as a pipe or a download, is read into memory first.

    Returns
    -------
    estimator : estimator
        Equal to the saved one; on the same machine its results are the same to the bit.

    Raises
    ------
    TypeError
        If ``path`` is a file object of text.

    ValueError
        If the file is truncated, corrupted, of a newer format or of another program, or
        if it does not describe an estimator, naming the field.

    ImportError
        If skops is needed and not installed.

    OSError
        If the file cannot be opened.

    See Also
    --------
    save : Save an estimator.
    """
    arrays, content = container.read(path, KIND, check=_decode)
    with container.errors_name(path):
        estimator = _decode(content, arrays)
        if not isinstance(estimator, BaseEstimator):
            raise ValueError(
                f"field 'model' is {container.shown(estimator)}, which is no estimator."
            )
    return estimator


def _decode(content, arrays):
    """The saved object; with `container.ArraySpec` for arrays, an object that only is a check."""
    container.check_keys(content, {"versions", "model"}, "content")
    reader = Reader(arrays, ESTIMATORS)
    model = reader.decode(content["model"], "model")
    if reader.unused:
        raise ValueError(
            "the header contains arrays that no field refers to: "
            f"{container.shown(sorted(reader.unused))}."
        )
    return model
