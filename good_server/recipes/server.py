"""Example of a server with all optional chat features of this folder."""

import os
from collections.abc import Sequence
from typing import Any

from ..app import Application, Parts, assemble, create_parts, create_routes
from ..gateway import Route
from ..services.service import Service
from ..settings import Settings
from . import history, receipts, typing_indicators
from .database import DEFAULT_URL, Database
from .presence import GRACE_SECONDS, Presence, PresenceGateway

# the environment variable with the URL of the database: a command line would show its password
DATABASE_URL = "CHAT_DATABASE_URL"


def chat_routes(parts: Parts, database: Database, presence: Presence) -> tuple[Route, ...]:
    """Return the routes of the server itself and of all chat features.

    A route is an event with its handler. In your copy, delete the chat features that you do not need.
    """
    return (
        *create_routes(parts),
        *history.routes(database),
        *receipts.routes(database),
        *typing_indicators.routes(),
        *presence.routes(),
    )


def create_chat_app(
    settings: Settings,
    *,
    database_url: str | None = None,
    grace_seconds: float = GRACE_SECONDS,
    services: Sequence[Service] = (),
    routes: Sequence[Any] = (),
    **options: Any,
) -> Application:
    """Build the server with all optional chat features.

    If `database_url` is None, the environment variable `CHAT_DATABASE_URL` is used. If this variable is not set either,
    the database is a SQLite file in the working folder. A user who disconnects stays online for `grace_seconds`.
    `services` are objects that start and stop with the server, and `routes` are plain HTTP routes. `options` are passed
    to `create_parts`. Raises `SettingsError` if a setting or the URL is wrong.
    """
    database = Database(database_url or os.environ.get(DATABASE_URL) or DEFAULT_URL)
    parts = create_parts(settings, **options)
    presence = Presence(parts, grace_seconds=grace_seconds)
    gateway = PresenceGateway("/", parts, chat_routes(parts, database, presence), presence)
    return assemble(parts, [gateway], services=[database, presence, *services], routes=routes)
