"""Test the picture of the dashboard, and a run with Prometheus."""

import json
import math
import os
import re
import shutil

import pytest
from lab.figures.bars import as_png
from lab.scaling import dashboard_run
from lab.scaling.dashboard_load import Schedule
from lab.scaling.dashboard_picture import draw
from lab.scaling.dashboard_run import DASHBOARD, PANELS, Observed, Panel, job_of, panels_of

MOST_BYTES = 250_000
SHORT = Schedule(slow_at=4.0, restart_at=60.0, away_seconds=2.0, ends_at=80.0)


def test_the_queries_are_those_of_the_dashboard() -> None:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    found = panels_of(dashboard)
    assert [panel["id"] for panel in found] == list(PANELS)
    queries = [target["expr"] for panel in found for target in panel["targets"]]
    assert not [query for query in queries if "$" in query]
    assert all(f'job="{job_of(dashboard)}"' in query for query in queries)


def test_a_line_is_named_as_in_grafana() -> None:
    assert dashboard_run._label("lost: {{reason}}", {"reason": "away"}) == "lost: away"
    assert dashboard_run._label("{{instance}}", {"instance": "127.0.0.1:80"}) == "the server"
    assert dashboard_run._label("published", {}) == "published"


def test_a_picture_has_every_panel_and_is_small() -> None:
    points = [(float(at), at**1.5) for at in range(180)]
    lines = {f"line {number}": points for number in range(4)}
    panels = [Panel(f"panel {number}", unit, lines) for number, unit in enumerate(["short", "cps", "bytes"] * 2)]
    drawing = draw(Observed(panels, 180.0, (60.0, 80.0), (110.0, 113.0)))
    assert [axes.get_title(loc="left") for axes in drawing.axes] == [panel.title for panel in panels]
    assert len(as_png(drawing, dots_per_inch=125)) < MOST_BYTES


def test_no_line_is_drawn_while_prometheus_has_no_value() -> None:
    points = [(1.0, 5.0), (2.0, 5.0), (9.0, 6.0)]
    drawing = draw(Observed([Panel("a panel", "short", {"the server": points})], 10.0, (1.0, 2.0), (3.0, 4.0)))
    (line,) = drawing.axes[0].lines
    assert [math.isnan(float(value)) for value in line.get_ydata()] == [False, False, True, False]


@pytest.fixture
def prometheus() -> str:
    """The program; without it a test is skipped, and fails in CI."""
    path = shutil.which("prometheus")
    if path is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("prometheus is not installed")
    return path


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_prometheus_sees_the_restart_and_slow_consumers(prometheus: str) -> None:
    observed = await dashboard_run.observe(SHORT)
    panels = {panel.title: panel for panel in observed.panels}
    assert SHORT.slow_at <= observed.slow[0] < observed.slow[1] < observed.seconds
    assert SHORT.restart_at <= observed.restart[0] < observed.restart[1] - SHORT.away_seconds
    assert set(panels) == {panel["title"] for panel in panels_of(json.loads(DASHBOARD.read_text("utf-8")))}
    (connections,) = panels["Connections per process"].series.values()
    assert max(value for _, value in connections) >= 150
    outcomes = panels["Connects per second, by outcome"].series
    assert max(value for _, value in outcomes["accepted"]) > 0
    slow = panels["Slow consumers disconnected per minute"].series
    assert max(value for points in slow.values() for _, value in points) > 0
    assert all(re.fullmatch(r"[\w ]+", name) for name in slow)
