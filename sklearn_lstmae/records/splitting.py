"""Cross-validation of windows in which no step is on both sides."""

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from sklearn_lstmae._sklearn import Interval, num_samples, validate_parameter_constraints
from sklearn_lstmae.records.windows import WindowIndex


@dataclass(frozen=True)
class WindowSplit:
    """Cross-validator for windows that never puts a step in both training and test windows.

    The windows of one record are split into consecutive blocks of about equal size. Each block is
    the test set once. The training set consists of windows before and after it; windows that
    overlap it are left out.

    The windows of several records are split by record. Windows that share a value of the group
    column, or come from the same item of a list, are never on both sides.

    .. versionadded:: 0.1

    Parameters
    ----------
    index : WindowIndex
        Index of the windows to split. With ``dataclasses.replace(index, groups=None)``, several
        records are split in time instead.

    n_splits : int, default=5
        Number of folds, at least 2.

    Raises
    ------
    ValueError
        If there are fewer windows, or records, than folds.

    See Also
    --------
    sliding_windows : Cut a long record into windows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_lstmae import WindowSplit, sliding_windows
    >>> windows, index = sliding_windows(np.arange(9.0), 2)
    >>> for train, test in WindowSplit(index, n_splits=2).split(windows):
    ...     print(train, test)
    [5 6 7] [0 1 2 3]
    [0 1 2] [4 5 6 7]
    """

    index: WindowIndex
    n_splits: int = 5

    def __post_init__(self) -> None:
        validate_parameter_constraints(
            {"index": [WindowIndex], "n_splits": [Interval(Integral, 2, None, closed="left")]},
            vars(self),
            caller_name="WindowSplit",
        )
        n_windows, n_records = len(self.index), len(np.unique(self.index.records))
        if n_windows < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} is more than the {n_windows} windows of the index."
            )
        if self.index.groups is not None and n_records < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} is more than the {n_records} records of the index, "
                "which are kept whole: choose fewer splits, or split them in time with "
                "dataclasses.replace(index, groups=None)."
            )

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : Ignored
            Not used, present here for API consistency by convention.

        Returns
        -------
        n_splits : int
            Number of folds.
        """
        return self.n_splits

    def split(
        self, X: Any = None, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate indices to split windows into training and test set.

        Parameters
        ----------
        X : array of shape (N, T, F), default=None
            The windows of the index. Only their number is used.

        y, groups : Ignored
            Not used, present here for API consistency by convention.

        Yields
        ------
        train, test : ndarray of int
            Row numbers, in increasing order.

        Raises
        ------
        ValueError
            If X does not have as many windows as the index, or if no training window is left.
        """
        if X is not None and num_samples(X) != len(self.index):
            raise ValueError(
                f"X has {num_samples(X)} samples, but the index of WindowSplit has "
                f"{len(self.index)} windows: pass the windows that belong to the index, or give "
                "WindowSplit the index of these rows, index[rows]."
            )
        if self.index.groups is not None:
            from sklearn.model_selection import GroupKFold

            yield from GroupKFold(self.n_splits).split(self.index.starts, None, self.index.records)
            return
        places, length = self.index.places, self.index.length
        blocks = np.array_split(np.argsort(places, kind="stable"), self.n_splits)
        for fold, block in enumerate(blocks):
            is_before = places + length <= places[block].min()
            is_after = places >= places[block].max() + length
            train = np.flatnonzero(is_before | is_after)
            if not train.size:
                raise ValueError(
                    f"In fold {fold} each training window overlaps a test window: choose fewer "
                    f"splits than n_splits={self.n_splits}, or shorter windows than "
                    f"length={length}."
                )
            yield train, np.sort(block)
