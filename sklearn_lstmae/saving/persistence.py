"""Save estimators to files that outlast versions and run nothing when they are loaded.

`codec` turns an estimator into plain values and arrays, `checks` decides which attributes a fitted
one may have, and `_file_container` is the file.
"""

from os import PathLike
from typing import Any, BinaryIO

from sklearn.base import BaseEstimator

from sklearn_lstmae import _file_container as container
from sklearn_lstmae._versions import versions
from sklearn_lstmae.saving.checks import ESTIMATORS
from sklearn_lstmae.saving.codec import Reader, Writer

KIND = "estimator"


def save(estimator: BaseEstimator, path: str | PathLike[str] | BinaryIO) -> None:
    """Save a fitted or unfitted estimator to a file that `load` reads.

    Unlike a pickle, the file runs no code when it is loaded, is checked for damage, and can be read
    by later versions of this package.

    Parameters
    ----------
    estimator : estimator
        An estimator of this package, a ``FrozenEstimator`` around one or a ``Pipeline`` with one.
        Its steps of scikit-learn, and a ``RandomState``, are stored by skops
        (``pip install skops``), which `load` needs as well. Instead of a search, save its
        ``best_estimator_``. Callbacks and splitters cannot be saved. Remove them first, with
        ``set_callbacks()`` and with ``set_params(cv=5)``, which has no effect after ``fit``.

    path : str, path-like or binary file object
        Where to save. An existing file is replaced only when the new one is safely on disk and has
        been read back; after any failure it is unchanged. A file object, such as `io.BytesIO` or
        ``open(path, "wb")``, is written to from its position, and stays open. It need not be
        seekable: it may be a pipe.

    Raises
    ------
    TypeError
        If ``estimator`` is not an estimator, or if ``path`` is a text file object.

    ValueError
        If the estimator could not be loaded again: it contains an object of a class that skops does
        not trust by default, an attribute or a value that no fit makes, such as weights that are
        not finite, or attributes that contradict each other. Nothing is written.

    ImportError
        If skops is needed and not installed.

    OSError
        If the file cannot be written, for example because the disk is full.

    Warns
    -----
    UserWarning
        If ``set_fit_request`` or the like was called: what it set is not saved.

    See Also
    --------
    load : Load an estimator that `save` wrote.
    export_onnx : Write a file that runs without Python.

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


def load(path: str | PathLike[str] | BinaryIO) -> Any:
    """Load an estimator that `save` wrote.

    The file determines neither which modules are imported nor which functions run. Every part of an
    estimator of this package is checked before memory is allocated, and must be as a fit makes it.
    Parts that skops stores are checked for their sizes and classes. Their classes must belong to
    this package or be trusted by skops.

    Parameters
    ----------
    path : str, path-like or binary file object
        The file. A file object is read from its position to its end, and stays open. If it is not
        seekable, such as a pipe or a download, it is first read into memory.

    Returns
    -------
    estimator : estimator
        Equal to the saved estimator. On the same machine, its results are identical, bit for bit.

    Raises
    ------
    TypeError
        If ``path`` is a text file object.

    ValueError
        If the file is truncated or damaged, has a newer format or comes from another program; if it
        does not describe an estimator, in which case the message names the field.

    ImportError
        If skops is needed and not installed.

    OSError
        If the file cannot be opened.

    See Also
    --------
    save : Save an estimator to a file.
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
