"""Reserves a port on which several processes listen."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ..runtime import cannot_listen


@contextmanager
def reserved(host: str, port: int) -> Iterator[int]:
    """Reserve a port for the child processes during a `with` block.

    Yields the port. If `port` is 0, any free port is chosen. During the block this process binds the port with
    SO_REUSEPORT, but does not listen on it: the child processes do. Raises `OSError` when the port is taken.
    """
    with ExitStack() as held:
        try:
            found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, _, _, _, (name, _, *rest) in found:
                # with SO_REUSEPORT alone, a second server of the same user would share the port unnoticed
                _bind(family, (name, port, *rest), is_shared=False).close()
                port = held.enter_context(_bind(family, (name, port, *rest), is_shared=True)).getsockname()[1]
        except OSError as error:
            raise cannot_listen(error, host, port) from None
        yield port


def _bind(family: int, address: tuple[Any, ...], *, is_shared: bool) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        # allows connections of an earlier server that are still in TIME_WAIT
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
