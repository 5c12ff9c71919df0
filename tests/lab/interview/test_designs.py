"""Tests of the two whiteboard designs: estimates, simulation, figures, text."""

import re

import pytest
from lab.figures.bars import as_png
from lab.interview.design_figures import coalescing, map_cells, parts
from lab.interview.estimates import ChatLoad, FleetLoad, Hardware, LargeGroup, rounded
from lab.interview.map_feed import NEWEST, QUEUE, simulate
from lab.lessons.build_notebooks import find_notebooks

HARDWARE = Hardware(cpu_microseconds=10, sockets_per_process=1_000, most_busy=0.5, spare=2)
CHAT = ChatLoad(
    users=864_000,
    online=0.5,
    sockets_per_user=2,
    messages_per_user_and_day=10,
    recipients=4,
    busiest_hour=3,
    bytes_per_message=100,
)
FLEET = FleetLoad(
    drivers=1_000,
    seconds_between_positions=2,
    companies=10,
    screens_per_company=4,
    operators=20,
    drivers_in_view=100,
    updates_per_second=1,
    bytes_per_position=100,
)
(SOURCE,) = find_notebooks(["13"])


def values(rows):
    return {name: value for name, value, _ in rows}


def test_the_estimates_of_the_chat():
    found = values(CHAT.rows(HARDWARE))
    assert found["sockets at the same time"] == "860,000"
    # 864,000 users × 10 messages / 86,400 seconds × 3
    assert found["messages per second, busiest hour"] == "300"
    # 300 × (4 recipients × half of them online + the sender) × 2 sockets
    assert found["deliveries per second"] == "1,800"
    assert found["server processes"] == "1,700"


def test_the_cpu_decides_when_there_is_much_to_deliver():
    assert HARDWARE.processes(sockets=1_000, deliveries_per_second=500_000) == (20, "CPU")
    assert HARDWARE.processes(sockets=50_000, deliveries_per_second=10) == (100, "sockets")


def test_a_large_group_costs_by_who_receives_it():
    group = LargeGroup(members=100_000, online=0.5, looking=0.01, sockets_per_user=1)
    rows = group.rows(HARDWARE)
    assert [value for _, value, _ in rows] == ["50,000", "1,000", "100,000"]
    assert rows[0][2] == "500 ms of one core"


def test_the_estimates_of_the_fleet():
    found = values(FLEET.rows(HARDWARE))
    assert found["positions per second"] == "500"
    assert found["deliveries per second to companies"] == "2,000"
    assert found["to operators, if each receives everything"] == "10,000"
    assert found["to operators, with cells, coalesced"] == "20"
    assert found["positions in one such update"] == "50"


@pytest.mark.parametrize(("value", "text"), [(1_234_567, "1,200,000"), (0.0456, "0.046"), (99.6, "100"), (0, "0")])
def test_estimates_are_rounded_to_two_digits(value, text):
    assert rounded(value) == text


def test_a_queue_gets_old_and_the_newest_per_driver_does_not():
    drivers, reads = 60, 20
    ages = simulate(drivers=drivers, reads_per_second=reads, slow=(5, 25))
    assert max(ages[NEWEST]) <= drivers / reads
    assert max(ages[QUEUE]) > 3 * drivers / reads
    # a longer slow time makes only the queue worse
    longer = simulate(drivers=drivers, reads_per_second=reads, slow=(5, 50))
    assert max(longer[NEWEST]) == max(ages[NEWEST])
    assert max(longer[QUEUE]) > 1.5 * max(ages[QUEUE])
    assert (ages[QUEUE][-1], ages[NEWEST][-1]) == (0, 0)


def test_a_screen_that_keeps_up_shows_fresh_positions():
    ages = simulate(drivers=10, reads_per_second=10, slow=(2, 8))
    assert max(ages[QUEUE]) == max(ages[NEWEST]) == 0


def test_the_figures_say_that_they_are_no_measurement():
    simulated = coalescing(drivers=20, reads_per_second=5, slow_from=2, slow_until=8)
    for figure, word in ((map_cells(), "an example"), (simulated, "simulated")):
        assert word in " ".join(figure.axes[0].get_title(loc="left").split())
        assert as_png(figure).startswith(b"\x89PNG")


def test_every_part_and_flow_of_a_design_is_drawn():
    boxes = {"a": (0, 0), "b": (1, 0), "c": (1, 1)}
    texts = {text.get_text() for text in parts(boxes, [("x", "a", "b"), ("y", "b", "c")], title="t").axes[0].texts}
    assert texts >= {"a", "b", "c", "x", "y"}


@pytest.mark.parametrize(
    ("design", "topics"),
    [
        (
            "A chat for many tabs",
            ["Requirements", "data model", "100,000 members", "Presence", "last seen", "unique index"],
        ),
        (
            "Live tracking for a fleet",
            ["Requirements", "data model", "geographic index", "last position", "Coalescing"],
        ),
    ],
)
def test_a_design_covers_what_an_interviewer_asks(design, topics):
    text = SOURCE.source.read_text("utf-8")
    (section,) = re.findall(rf"^# ### {design}\n(.*?)(?=^# ### |\Z)", text, re.MULTILINE | re.DOTALL)
    topics = [*topics, "Promises", "Push", "Several regions"]
    assert [topic for topic in topics if topic.lower() not in section.lower()] == []
    assert "lab.table(" in section
    assert "lab.draw(" in section
