"""Who a client says that it is, and whether anything verifies it."""

import re
from collections.abc import Iterator

from lab.check.databases import is_database_write
from lab.check.facts import Facts
from lab.check.handlers import Handler
from lab.check.ir import Assign, Call, Const, Func, Index, Member, Name, Node
from lab.check.names import last_name, names_in
from lab.check.scopes import patterns
from lab.check.tags import CLAIMED, VERIFIERS, Tag

# kinds of people; `my` and the like say that the client means itself
PEOPLE = (
    "my|current_?user|client_?user|sender_?user|account|owner|admin|operator|agent|creator|host|guest|visitor"
    "|driver|captain|rider|courier|customer|buyer|seller|vendor|bidder"
    "|employee|worker|contractor|student|teacher|doctor|patient"
)
# fields that say who a user is
WHO = re.compile(
    # ids
    rf"^(uid|(user|sender|from|from_?user|author|player)_?id|({PEOPLE})_?(id|name)"
    # the user itself
    r"|user|sender|from|from_?user|author|player|userdata|user_?info|email"
    # names
    r"|(user|display|nick|player|sender)_?name"
    # roles
    r"|((sender|reader|user)_?)?role|user_?type)$",
    re.I,
)
# fields of a handshake that decide what a client may see
WHERE = re.compile(r"^(workspace|tenant|org(anization)?|company|team|account|store|shop|branch)_?id$", re.I)
# events in which a name is the name of a thing
THINGS = re.compile(r"room|group|channel|create|game|file|topic|board|project", re.I)
# names that a user may choose, and the events that choose them
CHOSEN = re.compile(r"^(user_?|display_?|nick_?|player_?|host_?|guest_?|sender_?)?name$|^nick$", re.I)
CHOOSING = re.compile(r"join|create|register|login|log_in|enter|set_?(user)?name|nick|new|add", re.I)
# events in which a bare id is that of the user
IDENTIFYING = re.compile(r"identi|login|log_in|online|register|user|auth|setup", re.I)
ID_OR_EMAIL = re.compile(r"_?id$|email", re.I)
# variables that hold all of a payload
WHOLE_PAYLOAD = re.compile(r"(message|msg|data|payload|body|dto)$", re.I)
# functions of JavaScript that read a token without verifying it
TOKEN_READERS = re.compile(r"(jwt_?decode|decode_?jwt)$", re.I)
# decorators that leave the parameters of a handler as they are
PLAIN_DECORATORS = {"on", "event", "on_event", "SubscribeMessage"}
PLAIN_DECORATORS |= {"UseGuards", "UsePipes", "UseFilters", "UseInterceptors"}


def claims_in(facts: Facts, handler: Handler) -> Iterator[Node]:
    """Yield each place where a payload says who the client is.

    Parameters of the handler come first.
    """
    event = f"{handler.event} {handler.func.name}"
    # where nothing verifies a user, a plain name is who somebody is
    is_open = not verifies(facts, "connect", "middleware", "event")
    for param in handler.func.params if not _is_wrapped(handler.func) else ():
        for target, path in patterns(param.target):
            name = path[-1][-1] if path and path[-1][0] == "field" else getattr(target, "name", "")
            whole = not path and _is_bare_id(name, event)
            if (whole or _says_who(name, event, is_open=is_open)) and Tag.CLIENT in facts.values.of(target):
                yield target if path else _first_use(handler.func, target)
    for func in _reached(facts, handler):
        for node in func.parts():
            if _is_claim(facts, node, event, is_open=is_open) or _saves_payload(facts, node):
                yield node


def _reached(facts: Facts, handler: Handler) -> Iterator[Func]:
    """Yield the handler's function, and what it calls with the payload."""
    yield handler.func
    for node in handler.func.parts():
        if isinstance(node, Call) and any(Tag.CLIENT in facts.values.of(arg) for arg in node.args):
            yield from facts.project.callees(node)


def _first_use(func: Func, target: Node) -> Node:
    """Return the first node that uses the parameter `target`.

    It returns `target` itself if the function never uses it.
    """
    name = getattr(target, "name", "")
    return next((node for node in func.parts() if isinstance(node, Name) and node.name == name), target)


def _says_who(name: str, event: str, *, is_open: bool) -> bool:
    """Tell whether a payload's field says who the client is.

    A name that the event lets users choose does not. The field `name` counts only in an app that `is_open`: without
    accounts.
    """
    if name == "name":
        return is_open and not CHOOSING.search(event) and not THINGS.search(event)
    return bool(WHO.match(name)) and not (CHOSEN.match(name) and CHOOSING.search(event))


def _is_bare_id(name: str, event: str) -> bool:
    return name.lower() == "id" and bool(IDENTIFYING.search(event)) and not THINGS.search(event)


def _is_wrapped(func: Func) -> bool:
    """Tell whether a decorator may change the parameters of a handler."""
    return any(last_name(mark) not in PLAIN_DECORATORS for mark in func.decorators)


def _is_claim(facts: Facts, node: Node, event: str, *, is_open: bool) -> bool:
    match node:
        case Member(obj=obj, name=name):
            return _says_who(name, event, is_open=is_open) and facts.is_client(obj) and not _is_called(node)
        case (
            Index(obj=obj, key=Const(value=str(name)))
            | Call(func=Member(obj=obj, name="get"), args=[Const(value=str(name)), *_])
        ):
            return _says_who(name, event, is_open=is_open) and facts.is_client(obj)
        case Assign():
            names = [path[-1][-1] for _, path in patterns(node.target) if path and path[-1][0] == "field"]
            return any(_says_who(name, event, is_open=is_open) for name in names) and facts.is_client(node.value)
    return False


def _is_called(node: Node) -> bool:
    """Tell whether a member is called as a method: `data.from()`."""
    return isinstance(node.parent, Call) and node.parent.func is node


def _saves_payload(facts: Facts, node: Node) -> bool:
    """Tell whether a call writes a client's whole payload to the database.

    So it stores whatever sender the client put into the payload.
    """
    if not isinstance(node, Call) or not is_database_write(facts, node):
        return False
    return any(isinstance(arg, Name) and facts.is_client(arg) and WHOLE_PAYLOAD.search(arg.name) for arg in node.args)


def handshake_claims(facts: Facts, func: Func) -> Iterator[Node]:
    """Yield each place where a handshake says who the client is."""
    for node in func.parts():
        match node:
            case Member(obj=obj, name=name) if _decides(name):
                found = Tag.HANDSHAKE in facts.values.of(obj)
            case (
                Index(obj=obj, key=Const(value=str(name)))
                | Call(func=Member(obj=obj, name="get"), args=[Const(value=str(name)), *_])
            ):
                found = _decides(name) and Tag.HANDSHAKE in facts.values.of(obj)
            case Assign():
                names = [path[-1][-1] for _, path in patterns(node.target) if path and path[-1][0] == "field"]
                found = any(_decides(name) for name in names) and Tag.HANDSHAKE in facts.values.of(node.value)
            case Call(args=[token, *_]):
                found = _decodes(facts, node) and bool(facts.values.of(token) & CLAIMED)
            case _:
                found = False
        if found:
            yield node


def _decodes(facts: Facts, call: Call) -> bool:
    """Tell whether a call decodes a token without verifying it."""
    name = getattr(call.func, "name", "")
    if facts.project.module_of(call).source.language != "py":
        return bool(TOKEN_READERS.match(name)) or (name == "decode" and "jwt" in _owner(call).lower())
    options = next((value for key, value in call.keywords if key == "options"), None)
    return (
        name == "decode"
        and options is not None
        and any(getattr(part, "value", None) is False for part in options.walk())
    )


def _owner(call: Call) -> str:
    """Return the name of the object whose method is called, or ""."""
    obj = call.func.obj if isinstance(call.func, Member) else None
    return obj.name if isinstance(obj, Name | Member) else ""


def _decides(name: str) -> bool:
    return bool(WHO.match(name) or WHERE.match(name))


def verifies(facts: Facts, *kinds: str) -> bool:
    """Tell whether a handler of one of these kinds verifies the client.

    A kind is, for example, "connect", "middleware" or "event".
    """
    return not facts.once(_verifying_kinds).isdisjoint(kinds)


def _verifying_kinds(facts: Facts) -> set[str]:
    return {handler.kind for handler in facts.handlers.all if logs_in(facts, handler)}


def logs_in(facts: Facts, handler: Handler) -> bool:
    """Tell whether a handler verifies the client.

    It may do so in a function that it calls.
    """
    for func in (handler.func, *_called(facts, handler.func)):
        for node in func.parts():
            if isinstance(node, Call) and _verifies(facts, node) and _is_own(facts, handler, func, node):
                return True
    return False


def _verifies(facts: Facts, call: Call) -> bool:
    if VERIFIERS.search(getattr(call.func, "name", "")):
        return True
    return facts.project.outside(call.func).startswith(("jsonwebtoken", "jwt", "jose"))


def _is_own(facts: Facts, handler: Handler, func: Func, node: Node) -> bool:
    """Tell whether a node runs in this handler.

    A node of another handler that is written inside it does not.
    """
    return func is not handler.func or handler in facts.handlers.of(node)


def _called(facts: Facts, func: Func) -> Iterator[Func]:
    for node in func.parts():
        if isinstance(node, Call):
            yield from facts.project.callees(node)


def uses_identity(facts: Facts, handler: Handler) -> bool:
    """Tell whether a handler uses a verified identity or the handshake.

    A value that comes from an event does not count.
    """
    for func in _reached(facts, handler):
        for node in func.parts():
            tags = facts.values.of(node) if isinstance(node, Name | Member | Call) else Tag.NONE
            if tags & (Tag.USER | Tag.HANDSHAKE) and Tag.CLIENT not in tags:
                return True
    return False


def has_accounts(facts: Facts) -> bool:
    """Tell whether the app has accounts, so that clients are users.

    That is so if a handler verifies the client or uses a verified identity, or if clients send an
    id or email as their own.
    """
    return facts.once(_has_accounts)


def _has_accounts(facts: Facts) -> bool:
    if verifies(facts, "connect", "middleware", "event"):
        return True
    if any(uses_identity(facts, handler) for handler in facts.events):
        return True
    claims = [node for handler in facts.events for node in claims_in(facts, handler)]
    claims += [node for handler in facts.handlers.all for node in handshake_claims(facts, handler.func)]
    return any(ID_OR_EMAIL.search(name) for node in claims for name in names_in(node))
