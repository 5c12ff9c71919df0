"""Tests that run the recipes of `INTEGRATE.md` for identity.

A test makes the tokens in the shape of the provider. They are signed with a key that an issuer on the loopback serves.
Only the addresses of the recipes are replaced.
"""

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from contextlib import AsyncExitStack, contextmanager
from uuid import UUID

import jwt
import pytest
import pytest_asyncio
from sqlalchemy import create_engine, text
from structlog.testing import capture_logs

from ...events import AUTH_REFRESH, CHAT_MESSAGE
from ...roles import Role
from ...rooms import role_room, user_room
from ...settings import load_settings
from .. import recipes, tokens
from ..checks import is_refused, is_turned_away
from ..issuer import running_issuer
from ..servers import FREE_PORTS, running
from ..waiting import PROCESS_SECONDS

KEYS = tokens.new_keys()
KEY_ID = "k1"
LIFE_SECONDS = 600


def provider_token(payload, *, typ="JWT", **changes):
    """Return a signed token with the claims `payload`. The value None removes a claim."""
    now = int(time.time())
    claims = {"iat": now, "exp": now + LIFE_SECONDS} | payload | changes
    kept = {name: value for name, value in claims.items() if value is not None}
    # PyJWT writes a `typ` of its own if none is given
    headers = {"kid": KEY_ID, "typ": typ}
    return jwt.encode(kept, KEYS[0], algorithm="RS256", headers=headers)


KEYCLOAK = {
    "jti": str(UUID(int=1)),
    "iss": "https://id.example/realms/shop",
    "aud": "dispatch",
    "sub": "f2a1c9d0-5b7e-4c3f-9d8a-0e1b2c3d4e5f",
    "typ": "Bearer",
    "azp": "shop-web",
    "session_state": str(UUID(int=2)),
    "acr": "1",
    "realm_access": {"roles": ["default-roles-shop", "offline_access", "courier", "uma_authorization"]},
    "resource_access": {"account": {"roles": ["manage-account"]}},
    "scope": "profile email",
    "preferred_username": "ana",
}
AUTH0 = {
    "https://example.com/role": "courier",
    "iss": "https://tenant.eu.auth0.com/",
    "sub": "auth0|507f1f77bcf86cd799439020",
    "aud": ["https://api.example", "https://tenant.eu.auth0.com/userinfo"],
    "azp": "my_client_id",
    "scope": "openid profile email",
}
FIREBASE = {
    "role": "courier",
    "iss": "https://securetoken.google.com/shop-1234",
    "aud": "shop-1234",
    "auth_time": 1_700_000_000,
    "user_id": "kX9sVbQ2nTf0aLm4Rz8wYc1uDe73",
    "sub": "kX9sVbQ2nTf0aLm4Rz8wYc1uDe73",
    "email": "ana@example.com",
    "firebase": {"identities": {"email": ["ana@example.com"]}, "sign_in_provider": "password"},
}
COGNITO = {
    "sub": "aaaaaaaa-bbbb-cccc-dddd-example",
    "cognito:groups": ["readers", "couriers"],
    "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example",
    "client_id": "4example5client6id",
    "origin_jti": str(UUID(int=3)),
    "event_id": str(UUID(int=4)),
    "token_use": "access",
    "scope": "aws.cognito.signin.user.admin",
    "auth_time": 1_700_000_000,
    "username": "ana",
}
OTHER_ISSUER = {"iss": "https://evil.example/"}
# the heading of a recipe, the claims of a token, the kinds that its header may name, and changes that are refused
PROVIDERS = {
    "Keycloak": (
        KEYCLOAK,
        ["JWT"],
        {
            "role": {"realm_access": {"roles": ["offline_access"]}},
            "audience": {"aud": ["dispatch", "account"]},
            "issuer": OTHER_ISSUER,
            "user": {"sub": "service account"},
        },
    ),
    "Auth0": (
        AUTH0,
        ["JWT", "at+jwt"],
        {
            "role": {"https://example.com/role": None},
            "audience": {"aud": ["https://api.example", "https://billing.example"]},
            "issuer": OTHER_ISSUER,
        },
    ),
    "Firebase": (
        FIREBASE,
        ["JWT"],
        {"role": {"role": None}, "audience": {"aud": "shop-5678"}, "issuer": {"iss": FIREBASE["iss"] + "0"}},
    ),
    "Cognito": (
        COGNITO,
        [None],
        {
            "role": {"cognito:groups": ["readers"]},
            "audience": {"client_id": "other"},
            "issuer": OTHER_ISSUER,
            "type": {"token_use": "id", "aud": COGNITO["client_id"]},
        },
    ),
}


def program_of(heading, folder):
    """Write the files of a recipe into `folder`. Return the names that its program defines, if it has one."""
    recipes.write(heading, folder)
    found = [name for name in recipes.files(heading) if name.endswith(".py")]
    return runpy.run_path(str(folder / found[0]), run_name="recipe") if found else {}


@pytest_asyncio.fixture(loop_scope="session")
async def issuer():
    """A provider that serves the public key of the tokens."""
    async with running_issuer() as provider:
        jwk = KEYS[2] | {"kid": KEY_ID, "use": "sig", "alg": "RS256"}
        provider.text = json.dumps({"keys": [jwk]})
        yield provider


@pytest_asyncio.fixture(loop_scope="session")
async def serve_recipe(create_app, worker_pool, nothing_lost, tmp_path):
    """`await serve_recipe("Auth0", **settings)` runs the server of a recipe.

    Its files are in the working folder, so its `.env` is read. `settings` replace addresses.
    """
    async with AsyncExitStack() as stack:

        async def start(heading, **settings):
            # `tmp_path` is the working folder of a test
            program = program_of(heading, tmp_path)
            chosen = load_settings(**FREE_PORTS, report_workers=1, **settings)
            return await stack.enter_async_context(running(program.get("create", create_app)(chosen)))

        yield start


@pytest_asyncio.fixture(loop_scope="session")
async def serve_provider(serve_recipe, issuer, until):
    """`await serve_provider("Auth0")` runs a recipe with keys from the loopback."""

    async def start(heading):
        server = await serve_recipe(heading, jwt_jwks_url=issuer.url)
        await until(lambda: server.application.guards.auth.is_ready)
        return server

    return start


KINDS = [(heading, typ) for heading, (_, kinds, _) in PROVIDERS.items() for typ in kinds]


@pytest.mark.parametrize(("heading", "typ"), KINDS)
async def test_a_providers_token_is_a_user_with_a_role(serve_provider, new_tab, heading, typ):
    server, tab, other = await serve_provider(heading), new_tab(), new_tab()
    payload = PROVIDERS[heading][0]
    await tab.connect(server.url, provider_token(payload, typ=typ))
    await other.connect(server.url, provider_token(payload, typ=typ))
    assert server.members(user_room(payload["sub"])) == server.members(role_room(Role.DRIVER)) == 2
    assert (await tab.ask("chat:send", {"to": payload["sub"], "text": "hello"}))["ok"]
    assert (await other.receives(CHAT_MESSAGE))["from"] == {"id": payload["sub"], "role": "driver"}
    assert (await tab.ask(AUTH_REFRESH, {"token": provider_token(payload, typ=typ)}))["ok"]


REFUSED = [(heading, reason) for heading, (_, _, changes) in PROVIDERS.items() for reason in changes]


@pytest.mark.parametrize(("heading", "reason"), REFUSED)
async def test_another_token_of_the_provider_is_refused(serve_provider, dial, heading, reason):
    server = await serve_provider(heading)
    payload, kinds, changes = PROVIDERS[heading]
    token = provider_token(payload, typ=kinds[0], **changes[reason])
    with capture_logs() as entries:
        await is_refused(server, await dial(to=server), {"token": token})
    assert [entry["reason"] for entry in entries if entry["event"] == "refused"] == [reason]


async def test_a_cookie_session_is_a_user(serve_recipe, new_tab, dial):
    server, tab = await serve_recipe("Cookie session"), new_tab()
    # first, because both clients share the cookies that a server accepted
    await is_refused(server, await dial(to=server, headers={"Cookie": "session=old"}), None)
    await tab.connect(server.url, None, headers={"Cookie": "session=3f9c"})
    assert server.members(user_room("ana+test@example.com")) == server.members(role_room(Role.DRIVER)) == 1
    assert await tab.code(AUTH_REFRESH, {"token": "x"}) == "invalid"


class Away:
    """A session store that cannot be reached."""

    def get(self, key):
        raise ConnectionError


async def test_a_session_store_that_is_away_refuses_for_now(serve_recipe, dial):
    server = await serve_recipe("Cookie session")
    own = server.application.guards.auth.own
    own.identify.__func__.__globals__["SESSIONS"] = Away()
    await is_turned_away(server, await dial(to=server, headers={"Cookie": "session=3f9c"}), None)


@pytest.fixture
def database(tmp_path, monkeypatch):
    """A SQLite database with the table of the recipe. `database("DELETE FROM crews")` changes it."""
    file = tmp_path / "orders.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{file}")
    engine = create_engine(f"sqlite:///{file}")

    def change(statement, *rows):
        with engine.begin() as connection:
            connection.execute(text(statement), [{"member": member, "job": job} for member, job in rows] or None)

    change("CREATE TABLE crews (member TEXT NOT NULL, job INTEGER NOT NULL, PRIMARY KEY (member, job))")
    yield change
    engine.dispose()


PUT = "INSERT INTO crews VALUES (:member, :job)"


async def test_a_client_that_reconnects_hears_its_order(serve_recipe, new_tab, database):
    database(PUT, ("ana", 17), ("eve", 18))
    server = await serve_recipe("Rooms from your database")
    ana, eve = new_tab(reconnection=True, reconnection_delay=0.01), new_tab()
    await ana.connect(server.url, server.token("ana"))
    await eve.connect(server.url, server.token("eve"))
    await server.sio.emit("order", 1, room=["job:17"])
    assert await ana.receives("order") == 1
    await ana.sio.eio.ws.close()
    await ana.is_closed()
    await ana.is_back()
    assert server.members("job:17") == 1
    await server.sio.emit("order", 2, room=["job:17"])
    assert await ana.receives("order") == 2
    assert await server.fence(eve) == [[]]


async def test_a_refresh_follows_the_database(serve_recipe, new_tab, database):
    database(PUT, ("ana", 17))
    server, ana = await serve_recipe("Rooms from your database"), new_tab()
    await ana.connect(server.url, server.token("ana"))
    database("DELETE FROM crews")
    database(PUT, ("ana", 19))
    assert (await ana.ask(AUTH_REFRESH, {"token": server.token("ana")}))["ok"]
    assert [server.members(room) for room in ("job:17", "job:19")] == [0, 1]


async def test_may_join_asks_the_database(serve_recipe, new_tab, database):
    server, ana = await serve_recipe("Rooms from your database"), new_tab()
    await ana.connect(server.url, server.token("ana"))
    database(PUT, ("ana", 17))
    assert (await ana.ask("room:join", {"room": "job:17"}))["ok"]
    assert await ana.code("room:join", {"room": "job:18"}) == "forbidden"


async def test_without_its_table_the_database_refuses_for_now(serve_recipe, dial, database):
    server = await serve_recipe("Rooms from your database")
    database("DROP TABLE crews")
    await is_turned_away(server, await dial(to=server), {"token": server.token("ana")})


@contextmanager
def started(folder, name, **environment):
    """Run a program in `folder` during a block, and yield its process. It is killed if the block leaves it running."""
    command = [sys.executable, name]
    ports = {"SERVER_PORT": "0", "SERVER_INTERNAL_PORT": "0"}
    options = {"cwd": folder, "env": os.environ | ports | environment, "text": True}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
        try:
            yield process
        finally:
            process.kill()


PROGRAMS = {"Cognito": "cognito.py", "Cookie session": "website.py", "Rooms from your database": "orders.py"}


@pytest.mark.slow
@pytest.mark.parametrize("heading", PROGRAMS)
def test_the_program_of_a_recipe_runs_in_production(tmp_path, database, heading):
    recipes.write(heading, tmp_path)
    with started(tmp_path, PROGRAMS[heading], **tokens.PRODUCTION_ENVIRONMENT) as process:
        line = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PROCESS_SECONDS)
    assert line.startswith("listening on"), errors
    assert process.returncode == 0


@pytest.mark.slow
def test_a_database_that_is_away_stops_the_start_in_one_line(tmp_path):
    recipes.write("Rooms from your database", tmp_path)
    url = f"sqlite+aiosqlite:///{tmp_path}/nowhere/orders.db"
    with started(tmp_path, PROGRAMS["Rooms from your database"], DATABASE_URL=url) as process:
        _, errors = process.communicate(timeout=PROCESS_SECONDS)
    assert process.returncode == 2
    assert errors.startswith("orders: Orders does not start: OperationalError: ")
    assert len(errors.splitlines()) == 1
