"""LatentImportanceDisplay: what the columns of a code depend on."""

import numpy as np

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
    """Heat maps of what the columns of a code depend on, see `latent_importance`.

    There is one panel for each column, or a single panel if sequences are univariate.

    Parameters
    ----------
    shares : ndarray of shape (K, T, F)
        Share of each step and feature in each column.

    columns : list of K int
        Which columns of the code.

    feature_names : list of F str

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
    figure_ : matplotlib Figure
    images_ : list of matplotlib AxesImage
    colorbar_ : matplotlib Colorbar

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_lstmae import LatentImportanceDisplay, LSTMAutoencoderTransformer
    >>> X = np.sin(np.linspace(0, 6, 20) + np.arange(50)[:, np.newaxis])
    >>> autoencoder = LSTMAutoencoderTransformer(latent_dim=2, epochs=2, random_state=0).fit(X)
    >>> LatentImportanceDisplay.from_estimator(autoencoder, X)
    <...>
    """

    def __init__(self, *, shares, columns, feature_names):
        self.shares = shares
        self.columns = columns
        self.feature_names = feature_names

    @classmethod
    def from_estimator(cls, estimator, X, *, columns=None, feature_names=None, ax=None, **kwargs):
        """Compute shares, and draw them.

        Parameters
        ----------
        estimator : LSTMAutoencoderTransformer or LSTMAutoencoderDetector
            A fitted one; with a detector its ``autoencoder_`` is drawn.

        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            At least two sequences.

        columns : list of int or str, default=None
            Columns of the code, by number or name; None for all.

        feature_names : list of F str, default=None
            Names of the features, such as ``index.feature_names`` of the index of
            `sliding_windows`, since windows have none. None: those of ``fit``, if there are any.

        ax : matplotlib Axes, default=None
            Where to draw: it is divided. None makes a figure.

        **kwargs
            For matplotlib's `imshow`.

        Returns
        -------
        display : LatentImportanceDisplay
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        estimator = autoencoder_of(estimator, "to_keras")
        shares = latent_importance(estimator, X)
        code_names = estimator.get_feature_names_out()[: len(shares)].tolist()
        columns = places_of(columns, code_names, "columns")
        names = feature_names_of(estimator, shares.shape[2], feature_names)
        return cls(shares=shares[columns], columns=columns, feature_names=names).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw: it is divided. None makes a figure.

        **kwargs
            For matplotlib's `imshow`.

        Returns
        -------
        self : LatentImportanceDisplay
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
