"""Finds how the checked code recognises a user in an HTTP request.

The fix of a finding then shows how a socket recognises the same user: by the same token, or by the same session.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from lab.check.facts import Facts
from lab.check.flow import made_record, variable_of
from lab.check.ir import Call, Const, Func, Index, Member, Name, Node, Record, This
from lab.check.scopes import record_value

PLAIN_VERIFY = "jsonwebtoken.verify"
VERIFY = re.compile(r"(jsonwebtoken\.verify|jose\.jwtVerify)$")
SIGN = re.compile(r"jsonwebtoken\.sign$")
# methods of Nest's `JwtService`, and of objects with such a name
JWT_OBJECT = re.compile(r"jwt", re.I)
JWT_VERIFY = re.compile(r"verify(Async)?")
JWT_SIGN = re.compile(r"sign(Async)?")
SESSIONS = ("express-session", "cookie-session")
# `req.cookies.jwt`
COOKIE = re.compile(r"\bcookies\.(\w+)$")
# `socket.handshake.query.token`
SENT = re.compile(r"\.(handshake\.(?:auth|query)\.\w*(?:[tT]oken|jwt|JWT))$")
# tokens that do not log a user in
OTHER_TOKEN = re.compile(r"refresh|reset|e?mail|csrf|invit|verification|push|fcm|device", re.I)
# fields that hold the user, or the user's id
USER = re.compile(r"(current_?)?user", re.I)
USER_ID = re.compile(r"(user_?id|uid|_id)", re.I)
# keys of a user object under which its id may stand
ID_KEY = re.compile(r"_?id|sub|user_?id|uid", re.I)


class Login(NamedTuple):
    """How the checked code recognises a user in an HTTP request.

    `kind` is "token", "session", or "" if this is not known. `place` is where the code checks the token, or makes the
    session, such as "src/login.js:12". The other fields are "" if they are not known:

    - `field`: the token's key for the user's id, such as "sub", or the session's field for the user
    - `other`: another key for the user's id, which some tokens have
    - `secret`: the code of the secret, such as "process.env.JWT_SECRET", if the code only calls
      `jwt.verify(token, secret)` of jsonwebtoken
    - `service`: the code of a Nest service that verifies tokens, such as "this.jwtService"
    - `cookie`: the name of the cookie that holds the token
    - `sent`: where clients send a token; this is never ""
    """

    kind: str
    place: str
    field: str = ""
    other: str = ""
    secret: str = ""
    service: str = ""
    cookie: str = ""
    sent: str = "handshake.auth.token"


UNKNOWN = Login("", "")


def login_of(facts: Facts) -> Login:
    """Return how the checked code recognises a user in an HTTP request.

    The result is `UNKNOWN` if the code uses neither a known library for tokens nor one for sessions, or uses both.
    """
    found = [login for login in (_token(facts), _session(facts)) if login is not None]
    return found[0] if len(found) == 1 else UNKNOWN


def ids_in(value: Node) -> dict[str, Node]:
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


def _token(facts: Facts) -> Login | None:
    """Return how the code verifies the token of a user, or None.

    Tokens for other purposes, such as a new password, are left out.
    """
    found = next(_jwt_calls(facts, VERIFY, JWT_VERIFY), None)
    if found is None:
        return None
    path, call = found
    keys = [*dict.fromkeys(_id_keys(facts)), "", ""]
    login = Login("token", f"{path}:{call.line}", field=keys[0], other=keys[1], sent=_sent(facts))
    match call:
        # with other arguments there are options, which a fix must not leave out
        case Call(args=[token, secret] | [token, secret, Func()]) if facts.project.outside(call.func) == PLAIN_VERIFY:
            return login._replace(cookie=_cookie(facts, token), secret=code_of(secret))
        case Call(func=Member(obj=service), args=[token]) if not facts.project.outside(call.func):
            return login._replace(cookie=_cookie(facts, token), service=code_of(service))
    return login


def _id_keys(facts: Facts) -> Iterator[str]:
    """Yield the keys of the user's id in the signed tokens.

    An example is "userId", if the code has `jwt.sign({ userId: account.id }, SECRET)`.
    """
    for _, call in _jwt_calls(facts, SIGN, JWT_SIGN):
        for value in _given(facts, call.args[0]) if call.args else []:
            yield from ids_in(facts.follow(value))


def _given(facts: Facts, expr: Node) -> list[Node]:
    """Return the arguments that calls pass for the parameter `expr`.

    `expr` can be a part of a parameter, such as `payload` in `({ payload }) => …`. If `expr` is no parameter, the
    result is `expr` itself.
    """
    variable = variable_of(facts.project, expr)
    if variable is None or variable.param is None:
        return [expr]
    given = facts.arguments(variable)
    if not variable.path:
        return given
    kind, *name = variable.path[0]
    records = [made_record(facts.project, value) for value in given] if kind == "field" else []
    values = [record_value(record, name[0]) for record in records if record is not None]
    return [value for value in values if value is not None]


def _cookie(facts: Facts, token: Node) -> str:
    """Return the name of the cookie that holds a token, or "".

    `token` is the expression for the token in the checked code. The name is "jwt" if the code has
    `token = req.cookies.jwt` or `const { jwt } = req.cookies`.
    """
    variable = variable_of(facts.project, token)
    for value, path in variable.values if variable is not None else [(token, ())]:
        name = ".".join([code_of(value), *(step[1] for step in path if step[0] == "field")])
        if found := COOKIE.search(name):
            return found[1]
    return ""


def _sent(facts: Facts) -> str:
    """Return the field of the handshake from which tokens are read.

    An example is "handshake.query.token". If the code reads no token there, the result is "handshake.auth.token".
    """
    found = (SENT.search(code_of(node)) for _, node in facts.nodes(Member))
    return next((match[1] for match in found if match and not OTHER_TOKEN.search(match[1])), UNKNOWN.sent)


def _jwt_calls(facts: Facts, package: re.Pattern[str], method: re.Pattern[str]) -> Iterator[tuple[str, Call]]:
    """Yield each call that verifies or signs a user's token.

    Each call comes with the path of its file. `package` matches the dotted name of a function from a package, such as
    "jsonwebtoken.verify". `method` matches the name of a method, such as "verifyAsync", of an object with a name such
    as `jwtService`.
    """
    for module, call in facts.calls:
        func = call.func
        is_method = (
            isinstance(func, Member)
            and bool(method.fullmatch(func.name))
            and isinstance(func.obj, Name | Member)
            and bool(JWT_OBJECT.search(func.obj.name))
        )
        if not is_method and not package.match(facts.project.outside(func)):
            continue
        words = [module.path.split("/")[-1], facts.function_at(call), *map(code_of, call.args)]
        if not any(OTHER_TOKEN.search(word) for word in words):
            yield module.path, call


def _session(facts: Facts) -> Login | None:
    """Return how the code recognises a user by a session, or None."""
    for module, call in facts.calls:
        if facts.project.outside(call.func) in SESSIONS:
            return Login("session", f"{module.path}:{call.line}", field=_session_field(facts))
    return None


def _session_field(facts: Facts) -> str:
    """Return the session's field that holds the user or the user's id.

    The result is the name of the field: "user" if the code has `req.session.user`. Without such a field, it is "".
    """
    names = [
        node.name
        for _, node in facts.nodes(Member)
        if isinstance(node, Member) and isinstance(node.obj, Member) and node.obj.name == "session"
    ]
    return next((name for name in names if USER.fullmatch(name) or USER_ID.fullmatch(name)), "")


def code_of(expr: Node) -> str:
    """Return the source code of a variable or field, such as "process.env.SECRET".

    Other expressions give "".
    """
    match expr:
        case Name(name=name):
            return name
        case This():
            return "this"
        case Member(obj=obj, name=name):
            return f"{code}.{name}" if (code := code_of(obj)) else ""
        case Index(obj=obj, key=Const(value=str(name))) if name.isidentifier():
            return f"{code}.{name}" if (code := code_of(obj)) else ""
    return ""
