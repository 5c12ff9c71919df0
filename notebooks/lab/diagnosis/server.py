"""A server with unknown mistakes, which a learner has to find.

The mistakes are in the namespace `/`. So that nothing shows their names, all such servers handle the same events, have
the same settings, use the same names in their code, and log no traceback.
"""

import inspect
import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from bad_server.app import MISTAKES
from good_server.app import Application, Parts, assemble, create_parts, create_routes
from good_server.events import Payload
from good_server.gateway import Gateway, Request, Route
from good_server.roles import Identity
from good_server.settings import Settings
from lab.diagnosis.cases import Choice, Ticket, mistake
from lab.servers.probe import watch_log

APP = "lab.diagnosis.server:create_app"
TICKET_VARIABLE = "LAB_TICKET"
# pages of all servers send it once, after they have loaded; on most servers it does nothing
SESSION_LOGIN = "session:login"
# the names of module and file that all servers have in common
MODULE, FILE = "handlers", "<handlers>"
STEPS = ("joined", "left", "check_rate", "read")


class SessionLogin(Payload):
    """Payload of `session:login`: empty, as the token already identifies the user."""


async def log_in(request: Request, _: SessionLogin) -> dict[str, Any]:
    """Return the user as the answer to `session:login`.

    Nothing else is needed, because the socket joined its rooms when it connected.
    """
    return {"user": request.identity.user}


class Service(Gateway):
    """The good server's Socket.IO namespace, changed by some of the ten mistakes.

    `mistakes` are namespaces of the bad server, one per mistake. `STEPS` names the methods that a mistake can replace.
    The first mistake that defines such a method replaces it; otherwise the good server's method is used. The namespaces
    in `mistakes` are not registered with Socket.IO, so only their methods are used. `own_routes` (events with their
    handlers) replace the good server's routes for the same events.
    """

    def __init__(self, parts: Parts, mistakes: Sequence[Gateway], own_routes: Sequence[Route]) -> None:
        login = Route(SESSION_LOGIN, SessionLogin, log_in)
        routes = {route.event: route for route in (*create_routes(parts), login, *own_routes)}
        super().__init__("/", parts.guards, list(routes.values()))
        self._steps = {name: _step(self, mistakes, name) for name in STEPS}

    async def joined(self, request: Request) -> None:
        """Put a new socket into its rooms.

        If the class of one of this server's mistakes defines `joined`, that method is called. Otherwise the good
        server's method is called.
        """
        await self._steps["joined"](request)

    async def left(self, request: Request) -> None:
        """Handle a disconnect.

        If the class of one of this server's mistakes defines `left`, that method is called, for example to remove
        stored data. Otherwise nothing is done.
        """
        await self._steps["left"](request)

    async def check_rate(self, identity: Identity, route: Route | None) -> None:
        """Count one event of the user for the rate limit.

        If the class of one of this server's mistakes defines `check_rate`, that method is called. Otherwise the good
        server's method is called.
        """
        await self._steps["check_rate"](identity, route)

    def read(self, route: Route, arguments: Sequence[Any]) -> Any:
        """Convert the arguments of an event to the event's payload model.

        If the class of one of this server's mistakes defines `read`, that method is called. Otherwise the good server's
        method is called.
        """
        return self._steps["read"](route, arguments)


def _step(service: Gateway, mistakes: Sequence[Gateway], name: str) -> Any:
    """Return the method `name` of the first mistake that defines it.

    `mistakes` are gateways (Socket.IO namespaces) of the bad server, one per mistake. If no mistake defines the method,
    this returns the method of `Gateway`, bound to `service`.
    """
    own = [getattr(gateway, name) for gateway in mistakes if name in vars(type(gateway))]
    return own[0] if own else partial(getattr(Gateway, name), service)


def load_handlers(number: int) -> Callable[[str, Parts], Gateway]:
    """Return the class `Handlers` of a mistake, without the mistake's name.

    The class is a Socket.IO namespace of the bad server. Its source is compiled again with neutral names for module and
    file. Otherwise tracebacks and warnings would reveal the name of the mistake.
    """
    names: dict[str, Any] = {"__name__": MODULE}
    source = inspect.getsource(MISTAKES[number - 1])
    # without docstrings, which name the mistake
    exec(compile(source, FILE, "exec", optimize=2), names)  # noqa: S102 - our own module
    handlers: Callable[[str, Parts], Gateway] = names["Handlers"]
    return handlers


def create_service(parts: Parts, choice: Choice) -> tuple[Service, list[Any]]:
    """Return a server's Socket.IO namespace, and the namespaces of its mistakes.

    `choice` names the mistakes. Each mistake has a namespace of the bad server. The first returned namespace is the
    good server's namespace, changed by these mistakes.
    """
    gateways: list[Any] = [load_handlers(number)("/", parts) for number in choice.mistakes]
    own_routes = [
        route
        for number, gateway in zip(choice.mistakes, gateways, strict=True)
        for route in gateway.routes()
        if route.event in mistake(number).events
    ]
    return Service(parts, gateways, own_routes), gateways


def create_app(settings: Settings) -> Application:
    """Create the server for the ticket in the environment variable `LAB_TICKET`.

    A ticket identifies a server and its mistakes. The variable is removed, so that no child process inherits it.
    """
    choice = Ticket.parse(os.environ.pop(TICKET_VARIABLE)).open()
    hide_tracebacks()
    parts = create_parts(settings)
    service, gateways = create_service(parts, choice)
    application = assemble(parts, [service])
    for gateway in gateways:
        # some use its rooms and its connections
        gateway.server = application.sio
    return application


def hide_tracebacks() -> None:
    """Make the log show the type of each error, without its traceback.

    A traceback would show a learner which mistake the server has.
    """

    def hide(_: str, entry: Any) -> None:
        error = entry.pop("exc_info", None)
        if isinstance(error, BaseException):
            entry["error"] = type(error).__name__

    watch_log(hide)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_without_traceback)


def _without_traceback(record: logging.LogRecord) -> bool:
    """Remove the traceback from a log record of the standard library.

    Of a message of several lines, only the first line stays. Returns True, so that the record is still logged.
    """
    record.exc_info = record.exc_text = record.stack_info = None
    # the text of asyncio goes on with the repr of a task, which names functions and lines
    record.msg, record.args = record.getMessage().partition("\n")[0], ()
    return True
