"""How much load `lab bench` applies, in its quick and full mode."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Numbers of rounds, clients and messages of the loads.

    `rounds_when_long` is the number of rounds of long benchmarks. `members` is the number of clients in the room that
    receives messages. `bursts` and `singles` are the numbers of message bursts and of single messages to that room.
    `requests` and `connections` are the numbers of measured requests and new connections. `leaving` has the sizes of
    the crowds that disconnect. `readers` is the size of the crowd with slow consumers, and `backlog` is the number of
    messages to that crowd. `lone_seconds` is how long single messages are sent among idle clients. `idle_seconds` is
    how long a server with only idle clients is measured.
    """

    rounds: int
    rounds_when_long: int
    members: int
    bursts: int
    singles: int
    requests: int
    connections: int
    leaving: tuple[int, ...]
    readers: int
    backlog: int
    lone_seconds: float
    idle_seconds: float


# all servers ping each client once in this time
PING_SECONDS = 25.0

QUICK = Sizes(1, 1, 400, 3, 30, 4000, 400, (500, 2000), 200, 320, 6.0, PING_SECONDS)
FULL = Sizes(3, 1, 1000, 5, 60, 10_000, 2000, (500, 2000, 8000, 16_000), 1000, 320, PING_SECONDS, PING_SECONDS)
