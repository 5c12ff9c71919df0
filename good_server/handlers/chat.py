"""Chat: any role to any other, and to the topic rooms one is in."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from .. import events
from ..errors import Forbidden
from ..events import ChatMessage, ChatSend, Sender
from ..gateway import Request, Route
from ..rooms import topic_room, user_room
from ..idempotency import IdempotencyCache

Delivery = Callable[[Request, ChatSend], Awaitable[dict[str, Any]]]


def compose(request: Request, chat: ChatSend) -> ChatMessage:
    """The message as its readers get it: who it is from and when is the server's to say."""
    return ChatMessage(
        id=secrets.token_hex(16),
        sender=Sender(id=request.identity.user, role=request.identity.role),
        to=chat.to,
        room=chat.room,
        text=chat.text,
        at=request.at,
    )


async def deliver(request: Request, chat: ChatSend) -> dict[str, Any]:
    """To the user or the room, and to the sender's other tabs; each socket gets it once, the sending one never."""
    target = user_room(chat.to) if chat.to is not None else topic_room(chat.room or "")
    if chat.to is None and target not in request.rooms():
        raise Forbidden("only members write to a room")
    message = compose(request, chat)
    own_tabs = user_room(request.identity.user)
    await request.emit(events.CHAT_MESSAGE, message, to=(target, own_tabs), also_to_me=False)
    return {"id": message.id, "at": message.at}


def routes(recent: IdempotencyCache, delivery: Delivery = deliver) -> tuple[Route, ...]:
    """`recent` answers a message that is sent again with the ack of the first time; `delivery` carries it out."""

    async def send(request: Request, chat: ChatSend) -> dict[str, Any]:
        return await recent.once(request.identity.user, chat.id, lambda: delivery(request, chat))

    return (Route(events.CHAT_SEND, ChatSend, send, rate="chat"),)
