"""Conformance checks of topic rooms, drivers' positions and announcements.

A conformance check tests whether a server still works as specified when it runs a learner's answer to an exercise. A
topic room is a room that users may join and leave, such as `job:17`.
"""

import secrets
from collections.abc import Iterable
from typing import Any

from good_server import events
from lab.clients.tab import Person, Tab
from lab.exercises.conformance_acks import accepted_in_full
from lab.exercises.conformance_chat import ANA_AND_BEN_ROOM, chat
from lab.exercises.conformance_stage import ANA, BEN, CAROL, DAN, DORA, OLGA, PAT, ROOT, Finding, Stage

# rooms that carol must not join: ana's, one that nobody is in, parts of the name of her own, and rooms of other kinds
OTHER_ROOMS = (ANA_AND_BEN_ROOM, "job:99", "job:1", "user:ben", "role:admin", "company:acme")


async def let_members_join(stage: Stage) -> None:
    """Check that users may join the rooms that their tokens name.

    The check tries an empty room and a room with members. After joining the room with members, a user must receive the
    messages to it.
    """
    (carol,) = stage.of(CAROL)
    room = CAROL.rooms[0]
    await accepted_in_full(stage, carol, events.ROOM_JOIN, {"room": room})
    # nobody else is in this one
    eve = Person("eve", "provider", rooms=("job:5", ANA_AND_BEN_ROOM))
    (tab,) = await stage.open(eve)
    for own in eve.rooms:
        await stage.accepted(tab, events.ROOM_JOIN, {"room": own})
    sender, *others = stage.of(ANA)
    readers = [tab, *stage.of(BEN), *others]
    what = f"a message to {ANA_AND_BEN_ROOM}, which eve has joined"
    await chat(stage, sender, {"room": ANA_AND_BEN_ROOM}, readers, what)
    await stage.close(tab)


async def let_members_come_back(stage: Stage) -> None:
    """Check that a user may leave a room and join it again.

    After leaving, the user does not receive the messages to the room. After joining again, the user receives them.
    """
    gus = Person("gus", "provider", rooms=(ANA_AND_BEN_ROOM, "job:6"))
    (tab,) = await stage.open(gus)
    sender, *others = stage.of(ANA)
    rest = [*stage.of(BEN), *others]
    for _ in range(2):
        await stage.accepted(tab, events.ROOM_LEAVE, {"room": ANA_AND_BEN_ROOM})
        what = f"a message to {ANA_AND_BEN_ROOM}, which gus has left"
        await chat(stage, sender, {"room": ANA_AND_BEN_ROOM}, rest, what)
        await stage.accepted(tab, events.ROOM_JOIN, {"room": ANA_AND_BEN_ROOM})
        what = f"a message to {ANA_AND_BEN_ROOM}, which gus has joined again"
        await chat(stage, sender, {"room": ANA_AND_BEN_ROOM}, [tab, *rest], what)
    # nobody else is in this one
    await stage.accepted(tab, events.ROOM_LEAVE, {"room": "job:6"})
    await stage.accepted(tab, events.ROOM_JOIN, {"room": "job:6"})
    await stage.close(tab)


async def keep_others_out(stage: Stage) -> None:
    """Check that users cannot join rooms that their tokens do not name.

    The server refuses to let them join, whether the room has members or is empty. A refused request does not change who
    receives messages.
    """
    (carol,) = stage.of(CAROL)
    for room in OTHER_ROOMS:
        because = f"whose token names only {CAROL.rooms[0]}"
        await stage.refused(carol, events.ROOM_JOIN, {"room": room}, because)
    # no role may join more than its token names
    for person in (ROOT, OLGA, DORA, PAT):
        because = "whose token names no room"
        await stage.refused(stage.of(person)[0], events.ROOM_JOIN, {"room": ANA_AND_BEN_ROOM}, because)
    sender, *others = stage.of(ANA)
    # its name begins like that of ana's own room
    await stage.refused(
        sender, events.ROOM_JOIN, {"room": CAROL.rooms[0]}, f"whose token names only {ANA_AND_BEN_ROOM}"
    )
    what = f"a message to {ANA_AND_BEN_ROOM}, where carol was refused"
    await chat(stage, sender, {"room": ANA_AND_BEN_ROOM}, [*stage.of(BEN), *others], what)
    await chat(stage, sender, {"to": BEN.user}, [*stage.of(BEN), *others], "a message to ben, whose room refused carol")
    owen, otis = Person("owen", "vendor", rooms=("job:99",)), Person("otis", "vendor", rooms=("job:99",))
    first, second = await stage.open(owen, otis)
    await chat(stage, first, {"room": "job:99"}, [second], "owen's message to job:99, which carol had tried to join")
    await stage.close(first)
    await stage.close(second)


async def track(stage: Stage, tab: Tab, readers: Iterable[Tab], what: str) -> None:
    """Send a position from `tab`, and check who receives it.

    Raises `Finding` if the server refuses the position, if a tab of `readers` does not receive it, if another tab
    receives it, or if a received position differs from the sent one. `what` names the position in the text of
    the `Finding`.
    """
    # recognized by its position, which no other update has
    latitude = secrets.randbelow(80_000_000) / 1_000_000
    position = {"lat": latitude, "lng": 2.5, "speed": 7.0}
    await accepted_in_full(stage, tab, events.TRACKING_UPDATE, position)
    for received in await stage.expect(events.TRACKING_POSITION, {"lat": latitude}, readers, what, sender=tab):
        true = {**position, "driver": tab.user}
        if any(received.data.get(key) != value for key, value in true.items()):
            raise Finding(f"{what} arrived as {received.data}, but it was {true}")


async def follow_drivers(stage: Stage) -> None:
    """Check that a position reaches the driver's company and the admins.

    Nobody else receives it. A user who is not a driver cannot send a position.
    """
    followers = [*stage.of(OLGA), *stage.of(ROOT)]
    await track(stage, stage.of(DORA)[0], followers, "the position of dora, who drives for acme")
    # the last position counts, so it may not be left out
    await track(stage, stage.of(DORA)[0], followers, "the position of dora, sent right after her first one")
    await track(stage, stage.of(DAN)[0], followers, "the position of dan, who drives for acme")
    # a missing company is no company of the name that Python gives it
    freelancer, nina = await stage.open(Person("fay", "driver"), Person("nina", "company", "None"))
    await track(stage, freelancer, stage.of(ROOT), "the position of fay, who drives for no company")
    await stage.close(freelancer)
    await stage.close(nina)
    (pat,) = stage.of(PAT)
    because = "who is no driver"
    await stage.refused(pat, events.TRACKING_UPDATE, {"lat": 1.0, "lng": 2.0}, because)


async def announce(stage: Stage) -> None:
    """Check that an announcement reaches the users of the named roles.

    An announcement without roles reaches everyone. A user who is not an admin cannot send one.
    """
    (root,) = stage.of(ROOT)
    everyone = stage.open_tabs
    drivers = [tab for tab in everyone if tab.person.role == "driver"]
    named: tuple[tuple[dict[str, Any], list[Tab], str], ...] = (
        ({}, everyone, "an announcement to everyone"),
        ({"roles": ["driver"]}, drivers, "an announcement to drivers"),
    )
    for roles, readers, what in named:
        text = secrets.token_hex(4)
        await accepted_in_full(stage, root, events.SYSTEM_ANNOUNCE, {"text": text, "level": "info", **roles})
        await stage.expect(events.SYSTEM_ANNOUNCEMENT, {"text": text}, readers, what)
    (pat,) = stage.of(PAT)
    text = secrets.token_hex(4)
    await stage.refused(pat, events.SYSTEM_ANNOUNCE, {"text": text, "level": "info"}, "who is no admin")
    await stage.expect(events.SYSTEM_ANNOUNCEMENT, {"text": text}, [], "pat's announcement, which was refused")
