"""Client-side reader of a conversation: keeps each message once, in order.

The reader needs no network and no database. So a client can use a copy of it, or a translation into another programming
language.
"""

from collections.abc import Iterable, Mapping
from typing import Any


class Reader:
    """The messages of one conversation that a client has received, in order.

    Messages are numbered from 1. The event `history:message` brings new messages. The ack of `history:after` brings the
    messages after the number `last`. Pass the messages of the event and of the ack to `take`. Send `history:after`
    after every connect, and when `take` returns True.
    """

    def __init__(self) -> None:
        self.messages: list[Mapping[str, Any]] = []

    @property
    def last(self) -> int:
        """The number of the newest message in `messages`, or 0. All messages before it are there too."""
        return len(self.messages)

    def take(self, messages: Iterable[Mapping[str, Any]]) -> bool:
        """Add messages to the conversation. Return whether messages are missing.

        If messages are missing, the client asks for them with `history:after`. `messages` may have any order. Known
        messages are dropped. Messages after a gap are dropped too, because the answer to `history:after` contains them
        again.
        """
        is_behind = False
        for message in messages:
            if message["seq"] == self.last + 1:
                self.messages.append(message)
            elif message["seq"] > self.last:
                is_behind = True
        return is_behind
