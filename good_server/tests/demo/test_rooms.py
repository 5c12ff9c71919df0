"""Tests of room names, and of the rooms joined at connect."""

import pytest

from ... import rooms
from ...errors import Forbidden, Invalid
from ...roles import Identity, Role


def somebody(role, company=None, topic_rooms=()):
    return Identity("ana", Role(role), 0, company, topic_rooms)


def test_rooms_are_named_as_the_contract_says():
    assert rooms.user_room("ana") == "user:ana"
    assert rooms.role_room(Role.DRIVER) == "role:driver"
    assert rooms.company_room("acme") == "company:acme"


@pytest.mark.parametrize("name", ["job:17", "job:a", "job:A_b-9", "job:" + "x" * 32])
def test_a_topic_room_keeps_its_name(name):
    assert rooms.topic_room(name) == name
    assert rooms.is_topic_room(name)


@pytest.mark.parametrize(
    "name",
    ["user:ana", "role:admin", "role:nothing", "company:acme", "user:a.b_c@d-e", "user:a|b+c", "user:" + "x" * 128],
)
def test_a_room_of_the_server_is_forbidden_as_a_topic(name):
    with pytest.raises(Forbidden):
        rooms.topic_room(name)
    assert not rooms.is_topic_room(name)


WRONG = ["", "job", "job:", "job:" + "x" * 33, "job:17\n", "job:a b", "job:a/b", "job:\u0661", "job:a@b", " job:17"]
WRONG += [
    "user:",
    "user:a b",
    "user:" + "x" * 129,
    "company:" + "x" * 65,
    "company:a|b",
    "role:admin\n",
    "team:7",
    "Company:acme",
]


@pytest.mark.parametrize("name", WRONG)
def test_any_other_text_is_invalid(name):
    with pytest.raises(Invalid) as refusal:
        rooms.topic_room(name)
    assert refusal.value.field == "room"
    assert not rooms.is_topic_room(name)


@pytest.mark.parametrize("role", ["admin", "driver", "provider", "vendor"])
def test_every_user_is_in_the_own_room_and_the_roles_room(role):
    assert rooms.base_rooms(somebody(role, "acme")) == ("user:ana", f"role:{role}")


def test_a_company_user_is_in_the_companys_room_too():
    assert rooms.base_rooms(somebody("company", "acme")) == ("user:ana", "role:company", "company:acme")


def test_the_rooms_of_the_token_are_joined_at_connect():
    joined = rooms.rooms_at_connect(somebody("vendor", topic_rooms=("job:1", "job:2")))
    assert joined == ("user:ana", "role:vendor", "job:1", "job:2")


def test_followers_of_a_driver_are_its_company_and_the_admins():
    assert rooms.followers_of(somebody("driver", "acme")) == ("company:acme", "role:admin")
    assert rooms.followers_of(somebody("driver")) == ("role:admin",)


def test_everyone_is_every_role_once():
    assert sorted(rooms.everyone()) == sorted(f"role:{role}" for role in Role)
