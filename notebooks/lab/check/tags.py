"""The marks that values carry, and the names by which APIs are known."""

import re
from enum import Flag, auto
from typing import Literal

# the API that a file uses: decides in which words a fix is given
Dialect = Literal["node", "nest", "python-socketio", "flask"]


class Tag(Flag):
    """What is known of a value."""

    NONE = 0
    SERVER = auto()  # a server, a namespace, or an emit chain that begins at one
    SOCKET = auto()  # the socket of the handler
    SOCKETS = auto()  # the library's own collection of sockets
    SID = auto()  # the id of the handler's socket
    CLIENT = auto()  # sent in an event
    HANDSHAKE = auto()  # sent in the handshake
    USER = auto()  # a verified identity, or state that the server keeps for the socket
    STORED = auto()  # read from a collection or a record
    IDS = auto()  # the id of a socket, read from a collection
    KEPT = auto()  # read from a collection of the program, not of the library


CLAIMED = Tag.CLIENT | Tag.HANDSHAKE
DATA = CLAIMED | Tag.USER | Tag.SID | Tag.STORED | Tag.IDS
SERVER_MAKERS = re.compile(
    r"(socket\.io(\.Server|\.default)?|socketio\.(Async)?(Server|SimpleServer)|flask_socketio\.SocketIO|aiohttp_socketio.*)$"
)
NAMESPACE_BASES = re.compile(r"(socketio|flask_socketio)\.(Async)?Namespace$")
SERVER_NAMES = re.compile(
    r"(io|sio|socketio|socket_io|ioServer|socketServer|wss?Server|ioInstance|globalIo|_io)$", re.I
)
SERVER_GETTERS = re.compile(
    r"(get|use|init|create|setup)_?(io|socketio|socket_?io|socket_?server|sio)(instance|server)?$", re.I
)
SERVER_CHAIN = {"of", "to", "in", "except", "volatile", "local", "compress", "timeout", "binary", "sockets"}
SOCKET_CHAIN = {"to", "in", "except", "broadcast", "volatile", "compress", "timeout", "local", "binary"}
SOCKET_TYPE = re.compile(r"^(\w+\.)?\w*Socket\w*(<.*>)?(\s*[&|].*)?$", re.S)
SOCKETS_TYPE = re.compile(r"(<|,\s*)(\w+\.)?\w*Socket\w*\s*[>,]|Socket\[\]")
SERVER_TYPE = re.compile(r"\b(Socket(IO)?|IO)?(Server|Namespace)\b|\bSocketIO\b|AsyncServer")
VERIFIERS = re.compile(
    r"(verify|authenticat|validat\w*(token|session|user|jwt|auth)|decode\w*token|jwt|check_?(token|auth)|"
    r"user_?from_?(token|session)|token_?to_?user|get_session|getSession|current_?user|sessionFor|getUserFor)",
    re.I,
)
PLAIN = re.compile(
    r"(String|Number|parseInt|parseFloat|Boolean|str|int|float|dict|list|set|tuple|toString|trim|strip|lower|upper|"
    r"toLowerCase|toUpperCase|parse|stringify|loads|dumps|assign|from|valueOf|get|slice|split|concat|encode|decode|"
    r"hasOwnProperty|ObjectId|isArray|items|values|keys|copy|pop|shift|join|map|filter|toObject|json|model_validate|"
    r"structuredClone|normalize|replace|setdefault|sort|sorted|min|max|reversed|entries|flat)$"
)
STATE_FIELDS = re.compile(
    r"(data|identity|user|userId|user_id|uid|userData|decoded\w*|auth|account|member|session|request|player|username|role|me|"
    r"profile|currentUser)$",
    re.I,
)
READERS = {"get", "values", "keys", "entries", "items", "find", "filter", "pop", "shift", "at", "copy"}
# what Flask keeps for the user of a request
FLASK_STATE = {"flask.session", "flask.g", "flask_login.current_user"}
# modules and classes whose functions return their argument in another form
CONVERTERS = {
    "JSON",
    "json",
    "Object",
    "Array",
    "Number",
    "String",
    "Types",
    "mongoose",
    "ObjectId",
    "orjson",
    "uuid",
    "_",
}
# functions that give a payload a checked form
FORMS = re.compile(
    r"(safe)?parse(_obj|_raw|Async)?$|model_validate$|validate(_python|Sync|Async)?$|plainTo(Instance|Class)$|from_dict$",
    re.I,
)
