"""The layer tests look at the handlers, events and rooms of the platform."""

from ..core.test_layers import EVENTS, ROOT, room_prefixes


def test_the_platform_has_more_than_five_handlers():
    assert len(sorted((ROOT / "handlers").glob("*.py"))) > 5


def test_the_platforms_events_are_looked_for():
    assert {"chat:send", "auth:refresh", "server:closing"} < EVENTS


def test_the_platforms_rooms_are_looked_for():
    assert room_prefixes() == {"user:", "role:", "company:", "job:"}
