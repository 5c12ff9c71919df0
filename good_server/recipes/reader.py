"""Client-side reader of a conversation: each message once, in order.

The reader needs no network and no database. So a client can use a copy of it, or a translation to another language.
"""

from collections.abc import Iterable, Mapping
from typing import Any


class Reader:
    """One conversation, as a client has received it.

    The event `history:message` brings new messages. The ack of `history:after` brings the messages after number `last`.
    Pass the messages of both to `take`. Send `history:after` after every connect, and when `take` returns True.
    """

    def __init__(self) -> None:
        self.messages: list[Mapping[str, Any]] = []

    @property
    def last(self) -> int:
        """The number of the newest stored message. All messages before it are stored too."""
        return len(self.messages)

    def take(self, messages: Iterable[Mapping[str, Any]]) -> bool:
        """Add messages to the conversation. Return whether messages are missing.

        `messages` may have any order. The client then asks for the missing messages with `history:after`. Known
        messages are dropped. Messages after a gap are dropped too, because the answer contains them again.
        """
        is_behind = False
        for message in messages:
            if message["seq"] == self.last + 1:
                self.messages.append(message)
            elif message["seq"] > self.last:
                is_behind = True
        return is_behind
