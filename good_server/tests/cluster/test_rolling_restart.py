"""Tests of restarts and crashes while many clients send messages.

No message is lost or delivered twice, and all clients reconnect.
"""

import time

import psutil
import pytest
import pytest_asyncio

from ..package import child_program
from ..server_processes import STAND_IN_SERVER, serving
from ..stand_in import NOTE_RECEIVED, NOTE_SEND, topic
from ..tokens import production_token
from .rolling import BACK_SECONDS, CLIENTS, FEW_CLIENTS, received_twice, rolled, shared_by

pytestmark = pytest.mark.timing

# spread by chance: the probability that all are on one of two processes is 2 ** -29
TABS = 30
TOPIC = topic("17")
WORKERS = (*STAND_IN_SERVER, "--workers", "2")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def outcome(redis, many, tmp_path_factory):
    """The notes and tabs after a rolling restart of two servers."""
    folder = tmp_path_factory.mktemp("restart")
    async with serving(folder, 2, **shared_by(redis, "restart")) as servers:
        return await rolled(many, servers, CLIENTS, pause_seconds=1.0)


async def test_every_message_of_every_client_is_acked(outcome):
    assert len({note.text.partition("/")[0] for note in outcome.notes}) == CLIENTS
    assert [note for note in outcome.notes if not note.is_acked or note.refusals] == []


async def test_no_message_is_lost(outcome):
    received = {text for tab in outcome.tabs for text in tab.received}
    assert {note.text for note in outcome.notes} - received == set()


async def test_no_tab_gets_a_message_twice(outcome):
    assert received_twice(outcome) == []


async def test_a_message_resent_elsewhere_gets_its_first_ack(outcome):
    # no client received their first ack
    acked_twice = [note for note in outcome.notes if len(note.acks) > 1]
    by_both = [note for note in acked_twice if len({url for url, _ in note.acks}) == 2]
    assert len(by_both) > CLIENTS // 50
    assert all(len({id for _, id in note.acks}) == 1 for note in acked_twice)


async def test_without_shared_message_ids_messages_arrive_twice(redis, many, tmp_path):
    program = child_program("cluster.unshared_server")
    async with serving(tmp_path, 2, program=program, **shared_by(redis, "unshared")) as servers:
        outcome = await rolled(many, servers, FEW_CLIENTS, pause_seconds=0.2)
    acked_twice = [note for note in outcome.notes if len(note.acks) > 1]
    assert {note.text for note in acked_twice} & set(received_twice(outcome))
    assert all(len({id for _, id in note.acks}) == 2 for note in acked_twice)


async def test_clients_of_a_killed_worker_are_back_in_their_rooms(redis, many, new_tab, until, tmp_path):
    async with serving(tmp_path, 1, program=WORKERS, **shared_by(redis, "killed")) as [server]:
        tabs = [new_tab(reconnection=True) for _ in range(TABS)]
        for number, tab in enumerate(tabs):
            await tab.connect(server.url, production_token(f"user-{number}", rooms=[TOPIC]))
        counts = dict(zip(server.internal_urls, await server.connections(many), strict=True))
        victim = psutil.Process(server.process.pid).children()[0]
        expected = counts[internal_url(victim)]
        victim.kill()
        await until(lambda: sum(tab.closed.is_set() for tab in tabs) == expected)
        lost_at = time.monotonic()
        for tab in tabs:
            await tab.is_back()
        assert time.monotonic() - lost_at < BACK_SECONDS
        assert 0 < expected < TABS
        for text in ("first", "last"):
            assert (await tabs[0].ask(NOTE_SEND, {"room": TOPIC, "text": text}))["ok"]
        for tab in tabs[1:]:
            assert [(await tab.receives(NOTE_RECEIVED))["text"] for _ in range(2)] == ["first", "last"]
        assert await server.end() == 0


def internal_url(process):
    """Return the internal URL of one worker process.

    It has the only port that the worker does not share with the other workers.
    """
    ports = {line.laddr.port for line in process.net_connections("tcp") if line.status == psutil.CONN_LISTEN}
    (url,) = (f"http://127.0.0.1:{port}" for port in ports - {public_port(process)})
    return url


def public_port(process):
    return int(process.environ()["SERVER_PORT"])
