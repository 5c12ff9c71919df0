"""Answers for the peer `one send() each`: what the operating system itself takes for a delivery, and nothing else.

For each byte it is sent it writes one ready frame to every other socket, with one system call each.
"""

import selectors
import socket
import sys

from lab.bench import wire


def main() -> None:
    """Serves on a free port of loopback until it is killed; says on which. Its argument is the text's length."""
    ready = wire.delivered(["x" * int(sys.argv[1])])
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    sys.stdout.write(f"listening on http://127.0.0.1:{listener.getsockname()[1]} \n")
    sys.stdout.flush()
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    connections: list[socket.socket] = []
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                connections.append(listener.accept()[0])
                selector.register(connections[-1], selectors.EVENT_READ)
            else:
                _deliver(key.fileobj, connections, ready)  # type: ignore[arg-type]


def _deliver(asked: socket.socket, connections: list[socket.socket], ready: bytes) -> None:
    messages = len(asked.recv(4096))
    if not messages:
        sys.exit()
    sends = [connection.sendall for connection in connections if connection is not asked]
    for _ in range(messages):
        for send in sends:
            send(ready)


if __name__ == "__main__":
    main()
