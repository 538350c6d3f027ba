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

    The windows of several records are split by record: windows of one group, as in
    ``index.groups``, are never on both sides. A group is a value of the group column or an item of
    a list.

    .. versionadded:: 0.1

    Parameters
    ----------
    index : WindowIndex
        Index of the windows to split. ``dataclasses.replace(index, groups=sites)`` keeps other
        groups together, such as all machines of a site. With ``groups=None``, several records count
        as a single one, each after the one before it, so that a fold may begin or end within a
        record.

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
        n_windows, groups = len(self.index), self._groups
        if n_windows < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} is more than the {n_windows} windows of the index."
            )
        if groups is not None and groups.max() + 1 < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} is more than the {groups.max() + 1} groups of the "
                "index, which are kept whole: choose fewer splits, or split within records with "
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
        places, length = self.index.places, self.index.length
        for fold, test in enumerate(self._test_sets()):
            taken = np.sort(places[test])
            # Test windows that begin less than a window before or after each window.
            n_near = np.searchsorted(taken, places + length) - np.searchsorted(
                taken, places - length, side="right"
            )
            train = np.flatnonzero(n_near == 0)
            if not train.size:
                raise ValueError(
                    f"In fold {fold} each training window overlaps a test window: choose fewer "
                    f"splits than n_splits={self.n_splits}, or shorter windows than "
                    f"length={length}."
                )
            yield train, test

    @property
    def _groups(self) -> np.ndarray | None:
        """Number of the group of each window, in the order of the records: (N,), or None."""
        if self.index.groups is None:
            return None
        groups, numbers = np.asarray(self.index.groups), dict[Any, int]()
        for group in groups[np.argsort(self.index.places, kind="stable")].tolist():
            numbers.setdefault(group, len(numbers))
        return np.array([numbers[group] for group in groups.tolist()])

    def _test_sets(self) -> list[np.ndarray]:
        """Rows of the test windows of each fold."""
        groups = self._groups
        if groups is None:
            order = np.argsort(self.index.places, kind="stable")
            return [np.sort(block) for block in np.array_split(order, self.n_splits)]
        from sklearn.model_selection import GroupKFold

        folds = GroupKFold(self.n_splits).split(groups, None, groups)
        return [test for _, test in folds]
