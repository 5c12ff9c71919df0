"""Writes to what outlives a handler: collections, records of a database, and shared stores."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lab.check.collect import WRITERS
from lab.check.facts import Facts, returned
from lab.check.ir import Assign, Call, Delete, Func, Index, Member, Name, Node, Record, This
from lab.check.ir import Sequence as ListOf
from lab.check.scopes import Module, function_of, patterns
from lab.check.tags import Tag

REMOVERS = {
    "delete",
    "remove",
    "pop",
    "splice",
    "discard",
    "clear",
    "hdel",
    "srem",
    "del",
    "hDel",
    "sRem",
    "zrem",
    "lrem",
}
# objects whose calls reach a shared store
SHARED = re.compile(r"(redis|cache|memcache|pubclient|store|kv)", re.I)
SHARED_WRITES = re.compile(
    r"^(set|hset|hSet|sadd|sAdd|rpush|lpush|rPush|lPush|zadd|zAdd|hmset|mset|setex|setEx|psetex)$"
)
# methods of ORMs and drivers that write: these names are enough, and those need an object that is a database
DATABASE_WRITES = re.compile(
    r"^((find(One|ById)?And)(Update|Replace|Modify)|(update|insert|replace)(One|Many|_one|_many)|bulk_?(create|write|update)\w*|"
    r"upsert\w*|findOneAndUpsert)$",
    re.I,
)
WEAK_WRITES = re.compile(
    r"^(create\w*|update\w*|insert\w*|save|add|set|run|merge|values|query|execute\w*|patch|raw)$", re.I
)
DATABASE = re.compile(
    r"(model|repo|repository|db|database|prisma|pool|conn|connection|cursor|cur|knex|supabase|query|objects|entitymanager|"
    r"db_?session|session|collection|dao|mongo|sql\w*)$",
    re.I,
)
# a service that keeps records behind HTTP
HTTP_WRITES = re.compile(r"^(patch|put|post)$")
HTTP = re.compile(r"(axios|http\w*|got|superagent|requests|httpx|apiClient|api)$", re.I)
OUTER = re.compile(r"(console|logger?|log|Math|JSON|Object|Array|Promise|process|print|logging|assert)$", re.I)


@dataclass(slots=True, eq=False)
class Write:
    """A value that is put into something. `place` is the collection; `key` may be None."""

    node: Node
    module: Module
    place: Node
    key: Node | None
    value: Node
    # "collection", "shared" or "record"
    kind: str


def writes(facts: Facts) -> Iterator[Write]:
    """Yield all writes of the project."""
    for module, node in facts.nodes(Call, Assign):
        if isinstance(node, Call):
            yield from _by_call(facts, module, node)
        elif isinstance(node, Assign):
            yield from _by_assignment(module, node)


def _by_assignment(module: Module, node: Assign) -> Iterator[Write]:
    for target, path in patterns(node.target):
        if path:
            continue
        if isinstance(target, Index):
            yield Write(node, module, target.obj, target.key, node.value, "collection")
        elif isinstance(target, Member) and not isinstance(target.obj, This):
            yield Write(node, module, target.obj, None, node.value, "field")


def _by_call(facts: Facts, module: Module, call: Call) -> Iterator[Write]:
    if not isinstance(call.func, Member) or not call.args:
        return
    name, obj = call.func.name, call.func.obj
    if SHARED_WRITES.match(name) and (name != "set" or SHARED.search(_last_name(obj))):
        yield Write(call, module, obj, call.args[0], ListOf(list(call.args)), "shared")
        return
    if name in WRITERS and not facts.values.of(obj) & (Tag.SERVER | Tag.SOCKET):
        key = call.args[0] if len(call.args) > 1 else None
        yield Write(call, module, obj, key, call.args[-1], "collection")
    if is_database_write(facts, call):
        first = 1 if len(call.args) > 1 and re.match(r"find|update|replace", name, re.I) else 0  # a filter
        for value in (*call.args[first:], *(value for _, value in call.keywords)):
            yield Write(call, module, obj, None, value, "record")


def is_database_write(facts: Facts, call: Call) -> bool:
    """Tell whether a call writes to a database, by the names of its method and its object."""
    if not isinstance(call.func, Member):
        return False
    name, obj = call.func.name, call.func.obj
    if facts.values.of(obj) & (Tag.SERVER | Tag.SOCKET | Tag.CLIENT) or OUTER.search(_last_name(obj)):
        return False
    if DATABASE_WRITES.match(name):
        return True
    if HTTP_WRITES.match(name):
        return bool(HTTP.search(_last_name(obj)))
    if not WEAK_WRITES.match(name):
        return False
    names = [part.name for part in obj.walk() if isinstance(part, Name | Member)]
    return any(DATABASE.search(part) for part in names) or (
        bool(names) and names[-1][:1].isupper() and not names[-1].isupper()
    )


def _last_name(node: Node) -> str:
    while isinstance(node, (Call, Index)):
        node = node.func if isinstance(node, Call) else node.obj
    return node.name if isinstance(node, (Name, Member)) else ""


def parts_with_id(facts: Facts, value: Node, steps: int = 2) -> Iterator[tuple[str, Node]]:
    """Yield each part of a value that is the handler's own socket id, with the name of its field or ""."""
    if isinstance(value, Record):
        for key, item in value.items:
            name = str(getattr(key, "value", ""))
            for inner, node in parts_with_id(facts, item, steps):
                yield inner or name, node
    elif isinstance(value, ListOf):
        for item in value.items:
            yield from parts_with_id(facts, item, steps)
    elif isinstance(value, Call) and steps and (made := _made_record(facts, value)) is not None:
        yield from parts_with_id(facts, made, steps - 1)
    elif isinstance(value, Call) and not isinstance(value.func, Member):
        for item in (*value.args, *(item for _, item in value.keywords)):
            yield from parts_with_id(facts, item, steps)
    elif facts.is_own_id(value):
        yield "", value
    elif isinstance(value, Name) and steps:
        for record in facts.assigned(value):
            if isinstance(record, Record):
                yield from parts_with_id(facts, record, steps - 1)


def _made_record(facts: Facts, call: Call) -> Record | None:
    """Return the record that a function of the project makes and returns, or None."""
    for func in facts.project.callees(call):
        for value in returned(func):
            if isinstance(value, Record):
                return value
    return None


@dataclass(slots=True, eq=False)
class Removal:
    """An entry that is taken out of a collection."""

    node: Node
    module: Module
    place: Node
    # whether the entry is in a store that all processes share
    shared: bool = False


def removals(facts: Facts) -> Iterator[Removal]:
    """Yield all removals: `delete x[y]`, `x.delete(y)`, `x = x.filter(…)` and their Python forms."""
    for module, node in facts.nodes(Call, Delete, Assign):
        match node:
            case Delete(target=(Index() | Member()) as target):
                yield Removal(node, module, target.obj)
            case Call(func=Member(obj=obj, name=name)) if name in REMOVERS:
                if not facts.values.of(obj) & (Tag.SERVER | Tag.SOCKET):
                    yield Removal(node, module, obj, bool(SHARED.search(_last_name(obj))))
            case Assign(target=(Name() | Member() | Index()) as target, value=Call(func=Member(name="filter"))):
                yield Removal(node, module, target)


def handler_function(facts: Facts, node: Node) -> Func | None:
    """Return the handler around a node, or the innermost function if none is."""
    above: Node | None = node
    known = {id(handler.func) for handler in facts.handlers.all}
    while above is not None:
        if isinstance(above, Func) and id(above) in known:
            return above
        above = above.parent
    return function_of(node)
