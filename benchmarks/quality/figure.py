"""Accuracy of ours against that of each contender, a point a set: one figure."""

from benchmarks.report import FOLDER
from sklearn_lstmae.displays._drawing import BLUE

from .measures import ACCURACY
from .sets import SETS

IMAGES = FOLDER / "images"
N_COLUMNS = 5
OURS = "ours"


def accuracies(record):
    """Mean over the seeds, ``{contender: {set: accuracy}}``, of the sets that count."""
    result = {}
    for scores in record.scores:
        if scores.case in SETS and ACCURACY in scores.values:
            result.setdefault(scores.contender, {})[scores.case] = scores.mean(ACCURACY)
    return result


def draw(record, folder=IMAGES):
    """Draw a panel for each contender; returns the path of the figure."""
    from matplotlib.figure import Figure

    found = accuracies(record)
    ours = found.pop(OURS)
    n_columns = min(N_COLUMNS, len(found))
    n_rows = -(-len(found) // n_columns)
    figure = Figure(figsize=(2.3 * n_columns, 2.5 * n_rows), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    for panel, (contender, theirs) in zip(panels, found.items(), strict=False):
        draw_panel(panel, contender, [(theirs[name], ours[name]) for name in theirs])
    for panel in panels[len(found) :]:
        panel.remove()
    figure.supxlabel("accuracy of the contender")
    figure.supylabel(f"accuracy of {OURS}")
    folder.mkdir(exist_ok=True)
    path = folder / "quality_accuracy.png"
    figure.savefig(path, dpi=120)
    return path


def draw_panel(panel, contender, points):
    """Draw ``[(theirs, ours), ...]``; above the line ours is more accurate."""
    better, worse = (sum(sign * (ours - theirs) > 0 for theirs, ours in points) for sign in (1, -1))
    panel.axline((0, 0), slope=1, color="0.6", linewidth=0.8)
    panel.scatter(*zip(*points, strict=True), s=14, color=BLUE, alpha=0.7, clip_on=False)
    panel.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    panel.set_xticks([0, 0.5, 1])
    panel.set_yticks([0, 0.5, 1])
    panel.set_title(f"{contender}\nabove {better}, below {worse}", fontsize="medium")
    panel.grid(alpha=0.2)
    panel.spines[["top", "right"]].set_visible(False)
