"""Failure drill of lesson 12: Redis stops and restarts while users chat."""

import asyncio
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from good_server import events
from lab.clients.chat_ring import people, poll_until, wait_until_delivered
from lab.clients.tab import Tab, assign_processes, tabs
from lab.figures.bars import COLOURS, INK, new_figure, set_title
from lab.servers.fleet import Fleet
from lab.servers.running import running

# four messages per second from each user, which is below the rate limit
PACE_SECONDS = 0.25
POLL_SECONDS = 0.1
# the response of `/readyz` when the server receives the messages of the other process
READY = "ready"
RECOVERY_SECONDS = 20.0
LOST = re.compile(r'^server_redis_lost_total\{reason="(away|full)"\} ([\d.]+)', re.MULTILINE)


@dataclass
class SentMessage:
    """One chat message of the drill in which Redis stops and restarts.

    `sent_at` is in seconds since the start of the drill. `is_near` is True when sender and recipient are connected to
    the same server process.
    """

    sent_at: float
    is_near: bool
    has_arrived: bool = False
    is_acked: bool = False


@dataclass(frozen=True)
class Outage:
    """Result of the failure drill, in which Redis stops and restarts.

    `sent` has every chat message. Times are in seconds since the start of the drill. Redis stopped at `stopped_at` and
    started again at `started_at`. `ready` has a pair for each change of the readiness check `/readyz` of the first
    server process: the time and the new response. `lost_counted` is how many emits a server process could not publish
    to the other process; some of these emits had no recipient in the other process.
    """

    sent: Sequence[SentMessage]
    stopped_at: float
    started_at: float
    lost_counted: float
    ready: Sequence[tuple[float, str]] = field(default_factory=tuple)

    def missing(self, *, is_near: bool) -> list[SentMessage]:
        """Returns the messages that their recipients did not receive.

        If `is_near` is True, only messages between users of the same server process count; otherwise only messages
        between users of two processes.
        """
        return [message for message in self.sent if message.is_near == is_near and not message.has_arrived]

    @property
    def recovered_at(self) -> float:
        """Time at which the last lost message was sent, in seconds.

        The time counts from the start of the failure drill. Only messages from one server process to the other count.
        If no such message was lost, the result is the time at which Redis stopped.
        """
        return max((message.sent_at for message in self.missing(is_near=False)), default=self.stopped_at)

    def arrived_percent(self, *, is_near: bool) -> tuple[list[float], list[float]]:
        """Returns the start of each time slot, and its percentage of arrivals.

        A slot is `PACE_SECONDS` long, and its start is in seconds since the start of the drill. The percentage says how
        many of the messages sent in this slot arrived. If `is_near` is True, only messages between users of the same
        server process count; otherwise only messages between users of two processes.
        """
        slots: dict[int, list[bool]] = {}
        for message in self.sent:
            if message.is_near == is_near:
                slots.setdefault(int(message.sent_at / PACE_SECONDS), []).append(message.has_arrived)
        xs = [slot * PACE_SECONDS for slot in sorted(slots)]
        return xs, [100 * sum(slots[slot]) / len(slots[slot]) for slot in sorted(slots)]


async def outage(
    *, users: int = 40, before_seconds: float = 1.0, away_seconds: float = 1.0, after_seconds: float = 1.0
) -> Outage:
    """Runs a failure drill, in which Redis stops and restarts.

    The server has two processes, and `users` users send chat messages. Half of the users write to a user on the same
    process, and half to a user on the other process. Redis stops after `before_seconds`, and starts again after
    `away_seconds`. When the server is ready again, the users continue to write for `after_seconds`. Only Redis is
    restarted; everything else must recover by itself.
    """
    async with running("good", workers=2) as fleet:
        assert isinstance(fleet, Fleet)
        async with tabs(fleet.target(0), people(users)) as ring:
            return await _drill(fleet, ring, before_seconds, away_seconds, after_seconds)


async def _drill(fleet: Fleet, ring: Sequence[Tab], before: float, away: float, after: float) -> Outage:
    clock = asyncio.get_running_loop().time
    began = clock()
    ready: list[tuple[float, str]] = []
    is_over = asyncio.Event()
    polling = asyncio.create_task(_poll_readiness(fleet, began, ready))
    writing = asyncio.create_task(_write(ring, began, is_over))
    await asyncio.sleep(before)
    stopped_at = clock() - began
    await fleet.redis.stop()
    await asyncio.sleep(away)
    started_at = clock() - began
    await fleet.redis.start()
    await fleet.wait_for_subscribers()
    await _wait_until_ready(ready)
    await asyncio.sleep(after)
    is_over.set()
    sent = await writing
    await wait_until_delivered(ring)
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)
    _mark_arrivals(ring, sent)
    metrics = [await process.probe.internal("/metrics") for process in fleet.processes]
    lost = sum(float(count) for text in metrics for _, count in LOST.findall(text))
    return Outage([message for message, _ in sent.values()], stopped_at, started_at, lost, ready)


async def _poll_readiness(fleet: Fleet, began: float, ready: list[tuple[float, str]]) -> None:
    """Polls `/readyz` of the first process, and appends changes to `ready`.

    `/readyz` is the readiness check of a server process. The function runs until it is cancelled. An entry of `ready`
    is the time in seconds since `began`, and the response.
    """
    while True:
        answer = (await fleet.processes[0].probe.internal("/readyz")).strip()
        if not ready or ready[-1][1] != answer:
            ready.append((asyncio.get_running_loop().time() - began, answer))
        await asyncio.sleep(POLL_SECONDS)


async def _wait_until_ready(ready: Sequence[tuple[float, str]]) -> None:
    """Waits until the readiness check of the server responds `ready`.

    Another task appends the time and the response of this check, `/readyz`, to `ready` whenever the response changes.
    The wait ends after `RECOVERY_SECONDS` in any case.
    """

    async def is_ready() -> bool:
        return bool(ready) and ready[-1][1] == READY

    await poll_until(is_ready, timeout=RECOVERY_SECONDS)


async def _write(ring: Sequence[Tab], began: float, is_over: asyncio.Event) -> dict[str, tuple[SentMessage, Tab]]:
    """Lets each user write to the next user in `ring`.

    `ring` has one simulated browser tab per user. The last user writes to the first one. Each user sends a chat message
    every `PACE_SECONDS` until `is_over` is set, but not all users at the same moment. `began` is the start of the
    failure drill, on the event loop's clock. Returns a dict from the text of each message to the message and its
    recipient.
    """
    sent: dict[str, tuple[SentMessage, Tab]] = {}
    processes = assign_processes([tab.person for tab in ring], 2)
    clock = asyncio.get_running_loop().time

    async def write(place: int) -> None:
        recipient = (place + 1) % len(ring)
        for number in itertools.count():
            due = began + (number + place / len(ring)) * PACE_SECONDS
            await asyncio.sleep(max(0.0, due - clock()))
            if is_over.is_set():
                return
            text = f"{place} {number}"
            message = SentMessage(clock() - began, is_near=processes[place] == processes[recipient])
            sent[text] = message, ring[recipient]
            ack = await ring[place].ask(events.CHAT_SEND, {"to": ring[recipient].user, "text": text})
            message.is_acked = bool(ack.get("ok"))

    await asyncio.gather(*(write(place) for place in range(len(ring))))
    return sent


def _mark_arrivals(ring: Sequence[Tab], sent: Mapping[str, tuple[SentMessage, Tab]]) -> None:
    """Sets `has_arrived` of each message that its recipient has received.

    `ring` has the tabs of all users. `sent` maps the text of each message to the message and its recipient.
    """
    for reader in ring:
        for received in reader.inbox.of(events.CHAT_MESSAGE):
            message, recipient = sent[received.data["text"]]
            message.has_arrived |= recipient is reader


def figure(outage: Outage) -> Figure:
    """Draws which percentage of messages arrived, by the time of sending.

    The time without Redis is shaded. The responses of the readiness check `/readyz` are written at the top.
    """
    drawing, axes = new_figure(height=2.6)
    axes.axvspan(outage.stopped_at, outage.started_at, color=INK, alpha=0.18, linewidth=0)
    lines = (("same process", True, COLOURS["good"], "o", "-"), ("other process", False, COLOURS["bad"], "s", "--"))
    for name, is_near, colour, marker, style in lines:
        xs, ys = outage.arrived_percent(is_near=is_near)
        axes.plot(xs, ys, color=colour, marker=marker, markersize=4, linestyle=style, linewidth=1.5, label=name)
    for at, answer in outage.ready:
        axes.annotate(answer, (at, 112), fontsize=8, color=INK, ha="left", annotation_clip=False)
        axes.plot([at, at], [0, 110], color=INK, linewidth=0.6, linestyle=":")
    axes.set_ylim(-4, 122)
    axes.set_yticks([0, 50, 100])
    axes.set_xlabel("sending time (seconds since the start)", color=INK, fontsize=9)
    axes.set_ylabel("arrived (%)", color=INK, fontsize=9)
    drawing.legend(loc="outside lower right", ncols=2, frameon=False, fontsize=8, labelcolor=INK)
    far, near = (len(outage.missing(is_near=is_near)) for is_near in (False, True))
    seconds = max(0.0, outage.recovered_at - outage.started_at)
    set_title(
        axes,
        f"While Redis is down, {far} messages to the other process are lost, and {near} to the same one; "
        f"the last one is lost {seconds:.1f} s after Redis is back",
    )
    return drawing
