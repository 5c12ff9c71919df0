"""Checks all routes when a server starts.

A route is an event, or an HTTP path, with its handler. Without the checks, a mistake in a route would be found only
when a client sends the event.
"""

from collections import Counter
from collections.abc import Sequence

from aiohttp import web

from .events import RESERVED
from .gateway import Gateway
from .roles import Role
from .settings import SettingsError

ROLES = [str(role) for role in Role]


def check_routes(gateways: Sequence[Gateway]) -> None:
    """Raise `SettingsError` with one line if a route has a mistake.

    A route is an event with its handler, and a gateway is a namespace with its routes. Two routes for one event are an
    example of a mistake.
    """
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
        if unknown := sorted(map(str, set(route.roles) - set(Role))):
            raise SettingsError(f"the route {route.event} {where} has the role {unknown[0]!r}: there are {ROLES}")


def add_http_routes(router: web.UrlDispatcher, routes: Sequence[web.AbstractRouteDef]) -> None:
    """Add plain HTTP routes to the public port.

    Raises `SettingsError` with one line if aiohttp does not accept the routes. The same error is raised if a route has
    a path that the server itself uses, because such a route would never be called.
    """
    taken, trial = {_bare(resource.canonical) for resource in router.resources()}, web.UrlDispatcher()
    try:
        added = trial.add_routes(routes)
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise SettingsError(f"routes= takes aiohttp routes, such as web.get: {error}") from None
    for path in [route.resource.canonical for route in added if route.resource is not None]:
        if _bare(path) in taken:
            raise SettingsError(f"the HTTP route {path} has a path of the server itself")
    router.add_routes(routes)


def _bare(path: str) -> str:
    return path.rstrip("/")
