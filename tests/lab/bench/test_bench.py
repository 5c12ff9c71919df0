"""Test `lab bench`: its loads, servers, report and errors."""

import asyncio
import io
import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import orjson
import psutil
import pytest
from lab.__main__ import main
from lab.bench import node, peers, report, run, sizes, wire
from lab.bench.crowd import MESSAGE, Crowd, LoadError, Member, MessageCounter
from lab.bench.figure import draw
from lab.bench.loads import Sample
from lab.bench.run import BENCHMARKS, BenchmarkResult, BenchResults
from lab.bench.sizes import Sizes
from lab.figures.bars import as_png
from rich.console import Console

from .required_peer import PEER_PARAMETERS, require

TINY = Sizes(1, 1, 12, 1, 2, 40, 10, (10, 20), 20, 20, 0.5, 0.5)
PEERS = [peers.GOOD, peers.STOCK, peers.NODE]


def make_bench(values: dict[str, float], *, share: float = 0.1) -> BenchResults:
    samples = {peer: [Sample(value, {"rate/s": 9.0}, share)] for peer, value in values.items()}
    result = BenchmarkResult(BENCHMARKS[0], samples)
    known_peers = [peer for peer in PEERS if peer.id in values]
    absent = {"node": node.why_absent()} if "node" not in values else {}
    return BenchResults([result], known_peers, absent, {**run._environment(TINY, known_peers), "seconds": 1.0}, [])


def printed(bench: BenchResults) -> str:
    console = Console(width=120, highlight=False, file=io.StringIO())
    console.print(report.table(bench))
    for line in report.remarks(bench):
        console.print(line, markup=False, soft_wrap=True)
    return console.file.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("peer", PEER_PARAMETERS, ids=lambda peer: peer.id)
async def test_every_load_measures_something_plausible(peer: peers.Peer) -> None:
    async with peers.running(require(peer)) as server:
        # thousands of idle clients: test_idle_clients.py
        short = [benchmark for benchmark in BENCHMARKS if not benchmark.connections]
        samples = {benchmark.id: await benchmark.load(server, TINY) for benchmark in short}
    assert all(math.isfinite(sample.value) for sample in samples.values())
    # memory may stay the same; every other value must be positive
    assert all(sample.value > 0 for name, sample in samples.items() if name != "slow-reader"), samples
    assert samples["slow-reader"].value >= 0
    assert samples["fanout-idle"].other_values["p50 ms"] <= samples["fanout-idle"].value


@pytest.mark.slow
async def test_a_run_measures_peers_and_floor_in_the_documented_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "available_peers", lambda: ([peers.GOOD, peers.STOCK], {}))
    document = json.loads(report.as_json(await run.measure([BENCHMARKS[0]], TINY)))
    assert document["schema"] == 1
    assert document["environment"]["raised_limits"] == peers.RAISED_LIMITS
    (fanout,) = document["benchmarks"]
    assert (fanout["id"], fanout["unit"], fanout["better"]) == ("fanout", "us cpu per delivery", "lower")
    assert fanout["results"].keys() == fanout["runs"].keys() == {"good", "python-socketio", "one send() each"}
    assert all(fanout["results"][peer] == fanout["runs"][peer][0] > 0 for peer in fanout["runs"])


@pytest.mark.parametrize("peer", PEER_PARAMETERS, ids=lambda peer: peer.id)
async def test_a_peer_delivers_a_message_to_the_others_and_acks_it(peer: peers.Peer) -> None:
    received: dict[str, bytes] = {}

    class Listener(Member):
        def data_received(self, data: bytes) -> None:
            received[self.user] = received.get(self.user, b"") + data
            super().data_received(data)

    async with peers.running(require(peer)) as server:
        crowd = Crowd(server.port)
        await crowd.join(3)
        for member in crowd.members:
            member.__class__ = Listener
        ack = asyncio.get_running_loop().create_future()
        crowd.members[0].on_ack = ack.set_result
        crowd.counter.expect(2)
        crowd.members[0].write(wire.chat_frame("hello", room=wire.ROOM, ack=7))
        await crowd.counter.wait_for_all(10)
        await asyncio.wait_for(ack, 10)
        sender = crowd.members[0].user
        crowd.leave()
    assert MESSAGE not in received[sender]
    answer = orjson.loads(received.pop(sender).partition(b"437")[2])[0]
    assert answer["ok"] is True
    for data in received.values():
        message = orjson.loads(data[data.index(MESSAGE) + 2 :])[1]
        assert message.pop("from") == {"id": sender, "role": "vendor"}
        assert message == {**answer["data"], "room": wire.ROOM, "text": "hello"}


@pytest.mark.parametrize("peer", PEER_PARAMETERS, ids=lambda peer: peer.id)
async def test_a_peer_refuses_a_forged_token(peer: peers.Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with peers.running(require(peer)) as server:
        valid = wire.token("eve")
        monkeypatch.setattr(wire, "token", lambda user: valid[:-4] + "AAAA")
        with pytest.raises(LoadError, match="refused"):
            await Crowd(server.port).join(1)


def test_frames_are_counted_in_chunks_of_any_size() -> None:
    stream = wire.delivery_frames(["x" * 10, "y" * 300, "z" * 100])

    async def count(step: int) -> int:
        member = Member("ana", counter := MessageCounter(), is_plain_tcp=True)
        counter.expect(3)
        for at in range(0, len(stream), step):
            member.data_received(stream[at : at + step])
        await counter.wait_for_all(1)
        return 3 - counter._missing

    assert [asyncio.run(count(step)) for step in (1, 7, 299, len(stream))] == [3, 3, 3, 3]


async def test_a_ping_is_answered_with_a_masked_pong() -> None:
    written: list[bytes] = []
    member = Member("ana", MessageCounter(), is_plain_tcp=True)
    member.write = written.append  # type: ignore[method-assign]
    member.data_received(b"\x81\x012")
    assert written == [wire.frame(b"3")]
    assert written[0][1] & 0x80


@pytest.mark.slow
async def test_a_failed_run_is_reported_and_the_others_continue(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = replace(peers.STOCK, command=lambda: [sys.executable, "-c", "raise SystemExit('no luck')"])
    monkeypatch.setattr(run, "available_peers", lambda: ([broken, peers.GOOD], {}))
    bench = await run.measure([BENCHMARKS[2]], TINY)
    assert bench.results[0].samples.keys() == {"good"}
    assert "python-socketio: a run failed: it did not start: no luck" in printed(bench)


def test_the_report_says_how_to_install_a_missing_peer() -> None:
    bench = make_bench({"good": 2.0, "python-socketio": 40.0})
    assert "lab bench --with-node once" in printed(bench)
    assert "node" not in json.loads(report.as_json(bench))["benchmarks"][0]["results"]


def test_the_report_has_multiples_raised_limits_and_doubts() -> None:
    bench = make_bench({"good": 2.0, "python-socketio": 40.0, "node": 1.0}, share=0.97)
    bench.results[0].doubts += run._result_doubts(bench.results[0])
    output = printed(bench)
    for text in ("40 = 20 x good", "1 = 0.5 x good", "SERVER_CHAT_PER_SECOND=1000000", "generator was busy 97%"):
        assert text in output


def test_microseconds_are_written_with_the_greek_letter() -> None:
    bench = make_bench({"good": 2.0, "python-socketio": 40.0})
    assert "µs cpu per delivery" in printed(bench)
    assert "µs cpu per delivery" in draw(bench).axes[0].get_yticklabels()[0].get_text()
    # programs read the unit of the JSON
    assert json.loads(report.as_json(bench))["benchmarks"][0]["unit"] == "us cpu per delivery"


def test_the_figure_is_a_png_and_its_title_is_the_finding() -> None:
    figure = draw(make_bench({"good": 2.0, "python-socketio": 40.0, "node": 1.0}))
    assert "python-socketio takes 20 times what the good server takes" in figure.get_suptitle().replace("\n", " ")
    assert as_png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "speed"], "there is no benchmark 'speed'; there are fanout, fanout-idle"),
        (["--json", "/nowhere/at/all.json"], "cannot write /nowhere/at/all.json: No such file"),
        (["--figure", "."], "cannot write .: it is a folder"),
        (["more"], "unrecognized arguments: more"),
    ],
)
def test_a_usage_error_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("lab: ")
    assert error.count("\n") == 1


def test_with_node_needs_an_installed_node(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")
    assert main(["bench", "--with-node"]) == 2
    assert capsys.readouterr().err == "lab: --with-node needs Node.js with npm, but it is not on the PATH\n"


@pytest.mark.slow
@pytest.mark.parametrize("sent_signal", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_no_process_and_no_file(sent_signal: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lab", "bench", "--quick", "--only", "fanout"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    servers: list[psutil.Process] = []
    deadline = time.monotonic() + 30
    while not (servers and any(tmp_path.rglob("server.log"))):
        assert time.monotonic() < deadline
        servers = psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.02)
    process.send_signal(sent_signal)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert error.endswith("lab: interrupted; every server is stopped\n")
    assert "Traceback" not in error
    assert psutil.wait_procs(servers, timeout=10)[1] == []
    assert list(tmp_path.iterdir()) == []


def test_only_five_limits_of_the_good_server_are_raised() -> None:
    connects = ("CONNECTS_PER_SECOND", "CONNECTS_PER_SECOND_PER_ADDRESS", "SOCKETS_PER_ADDRESS")
    names = ("CHAT_PER_SECOND", "EVENTS_PER_SECOND", *connects)
    assert {f"SERVER_{name}" for name in names} == peers.RAISED_LIMITS.keys()
    assert max(sizes.FULL.leaving) < 20_000
