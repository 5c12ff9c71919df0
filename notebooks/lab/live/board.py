"""The values that `lab live`'s page shows about one server."""

from collections.abc import Mapping
from typing import Any

from lab.live.stream import Stream

# a name that is gone, such as a table of a server that is down
GONE: dict[str, Any] = {}


class Board:
    """Stores the values that the page shows about one server.

    Some values are in the memory of the server, such as its rooms. The lab has counted or measured the other values.
    Each change is sent to the page as one event of the kind `memory`.
    """

    def __init__(self, side: str, stream: Stream) -> None:
        self.kept = 0
        self._side = side
        self._stream = stream
        self._remembered: dict[str, Any] = {}
        self._shown: dict[str, Any] = {}

    @property
    def named(self) -> dict[str, Any]:
        """Return all values that the page shows, by name."""
        return self._remembered | self._shown

    def remember(self, named: Mapping[str, Any], *, kept: int) -> None:
        """Replace the values that were read from the server's memory.

        These are values such as its rooms. The changes are sent to the page. `named` has the new values by name. `kept`
        is the number of entries in the server's memory whose socket or user has gone.
        """
        self.kept = kept
        before, self._remembered = self._remembered, dict(named)
        for name in before.keys() - named.keys():
            self._publish(name, GONE)
        for name, value in named.items():
            if name not in before or before[name] != value:
                self._publish(name, value)

    def show(self, name: str, value: Any) -> None:
        """Set a value that the lab has measured. The page gets this value."""
        if name not in self._shown or self._shown[name] != value:
            self._shown[name] = value
            self._publish(name, value)

    def _publish(self, name: str, value: Any) -> None:
        self._stream.publish(self._side, "memory", room=name, more={"value": value, "kept": self.kept})
