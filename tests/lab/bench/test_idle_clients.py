"""Test the benchmarks of lone messages and idle servers, with few clients."""

import asyncio
import json
import resource
import time

import psutil
import pytest
from lab.__main__ import main
from lab.bench import idle_clients, peers, report, run, wire
from lab.bench.crowd import Crowd, LoadError
from lab.bench.idle_clients import among
from lab.bench.run import BENCHMARKS, Benchmark
from lab.bench.sizes import FULL, PING_SECONDS, QUICK, Sizes
from lab.cli import bench

from good_server.settings import Settings

from .required_peer import PEER_PARAMETERS, require

CLIENTS = 30
TINY = Sizes(1, 1, 12, 1, 2, 40, 10, (10, 20), 20, 20, 0.5, 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("peer", PEER_PARAMETERS, ids=lambda peer: peer.id)
async def test_a_lone_message_is_timed_among_idle_clients(peer: peers.Peer) -> None:
    async with peers.running(require(peer)) as server:
        sample = await idle_clients.latency(server, TINY, clients=CLIENTS)
    others = sample.other_values
    assert 0 < others["p50 ms"] <= sample.value <= others["max ms"]
    # a message, and then a pause of 10 to 30 ms
    assert 2 <= others["messages"] <= 0.5 / idle_clients.MIN_PAUSE_SECONDS


@pytest.mark.slow
async def test_idle_clients_are_connected_by_another_process() -> None:
    children = set(psutil.Process().children(recursive=True))
    async with peers.running(peers.GOOD) as server:
        files = server.open_files()
        async with idle_clients.idle_clients(server, CLIENTS):
            assert server.open_files() == files + CLIENTS
            own = psutil.Process().net_connections("tcp")
            assert [connection for connection in own if connection.raddr and connection.raddr.port == server.port] == []
        deadline = time.monotonic() + 10
        while server.open_files() > files:
            assert time.monotonic() < deadline, "the idle clients are still connected"
            await asyncio.sleep(0.02)
    crowds = set(psutil.Process().children(recursive=True)) - children
    assert [process for process in crowds if "good_server" in process.cmdline()] == []


@pytest.mark.slow
async def test_an_idle_server_has_a_share_of_a_core() -> None:
    async with peers.running(peers.GOOD) as server:
        sample = await idle_clients.idle(server, TINY, clients=CLIENTS)
    assert 0 < sample.value < 100
    assert sample.other_values["KiB per client"] > 0


@pytest.mark.slow
async def test_idle_clients_that_are_refused_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    async with peers.running(peers.GOOD) as server:
        monkeypatch.setattr(wire, "SECRET", "x" * 64)
        with pytest.raises(LoadError, match="refused"):
            async with idle_clients.idle_clients(server, CLIENTS):
                pass


async def test_messages_reach_the_recipient_alone() -> None:
    async with peers.running(peers.GOOD) as server:
        crowd = Crowd(server.port)
        await crowd.join(3)
        sender, recipient, other = crowd.members
        pair = Crowd(server.port)
        pair.counter, pair.members = crowd.counter, [sender, recipient]
        heard = other.counter = idle_clients.Crowd(server.port).counter
        latencies, _ = await idle_clients._send_lone_messages(server, pair, lambda sent: sent < 5)
        crowd.leave()
    assert len(latencies) == 5
    assert heard._missing == 0


@pytest.mark.slow
async def test_the_json_has_p99_and_p50_of_each_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "available_peers", lambda: ([peers.GOOD, peers.STOCK], {}))
    title = "a lone message among idle clients, p99"
    few = Benchmark("latency_30", title, "ms", among(idle_clients.latency, CLIENTS), run.TIME_REMARK)
    document = json.loads(report.as_json(await run.measure([few], TINY)))
    (latency,) = document["benchmarks"]
    assert (latency["id"], latency["unit"], latency["better"]) == ("latency_30", "ms", "lower")
    assert latency["results"].keys() == latency["runs"].keys() == {"good", "python-socketio"}
    assert all(latency["also"][peer]["p50 ms"] <= latency["results"][peer] for peer in latency["results"])


def test_a_quick_run_leaves_out_ten_thousand_clients() -> None:
    quick = {benchmark.id for benchmark in bench._choose(None, is_quick=True)}
    full = {benchmark.id for benchmark in bench._choose(None, is_quick=False)}
    assert full - quick == {"latency_10000", "idle_10000"}
    assert [benchmark.id for benchmark in bench._choose("idle_10000", is_quick=True)] == ["idle_10000"]
    assert {"latency_1000", "latency_10000", "idle_10000"} <= {benchmark.id for benchmark in BENCHMARKS}


def test_an_idle_server_is_watched_for_one_ping_interval() -> None:
    assert Settings.model_fields["ping_interval_seconds"].default == PING_SECONDS
    assert FULL.idle_seconds == QUICK.idle_seconds == FULL.lone_seconds == PING_SECONDS


def test_too_few_open_files_are_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (4096, 4096))
    assert main(["bench", "--quick", "--only", "latency_10000"]) == 2
    needed = "latency_10000 needs 10,300 open files, and only 4,096 are allowed here (ulimit -n)"
    assert capsys.readouterr().err == f"lab: {needed}\n"
    chosen = bench._with_enough_files(list(BENCHMARKS), is_named=False)
    assert not {"latency_10000", "idle_10000"} & {benchmark.id for benchmark in chosen}
    assert f"left out: {needed}" in capsys.readouterr().err
