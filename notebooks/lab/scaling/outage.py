"""Answers for a failure drill: people write at a steady pace, and Redis is killed and started again meanwhile."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from good_server import events
from lab.clients.chat_ring import people, wait_until_delivered
from lab.clients.tab import Tab, assign_processes, tabs
from lab.figures.bars import COLOURS, INK, new_figure, set_title
from lab.servers.fleet import Fleet
from lab.servers.running import running

# four messages a second from each: within what a user may write
PACE_SECONDS = 0.25
LOOK_SECONDS = 0.1
LOST = re.compile(r'^server_redis_lost_total\{reason="(away|full)"\} ([\d.]+)', re.MULTILINE)


@dataclass
class SentMessage:
    """One message: when it was sent (seconds since the start), how far it had to go, and whether it came."""

    at: float
    is_near: bool
    has_come: bool = False
    is_acked: bool = False


@dataclass(frozen=True)
class Outage:
    """What became of every message; times in seconds since the start. `ready` is what `/readyz` of a process said.

    `lost_counted` is what the servers counted: emits that the other process did not hear, had it somebody or not.
    """

    sent: Sequence[SentMessage]
    stopped_at: float
    started_at: float
    lost_counted: float
    ready: Sequence[tuple[float, str]] = field(default_factory=tuple)

    def missing(self, *, is_near: bool) -> list[SentMessage]:
        """Those that did not come."""
        return [one for one in self.sent if one.is_near == is_near and not one.has_come]

    @property
    def recovered_at(self) -> float:
        """From when on all that was sent came again."""
        return max((one.at for one in self.missing(is_near=False)), default=self.stopped_at)

    def arrived(self, *, is_near: bool) -> tuple[list[float], list[float]]:
        """Times and the percentage of what was sent within the pace after them that came."""
        slots: dict[int, list[bool]] = {}
        for one in self.sent:
            if one.is_near == is_near:
                slots.setdefault(int(one.at / PACE_SECONDS), []).append(one.has_come)
        xs = [slot * PACE_SECONDS for slot in sorted(slots)]
        return xs, [100 * sum(slots[slot]) / len(slots[slot]) for slot in sorted(slots)]


async def outage(
    *, users: int = 40, before_seconds: float = 1.5, away_seconds: float = 1.5, after_seconds: float = 2.0
) -> Outage:
    """Half of the neighbours are on the same process, half are not. Nobody helps: Redis goes, and comes back."""
    async with running("good", workers=2) as fleet:
        assert isinstance(fleet, Fleet)
        async with tabs(fleet.target(0), people(users)) as ring:
            return await _drill(fleet, ring, before_seconds, away_seconds, after_seconds)


async def _drill(fleet: Fleet, ring: Sequence[Tab], before: float, away: float, after: float) -> Outage:
    clock = asyncio.get_running_loop().time
    began = clock()
    ready: list[tuple[float, str]] = []
    looking = asyncio.create_task(_look(fleet, began, ready))
    writing = asyncio.create_task(_write(ring, began, before + away + after))
    await asyncio.sleep(before)
    stopped_at = clock() - began
    await fleet.redis.stop()
    await asyncio.sleep(away)
    started_at = clock() - began
    await fleet.redis.start()
    sent = await writing
    await fleet.wait_for_subscribers()
    await wait_until_delivered(ring)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    _find(ring, sent)
    told = [await process.probe.internal("/metrics") for process in fleet.processes]
    lost = sum(float(count) for text in told for _, count in LOST.findall(text))
    return Outage([one for one, _ in sent.values()], stopped_at, started_at, lost, ready)


async def _look(fleet: Fleet, began: float, ready: list[tuple[float, str]]) -> None:
    """What the first process says of itself, whenever it says something else."""
    while True:
        word = (await fleet.processes[0].probe.internal("/readyz")).strip()
        if not ready or ready[-1][1] != word:
            ready.append((asyncio.get_running_loop().time() - began, word))
        await asyncio.sleep(LOOK_SECONDS)


async def _write(ring: Sequence[Tab], began: float, seconds: float) -> dict[str, tuple[SentMessage, Tab]]:
    """Each writes to the next at the pace, spread over it; returns the messages by their text, with their readers."""
    sent: dict[str, tuple[SentMessage, Tab]] = {}
    where = assign_processes([tab.person for tab in ring], 2)
    clock = asyncio.get_running_loop().time

    async def write(place: int) -> None:
        reader = (place + 1) % len(ring)
        for number in range(int(seconds / PACE_SECONDS)):
            due = began + (number + place / len(ring)) * PACE_SECONDS
            await asyncio.sleep(max(0.0, due - clock()))
            text = f"{place} {number}"
            one = SentMessage(clock() - began, is_near=where[place] == where[reader])
            sent[text] = one, ring[reader]
            ack = await ring[place].ask(events.CHAT_SEND, {"to": ring[reader].user, "text": text})
            one.is_acked = bool(ack.get("ok"))

    await asyncio.gather(*(write(place) for place in range(len(ring))))
    return sent


def _find(ring: Sequence[Tab], sent: Mapping[str, tuple[SentMessage, Tab]]) -> None:
    """Marks what has come to whom it was written."""
    for reader in ring:
        for received in reader.inbox.of(events.CHAT_MESSAGE):
            one, to = sent[received.data["text"]]
            one.has_come |= to is reader


def figure(outage: Outage) -> Figure:
    """What arrived, by when it was sent, near and far; the time without Redis shaded, and what `/readyz` said."""
    drawn, axes = new_figure(height=2.6)
    axes.axvspan(outage.stopped_at, outage.started_at, color=INK, alpha=0.18, linewidth=0)
    looks = (("same process", True, COLOURS["good"], "o", "-"), ("other process", False, COLOURS["bad"], "s", "--"))
    for name, is_near, colour, marker, style in looks:
        xs, ys = outage.arrived(is_near=is_near)
        axes.plot(xs, ys, color=colour, marker=marker, markersize=4, linestyle=style, linewidth=1.5, label=name)
    for at, word in outage.ready:
        axes.annotate(word, (at, 112), fontsize=8, color=INK, ha="left", annotation_clip=False)
        axes.plot([at, at], [0, 110], color=INK, linewidth=0.6, linestyle=":")
    axes.set_ylim(-4, 122)
    axes.set_yticks([0, 50, 100])
    axes.set_xlabel("seconds since the start, by when it was sent", color=INK, fontsize=9)
    axes.set_ylabel("arrived (%)", color=INK, fontsize=9)
    drawn.legend(loc="outside lower right", ncols=2, frameon=False, fontsize=8, labelcolor=INK)
    far, near = (len(outage.missing(is_near=is_near)) for is_near in (False, True))
    seconds = max(0.0, outage.recovered_at - outage.started_at)
    set_title(
        axes,
        f"While Redis is away {far} messages to the other process are lost and {near} to the same one; "
        f"the last is lost {seconds:.1f} s after Redis is back",
    )
    return drawn
