"""Checks all routes when a server starts.

Otherwise a mistake in a route would be found only when a client sends the event.
"""

from collections import Counter
from collections.abc import Sequence

from .events import RESERVED
from .gateway import Gateway
from .settings import SettingsError


def check_routes(gateways: Sequence[Gateway]) -> None:
    """Raise `SettingsError` with one line if a route has a mistake. Two routes for one event are an example."""
    for namespace, count in Counter(gateway.namespace for gateway in gateways).items():
        if count > 1:
            raise SettingsError(f"two gateways serve the namespace {namespace}: only the last one would be called")
    for gateway in gateways:
        _check_gateway(gateway)


def _check_gateway(gateway: Gateway) -> None:
    where, kinds = f"in the namespace {gateway.namespace}", sorted(gateway.guards.rates.kinds)
    for event, count in Counter(route.event for route in gateway.routes()).items():
        if not isinstance(event, str) or not event:
            raise SettingsError(f"a route {where} has no event: a name is a string that is not empty")
        if event in RESERVED:
            raise SettingsError(f"a route {where} has the event {event}, a reserved name of Socket.IO")
        if count > 1:
            raise SettingsError(f"two routes {where} have the event {event}: only the last one would be called")
    for route in gateway.routes():
        if route.rate is not None and route.rate not in kinds:
            raise SettingsError(f"the route {route.event} {where} has the rate {route.rate!r}: there are {kinds}")
        if not route.roles:
            raise SettingsError(f"the route {route.event} {where} has no roles: nobody may call it")
