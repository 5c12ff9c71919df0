"""Checks of `chat:send` in a learner's solution: who writes, who receives.

The checks find out who may write a chat message, and which sockets receive it.
"""

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from good_server import events
from good_server.roles import Identity, Role
from good_server.rooms import rooms_at_connect
from lab.clients.tab import Person, Tab
from lab.exercises.conformance_acks import accepted_in_full
from lab.exercises.conformance_stage import ANA, BEN, CAROL, ROOT, Finding, Stage
from lab.servers.probe import FENCE

ANA_AND_BEN_ROOM = "job:17"


async def chat(stage: Stage, tab: Tab, target: Mapping[str, str], readers: Iterable[Tab], what: str) -> None:
    """Send a message from `tab`, and check who receives it.

    A tab is a simulated browser tab. `target` is the part of the payload that names a user (`to`) or a room (`room`).
    Raises `Finding` (a failed check) if the server refuses the message, if a tab of `readers` does not receive it, or
    if another tab receives it. Also raises `Finding` if a received message has a wrong sender, id or target. `what`
    names the message in the text of the `Finding`.
    """
    text = secrets.token_hex(4)
    ack = await accepted_in_full(stage, tab, events.CHAT_SEND, {**target, "text": text})
    for received in await stage.expect(events.CHAT_MESSAGE, {"text": text}, readers, what, sender=tab):
        _expect_true_sender(received.data, tab, what)
        if received.data.get("id") != ack.get("id") or not received.data.get("id"):
            raise Finding(f"the ack and the recipients got different ids of {what}")
        if any(received.data.get(key) != value for key, value in target.items()):
            raise Finding(f"{what} arrived without its target: {target}")


def _expect_true_sender(data: Mapping[str, Any], tab: Tab, what: str) -> None:
    true = {"id": tab.user, "role": tab.person.role}
    if data.get("from") != true:
        raise Finding(f"{what} arrived from {data.get('from')}, but the token says {true}")


async def reach_a_user(stage: Stage) -> None:
    """Check that a message to a user reaches the right tabs.

    All simulated browser tabs of the recipient and the other tabs of the sender must receive the message. No other tab
    may receive it.
    """
    first, *others = stage.of(ANA)
    await chat(stage, first, {"to": BEN.user}, [*stage.of(BEN), *others], "the message from ana to ben")
    second = stage.of(BEN)[1]
    readers = [*stage.of(ANA), stage.of(BEN)[0]]
    await chat(stage, second, {"to": ANA.user}, readers, "the answer from ben to ana")
    # with two processes, carol's only tab is not on the process of ana's first one, and root's not on that of carol's
    (carol,) = stage.of(CAROL)
    await chat(stage, first, {"to": CAROL.user}, [carol, *others], "the message from ana to carol")
    await chat(stage, carol, {"to": ROOT.user}, stage.of(ROOT), "the message from carol to root")


async def reach_the_own_tabs(stage: Stage) -> None:
    """Check that a user's other tabs receive what the user sends.

    From one simulated browser tab, the user sends a message to somebody who has no tab open, and a message to
    the user's own id.
    """
    first, *others = stage.of(ANA)
    await chat(stage, first, {"to": "nobody-home"}, others, "ana's message to a user who has no tab open")
    await chat(stage, first, {"to": ANA.user}, others, "ana's note to herself")


async def fill_the_rooms(stage: Stage) -> None:
    """Check that a connected socket is in exactly the right rooms.

    These are the rooms that `rooms_at_connect` returns for the user of the socket.
    """
    rooms = {tab: set(_rooms_of(tab.person)) for tab in stage.open_tabs}
    for room in sorted(set().union(*rooms.values())):
        mark = await stage.mark(room)
        for tab, own in rooms.items():
            is_in = mark in (received.data["mark"] for received in tab.inbox.of(FENCE))
            if is_in and room not in own:
                raise Finding(f"{stage.label(tab)} is in {room}, which is no room of this user")
            if not is_in and room in own:
                raise Finding(f"{stage.label(tab)} is connected, but not in {room}, a room that is joined at connect")


def _rooms_of(person: Person) -> tuple[str, ...]:
    return rooms_at_connect(Identity(person.user, Role(person.role), 0.0, person.company, person.rooms))


async def reach_a_room(stage: Stage) -> None:
    """Check that a message to a room reaches exactly its members' tabs.

    The tab that sends the message does not receive it.
    """
    first, *others = stage.of(ANA)
    readers = [*others, *stage.of(BEN)]
    await chat(stage, first, {"room": ANA_AND_BEN_ROOM}, readers, f"ana's message to {ANA_AND_BEN_ROOM}")
    (carol,) = stage.of(CAROL)
    await chat(stage, carol, {"room": CAROL.rooms[0]}, [], f"carol's message to {CAROL.rooms[0]}")


async def keep_strangers_out(stage: Stage) -> None:
    """Check that a user outside a room cannot write to it.

    The check also tries an empty room, the room of another user and the room of another role.
    """
    (carol,) = stage.of(CAROL)
    because = f"who is only in {CAROL.rooms[0]}"
    for room in (ANA_AND_BEN_ROOM, "job:99", "user:ben", "role:admin"):
        text = secrets.token_hex(4)
        await stage.refused(carol, events.CHAT_SEND, {"room": room, "text": text}, because)
        what = f"carol's message to {room}, which was refused"
        await stage.expect(events.CHAT_MESSAGE, {"text": text}, [], what, sender=carol)


async def keep_members_in(stage: Stage) -> None:
    """Check that a user stays in a room after closing one tab.

    The other tab of the user is still in the room: it receives the messages to the room, and may write to it.
    """
    rita = Person("rita", "driver", "acme", rooms=(ANA_AND_BEN_ROOM,))
    opened = await stage.open(rita, rita)
    await stage.close(opened[1])
    room = {"room": ANA_AND_BEN_ROOM}
    first, *others = stage.of(ANA)
    members = [*others, *stage.of(BEN), opened[0]]
    await chat(stage, first, room, members, f"a message to {ANA_AND_BEN_ROOM} after rita closed one of two tabs")
    what = f"a message to {ANA_AND_BEN_ROOM} from rita, who closed one of two tabs"
    await chat(stage, opened[0], room, [first, *others, *stage.of(BEN)], what)
    await stage.close(opened[0])


async def ask_no_table(stage: Stage) -> None:
    """Check that a message causes no SQL statement.

    The server needs no table of members, because Socket.IO already knows who is in a room.
    """
    (carol,) = stage.of(CAROL)
    await stage.target.probe.reset()
    await chat(stage, carol, {"to": ROOT.user}, stage.of(ROOT), "a message from carol to root")
    await chat(stage, carol, {"room": CAROL.rooms[0]}, [], f"carol's message to {CAROL.rooms[0]}")
    if statements := (await stage.target.probe.counts()).sql_statements:
        raise Finding(f"2 messages took {statements} SQL statements, although Socket.IO knows who is in a room")


async def ask_each_tab(stage: Stage) -> None:
    """Check that a room contains only the tabs that joined it.

    One user has two tabs, and only the token of one tab names the room. The other tab must not receive the messages to
    the room, and the server must refuse the messages that this tab sends to the room.
    """
    room = {"room": ANA_AND_BEN_ROOM}
    inside, outside = await stage.open(Person("uma", "vendor", rooms=(ANA_AND_BEN_ROOM,)), Person("uma", "vendor"))
    writer, *others = stage.of(BEN)
    what = f"a message to {ANA_AND_BEN_ROOM}, which the token of uma's second tab does not name"
    await chat(stage, writer, room, [*others, *stage.of(ANA), inside], what)
    because = f"whose token does not name {ANA_AND_BEN_ROOM}"
    await stage.refused(outside, events.CHAT_SEND, {**room, "text": "let me in"}, because)
    for tab in (inside, outside):
        await stage.close(tab)


async def trust_the_token(stage: Stage) -> None:
    """Check that recipients see the sender that the token names.

    If a payload names another sender, the server must refuse the request or ignore that name. A message id that was
    sent under a forged name must not block a message with the same id from the real user.
    """
    first, *others = stage.of(ANA)
    named = ((ROOT, ROOT.role), (ANA, "admin"), (BEN, ANA.role), (CAROL, CAROL.role))
    forged = [{"id": person.user, "role": role} for person, role in named]
    # a name that nobody is connected under is not free either
    forged.append({"id": "nobody-home", "role": "admin"})
    own_id = secrets.token_hex(4)
    for sender in forged:
        text = secrets.token_hex(4)
        payload = {"to": BEN.user, "text": text, "from": sender, "id": own_id if sender["id"] == CAROL.user else text}
        ack = await stage.ask(first, events.CHAT_SEND, payload)
        readers = [*stage.of(BEN), *others] if ack.get("ok") is True else []
        what = f"a message that ana sent as {sender}"
        # the tabs of a forged sender are looked at, too: a message also goes to its sender's tabs
        for received in await stage.expect(events.CHAT_MESSAGE, {"text": text}, readers, what, sender=first):
            _expect_true_sender(received.data, first, what)
    text = secrets.token_hex(4)
    payload = {"room": ANA_AND_BEN_ROOM, "text": text, "from": forged[0]}
    ack = await stage.ask(first, events.CHAT_SEND, payload)
    readers = [*stage.of(BEN), *others] if ack.get("ok") is True else []
    what = f"a message to {ANA_AND_BEN_ROOM} that ana sent as {forged[0]}"
    for received in await stage.expect(events.CHAT_MESSAGE, {"text": text}, readers, what, sender=first):
        _expect_true_sender(received.data, first, what)
    (carol,) = stage.of(CAROL)
    text = secrets.token_hex(4)
    await stage.accepted(carol, events.CHAT_SEND, {"to": ROOT.user, "text": text, "id": own_id})
    what = "a message from carol with an id that ana had used under carol's name"
    await stage.expect(events.CHAT_MESSAGE, {"text": text}, stage.of(ROOT), what, sender=carol)
