"""Tests that each log entry is one line without tokens.

They include row 54 of `WITHSTANDS.md`.
"""

import asyncio
import json
import logging
import re
import signal
import unicodedata

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from ...log_text import json_line, safe_text
from ...observability import LibraryLog, configure_logging
from ..package import SERVER
from ..server_processes import start
from ..tokens import PRODUCTION_ENVIRONMENT, SECRET
from ..waiting import PROCESS_SECONDS
from ..wire import UPGRADE_HEADERS

FORGED = '{"level":"info","event":"forged"}'
ATTACKS = [
    "\n" + FORGED,
    "\r\n" + FORGED,
    "\x1b[2J\x1b[31m",
    "\x00\x07\x08",
    "\x85\u2028\u2029",
    "\u202e\u2066",
    "\x9b31m",
]
TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJlLWNhbmFyeQ"
READY = re.compile(rb"listening on (http://\S+) \(internal (http://\S+)\)\n")


def is_plain(text):
    """Return whether a text has no control or format characters."""
    return not {unicodedata.category(character) for character in text} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text(alphabet=st.characters()))
def test_a_safe_text_has_no_control_characters(text):
    assert is_plain(safe_text(text))


@given(st.text(alphabet=st.characters()))
def test_a_line_of_json_is_plain_and_keeps_its_text(text):
    line = json_line({"event": text})
    assert is_plain(line)
    assert json.loads(line) == {"event": text}


@pytest.mark.parametrize(
    "text", [TOKEN, f"/x?token={TOKEN}&y=1", f"Bearer {TOKEN}", "token=opaque-canary", "authorization: bearer canary"]
)
def test_a_token_is_left_out(text):
    for written in (safe_text(text), json_line({"event": text}), json_line({"exception": f"ValueError: {text}"})):
        assert "[token]" in written
        assert "canary" not in written
        assert TOKEN.split(".")[1] not in written


def test_other_text_is_kept():
    for text in ("Zoë is on her way", "Привет", "日本語 🙂", "job:17", "https://a.example/?x=1", "tokens are fine"):
        assert safe_text(text) == text


@pytest.fixture
def written(capsys):
    """`read = written(json_lines)` sets up the log; `read()` returns what was logged."""
    root = logging.getLogger()
    handlers, level, before = root.handlers, root.level, structlog.get_config()

    def configure(json_lines, **options):
        configure_logging(json_lines=json_lines, **options)
        # the server's own logger must not keep this configuration after the test
        structlog.configure(**(structlog.get_config() | {"cache_logger_on_first_use": False}))
        return lambda: capsys.readouterr().err

    yield configure
    root.handlers, root.level = handlers, level
    structlog.configure(**before)


def log_everywhere(attack):
    """Log an attack in each way that a program may log."""
    structlog.get_logger("test").info(f"event {attack}", value=attack, items=[attack])
    logging.getLogger("library").warning("received %s", attack)
    for library in ("socketio", "engineio"):
        LibraryLog(library).warning("received %s", attack)
        LibraryLog(library).error(f"received {attack}")
    try:
        raise ValueError(attack)
    except ValueError as error:
        structlog.get_logger("test").error("failed", exc_info=error)
        logging.getLogger("library").exception("failed")
        LibraryLog("engineio").exception("failed")


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_entry_of_json_is_one_line(written, attack):
    read = written(True)
    log_everywhere(attack)
    lines = read().split("\n")[:-1]
    assert len(lines) == 9
    assert all(is_plain(line) for line in lines)
    assert "forged" not in {json.loads(line)["event"] for line in lines}


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_readable_line_can_be_forged(written, attack):
    read = written(False)
    log_everywhere(attack)
    text = read()
    assert all(is_plain(line) for line in text.split("\n"))
    starts = [line for line in text.split("\n")[:-1] if not line.startswith("  | ")]
    # each entry begins with its time
    assert len(starts) == 9
    assert all(re.match(r"\d{4}-\d\d-\d\dT", line) for line in starts)


def test_a_library_logs_no_packets_at_any_level(written):
    read = written(True, level="debug")
    for library in ("socketio", "engineio"):
        LibraryLog(library).info("Received packet %s data %s", "MESSAGE", "canary")
        LibraryLog(library).debug("canary")
    logging.getLogger("websockets").debug("canary")
    assert read() == ""


@pytest.mark.parametrize(
    ("level", "names"),
    [
        ("debug", "debug info warning error"),
        ("info", "info warning error"),
        ("warning", "warning error"),
        ("error", "error"),
    ],
)
def test_the_level_chooses_the_entries(written, level, names):
    read = written(True, level=level)
    for name in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger("test"), name)(name)
    assert [json.loads(line)["event"] for line in read().split("\n")[:-1]] == names.split()


def requests():
    """Yield HTTP requests with harmful text in each part."""
    head = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE_HEADERS.items())
    for attack in [*ATTACKS, TOKEN]:
        quoted = "".join(f"%{byte:02x}" for byte in attack.encode())
        for query in (
            f"sid={quoted}",
            f"transport={quoted}",
            f"EIO={quoted}",
            f"token={quoted}",
            f"j={quoted}",
            quoted,
        ):
            yield f"GET /socket.io/?{query}&EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            yield f"GET /socket.io/?EIO=4&transport=websocket&{query} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode()
        yield f"GET /{quoted} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        for name in ("Origin", "X-Forwarded-For", "Authorization", "Cookie", "Host", "Sec-WebSocket-Key", "Upgrade"):
            address = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1"
            yield f"{address}\r\nHost: x\r\n{head}{name}: {attack}\r\n\r\n".encode()


async def send_all(url):
    host, port = url.removeprefix("http://").split(":")
    for request in requests():
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request)
        await asyncio.wait_for(reader.read(65536), PROCESS_SECONDS)
        writer.transport.abort()


@pytest.mark.parametrize("environment", ["production", "development"])
async def test_row_54_no_part_of_a_request_forges_a_log_entry(environment):
    settings = PRODUCTION_ENVIRONMENT | {"SERVER_ENV": environment, "SERVER_TRANSPORTS": "websocket,polling"}
    more = {"SERVER_TRUSTED_PROXIES": "127.0.0.1", "SERVER_CONNECTS_PER_SECOND": "1000000"}
    process = await start(*SERVER, **settings, **more)
    try:
        while not (ready := READY.fullmatch(await asyncio.wait_for(process.stdout.readline(), PROCESS_SECONDS))):
            pass
        await send_all(ready[1].decode())
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = await asyncio.wait_for(process.communicate(), PROCESS_SECONDS)
    assert process.returncode == 0
    text = errors.decode()
    assert "closing" in text
    assert all(is_plain(line) for line in text.split("\n"))
    assert TOKEN.split(".")[1] not in text
    assert SECRET not in text
    if environment == "production":
        assert "forged" not in {json.loads(line)["event"] for line in text.split("\n")[:-1]}
    else:
        assert all(re.match(r"\d{4}-\d\d-\d\dT|  \| ", line) for line in text.split("\n")[:-1])


def test_row_54_fails_with_the_librarys_own_logger(capsys):
    logger = logging.getLogger("library-without-a-defence")
    logger.propagate = False
    logger.addHandler(logging.StreamHandler())
    logger.error(f"Invalid session \n{FORGED}")
    assert FORGED in capsys.readouterr().err.split("\n")
