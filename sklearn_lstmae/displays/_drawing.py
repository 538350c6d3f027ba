"""What the displays have in common: colors, axes, names."""

from collections.abc import Iterable
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_lstmae._sklearn import check_matplotlib_support
from sklearn_lstmae.detector import LSTMAutoencoderDetector
from sklearn_lstmae.fitting.arguments import check_feature_names
from sklearn_lstmae.fitting.in_one_step import snapshot
from sklearn_lstmae.fitting.model import names_of_features

# Okabe and Ito (2008), "Color Universal Design": distinct for all kinds of color vision.
BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY = (
    "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9",
)  # fmt: skip
GRAY, BLACK = "#666666", "#000000"
# Twenty classes have a color of their own: those above, then others far from them in CIELAB.
CLASS_COLORS = (
    BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY,
    "#AA0033", "#665500", "#553377", "#66AA44", "#9944FF", "#FFAA88", "#1133AA",
    "#44DDCC", "#FF3399", "#BBBB55", "#335533", "#AA1199", "#996644", "#8899AA",
)  # fmt: skip
# Colors and markers have no common divisor, so that 140 classes differ.
CLASS_MARKERS = "os^vDP*"
LEGEND_ROWS, LEGEND_COLUMNS = 16, 3


def as_it_is(estimator, method):
    """The estimator as it is now, whatever fits it meanwhile; raise if it has no such method."""
    if not hasattr(estimator, method):
        raise ValueError(
            f"{type(estimator).__name__} has no {method}: pass the fitted autoencoder itself, such "
            "as pipeline[0], or classifier.autoencoder_, which is the one before its encoder was "
            "tuned to the labels."
        )
    return snapshot(estimator) if isinstance(estimator, BaseEstimator) else estimator


def autoencoder_of(estimator, method):
    """What has the method that a display draws: the estimator, or the autoencoder of a detector."""
    if isinstance(estimator, LSTMAutoencoderDetector):
        check_is_fitted(estimator)
        estimator = estimator.autoencoder_
    return as_it_is(estimator, method)


def feature_names_of(estimator, n_features, given=None):
    """Names that are given, those of the features in `fit`, or numbered ones."""
    given = check_feature_names(given, n_features)
    if given is not None:
        return given
    names = None if estimator is None else names_of_features(estimator)
    if names is not None:
        return [str(name) for name in names]
    return ["value"] if n_features == 1 else [f"feature {place}" for place in range(n_features)]


def places_of(chosen, names, what):
    """Places of what was chosen, one number or name or several of them, None being all."""
    if chosen is None:
        return list(range(len(names)))
    if isinstance(chosen, str) or not isinstance(chosen, Iterable):
        chosen = [chosen]
    if not len(chosen):
        raise ValueError(f"{what} is empty: choose at least one of {names}, or None for all.")
    places = {name: place for place, name in enumerate(names)}
    places |= {place: place for place in range(len(names))}
    for item in chosen:
        # In a dict, True is 1 and 2.0 is 2.
        if isinstance(item, bool) or not isinstance(item, (str, Integral)) or item not in places:
            raise ValueError(
                f"{what} has {item!r}, which is neither one of {names} nor a number from 0 to "
                f"{len(names) - 1}."
            )
    return [places[item] for item in chosen]


def make_axes(display, ax, size=(5.5, 3.2)):
    """The user's axes, or new ones."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=size, layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def make_panels(display, ax, shape, **sharing):
    """Axes in rows and columns: new ones, parts of the user's, or the user's own array."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes

    if ax is None:
        size = min(2.1 * shape[1] + 1.6, 11), 1.5 * shape[0] + 0.7
        _, axes = plt.subplots(*shape, figsize=size, layout="constrained", squeeze=False, **sharing)
    elif isinstance(ax, Axes):
        cell = ax.get_subplotspec()
        if cell is None:
            raise ValueError(
                f"ax has no place in a grid, so that {type(display).__name__} cannot divide it: "
                "make it with plt.subplots or add_subplot."
            )
        ax.set_axis_off()
        axes = cell.subgridspec(*shape).subplots(squeeze=False, **sharing)
    else:
        axes = np.asarray(ax, dtype=object)
        if axes.size != np.prod(shape):
            raise ValueError(
                f"ax is {axes.size} axes, but {type(display).__name__} draws {shape[0]} rows of "
                f"{shape[1]} panels: pass as many, one Axes to be divided, or None."
            )
        axes = axes.reshape(shape)
    for panel in axes.flat:
        panel.spines[["top", "right"]].set_visible(False)
    return axes


def label_panels(axes, titles, names):
    """Titles above columns, names of features to the left of rows, steps below."""
    for panel, title in zip(axes[0], titles, strict=True):
        panel.set_title(title, fontsize=10)
    for panel, name in zip(axes[:, 0], names, strict=True):
        panel.set_ylabel(name)
    for panel in axes[-1]:
        panel.set_xlabel("step")


def legend_beside(ax, **options):
    """A legend on the right of axes, where it hides nothing."""
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, **options)


def legend_of_classes(ax, handles, n_columns):
    """A legend on the right of axes, with the number of classes for which it has no room."""
    from matplotlib.lines import Line2D

    room = LEGEND_ROWS * n_columns
    if len(handles) > room:
        more = Line2D([], [], linestyle="", label=f"and {len(handles) - room + 1} more")
        handles = [*handles[: room - 1], more]
    small = (
        {"fontsize": "small", "columnspacing": 0.8, "handletextpad": 0.2} if n_columns > 1 else {}
    )
    legend_beside(ax, handles=handles, ncols=n_columns, **small)


def legend_of_panels(axes, **options):
    """One legend for all panels: of the figure, if it shows nothing else, or of the last panel.

    The latter makes the first row as high as the legend.
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    last, figure = axes[0, -1], axes[0, -1].figure
    is_alone = all(ax in axes or not ax.axison for ax in figure.axes)
    if not is_alone or not isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):
        legend_beside(last, **options)
        return
    handles, labels = last.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, **options)


def line_style(style, kwargs):
    """Our style of a line with the user's on top, whatever aliases that one uses."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return style | normalize_kwargs(kwargs, Line2D)


def dots_at_gaps(values):
    """Style of a line: no line leads to a value that stands alone between gaps, so dots do."""
    has_gaps = len(values) == 1 or np.isnan(values).any()
    return {"marker": ".", "markersize": 4} if has_gaps else {}


def short_dates(ax):
    """Dates on the horizontal axis, if there are any, without what they have in common."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = ax.xaxis.get_major_locator()
    if isinstance(locator, AutoDateLocator):
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=locator.tz))


def whole_numbers(ax):
    """No ticks between steps or epochs, unless the user chose ticks."""
    from matplotlib.ticker import MaxNLocator

    locator = ax.xaxis.get_major_locator()
    if isinstance(locator, MaxNLocator):
        locator.set_params(integer=True)


def name_numbers(ax, labels):
    """Few ticks on the horizontal axis, at whole numbers, named by the labels at these numbers."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    def name(number, _):
        place = round(number)
        return str(labels[place]) if 0 <= place < len(labels) else ""

    longest = max((len(str(label)) for label in labels), default=1)
    ax.xaxis.set_major_locator(MaxNLocator(min(6, max(1, 60 // longest)), integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(name))
