"""Estimates the load of two system designs, from stated assumptions.

The designs are those of the job interview notebook: a chat, and the live tracking of drivers.

Nothing here is measured, except the CPU time of a delivery, which the notebook passes to `Hardware`.
"""

from dataclasses import dataclass

from lab.results.wording import number

SECONDS_OF_A_DAY, DAYS_OF_A_YEAR = 86_400, 365
MICRO, KILO, MEGA, GIGA, TERA = 1e-6, 1e3, 1e6, 1e9, 1e12
# an estimate: its name, its value with a unit, and how it is computed
Row = tuple[str, str, str]


@dataclass(frozen=True)
class Hardware:
    """Assumptions about one server process, for the estimates.

    `cpu_microseconds` is the CPU time of one delivery (one message to one socket). A process holds up to
    `sockets_per_process` sockets. It uses at most the fraction `most_busy` of one CPU core. The number of processes is
    multiplied by `spare`, as a reserve for lost machines and for times when many clients reconnect at once.
    """

    cpu_microseconds: float
    sockets_per_process: int = 20_000
    most_busy: float = 0.5
    spare: float = 1.5

    def processes(self, sockets: float, deliveries_per_second: float) -> tuple[float, str]:
        """Return how many processes are needed, and the scarcer resource.

        The resource is `sockets` or `CPU`: the one that needs more processes.
        """
        by_sockets = sockets / self.sockets_per_process
        by_cpu = deliveries_per_second * self.cpu_microseconds * MICRO / self.most_busy
        decides = "sockets" if by_sockets >= by_cpu else "CPU"
        return max(by_sockets, by_cpu) * self.spare, decides


@dataclass(frozen=True)
class ChatLoad:
    """Assumptions about the load of the chat, for the estimates.

    `online` is the share of the users who are online. `recipients` is the number of recipients of one message, online
    or not. `busiest_hour` is the load of the busiest hour, divided by the average load.
    """

    users: float
    online: float
    sockets_per_user: float
    messages_per_user_and_day: float
    recipients: float
    busiest_hour: float
    bytes_per_message: float

    @property
    def sockets(self) -> float:
        """The number of sockets that are open at the same time."""
        return self.users * self.online * self.sockets_per_user

    @property
    def messages_per_second(self) -> float:
        """The number of messages per second in the busiest hour."""
        return self.users * self.messages_per_user_and_day / SECONDS_OF_A_DAY * self.busiest_hour

    @property
    def deliveries_per_second(self) -> float:
        """Deliveries per second to all users together, in the busiest hour.

        A delivery is one message to one socket.
        """
        return self.messages_per_second * (self.recipients * self.online + 1) * self.sockets_per_user

    def rows(self, hardware: Hardware) -> list[Row]:
        """Return one row per estimate: name, value, and formula in words."""
        stored = self.users * self.messages_per_user_and_day * DAYS_OF_A_YEAR * self.bytes_per_message / TERA
        processes, decides = hardware.processes(self.sockets, self.deliveries_per_second)
        return [
            ("sockets at the same time", rounded(self.sockets), "users × online × sockets of each"),
            ("messages per second, busiest hour", rounded(self.messages_per_second), "users × messages a day × peak"),
            (
                "deliveries per second",
                rounded(self.deliveries_per_second),
                "messages × (recipients online + sender) × sockets",
            ),
            ("new data in a year", f"{rounded(stored)} TB", "messages × bytes, before replicas"),
            ("server processes", rounded(processes), f"decided by {decides}, with spare"),
        ]


@dataclass(frozen=True)
class LargeGroup:
    """Assumptions about one message to a very large group.

    `online` is the share of the members who are online. `looking` is the share of the members who have the group open
    on their screens.
    """

    members: float
    online: float
    looking: float
    sockets_per_user: float

    def rows(self, hardware: Hardware) -> list[Row]:
        """Return what one message costs, as rows of name, value and remark.

        The rows compare two cases: the message goes to all members who are online, or only to the members who have the
        group open on their screens.
        """
        rows = []
        for who, part in (("everyone online", self.online), ("members who have it open", self.looking)):
            deliveries = self.members * part * self.sockets_per_user
            milliseconds = deliveries * hardware.cpu_microseconds * MICRO * KILO
            rows.append((f"deliveries to {who}", rounded(deliveries), f"{rounded(milliseconds)} ms of one core"))
        rows.append(("rows if stored for each member", rounded(self.members), "instead of one row"))
        return rows


@dataclass(frozen=True)
class FleetLoad:
    """Assumptions about the load of live tracking, for the estimates.

    Drivers send their positions. Companies see their own drivers on `screens_per_company` screens each. There are
    `operators` operators, and each sees `drivers_in_view` drivers of any company. With coalescing, the server sends
    each operator `updates_per_second` messages per second. Each message has the newest positions of many drivers.
    """

    drivers: float
    seconds_between_positions: float
    companies: float
    screens_per_company: float
    operators: float
    drivers_in_view: float
    updates_per_second: float
    bytes_per_position: float

    @property
    def positions_per_second(self) -> float:
        """Positions per second that arrive from all drivers together."""
        return self.drivers / self.seconds_between_positions

    @property
    def company_deliveries(self) -> float:
        """Deliveries per second if each position goes to its driver's company.

        A delivery is one position to one screen. Every screen of the company gets the position.
        """
        return self.positions_per_second * self.screens_per_company

    @property
    def operator_deliveries(self) -> float:
        """Deliveries per second if each operator receives every driver's position.

        A delivery is one position to one operator. Operators see drivers of all companies on a map.
        """
        return self.positions_per_second * self.operators

    @property
    def operator_updates(self) -> float:
        """Messages per second to all operators together, with coalescing.

        With coalescing, one message has the newest positions of all drivers in the part of the map that the operator
        sees.
        """
        return self.operators * self.updates_per_second

    def rows(self, hardware: Hardware) -> list[Row]:
        """Return one row per estimate: name, value, and formula in words."""
        sockets = self.drivers + self.companies * self.screens_per_company + self.operators
        processes, decides = hardware.processes(sockets, self.company_deliveries + self.operator_updates)
        a_day = self.positions_per_second * SECONDS_OF_A_DAY * self.bytes_per_position / GIGA
        memory = self.drivers * self.bytes_per_position / MEGA
        in_view = min(self.drivers_in_view, self.drivers) / self.seconds_between_positions
        return [
            ("positions per second", rounded(self.positions_per_second), "drivers / seconds between positions"),
            (
                "deliveries per second to companies",
                rounded(self.company_deliveries),
                "positions × screens of a company",
            ),
            ("to operators, if each receives everything", rounded(self.operator_deliveries), "positions × operators"),
            ("to operators, with cells, coalesced", rounded(self.operator_updates), "operators × updates per second"),
            (
                "positions in one such update",
                rounded(in_view / self.updates_per_second),
                "newest of drivers in view",
            ),
            ("last positions, in memory", f"{rounded(memory)} MB", "drivers × bytes"),
            ("track of one day", f"{rounded(a_day)} GB", "positions × bytes"),
            ("server processes", rounded(processes), f"decided by {decides}, with spare"),
        ]


def rounded(value: float) -> str:
    """Return an estimate as text, rounded to two significant digits.

    The assumptions are not exact enough for more digits.
    """
    return number(float(f"{value:.2g}"))
