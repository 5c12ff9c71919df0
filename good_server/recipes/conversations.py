"""Conversations with their rooms, and the names of presence rooms.

The sockets in the presence room of a user are told when the user goes online or offline.
"""

from dataclasses import dataclass

from ..errors import Forbidden
from ..gateway import Request
from ..rooms import topic_room, user_room
from .events import InConversation

# no user id and no room's name contains it
_BETWEEN = ","
_PRESENCE = "presence:"


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation between two users, or in a topic room.

    A topic room, such as `job:17`, is a room that clients may join. `key` names the conversation in the database.
    `rooms` are the rooms that receive the messages of the conversation. `users` are the two users; it is empty if the
    conversation is in a topic room.
    """

    key: str
    rooms: tuple[str, ...]
    users: tuple[str, ...] = ()

    def target_of(self, sender: str) -> dict[str, str]:
        """Return the fields that name the target of a message from `sender`.

        They are `{"to": user}` (the other user of the conversation), or `{"room": name}` (the conversation's topic
        room, such as `job:17`).
        """
        if not self.users:
            return {"room": self.key}
        return {"to": self.users[1] if sender == self.users[0] else self.users[0]}


def conversation_of(request: Request, target: InConversation) -> Conversation:
    """Return the conversation that the payload `target` names.

    If `target` names a user, the conversation is between that user and the user who sent `request`. If `target` names a
    topic room, such as `job:17`, the conversation is in this room. Raises `Forbidden` if the socket of `request` is not
    in the topic room.
    """
    if target.to is not None:
        return between(request.identity.user, target.to)
    room = topic_room(target.room or "")
    if room not in request.rooms():
        raise Forbidden("only members use a room's conversation")
    return Conversation(room, (room,))


def between(one: str, other: str) -> Conversation:
    """Return the conversation of two users. `one` and `other` can be the same user, for notes to oneself."""
    first, second = sorted((one, other))
    rooms = tuple(dict.fromkeys((user_room(first), user_room(second))))
    return Conversation(f"{first}{_BETWEEN}{second}", rooms, (first, second))


def presence_room(user: str) -> str:
    """Return the name of a user's presence room. Sockets in it are told when the user goes online or offline."""
    return _PRESENCE + user


def is_presence_room(room: str) -> bool:
    """Return whether `room` is the presence room of a user.

    A client joins it only with the event `presence:watch`, to be told when the user goes online or offline.
    """
    return room.startswith(_PRESENCE)
