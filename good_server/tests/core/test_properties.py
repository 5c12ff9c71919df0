"""Property tests over a real connection: no crash, one ack, no echo."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ...app import create_parts, create_routes
from ...events import RESERVED
from ...settings import Settings
from ..wire import bare

CANARY = "canary-7f3a"
EXAMPLES = 250
NEVER_CLOSED = dict.fromkeys(("malformed_frames", "refusals_in_a_row"), 10**9)
UNLIMITED = dict.fromkeys(("events_per_second", "chat_per_second", "tracking_per_second"), 1e9)
MODELS = {route.event: route.payload for route in create_routes(create_parts(Settings()))}
CODES = {"invalid", "forbidden", "unknown_event", "too_many_rooms", "busy", "unauthorized", "token_expired"}

WRONG = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text().map(lambda text: CANARY + text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just(CANARY) | st.text(), inner, max_size=3),
    max_leaves=5,
)


def from_schema(schema):
    """Values that fit a field's JSON schema, or nearly. They lie at its bounds and one step beyond."""
    if "anyOf" in schema:
        return st.one_of(*map(from_schema, schema["anyOf"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "string":
        if "pattern" in schema and "\x00" not in schema["pattern"] and "[^" not in schema["pattern"]:
            return st.from_regex(schema["pattern"])
        return st.text(max_size=schema.get("maxLength", 40) + 1) | st.sampled_from(["job:17", "job:18", "bob"])
    if kind in ("number", "integer"):
        low, high = schema.get("minimum", 0), schema.get("maximum", 10_000)
        numbers = st.integers(low - 1, high + 1)
        return numbers if kind == "integer" else numbers | st.floats(low - 1, high + 1)
    if kind == "array":
        return st.lists(from_schema(schema["items"]), max_size=6)
    return st.none()


def payloads(model):
    """Payloads that are right, nearly right, wrong, or have an unknown field."""
    schema = model.model_json_schema()
    defined = schema.get("$defs", {})

    def resolved(part):
        if isinstance(part, list):
            return [resolved(item) for item in part]
        if not isinstance(part, dict):
            return part
        whole = defined[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        return {key: resolved(value) for key, value in whole.items()}

    fields = {name: from_schema(resolved(part)) | WRONG for name, part in schema["properties"].items()}
    right = {name: from_schema(resolved(part)) for name, part in schema["properties"].items()}
    unknown = st.fixed_dictionaries({}, optional={CANARY: WRONG})
    return st.one_of(
        st.fixed_dictionaries({}, optional=right),
        st.fixed_dictionaries(right),
        st.builds(lambda known, more: known | more, st.fixed_dictionaries({}, optional=fields), unknown),
        WRONG,
    )


EVENTS = st.sampled_from(sorted(MODELS)).flatmap(lambda event: st.tuples(st.just(event), payloads(MODELS[event])))
# cut, doubled and changed in places where a parser could stumble
SPOILED = st.tuples(
    EVENTS.map(json.dumps), st.integers(0, 200), st.sampled_from(["", "[", '"', "\\ud800", "NaN", "\x00"])
)
FRAMES = EVENTS.map(json.dumps) | SPOILED.map(lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] :])


@pytest.fixture
def explore(serve):
    """`await explore(role, strategy, check)`: `check(wire, example)` with many examples, over one connection."""

    async def run(role, strategy, check):
        server, loop = await serve(**NEVER_CLOSED, **UNLIMITED), asyncio.get_running_loop()
        async with bare(server.url, server.token("ana", role, company="acme", rooms=["job:17"])) as wire:

            @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(strategy)
            def hold(example):
                asyncio.run_coroutine_threadsafe(check(wire, example), loop).result(20)

            with capture_logs() as logs:
                await asyncio.to_thread(hold)
            assert server.members("user:ana") == 1
        assert not [entry for entry in logs if entry["log_level"] == "error" and entry["event"] == "failed"]

    return run


async def check_answer(wire, text):
    """Assert that the frame is answered once, before the next one."""
    wire.send(f"427{text}")
    wire.send('428["room:leave",{"room":"job:none"}]')
    acks, frame = [], ""
    while not frame.startswith("438["):
        frame = await wire.frame()
        assert frame is not None, "the connection was closed"
        acks += [frame] if frame.startswith("437[") else []
    assert len(acks) == 1
    answer = json.loads(acks[0].removeprefix("437"))[0]
    if not answer["ok"]:
        assert answer["error"]["code"] in CODES
        assert answer["error"].keys() <= {"code", "message", "field", "retry_after"}
        assert CANARY not in acks[0]


@pytest.mark.parametrize("role", ["driver", "admin"])
async def test_every_payload_is_answered_once_and_never_repeated(explore, role):
    await explore(role, EVENTS.map(json.dumps), check_answer)


def is_open_to_acks(text):
    """Whether the ack id before the text stays one. Reserved names close: row 18."""
    return text.startswith("[") and not any(f'"{name}"' in text for name in RESERVED)


async def test_every_spoiled_event_is_answered_once_and_never_repeated(explore):
    await explore("admin", FRAMES.filter(is_open_to_acks), check_answer)


PACKETS = st.tuples(
    st.sampled_from(["42", "43", "420", "43/x,", "42/x,", "45", "451-", "46", "49", "4", "40/,", "\x34\u00b2"]),
    st.text(),
).map("".join)


async def check_unharmed(wire, text):
    """Whatever it was, the next event is answered."""
    wire.send(text)
    wire.send('428["room:leave",{"room":"job:none"}]')
    assert (await wire.ack(8)) == {"ok": True, "data": {"room": "job:none"}}


def is_for_acks_own(text):
    return not text.startswith("428") and not any(f'"{name}"' in text for name in RESERVED)


async def test_no_packet_harms_the_one_after_it(explore):
    await explore("vendor", PACKETS.filter(is_for_acks_own), check_unharmed)
