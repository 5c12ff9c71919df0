"""Generate events, and check how a server answers them.

The Hypothesis strategies are made from a product's payload models. So they test the stand-in product and the real one.
"""

import asyncio
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ..events import RESERVED
from ..rooms import user_room
from ..settings.product import RATE_SUFFIX, RATES
from .stand_in import LEAVE, LEAVE_TEXT, topic
from .wire import bare

CANARY = "canary-7f3a"
EXAMPLES = 250
NEVER_CLOSED = dict.fromkeys(("malformed_frames", "refusals_per_minute"), 10**9)
UNLIMITED = dict.fromkeys(("events_per_second", *(kind + RATE_SUFFIX for kind in RATES)), 1e9)
CODES = {"invalid", "forbidden", "unknown_event", "too_many_rooms", "busy", "unauthorized", "token_expired"}

WRONG = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text().map(lambda text: CANARY + text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just(CANARY) | st.text(), inner, max_size=3),
    max_leaves=5,
)


def from_schema(schema):
    """Return a strategy for values that fit a JSON schema, or nearly.

    The values lie within the bounds of the schema, or one step beyond them.
    """
    if "anyOf" in schema:
        return st.one_of(*map(from_schema, schema["anyOf"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "string":
        if "pattern" in schema and "\x00" not in schema["pattern"] and "[^" not in schema["pattern"]:
            return st.from_regex(schema["pattern"])
        return st.text(max_size=schema.get("maxLength", 40) + 1) | st.sampled_from([topic("17"), topic("18"), "bob"])
    if kind in ("number", "integer"):
        low, high = schema.get("minimum", 0), schema.get("maximum", 10_000)
        numbers = st.integers(low - 1, high + 1)
        return numbers if kind == "integer" else numbers | st.floats(low - 1, high + 1)
    if kind == "array":
        return st.lists(from_schema(schema["items"]), max_size=6)
    return st.none()


def payloads(model):
    """Return a strategy for payloads of `model`.

    They are right, nearly right, wrong, or have an unknown field.
    """
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


def events_of(routes):
    """Return a strategy for the JSON texts of events of these routes."""
    models = {route.event: route.payload for route in routes}
    pairs = st.sampled_from(sorted(models)).flatmap(lambda event: st.tuples(st.just(event), payloads(models[event])))
    return pairs.map(json.dumps)


def spoiled_events_of(routes):
    """Return a strategy for event texts, many with an inserted error. A parser could fail at these errors."""
    events = events_of(routes)
    spoiled = st.tuples(events, st.integers(0, 200), st.sampled_from(["", "[", '"', "\\ud800", "NaN", "\x00"]))
    texts = events | spoiled.map(lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] :])
    return texts.filter(_keeps_its_ack)


def _keeps_its_ack(text):
    # digits before the text would change the ack id, and reserved names close the connection: row 18
    return text.startswith("[") and not any(f'"{name}"' in text for name in RESERVED)


async def explore(serve, strategy, check, role, **claims):
    """Run `check(wire, example)` for many generated examples over one connection.

    Assert that the new server logs no failure.
    """
    server, loop = await serve(**NEVER_CLOSED, **UNLIMITED), asyncio.get_running_loop()
    async with bare(server.url, server.token("ana", role, rooms=[topic("17")], **claims)) as wire:

        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(strategy)
        def hold(example):
            asyncio.run_coroutine_threadsafe(check(wire, example), loop).result(20)

        with capture_logs() as logs:
            await asyncio.to_thread(hold)
        assert server.members(user_room("ana")) == 1
    assert not [entry for entry in logs if entry["log_level"] == "error" and entry["event"] == "failed"]


async def check_answer(wire, text):
    """Assert that the server sends one ack for the event `text`.

    An error in the ack repeats nothing of the event.
    """
    wire.send(f"427{text}")
    wire.send("428" + LEAVE_TEXT)
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


async def check_next_event(wire, text):
    """Assert that the server answers the next event after the packet `text`."""
    wire.send(text)
    wire.send("428" + LEAVE_TEXT)
    assert (await wire.ack(8)) == {"ok": True, "data": LEAVE[1]}
