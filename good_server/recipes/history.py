"""History: stored conversations, whose messages a client can fetch after an absence.

A message is stored before it is sent. Each message has a number in its conversation. The numbers have no gaps, even if
several processes store messages at the same time. A client can receive a message twice: as an event, and in the answer
to `history:after`, with which the client fetches messages. A client that drops messages with known numbers, and fetches
messages with missing numbers, has the complete conversation in order.
"""

from typing import Any

import orjson
from sqlalchemy import Row, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..events import Sender
from ..gateway import Request, Route
from ..roles import Role
from . import events
from .conversations import Conversation, conversation_of
from .database import Database, conversations, messages
from .events import Entry, HistoryAfter, HistoryMessage, HistorySend, Page, Stored

# far below a client's send queue: a page and what is live fit together
PAGE_BYTES = 128 * 1024


def routes(database: Database) -> tuple[Route, ...]:
    """Return the routes of `history:send` and `history:after`.

    A route is an event with its handler. `history:send` stores a message and sends it. `history:after` returns the
    stored messages after a number.
    """
    history = History(database)

    async def send(request: Request, sent: HistorySend) -> dict[str, Any]:
        conversation = conversation_of(request, sent)
        entry = await history.store(conversation, request, sent)
        message = HistoryMessage(**dict(entry))
        # a repeated message is sent again: the process that stored it may have died before it sent it
        # lab: ignore[RM083] `conversation_of` has checked that the sender belongs to it
        await request.emit(events.HISTORY_MESSAGE, message, to=conversation.rooms)
        return {"seq": entry.seq, "at": entry.at}

    async def after(request: Request, asked: HistoryAfter) -> dict[str, Any]:
        entries, more = await history.after(conversation_of(request, asked), asked.after, asked.limit)
        return {"messages": [_on_the_wire(entry) for entry in entries], "more": more}

    return (
        Route(events.HISTORY_SEND, HistorySend, send, answer=Stored, rate="chat", sends=(HistoryMessage,)),
        Route(events.HISTORY_AFTER, HistoryAfter, after, answer=Page),
    )


class History:
    """Stores the messages of conversations in the database, and reads them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def store(self, conversation: Conversation, request: Request, sent: HistorySend) -> Entry:
        """Store a message once, and return it with its number.

        If a message with the same conversation, sender and id is stored already, the stored message is returned. Raises
        `Busy` if the database does not answer.
        """
        user, role = request.identity.user, request.identity.role
        row: dict[str, Any] = {"conversation": conversation.key, "sender": user, "role": str(role), "id": sent.id}
        try:
            async with self._database.transaction() as connection:
                seq = await self._next(connection, conversation)
                row |= {"seq": seq, "text": sent.text, "at": request.at}
                await connection.execute(messages.insert().values(row))
        except IntegrityError:
            return await self._known(conversation, user, sent.id)
        return Entry(
            seq=seq, sender=Sender(id=user, role=role), text=sent.text, at=row["at"], **conversation.target_of(user)
        )

    async def _next(self, connection: AsyncConnection, conversation: Conversation) -> int:
        """Return the next message number, and lock the conversation.

        The lock ends with the transaction. Other writers wait for the lock, so numbers are committed in order. After a
        rollback the number is used again.
        """
        first, second = conversation.users or (None, None)
        row = {"key": conversation.key, "first": first, "second": second, "last_seq": 1}
        statement = self._database.insert(conversations).values(row)
        counted = statement.on_conflict_do_update(
            index_elements=[conversations.c.key], set_={"last_seq": conversations.c.last_seq + 1}
        )
        return int((await connection.execute(counted.returning(conversations.c.last_seq))).scalar_one())

    async def _known(self, conversation: Conversation, sender: str, id: str) -> Entry:
        of_message = (
            messages.c.conversation == conversation.key,
            messages.c.sender == sender,
            messages.c.id == id,
        )
        async with self._database.transaction() as connection:
            return _entry(conversation, (await connection.execute(select(messages).where(*of_message))).one())

    async def after(self, conversation: Conversation, seq: int, limit: int) -> tuple[list[Entry], bool]:
        """Return the messages after number `seq`, and whether there are more.

        At most `limit` messages and about `PAGE_BYTES` of text are returned. If a later message exists, at least one
        message is returned.
        """
        later = select(messages).where(messages.c.conversation == conversation.key, messages.c.seq > seq)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(later.order_by(messages.c.seq).limit(limit + 1))).all()
        entries: list[Entry] = []
        size = 0
        for row in rows[:limit]:
            size += len(orjson.dumps(row.text))
            if entries and size > PAGE_BYTES:
                break
            entries.append(_entry(conversation, row))
        return entries, len(entries) < len(rows)


def _entry(conversation: Conversation, row: Row[Any]) -> Entry:
    sender = Sender(id=row.sender, role=Role(row.role))
    return Entry(seq=row.seq, sender=sender, text=row.text, at=row.at, **conversation.target_of(row.sender))


def _on_the_wire(entry: Entry) -> dict[str, Any]:
    return entry.model_dump(mode="json", by_alias=True, exclude_none=True)
