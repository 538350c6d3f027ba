"""Drawings of the four networks, for `how_it_works.md`: one function for each."""

import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

BLUE, ORANGE, GREEN, GRAY = "#0072b2", "#d55e00", "#009e73", "#666666"
WIDTH, HEIGHT = 0.74, 0.62  # of a cell
PAST = ["$x_1$", "$x_2$", "$x_3$", "$x_4$"]
FUTURE = ["$x_5$", "$x_6$", "$x_7$"]


def reconstruction():
    ax = begin(rows=1)
    code = draw_encoder(ax)
    draw_decoder(ax, code, 0, PAST, BLUE, "decoder: the sequence itself")


def prediction():
    ax = begin(rows=1)
    code = draw_encoder(ax)
    draw_decoder(ax, code, 0, FUTURE, ORANGE, "decoder: what follows")


def composite():
    ax = begin(rows=2)
    code = draw_encoder(ax)
    draw_decoder(ax, code, 1.75, PAST, BLUE, "decoder: the sequence itself")
    draw_decoder(ax, code, -1.75, FUTURE, ORANGE, "decoder: what follows")


def conditional():
    ax = begin(rows=1)
    code = draw_encoder(ax)
    cells = draw_decoder(ax, code, 0, FUTURE, ORANGE, "decoder: reads its own previous output")
    for x, y in cells[:-1]:  # from above a cell, between two cells, to below the next
        path_x = [x, x + 0.5, x + 0.5, x + 0.78]
        path_y = [y + 0.56, y + 0.56, y - 0.55, y - 0.55]
        ax.plot(path_x, path_y, color=GREEN, linewidth=1.6)
        arrow(ax, (x + 0.78, y - 0.57), (x + 0.78, y - HEIGHT / 2), GREEN)


def begin(rows):
    """Axes in units of a cell."""
    _, ax = plt.subplots(figsize=(8.6, 2.6 if rows == 1 else 4.3), layout="constrained")
    half = 1.65 if rows == 1 else 3.2
    ax.set(xlim=(-0.7, 11), ylim=(-half, half), aspect="equal")
    ax.axis("off")
    return ax


def draw_encoder(ax):
    """Draw encoder and code; returns the right edge of the code."""
    draw_chain(ax, 0, 0, len(PAST), GRAY)
    for step, name in enumerate(PAST):
        ax.text(step, -1.15, name, ha="center", va="center", fontsize=13)
        arrow(ax, (step, -0.93), (step, -HEIGHT / 2))
    ax.text(1.5, 0.62, "encoder", ha="center", va="center", color=GRAY, fontsize=11)
    arrow(ax, (3 + WIDTH / 2, 0), (4.35, 0))
    box(ax, 4.7, 0, 0.6, 0.95, "#f0c808")
    ax.text(4.7, 0, "$z$", ha="center", va="center", fontsize=15)
    ax.text(4.7, 0.8, "code", ha="center", va="center", color=GRAY, fontsize=11)
    return 5.0, 0


def draw_decoder(ax, code, y, names, color, title):
    """Draw a chain that reads the code at each step; returns the centers of its cells."""
    first = 6.9
    draw_chain(ax, first, y, len(names), color)
    low = y - HEIGHT / 2 - 0.45  # the line that repeats the code
    last = first + len(names) - 1
    ax.plot([code[0], 5.6], [0, 0], color="black", linewidth=1.1)
    ax.plot([5.6, 5.6, last], [0, low, low], color="black", linewidth=1.1)
    centers = [(first + step, y) for step in range(len(names))]
    for (x, _), name in zip(centers, names, strict=True):
        arrow(ax, (x, low), (x, y - HEIGHT / 2))
        arrow(ax, (x, y + HEIGHT / 2), (x, y + 0.78))
        ax.text(x, y + 0.98, name, ha="center", va="center", fontsize=13, color=color)
    ax.text((first + last) / 2, y + 1.4, title, ha="center", va="center", color=color, fontsize=11)
    return centers


def draw_chain(ax, first, y, n_cells, color):
    """Draw LSTM cells, each of which hands its state to the next."""
    for cell in range(n_cells):
        box(ax, first + cell, y, WIDTH, HEIGHT, color)
        style = {"color": "white", "fontsize": 9, "weight": "bold"}
        ax.text(first + cell, y, "LSTM", ha="center", va="center", **style)
        if cell:
            arrow(ax, (first + cell - 1 + WIDTH / 2, y), (first + cell - WIDTH / 2, y))


def box(ax, x, y, width, height, color):
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=color,
            edgecolor="none",
        )
    )


def arrow(ax, begin, end, color="black"):
    style = {"arrowstyle": "-|>", "color": color, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", end, begin, arrowprops=style)
