"""Writes the lines of a fix that set `socket.data.user`.

Many fixes read this field, which holds the verified user. If the checked code does not set it, the fix shows how: with
the token or the session that the code already uses for its HTTP requests.
"""

import re

from lab.check.dialects import Dialect
from lab.check.login import UNKNOWN, USER_ID, Login

# where the fixes of the rules keep the verified user
KEPT = re.compile(r"\b(socket|client)\.data\.user\b(\.id\b)?")
# in a fix that sets the user itself
SETTER = re.compile(r"data\.user = |verifyToken")
# the lines, by how the checked code recognises users in HTTP requests; "" if that is not known
SETS_USER: dict[Dialect, dict[str, str]] = {
    "node": {
        "": """
// if nothing sets socket.data.user yet{place}
// (a client without a token is then refused; page, after its login: {page})
io.use((socket, next) => verify({token}).then( // write `verify`
  (user) => {{ socket.data.user = user; next(); }}, next));""",
        "token": """
// if nothing sets socket.data.user yet{place}
// (a client without it is then refused; page, after its login: {page})
io.use((socket, next) => jwt.verify({token},
  {secret}, (error, user) => {{ socket.data.user = user; next(error ?? undefined); }}));""",
        "session": """
// if nothing sets socket.data.user yet{place}
// (`sessionMiddleware` is made there, and given to app.use, too; page, after its login: {page})
io.use((socket, next) => sessionMiddleware(socket.request, {{ getHeader: () => [], setHeader() {{}} }}, next));
io.use((socket, next) => {{ socket.data.user = {user};
  next({session} ? undefined : new Error("unauthorized")); }});""",
    },
    "nest": {
        "": """
// if nothing sets client.data.user yet{place}
afterInit(server: Server) {{ server.use(verifyToken); }} // write `verifyToken`""",
        "service": """
// if nothing sets client.data.user yet{place}
// (a client without it is then refused; page, after its login: {page})
afterInit(server: Server) {{ server.use((client, next) => {service}.verifyAsync({token})
  .then((user) => {{ client.data.user = user; next(); }}, next)); }} // inject JwtService""",
        "token": """
// if nothing sets client.data.user yet{place}
// (a client without it is then refused; page, after its login: {page})
afterInit(server: Server) {{ server.use((client, next) => jwt.verify({token},
  {secret}, (error, user) => {{ client.data.user = user; next(error ?? undefined); }})); }}""",
    },
}
PLACE = {"": "", "token": ": with the token that {} checks, too", "session": ": with the session of {}"}
NO_FIELD = {"": "", "token": "; its id may have another name", "session": "; the user may have another name there"}
OTHER_KEY = "; the id is {} or {}"
NO_LOGIN = "\n// an app without a login: in place of the token, each page sends a random id that it keeps secret"
COOKIE = 'cookie.parse({}.handshake.headers.cookie ?? "").'
SESSION_PAGE = "io({ withCredentials: true }); server: cors: { credentials: true }"
COOKIE_PAGE = f"{SESSION_PAGE}; npm i cookie"


def lines_that_set_user(code: str, dialect: Dialect, login: Login = UNKNOWN) -> str:
    """Return the lines of code that set the user which `code` reads.

    `code` is the code of a fix, for the Socket.IO API `dialect`. `login` says how the checked code recognises a user in
    an HTTP request. The result is "" if `code` reads no user, or sets it itself.
    """
    forms = SETS_USER.get(dialect)
    if forms is None or not KEPT.search(code) or SETTER.search(code):
        return ""
    socket = "client" if dialect == "nest" else "socket"
    session = f"socket.request.session?.{login.field or 'user'}"
    lines = forms[_form(login, dialect)].format(
        place=PLACE[login.kind].format(login.place) + _doubt(login),
        token=COOKIE.format(socket) + login.cookie if login.cookie else f"{socket}.{login.sent}",
        page=SESSION_PAGE if login.kind == "session" else COOKIE_PAGE if login.cookie else _page(login.sent),
        secret=login.secret,
        service=login.service,
        session=session,
        user=f"{{ id: {session} }}" if USER_ID.fullmatch(login.field) else session,
    )
    return lines if login.kind or dialect == "nest" else lines + NO_LOGIN


def _form(login: Login, dialect: Dialect) -> str:
    """Return the key of `SETS_USER[dialect]` that fits a login.

    `login` says how the checked code recognises a user. The value of the key is code that sets the verified user.
    """
    if login.kind == "session" and dialect == "node":
        return "session"
    if login.service and dialect == "nest":
        return "service"
    return "token" if login.secret else ""


def _doubt(login: Login) -> str:
    """Return a note if the name of a field is not certain.

    The field holds the user or the user's id, in a token or a session. If there is nothing to note, return "".
    """
    if not login.field:
        return NO_FIELD[login.kind]
    return OTHER_KEY.format(login.field, login.other) if login.other else ""


def _page(sent: str) -> str:
    """Return the JavaScript with which a page sends its token.

    `sent` is the field of the handshake that gets the token. An example is "handshake.query.token".
    """
    _, option, key = sent.split(".")
    field = "token" if key == "token" else f"{key}: token"
    return f"io({{ query: {{ {field} }} }})" if option == "query" else f"io({{ auth: (set) => set({{ {field} }}) }})"


def id_key(login: Login) -> str:
    """Return the key of the user's id in `socket.data.user`.

    The code from `lines_that_set_user` sets a user that has this key.
    """
    return login.field if login.kind == "token" and login.field else "id"
