"""Conformance checks of users who have several tabs.

A conformance check tests whether a server still works as specified when it runs a learner's answer to an exercise. The
checks use closed tabs, tabs that are silent for some time, ten tabs of one user, and one tab more than a user may have.
"""

import asyncio

from good_server import events
from lab.clients.tab import Person, Tab
from lab.exercises.answer_errors import later
from lab.exercises.conformance_chat import chat
from lab.exercises.conformance_stage import ANA, PATIENCE_SECONDS, Finding, Stage

# the sockets that a user may have
MOST_TABS = 10
# a tab that only reads is silent, and a server may close an old tab a little later
SILENT_SECONDS, LATER_SECONDS = 2.5, 3.5


async def survive_a_closed_tab(stage: Stage) -> None:
    """Check that closing one tab does not affect the user's other tabs.

    The check closes the newest tab of a user, then the oldest tab. It sends a message to the user after each close, and
    another message after the user has closed all tabs and opened a new one.
    """
    tess = Person("tess", "vendor")
    sender = stage.of(ANA)[0]
    own = stage.of(ANA)[1:]
    opened = await stage.open(tess, tess, tess)
    # the newest, then the oldest
    for closed in (opened[2], opened[0]):
        await stage.close(closed)
        what = f"a message to tess after {stage.label(closed)} was closed"
        await chat(stage, sender, {"to": tess.user}, [*stage.of(tess), *own], what)
    await stage.close(opened[1])
    await stage.open(tess)
    await chat(stage, sender, {"to": tess.user}, [*stage.of(tess), *own], "a message to tess, who has come back")


async def reach_many_tabs(stage: Stage) -> None:
    """Check that a message reaches all ten tabs of a user."""
    mona = Person("mona", "provider")
    opened = [(await stage.open(mona))[0] for _ in range(MOST_TABS)]
    sender, *own = stage.of(ANA)
    await chat(stage, sender, {"to": mona.user}, [*opened, *own], f"a message to mona, who has {MOST_TABS} tabs open")
    for tab in opened:
        await stage.close(tab)


async def make_place_for_one_more(stage: Stage) -> None:
    """Check that a user may open one tab more than the limit.

    The limit is `MOST_TABS` open tabs per user. The server must send `session:evicted` to the tab that has been silent
    longest, and disconnect this tab. The client of this tab then does not reconnect. The user's other tabs stay open.
    """
    lena = Person("lena", "provider")
    opened = [(await stage.open(lena))[0] for _ in range(MOST_TABS)]
    await stage.open(lena)
    await _expect_evicted(stage, opened[0])
    await stage.close(opened[0])
    sender, *own = stage.of(ANA)
    what = f"a message to lena, who has opened {MOST_TABS + 1} tabs"
    await chat(stage, sender, {"to": lena.user}, [*stage.of(lena), *own], what)
    for tab in stage.of(lena):
        await stage.close(tab)


async def _expect_evicted(stage: Stage, tab: Tab) -> None:
    """Check that a tab receives `session:evicted`, and is then disconnected."""
    try:
        await tab.received(events.SESSION_EVICTED, timeout=PATIENCE_SECONDS)
        await tab.received("disconnect", timeout=PATIENCE_SECONDS)
    except TimeoutError:
        if tab.sid is None:
            told = f"without {events.SESSION_EVICTED}, so its client would come back"
            raise Finding(f"the server closed {stage.label(tab)} {told}") from None
        raise Finding(f"lena has {MOST_TABS + 1} tabs open, and the server has evicted none") from None


async def keep_old_tabs(stage: Stage) -> None:
    """Check that opening a tab does not close the user's older tab.

    The older tab has sent nothing for some time. Then a message to the user must reach both tabs.
    """
    # an answer that limits the tabs of one role alone begins with the admins
    zoe = Person("zoe", "admin")
    await stage.open(zoe)
    await asyncio.sleep(SILENT_SECONDS)
    await stage.open(zoe)
    await asyncio.sleep(LATER_SECONDS)
    sender, *own = stage.of(ANA)
    await chat(
        stage, sender, {"to": zoe.user}, [*stage.of(zoe), *own], "a message to zoe, who has an old tab and a new one"
    )
    for tab in stage.of(zoe):
        await stage.close(tab)
    if plan := later(stage.faults(), stage.source):
        raise Finding(f"your code does {plan}: a tab may stay open for days, so what does it wait for?")
