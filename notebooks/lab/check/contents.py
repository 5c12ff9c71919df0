"""Finds out what the collections and fields in checked code contain.

For example, it finds out that the elements of a list are socket ids.
"""

import re

from lab.check.answers import Answers
from lab.check.ir import Assign, Call, Class, Const, Field, Index, Member, Name, Node, Record, This
from lab.check.names import last_name
from lab.check.places import is_entry, place_of
from lab.check.project import Project
from lab.check.scopes import Path, Variable, class_of, field_type, lookup
from lab.check.tags import CLAIMED, OTHER_SOCKETS, SERVER_CHAIN, SOCKET_CHAIN, SOCKETS_TYPE, STATE_FIELDS, Tag
from lab.check.uses import Content, Uses


def is_injected_server(cls: Class, name: str) -> bool:
    """Tell whether the field `name` of `cls` has NestJS's decorator `@WebSocketServer()`."""
    marks = (mark for part in cls.body if isinstance(part, Field) and part.name == name for mark in part.decorators)
    return any(last_name(mark) == "WebSocketServer" for mark in marks)


def has_sockets(expr: Node) -> bool:
    """Tell whether `expr.sockets` is Socket.IO's own collection of sockets.

    The result is True for `io.sockets.sockets` and `io.of(name).sockets`. It is False for `io.sockets`, which is a
    namespace.
    """
    if isinstance(expr, Member):
        return expr.name in ("sockets", "nsp", "server")
    return isinstance(expr, Call)


def _mapping(entries: Node) -> Node | None:
    """Return the collection whose keys and values `entries` lists, or None.

    For `Object.entries(users)` and `users.items()` the result is `users`.
    """
    match entries:
        case Call(func=Member(obj=Name(name="Object"), name="entries"), args=[mapping]):
            return mapping
        case Call(func=Member(obj=mapping, name="entries" | "items"), args=[]):
            return mapping
    return None


class Contents(Answers):
    """Finds out what the collections and fields in checked code contain.

    For example, it finds out that the elements of a list are sockets.
    """

    def __init__(self, project: Project) -> None:
        super().__init__()
        self.project = project
        self.uses = Uses()

    def held(self, collection: Node, part: str = "values") -> Tag:
        """Return what is known of values that code reads from `collection`.

        `part` says what the code reads: the "values" of the collection, its "keys", its pairs of key and value
        ("items"), or what a loop over the collection gives ("each"). An example of a result is `Tag.IDS`: ids of
        sockets.
        """
        place = place_of(self.project, collection)
        found = Tag.SOCKET | Tag.STORED | Tag.KEPT if SOCKETS_TYPE.search(self._type_of(collection)) else Tag.NONE
        whole = isinstance(collection, Name | Member)
        # keys of an inner collection are no keys of the outer one
        is_outer = whole and not is_entry(self.project, collection)
        for content in self.uses.of_place(place):
            # what is put into an entry of a collection is no element of the collection itself
            inner = whole and content.key is None and content.is_nested
            found |= Tag.STORED | Tag.KEPT
            if part != "keys" and not (inner and part in ("each", "items")):
                tags = self.of(content.value)
                found |= tags & Tag.SOCKET
                if Tag.SID in tags and (content.key is None or part != "each") and not self._is_field(content):
                    found |= Tag.IDS
            if part != "values" and Tag.SID in self.of(content.key) and not (is_outer and content.is_deep):
                found |= Tag.IDS
        return found

    def _is_field(self, content: Content) -> bool:
        """Tell whether an assignment sets a field of a collection's element.

        An example is `player["sid"] = sid`, where `player` was read from a collection before. `content` has the
        assignment.
        """
        match content:
            case Content(key=Const(), write=Assign(target=Index(obj=Name() as element))):
                return isinstance(self.project.meaning(element), Call | Index | Variable)
        return False

    def _type_of(self, expr: Node) -> str:
        """Return the declared type of a field such as `this.clients`, or ""."""
        cls = class_of(expr) if isinstance(expr, Member) and isinstance(expr.obj, This) else None
        return self.own_type(cls, expr.name) if cls is not None and isinstance(expr, Member) else ""

    def own_type(self, cls: Class, name: str) -> str:
        """Return the type annotation of a class's field, or "".

        The result is also "" if the type names a socket of a library other than the Socket.IO server.
        """
        text = field_type(cls, name)
        return "" if any(self._is_foreign(cls, found) for found in re.findall(r"\w*Socket\w*", text)) else text

    def _is_foreign(self, place: Node, name: str) -> bool:
        """Tell whether the type `name` is the socket of another library.

        Another library is, for example, Node's `net` or the client library of Socket.IO. `place` is a syntax-tree node
        in the file whose imports are searched for `name`.
        """
        variable = lookup(self.project.module_of(place), place, name)
        source = variable.imported[0] if variable is not None and variable.imported is not None else ""
        return source.removeprefix("node:") in OTHER_SOCKETS

    def holds_in(self, collection: Node, name: str) -> bool:
        """Tell whether the field `name` of a collection's elements holds socket ids.

        That is so for the field "sid" if the code puts an object literal such as `{ sid: socket.id }` into
        `collection`.
        """
        records = (content.value for content in self.uses.of_place(place_of(self.project, collection)))
        return any(
            isinstance(record, Record)
            and any(getattr(key, "value", None) == name and Tag.SID in self.of(value) for key, value in record.items)
            for record in records
        )

    # --- steps into a value ---

    def along(self, tags: Tag, path: Path, place: Node) -> Tag:
        mapping = _mapping(place) if path[1:2] == (("item", "0"),) else None
        if mapping is not None:
            tags, path = tags & (CLAIMED | Tag.USER | Tag.STORED) | self.held(mapping, "keys"), path[2:]
            return self.along(tags, path, mapping) if path else tags
        if Tag.SOCKETS in tags and path[1:2] == (("item", "1"),):
            # the second of two, in `for (const [id, socket] of io.sockets.sockets)`
            path = (path[0], *path[2:])
        for number, step in enumerate(path):
            tags = self.step(tags, step[1] if step[0] == "field" else "")
            if number == 0 and step[0] != "field":
                tags |= self.held(place, "each")
        return tags

    def step(self, tags: Tag, name: str) -> Tag:
        """Return what is known of one field of a value.

        `tags` says what is known of the value. `name` is the name of the field, or "" for an element of a collection.
        For the handler's socket and the field "id", the result is `Tag.SID`.
        """
        found = tags & (CLAIMED | Tag.USER | Tag.STORED)
        # an element
        if not name:
            found |= tags & (Tag.IDS | Tag.KEPT | (Tag.SOCKET if Tag.KEPT in tags else Tag.NONE))
        if Tag.SOCKETS in tags and name == "sockets":
            return Tag.SOCKETS
        if Tag.SOCKETS in tags:
            found |= Tag.SOCKET | Tag.STORED
        if Tag.SOCKET in tags:
            found |= self._of_socket(name, tags)
        if Tag.SERVER in tags:
            if name in SERVER_CHAIN or not name:
                found |= Tag.SERVER
            if name in ("sockets", "connected"):
                found |= Tag.SOCKETS
        return found

    def _of_socket(self, name: str, tags: Tag) -> Tag:
        if name in ("id", "sid"):
            # the id of another socket, which was looked up
            return Tag.IDS | Tag.STORED if Tag.STORED in tags else Tag.SID
        if name == "handshake":
            return Tag.HANDSHAKE
        if name in SOCKET_CHAIN:
            return Tag.SOCKET
        if name in ("server", "nsp"):
            return Tag.SERVER
        written = Tag.NONE
        for obj, value in self.uses.on_field.get(name, []):
            if Tag.SOCKET in self.of(obj):
                written |= self.of(value) & (CLAIMED | Tag.USER | Tag.STORED)
        if written:
            return written
        return Tag.USER if STATE_FIELDS.match(name) else Tag.NONE
