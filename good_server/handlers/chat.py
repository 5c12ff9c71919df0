"""Handler of `chat:send`: messages to a user or to a topic room.

A topic room is a room that clients may join and leave, such as `job:17`.
"""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from .. import events
from ..errors import Forbidden
from ..events import ChatMessage, ChatSend, Sender, Sent
from ..gateway import Request, Route
from ..idempotency import IdempotencyCache
from ..rooms import topic_room, user_room

Delivery = Callable[[Request, ChatSend], Awaitable[dict[str, Any]]]


def compose(request: Request, chat: ChatSend) -> ChatMessage:
    """Return the chat message for the recipients.

    `chat` is what the sender's client sent. The server sets the id, the sender and the time of the message.
    """
    return ChatMessage(
        id=secrets.token_hex(16),
        sender=Sender(id=request.identity.user, role=request.identity.role),
        to=chat.to,
        room=chat.room,
        text=chat.text,
        at=request.at,
    )


async def deliver(request: Request, chat: ChatSend) -> dict[str, Any]:
    """Send a chat message to its target and the sender's other tabs.

    The target is all tabs of a user, or a topic room, such as `job:17`. Each socket receives the message only once,
    and the sending socket does not receive it. Return the `data` of the ack. Raises `Forbidden` if the target is a
    topic room that the sending socket is not in.
    """
    target = user_room(chat.to) if chat.to is not None else topic_room(chat.room or "")
    if chat.to is None and target not in request.rooms():
        raise Forbidden("only members write to a room")
    message = compose(request, chat)
    own_tabs = user_room(request.identity.user)
    await request.emit(events.CHAT_MESSAGE, message, to=(target, own_tabs), also_to_me=False)
    return {"id": message.id, "at": message.at}


def routes(recent: IdempotencyCache, delivery: Delivery = deliver) -> tuple[Route, ...]:
    """Return the route of `chat:send`: the event with its handler and checks.

    `recent` stores acks, so that a repeated message gets the same ack again. `delivery` is the function that sends a
    new message.
    """

    async def send(request: Request, chat: ChatSend) -> dict[str, Any]:
        return await recent.once(request.identity.user, chat.id, lambda: delivery(request, chat))

    return (Route(events.CHAT_SEND, ChatSend, send, answer=Sent, rate="chat"),)
