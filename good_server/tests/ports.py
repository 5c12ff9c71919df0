"""Find free ports for the servers of the tests."""

import contextlib
import random
import socket

# above the privileged ports, below the ports of clients
PORTS = range(10_000, 30_000)


def lasting_port():
    """Return a free port that stays free while its server is down.

    The system gives no such port to a client or to a server on port 0. So nobody takes it over when its server ends.
    """
    while True:
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", random.choice(PORTS)))  # noqa: S311 - a guess, not a secret
            return listener.getsockname()[1]


def is_open(port):
    """Return whether a program on this machine listens on `port`."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
