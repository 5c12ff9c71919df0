"""The ten mistakes with Socket.IO that the lab teaches.

For each mistake, the module has the name, the lesson and a link, and says whether a static checker can find the
mistake.
"""

from dataclasses import dataclass

DOCS = "https://socket.io/docs/v4"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One of the ten Socket.IO mistakes, with its lesson.

    `is_static` is True if a static checker can find the mistake.
    """

    number: str
    name: str
    lesson: str
    # a public page on the subject
    url: str
    # False if only a running server shows the mistake
    is_static: bool = True

    @property
    def measure(self) -> str:
        """The command that measures the mistake on the example servers."""
        return f"lab compare --only {self.number}"


MISTAKES = (
    Mistake("01", "stored socket ids", "01_stored_socket_ids", f"{DOCS}/server-socket-instance/#socketid"),
    Mistake("02", "emit to a socket id", "02_emit_by_socket_id", f"{DOCS}/rooms/"),
    Mistake("03", "room joined once", "03_join_room_once", f"{DOCS}/rooms/#joining-and-leaving"),
    Mistake("04", "membership in a database", "04_membership_in_database", f"{DOCS}/rooms/#implementation-details"),
    Mistake("05", "clean-up by hand", "05_manual_disconnect_cleanup", f"{DOCS}/rooms/#disconnection"),
    Mistake("06", "broadcast to everyone", "06_broadcast_to_everyone", f"{DOCS}/broadcasting-events/"),
    Mistake("07", "second tab blocked", "07_block_second_tab", f"{DOCS}/rooms/#sample-use-cases", is_static=False),
    Mistake("08", "client trusted", "08_trust_client_rooms", f"{DOCS}/middlewares/"),
    Mistake(
        "09",
        "heavy work in a handler",
        "09_heavy_work_in_handler",
        "https://nodejs.org/en/learn/asynchronous-work/dont-block-the-event-loop",
        is_static=False,
    ),
    Mistake("10", "no limits", "10_no_limits", f"{DOCS}/server-options/"),
)
_BY_NUMBER = {mistake.number: mistake for mistake in MISTAKES}


def lesson_of(number: str) -> str:
    """Return the name of a mistake's lesson, such as "01_stored_socket_ids".

    `number` is the number of the mistake, such as "01". The result is "" for an unknown number.
    """
    return _BY_NUMBER[number].lesson if number in _BY_NUMBER else ""


def url_of(number: str) -> str:
    """Return the address of a public page about a mistake.

    For an unknown `number`, the result is the first page of Socket.IO's documentation.
    """
    return _BY_NUMBER[number].url if number in _BY_NUMBER else f"{DOCS}/"
