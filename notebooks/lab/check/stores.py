"""Finds code that stores values in collections, fields, databases and Redis.

The module also finds code that removes entries from collections. A value that a handler stores in this way can remain
after the handler has ended. Other stores that several processes share, such as Memcached, are treated like Redis.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lab.check.collect import WRITERS
from lab.check.databases import is_database_write, object_name
from lab.check.facts import Facts
from lab.check.flow import returned
from lab.check.ir import Assign, Block, Call, Class, Delete, If, Index, Loop, Member, Name, Node, Record, This
from lab.check.ir import Sequence as ListOf
from lab.check.names import last_name
from lab.check.scopes import Module, patterns
from lab.check.tags import Tag

# methods that take an entry out of a collection
REMOVERS = {"delete", "remove", "pop", "splice", "discard", "clear"}
# those of Redis
SHARED_REMOVERS = {"hdel", "hDel", "srem", "sRem", "zrem", "zRem", "lrem", "lRem"}
REMOVERS |= {"del", "decr", *SHARED_REMOVERS}
# objects whose calls reach a shared store
SHARED = re.compile(r"(redis|cache|memcache|pubclient|store|kv)", re.I)
# methods of Redis and the like that write
SHARED_WRITES = re.compile(
    r"^(set|setex|setEx|psetex|mset"
    r"|hset|hSet|hmset|sadd|sAdd|zadd|zAdd|rpush|rPush|lpush|lPush)$"
)
# methods whose first argument is a filter
FILTERED = re.compile(r"find|update|replace", re.I)


@dataclass(slots=True, eq=False)
class Write:
    """Code that stores a value, such as `users[name] = id`.

    `place` is the object that gets the value, here `users`. `key` is the key, here `name`, or None if there is no key.
    """

    node: Node
    module: Module
    place: Node
    key: Node | None
    value: Node
    # "collection", "field", "shared" or "record"
    kind: str


def writes(facts: Facts) -> list[Write]:
    """Return the code that stores values in collections, fields, Redis or databases."""
    return facts.once(_all_writes)


def _all_writes(facts: Facts) -> list[Write]:
    return list(_find_writes(facts))


def _find_writes(facts: Facts) -> Iterator[Write]:
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
    if SHARED_WRITES.match(name) and (name != "set" or SHARED.search(object_name(obj))):
        yield Write(call, module, obj, call.args[0], ListOf(list(call.args)), "shared")
        return
    if name in WRITERS and not facts.values.of(obj) & (Tag.SERVER | Tag.SOCKET):
        key = call.args[0] if len(call.args) > 1 else None
        yield Write(call, module, obj, key, call.args[-1], "collection")
    if is_database_write(facts, call):
        first = 1 if len(call.args) > 1 and FILTERED.match(name) else 0
        for value in (*call.args[first:], *(value for _, value in call.keywords)):
            yield Write(call, module, obj, None, value, "record")


def parts_with_id(facts: Facts, value: Node, steps: int = 2) -> Iterator[tuple[str, Node]]:
    """Find the id of the handler's socket inside the expression `value`.

    Yields pairs: the name of the field that holds the id, or "", and the expression for the id. The search follows
    variables, and calls of functions that return an object literal, at most `steps` times.
    """
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
    elif facts.is_own_id(value):
        yield "", value
    elif isinstance(value, Call) and (not isinstance(value.func, Member) or _is_text(value)):
        for item in (*value.args, *(item for _, item in value.keywords)):
            yield from parts_with_id(facts, item, steps)
    elif isinstance(value, Name) and steps:
        param = facts.parameter(value)
        for record in facts.assigned(value) if param is None else facts.arguments(param):
            is_part = isinstance(record, Record) or _is_text(record) or _makes(facts, record)
            if is_part or (param is not None and isinstance(record, Name)):
                yield from parts_with_id(facts, record, steps - 1)


def _is_text(value: Node) -> bool:
    """Tell whether `value` makes a JSON text, such as `JSON.stringify(user)`."""
    return isinstance(value, Call) and last_name(value) in ("stringify", "dumps")


def _makes(facts: Facts, value: Node) -> bool:
    """Tell whether `value` makes an instance of a class of the project."""
    return isinstance(value, Call) and isinstance(facts.project.meaning(value.func), Class)


def _made_record(facts: Facts, call: Call) -> Record | None:
    """Return the object literal that a called function returns, or None."""
    for func in facts.project.callees(call):
        for value in returned(func):
            if isinstance(value, Record):
                return value
    return None


@dataclass(slots=True, eq=False)
class Removal:
    """Code that takes an entry out of a collection."""

    node: Node
    module: Module
    place: Node
    # whether the entry is in a store that all processes share
    shared: bool = False


def removals(facts: Facts) -> Iterator[Removal]:
    """Yield all code that removes entries from collections.

    Examples are `delete x[y]`, `x.delete(y)` and `x = x.filter(…)`, and in Python `del x[y]`.
    """
    for module, node in facts.nodes(Call, Delete, Assign):
        match node:
            case Delete(target=(Index() | Member()) as target):
                yield Removal(node, module, target.obj)
            case Call(func=Member(obj=obj, name=name)) if name in REMOVERS:
                if not facts.values.of(obj) & (Tag.SERVER | Tag.SOCKET):
                    shared = name in SHARED_REMOVERS or bool(SHARED.search(object_name(obj)))
                    yield Removal(node, module, obj, shared)
            case Assign(target=(Name() | Member() | Index()) as target, value=value) if _is_filter(facts, value):
                yield Removal(node, module, target)


def _is_filter(facts: Facts, value: Node) -> bool:
    """Tell whether a value is a filtered copy of a collection.

    Examples are `x.filter(…)`, and a Python comprehension with `if`.
    """
    match facts.follow(value):
        case Call(func=Member(name="filter")):
            return True
        case Block(kind="comprehension", body=[Loop() as loop, *_]):
            return any(isinstance(part, If) for part in loop.walk())
    return False


def is_forwarded(facts: Facts, node: Node) -> bool:
    """Tell whether a call is inside a wrapper of the same name.

    The call must write to, or remove from, a store such as Redis. An example is `this.client.hset(key, field, value)`
    in a method `hset`. Rules do not report this call, but calls of the wrapper instead.
    """
    func, name = facts.handler_function(node), last_name(node)
    is_shared = SHARED_WRITES.match(name) or name in SHARED_REMOVERS
    return bool(is_shared) and func is not None and func.name == name
