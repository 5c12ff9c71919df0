"""Writes how to fix a finding, with names from the checked code."""

import re
from typing import NamedTuple

from lab.check.dialects import Dialect
from lab.check.facts import Facts
from lab.check.identity import verifies
from lab.check.ir import Assign, Const, Member, Name, Node, Record
from lab.check.model import Hit, Rule
from lab.check.tags import CLAIMED, Tag

# where the fixes of the rules keep the verified user
KEPT = re.compile(r"\b(socket|client)\.data\.user\b(\.id\b)?")
# the socket in the code of a fix
SOCKET = re.compile(r"\b(?:socket|client)(?=\.(?!io\b)|[,:])")
# fields of a socket that hold the user, or the user's id
USER = re.compile(r"(current_?)?user", re.I)
USER_ID = re.compile(r"(user_?id|uid)", re.I)
# keys of a user object under which its id may stand
ID_KEY = re.compile(r"_?id|sub|user_?id|uid", re.I)
# lines that a fix needs in addition if the checked code does not set the user
SETS_USER: dict[Dialect, str] = {
    "node": (
        "\nio.use((socket, next) => verify(socket.handshake.auth.token).then( // if nothing sets socket.data.user yet"
        "\n  (user) => { socket.data.user = user; next(); }, next)); // write `verify`; page: io({ auth: { token } })"
    ),
    "nest": "\nafterInit(server: Server) { server.use(verifyToken); } // write it, if nothing sets client.data.user",
}
# in a fix that has such lines itself
SETTER = re.compile(r"data\.user = |verifyToken")
# the call that names a room in JavaScript, and the word for that room in a fix
NAMES_ROOM = re.compile(r"\.(?:join|to|in)\(")
ROOM = re.compile(r"(?<=[ (])room(?=\))")
LONGEST_ROOM = 40
# the end of a comment that says where a line of a fix belongs
AT_CONNECT = re.compile(r"(?<= in )(io\.on\(.connection., …\)|handleConnection|the connect handler)$", re.M)
CLIENT_TRUSTED = "08"


class _User(NamedTuple):
    """Names of socket fields that hold the verified user and its id.

    Examples are `data.user` and `data.user.id`. If the checked code keeps only the id, `field` and `id` are equal.
    """

    field: str
    id: str


def fix_of(facts: Facts, rule: Rule, hit: Hit) -> str:
    """Return the text that says how to fix a finding.

    `hit` is the place where `rule` found a mistake. The text is written for the Socket.IO API that the file uses; it is
    "" if the rule has no fix for this API. If possible, the example code in the text has names from the checked code:
    the socket, the field that holds the user, and the room that the client chooses. If there is only one connect
    handler, the text also says where this handler is.
    """
    prose, *code = rule.fix.get(facts.dialect(hit.path), "").split("\n")
    fix = "".join(f"\n{line}" for line in code)
    if AT_CONNECT.search(fix) and (place := facts.once(_connect_handler)):
        where = f"line {place[1]}" if place[0] == hit.path else f"{place[0]}:{place[1]}"
        fix = AT_CONNECT.sub(lambda found: f"{found[0]}: {where}", fix)
    if KEPT.search(fix):
        if user := facts.once(_user):
            fix = KEPT.sub(lambda kept: f"{kept[1]}.{user.id if kept[2] else user.field}", fix)
        else:
            fix += lines_that_set_user(fix, facts.dialect(hit.path))
    if facts.dialect(hit.path) in SETS_USER and SOCKET.search(fix) and (name := facts.once(_socket_name)):
        fix = SOCKET.sub(name, fix)
    # other rules may stand at a line of a database, whose queries have methods of these names
    if rule.mistake == CLIENT_TRUSTED and (room := _room_at(facts, hit)):
        fix = ROOM.sub(lambda _: room, fix)
    return prose + fix


def lines_that_set_user(code: str, dialect: Dialect) -> str:
    """Return the lines of code that set the user which `code` reads.

    `code` is the code of a fix, for the Socket.IO API `dialect`. The result is "" if `code` reads no user, or sets it
    itself.
    """
    return SETS_USER.get(dialect, "") if KEPT.search(code) and not SETTER.search(code) else ""


def _connect_handler(facts: Facts) -> tuple[str, int] | None:
    """Return the path and the line of the only connect handler.

    Return None if there is no connect handler, or more than one.
    """
    found = {(handler.module.path, handler.func.line) for handler in facts.handlers.all if handler.kind == "connect"}
    return found.pop() if len(found) == 1 else None


def _socket_name(facts: Facts) -> str | None:
    """Return the name that all connect handlers give their socket, or None."""
    sockets = [
        handler.func.params[0].target
        for handler in facts.handlers.all
        if handler.kind == "connect" and handler.func.params
    ]
    names = {socket.name if isinstance(socket, Name) else None for socket in sockets}
    return names.pop() if len(names) == 1 else None


def _user(facts: Facts) -> _User | None:
    """Return the socket fields where middleware keeps the verified user, or None."""
    if not verifies(facts, "connect", "middleware"):
        return None
    found = [
        _kept(node.target, node.value)
        for _, node in facts.nodes(Assign)
        if isinstance(node, Assign) and isinstance(node.target, Member) and _is_verified(facts, node, node.target.obj)
    ]
    users = [user for user, name in found if USER.fullmatch(name)]
    ids = [user for user, name in found if USER_ID.fullmatch(name)]
    return next(iter(users + ids), None)


def _kept(target: Member, value: Node) -> tuple[_User, str]:
    """Return the socket fields in which an assignment keeps a user.

    The assignment is `target = value`. The first result has the fields of the user and of the user's id, such as
    `data.user` and `data.user.id`. The second result is the name of the assigned field, such as `user`.
    """
    is_data = isinstance(target.obj, Member) and target.obj.name == "data"
    field = f"data.{target.name}" if is_data else target.name
    if USER_ID.fullmatch(target.name):
        return _User(field, field), target.name
    key = next(iter(_ids_in(value)), "id")
    return _User(field, f"{field}.{key}"), target.name


def _ids_in(value: Node) -> dict[str, Node]:
    """Return the values in an object literal that can be an id.

    `value` is the literal. A value that can be an id has a key like `id` or `user_id`. The result maps these keys to
    their values.
    """
    items = value.items if isinstance(value, Record) else []
    return {
        key.value: part
        for key, part in items
        if isinstance(key, Const) and isinstance(key.value, str) and ID_KEY.fullmatch(key.value)
    }


def _is_verified(facts: Facts, node: Assign, owner: Node) -> bool:
    """Tell whether middleware sets a field to a verified value.

    `node` is the assignment, and `owner` is the object that has the field: a socket or its `data`. A value that the
    client chose is not verified. If the value is an object literal with an id, only the id must be verified. The user's
    name, for example, can be chosen by the client.
    """
    socket = owner.obj if isinstance(owner, Member) and owner.name == "data" else owner
    chosen = list(_ids_in(node.value).values()) or [node.value]
    if not facts.values.of(socket) & Tag.SOCKET or any(facts.values.of(value) & CLAIMED for value in chosen):
        return False
    return any(handler.kind == "middleware" for handler in facts.handlers_at(node))


def _room_at(facts: Facts, hit: Hit) -> str:
    """Return the room expression in a hit's line as text, or "".

    A hit is a place where a rule found a mistake. An expression longer than `LONGEST_ROOM` characters gives "", too.
    """
    lines = facts.sources[hit.path].lines
    line = lines[hit.node.line - 1] if 0 < hit.node.line <= len(lines) else ""
    call = NAMES_ROOM.search(line)
    if call is None:
        return ""
    depth = 1
    for place in range(call.end(), len(line)):
        depth += {"(": 1, ")": -1}.get(line[place], 0)
        if depth == 0:
            room = line[call.end() : place].strip()
            return room if 0 < len(room) <= LONGEST_ROOM else ""
    return ""
