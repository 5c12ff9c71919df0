"""Tells what the checked code uses a collection for, such as timers."""

import re
from collections.abc import Iterator

from lab.check.actions import EMITS, ENDS
from lab.check.facts import Facts
from lab.check.ir import Call, Index, Member, Name, Node
from lab.check.names import names_in
from lab.check.places import Place, is_collection, place_of
from lab.check.scopes import class_of
from lab.check.tags import Tag

# collections of what one connection owns and ends with it, and of what counts for one connection
OF_CONNECTION = re.compile(
    # timers
    r"timer|timeout|interval|debounce|cool|pending(?!_?(player|user|guest|member))|watch|listener|abort|last(Seen|Ping|Msg|Message)"
    # limits and locks
    r"|limit|bucket|rate|throttl|lock|cache"
    # processes and files
    r"|stream|pty|term|shell|proc|upload"
    # addresses
    r"|(^|_|authori[sz]ed_?|blocked_?|client_?|remote_?)ips?$"
    # calls and media
    r"|peer|transport|producer|consumer|voice|call|rtc|media|video|audio",
    re.I,
)
# queues of jobs
QUEUES = re.compile(r"(queue|jobs|tasks|worker|celery|bull|agenda)$", re.I)
# methods that use a socket
USES = EMITS | {"join", "leave", "to"}


def _owners(facts: Facts, place: Node) -> Iterator[str]:
    """Yield names that can say what a collection is used for.

    They are the names in `place` (the expression for the collection), the names in the value of the variable at the
    start of `place`, and the name of the class that contains `place`.
    """
    yield from names_in(place)
    root = place
    while isinstance(root, Member | Index | Call):
        root = root.func if isinstance(root, Call) else root.obj
    if isinstance(root, Name) and (made := facts.follow(root)) is not root:
        yield from names_in(made)
    cls = class_of(place)
    if cls is not None:
        yield cls.name


def is_of_connection(facts: Facts, place: Node) -> bool:
    """Tell whether a collection holds things that each serve one connection.

    Examples are timers, streams and rate limits. This is judged by names, such as the name of the collection, or of the
    class that contains it.
    """
    return any(OF_CONNECTION.search(name) for name in _owners(facts, place))


def is_only_closed(facts: Facts, place: Node) -> bool:
    """Tell whether the checked code only closes the sockets of a collection.

    The program never emits to these sockets and never lets them join or leave a room. An example is a collection that
    the checked code uses only at shutdown.
    """
    called = facts.once(_called_on_kept).get(place_of(facts.project, place), set())
    return not called.isdisjoint(ENDS) and called.isdisjoint(USES)


def _called_on_kept(facts: Facts) -> dict[Place | None, set[str]]:
    """Return, for each collection, the methods that are called on its elements."""
    found: dict[Place | None, set[str]] = {}
    for _, call in facts.calls:
        if isinstance(call.func, Member) and Tag.KEPT in facts.values.of(call.func.obj):
            found.setdefault(place_of(facts.project, call.func.obj), set()).add(call.func.name)
    return found


def is_queue(facts: Facts, place: Node) -> bool:
    """Tell whether an object is a queue of jobs.

    A queue has a name like `jobQueue`. A list, set or map with such a name does not count: it can hold waiting players.
    """
    named = isinstance(place, Name | Member) and QUEUES.search(place.name) is not None
    return named and not is_collection(facts.project, place)
