"""Tests of how the TypeScript client connects, returns and stays away."""

import asyncio

import pytest

from ...auth import TokenAuth
from ...errors import TemporarilyUnavailable
from ...rooms import user_room
from ..npm import NPM_SECONDS
from ..ports import lasting_port
from .node_client import NodeClient

# long enough for dozens of attempts of a client that does not stay away
AWAY_SECONDS = 1.0
FIRST_ATTEMPTS = 3

pytestmark = pytest.mark.timeout(2 * NPM_SECONDS)


def connects(server, outcome="accepted"):
    """Return how many connects the server has answered like this."""
    return server.application.guards.metrics.connects.labels(outcome)._value.get()


async def test_a_new_token_is_asked_for_at_every_connect(server, open_link, open_client):
    link = await open_link(server)
    client = await open_client(server, link=link)
    for times in (1, 2, 3):
        await client.is_online(times)
        assert client.tokens == times
        link.cut()


async def test_a_failed_token_function_is_called_again(server, open_client):
    tokens = iter([None, None, server.token("ana")])
    client = await open_client(server, token=lambda: next(tokens))
    await client.is_online()
    assert (client.tokens, client.count("waiting")) == (3, 2)


async def test_a_token_function_that_hangs_is_called_again(server, open_client):
    tokens = iter([NodeClient.NO_REPLY, server.token("ana")])
    client = await open_client(server, token=lambda: next(tokens), tokenTimeoutMs=200)
    await client.until(lambda: client.tokens == 1)
    await client.until(lambda: client.tokens == 2)
    # the second answer goes to the first question, which nobody waits for any more
    client.give(server.token("ana"))
    await client.is_online()


async def test_the_pauses_grow_while_the_server_is_away(server, open_link, open_client, until):
    link = await open_link(server)
    link.is_down = True
    client = await open_client(server, link=link, firstBackoffMs=20, mostBackoffMs=200)
    await client.until(lambda: client.count("waiting") == 6)
    link.is_down = False
    await client.is_online()
    pauses = [state["retryInMs"] for state in client.states if state["status"] == "waiting"]
    for number, pause in enumerate(pauses):
        whole = min(200, 20 * 2**number)
        assert whole / 2 <= pause <= whole


async def test_a_refused_token_is_reported_once_and_not_retried(server, open_client):
    client = await open_client(server, token=lambda: "forged")
    await client.is_stopped("unauthorized")
    # nothing happens when a client stays away, so there is no event to wait for
    await asyncio.sleep(AWAY_SECONDS)
    assert (connects(server, "unauthorized"), client.tokens, client.count("stopped")) == (1, 1, 1)


async def test_a_stopped_client_connects_again_when_it_is_asked(server, open_client):
    client = await open_client(server, token=lambda: "forged")
    await client.is_stopped("unauthorized")
    client.token = lambda: server.token("ana")
    client.do("connect")
    await client.is_online()


async def test_an_expired_token_is_replaced_by_a_fresh_one(serve, open_client, clock):
    server = await serve(clock=clock)
    old = server.token("ana", life_seconds=60)
    clock.advance(100)
    tokens = iter([old, server.token("ana")])
    client = await open_client(server, token=lambda: next(tokens))
    await client.is_online()
    assert connects(server, "token_expired") == 1


async def test_expired_tokens_without_end_stop_the_client(serve, open_client, clock):
    server = await serve(clock=clock)
    old = server.token("ana", life_seconds=60)
    clock.advance(100)
    client = await open_client(server, token=lambda: old, tokenAttempts=FIRST_ATTEMPTS)
    await client.is_stopped("token_expired")
    await asyncio.sleep(AWAY_SECONDS)
    assert (connects(server, "token_expired"), client.count("stopped")) == (FIRST_ATTEMPTS, 1)


async def test_a_busy_server_is_tried_again(serve, open_client, until):
    server = await serve()
    server.application.admission.is_draining = True
    client = await open_client(server)
    await until(lambda: connects(server, "http_503") >= FIRST_ATTEMPTS)
    server.application.admission.is_draining = False
    await client.is_online()


async def test_a_check_that_is_not_possible_now_is_tried_again(server, open_client, monkeypatch):
    check, calls = TokenAuth.identify, []

    async def identify(self, *arguments):
        calls.append(arguments)
        if len(calls) < FIRST_ATTEMPTS:
            raise TemporarilyUnavailable
        return await check(self, *arguments)

    monkeypatch.setattr(TokenAuth, "identify", identify)
    client = await open_client(server)
    await client.is_online()
    assert len(calls) == FIRST_ATTEMPTS


async def test_a_client_returns_when_the_stopping_server_said(serve, open_client, monkeypatch):
    port, retry_in = lasting_port(), 1.25
    monkeypatch.setattr("random.uniform", lambda *_: retry_in)
    server = await serve(port=port)
    client = await open_client(server)
    await client.is_online()
    await server.ended()
    await client.until(lambda: client.status == "waiting")
    await serve(port=port)
    await client.is_online(2)
    pauses = [state["retryInMs"] for state in client.states if state["status"] == "waiting"]
    # one attempt, as late as the server asked, and a little later at random
    assert len(pauses) == 1
    assert retry_in * 1000 <= pauses[0] <= retry_in * 1250


async def test_an_evicted_client_stays_away_and_says_so(serve, open_client):
    server = await serve(sockets_per_user=1)
    first = await open_client(server)
    await first.is_online()
    second = await open_client(server)
    await second.is_online()
    await first.is_stopped("evicted")
    await asyncio.sleep(AWAY_SECONDS)
    assert (connects(server), first.status, second.status) == (2, "stopped", "online")
    assert first.messages == [("session:evicted", {"limit": 1})]


async def test_a_client_that_the_server_disconnects_stays_away(server, open_client):
    client = await open_client(server)
    await client.is_online()
    for sid in server.gateway.sids_in(user_room("ana")):
        await server.sio.disconnect(sid)
    await client.is_stopped("disconnected")
    await asyncio.sleep(AWAY_SECONDS)
    assert connects(server) == 1


async def test_a_paused_client_returns_when_it_is_asked(server, open_client, until):
    client = await open_client(server)
    await client.is_online()
    client.do("pause")
    await until(lambda: server.members(user_room("ana")) == 0)
    client.do("connect")
    await client.is_online(2)
    assert client.count("waiting") == 0


async def test_a_pause_ends_an_attempt_to_connect(server, open_client):
    client = await open_client(server, token=lambda: NodeClient.NO_REPLY)
    await client.until(lambda: client.tokens == 1)
    client.do("pause")
    await client.until(lambda: client.status == "paused")
    client.give(server.token("ana"))
    await asyncio.sleep(AWAY_SECONDS)
    assert connects(server) == 0


async def test_a_warning_makes_the_client_refresh_its_token(serve, open_client, clock, until):
    server = await serve(clock=clock)
    client = await open_client(server, claims={"life_seconds": 600})
    await client.is_online()
    clock.advance(550)
    await client.until(lambda: client.tokens == 2)
    sid = server.gateway.sids_in(user_room("ana"))[0]
    state = await server.gateway.state_of(sid)
    await until(lambda: state.identity.expires_at == clock() + 600)
    clock.advance(100)
    # long after the first token has expired, on the same connection
    assert (await client.ask("room:leave", {"room": "job:1"}))["ok"]
    assert connects(server) == 1


async def test_a_failed_refresh_is_tried_again(serve, open_client, clock, until):
    server = await serve(clock=clock)
    client = await open_client(server, claims={"life_seconds": 600})
    await client.is_online()
    stale, tokens = server.token("ana", life_seconds=1), iter([None])
    client.token = lambda: next(tokens, stale)
    clock.advance(550)
    await client.until(lambda: client.tokens == 3)
    client.token = lambda: server.token("ana", life_seconds=600)
    sid = server.gateway.sids_in(user_room("ana"))[0]
    state = await server.gateway.state_of(sid)
    await until(lambda: state.identity.expires_at == clock() + 600)
    assert connects(server) == 1


async def test_a_refresh_for_another_user_stops_the_client(serve, open_client, clock):
    server = await serve(clock=clock)
    client = await open_client(server, claims={"life_seconds": 600})
    await client.is_online()
    client.token = lambda: server.token("eve")
    clock.advance(550)
    await client.is_stopped("unauthorized")
    await asyncio.sleep(AWAY_SECONDS)
    assert (connects(server), client.count("stopped")) == (1, 1)


async def test_a_client_returns_after_its_token_has_expired(serve, open_client, clock):
    server = await serve(clock=clock)
    client = await open_client(server, claims={"life_seconds": 600})
    await client.is_online()
    client.token = lambda: None
    # past the grace, so the server closes the connection
    clock.advance(700)
    await client.until(lambda: client.status == "waiting")
    client.token = lambda: server.token("ana")
    await client.is_online(2)


async def test_a_refused_late_event_is_repeated_after_a_refresh(serve, open_client, clock):
    server = await serve(clock=clock)
    client = await open_client(server, claims={"life_seconds": 600}, tokenAttempts=1, giveUpMs=5000)
    await client.is_online()
    # the refresh after the warning fails
    client.token = lambda: None
    clock.advance(550)
    await client.until(lambda: client.tokens == 2)
    client.token = lambda: server.token("ana")
    clock.advance(55)
    assert (await client.ask("room:leave", {"room": "job:1"}))["ok"]
    assert (connects(server), client.tokens) == (1, 3)
