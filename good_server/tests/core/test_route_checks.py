"""Tests that a route which can never work stops the start."""

import dataclasses

import pytest

from ...app import assemble, create_parts
from ...events import RESERVED
from ...gateway import Gateway
from ...roles import Role
from ...settings import Settings, SettingsError
from ..stand_in import NOTE_RATE, NOTE_SEND, create_routes

PARTS = create_parts(Settings(_env_file=None))
ROUTES = create_routes(PARTS)
NOTE = next(route for route in ROUTES if route.event == NOTE_SEND)


def refusal(*gateways):
    with pytest.raises(SettingsError) as error:
        assemble(PARTS, gateways)
    assert "\n" not in str(error.value)
    return str(error.value)


def refused_route(**changes):
    return refusal(Gateway("/", PARTS.guards, [*ROUTES[1:], dataclasses.replace(NOTE, **changes)]))


def test_the_routes_of_the_product_are_accepted():
    assert assemble(PARTS, [Gateway("/", PARTS.guards, ROUTES)]).gateways


@pytest.mark.parametrize("rate", ["no_such_rate", "EVENTS", "", "events_per_second"])
def test_an_unknown_rate_stops_the_start(rate):
    message = refused_route(rate=rate)
    assert NOTE_SEND in message
    assert repr(rate) in message
    assert repr(NOTE_RATE) in message


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_reserved_event_stops_the_start(name):
    assert f"{name}, a reserved name" in refused_route(event=name)


@pytest.mark.parametrize("name", ["", None, 7])
def test_an_event_without_a_name_stops_the_start(name):
    assert "no event" in refused_route(event=name)


def test_two_routes_for_one_event_stop_the_start():
    routes = [*ROUTES, dataclasses.replace(NOTE, rate=None)]
    assert f"two routes in the namespace / have the event {NOTE_SEND}" in refusal(Gateway("/", PARTS.guards, routes))


def test_one_event_in_two_namespaces_is_accepted():
    names = ("/", "/other")
    assert assemble(PARTS, [Gateway(name, PARTS.guards, ROUTES) for name in names]).gateways


def test_two_gateways_for_one_namespace_stop_the_start():
    assert "two gateways" in refusal(Gateway("/", PARTS.guards, ROUTES), Gateway("/", PARTS.guards))


@pytest.mark.parametrize("roles", [{"no_such_role"}, {*Role, "no_such_role"}])
def test_an_unknown_role_stops_the_start(roles):
    message = refused_route(roles=frozenset(roles))
    assert NOTE_SEND in message
    assert "'no_such_role'" in message
    assert all(role in message for role in Role)


def test_a_route_that_no_role_may_call_stops_the_start():
    assert "no roles" in refused_route(roles=frozenset())
