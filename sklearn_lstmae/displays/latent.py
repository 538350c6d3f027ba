"""Codes: where they lie, and what their columns do."""

import numpy as np
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from sklearn_lstmae._sklearn import check_matplotlib_support
from sklearn_lstmae.displays._drawing import (
    BLUE,
    CLASS_COLORS,
    CLASS_MARKERS,
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


class LatentDisplay:
    """Codes in the plane of their two first principal components.

    Parameters
    ----------
    codes : ndarray of shape (N, 2)
        Codes in that plane.

    explained_variance_ratio : ndarray of shape (2,)
        Share of the variance of codes along each of the components.

    y : array of shape (N,) or None, default=None
        What colors the codes: classes, or a quantity if its numbers are not whole.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    scatters_ : list of matplotlib PathCollection
        One for each class, in their order.
    colorbar_ : matplotlib Colorbar or None
        Only if ``y`` is a quantity.

    Examples
    --------
    >>> from sklearn_lstmae import LatentDisplay, LSTMAutoencoderTransformer
    >>> from sklearn_lstmae.datasets import make_waves
    >>> X, y = make_waves(30, 12, random_state=0)
    >>> autoencoder = LSTMAutoencoderTransformer(latent_dim=4, epochs=2, random_state=0).fit(X)
    >>> LatentDisplay.from_estimator(autoencoder, X, y)
    <...>
    """

    def __init__(self, *, codes, explained_variance_ratio, y=None):
        self.codes = codes
        self.explained_variance_ratio = explained_variance_ratio
        self.y = y

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, ax=None, **kwargs):
        """Encode sequences, and draw their codes.

        Parameters
        ----------
        estimator : LSTMAutoencoderTransformer, LSTMAutoencoderDetector or Pipeline
            Anything fitted that has ``transform``, or a detector, whose ``autoencoder_`` encodes.
            Components are computed from the codes as they are: a pipeline with a `StandardScaler`
            gives each column the same weight.

        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            At least two sequences.

        y : array-like of shape (N,), default=None
            As in the constructor.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        **kwargs
            For matplotlib's `scatter`.

        Returns
        -------
        display : LatentDisplay
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        codes = autoencoder_of(estimator, "transform").transform(X)
        return cls.from_codes(codes, y, ax=ax, **kwargs)

    @classmethod
    def from_codes(cls, codes, y=None, *, ax=None, **kwargs):
        """Draw codes that are there already.

        Parameters
        ----------
        codes : array or DataFrame of shape (N, L)
            At least two codes, as ``transform`` returns them.

        y : array-like of shape (N,), default=None
            As in the constructor.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        **kwargs
            For matplotlib's `scatter`.

        Returns
        -------
        display : LatentDisplay
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

    def plot(self, ax=None, **kwargs):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        **kwargs
            For matplotlib's `scatter`.

        Returns
        -------
        self : LatentDisplay
        """
        has_classes = self.y is not None and not self._is_quantity
        classes = np.unique(self.y) if has_classes else np.empty(0)
        n_columns = min(1 + len(classes) // LEGEND_ROWS, LEGEND_COLUMNS)
        self.ax_ = make_axes(self, ax, size=(5 + max(0, n_columns - 1), 3.8))
        self.figure_ = self.ax_.figure
        self.colorbar_ = None
        if self.y is None:
            self.scatters_ = [self._scatter(slice(None), kwargs, color=BLUE)]
        elif self._is_quantity:
            self.scatters_ = [self._scatter(slice(None), kwargs, c=self.y, cmap="cividis")]
            self.colorbar_ = self.figure_.colorbar(self.scatters_[0], ax=self.ax_, label="y")
        else:
            self.scatters_ = [
                self._scatter(
                    self.y == label,
                    kwargs,
                    color=CLASS_COLORS[number % len(CLASS_COLORS)],
                    marker=CLASS_MARKERS[number % len(CLASS_MARKERS)],
                    label=label,
                )
                for number, label in enumerate(classes)
            ]
            legend_of_classes(self.ax_, self.scatters_, n_columns)
        first, second = self.explained_variance_ratio
        self.ax_.set(
            xlabel=f"component 1 ({first:.0%} of variance)",
            ylabel=f"component 2 ({second:.0%} of variance)",
        )
        return self

    @property
    def _is_quantity(self):
        return self.y.dtype.kind == "f" and (self.y != np.floor(self.y)).any()

    def _scatter(self, rows, kwargs, **style):
        from matplotlib.cbook import normalize_kwargs
        from matplotlib.collections import PathCollection

        style = {"s": 16, "alpha": 0.8, "linewidth": 0, **style}
        style |= normalize_kwargs(kwargs, PathCollection)
        return self.ax_.scatter(*self.codes[rows].T, **style)


class LatentTraversalDisplay:
    """What each column of a code does to the sequence that is decoded from it.

    One panel a feature and column: sequences decoded from the mean code with this column moved,
    which is known as a latent traversal (Higgins et al., "beta-VAE", ICLR 2017).

    Parameters
    ----------
    sequences : ndarray of shape (K, M, T, F)
        Decoded with each of K columns moved to each of M places.

    deviations : list of M float
        How far it was moved, in its standard deviations.

    columns : list of K int
        Which columns of the code.

    feature_names : list of F str

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (F, K)
    figure_ : matplotlib Figure
    lines_ : ndarray of matplotlib Line2D, of shape (F, K, M)

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_lstmae import LatentTraversalDisplay, LSTMAutoencoderTransformer
    >>> X = np.sin(np.linspace(0, 6, 20) + np.arange(50)[:, np.newaxis])
    >>> autoencoder = LSTMAutoencoderTransformer(latent_dim=2, epochs=2, random_state=0).fit(X)
    >>> LatentTraversalDisplay.from_estimator(autoencoder, X)
    <...>
    """

    def __init__(self, *, sequences, deviations, columns, feature_names):
        self.sequences = sequences
        self.deviations = deviations
        self.columns = columns
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        columns=None,
        features=None,
        deviations=(-2, -1, 0, 1, 2),
        length=None,
        feature_names=None,
        ax=None,
        **kwargs,
    ):
        """Encode sequences, move columns of their mean code, and draw what is decoded.

        Parameters
        ----------
        estimator : LSTMAutoencoderTransformer or LSTMAutoencoderDetector
            A fitted one; with a detector its ``autoencoder_`` is drawn.

        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences that mean and standard deviations of columns come from.

        columns : list of int or str, default=None
            Columns of the code, by number or name; None for the four that change the sequence
            most, the most effective first.

        features : list of int or str, default=None
            Which of the features; None for all.

        deviations : list of float, default=(-2, -1, 0, 1, 2)
            How far to move a column from its mean, in its standard deviations.

        length : int, default=None
            Steps to decode; None as `LSTMAutoencoderTransformer.inverse_transform` does.

        feature_names : list of F str, default=None
            Names of the features, such as ``index.feature_names`` of the index of
            `sliding_windows`, since windows have none. None: those of ``fit``, if there are any.

        ax : matplotlib Axes or array of them of shape (F, K), default=None
            Where to draw: an Axes is divided. None makes a figure.

        **kwargs
            For matplotlib's `plot`.

        Returns
        -------
        display : LatentTraversalDisplay
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
        columns = places_of(columns, estimator.get_feature_names_out()[:width].tolist(), "columns")
        chosen = places_of(features, names, "features")
        return cls(
            sequences=sequences[columns][..., chosen],
            deviations=list(deviations),
            columns=columns,
            feature_names=[names[feature] for feature in chosen],
        ).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or array of them of shape (F, K), default=None
            Where to draw: an Axes is divided. None makes a figure.

        **kwargs
            For matplotlib's `plot`.

        Returns
        -------
        self : LatentTraversalDisplay
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
