"""Finds code that keeps the members of rooms in a database."""

import re
from collections.abc import Iterator

from lab.check.databases import is_injected, is_record, sql_of
from lab.check.facts import Facts
from lab.check.ir import Assign, Call, Member, Name, Node, Record
from lab.check.stores import Write, writes

# fields of the people in a room
PEOPLE = re.compile(
    r"^(members?|participants?|players?|viewers?|attendees?|occupan\w+|connected\w*"
    r"|users?|online_?users?|active_?users?"
    r"|player_?count|member_?count)$",
    re.I,
)
# tables and models of who is in a room
MEMBERS = r"\w*(members?|participants?|room_?users?|memberships?)\w*"
READS = re.compile(rf"select\b.*\bfrom\s+{MEMBERS}.*\bwhere\b(?!.*\b(user|account|member)_?id\s*=)", re.I | re.S)
WRITES = re.compile(rf"(insert\s+(or\s+\w+\s+)?into|delete\s+from|update)\s+{MEMBERS}", re.I)
MODEL = re.compile(rf"^{MEMBERS}$", re.I)
FINDS = re.compile(r"^(find\w*|filter\w*|get|select|query|where|fetch\w*|list\w*|all)$")
# operators of MongoDB that add and remove
OPERATORS = {"$push", "$addToSet", "$pull", "$inc"}
# fields that name one user, so that a query asks for a right
ONE_USER = re.compile(r"user|account|member", re.I)


def membership_uses(facts: Facts) -> Iterator[Node]:
    """Yield code that reads or writes a room's members in a database."""
    for write in writes(facts):
        if not facts.keeps(write.place) and _changes_people(facts, write):
            yield write.node
    for _, call in facts.calls:
        if _runs_sql(facts, call) or _asks_model(facts, call):
            yield call


def _runs_sql(facts: Facts, call: Call) -> bool:
    text = sql_of(facts, call)
    return bool(READS.search(text) or WRITES.search(text))


def _asks_model(facts: Facts, call: Call) -> bool:
    """Tell whether a call asks the database who is in a room.

    An example is `RoomMember.find({ roomId })`. A call that names a single user, such as
    `RoomMember.find({ roomId, userId })`, does not count: such a call checks whether this user is a member.
    """
    if not isinstance(call.func, Member) or not FINDS.match(call.func.name):
        return False
    obj = call.func.obj
    while isinstance(obj, Member) and obj.name in ("query", "objects"):
        obj = obj.obj
    if not isinstance(obj, Name | Member) or not MODEL.match(obj.name) or (facts.keeps(obj) and not is_injected(obj)):
        return False
    given = [part for arg in (*call.args, *(value for _, value in call.keywords)) for part in arg.walk()]
    named = {str(getattr(key, "value", "")) for part in given if isinstance(part, Record) for key, _ in part.items}
    named |= {name for name, _ in call.keywords if name}
    return bool(named) and not any(ONE_USER.search(name) for name in named)


def _changes_people(facts: Facts, write: Write) -> bool:
    if write.kind == "field":
        target = write.node.target if isinstance(write.node, Assign) else None
        return isinstance(target, Member) and bool(PEOPLE.match(target.name)) and is_record(facts, target.obj)
    records = [part for part in write.value.walk() if isinstance(part, Record)] if write.kind == "record" else []
    keys = [str(getattr(key, "value", "")) for record in records for key, _ in record.items]
    return any(PEOPLE.match(key.split(".")[0]) for key in keys) and not OPERATORS.isdisjoint(keys)
