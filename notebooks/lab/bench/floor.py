"""The smallest possible server: a delivery is only one system call.

The report calls this server `one send() each`. For each byte that the server receives, it writes one prepared frame to
every other socket, with one system call per socket. So the bench measures what a delivery costs when it is only a
system call.
"""

import selectors
import socket
import sys

from lab.bench import wire


def main() -> None:
    """Runs the smallest possible server, and prints its address.

    The server listens on a free loopback port, until it is killed or a client disconnects. For each byte that it
    receives, it sends a prepared text to every other client. The command-line argument is the length of this text, in
    characters.
    """
    prepared_frame = wire.delivery_frames(["x" * int(sys.argv[1])])
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
                _deliver(key.fileobj, connections, prepared_frame)  # type: ignore[arg-type]


def _deliver(sender: socket.socket, connections: list[socket.socket], prepared_frame: bytes) -> None:
    messages = len(sender.recv(4096))
    if not messages:
        sys.exit()
    sends = [connection.sendall for connection in connections if connection is not sender]
    for _ in range(messages):
        for send in sends:
            send(prepared_frame)


if __name__ == "__main__":
    main()
