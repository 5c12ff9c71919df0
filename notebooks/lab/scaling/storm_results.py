"""Results of reconnect storms under different conditions.

In a reconnect storm, all clients reconnect after the server restarts.
"""

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.results.statistics import percentile
from lab.scaling.storm_clients import Attempt, Outcome

# the longest time of one storm, from the first lost connection to the last client that is back
STORM_SECONDS = 90.0

# by jitter and admission control
WORDS = {(False, False): "neither", (True, False): "jitter", (False, True): "admission", (True, True): "both"}


@dataclass(frozen=True)
class Condition:
    """The condition of a storm: with or without jitter and admission control.

    In a storm, all clients reconnect after the server restarts. `has_jitter` is True if the reconnect delays of the
    clients are random, and `has_admission` if the server limits how many connects per second it accepts.
    """

    has_jitter: bool
    has_admission: bool

    @property
    def name(self) -> str:
        """The condition in words, for a table or a figure."""
        jitter, admission = ("with" if value else "no" for value in (self.has_jitter, self.has_admission))
        return f"{jitter} jitter, {admission} admission"

    @property
    def word(self) -> str:
        """The condition in one word: `neither`, `jitter`, `admission` or `both`.

        `jitter` means random reconnect delays. `admission` means that the server limits the connects per second.
        """
        return WORDS[self.has_jitter, self.has_admission]


CONDITIONS = tuple(Condition(jitter, admission) for admission in (False, True) for jitter in (False, True))
NEITHER, BOTH = CONDITIONS[0], CONDITIONS[-1]


@dataclass(frozen=True)
class Storm:
    """One reconnect storm, with times in seconds since the first lost connection.

    `server_back` is when the server listened again. `waits` has one value per client: the seconds from the loss of its
    connection until it was connected again. Clients that were not back in time have no value; `missing` is their
    number. `acks` is from a separate client, which sends requests all the time. It has a pair for each request after
    the restart: when the request was due, and the seconds until its ack. `cpu_seconds` is the CPU time of the server,
    and `cpu_peak_share` its highest CPU load; 1 is one core. `stall` is the longest lag of the server's event loop.
    `listen_overflows` is how often the system dropped a connect because the server's listen queue was full.
    """

    condition: Condition
    server_back: float
    waits: Sequence[float]
    missing: int
    attempts: Sequence[Attempt]
    acks: Sequence[tuple[float, float]]
    cpu_seconds: float
    cpu_peak_share: float
    stall: float
    listen_overflows: float

    def count(self, outcome: Outcome) -> int:
        """Returns how many attempts to connect ended with `outcome`."""
        return sum(attempt.outcome == outcome for attempt in self.attempts)

    def accepted_per_second(self, slot: float) -> list[tuple[float, float]]:
        """Returns the rate of accepted connects in each time slot.

        A slot lasts `slot` seconds. A pair is the start of a slot and its connects per second.
        """
        return self.per_second("accepted", slot)

    def per_second(self, outcome: Outcome, slot: float) -> list[tuple[float, float]]:
        """Returns the rate of connect attempts with `outcome` in each time slot.

        A slot lasts `slot` seconds, and an attempt belongs to the slot in which it ended. A pair is the start of a slot
        and its attempts per second.
        """
        found = Counter(int(one.ended / slot) for one in self.attempts if one.outcome == outcome)
        return [(place * slot, found[place] / slot) for place in range(max(found, default=-1) + 1)]

    @property
    def logins(self) -> list[float]:
        """The seconds from each accepted attempt's start to its CONNECT reply."""
        return [one.ended - one.began for one in self.attempts if one.outcome == "accepted"]


@dataclass(frozen=True)
class Storms:
    """All reconnect storms of one measurement.

    `clients` is the number of clients. `connects_per_second` is how many connects per second the server accepts in
    storms with admission control.
    """

    clients: int
    connects_per_second: int
    runs: Sequence[Storm]

    @property
    def conditions(self) -> list[Condition]:
        """The measured combinations of jitter and admission control.

        They are in the order of the first round.
        """
        return list(dict.fromkeys(run.condition for run in self.runs))

    def of(self, condition: Condition) -> list[Storm]:
        """Returns the reconnect storms of one condition, one per round."""
        return [run for run in self.runs if run.condition == condition]

    def median(self, condition: Condition, value: Callable[[Storm], float]) -> float:
        """Returns the median of `value(storm)` over the storms of one condition."""
        return statistics.median(value(run) for run in self.of(condition))


def wait(q: float) -> Callable[[Storm], float]:
    """Returns a function that calculates a percentile of the clients' waits.

    A wait is the time from the loss of a client's connection until the client is connected again. The function takes a
    `Storm`, and returns the `q`th percentile in seconds. A client that was not back in time counts with the longest
    possible wait, `STORM_SECONDS`.
    """
    # a client that never came back waited longer than all others
    return lambda run: percentile([*run.waits, *[STORM_SECONDS] * run.missing], q)
