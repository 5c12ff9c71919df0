"""Draws the two system designs of the job interview notebook.

The designs are a chat and the live tracking of drivers. A figure shows a design, an example or a simulation. No figure
shows a measurement.
"""

import random
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from lab.figures.bars import INK, new_figure, set_title
from lab.interview.map_feed import QUEUE, simulate

PALE = "#E8F3EF"
ORANGE, BLUE, GREEN = "#D55E00", "#0072B2", "#009E73"
BOX_WIDTH, BOX_HEIGHT = 2.3, 0.8
COLUMNS, ROWS = 8, 5
# the part of the map that one screen shows: left, bottom, right, top, in cells
VIEW = (2.4, 1.3, 4.7, 2.8)

Point = tuple[float, float]
# a label, and the names of the parts that the arrow connects
Arrow = tuple[str, str, str]


def parts(boxes: Mapping[str, tuple[float, float]], arrows: Sequence[Arrow], *, title: str) -> Figure:
    """Draw a system design as boxes that are connected by arrows.

    `boxes` maps the name of a box, such as `store\\nmessages`, to its column and row. Each arrow is a label, the name
    of the box where the arrow starts, and the name of the box where it ends.
    """
    width = max(column for column, _ in boxes.values()) + 1
    height = max(row for _, row in boxes.values()) + 1
    figure, axes = new_figure(7.4, 0.5 + 0.85 * height)
    axes.set_axis_off()
    axes.set(xlim=(-0.1, width * 3.3 - 0.6), ylim=(height * 1.35 - 0.45, -0.55))
    middles = {name: (column * 3.3 + BOX_WIDTH / 2, row * 1.35) for name, (column, row) in boxes.items()}
    for name, (x, y) in middles.items():
        corner = (x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2)
        style = "round,pad=0,rounding_size=0.12"
        axes.add_patch(FancyBboxPatch(corner, BOX_WIDTH, BOX_HEIGHT, style, facecolor=PALE, edgecolor=INK))
        axes.text(x, y, name, ha="center", va="center", color="#333333", fontsize=8.5)
    for label, start, end in arrows:
        _arrow(axes, label, middles[start], middles[end])
    set_title(axes, title)
    return figure


def _arrow(axes: Axes, label: str, start: Point, end: Point) -> None:
    """Draw an arrow with a label from one box to another.

    `start` and `end` are the middles of the two boxes. The arrow connects the edges of the boxes.
    """
    across = abs(end[0] - start[0]) > abs(end[1] - start[1])
    towards_x = 1 if end[0] > start[0] else -1
    towards_y = 1 if end[1] > start[1] else -1
    if across:
        begin = (start[0] + towards_x * BOX_WIDTH / 2, start[1])
        finish = (end[0] - towards_x * BOX_WIDTH / 2, end[1])
    else:
        begin = (start[0], start[1] + towards_y * BOX_HEIGHT / 2)
        finish = (end[0], end[1] - towards_y * BOX_HEIGHT / 2)
    axes.annotate("", finish, begin, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.2})
    x, y = (begin[0] + finish[0]) / 2, (begin[1] + finish[1]) / 2
    offset = (0, 3) if across else (4, 0)
    note = axes.annotate(label, (x, y), offset, textcoords="offset points", color=INK, fontsize=7.5)
    note.set(ha="center" if across else "left", va="bottom" if across else "center")


def map_cells(*, drivers: int = 240, seed: int = 7) -> Figure:
    """Draw a map, and mark the cells whose rooms one screen joins.

    The map is divided into cells, each with a room for the positions of its drivers. A screen is a client that displays
    a part of the map. It receives only the positions of drivers in the marked cells. The `drivers` drivers are at
    random places, which depend on `seed`.
    """
    places = random.Random(seed)  # noqa: S311 - an example, no secret
    points = [(places.uniform(0, COLUMNS), places.uniform(0, ROWS)) for _ in range(drivers)]
    left, bottom, right, top = VIEW
    joined = {(x, y) for x in range(int(left), int(right) + 1) for y in range(int(bottom), int(top) + 1)}
    received = [point for point in points if (int(point[0]), int(point[1])) in joined]
    others = [point for point in points if point not in received]
    figure, axes = new_figure(6.8, 4.1)
    for x, y in sorted(joined):
        axes.add_patch(Rectangle((x, y), 1, 1, facecolor=PALE, edgecolor="none"))
    axes.set_xticks(range(COLUMNS + 1), [])
    axes.set_yticks(range(ROWS + 1), [])
    axes.tick_params(length=0)
    axes.grid(color=INK, alpha=0.5, linewidth=0.7)
    axes.add_patch(Rectangle((left, bottom), right - left, top - bottom, fill=False, edgecolor=ORANGE, linewidth=2.2))
    axes.plot(*zip(*others, strict=True), "x", color=INK, alpha=0.6, markersize=4, label="not sent to this screen")
    axes.plot(*zip(*received, strict=True), "o", color=GREEN, markersize=5, label="sent to this screen")
    axes.plot([], [], color=ORANGE, linewidth=2.2, label="what the screen shows")
    axes.set(xlim=(0, COLUMNS), ylim=(0, ROWS), aspect="equal")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8.5, labelcolor=INK)
    set_title(
        axes,
        f"A screen joins {len(joined)} of {COLUMNS * ROWS} map cells and receives {len(received)} of {drivers} drivers"
        " (an example)",
    )
    return figure


def coalescing(*, drivers: int, reads_per_second: float, slow_from: float, slow_until: float) -> Figure:
    """Draw how old the positions on a slow screen are.

    A screen is a client that displays drivers on a map. The figure compares two rules: the server queues every
    position, or it keeps only the newest position of each driver. Each driver sends a position every second. From
    `slow_from` to `slow_until` (seconds) the screen reads `reads_per_second` positions per second. At other times the
    screen reads twice as many positions as the drivers send.
    """
    slow = (slow_from, slow_until)
    ages = simulate(drivers=drivers, reads_per_second=reads_per_second, slow=slow)
    figure, axes = new_figure(6.8, 2.9)
    axes.axvspan(slow_from, slow_until, facecolor=INK, alpha=0.15, linewidth=0)
    top = axes.get_xaxis_transform()
    axes.text(slow_from + 0.3, 0.97, "reads slowly", transform=top, va="top", color=INK, fontsize=8.5)
    worst = {}
    for (rule, values), (colour, line) in zip(ages.items(), ((ORANGE, "--"), (GREEN, "-")), strict=True):
        axes.plot(range(len(values)), values, line, color=colour, linewidth=2, label=rule)
        worst[rule] = max(values)
    kept = next(rule for rule in worst if rule != QUEUE)
    axes.set_xlabel("seconds", color=INK, fontsize=9)
    axes.set_ylabel("age of the oldest\nposition shown (s)", color=INK, fontsize=9)
    axes.set_ylim(0)
    axes.set_xlim(0, len(ages[QUEUE]) - 1)
    axes.spines["left"].set(visible=True, color=INK)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8.5, labelcolor=INK)
    set_title(
        axes,
        f"A slow screen shows positions up to {worst[QUEUE]:.0f} s old with a queue, and up to {worst[kept]:.0f} s with"
        " the newest per driver (simulated)",
    )
    return figure
