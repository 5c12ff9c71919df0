"""Wrong answers, at least one per check of the conformance suite.

Each is accepted by the measure of its own lesson, or breaks something that no lesson measures.
"""

from typing import NamedTuple

from bad_server.app import MISTAKES


class WrongAnswer(NamedTuple):
    """A wrong answer, the check that refuses it, and its phrase.

    The phrase is part of what the check says. `body` is the body of the class `Handlers`.
    """

    check: str
    number: int
    phrase: str
    body: str

    @property
    def source(self) -> str:
        """The text of the answer."""
        return f"{IMPORTS}\nclass Handlers({MISTAKES[self.number - 1].__name__}.Handlers):\n{self.body}"


IMPORTS = """
import asyncio, sqlite3, sys, time, uuid
from dataclasses import replace
import bad_server.app
from bad_server import *
from good_server import events
from good_server.errors import Busy, Forbidden, RateLimited
from good_server.events import TrackingPosition, SystemAnnouncement
from good_server.gateway import Gateway, Route
from good_server.handlers import chat, rooms, system, tracking
from good_server.roles import Role
from good_server.rooms import base_rooms, everyone, followers_of, role_room, topic_room, user_room
from good_server.services.cpu import burn
from good_server.services.reports import compose
"""
GATEWAY_JOINED = """
    async def joined(self, request):
        await Gateway.joined(self, request)
"""


def delivering(*lines: str) -> str:
    """Return a class body that delivers a message as `lines` say."""
    text = "\n        ".join(("message = chat.compose(request, sent)", *lines))
    return f"""{GATEWAY_JOINED}
    async def deliver(self, request, sent):
        {text}
        return {{"id": message.id, "at": message.at}}
"""


def emit(to: str, also_to_me: bool = False) -> str:
    """Return a line that emits the message to the rooms `to`."""
    return f"await request.emit(events.CHAT_MESSAGE, message, to={to}, also_to_me={also_to_me})"


TO_BOTH = "(user_room(sent.to) if sent.to else sent.room, user_room(request.identity.user))"
REPORTING = """
    async def make_report(self, request, wanted):
        job, room = uuid.uuid4().hex, user_room(request.identity.user)
        seconds = wanted.size / 1000 if wanted.kind == "cpu" else 0.0
        {work}
        await self.send(events.REPORT_READY, compose(job, wanted.kind, seconds), to=(room,))
        return {{"job": job}}
"""
LIMITED = """
    def __init__(self, namespace, parts):
        Gateway.__init__(self, namespace, parts.guards)
        self.seen, self.by_socket = 0, {{}}
        most = {most}
        self.chosen = (*chat.routes(parts.recent), *rooms.routes({entitled}, rooms_per_socket=most))

    def routes(self):
        return self.chosen
    read, check_rate = Gateway.read, Gateway.check_rate
"""
LIMITS = LIMITED.format(most="parts.settings.rooms_per_socket", entitled="parts.entitlements")
OPEN = "bad_server.app.mistake_10_forgets_limits.PublicJobs()"

WITHOUT_RATES = """
    joined = Gateway.joined

    def routes(self):
        return tuple(replace(route, rate=None) for route in Gateway.routes(self))
"""
REPORT_IN_TASK = """
    async def make_report(self, request, wanted):
        job, room = uuid.uuid4().hex, user_room(request.identity.user)
        self.tasks, self.latest = getattr(self, "tasks", set()), job
        self.two = getattr(self, "two", None) or asyncio.Semaphore(2)
        {first}
        task = asyncio.create_task(self.work(job, room, wanted))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return {{"job": job}}

    async def work(self, job, room, wanted):
        seconds = wanted.size / 1000 if wanted.kind == "cpu" else 0.0
        {work}
        await self.send(events.REPORT_READY, compose(job, wanted.kind, seconds), to=(room,))
"""
WAIT_A_WHILE = "await asyncio.sleep(wanted.size / 1000)"
START_A_PROCESS = """process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(1)")
        await process.wait()"""

# answers about many reports
WRONG_REPORTS = (
    WrongAnswer(
        "an ack before the work",
        9,
        "when the report was ready: until then the server handled none of her other events",
        REPORTING.format(work=WAIT_A_WHILE),
    ),
    WrongAnswer(
        "an ack before the work",
        9,
        "when the report was ready: until then the server handled none of her other events",
        REPORT_IN_TASK.format(
            first="if wanted.kind == 'cpu': await asyncio.to_thread(burn, wanted.size)", work="seconds = seconds or 0.0"
        ),
    ),
    WrongAnswer(
        "reports that wait",
        9,
        "and was refused: busy",
        REPORT_IN_TASK.format(first="if len(self.tasks) > 10: raise Busy()", work=WAIT_A_WHILE),
    ),
    WrongAnswer(
        "reports that wait",
        9,
        "a waiting report must not occupy a worker",
        REPORT_IN_TASK.format(first="", work="async with self.two: await asyncio.sleep(wanted.size / 1000)"),
    ),
    WrongAnswer(
        "reports that wait",
        9,
        "rick asked for 64 reports at once, and after 15 s had received",
        REPORT_IN_TASK.format(first="", work=f"{WAIT_A_WHILE}\n        if job != self.latest: return"),
    ),
    WrongAnswer(
        "few processes",
        9,
        "processes, and nothing limits how many",
        REPORT_IN_TASK.format(first="", work=START_A_PROCESS),
    ),
    WrongAnswer(
        "outside work",
        9,
        "a report of the kind 'outside' was ready as one of the kind 'cpu'",
        REPORT_IN_TASK.format(
            first="", work=f"{WAIT_A_WHILE}\n        wanted, seconds = wanted.model_copy(update={{'kind': 'cpu'}}), 0.4"
        ),
    ),
    WrongAnswer(
        "the loop stays free",
        9,
        "of CPU time was ready, but only",
        REPORT_IN_TASK.format(first="made_before = {400}", work="await asyncio.sleep(0)"),
    ),
)

WRONG = (
    WrongAnswer(
        "rooms at connect",
        3,
        "is connected, but not in company:acme, a room that is joined at connect",
        "    async def joined(self, request):\n        await request.join(user_room(request.identity.user))",
    ),
    WrongAnswer(
        "a message to a user",
        1,
        "carol, who is in no room of this, received the message from ana to ben",
        delivering(emit("everyone()")),
    ),
    WrongAnswer(
        "a message to a user",
        1,
        "ana's second tab did not receive the message from ana to ben",
        delivering(emit("(user_room(sent.to),)")),
    ),
    WrongAnswer(
        "a message to a user",
        1,
        "received the message from ana to ben, which it had sent itself",
        delivering(emit(TO_BOTH, also_to_me=True)),
    ),
    WrongAnswer(
        "a message to a user",
        1,
        "received the message from ana to ben 2 times",
        delivering(emit(TO_BOTH), emit(TO_BOTH)),
    ),
    WrongAnswer(
        "a message to a user",
        1,
        "the ack of chat:send has no valid `at`, but is",
        GATEWAY_JOINED
        + """
    async def deliver(self, request, sent):
        return {"id": (await chat.deliver(request, sent))["id"]}
""",
    ),
    WrongAnswer(
        "a message to a user",
        1,
        "which is not the time in milliseconds since 1970",
        GATEWAY_JOINED
        + """
    async def deliver(self, request, sent):
        return {**await chat.deliver(request, sent), "at": int(1000 * time.monotonic())}
""",
    ),
    WrongAnswer(
        "a message to a user",
        1,
        "got different ids of the message",
        delivering(emit(TO_BOTH), "message = chat.compose(request, sent)"),
    ),
    WrongAnswer(
        "the sender's own tabs",
        5,
        "ana's second tab did not receive ana's message to a user who has no tab open",
        "    async def left(self, request): pass",
    ),
    WrongAnswer(
        "a message to a room",
        6,
        "did not receive ana's message to job:17",
        delivering("if sent.to:", f"    {emit(TO_BOTH)}"),
    ),
    WrongAnswer(
        "strangers and rooms",
        4,
        "carol, who is only in job:170, sent chat:send",
        "    async def left(self, request): pass" + delivering(emit(TO_BOTH)),
    ),
    WrongAnswer(
        "the true sender",
        8,
        "but the token says {'id': 'ana', 'role': 'vendor'}",
        """
    async def send_chat(self, request, sent):
        if sent.sender and sent.sender.id == request.identity.user:
            request = replace(request, identity=replace(request.identity, role=sent.sender.role))
        return await chat.deliver(request, sent)
""",
    ),
    WrongAnswer("a closed tab", 5, "did not receive a message to tess after tess's third tab was closed", "    pass"),
    WrongAnswer(
        "a member's closed tab", 4, "rita's first tab did not receive a message to job:17 after rita closed", "    pass"
    ),
    WrongAnswer(
        "rooms at connect",
        3,
        "ana's first tab is in role:admin, which is no room of this user",
        f"{GATEWAY_JOINED}        for role in Role:\n            await request.join(role_room(role))",
    ),
    WrongAnswer(
        "no query",
        1,
        "2 messages took 2 SQL statements",
        """
    def __init__(self, namespace, parts):
        super().__init__(namespace, parts)
        self.database = sqlite3.connect("")

    async def joined(self, request):
        await Gateway.joined(self, request)

    async def deliver(self, request, sent):
        self.database.execute("SELECT 1")
        return await chat.deliver(request, sent)
""",
    ),
    WrongAnswer(
        "a tab without the room",
        4,
        "uma's second tab, which was not to receive it, received a message to job:17",
        """
    async def joined(self, request):
        await Gateway.joined(self, request)
        self.members = getattr(self, "members", [])
        self.members += [(room, request.identity.user) for room in request.identity.topic_rooms]

    async def deliver(self, request, sent):
        if sent.to:
            return await chat.deliver(request, sent)
        members = {user for room, user in self.members if room == sent.room}
        if request.identity.user not in members:
            raise Forbidden()
        message = chat.compose(request, sent)
        to = [user_room(user) for user in members]
        await request.emit(events.CHAT_MESSAGE, message, to=to, also_to_me=False)
        return {"id": message.id, "at": message.at}
""",
    ),
    WrongAnswer(
        "places that are free again",
        10,
        "rene left and joined a room 20 times, and room:join was refused: forbidden",
        LIMITS
        + """
    def routes(self):
        join = self.chosen[-2]
        async def count(request, change):
            self.by_socket[request.sid] = self.by_socket.get(request.sid, 0) + 1
            if self.by_socket[request.sid] > 16:
                raise Forbidden()
            return await join.handler(request, change)
        return (self.chosen[0], replace(join, handler=count), self.chosen[-1])
""",
    ),
    WrongAnswer(
        "ten tabs",
        7,
        "the server closed mona's fourth tab, which its user had open",
        """
    async def joined(self, request):
        await Gateway.joined(self, request)
        for sid in self.sids_in(user_room(request.identity.user))[3:]:
            if sid != request.sid:
                self.close(sid)
""",
    ),
    WrongAnswer(
        "an old tab",
        7,
        "the server closed",
        """
    async def joined(self, request):
        await Gateway.joined(self, request)
        for sid in self.sids_in(user_room(request.identity.user)):
            if sid != request.sid:
                asyncio.get_running_loop().call_later(3, self.close, sid)
""",
    ),
    WrongAnswer(
        "joining an own room",
        8,
        "was refused: forbidden",
        "    async def join(self, request, change):\n        raise Forbidden()",
    ),
    WrongAnswer(
        "leaving and joining again",
        10,
        "received a message to job:17, which gus has left",
        LIMITS
        + """
    def routes(self):
        async def stay(request, change):
            return {"room": change.room}
        return (*self.chosen[:-1], replace(self.chosen[-1], handler=stay))
""",
    ),
    WrongAnswer(
        "joining another's room",
        8,
        "carol, whose token names only job:170, sent room:join {'room': 'job:99'}, and it was accepted",
        """
    async def join(self, request, change):
        room = topic_room(change.room)
        if room not in request.identity.topic_rooms and self.sids_in(room):
            raise Forbidden()
        await request.join(room)
        return {"room": room}
""",
    ),
    WrongAnswer(
        "joining another's room",
        8,
        "sent room:join {'room': 'job:17'}, and it was accepted",
        """
    async def join(self, request, change):
        if change.room not in str(request.identity.topic_rooms):
            raise Forbidden()
        await request.join(change.room)
        return {"room": change.room}
""",
    ),
    WrongAnswer(
        "positions",
        6,
        "otto, who is in no room of this, received the position of dora",
        """
    async def update(self, request, position):
        message = TrackingPosition(driver=request.identity.user, at=request.at, **position.model_dump())
        to = (role_room(Role.COMPANY), role_room(Role.ADMIN))
        await request.emit(events.TRACKING_POSITION, message, to=to)
        return {"at": message.at}
""",
    ),
    WrongAnswer(
        "announcements",
        6,
        "did not receive an announcement to everyone",
        """
    def __init__(self, namespace, parts):
        super().__init__(namespace, parts)
        async def announce(request, notice):
            return await system.announce(request, notice.model_copy(update={"roles": notice.roles or [Role.ADMIN]}))
        self.mine = tuple(
            replace(route, handler=announce) if route.event == events.SYSTEM_ANNOUNCE else route
            for route in Gateway.routes(self)
        )
    def routes(self):
        return self.mine
""",
    ),
    WrongAnswer(
        "reports reach their user",
        2,
        "which is in no room of this, received the report",
        """
    async def request_report(self, request, wanted):
        to = request.address(role_room(request.identity.role))
        return {"job": await self.reports.request(wanted.kind, wanted.size, to)}
""",
    ),
    WrongAnswer("outside work", 9, "but its report came after", REPORTING.format(work="await asyncio.sleep(0)")),
    WrongAnswer(
        "work that is done",
        9,
        "s were spent on it",
        REPORTING.format(work="await asyncio.sleep(wanted.size / 1000)"),
    ),
    WrongAnswer(
        "work that is done",
        9,
        "in the server's own process",
        REPORTING.format(work="seconds = await asyncio.to_thread(burn, wanted.size)"),
    ),
    WrongAnswer(
        "the loop stays free",
        9,
        "another user's ack took",
        REPORTING.format(work="seconds = burn(wanted.size)"),
    ),
    WrongAnswer(
        "nothing comes late",
        1,
        "olga's first tab, which is in no room of this, received",
        delivering(
            emit(TO_BOTH),
            "async def later():",
            "    await asyncio.sleep(0.1)",
            "    await self.send(events.CHAT_MESSAGE, message, to=(role_room(Role.COMPANY),))",
            "self.task = asyncio.create_task(later())",
        ),
    ),
    WrongAnswer(
        "no exception",
        5,
        "The server logged KeyError: 'tess' in disconnect",
        "    async def deliver(self, request, sent):\n        return await chat.deliver(request, sent)",
    ),
    WrongAnswer(
        "malformed requests",
        10,
        "a malformed request was accepted: chat:send",
        LIMITS
        + """
    def read(self, route, arguments):
        return route.payload.model_construct(**arguments[0])
""",
    ),
    WrongAnswer(
        "limited rooms",
        10,
        "rudi asked for 100 rooms, and one tab is now in 100 of them",
        LIMITED.format(most="sys.maxsize", entitled=OPEN),
    ),
    WrongAnswer(
        "limited joins",
        10,
        "joss joined and left a room 300 times at once, and no room:join was refused",
        LIMITS
        + """
    async def check_rate(self, identity, route):
        if route is None or route.rate is not None:
            await Gateway.check_rate(self, identity, route)
""",
    ),
    WrongAnswer(
        "a limit by user",
        10,
        "all 30 messages of the user's second were accepted",
        LIMITS
        + """
    async def check_rate(self, identity, route):
        await Gateway.check_rate(self, replace(identity, user=str(id(identity))), route)
""",
    ),
    WrongAnswer(
        "a flood",
        10,
        "and hana was refused: rate_limited",
        LIMITS
        + """
    async def check_rate(self, identity, route):
        await Gateway.check_rate(self, replace(identity, user="everybody"), route)
""",
    ),
    WrongAnswer(
        "a flood",
        10,
        "after a flood mallory is still refused",
        LIMITS
        + """
    async def check_rate(self, identity, route):
        self.by_socket[identity.user] = self.by_socket.get(identity.user, 0) + 1
        if self.by_socket[identity.user] > 100:
            raise RateLimited(retry_after=1)
""",
    ),
    WrongAnswer("a flood", 10, "400 messages at once, and all were accepted", "    pass"),
    WrongAnswer(
        "a flood",
        10,
        "400 messages at once, and none was refused: the server lets them wait",
        LIMITS
        + """
    async def check_rate(self, identity, route):
        while wait_seconds := await self.guards.rates.wait_seconds(identity.user, "chat"):
            await asyncio.sleep(wait_seconds)
""",
    ),
    WrongAnswer(
        "nothing is kept",
        1,
        "but the server still holds",
        GATEWAY_JOINED
        + """
        self.socket_ids[request.identity.user].append(request.sid)
""",
    ),
    WrongAnswer(
        "a repeated message",
        8,
        "received a message that ana sent three times with one id 3 times",
        """
    async def send_chat(self, request, sent):
        return await chat.deliver(request, sent)
""",
    ),
    WrongAnswer(
        "a repeated message",
        1,
        "ana repeated a message with the same id, and got another ack than the first time",
        GATEWAY_JOINED
        + """
    def routes(self):
        seen = set()
        async def send(request, sent):
            key = (request.identity.user, sent.id or uuid.uuid4().hex)
            if key in seen:
                return {"id": uuid.uuid4().hex, "at": request.at}
            seen.add(key)
            return await chat.deliver(request, sent)
        return tuple(replace(route, handler=send) for route in Gateway.routes(self))
""",
    ),
    WrongAnswer(
        "the true sender",
        8,
        "root, who is in no room of this, received a message to job:17 that ana sent as {'id': 'root', ",
        """
    async def send_chat(self, request, sent):
        if sent.room is not None and sent.sender is not None:
            request = replace(request, identity=replace(request.identity, user=sent.sender.id, role=sent.sender.role))
        return await self.recent.once(request.identity.user, sent.id, lambda: chat.deliver(request, sent))
""",
    ),
    WrongAnswer(
        "one tab more",
        7,
        "lena could not connect",
        """
    async def joined(self, request):
        if len(self.sids_in(user_room(request.identity.user))) >= 10:
            raise Forbidden()
        await Gateway.joined(self, request)
""",
    ),
    WrongAnswer(
        "one tab more",
        7,
        "the server closed lena's first tab without session:evicted",
        """
    async def joined(self, request):
        await Gateway.joined(self, request)
        for sid in self.sids_in(user_room(request.identity.user))[:-10]:
            self.close(sid)
""",
    ),
    WrongAnswer(
        "one tab more",
        7,
        "lena has 11 tabs open, and the server has evicted none",
        """
    def __init__(self, namespace, parts):
        super().__init__(namespace, parts)
        self.socket_cap = replace(self.socket_cap, most=sys.maxsize)

    joined = Gateway.joined
""",
    ),
    WrongAnswer(
        "an old tab",
        7,
        "your code does something in 60 s, in joined, line",
        """
    async def joined(self, request):
        await Gateway.joined(self, request)
        for sid in self.sids_in(user_room(request.identity.user)):
            if sid != request.sid:
                asyncio.get_running_loop().call_later(60, self.close, sid)
""",
    ),
    WrongAnswer(
        "an old tab",
        7,
        "your code does something in 3600 s, in close_later, line",
        """
    async def joined(self, request):
        await Gateway.joined(self, request)
        self.task = asyncio.create_task(self.close_later(request))

    async def close_later(self, request):
        await asyncio.sleep(3600)
        await self.end_older_sessions(request)
""",
    ),
    WrongAnswer(
        "an old tab",
        7,
        "the server closed zoe's first tab, which its user had open",
        """
    async def joined(self, request):
        await Gateway.joined(self, request)
        if request.identity.role is Role.ADMIN:
            await self.end_older_sessions(request)
""",
    ),
    WrongAnswer(
        "joining an own room",
        8,
        "the ack of room:join has no valid `room`, but is {}",
        """
    async def join(self, request, change):
        if topic_room(change.room) not in request.identity.topic_rooms:
            raise Forbidden()
        await request.join(change.room)
        return {}
""",
    ),
    WrongAnswer(
        "joining another's room",
        8,
        "olga's first tab, whose token names no room, sent room:join {'room': 'job:17'}, and it was accepted",
        """
    async def join(self, request, change):
        room = topic_room(change.room)
        if room not in request.identity.topic_rooms and request.identity.role is not Role.COMPANY:
            raise Forbidden()
        await request.join(room)
        return {"room": room}
""",
    ),
    WrongAnswer(
        "positions",
        6,
        "the ack of tracking:update has no valid `at`, but is {}",
        """
    async def update(self, request, position):
        await tracking.update(request, position)
        return {}
""",
    ),
    WrongAnswer(
        "positions",
        6,
        "did not receive the position of dora, sent right after her first one",
        """
    async def update(self, request, position):
        self.last = getattr(self, "last", {})
        if request.at - self.last.get(request.identity.user, 0) < 60_000:
            return {"at": request.at}
        self.last[request.identity.user] = request.at
        return await tracking.update(request, position)
""",
    ),
    WrongAnswer(
        "sixteen rooms",
        10,
        "sam's token names 16 rooms, and room:join of one was refused: too_many_rooms",
        LIMITED.format(most="3", entitled="parts.entitlements"),
    ),
    WrongAnswer("the limit of messages", 3, "were accepted: the limit of this event allows", WITHOUT_RATES),
    WrongAnswer("the limit of positions", 6, "were accepted: the limit of this event allows", WITHOUT_RATES),
    WrongAnswer(
        "a limit by user",
        10,
        "all 30 messages of the user's second were accepted",
        LIMITS
        + """
    async def check_rate(self, identity, route):
        if identity.role is not Role.ADMIN:
            await Gateway.check_rate(self, identity, route)
""",
    ),
    WrongAnswer(
        "limited joins",
        10,
        "joss joined and left a room 300 times at once, and no room:",
        LIMITS
        + """
    async def check_rate(self, identity, route):
        if route is None or route.event != events.ROOM_LEAVE:
            await Gateway.check_rate(self, identity, route)
""",
    ),
    *WRONG_REPORTS,
)
