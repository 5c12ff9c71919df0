"""Test that a fix uses the login of the checked code."""

import pytest
from tree_sitter_javascript import language as javascript
from tree_sitter_typescript import language_typescript as typescript

from .projects import only_finding
from .test_fixes import is_javascript

SERVER = """\
=== server.js
const { Server } = require("socket.io");
const io = new Server(3000);
io.on("connection", (socket) => {
  socket.on("order:track", (orderId) => socket.join(orderId));
});
"""
SIGNED = """\
=== accounts.js
const jwt = require("jsonwebtoken");
module.exports.tokenOf = (account) => jwt.sign({PAYLOAD}, process.env.JWT_SECRET);
"""
CHECKED = """\
=== login.js
const jwt = require("jsonwebtoken");
module.exports = (req, res, next) => {
  const token = req.headers.authorization.slice(7);
  req.user = jwt.verify(token, process.env.JWT_SECRET);
  next();
};
"""
SESSION = """\
=== app.js
const session = require("express-session");
app.use(session({ secret: process.env.SECRET }));
app.get("/me", (req, res) => res.json(req.session.userId));
"""
READ = "req.headers.authorization.slice(7)"


def fix_of(folder, text, *, select="RM081"):
    """Return the code of the fix of the only finding."""
    finding = only_finding(folder, SERVER + text, select)
    return finding.fix.partition("\n")[2]


@pytest.mark.parametrize("key", ["id", "_id", "userId", "sub"])
def test_the_token_of_the_http_routes_is_used(tmp_path, key):
    signed = SIGNED.replace("PAYLOAD", f" {key}: account.id, name: account.name ")
    fix = fix_of(tmp_path, CHECKED + signed, select="RM101")
    assert "// if nothing sets socket.data.user yet: with the token that login.js:4 checks, too" in fix
    assert "jwt.verify(socket.handshake.auth.token,\n  process.env.JWT_SECRET, (error, user) =>" in fix
    assert f"limiter.consume(socket.data.user.{key})" in fix


@pytest.mark.parametrize(("suffix", "secret"), [("ts", "process.env.JWT_SECRET!"), ("js", "process.env.JWT_SECRET")])
def test_only_typescript_says_that_a_secret_is_set(tmp_path, suffix, secret):
    finding = only_finding(tmp_path, SERVER.replace("server.js", f"server.{suffix}") + CHECKED, "RM081")
    assert f"{secret}, (error, user) =>" in finding.fix
    assert is_javascript(finding.fix.split("\n")[1:], typescript() if suffix == "ts" else javascript())


PAYLOADS = {
    "variable": "const payload = { userId: 1 };\njwt.sign(payload, SECRET);",
    "parameter": "const sign = (payload) => jwt.sign(payload, SECRET);\nsign({ userId: 1 });",
    "part": "const sign = ({ payload }) => jwt.sign(payload, SECRET);\nsign({ payload: { userId: 1 } });",
}


@pytest.mark.parametrize("form", PAYLOADS)
def test_the_key_of_the_id_is_found(tmp_path, form):
    text = f'=== accounts.js\nconst jwt = require("jsonwebtoken");\n{PAYLOADS[form]}\n'
    assert "socket.data.user.userId" in fix_of(tmp_path, CHECKED + text, select="RM101")


def test_an_unknown_key_is_said(tmp_path):
    assert "login.js:4 checks, too; its id may have another name" in fix_of(tmp_path, CHECKED)


COOKIES = [
    "const token = req.cookies.login",
    "const { login: token } = req.cookies",
    'const token = req.cookies["login"]',
    "const token = req.cookies?.login",
]


@pytest.mark.parametrize("read", COOKIES)
def test_a_token_in_a_cookie_is_read_there(tmp_path, read):
    fix = fix_of(tmp_path, CHECKED.replace(f"const token = {READ}", read))
    assert 'jwt.verify(cookie.parse(socket.handshake.headers.cookie ?? "").login,' in fix
    assert "page, after its login: io({ withCredentials: true }); server: cors: { credentials: true }" in fix


def test_a_second_key_of_the_id_is_said(tmp_path):
    signed = SIGNED.replace("PAYLOAD", " _id: account._id ")
    other = signed.replace("accounts.js", "google.js").replace("_id: account._id", "id: account.id")
    fix = fix_of(tmp_path, CHECKED + signed + other)
    assert "login.js:4 checks, too; the id is _id or id" in fix


SENT = {
    "query.token": ("query.token", "io({ query: { token } })"),
    "auth.accessToken": ("auth.accessToken", "io({ auth: (set) => set({ accessToken: token }) })"),
    "auth?.token": ("auth.token", "io({ auth: (set) => set({ token }) })"),
    "query.orderId": ("auth.token", "io({ auth: (set) => set({ token }) })"),
}


@pytest.mark.parametrize("sent", SENT)
def test_a_token_is_read_where_clients_send_it(tmp_path, sent):
    field, page = SENT[sent]
    text = SERVER.replace("socket.join(orderId)", f"log(socket.handshake.{sent})")
    finding = only_finding(tmp_path, text + CHECKED, "RM101")
    assert f"jwt.verify(socket.handshake.{field}," in finding.fix
    assert f"page, after its login: {page})" in finding.fix


ODD = {
    "loop": "for (const token of tokens) jwt.verify(token, process.env.JWT_SECRET);",
    "part": "const check = ([token]) => jwt.verify(token, process.env.JWT_SECRET);\ncheck(tokens);",
    "rest": "const check = (...all) => jwt.verify(...all);\ncheck(token, process.env.JWT_SECRET);",
    "nothing": "jwt.verify();\njwt.sign();",
    "signed-part": "const sign = ([payload]) => jwt.sign(payload, process.env.JWT_SECRET);\nsign([{ id: 1 }]);",
    "itself": "let token = token;\njwt.verify(token, token);\njwt.sign(token, token);",
}


@pytest.mark.parametrize("form", ODD)
def test_odd_code_of_a_login_is_no_trouble(tmp_path, form):
    text = f'=== login.js\nconst jwt = require("jsonwebtoken");\n{ODD[form]}\n'
    fix = fix_of(tmp_path, text, select="RM101")
    assert is_javascript(fix.split("\n"), javascript())


def test_the_session_of_the_http_routes_is_used(tmp_path):
    fix = fix_of(tmp_path, SESSION)
    assert "with the session of app.js:2" in fix
    assert "page, after its login: io({ withCredentials: true }); server: cors: { credentials: true }" in fix
    assert "socket.data.user = { id: socket.request.session?.userId }" in fix


def test_a_user_in_the_session_is_the_user(tmp_path):
    assert "socket.data.user = socket.request.session?.user;" in fix_of(tmp_path, SESSION.replace("userId", "user"))


def test_a_signed_cookie_is_not_read_as_a_plain_one(tmp_path):
    assert "cookie.parse" not in fix_of(tmp_path, CHECKED.replace(READ, "req.signedCookies.login"))


def test_a_check_with_options_is_not_copied_without_them(tmp_path):
    fix = fix_of(tmp_path, CHECKED.replace("JWT_SECRET)", 'JWT_SECRET, { audience: "app" })'))
    assert "login.js:4 checks, too" in fix
    assert "// write `verify`" in fix


def test_a_callback_is_no_option(tmp_path):
    fix = fix_of(tmp_path, CHECKED.replace("JWT_SECRET)", "JWT_SECRET, (error, user) => next(error))"))
    assert "process.env.JWT_SECRET, (error, user) =>" in fix


def test_a_folder_name_says_nothing_of_a_login(tmp_path):
    assert "invite-app/login.js:4 checks, too" in fix_of(tmp_path, CHECKED.replace("login.js", "invite-app/login.js"))


@pytest.mark.parametrize("field", ["auth.pushToken", "query.deviceToken", "query.resetToken"])
def test_another_token_of_the_handshake_is_not_taken(tmp_path, field):
    text = SERVER.replace("socket.join(orderId)", f"log(socket.handshake.{field})")
    finding = only_finding(tmp_path, text + CHECKED, "RM101")
    assert "jwt.verify(socket.handshake.auth.token," in finding.fix


def test_paths_are_quoted_as_they_are(tmp_path):
    text = (
        SERVER.replace("(socket) => {", "(one) => {").replace("socket.on", "one.on").replace("socket.join", "one.join")
    )
    finding = only_finding(tmp_path, text + CHECKED.replace("login.js", "socket.data.user.id/socket.js"), "RM081")
    assert "with the token that socket.data.user.id/socket.js:4 checks, too" in finding.fix
    assert "one.data.user = user" in finding.fix


OTHER = {
    "none": "",
    "both": CHECKED + SESSION,
    "refresh": CHECKED.replace("JWT_SECRET", "REFRESH_SECRET"),
    "reset": CHECKED.replace("login.js", "reset_password.js"),
}


@pytest.mark.parametrize("form", OTHER)
def test_no_other_check_is_taken_for_the_login(tmp_path, form):
    fix = fix_of(tmp_path, OTHER[form])
    assert "// write `verify`" in fix
    assert "an app without a login" in fix


@pytest.mark.parametrize("form", ["id", "jose", *OTHER, "session", "cookie"])
def test_the_code_with_a_login_is_valid(tmp_path, form):
    texts = {
        "id": CHECKED,
        "jose": '=== login.js\nimport { jwtVerify } from "jose"; // jsonwebtoken\nawait jwtVerify(token, secret);\n',
        "session": SESSION,
        "cookie": CHECKED.replace(f"const token = {READ}", COOKIES[0]),
    }
    assert is_javascript(fix_of(tmp_path, {**OTHER, **texts}[form]).split("\n"), javascript())


def test_a_gateway_names_the_check_of_the_token(tmp_path):
    gateway = """\
=== chat.gateway.ts
import { SubscribeMessage, WebSocketGateway } from "@nestjs/websockets";
import { Socket } from "socket.io";
@WebSocketGateway()
export class ChatGateway {
  @SubscribeMessage("join")
  join(client: Socket, room: string) {
    client.join(room);
  }
}
=== auth.guard.ts
import { JwtService } from "@nestjs/jwt";
export class AuthGuard {
  constructor(private readonly jwtService: JwtService) {}
  canActivate(request) {
    // the socket is checked elsewhere
    return this.jwtService.verifyAsync(request.token);
  }
}
"""
    finding = only_finding(tmp_path, gateway, "RM081")
    assert "if nothing sets client.data.user yet: with the token that auth.guard.ts:6 checks, too" in finding.fix
    assert "this.jwtService.verifyAsync(client.handshake.auth.token)" in finding.fix
    added = finding.fix.partition("// if nothing")[2].split("\n")[1:]
    assert len(added) == 3
    assert is_javascript(added, typescript())
