"""The users, rooms and actions of `lab live`'s page, per mistake.

The live page is a web page that does the same actions on the bad and the good server. It shows one of the bad server's
ten mistakes at a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.clients.tab import LAB_DELAYS, STOCK_DELAYS, Person, ReconnectDelays
from lab.live import report_ways
from lab.results.claims import Claim, load_claims
from lab.system.exit_codes import UsageError

SETTINGS = {
    # every client has the same address
    "SERVER_SOCKETS_PER_ADDRESS": "2000",
    "SERVER_CONNECTS_PER_SECOND_PER_ADDRESS": "2000",
    # longer than in the scenarios: a browser draws on the same machine, and its load must not cut anybody
    "SERVER_PING_TIMEOUT_SECONDS": "3",
}
# a busy computer must not cut connections by itself while somebody plays
STEADY = {"SERVER_PING_TIMEOUT_SECONDS": "3"}
COMMON_ACTIONS = ("send", "cut", "tunnel", "back", "open", "close", "kill", "restart")


@dataclass(frozen=True)
class Arrangement:
    """What `lab live`'s page shows for one mistake of the bad server.

    `tabs` says how many simulated browser tabs each user has at the start. With `logs_in`, each tab sends the event
    `session:login` once, after it was opened. With `has_bystanders`, additional clients send chat messages on a
    schedule, to measure ack times. `targets` are the users and rooms to which a tab may send; the first is the default.
    """

    number: int
    people: tuple[Person, ...]
    tabs: Mapping[str, int]
    targets: tuple[str, ...]
    more_actions: tuple[str, ...] = ()
    logs_in: bool = False
    has_bystanders: bool = False
    # the bad server, or an app as `module:function` in its place
    bad_app: str = "bad"
    delays: ReconnectDelays = LAB_DELAYS
    settings: Mapping[str, str] = field(default_factory=lambda: dict(STEADY))

    @property
    def claim(self) -> Claim:
        """Return the claim about the mistake that the page shows.

        A claim is a statement about the bad and the good server.
        """
        return next(claim for claim in load_claims() if claim.id == self.id)

    @property
    def id(self) -> str:
        """The mistake that the page shows, as two digits: "01" to "10"."""
        return f"{self.number:02}"

    @property
    def server_settings(self) -> dict[str, str]:
        """Return the settings of the bad and the good server.

        The keys are names of environment variables.
        """
        return {**SETTINGS, **self.settings}

    @property
    def actions(self) -> tuple[str, ...]:
        """Return the names of all actions that `lab live`'s page offers."""
        common = COMMON_ACTIONS if self.targets else tuple(name for name in COMMON_ACTIONS if name != "send")
        return common + self.more_actions


def _three(*, rooms: tuple[str, ...] = ()) -> tuple[Person, ...]:
    return tuple(Person(user, rooms=rooms) for user in ("ana", "ben", "eva"))


ONE_TAB_EACH = {"ana": 1, "ben": 1, "eva": 1}
BEN_HAS_TWO = {"ana": 1, "ben": 2, "eva": 1}
TO_PEOPLE = ("user:ben", "user:ana", "user:eva")

# a client or a deadline that gives up during a stall of the event loop would hide the stall; 200 clients need time too
PATIENT = {"SERVER_PING_TIMEOUT_SECONDS": "10", "SERVER_HANDLER_SECONDS": "30"}
# its drivers are one person, and one in ten clients of the crowd
FLEET_COMPANY = "acme"
# every role, so that no role's room is empty
FLEET = (
    Person("dan", "driver", FLEET_COMPANY),
    Person("cora", "company", FLEET_COMPANY),
    Person("zoe", "company", "zeta"),
    Person("ada", "admin"),
    Person("vic", "vendor"),
    Person("pia", "provider"),
)
FLOODED = (Person("mallory"), Person("ana"), Person("ben"), Person("eva"))
ONE_TAB_OF_FLEET = dict.fromkeys((person.user for person in FLEET), 1)
ONE_TAB_OF_FLOODED = dict.fromkeys(("mallory", "ana", "ben", "eva"), 1)
ATTACKED = (Person("mallory"), Person("ana"), Person("ben"), Person("eva"), Person("ada", "admin"))

ARRANGEMENTS = {
    arrangement.number: arrangement
    for arrangement in (
        Arrangement(1, _three(), ONE_TAB_EACH, TO_PEOPLE),
        Arrangement(2, _three(), ONE_TAB_EACH, (), ("report", "finish")),
        Arrangement(3, _three(), ONE_TAB_EACH, TO_PEOPLE, logs_in=True),
        Arrangement(4, _three(rooms=("job:17",)), BEN_HAS_TWO, ("room:job:17", *TO_PEOPLE)),
        Arrangement(5, _three(), BEN_HAS_TWO, TO_PEOPLE),
        Arrangement(6, FLEET, ONE_TAB_OF_FLEET, (), ("drive", "round", "crowd"), settings=PATIENT),
        Arrangement(7, _three(), ONE_TAB_EACH, TO_PEOPLE, ("pace",), delays=STOCK_DELAYS),
        Arrangement(8, ATTACKED, dict.fromkeys((person.user for person in ATTACKED), 1), TO_PEOPLE, ("join", "forge")),
        Arrangement(
            9,
            _three(),
            ONE_TAB_EACH,
            TO_PEOPLE,
            ("compute", "way"),
            has_bystanders=True,
            bad_app=report_ways.APP,
            # on a busy machine a second of computing takes many seconds
            settings={**PATIENT, "SERVER_PING_TIMEOUT_SECONDS": "20"},
        ),
        Arrangement(10, FLOODED, ONE_TAB_OF_FLOODED, TO_PEOPLE, ("flood", "burst", "rooms")),
    )
}


def arrangement(text: str | int | None) -> Arrangement:
    """Return what `lab live`'s page shows for one mistake.

    `text` is the number of the bad server's mistake, such as `03`; None means mistake 03. Raises `UsageError` when
    there is no live page for this mistake.
    """
    number = 3 if text is None else int(text) if str(text).isdecimal() else 0
    if number not in ARRANGEMENTS:
        existing = ", ".join(f"{number:02}" for number in sorted(ARRANGEMENTS))
        raise UsageError(f"there is no live page for {text!r}; there are {existing}")
    return ARRANGEMENTS[number]
