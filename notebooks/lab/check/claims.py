"""Finds unverified identities that clients send in payloads and handshakes."""

import re
from collections.abc import Iterator

from lab.check.databases import is_database_write
from lab.check.facts import Facts
from lab.check.handlers import Handler
from lab.check.identity import reached, uses_identity, verifies
from lab.check.ir import Assign, Call, Const, Func, Index, Member, Name, Node
from lab.check.names import last_name, names_in
from lab.check.scopes import enclosing, patterns
from lab.check.tags import CLAIMED, Tag

# kinds of people; `my` and the like say that the client means itself
PEOPLE = (
    "my|current_?user|client_?user|sender_?user|account|owner|admin|operator|agent|creator|host|guest|visitor"
    "|driver|captain|rider|courier|customer|buyer|seller|vendor|bidder"
    "|employee|worker|contractor|student|teacher|doctor|patient"
)
# fields that say who a user is
WHO = re.compile(
    # ids
    rf"^(uid|(user|sender|caller|from|from_?user|author|player|typing_?user|current_?user|my_?user)_?id|({PEOPLE})_?(id|name)"
    # the user itself
    r"|user|sender|from|from_?user|author|player|userdata|user_?info|email"
    # names
    r"|(user|display|nick|player|sender|caller)_?name"
    # roles
    r"|((sender|reader|user)_?)?role|user_?type)$",
    re.I,
)
# fields of a handshake that decide what a client may see
WHERE = re.compile(r"^(workspace|tenant|org(anization)?|company|team|account|store|shop|branch)_?id$", re.I)
# events in which a name is the name of a thing
THINGS = re.compile(r"room|group|channel|create|game|file|topic|board|project", re.I)
# events about another person
TARGETS = re.compile(r"permission|kick|ban|mute|invite|promote|boot|block|report", re.I)
# fields that may name the other person
NEUTRAL = re.compile(r"^((user|player)_?(id|name)|user|player|name)$", re.I)
# names that a user may choose, and the events that choose them
CHOSEN = re.compile(r"^(user_?|display_?|nick_?|player_?|host_?|guest_?|sender_?)?name$|^nick$", re.I)
# without accounts, a player is made when it joins
CHOSEN_OPENLY = re.compile(CHOSEN.pattern + r"|^(player|user|user_?data|user_?info)$", re.I)
CHOOSING = re.compile(r"join|create|register|login|log_in|enter|set_?(user)?name|nick|new|add", re.I)
# events in which a bare id is that of the user
IDENTIFYING = re.compile(r"identi|login|log_in|online|register|user|auth|setup", re.I)
# players of a game are no accounts
ID_OR_EMAIL = re.compile(r"(?<!player)(?<!player_)id$|email", re.I)
# variables that hold all of a payload
WHOLE_PAYLOAD = re.compile(r"(message|msg|data|payload|body|dto)$", re.I)
# functions of JavaScript that read a token without verifying it
TOKEN_READERS = re.compile(r"(jwt_?decode|decode_?jwt)$", re.I)
# secrets of a client, and functions that compare them
SECRET = re.compile(r"token|password|secret|api_?key|otp$", re.I)
PROOFS = re.compile(r"find|get|select|where|query|fetch|login|log_in|check|compare|is_?valid", re.I)
# decorators that leave the parameters of a handler as they are
PLAIN_DECORATORS = {"on", "event", "on_event", "SubscribeMessage"}
PLAIN_DECORATORS |= {"UseGuards", "UsePipes", "UseFilters", "UseInterceptors"}


def claims_in(facts: Facts, handler: Handler) -> Iterator[Node]:
    """Yield the code that takes the client's identity from a payload.

    The payload is the one that `handler` receives. Examples of the code are `data.userId` and
    `const { userId } = data`. Parameters of the handler that hold an identity come first. A call that saves the
    whole payload to a database counts, too. Each result is a node of the syntax tree.
    """
    event = f"{handler.event} {handler.func.name}"
    # where nothing verifies a user, a plain name is who somebody is
    is_open = not verifies(facts, "connect", "middleware", "event")
    for param in handler.func.params if not _is_wrapped(handler.func) else ():
        for target, path in patterns(param.target):
            name = path[-1][-1] if path and path[-1][0] == "field" else getattr(target, "name", "")
            whole = not path and _is_bare_id(name, event)
            if not _is_used(handler.func, target):
                continue
            if (whole or _says_who(name, event, is_open=is_open)) and Tag.CLIENT in facts.values.of(target):
                yield target if path else _first_use(handler.func, target)
    for func in reached(facts, handler):
        for node in func.parts():
            is_claim = _is_claim(facts, node, event, is_open=is_open) and not _is_receiver(node)
            if is_claim or _saves_payload(facts, node):
                yield node


def _is_used(func: Func, target: Node) -> bool:
    name = getattr(target, "name", "")
    return any(isinstance(node, Name) and node.name == name and node is not target for node in func.parts())


def _first_use(func: Func, target: Node) -> Node:
    """Return the first expression in `func` that uses the parameter `target`.

    If there is none, the result is `target` itself.
    """
    name = getattr(target, "name", "")
    return next((node for node in func.parts() if isinstance(node, Name) and node.name == name), target)


def _says_who(name: str, event: str, *, is_open: bool) -> bool:
    """Tell whether a payload's field says who the client is.

    `name` is the name of the field, and `event` the name of the event. A name that users choose in this event, such as
    a nickname, does not count. The field "name" counts only in an app without accounts (`is_open`).
    """
    if name == "name":
        return is_open and not TARGETS.search(event) and not CHOOSING.search(event) and not THINGS.search(event)
    if (name.lower() == "role" and "role" in event.lower()) or (NEUTRAL.match(name) and TARGETS.search(event)):
        return False
    chosen = CHOSEN_OPENLY if is_open else CHOSEN
    return bool(WHO.match(name)) and not (chosen.match(name) and CHOOSING.search(event))


def _is_bare_id(name: str, event: str) -> bool:
    return name.lower() == "id" and bool(IDENTIFYING.search(event)) and not THINGS.search(event)


def _is_wrapped(func: Func) -> bool:
    """Tell whether a decorator may change the parameters of the handler `func`.

    Only known decorators, such as `@SubscribeMessage`, do not change them.
    """
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


def _is_receiver(node: Node) -> bool:
    """Tell whether `node` only says who receives an emit, as in `io.to(data.userId)`."""
    for call in enclosing(node, Call):
        if isinstance(call, Call) and last_name(call) in ("to", "in"):
            return any(part is node for arg in call.args for part in arg.walk())
    return False


def _is_called(node: Node) -> bool:
    """Tell whether `node`, such as `data.from`, is called as a method."""
    return isinstance(node.parent, Call) and node.parent.func is node


def _saves_payload(facts: Facts, node: Node) -> bool:
    """Tell whether `node` saves a client's whole payload to a database.

    An example is the call `Message.create(data)`. Then the database contains the sender that the client has written
    into the payload.
    """
    if not isinstance(node, Call) or not is_database_write(facts, node):
        return False
    return any(isinstance(arg, Name) and facts.is_client(arg) and WHOLE_PAYLOAD.search(arg.name) for arg in node.args)


def handshake_claims(facts: Facts, func: Func) -> Iterator[Node]:
    """Yield the parts of `func` that read an identity from the handshake.

    The identity is that of the client. An example is `socket.handshake.auth.userId`. An id that decides what the client
    may see, such as `tenant_id`, counts as an identity. A call that decodes a token without verifying it counts, too.
    Each result is a node of the syntax tree.
    """
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
    """Return the name of the object whose method is called. Without such a name, return ""."""
    obj = call.func.obj if isinstance(call.func, Member) else None
    return obj.name if isinstance(obj, Name | Member) else ""


def _decides(name: str) -> bool:
    return bool(WHO.match(name) or WHERE.match(name))


def proves_itself(facts: Facts, handler: Handler) -> bool:
    """Tell whether a handler checks a client's identity with a secret.

    That is so if one call looks up both the identity and the secret, and the client sent both. An example is
    `Driver.findOne({ id: data.id, accessToken: data.token })`.
    """
    for func in reached(facts, handler):
        for call in func.parts():
            given = [*call.args, *(value for _, value in call.keywords)] if isinstance(call, Call) else []
            if given and PROOFS.match(last_name(call)):
                named = [part for arg in given for part in arg.walk() if isinstance(part, Name | Member)]
                sent = [part.name for part in named if facts.values.of(part) & CLAIMED]
                if any(SECRET.search(name) for name in sent) and any(not SECRET.search(name) for name in sent):
                    return True
    return False


def has_accounts(facts: Facts) -> bool:
    """Tell whether the app has accounts, so that clients are users.

    That is so if a middleware, or the handler of a connect or an event, verifies the client. It is also so if an event
    handler uses a verified identity or data of the handshake, or if clients send an id or email as their own.
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
