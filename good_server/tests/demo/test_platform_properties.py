"""Tests with generated events of the platform: no crash, one ack."""

import pytest

from ...app import create_parts, create_routes
from ...settings import Settings
from ..generated_events import check_answer, events_of, explore, spoiled_events_of

ROUTES = create_routes(create_parts(Settings()))


@pytest.mark.parametrize("role", ["driver", "admin"])
async def test_every_platform_payload_is_answered_once(serve, role):
    await explore(serve, events_of(ROUTES), check_answer, role, company="acme")


async def test_every_spoiled_platform_event_is_answered_once(serve):
    await explore(serve, spoiled_events_of(ROUTES), check_answer, "admin", company="acme")
