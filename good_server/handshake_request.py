"""Checks the query of a Socket.IO request before python-engineio reads it.

python-engineio then gets only the checked values. So it cannot understand the query in another way than this module.
"""

import re
from typing import NamedTuple

from aiohttp import hdrs, web

ENGINE_IO = "4"
SESSION_FORM = re.compile(r"[A-Za-z0-9_-]+")


class Refused(Exception):
    """A refusal of an HTTP request.

    `status` and `text` are the status and body of the response, `reason` is one word for the log, and `retry_seconds`
    becomes `Retry-After`. `setting` is the setting that an operator may want to change.
    """

    def __init__(
        self, status: int, reason: str, text: str, *, retry_seconds: float | None = None, setting: str | None = None
    ) -> None:
        super().__init__(text)
        self.status, self.reason, self.text, self.setting = status, reason, text, setting
        self.headers = {} if retry_seconds is None else {hdrs.RETRY_AFTER: str(max(1, round(retry_seconds)))}


class Query(NamedTuple):
    """The checked query parameters of a Socket.IO request.

    `sid` is the id of the Engine.IO session. It is empty for a new connection.
    """

    transport: str
    sid: str


def read_query(request: web.Request) -> Query:
    """Return the checked query parameters of a Socket.IO request.

    Raises `Refused` if the query is malformed, or if a parameter occurs twice: of two values, python-engineio could use
    the one that this function did not check.
    """
    given = {name: request.query.getall(name, [""]) for name in ("EIO", "transport", "sid")}
    if any(len(values) > 1 for values in given.values()):
        raise Refused(400, "query", "the query names EIO, transport or sid more than once")
    if given["EIO"] != [ENGINE_IO]:
        raise Refused(400, "protocol", "This server speaks Engine.IO protocol 4 (EIO=4): use Socket.IO 3 or later.")
    sid = given["sid"][0]
    if "sid" in request.query and not SESSION_FORM.fullmatch(sid):
        raise Refused(400, "session", "there is no such session")
    return Query(given["transport"][0] or "polling", sid)


def rewritten(request: web.Request, query: Query) -> web.Request:
    """Return a copy of the request for python-engineio.

    The query string of the copy has only the checked parameters in `query`. The copy does not ask for WebSocket
    compression.
    """
    # bytes that are no UTF-8, in an old cookie for example, are surrogates here, and `clone` cannot encode these
    headers = request.headers.copy()
    headers.clear()
    headers.extend((name, _readable(value)) for name, value in request.headers.items())
    # aiohttp would accept an offer of permessage-deflate, which costs about 250 KB per connection
    headers.popall(hdrs.SEC_WEBSOCKET_EXTENSIONS, None)
    checked = {"EIO": ENGINE_IO, "transport": query.transport} | ({"sid": query.sid} if query.sid else {})
    # most clients send nothing else, and a new query takes long
    is_plain = request.rel_url.raw_query_string == f"EIO={ENGINE_IO}&transport={query.transport}"
    rel_url = request.rel_url if is_plain else request.rel_url.with_query(checked)
    return request.clone(rel_url=rel_url, headers=headers)


def _readable(value: str) -> str:
    return value if value.isascii() else value.encode(errors="surrogateescape").decode(errors="replace")
