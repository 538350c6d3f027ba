"""LatentImportanceDisplay: what the columns of a code depend on."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sklearn_lstmae._sklearn import check_matplotlib_support
from sklearn_lstmae.displays._drawing import (
    autoencoder_of,
    feature_names_of,
    make_panels,
    places_of,
    whole_numbers,
)
from sklearn_lstmae.importance import latent_importance


class LatentImportanceDisplay:
    """Heat maps of the shares of steps and features in the columns of a code.

    There is one panel per column, or a single panel for univariate sequences.

    It is recommended to use `from_estimator` to create a display. All parameters are stored as
    attributes.

    .. versionadded:: 0.1

    Parameters
    ----------
    shares : ndarray of shape (K, T, F)
        Share of each step and feature in each column, as `latent_importance` returns it.

    columns : list of K int
        Numbers of the columns.

    feature_names : list of F str
        Names of the features, for the labels.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        Axes of the panels.
    figure_ : matplotlib Figure
        Figure containing the panels.
    images_ : list of matplotlib AxesImage
        Heat maps.
    colorbar_ : matplotlib Colorbar
        Color bar of all heat maps.

    See Also
    --------
    latent_importance : Compute the shares.
    LatentTraversalDisplay : Decode codes with one column moved.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_lstmae import LatentImportanceDisplay, LSTMAutoencoderTransformer
    >>> X = np.sin(np.linspace(0, 6, 20) + np.arange(50)[:, np.newaxis])
    >>> autoencoder = LSTMAutoencoderTransformer(latent_dim=2, epochs=2, random_state=0).fit(X)
    >>> LatentImportanceDisplay.from_estimator(autoencoder, X)
    <...>
    """

    def __init__(
        self, *, shares: npt.NDArray[Any], columns: Sequence[int], feature_names: Sequence[str]
    ) -> None:
        self.shares = shares
        self.columns = columns
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        columns: int | str | Sequence[int | str] | None = None,
        feature_names: Sequence[str] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Compute shares, and draw them.

        Parameters
        ----------
        estimator : LSTMAutoencoderTransformer or LSTMAutoencoderDetector
            Fitted estimator. For a detector, its ``autoencoder_`` is used.

        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            At least two sequences.

        columns : int, str, or list of them, default=None
            Columns of the code, by number or name. If None, all.

        feature_names : list of F str, default=None
            Names of the features. For windows, which have none, pass ``index.feature_names`` of the
            index that `sliding_windows` returned. If None, the names seen during `fit`, if any.

        ax : matplotlib Axes, default=None
            Axes to draw on, which is divided. If None, a new figure is created.

        **kwargs : dict
            Keyword arguments to pass to matplotlib's `imshow`.

        Returns
        -------
        display : LatentImportanceDisplay
            The display, drawn.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        estimator = autoencoder_of(estimator, "to_keras")
        shares = latent_importance(estimator, X)
        code_names = estimator.get_feature_names_out()[: len(shares)].tolist()
        chosen = places_of(columns, code_names, "columns")
        names = feature_names_of(estimator, shares.shape[2], feature_names)
        return cls(shares=shares[chosen], columns=chosen, feature_names=names).plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on, which is divided. If None, a new figure is created.

        **kwargs : dict
            Keyword arguments to pass to matplotlib's `imshow`.

        Returns
        -------
        self : LatentImportanceDisplay
            The display itself.
        """
        names = self.feature_names
        maps = np.swapaxes(self.shares, 1, 2)  # (K, F, T)
        titles = [f"column {column}" for column in self.columns]
        if len(names) == 1:
            maps, names, titles = maps[np.newaxis, :, 0], titles, [""]  # (1, K, T)
        n_columns = min(4, len(maps))
        shape = -(-len(maps) // n_columns), n_columns
        self.axes_ = make_panels(self, ax, shape, sharex=True, sharey=True)
        self.figure_ = self.axes_[0, 0].figure
        style = {"cmap": "Blues", "vmin": 0, "vmax": maps.max(), "aspect": "auto"}
        self.images_ = []
        for number, (shares, title) in enumerate(zip(maps, titles, strict=True)):
            panel = self.axes_.flat[number]
            self.images_.append(panel.imshow(shares, **style | kwargs))
            panel.set_title(title, fontsize=10)
            panel.spines[:].set_visible(True)
            whole_numbers(panel)
            if number + n_columns >= len(maps):  # nothing is drawn below
                panel.set_xlabel("step")
                panel.tick_params(labelbottom=True)
        for panel in self.axes_.flat[len(maps) :]:
            panel.set_axis_off()
        if len(names) <= 12:
            self.axes_[0, 0].set_yticks(range(len(names)), names)
        self.colorbar_ = self.figure_.colorbar(
            self.images_[0], ax=self.axes_, label="share", format="{x:.1%}"
        )
        return self
