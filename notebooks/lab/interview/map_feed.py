"""Simulates how a slow map screen receives the positions of drivers.

The simulation is arithmetic, not a measurement: nothing here depends on the machine.
"""

from collections import deque
from collections.abc import Mapping, Sequence

QUEUE, NEWEST = "every position queued", "only the newest per driver"
# the simulation ends at this multiple of the last slow second, so that the queue can become empty
UNTIL = 1.75


def simulate(*, drivers: int, reads_per_second: float, slow: tuple[float, float]) -> Mapping[str, Sequence[float]]:
    """Return how old the oldest position on a screen is each second.

    The screen is a client that displays drivers on a map. The result maps each of two rules to a list of ages, in
    seconds. With the rule `QUEUE` the server queues every position for the screen. With the rule `NEWEST` the server
    keeps only the newest position of each driver.

    Each driver sends a position every second. `slow` is the start and the end of the slow time, in seconds. In the slow
    time the screen reads `reads_per_second` positions per second. At other times the screen reads twice as many
    positions as the drivers send.
    """
    end = round(slow[1] * UNTIL)
    queue: deque[tuple[int, int]] = deque()
    newest: dict[int, int] = {}
    shown = {QUEUE: dict.fromkeys(range(drivers), 0), NEWEST: dict.fromkeys(range(drivers), 0)}
    ages: dict[str, list[float]] = {QUEUE: [], NEWEST: []}
    for second in range(end):
        for driver in range(drivers):
            queue.append((driver, second))
            # a driver keeps its place in the line, so that every driver has its turn
            newest[driver] = second
        reads = round(reads_per_second if slow[0] <= second < slow[1] else 2 * drivers)
        for _ in range(min(reads, len(queue))):
            driver, sent_at = queue.popleft()
            shown[QUEUE][driver] = sent_at
        for driver in list(newest)[:reads]:
            shown[NEWEST][driver] = newest.pop(driver)
        for rule, positions in shown.items():
            ages[rule].append(float(second - min(positions.values())))
    return ages
