"""Read receipts and unread counts of stored conversations."""

from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from ..gateway import Request, Route
from ..rooms import is_topic_room, user_room
from . import events
from .conversations import Conversation, conversation_of
from .database import Database, conversations, messages, reads
from .events import HistoryRead, HistorySeen, HistoryUnread, ReadUpTo, UnreadCounts

# the conversations of one answer, those with the most unread messages first
MOST_CONVERSATIONS = 200


def routes(database: Database) -> tuple[Route, ...]:
    """Return the routes of `history:read` and `history:unread`.

    A route is an event with its handler. `history:read` stores how far the user has read. `history:unread` returns how
    many messages the user has not read, for each conversation.
    """
    receipts = Receipts(database)

    async def read(request: Request, wanted: HistoryRead) -> dict[str, Any]:
        conversation, user = conversation_of(request, wanted), request.identity.user
        seq, has_moved = await receipts.read(conversation, user, wanted.seq)
        if has_moved:
            seen = HistorySeen(user=user, seq=seq, **conversation.target_of(user))
            # the reader's other tabs too: their badges follow
            rooms = tuple(dict.fromkeys((*conversation.rooms, user_room(user))))
            await request.emit(events.HISTORY_SEEN, seen, to=rooms)
        return {"seq": seq}

    async def unread(request: Request, _: HistoryUnread) -> dict[str, Any]:
        rooms = [room for room in request.rooms() if is_topic_room(room)]
        return {"conversations": await receipts.unread(request.identity.user, rooms)}

    return (
        Route(events.HISTORY_READ, HistoryRead, read, answer=ReadUpTo, sends=(HistorySeen,)),
        Route(events.HISTORY_UNREAD, HistoryUnread, unread, answer=UnreadCounts),
    )


class Receipts:
    """Stores how far each user has read each conversation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, conversation: Conversation, user: str, seq: int) -> tuple[int, bool]:
        """Store that `user` has read the messages up to number `seq`.

        Return the stored number, and whether it has changed. The stored number is at most the number of the last
        message, and never decreases.
        """
        last = select(conversations.c.last_seq).where(conversations.c.key == conversation.key)
        async with self._database.transaction() as connection:
            end = (await connection.execute(last)).scalar_one_or_none() or 0
        bounded = min(seq, int(end))
        if bounded == 0:
            return 0, False
        mark = self._database.insert(reads).values(conversation=conversation.key, reader=user, seq=bounded)
        moved = mark.on_conflict_do_update(
            index_elements=[reads.c.conversation, reads.c.reader],
            set_={"seq": mark.excluded.seq},
            where=reads.c.seq < mark.excluded.seq,
        ).returning(reads.c.seq)
        async with self._database.transaction() as connection:
            if (await connection.execute(moved)).scalar_one_or_none() is not None:
                return bounded, True
            known = select(reads.c.seq).where(reads.c.conversation == conversation.key, reads.c.reader == user)
            return int((await connection.execute(known)).scalar_one()), False

    async def unread(self, user: str, rooms: list[str]) -> list[dict[str, Any]]:
        """Return a user's conversations, each with its number of unread messages.

        The user's own messages are not counted. The conversations are those with another user or with oneself, and
        those of the topic rooms in `rooms`, such as `job:17`. At most `MOST_CONVERSATIONS` are returned, those with the
        most unread messages first. Each dict has `to` (the other user) or `room`, `unread` (the count), `read` (the
        number of the last message read) and `last` (the newest number).
        """
        read = func.coalesce(reads.c.seq, 0)
        count = func.count(messages.c.seq)
        found = (
            select(conversations, read.label("read"), count.label("unread"))
            .select_from(conversations)
            .outerjoin(reads, and_(reads.c.conversation == conversations.c.key, reads.c.reader == user))
            .outerjoin(messages, _later_of_others(user, read))
            .where(or_(conversations.c.first == user, conversations.c.second == user, conversations.c.key.in_(rooms)))
            .group_by(*conversations.c, reads.c.seq)
            .order_by(count.desc(), conversations.c.key)
            .limit(MOST_CONVERSATIONS)
        )
        async with self._database.transaction() as connection:
            return [
                _target(row.key, row.first, row.second, user)
                | {"unread": row.unread, "read": row.read, "last": row.last_seq}
                for row in await connection.execute(found)
            ]


def _later_of_others(user: str, read: ColumnElement[int]) -> ColumnElement[bool]:
    return and_(messages.c.conversation == conversations.c.key, messages.c.seq > read, messages.c.sender != user)


def _target(key: str, first: str | None, second: str | None, user: str) -> dict[str, str]:
    if first is None or second is None:
        return {"room": key}
    return {"to": second if user == first else first}
