"""Collects the names in an expression, and recognises names of socket ids."""

import re
from collections.abc import Iterator

from lab.check.ir import Call, Const, Index, Member, Name, Node

# longer strings are sentences
LONGEST_WORD = 30
# variables and fields that hold the id of a socket, of one connection or of a client
ID = re.compile(
    # socket_id, clientSocketIds, connectionId
    r"(?i:(^|_|[a-z0-9])(socket|client|connection|conn)_?ids?$)"
    # sid, user_sids
    r"|(?i:^sids?$|_sids?$)"
    # userSid, driverSocketIDs; not campusId
    r"|[a-z](Sid|SID|SocketIDs?)s?$"
)
# these alone often are ids of a customer, or of a connection to something else
UNCLEAR_ID = re.compile(r"^(client|connection|conn)_?ids?$", re.I)
# the same for lists, whatever comes before: activeClientIds
UNCLEAR_IDS = re.compile(r"(client|connection|conn)_?ids?$", re.I)
# functions that return ids of sockets: getSocketId(), findSocketIdsByUser(), user_sid()
ID_GETTER = re.compile(r"(?i:(socket|sock)_?ids?((_?by|_?of|_?for)_?[a-z]+)?$|(^|_)sids?$)|Sids?$")
# functions that get something else with such an id: roomsBySocketId(), room_of_sid()
BY_ID = re.compile(r"(by|of|for|from|with)_?((socket|sock)_?id|sid)s?$", re.I)
# events of a call between two clients, which one of them names
CALL = re.compile(r"invit|(^|[^a-z])(call|ring)|offer|answer|(^|[^a-z])ice|candidate|sdp|rtc", re.I)


def names_in(node: Node) -> Iterator[str]:
    """Yield all names and short strings in an expression."""
    for part in node.walk():
        if isinstance(part, (Name, Member)):
            yield part.name
        elif isinstance(part, Const) and isinstance(part.value, str) and len(part.value) < LONGEST_WORD:
            yield part.value


def last_name(node: Node | None) -> str:
    """Return the name of a variable, field, called function or decorator.

    `io.to` and `io.to(room)` both give "to". Any other expression gives "".
    """
    func = node.func if isinstance(node, Call) else node
    return func.name if isinstance(func, (Member, Name)) else ""


def is_id_name(expr: Node) -> bool:
    """Tell whether `expr` has a name that suggests a socket id.

    Examples are `socketId` and `user["socket_id"]`.
    """
    match expr:
        case Name(name=name) | Member(name=name):
            return bool(ID.search(name)) and not UNCLEAR_ID.match(name)
        case Index(obj=obj, key=key):
            text = str(getattr(key, "value", ""))
            return bool(ID.search(text)) or (not text and is_id_name(obj))
        case Call(func=Member(obj=obj, name="get"), args=[key, *_]):
            text = str(getattr(key, "value", ""))
            return bool(text and ID.search(text)) or is_id_name(obj)
        case Call(func=Member(name="hget" | "hGet"), args=[_, key]):
            return bool(ID.search(str(getattr(key, "value", ""))))
        case Call(func=(Name(name=name) | Member(name=name))):
            return bool(ID_GETTER.search(name)) and not BY_ID.search(name)
    return False
