"""Tests that the layer tests know the platform's handlers, events and rooms."""

from ..core.test_layers import EVENTS, ROOT, room_prefixes


def test_the_platform_has_more_than_five_handlers():
    assert len(sorted((ROOT / "handlers").glob("*.py"))) > 5


def test_the_check_knows_the_platforms_events():
    assert {"chat:send", "auth:refresh", "server:closing"} < EVENTS


def test_the_check_knows_the_platforms_rooms():
    assert room_prefixes() == {"user:", "role:", "company:", "job:"}
