"""Tests of the checks of messages and rooms, without a server."""

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ConfigDict

from ...errors import Invalid, UnknownEvent
from ...events import Message
from ...orders import EMIT, checked_message, checked_target, emit_order, encoded, move_order, read_message
from ...roles import Role
from ...rooms import everyone, is_room, user_room
from ..stand_in import topic


class Item(Message):
    event = "test:item"

    value: object = None


class Choice(Message):
    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["left"]}, {"required": ["right"]}]})
    event = "test:choice"

    left: int | None = None
    right: int | None = None


DEEP = [[]]
for _ in range(2000):
    DEEP = [DEEP]
NO_JSON = [math.nan, [math.inf], {"a": -math.inf}, 2**70, "\ud800", DEEP]


@pytest.mark.parametrize("value", NO_JSON, ids=range(len(NO_JSON)))
def test_a_value_that_json_cannot_hold_is_refused(value):
    with pytest.raises(Invalid) as refused:
        read_message(Item.event, {"value": value})
    assert refused.value.field == "data"
    assert "\n" not in str(refused.value)
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z"):
        checked_message(Item(value=value))


@pytest.mark.parametrize("data", [{}, {"left": 1, "right": 2}])
def test_a_message_with_alternatives_has_exactly_one(data):
    with pytest.raises(Invalid, match="exactly one of left and right"):
        read_message(Choice.event, data)
    with pytest.raises(ValueError, match="exactly one of left and right"):
        checked_message(Choice(**data))
    assert checked_message(read_message(Choice.event, {"left": 1})) == {"left": 1}


def test_an_unknown_event_names_the_nearest():
    with pytest.raises(UnknownEvent, match=f"nearest is {Item.event}"):
        read_message("test:items", {})


@pytest.mark.parametrize("role", Role)
def test_the_room_of_each_role_is_a_room(role):
    assert everyone()
    assert all(map(is_room, everyone()))
    assert not is_room(f"{everyone()[0]}s")


@pytest.mark.parametrize("user", ["ana", "a.b_c@d-e", "x" * 64])
def test_rooms_of_users_and_topics_are_rooms(user):
    assert checked_target((user_room(user), topic("17"), user_room(user))) == [user_room(user), topic("17")]


@given(some.text())
def test_a_text_is_a_room_only_with_a_known_prefix(text):
    prefixes = tuple({room.partition(":")[0] + ":" for room in (*everyone(), user_room(""), topic(""), "company:")})
    assert is_room(text) <= text.startswith(prefixes)
    assert not is_room(text + "\n")


@given(some.recursive(some.none() | some.text() | some.integers(), some.lists, max_leaves=5))
def test_a_strange_target_or_user_is_a_value_error(strange):
    for check in (
        lambda: checked_target(strange),
        lambda: move_order(strange, [topic("1")], []),
        lambda: move_order("ana", strange, [topic("1")]),
    ):
        with suppress(ValueError):
            check()


def test_an_emit_names_the_event_and_its_rooms():
    order = emit_order(Item(value="x"), [user_room("ana")], "sender")
    assert (order["method"], order["event"], order["data"]) == (EMIT, Item.event, [{"value": "x"}])
    assert order["room"] == [user_room("ana")]
    assert encoded(order)
