# %% [markdown]
# # 11 · The production pattern
#
# **The ten rules, running together:** one server with five roles, and for each chapter of its code what it does on the
# wire. This is the server that the lessons measure as the good one, and the folder `good_server` that you may copy.
#
# *Fifteen minutes. You need the word *room* from [00 · Start here](00_start_here.ipynb), and no lesson in particular.*

# %% [markdown]
# ## Set up
#
# A good server in a process of its own, on a port of its own. It stays until the last cell.

# %%
import asyncio
import math
from contextlib import AsyncExitStack

import aiohttp
import lab
from lab.clients.raw_tab import raw_tab
from lab.clients.tab import Person, Tab, tabs
from lab.figures import diagrams
from lab.servers.running import running

open_things = AsyncExitStack()
server = (await open_things.enter_async_context(running("good"))).target(0)
print("a good server listens on the loopback")

# %% [markdown]
# ## The handshake
#
# *A handshake is what happens before a client counts as connected.* The client sends a token, signed by whoever logs
# people in. The server verifies all of it, and only then is there somebody to talk about.

# %%
lab.show("good_server.auth", "TokenAuth._claims", "TokenAuth._verify")
lab.show("good_server.gateway.door", "Gateway._let_in", highlight=["identify", "self.joined"])

# %% [markdown]
# On the wire: one client with a token, one without a good one. The refusal has a *code*, a word for programs, and then
# the connection is closed.

# %%
async with AsyncExitStack() as closing:
    http = await closing.enter_async_context(aiohttp.ClientSession())
    welcome = await closing.enter_async_context(raw_tab(http, server))
    stranger = await closing.enter_async_context(raw_tab(http, server))
    accepted = await welcome.connect(server.token("ana", "vendor"))
    refused = await stranger.connect("not a token")
    (after,) = await asyncio.gather(stranger.ask("chat:send", {}), return_exceptions=True)
told = f"connected, and told its {', '.join(accepted)}", f"{refused['data']['code']}, then {type(after).__name__}"
lab.table(["who", "the server's answer"], ["ana", told[0]], ["a stranger", told[1]])

# %% [markdown]
# ## Roles
#
# A token names a user, one of five roles, and for some a company. There is nothing else to know about a connection,
# and nothing of it is stored anywhere: it lives in the session of the socket, and is gone with it.

# %%
lab.show("good_server.roles", "Role", "Identity")

# %% [markdown]
# ## Rooms at connect
#
# The core of it all. Which rooms a socket is in follows from who it is, so it can be joined again on every connect,
# the first and the hundredth.

# %%
lab.show("good_server.rooms", "base_rooms", "rooms_at_connect")
lab.show("good_server.gateway.door", "Gateway.joined", highlight=["request.join"])

# %% [markdown]
# ## A cast
#
# Everybody in this notebook: a driver and the office of the company acme, the office of a rival, an admin, and two
# people who trade, one of them with two tabs.

# %%
cast = [
    Person("dan", "driver", "acme"),
    Person("office", "company", "acme"),
    Person("rival", "company", "other"),
    Person("root", "admin"),
    Person("vera", "vendor", rooms=("job:17",)),
    Person("vera", "vendor", rooms=("job:17",)),
    Person("paul", "provider", rooms=("job:17",)),
]
opened: list[Tab] = await open_things.enter_async_context(tabs(server, cast))

# %%
dan, office, rival, root, vera, vera_too, paul = opened
names = {tab.user: tab for tab in opened} | {"vera": vera, "vera's other tab": vera_too}


async def heard(event):
    """How many of an event each has got, once everything sent before has arrived."""
    for tab in opened:
        # an event that is unknown to the server: its answer comes after all that was sent before
        await tab.ask("lab:settle", {})
    return {name: len(tab.inbox.of(event)) for name, tab in names.items()}


# %% [markdown]
# ## Chat
#
# Any role to any other. The handler names two rooms, the reader's and the sender's own, so that the sender's other
# tabs show the message, too. The sending tab is left out: it knows.

# %%
lab.show("good_server.handlers.chat", "deliver", highlight=["to=(target, own_tabs)"])

# %%
answer = await vera.ask("chat:send", {"to": "paul", "text": "Is the gate open?"})
to_room = await paul.ask("chat:send", {"room": "job:17", "text": "It is."})
forbidden = await dan.ask("chat:send", {"room": "job:17", "text": "May I?"})
counts = await heard("chat:message")
lab.table(["who", "messages received"], *[[name, str(count)] for name, count in counts.items()])
print("dan, who is not in the job's room:", forbidden["error"]["code"])

# %% [markdown]
# Every request gets exactly one acknowledgement: `{"ok": True, "data": …}`, or an error with a code. The same message
# id from the same user is answered the same, and delivered once:

# %%
first = await vera.ask("chat:send", {"to": "paul", "text": "Thanks!", "id": "m-1"})
again = await vera.ask("chat:send", {"to": "paul", "text": "Thanks!", "id": "m-1"})
arrived = (await heard("chat:message"))["paul"] - counts["paul"]
print("same answer:", first == again, "| delivered:", arrived)

# %% [markdown]
# ## Tracking
#
# A driver says where it is; who it is comes from the token. Its own company and the admins see it. Nobody else is in
# the rooms that it goes to, so nobody else has to be filtered out.

# %%
lab.show("good_server.rooms", "followers_of")
lab.show("good_server.handlers.tracking", "routes", "update", highlight=["roles=", "followers_of"])

# %%
drive = [(13.40 + step * 0.004, 52.52 + 0.008 * math.sin(step / 2)) for step in range(16)]
for longitude, latitude in drive:
    await dan.ask("tracking:update", {"lat": latitude, "lng": longitude})
seen = await heard("tracking:position")
viewers = {"acme's office": office, "the rival": rival, "an admin": root}

# %% [markdown]
# *The figure: the drive as a pale line; circles are the positions that acme's office received, squares those of the
# admin. The rival received none.*

# %%
received = {
    name: [(got.data["lng"], got.data["lat"]) for got in tab.inbox.of("tracking:position")]
    for name, tab in viewers.items()
}
whom = f"the office saw {seen['office']}, the admin {seen['root']}, the rival {seen['rival']}"
title = f"Of {len(drive)} positions {whom}"
lab.draw(diagrams.track(drive, received, title=title))

# %% [markdown]
# ## The role-specific handler
#
# What only drivers say, their availability, is a file of its own. A route is data: one line shows an event with all
# its guards, so there can be no handler without them.

# %%
lab.show("good_server.handlers.driver", "routes", "change")
print("a driver:", (await dan.ask("driver:status", {"status": "busy"}))["ok"])
print("a vendor:", (await vera.ask("driver:status", {"status": "busy"}))["error"]["code"])

# %% [markdown]
# ## An announcement
#
# A true broadcast, and it still names its rooms: those of all roles, or of some. A socket that is not through its
# handshake is in none of them.

# %%
lab.show("good_server.rooms", "everyone")
await root.ask("system:announce", {"text": "Back in five minutes.", "level": "info"})
await root.ask("system:announce", {"text": "Mind the ice.", "level": "warning", "roles": ["driver"]})
counts = await heard("system:announcement")
lab.table(["who", "announcements received"], *[[name, str(count)] for name, count in counts.items()])

# %% [markdown]
# ## One door
#
# All of this passes one place, with the guards in one order: known event, rate, expiry, role, payload, time limit.

# %%
lab.show("good_server.gateway.door", "Gateway._serve")
lab.show("good_server.app", "create_routes")

# %% [markdown]
# ## Why it works
#
# | chapter | how |
# |---|---|
# | authentication | before any room is joined, by a token that is verified completely |
# | roles | `role:<role>` rooms |
# | users | `user:<id>` rooms |
# | chat | the two users' rooms, or a topic's room |
# | tracking | the company's room and the admins' |
# | clean-up | none: Socket.IO empties rooms |
# | storage | none: rooms are of this moment |
#
# **Before you take it to production:** a secret of your own (`SERVER_ENV=production` insists), your own users and
# entitlements in place of the token's, your own queue in place of the process pool. It delivers at most once: what
# must not be lost, store first. And it is one process here; several of them are the next lesson.
#
# Next: [12 · Scale out without touching a handler](12_scaling_out.ipynb)

# %%
await open_things.aclose()

import multiprocessing

assert counts["dan"] == 2, "the driver hears both announcements, everybody else one"
assert seen["rival"] == 0, "a rival's position is silence"
assert not multiprocessing.active_children(), "a server is left running"
