"""Writes how to fix a finding, with names from the checked code."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from lab.check.dialects import Dialect
from lab.check.facts import Facts
from lab.check.identity import verifies
from lab.check.ir import Assign, Member, Name, Node
from lab.check.login import USER, USER_ID, ids_in, login_of
from lab.check.model import Hit, Rule
from lab.check.own_rooms import is_named_for_user, is_shared_room, joined_room
from lab.check.set_user import KEPT, SETS_USER, id_key, lines_that_set_user
from lab.check.tags import CLAIMED, Tag

# the socket in the code of a fix
SOCKET = re.compile(r"\b(?:socket|client)(?=\.(?!io\b)|[,:])")
# the call that names a room in JavaScript, and the word for that room in a fix
NAMES_ROOM = re.compile(r"\.(?:join|to|in)\(")
ROOM = re.compile(r"(?<=\()room(?=\))")
# what the client chose of this room, as the argument of a check
CHOSEN = re.compile(r"(?<=, )room(?=\))")
# a template string with one inserted value
TEMPLATE = re.compile(r"`[^`$]*\$\{([^{}]+)\}[^`$]*`")
LONGEST_ROOM = 40
# in a fix, a join of the user's own room at each connection, and the name of this room
JOIN_OWN = re.compile(r"\n[^\n]*\.join\(`user:[^\n]*// in [^\n]*")
OWN = re.compile(r"\buser:(\$\{[^}]*\})")
# the end of a line that is only for a user's own room
IF_OWN = "instead, if it is the user's own room"
# the end of a comment that says where a line of a fix belongs
AT_CONNECT = re.compile(r"(?<= in )(io\.on\(.connection., …\)|handleConnection|the connect handler)$", re.M)
CLIENT_TRUSTED = "08"
# the first of the characters for private use, which no text of a fix has
FIRST_MARK = 0xE000


class _User(NamedTuple):
    """Names of socket fields that hold the verified user and its id.

    Examples are `data.user` and `data.user.id`. If the checked code keeps only the id, `field` and `id` are equal.
    """

    field: str
    id: str


@dataclass
class _Draft:
    """The example code of a fix, before it is finished.

    General names in this code are replaced by names from the checked code. Text in `quoted` is inserted last: until
    then, a placeholder character is in its place, so that no replacement changes the text.
    """

    facts: Facts
    hit: Hit
    code: str
    quoted: dict[str, str] = field(default_factory=dict)

    @property
    def dialect(self) -> Dialect:
        """The Socket.IO API that the file with the finding uses."""
        return self.facts.dialect(self.hit.path)

    def quote(self, text: str) -> str:
        """Return a character that `finished` later replaces by `text`. For an empty text, return ""."""
        mark = chr(FIRST_MARK + len(self.quoted))
        self.quoted[mark] = text
        return mark if text else ""

    def where(self, path: str, line: int) -> str:
        """Return a placeholder for a path and line number. For the file of the finding, the path is left out."""
        return self.quote(f"line {line}" if path == self.hit.path else f"{path}:{line}")

    def finished(self) -> str:
        """Return the code, with each placeholder replaced by its text."""
        return "".join(self.quoted.get(character, character) for character in self.code)


def fix_of(facts: Facts, rule: Rule, hit: Hit) -> str:
    """Return the text that says how to fix a finding.

    `hit` is the place where `rule` found a mistake. The text is written for the Socket.IO API that the file uses; it is
    "" if the rule has no fix for this API. If possible, the example code in the text has names from the checked code:
    the socket, the field that holds the user, and the room that the client chooses. If there is only one connect
    handler, the text also says where this handler is.
    """
    prose, *code = rule.fix.get(facts.dialect(hit.path), "").split("\n")
    draft = _Draft(facts, hit, "".join(f"\n{line}" for line in _for_room(facts, hit, code)))
    _name_own_room(draft)
    _name_connect_handler(draft)
    _name_user(draft)
    _name_socket(draft)
    # other rules may stand at a line of a database, whose queries have methods of these names
    if rule.mistake == CLIENT_TRUSTED:
        _name_room(draft)
    return prose + draft.finished()


def _name_own_room(draft: _Draft) -> None:
    """Name the user's room in the fix if each connection joins it."""
    if OWN.search(draft.code) and (own := draft.facts.once(joined_room)):
        room = draft.quote(_room_text(draft.facts, own.path, own.line) or "the user's room")
        joined = f"\n// each connection joins {room} already: {draft.where(own.path, own.line)}"
        draft.code = OWN.sub(lambda found: own.shape.replace("*", found[1]), JOIN_OWN.sub(joined, draft.code))


def _name_connect_handler(draft: _Draft) -> None:
    """Write into the fix where the connect handler is. If there is not exactly one, write nothing."""
    if AT_CONNECT.search(draft.code) and (place := draft.facts.once(_connect_handler)):
        draft.code = AT_CONNECT.sub(lambda found: f"{found[0]}: {draft.where(*place)}", draft.code)


def _name_user(draft: _Draft) -> None:
    """Put into the fix the field that holds the verified user.

    If the checked code has no such field, lines that set this field are added to the fix.
    """
    if not KEPT.search(draft.code):
        return
    if user := draft.facts.once(_user):
        draft.code = KEPT.sub(lambda kept: f"{kept[1]}.{user.id if kept[2] else user.field}", draft.code)
        return
    login = draft.facts.once(login_of)
    # it may be undefined, which TypeScript's strict mode refuses
    is_loose = login.secret.startswith("process.env.") and draft.hit.path.endswith((".ts", ".tsx"))
    secret = draft.quote(login.secret + "!" if is_loose else login.secret)
    marked = login._replace(place=draft.quote(login.place), secret=secret)
    draft.code += lines_that_set_user(draft.code, draft.dialect, marked)
    draft.code = KEPT.sub(lambda kept: f"{kept[1]}.data.user{f'.{id_key(login)}' if kept[2] else ''}", draft.code)


def _name_socket(draft: _Draft) -> None:
    """Put the connect handlers' name for the socket into the fix."""
    if draft.dialect in SETS_USER and SOCKET.search(draft.code) and (name := draft.facts.once(_socket_name)):
        draft.code = SOCKET.sub(name, draft.code)


def _name_room(draft: _Draft) -> None:
    """Put the room of the finding's line into the fix.

    A permission check in the fix gets only the part that the client chose, such as `id` in `job:${id}`.
    """
    if room := _room_text(draft.facts, draft.hit.path, draft.hit.node.line):
        chosen = found[1] if (found := TEMPLATE.fullmatch(room)) else room
        draft.code = CHOSEN.sub(lambda _: chosen, ROOM.sub(lambda _: room, draft.code))


def _for_room(facts: Facts, hit: Hit, code: list[str]) -> list[str]:
    """Return the lines of a fix that fit a join's room.

    One line is only for the user's own room, and the others are only for rooms of several users. If the kind of the
    room is not clear, all lines are returned.
    """
    own = [line for line in code if line.endswith(IF_OWN)]
    if not own or hit.part is None:
        return code
    if is_named_for_user(facts, hit.part):
        return [line.replace(IF_OWN, "in place of this join; an emit names the same room") for line in own]
    return [line for line in code if line not in own] if is_shared_room(facts, hit.part) else code


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
    key = next(iter(ids_in(value)), "id")
    return _User(field, f"{field}.{key}"), target.name


def _is_verified(facts: Facts, node: Assign, owner: Node) -> bool:
    """Tell whether middleware sets a field to a verified value.

    `node` is the assignment, and `owner` is the object that has the field: a socket or its `data`. A value that the
    client chose is not verified. If the value is an object literal with an id, only the id must be verified. The user's
    name, for example, can be chosen by the client.
    """
    socket = owner.obj if isinstance(owner, Member) and owner.name == "data" else owner
    chosen = list(ids_in(node.value).values()) or [node.value]
    if not facts.values.of(socket) & Tag.SOCKET or any(facts.values.of(value) & CLAIMED for value in chosen):
        return False
    return any(handler.kind == "middleware" for handler in facts.handlers_at(node))


def _room_text(facts: Facts, path: str, number: int) -> str:
    """Return the room expression in a line as text, or "".

    `number` is the number of the line in the file `path`. An expression longer than `LONGEST_ROOM` characters gives "",
    too.
    """
    lines = facts.sources[path].lines
    line = lines[number - 1] if 0 < number <= len(lines) else ""
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
