"""Ports of the tests."""

import contextlib
import random
import socket

# above the privileged ports, below the ports of clients
PORTS = range(10_000, 30_000)


def lasting_port():
    """A free port that stays free while its server is down.

    No client gets it as its own port.
    """
    while True:
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", random.choice(PORTS)))  # noqa: S311 - a guess, not a secret
            return listener.getsockname()[1]


def is_open(port):
    """Whether something on this machine listens on the port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
