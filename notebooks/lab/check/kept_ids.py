"""Recognises correct emits to a socket id that the checked code stores.

Such an emit is usually a mistake, because a client gets another socket id with each connection. It is correct, for
example, if it replies to the socket that has just sent an event.
"""

import re

from lab.check.actions import ENDS, Emit
from lab.check.databases import is_record
from lab.check.facts import Facts
from lab.check.flow import variable_of
from lab.check.guards import before
from lab.check.ir import Call, Const, If, Member, Name, Node, Op, Record
from lab.check.names import CALL, is_id_name, names_in
from lab.check.rights import leaves
from lab.check.stores import parts_with_id, writes
from lab.check.tags import Tag

# what the names of events say after a call was accepted
AFTER_INVITATION = re.compile(r"end|hang|leave|left|state|status|mute", re.I)


def is_compared(facts: Facts, emit: Emit, room: Node) -> bool:
    """Tell whether a condition limits an emit to the handler's own socket.

    `emit` goes to the socket id `room`. The handler's own socket is the one that sent the event. An example is
    `if (room === socket.id)` around the emit, or `if (room !== socket.id) return` before the emit.
    """
    if not isinstance(room, Name | Member):
        return False
    for step, around in before(emit.node, facts.handler_function(emit.node)):
        test = step if around else step.test if isinstance(step, If) and leaves(step) else None
        for part in test.walk() if test is not None else ():
            if isinstance(part, Op) and part.op == ("==" if around else "!="):
                own = any(facts.is_own_id(side) for side in part.operands)
                if own and any(_same(side, room) for side in part.operands):
                    return True
    return False


def _same(first: Node, second: Node) -> bool:
    match first, second:
        case Name(), Name():
            return first.name == second.name
        case Member(), Member():
            return first.name == second.name and _same(first.obj, second.obj)
    return False


def is_ended(facts: Facts, emit: Emit, room: Node) -> bool:
    """Tell whether the function with the emit also disconnects the receiver.

    `room` is the id of the receiving socket. An example is an administrator who removes a client: the emit tells the
    client the reason, and must go to this socket only.
    """
    func = facts.handler_function(emit.node)
    calls = (part for part in func.parts() if isinstance(part, Call)) if func is not None else ()
    return any(
        getattr(call.func, "name", "") in ENDS and any(_same(part, room) for part in call.walk()) for call in calls
    )


def is_of_call(facts: Facts, emit: Emit, room: Node) -> bool:
    """Tell whether an emit belongs to a voice call or an invitation.

    The event's name, such as "offer", shows this. `room` is the id to which the emit goes. The result is True only if
    this id is a parameter or comes from a client, and is not read from a collection of the checked code.
    """
    variable = variable_of(facts.project, room)
    named = facts.is_client(room) or (variable is not None and variable.param is not None)
    return named and Tag.KEPT not in facts.values.of(room) and is_about_call(facts, emit, room)


def is_about_call(facts: Facts, emit: Emit, room: Node) -> bool:
    """Tell whether an emit's event is about a voice call or invitation.

    The event's name, such as "offer", shows this. If `room`, to which the emit goes, has a name such as `socketId`, the
    result is also True if the handler that runs the emit handles an event with a name such as "offer".
    """
    events = list(names_in(emit.event)) if emit.event is not None else []
    if is_id_name(room):
        events += [handler.event for handler in facts.handlers_at(emit.node, "event")]
    return any(CALL.search(name) for name in events)


def is_invitation(facts: Facts, emit: Emit, room: Node) -> bool:
    """Tell whether an emit is the invitation or set-up of a call.

    This is judged by names of events. If the emit sends an event such as "call-ended", the result is False. The emit
    goes to `room`.
    """
    names = names_in(emit.event) if emit.event is not None else ()
    return is_about_call(facts, emit, room) and not any(AFTER_INVITATION.search(name) for name in names)


def is_fetched(facts: Facts, room: Node) -> bool:
    """Tell whether an id is from a socket that Socket.IO just returned.

    `room` is the expression that gives the id. An example is `other.id` in a loop over `fetchSockets()`.
    """
    if not isinstance(room, Member) or room.name != "id":
        return False
    tags = facts.values.of(room.obj)
    return Tag.SOCKET in tags and Tag.STORED in tags and Tag.KEPT not in tags


def is_written_id(facts: Facts, room: Node) -> bool:
    """Tell whether a room is a socket id of a database record.

    `room` is an expression such as `user.line`, after `const user = await Users.findOne(name)`. The result is True if
    the code writes ids of sockets into a database field with the same name, here `line`.
    """
    found = facts.follow(room)
    is_field = isinstance(found, Member) and found.name in facts.once(_written_fields)
    return is_field and isinstance(found, Member) and is_record(facts, found.obj)


def _written_fields(facts: Facts) -> set[str]:
    """Return the names of database fields that get ids of sockets."""
    records = (write.value for write in writes(facts) if write.kind == "record")
    return {name for value in records for name, _ in parts_with_id(facts, value) if name}


def is_of_fetched(facts: Facts, room: Node) -> bool:
    """Tell whether an id was copied from a socket that Socket.IO returned.

    `room` is the expression that gives the id. This expression reads a field that holds only such ids, such as
    `socketId` of the objects `(await io.fetchSockets()).map((one) => ({ socketId: one.id }))`.
    """
    found = facts.follow(room)
    return isinstance(found, Member) and found.name in facts.once(_fields_of_fetched)


def is_fresh(facts: Facts, key: Node) -> bool:
    """Tell whether the code has just got a socket id from Socket.IO.

    `key` is the id. The result is True if `key` comes from a loop over Socket.IO's sockets, or over Socket.IO's list of
    the sockets in a room.
    """
    if Tag.SOCKET in facts.values.of(key):
        return True
    if Tag.IDS not in facts.values.of(key) and is_of_fetched(facts, key):
        return True
    source = facts.element_source(key) if isinstance(key, Name) else None
    # `rooms.forEach((ids) => ids.forEach((id) => …))`
    outer = facts.element_source(source) if isinstance(source, Name) else None
    if source is None:
        return False
    found = facts.follow(outer or source)
    parts = [*found.walk(), *(inner for part in found.walk() for inner in facts.made(part).walk())]
    return any(
        getattr(part, "name", "") in ("adapter", "allSockets") or Tag.SOCKETS in facts.values.of(part)
        for part in parts
        if isinstance(part, Name | Member | Call)
    )


def _fields_of_fetched(facts: Facts) -> set[str]:
    """Return the names of fields that only hold ids of fetched sockets.

    A socket is fetched if the code has just got it from the library, for example with `fetchSockets()`.
    """
    found = {
        str(key.value)
        for _, record in facts.nodes(Record)
        if isinstance(record, Record)
        for key, value in record.items
        if isinstance(key, Const) and is_fetched(facts, value)
    }
    return found - {name for write in writes(facts) for name, _ in parts_with_id(facts, write.value)}


def is_passed(facts: Facts, room: Node) -> bool:
    """Tell whether an emit can go to a stored socket id.

    A stored id is one that the code keeps in a collection. `room` is the id to which the emit goes. The result is
    False if this id is a parameter of a helper function, and no call passes a stored id for this parameter: a helper
    function that can emit to any socket is no mistake by itself. Otherwise the result is True, also for the parameter
    of a callback such as `ids.forEach((id) => …)`.
    """
    param = facts.parameter(room)
    if param is None or Tag.IDS in facts.values.of(room):
        return True
    if isinstance(room, Name) and facts.element_source(room) is not None:
        return True
    return any(facts.is_stored_id(arg) for arg in facts.arguments(param))
