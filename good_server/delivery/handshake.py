"""Checks a WebSocket handshake, and builds its HTTP response (RFC 6455, 4.2)."""

from aiohttp import hdrs, web
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.http11 import Request
from websockets.server import ServerProtocol

# no extension, subprotocol or origin: nothing of these is negotiated here
HANDSHAKE_HEADERS = (hdrs.CONNECTION, hdrs.UPGRADE, hdrs.SEC_WEBSOCKET_KEY, hdrs.SEC_WEBSOCKET_VERSION)
# checks handshakes, and keeps nothing of them
HANDSHAKES = ServerProtocol()


def accept(request: web.Request) -> bytes:
    """Return the HTTP response that accepts a WebSocket handshake.

    Raise `HTTPBadRequest` if the handshake is malformed.
    """
    version = f"HTTP/{request.version.major}.{request.version.minor}"
    try:
        headers = Headers()
        for name in HANDSHAKE_HEADERS:
            for value in request.headers.getall(name, ()):
                headers[name] = value
        key, _, _ = HANDSHAKES.process_request(Request(request.path, headers, request.method, version))
    except (InvalidHandshake, ValueError):
        # the library's own text repeats what the client sent
        needs = {hdrs.SEC_WEBSOCKET_VERSION: "13"}
        raise web.HTTPBadRequest(text="this is not a WebSocket handshake", headers=needs) from None
    # not the library's own answer: its date and checks of headers take as long as the check of the handshake
    answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return f"{answer}Sec-WebSocket-Accept: {key}\r\n\r\n".encode()
