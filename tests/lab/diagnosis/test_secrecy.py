"""Test that nothing which a learner can see gives a mistake away.

The tests collect what can be seen of a running server: processes, environment, open files, logs, metrics, acks, the
answers of the probe, and the objects of a notebook.
"""

import ast
import inspect
import os
import re
import tempfile
from functools import cache
from pathlib import Path

import aiohttp
import psutil
import pytest
from lab.diagnosis import server as blind_server
from lab.diagnosis.cases import MISTAKES, Ticket, assign, letters, new_seed
from lab.diagnosis.notebook_session import Practice
from lab.diagnosis.session import Session
from lab.diagnosis.suspect import Suspect
from lab.results.claims import load_claims

import good_server
from bad_server.app import MISTAKES as MODULES

JOB = "job:17"
PEOPLE = {"driver": "acme", "company": "acme", "admin": None, "vendor": None}
# one valid request for each event, by the role that sends it
REQUESTS = (
    ("vendor", "session:login", {}),
    ("vendor", "chat:send", {"to": "driver", "text": "hello"}),
    ("vendor", "chat:send", {"room": JOB, "text": "hello"}),
    ("driver", "tracking:update", {"lat": 1.5, "lng": 2.5}),
    ("driver", "driver:status", {"status": "busy"}),
    ("vendor", "driver:status", {"status": "busy"}),
    ("admin", "system:announce", {"text": "hello", "level": "info"}),
    ("vendor", "room:leave", {"room": JOB}),
    ("vendor", "room:join", {"room": JOB}),
    ("vendor", "report:request", {"kind": "outside", "size": 1}),
    ("vendor", "no:such-event", {}),
)
# requests that make some of the mistakes fail inside
ODD_REQUESTS = (
    ("chat:send", {}),
    ("chat:send", {"to": "vendor", "text": ["a list"]}),
    ("chat:send", "text"),
    ("room:join", {"room": 17}),
    ("room:join", {"room": "user:driver"}),
    ("report:request", {"kind": "cpu", "size": "many"}),
    # on most servers it starts worker processes, which inherit the environment
    ("report:request", {"kind": "cpu", "size": 1}),
    ("session:login", {"a": "key"}),
    ("disconnect", {}),
)


def ticket_of(mistakes):
    """Return a ticket of a server with these mistakes."""
    kind = "exam" if len(mistakes) < 2 else "practice"
    tickets = (Ticket(kind, seed, letter) for seed in range(1000) for letter in letters(kind))
    return next(ticket for ticket in tickets if ticket.open().mistakes == mistakes)


@cache
def forbidden():
    """Return patterns of everything that names one of the mistakes."""
    product = "\n".join(path.read_text("utf-8") for path in Path(good_server.__file__).parent.rglob("*.py"))
    words, definition = {r"mistake[-_ ]?\d"}, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for module, claim in zip(MODULES, load_claims(), strict=True):
        names = {module.__name__.rpartition(".")[2], claim.slug, claim.slug.replace("-", "_"), claim.title}
        names |= {module.__doc__.splitlines()[0]}
        nodes = ast.walk(ast.parse(inspect.getsource(module)))
        defined = {node.name for node in nodes if isinstance(node, definition)}
        names |= {name for name in defined - {"Handlers"} if not re.search(rf"\b{name}\b", product)}
        words |= {re.escape(name) for name in names if name not in ("log_in",)}
    return re.compile("|".join(sorted(words)), re.IGNORECASE)


def family():
    return [psutil.Process(), *psutil.Process().children(recursive=True)]


def server_process(suspect):
    """Return the process that listens on the server's port."""
    for process in family()[1:]:
        if suspect.target.port in [found.laddr.port for found in process.net_connections() if found.status == "LISTEN"]:
            return process
    raise LookupError(suspect)


def of_processes():
    """Return what is seen of this process's children, as text."""
    seen = []
    for process in family()[1:]:
        seen += [process.name(), *process.cmdline(), str(process.environ()), process.cwd()]
        seen += [str(thread.id) for thread in process.threads()]
        folder = Path(f"/proc/{process.pid}/fd")
        seen += [os.readlink(link) for link in folder.iterdir() if link.is_symlink()] if folder.is_dir() else []
    return seen


def log_of(suspect):
    return Path(f"/proc/{server_process(suspect).pid}/fd/1").resolve().read_text("utf-8")


def of_files():
    folders = [path for path in Path(tempfile.gettempdir()).glob("lab-*") if os.access(path, os.R_OK)]
    return [str(path) for folder in folders for path in folder.rglob("*")]


async def of_probe(suspect):
    probe = suspect.target.probe
    seen = [await probe.internal(path) for path in ("/metrics", "/readyz", "/healthz", "/nothing")]
    async with aiohttp.ClientSession() as session:
        for path in ("/reading", "/counts", "/internal", "/heap", "/nothing"):
            async with session.get(probe.url + path) as response:
                seen.append(await response.text())
        for path in ("/", "/healthz", "/mistake"):
            async with session.get(suspect.target.url + path) as response:
                seen.append(f"{response.headers} {await response.text()}")
    return seen


def of_objects(session, suspect):
    objects = [session, suspect, suspect.target, suspect.target.server]
    return [f"{thing!r} {thing} {vars(thing)}" for thing in objects]


async def use(suspect):
    """Send every kind of request, and return what came back."""
    tabs = {role: await suspect.open(role, role, company=company, rooms=(JOB,)) for role, company in PEOPLE.items()}
    second = await suspect.open("vendor", rooms=(JOB,))
    acks = [await suspect.ask(tabs[role], event, data) for role, event, data in REQUESTS]
    acks += [await suspect.ask(tabs["vendor"], event, data) for event, data in ODD_REQUESTS]
    await suspect.cut(tabs["driver"])
    # one after the other: then the second one is missing in a table that is kept by hand
    await second.close()
    await tabs["vendor"].close()
    await suspect.settle()
    return [str(acks), str(suspect.states()), str(await suspect.read())]


async def everything_seen(mistakes):
    """Run a server; return all that can be seen, and its log."""
    ticket = ticket_of(mistakes)
    session = Session(ticket.kind, ticket.seed)
    try:
        suspect = await session.start(ticket.letter)
        seen = [session.describe(ticket.letter), *await use(suspect), *await of_probe(suspect)]
        # the log is complete when the server has stopped, but then its file is gone
        seen += [*of_processes(), *of_files(), *of_objects(session, suspect)]
        return seen, log_of(suspect)
    finally:
        await session.stop()


SERVERS = [(), *((number,) for number in MISTAKES), (2, 3), (5, 9), (2, 4)]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="reads /proc")
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "mistakes",
    [pytest.param(each, marks=[] if each == (5,) else pytest.mark.slow) for each in SERVERS],
    ids=lambda mistakes: "+".join(map(str, mistakes)) or "none",
)
async def test_nothing_that_can_be_seen_names_a_mistake(mistakes):
    seen, log = await everything_seen(mistakes)
    assert forbidden().findall("\n".join([*seen, log])) == []
    assert "Traceback" not in log
    assert not [text for text in [*seen, log] if blind_server.TICKET_VARIABLE in text and "_settings" not in text]
    if mistakes == (5,):
        # this mistake fails inside: its error is logged, but not its code
        assert '"error":"KeyError"' in log.replace(" ", "")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="reads /proc")
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "mistakes",
    [pytest.param(each, marks=[] if each == (4,) else pytest.mark.slow) for each in SERVERS[1:]],
    ids=lambda mistakes: "+".join(map(str, mistakes)),
)
async def test_a_server_looks_like_one_without_a_mistake(mistakes):
    assert await first_sight(mistakes) == await first_sight(())


async def first_sight(mistakes):
    """Return what is the same for all servers."""
    suspect = Suspect(ticket_of(mistakes))
    try:
        await suspect.start()
        process = server_process(suspect)
        handshake = await engine_handshake(suspect.target.url)
        tabs = {role: await suspect.open(role, role, company=company, rooms=(JOB,)) for role, company in PEOPLE.items()}
        acks = [shape((await suspect.ask(tabs[role], event, data))[0]) for role, event, data in REQUESTS]
        metrics = await suspect.target.probe.internal("/metrics")
        return {
            "arguments": process.cmdline(),
            "environment": {name: value for name, value in process.environ().items() if not name.startswith("PYTEST")},
            "name": process.name(),
            "files": sorted({re.sub(r"lab-\w+|\d+", "", link) for link in of_descriptors(process)}),
            "folder": sorted(Path(path).name for path in Path(of_log(process)).parent.iterdir()),
            "handshake": handshake,
            "acks": acks,
            "metrics": sorted({line.split()[0] for line in metrics.splitlines() if "_bucket" not in line}),
        }
    finally:
        await suspect.stop()


def of_descriptors(process):
    return [os.readlink(link) for link in Path(f"/proc/{process.pid}/fd").iterdir() if link.is_symlink()]


def of_log(process):
    return os.readlink(f"/proc/{process.pid}/fd/1")


async def engine_handshake(url):
    address = f"{url}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
        return re.sub(r'"sid":"[^"]*"', "", await socket.receive_str())


def shape(ack):
    return (ack["ok"], sorted(ack["data"]) if ack["ok"] else ack["error"])


@pytest.mark.parametrize("number", MISTAKES)
def test_the_code_of_a_mistake_has_neutral_names(number):
    handlers = blind_server.load_handlers(number)
    assert handlers.__module__ == blind_server.MODULE
    functions = [value for value in vars(handlers).values() if inspect.isfunction(value)]
    assert functions
    assert {function.__code__.co_filename for function in functions} == {blind_server.FILE}
    assert {function.__doc__ for function in functions} == {None}
    # the texts of the module say what its mistake is
    assert functions[0].__globals__.get("__doc__") is None


def test_the_servers_differ_from_seed_to_seed():
    for kind in ("practice", "exam"):
        for letter in letters(kind):
            found = {assign(kind, seed)[letter].mistakes for seed in range(200)}
            assert len(found) >= 2
    assert len({new_seed() for _ in range(20)}) > 1


def test_a_session_without_a_seed_has_its_own_seed():
    assert len({Session().seed for _ in range(20)}) > 1
    assert len({Practice()._session.seed for _ in range(20)}) > 1


def test_a_planted_name_is_found():
    for text in (
        "File bad_server/mistake_05_cleans_up_by_hand.py",
        "join-room-once",
        "/mistake-03",
        "in end_older_sessions",
    ):
        assert forbidden().search(text)
    assert not forbidden().search("server A at http://127.0.0.1:40303, KeyError, session:login, deliver, joined")
