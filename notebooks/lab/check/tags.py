"""Tags, which say what a value in the checked code is.

For example, the value is a socket, or the client has sent it. The module also has the names of functions, methods and
fields that give a value its tags.
"""

import re
from enum import Flag, auto


class Tag(Flag):
    """What a value in the checked code is. Examples are a socket, and data that the client sent."""

    NONE = 0
    # a server, a namespace, or an emit chain that begins at one
    SERVER = auto()
    # the socket of the handler
    SOCKET = auto()
    # the library's own collection of sockets
    SOCKETS = auto()
    # the id of the handler's socket
    SID = auto()
    # sent in an event
    CLIENT = auto()
    # sent in the handshake
    HANDSHAKE = auto()
    # a verified identity, or state that the server keeps for the socket
    USER = auto()
    # read from a collection or a record
    STORED = auto()
    # the id of a socket, read from a collection
    IDS = auto()
    # read from a collection of the program, not of the library
    KEPT = auto()


# what a client chose: in an event or in the handshake
CLAIMED = Tag.CLIENT | Tag.HANDSHAKE
# what a value keeps when its form changes
DATA = CLAIMED | Tag.USER | Tag.SID | Tag.STORED | Tag.IDS

# --- servers and sockets ---

# dotted names of the calls that make a server
SERVER_MAKERS = re.compile(
    r"(socket\.io(\.Server|\.default)?"
    r"|socketio\.(Async)?(Server|SimpleServer)"
    r"|flask_socketio\.SocketIO"
    r"|aiohttp_socketio.*)$"
)
NAMESPACE_BASES = re.compile(r"(socketio|flask_socketio)\.(Async)?Namespace$")
# variables that hold a server, when nothing else is known of them
SERVER_NAMES = re.compile(
    r"(io|sio|socketio|socket_io|ioServer|socketServer|wss?Server|ioInstance|globalIo|_io)$", re.I
)
# the few of these names that are enough for an import from a file that is not checked
IMPORTED_SERVER = re.compile(r"(s?io|socketio)$")
# functions that return a server: getIO(), initSocketServer()
SERVER_GETTERS = re.compile(
    r"(get|use|init|create|setup)_?(io|socketio|socket_?io|socket_?server|sio)(instance|server)?$", re.I
)
# attributes and methods that give the same server or socket, with another aim
SERVER_CHAIN = {"of", "to", "in", "except", "volatile", "local", "compress", "timeout", "binary", "sockets"}
SOCKET_CHAIN = {"to", "in", "except", "broadcast", "volatile", "compress", "timeout", "local", "binary"}

# --- written types ---

SOCKET_TYPE = re.compile(
    r"^(\w+\.)?(\w*Socket(s|IO|Client|Connection|With\w+|Ext\w*|Type|T)?|Socket\w*(Socket|Client))(<.*>)?(\s*[&|].*)?$",
    re.S,
)
# packages whose sockets are of another kind
OTHER_SOCKETS = {"net", "tls", "dgram", "ws", "http", "socket.io-client"}
# a plain WebSocket, and servers whose names contain "Socket"
NO_SOCKET_TYPE = re.compile(r"WebSocket|SocketServer|SocketIO$")
# Map<string, Socket>, Socket[]
SOCKETS_TYPE = re.compile(r"(<|,\s*)(\w+\.)?\w*Socket\w*\s*[>,]|Socket\[\]")
SERVER_TYPE = re.compile(r"\b(Socket(IO)?|IO)?(Server|Namespace)\b|\bSocketIO\b|AsyncServer")

# --- functions ---

# functions that verify a token or a session, or look up the user of one
VERIFIERS = re.compile(
    r"(^_*verify_?(async|sync)?$|verif\w*(token|jwt|user|session|auth|socket|client|access|credential|cookie|signature|login|pass"
    r"|connection|identity|handshake|account|member|id$|request|key|me$)|authenticat"
    r"|validat\w*(token|session|user|jwt|auth)"
    r"|decode\w*token|jwt|check_?(token|auth)"
    r"|user_?from_?(token|session)|token_?to_?user"
    r"|get_session|getSession|current_?user|sessionFor|getUserFor)",
    re.I,
)
# functions whose result has the tags of their argument or object
PLAIN = re.compile(
    # conversions
    r"(String|Number|parseInt|parseFloat|Boolean|str|int|float|dict|list|set|tuple|toString|valueOf|ObjectId|toObject"
    # strings
    r"|trim|strip|lower|upper|toLowerCase|toUpperCase|split|replace|normalize|encode|decode|slice|concat|join"
    # JSON and models
    r"|parse|stringify|loads|dumps|json|model_validate|structuredClone"
    # objects and collections
    r"|assign|from|get|hasOwnProperty|isArray|items|values|keys|entries|copy|pop|shift|setdefault"
    r"|map|filter|flat|sort|sorted|min|max|reversed)$"
)
# modules and classes whose functions return their argument in another form
CONVERTERS = {"JSON", "json", "orjson", "Object", "Array", "Number", "String", "uuid", "_"}
CONVERTERS |= {"ObjectId", "Types", "mongoose"}
# functions that give a payload a checked form
FORMS = re.compile(
    r"(safe)?parse(_obj|_raw|Async)?$"
    r"|model_validate$|validate(_python|Sync|Async)?$"
    r"|plainTo(Instance|Class)$|from_dict$",
    re.I,
)
# methods that read from a collection
READERS = {"get", "values", "keys", "entries", "items", "find", "filter", "pop", "shift", "at", "copy"}

# --- state ---

# fields of a socket in which servers keep what they verified, such as `socket.user`
STATE_FIELDS = re.compile(
    r"(data|session|request|auth|decoded\w*"
    r"|identity|account|profile|member|player|role|me"
    r"|user|userId|user_id|uid|userData|currentUser|username)$",
    re.I,
)
# what Flask keeps for the user of a request
FLASK_STATE = {"flask.session", "flask.g", "flask_login.current_user"}


def tag_of_type(text: str) -> Tag:
    """Return `Tag.SERVER`, `Tag.SOCKET` or `Tag.NONE` for the text of a type annotation."""
    if SERVER_TYPE.search(text):
        return Tag.SERVER
    if SOCKET_TYPE.match(text) and not NO_SOCKET_TYPE.search(text):
        return Tag.SOCKET
    return Tag.NONE
