"""Codes: where they lie, and what their columns do."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from sklearn_lstmae._sklearn import check_matplotlib_support
from sklearn_lstmae.displays._drawing import (
    BLUE,
    CLASS_COLORS,
    CLASS_MARKERS,
    GRAY,
    LEGEND_COLUMNS,
    LEGEND_ROWS,
    VERMILION,
    autoencoder_of,
    dots_at_gaps,
    feature_names_of,
    label_panels,
    legend_of_classes,
    legend_of_panels,
    line_style,
    make_axes,
    make_panels,
    places_of,
    whole_numbers,
)
from sklearn_lstmae.fitting.model import fitted_model
from sklearn_lstmae.sequences.numbers import find_missing


class LatentDisplay:
    """Codes in the plane of their first two principal components.

    It is recommended to use `from_estimator` or `from_codes` to create a display. All parameters
    are stored as attributes.

    .. versionadded:: 0.1

    Parameters
    ----------
    codes : ndarray of shape (N, 2)
        Codes in that plane.

    explained_variance_ratio : ndarray of shape (2,)
        Share of the variance of the codes along each component.

    y : array of shape (N,) or None, default=None
        Values that determine the colors: classes, or a quantity if some numbers are not integers.
        Points whose value is missing (NaN, None, pandas.NA) are gray.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the codes.
    figure_ : matplotlib Figure
        Figure containing the codes.
    scatters_ : list of matplotlib PathCollection
        Points of each class, in the order of the classes; a single one without classes. If values
        of ``y`` are missing, these points come last.
    colorbar_ : matplotlib Colorbar or None
        Color bar, if ``y`` is a quantity.

    See Also
    --------
    LatentTraversalDisplay : Decode codes with one column moved.
    LatentImportanceDisplay : Draw what the columns of a code depend on.

    Examples
    --------
    >>> from sklearn_lstmae import LatentDisplay, LSTMAutoencoderTransformer
    >>> from sklearn_lstmae.datasets import make_waves
    >>> X, y = make_waves(30, 12, random_state=0)
    >>> autoencoder = LSTMAutoencoderTransformer(latent_dim=4, epochs=2, random_state=0).fit(X)
    >>> LatentDisplay.from_estimator(autoencoder, X, y)
    <...>
    """

    def __init__(
        self,
        *,
        codes: npt.NDArray[Any],
        explained_variance_ratio: npt.NDArray[Any],
        y: Any = None,
    ) -> None:
        self.codes = codes
        self.explained_variance_ratio = explained_variance_ratio
        self.y = y

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Encode sequences, and draw their codes.

        Parameters
        ----------
        estimator : LSTMAutoencoderTransformer, LSTMAutoencoderDetector or Pipeline
            Fitted estimator with ``transform``, or a fitted detector, whose ``autoencoder_`` is
            used. Codes are not standardized before the components are computed. For equal weights
            of all columns, pass a pipeline that ends with a `StandardScaler`.

        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            At least two sequences.

        y : array-like of shape (N,), default=None
            Values that determine the colors: classes, or a quantity if some numbers are not
            integers.

        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.

        **kwargs : dict
            Keyword arguments to pass to matplotlib's `scatter`.

        Returns
        -------
        display : LatentDisplay
            The display, drawn.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        codes = autoencoder_of(estimator, "transform").transform(X)
        return cls.from_codes(codes, y, ax=ax, **kwargs)

    @classmethod
    def from_codes(cls, codes: Any, y: Any = None, *, ax: Any = None, **kwargs: Any) -> Self:
        """Draw given codes.

        Parameters
        ----------
        codes : array or DataFrame of shape (N, L)
            At least two codes, in the form that ``transform`` returns.

        y : array-like of shape (N,), default=None
            Values that determine the colors: classes, or a quantity if some numbers are not
            integers. Points whose value is missing (NaN, None, pandas.NA) are gray.

        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.

        **kwargs : dict
            Keyword arguments to pass to matplotlib's `scatter`.

        Returns
        -------
        display : LatentDisplay
            The display, drawn.
        """
        check_matplotlib_support(f"{cls.__name__}.from_codes")
        codes = check_array(
            codes,
            dtype=np.float64,
            ensure_min_samples=2,
            estimator=cls.__name__,
            input_name="codes",
        )
        if y is not None:
            y = column_or_1d(y)
            check_consistent_length(codes, y)
        plane, ratio = _principal_plane(codes)
        return cls(codes=plane, explained_variance_ratio=ratio, y=y).plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.

        **kwargs : dict
            Keyword arguments to pass to matplotlib's `scatter`.

        Returns
        -------
        self : LatentDisplay
            The display itself.
        """
        missing = np.zeros(len(self.codes), bool) if self.y is None else find_missing(self.y)
        present = np.flatnonzero(~missing)
        known = np.empty(0) if self.y is None else self.y[present]
        is_quantity = _is_quantity(known)
        has_classes = self.y is not None and not is_quantity
        classes = np.unique(known) if has_classes else np.empty(0)
        n_columns = min(1 + len(classes) // LEGEND_ROWS, LEGEND_COLUMNS)
        self.ax_ = make_axes(self, ax, size=(5 + max(0, n_columns - 1), 3.8))
        self.figure_ = self.ax_.figure
        self.colorbar_ = None
        if self.y is None:
            self.scatters_ = [self._scatter(slice(None), kwargs, color=BLUE)]
        elif is_quantity:
            self.scatters_ = [self._scatter(present, kwargs, c=known, cmap="cividis")]
            self.colorbar_ = self.figure_.colorbar(self.scatters_[0], ax=self.ax_, label="y")
        else:
            self.scatters_ = [
                self._scatter(
                    present[known == label],
                    kwargs,
                    color=CLASS_COLORS[number % len(CLASS_COLORS)],
                    marker=CLASS_MARKERS[number % len(CLASS_MARKERS)],
                    label=label,
                )
                for number, label in enumerate(classes)
            ]
        if missing.any():
            self.scatters_.append(self._scatter(missing, kwargs, color=GRAY, label="missing"))
        if has_classes:
            legend_of_classes(self.ax_, self.scatters_, n_columns)
        first, second = self.explained_variance_ratio
        self.ax_.set(
            xlabel=f"component 1 ({first:.0%} of variance)",
            ylabel=f"component 2 ({second:.0%} of variance)",
        )
        return self

    def _scatter(self, rows, kwargs, **style):
        from matplotlib.cbook import normalize_kwargs
        from matplotlib.collections import PathCollection

        style = {"s": 16, "alpha": 0.8, "linewidth": 0, **style}
        style |= normalize_kwargs(kwargs, PathCollection)
        return self.ax_.scatter(*self.codes[rows].T, **style)


def _is_quantity(y):
    """Whether known values (n,) are no classes."""
    return y.dtype.kind == "f" and (y != np.floor(y)).any()


class LatentTraversalDisplay:
    """Effect of each column of a code on the decoded sequence.

    There is one panel per feature and column. It shows sequences that are decoded from the mean
    code with this column moved, which is known as a latent traversal (Higgins et al., "beta-VAE",
    ICLR 2017).

    It is recommended to use `from_estimator` to create a display. All parameters are stored as
    attributes.

    .. versionadded:: 0.1

    Parameters
    ----------
    sequences : ndarray of shape (K, M, T, F)
        Decoded sequences, for each of K columns and M distances.

    deviations : list of M float
        Distances by which a column is moved, in its standard deviations.

    columns : list of K int
        Numbers of the columns.

    feature_names : list of F str
        Names of the features, for the labels.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (F, K)
        Axes of the panels.
    figure_ : matplotlib Figure
        Figure containing the panels.
    lines_ : ndarray of matplotlib Line2D, of shape (F, K, M)
        Lines of the sequences.

    See Also
    --------
    LatentImportanceDisplay : Draw what the columns of a code depend on.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_lstmae import LatentTraversalDisplay, LSTMAutoencoderTransformer
    >>> X = np.sin(np.linspace(0, 6, 20) + np.arange(50)[:, np.newaxis])
    >>> autoencoder = LSTMAutoencoderTransformer(latent_dim=2, epochs=2, random_state=0).fit(X)
    >>> LatentTraversalDisplay.from_estimator(autoencoder, X)
    <...>
    """

    def __init__(
        self,
        *,
        sequences: npt.NDArray[Any],
        deviations: Sequence[float],
        columns: Sequence[int],
        feature_names: Sequence[str],
    ) -> None:
        self.sequences = sequences
        self.deviations = deviations
        self.columns = columns
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        columns: int | str | Sequence[int | str] | None = None,
        features: int | str | Sequence[int | str] | None = None,
        deviations: Sequence[float] = (-2, -1, 0, 1, 2),
        length: int | None = None,
        feature_names: Sequence[str] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Decode the mean code of sequences with columns moved, and draw the results.

        Parameters
        ----------
        estimator : LSTMAutoencoderTransformer or LSTMAutoencoderDetector
            Fitted estimator. For a detector, its ``autoencoder_`` is used.

        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences from whose codes the means and deviations of columns are computed.

        columns : int, str, or list of them, default=None
            Columns of the code, by number or name. If None, the four that change the sequence most,
            starting with the most effective one.

        features : int, str, or list of them, default=None
            Features to draw, by number or name. If None, all.

        deviations : list of float, default=(-2, -1, 0, 1, 2)
            Distances by which to move a column from its mean, in its standard deviations.

        length : int, default=None
            Number of steps to decode. If None, the default of
            `LSTMAutoencoderTransformer.inverse_transform`.

        feature_names : list of F str, default=None
            Names of the features. For windows, which have none, pass ``index.feature_names`` of the
            index that `sliding_windows` returned. If None, the names seen during `fit`, if any.

        ax : matplotlib Axes or array of them of shape (F, K), default=None
            Axes to draw on. A single one is divided. If None, a new figure is created.

        **kwargs : dict
            Keyword arguments to pass to matplotlib's `plot`.

        Returns
        -------
        display : LatentTraversalDisplay
            The display, drawn.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        estimator = autoencoder_of(estimator, "to_keras")
        width = fitted_model(estimator).n_decoded
        codes = np.asarray(estimator.transform(X), dtype=np.float64)[:, :width]  # (N, L)
        moves = np.multiply.outer(codes.std(axis=0), np.asarray(deviations, np.float64))  # (L, M)
        moved = codes.mean(axis=0) + np.eye(width)[:, np.newaxis] * moves[:, :, np.newaxis]
        decoded = estimator.inverse_transform(moved.reshape(-1, width), lengths=length)
        decoded = np.asarray(decoded)
        sequences = decoded.reshape(*moves.shape, decoded.shape[1], -1)  # (L, M, T, F)
        names = feature_names_of(estimator, sequences.shape[3], feature_names)
        if columns is None:
            effect = (sequences.std(axis=1) / estimator.scale_).mean(axis=(1, 2))  # (L,)
            columns = np.argsort(-effect, kind="stable")[:4].tolist()
        code_names = estimator.get_feature_names_out()[:width].tolist()
        moved_columns = places_of(columns, code_names, "columns")
        chosen = places_of(features, names, "features")
        return cls(
            sequences=sequences[moved_columns][..., chosen],
            deviations=list(deviations),
            columns=moved_columns,
            feature_names=[names[feature] for feature in chosen],
        ).plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes or array of them of shape (F, K), default=None
            Axes to draw on. A single one is divided. If None, a new figure is created.

        **kwargs : dict
            Keyword arguments to pass to matplotlib's `plot`.

        Returns
        -------
        self : LatentTraversalDisplay
            The display itself.
        """
        shape = len(self.feature_names), len(self.columns)
        self.axes_ = make_panels(self, ax, shape, sharex=True, sharey="row")
        self.figure_ = self.axes_[0, 0].figure
        self.lines_ = np.empty((*shape, len(self.deviations)), object)
        from matplotlib.colors import LinearSegmentedColormap

        colors = LinearSegmentedColormap.from_list("moves", [BLUE, "#BBBBBB", VERMILION])
        shades = colors(np.linspace(0, 1, len(self.deviations)))
        for feature, column, place in np.ndindex(self.lines_.shape):
            values = self.sequences[column, place, :, feature]  # (T,)
            style = {"color": shades[place], "label": f"{self.deviations[place]:g}"}
            panel = self.axes_[feature, column]
            [self.lines_[feature, column, place]] = panel.plot(
                values, **dots_at_gaps(values) | line_style(style, kwargs)
            )
            whole_numbers(panel)
        label_panels(
            self.axes_, [f"column {column}" for column in self.columns], self.feature_names
        )
        legend_of_panels(self.axes_, title="standard\ndeviations")
        return self


def _principal_plane(codes):
    """(N, L) -> scores (N, 2) on the first components, shares of variance (2,); 0 if L is 1."""
    centered = codes - codes.mean(axis=0)
    left, singular, right = np.linalg.svd(centered, full_matrices=False)
    # The same codes make the same picture: the largest loading of a component is positive.
    largest = np.abs(right).argmax(axis=1)
    signs = np.sign(right[np.arange(len(right)), largest])
    scores = left * singular * signs
    ratio = np.square(singular) / max(np.square(singular).sum(), np.finfo(float).tiny)
    missing = max(0, 2 - len(singular))
    return np.pad(scores, ((0, 0), (0, missing)))[:, :2], np.pad(ratio, (0, missing))[:2]
