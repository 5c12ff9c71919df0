"""Answers for small questions put to a running good server: each answer is a number or a code read from the wire."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

import aiohttp

from good_server import events
from lab.clients.raw_tab import RawTab, raw_tab
from lab.servers.running import running
from lab.servers.target import Target

ONE_A_SECOND = {"SERVER_CONNECTS_PER_SECOND": "1"}
STRANGE_ORIGIN = "https://elsewhere.example"
OVERSIZE_BYTES = 256 * 1024
# what a client may wait for an answer
ANSWER_SECONDS = 2.0


async def collect_live_answers() -> Mapping[str, str]:
    """What a fresh good server answered, by the key that questions.toml quotes as `{asked.key}`."""
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
        raise ConnectionError(f"{user} was not let in: {answer}")
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
        "strange_origin": await _status(http, target, "websocket", {"Origin": STRANGE_ORIGIN}),
        "polling": await _status(http, target, "polling", {}),
        "bad_token": refused["data"]["code"],
    }


async def _chat(ana: RawTab, tab: RawTab, bob: RawTab) -> dict[str, object]:
    """One message sent twice under one id, and one that a user writes to itself."""
    message = {"to": "bob", "text": "once", "id": "m-1"}
    acks = [await ana.ask(events.CHAT_SEND, message) for _ in range(2)]
    await ana.ask(events.CHAT_SEND, {"to": "ana", "text": "to myself"})
    for each in (tab, bob):
        # its answer comes after all that was sent before
        await each.ask("lab:settle", {})
    heard = [got.data for got in tab.inbox.of(events.CHAT_MESSAGE)]
    return {
        "retry_acks": len({str(ack) for ack in acks}),
        "retry_delivered": len(bob.inbox.of(events.CHAT_MESSAGE)),
        "to_myself": sum(data["text"] == "to myself" for data in heard),
    }


async def _refusals(ana: RawTab, target: Target) -> dict[str, object]:
    asks: dict[str, tuple[str, object]] = {
        "forged_sender": (events.CHAT_SEND, {"to": "bob", "text": "hello", "from": "root"}),
        "job_of_others": (events.ROOM_JOIN, {"room": "job:99"}),
        "other_user": (events.AUTH_REFRESH, {"token": target.token("bob")}),
    }
    return {key: (await ana.ask(event, data))["error"]["code"] for key, (event, data) in asks.items()}


async def _disconnects(stack: AsyncExitStack, http: aiohttp.ClientSession, target: Target) -> dict[str, object]:
    """How an event with a reserved name is answered, what is served after it, and how too big a frame is closed."""
    reserved, oversize = [await _connected_tab(stack, http, target, user) for user in ("mallory", "trudy")]
    refused = await reserved.ask("disconnect", {})
    return {
        "reserved": refused["error"]["code"],
        "answered_after_reserved": await _answered(reserved, events.ROOM_JOIN, {"room": "job:99"}),
        "oversize_answered": await _answered(oversize, events.CHAT_SEND, {"text": "x" * OVERSIZE_BYTES}),
        "oversize_close_code": oversize.socket.close_code,
    }


async def _admission() -> dict[str, object]:
    """What one too many is told before the upgrade, and whether who is in is told of a restart."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running("good", settings=ONE_A_SECOND))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        target = server.target(0)
        inside = await _connected_tab(stack, http, target, "ana")
        status = await _status(http, target, "websocket", {})
        connected = (await server.probe.read()).connections
        await server.stop()
        closing = await inside.inbox.wait(events.SERVER_CLOSING, timeout=ANSWER_SECONDS)
    return {"crowd": status, "inside": connected, "told_of_the_restart": len(closing)}


async def _answered(tab: RawTab, event: str, data: object) -> int:
    try:
        await tab.ask(event, data, timeout=ANSWER_SECONDS)
    except (ConnectionError, TimeoutError):
        return 0
    return 1
