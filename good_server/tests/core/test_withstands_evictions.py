"""Tests of row 50 of `WITHSTANDS.md`: too many sockets of one user."""

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from ...admission import close_transport
from ...events import SESSION_EVICTED
from ...gateway import Gateway
from ...rooms import user_room
from ..checks import AT_ONCE_SECONDS, notices_nothing
from ..npm import NPM_SECONDS
from ..programs import installed
from ..stand_in import LEAVE
from ..waiting import PROCESS_SECONDS
from ..wire import Bare, bare

# a stock client that comes back at once; the time in which one would be back many times
COMES_BACK = {"reconnection": True, "reconnection_delay": 0.05, "reconnection_delay_max": 0.05}
AWAY_SECONDS = 1.0
MANY = 200


def accepted(server):
    """Return how many connects the server has accepted."""
    return server.application.guards.metrics.connects.labels("accepted")._value.get()


async def check_stay_away(server, connect, until, count):
    """Assert that `count` stock tabs are evicted and stay away."""
    bob, most = await connect("bob", to=server), server.settings.sockets_per_user
    before = accepted(server)
    tabs = [await connect("ana", to=server, client=COMES_BACK) for _ in range(most + count)]
    for tab in tabs[:count]:
        assert await tab.receives(SESSION_EVICTED) == {"limit": most}
        assert await tab.is_closed()
    # nothing happens when a client stays away, so there is no event to wait for
    await asyncio.sleep(AWAY_SECONDS)
    assert accepted(server) - before == most + count, "came back"
    assert [tab.sio.connected for tab in tabs] == [False] * count + [True] * most
    await until(lambda: server.application.limits.connections == most + 1)
    await notices_nothing(server, bob)


async def test_row_50_an_eleventh_stock_tab_starts_no_reconnect_war(server, connect, until):
    await check_stay_away(server, connect, until, 2)


@pytest.mark.engine
async def test_row_50_fails_without_its_defence(serve, connect, until, monkeypatch):
    async def close_only(self, sid, limit):
        await self.send("session:evicted", Limit(), to=[sid])
        close_transport(self.server.get_environ(sid, self.namespace))

    class Limit:
        def on_the_wire(self):
            return {"limit": 2}

    monkeypatch.setattr(Gateway, "_evict", close_only)
    with pytest.raises(AssertionError, match="came back"):
        await check_stay_away(await serve(sockets_per_user=2), connect, until, 1)


async def test_row_50_the_evicted_socket_gets_three_things_in_order(serve, connect):
    server = await serve(sockets_per_user=1)
    bob = await connect("bob", to=server)
    async with bare(server.url, server.token("ana")) as ana:
        await connect("ana", to=server)
        assert await ana.frame() == f'42["{SESSION_EVICTED}",{{"limit":1}}]'
        assert await ana.frame() == "41"
        assert await ana.is_closed(AT_ONCE_SECONDS)
    await notices_nothing(server, bob)


async def be_accepted(wire, token):
    """Send CONNECT, and return whether it was accepted. An evicted socket was accepted before."""
    wire.send("40" + json.dumps({"token": token}))
    return (await wire.frame() or "").startswith("40{")


async def check_cap(servers, until):
    """Assert that many CONNECTs at once are accepted, and the cap holds."""
    most = servers[0].settings.sockets_per_user
    wires = [await Bare.open(server.url, None) for server in servers for _ in range(MANY // len(servers))]
    try:
        token = servers[0].token("ana")
        accepted = await asyncio.gather(*(be_accepted(wire, token) for wire in wires))
        assert all(accepted), "was locked out"
        await until(lambda: sum(server.application.limits.connections for server in servers) <= most)
        assert sum(server.members(user_room("ana")) for server in servers) == most
    finally:
        for wire in wires:
            wire.cut()


async def wait_a_turn(*_, **__):
    """Return no counts of others, after a while, as Redis does."""
    await asyncio.sleep(0.001)
    return {}


UNLIMITED = {"connects_per_second": 1e6, "sockets_per_address": 10**6}


async def test_row_50_two_hundred_connects_at_once_keep_the_cap(serve, until, monkeypatch):
    server = await serve(**UNLIMITED)
    monkeypatch.setattr(server.application.guards.cluster.counts, "of_others", wait_a_turn)
    await check_cap([server], until)


async def test_row_50_a_phone_that_flaps_is_never_locked_out(serve, connect):
    server = await serve(sockets_per_user=2)
    tab = await connect("ana", to=server)
    for _ in range(20):
        async with bare(server.url, server.token("ana")) as phone:
            phone.send("427" + json.dumps(LEAVE))
            assert (await phone.ack(7))["ok"]
            # the tab is used, too
            assert (await tab.ask(*LEAVE))["ok"]
    assert tab.sio.connected


async def test_row_50_an_eviction_is_logged_and_counted(serve, connect):
    server = await serve(sockets_per_user=1)
    with capture_logs() as logs:
        tabs = [await connect("ana", to=server) for _ in range(2)]
        assert await tabs[0].is_closed()
    [entry] = [entry for entry in logs if entry["event"] == "evicted"]
    assert (entry["user"], entry["limit"], entry["address"]) == ("ana", 1, "127.0.0.1")
    exposed = server.application.guards.metrics.exposition()
    assert b"server_evictions_total 1.0" in exposed
    assert b'server_closes_total{reason="evicted"} 1.0' in exposed


# opens tabs one after the other, and writes what each of them sees
BROWSER = """
const { io } = require("socket.io-client");
const [url, token, count, awayMs] = process.argv.slice(2);
const soon = { reconnectionDelay: 20, reconnectionDelayMax: 20 };
const options = { transports: ["websocket"], auth: { token }, forceNew: true, ...soon };
const seen = [];
const open = (tab) => new Promise((resolve) => {
  const socket = io(url, options);
  const note = (...what) => seen.push([tab, ...what]);
  socket.on("connect", () => { note("connect"); resolve(socket); });
  socket.on("disconnect", (reason) => note("disconnect", reason));
  socket.on("session:evicted", (message) => note("evicted", message));
  socket.io.on("reconnect_attempt", () => note("reconnect"));
});
(async () => {
  const tabs = [];
  for (let tab = 0; tab < Number(count); tab++) tabs.push(await open(tab));
  setTimeout(() => {
    console.log(JSON.stringify({ seen, connected: tabs.map((socket) => socket.connected) }));
    process.exit(0);
  }, Number(awayMs));
})();
"""


@pytest.mark.timeout(2 * NPM_SECONDS)
@pytest.mark.no_pace("npm installs meanwhile")
async def test_row_50_stock_javascript_tabs_start_no_reconnect_war(server, connect, npm_folder):
    bob, most, evicted = await connect("bob"), server.settings.sockets_per_user, 2
    script = npm_folder / "browser.cjs"
    script.write_text(BROWSER)
    arguments = (server.url, server.token("ana"), str(most + evicted), str(int(AWAY_SECONDS * 1000)))
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(installed("node"), script, *arguments, **pipes)
    out, errors = await asyncio.wait_for(process.communicate(), PROCESS_SECONDS)
    assert process.returncode == 0, errors.decode()
    told = json.loads(out)
    for tab in range(evicted):
        what = [seen[1:] for seen in told["seen"] if seen[0] == tab]
        assert what == [["connect"], ["evicted", {"limit": most}], ["disconnect", "io server disconnect"]]
    assert told["connected"] == [False] * evicted + [True] * most
    assert accepted(server) == most + evicted + 1
    await notices_nothing(server, bob)
