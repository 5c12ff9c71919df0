"""Sends small requests to a running good server, and collects its answers.

The lab's answers to job interview questions quote what the server answered. Each collected answer is a
number or a code, such as an HTTP status or the code of an error.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack

import aiohttp

from good_server import events
from lab.clients.raw_tab import RawTab, raw_tab
from lab.servers.running import running
from lab.servers.target import Target

ONE_CONNECT_PER_SECOND = {"SERVER_CONNECTS_PER_SECOND": "1"}
UNKNOWN_ORIGIN = "https://elsewhere.example"
OVERSIZE_BYTES = 256 * 1024
# the longest time that a client waits for an answer
ANSWER_SECONDS = 2.0


async def collect_live_answers() -> Mapping[str, str]:
    """Start a good server and return its answers to small requests.

    The returned dict maps a key to an answer as text. questions.toml quotes such an answer as `{asked.key}`.
    """
    async with running("good") as server, AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        target = server.target(0)
        found = await _handshakes(stack, http, target)
        ana, tab, bob = [await _connected_tab(stack, http, target, user) for user in ("ana", "ana", "bob")]
        found |= await _chat(ana, tab, bob) | await _refusals(ana, target)
        found |= await _disconnects(stack, http, target)
    found |= await _admission()
    return {key: str(value) for key, value in found.items()}


async def _connected_tab(stack: AsyncExitStack, http: aiohttp.ClientSession, target: Target, user: str) -> RawTab:
    tab = await stack.enter_async_context(raw_tab(http, target))
    answer = await tab.connect(target.token(user))
    if "sid" not in answer:
        raise ConnectionError(f"{user} could not connect: {answer}")
    return tab


async def _status(http: aiohttp.ClientSession, target: Target, transport: str, headers: Mapping[str, str]) -> int:
    url = f"{target.url}/socket.io/?EIO=4&transport={transport}"
    if transport == "polling":
        async with http.get(url, headers=headers) as response:
            return response.status
    try:
        async with http.ws_connect(url, headers=headers):
            return 101
    except aiohttp.WSServerHandshakeError as error:
        return error.status


async def _handshakes(stack: AsyncExitStack, http: aiohttp.ClientSession, target: Target) -> dict[str, object]:
    stranger = await stack.enter_async_context(raw_tab(http, target))
    refused = await stranger.connect("not a token")
    return {
        "unknown_origin": await _status(http, target, "websocket", {"Origin": UNKNOWN_ORIGIN}),
        "polling": await _status(http, target, "polling", {}),
        "bad_token": refused["data"]["code"],
    }


async def _chat(ana: RawTab, tab: RawTab, bob: RawTab) -> dict[str, object]:
    """Let Ana send one message to Bob twice, and another to herself.

    `ana` and `tab` are two tabs of Ana. Returns three counts: the different acks of the message that was sent twice,
    how often Bob received this message, and how often `tab` received the message from Ana to herself.
    """
    message = {"to": "bob", "text": "once", "id": "m-1"}
    acks = [await ana.ask(events.CHAT_SEND, message) for _ in range(2)]
    await ana.ask(events.CHAT_SEND, {"to": "ana", "text": "to myself"})
    for each in (tab, bob):
        # the answer to this request arrives after everything that was sent before it
        await each.ask("lab:settle", {})
    received = [chat.data for chat in tab.inbox.of(events.CHAT_MESSAGE)]
    return {
        "retry_acks": len({str(ack) for ack in acks}),
        "retry_delivered": len(bob.inbox.of(events.CHAT_MESSAGE)),
        "to_myself": sum(data["text"] == "to myself" for data in received),
    }


async def _refusals(ana: RawTab, target: Target) -> dict[str, object]:
    requests: dict[str, tuple[str, object]] = {
        "forged_sender": (events.CHAT_SEND, {"to": "bob", "text": "hello", "from": "root"}),
        "job_of_others": (events.ROOM_JOIN, {"room": "job:99"}),
        "other_user": (events.AUTH_REFRESH, {"token": target.token("bob")}),
    }
    return {key: (await ana.ask(event, data))["error"]["code"] for key, (event, data) in requests.items()}


async def _disconnects(stack: AsyncExitStack, http: aiohttp.ClientSession, target: Target) -> dict[str, object]:
    """Send a reserved event name, and a frame that is too big.

    The reserved name is `disconnect`. Returns the error code for this event, and the close code of the WebSocket after
    the frame. Also returns 1 or 0 for two questions: did the server answer another request after this event, and did
    the server answer the frame?
    """
    reserved, oversize = [await _connected_tab(stack, http, target, user) for user in ("mallory", "trudy")]
    refused = await reserved.ask("disconnect", {})
    return {
        "reserved": refused["error"]["code"],
        "answered_after_reserved": await _count_answers(reserved, events.ROOM_JOIN, {"room": "job:99"}),
        "oversize_answered": await _count_answers(oversize, events.CHAT_SEND, {"text": "x" * OVERSIZE_BYTES}),
        "oversize_close_code": oversize.socket.close_code,
    }


async def _admission() -> dict[str, object]:
    """Connect to a server too often, then stop the server.

    The server accepts one connect per second. Returns the HTTP status of the refused connect, the number of open
    connections, and the number of messages about the restart that a client received.
    """
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running("good", settings=ONE_CONNECT_PER_SECOND))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        target = server.target(0)
        connected_tab = await _connected_tab(stack, http, target, "ana")
        status = await _status(http, target, "websocket", {})
        connections = (await server.probe.read()).connections
        await server.stop()
        closing = await connected_tab.inbox.wait(events.SERVER_CLOSING, timeout=ANSWER_SECONDS)
    return {"over_the_rate": status, "connected": connections, "notified_of_the_restart": len(closing)}


async def _count_answers(tab: RawTab, event: str, data: object) -> int:
    try:
        await tab.ask(event, data, timeout=ANSWER_SECONDS)
    except (ConnectionError, TimeoutError):
        return 0
    return 1
