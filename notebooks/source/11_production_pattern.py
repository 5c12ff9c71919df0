# %% [markdown]
# # 11 · The production pattern
#
# **The ten rules, running together.** One server with five roles: for each chapter of its code you see what it does on
# the wire. This is the good server of the lessons, and the folder `good_server` that you may copy.
#
# *About 15 minutes to read. You need to know the word *room* from [00 · Start here](00_start_here.ipynb). You
# need not have read any lesson.*

# %% [markdown]
# ## Set up
#
# We start a good server in its own process and on its own port. It runs until the last cell.

# %%
import asyncio
import math
from contextlib import AsyncExitStack

import aiohttp
import lab
from lab.clients.raw_tab import raw_tab
from lab.clients.tab import Person, Tab, tabs
from lab.figures import diagrams
from lab.figures.guard_path import GUARDS, Passage, guard_path
from lab.servers.running import running

open_things = AsyncExitStack()
server = (await open_things.enter_async_context(running("good"))).target(0)
print("a good server listens on the loopback interface")

# %% [markdown]
# ## The handshake
#
# *A handshake is what happens before a client counts as connected.* The client sends a token, signed by your login
# service. The server verifies it completely. Only then does the server know the user.

# %%
lab.show("good_server.auth", "TokenAuth._claims", "TokenAuth._verify")
lab.show("good_server.gateway.gateway", "Gateway._admit", highlight=["identify", "self.joined"])

# %% [markdown]
# On the wire: one client with a valid token, and one without. The refusal contains a *code*, a word for programs, and
# then the server closes the connection.

# %%
async with AsyncExitStack() as closing:
    http = await closing.enter_async_context(aiohttp.ClientSession())
    welcome = await closing.enter_async_context(raw_tab(http, server))
    stranger = await closing.enter_async_context(raw_tab(http, server))
    accepted = await welcome.connect(server.token("ana", "vendor"))
    refused = await stranger.connect("not a token")
    (after,) = await asyncio.gather(stranger.ask("chat:send", {}), return_exceptions=True)
told = f"connected, received its {', '.join(accepted)}", f"{refused['data']['code']}, then {type(after).__name__}"
lab.table(["who", "the server's answer"], ["ana", told[0]], ["a stranger", told[1]])

# %% [markdown]
# ## Roles
#
# A token contains a user, one of five roles, and sometimes a company. The server needs nothing else about a connection,
# and it stores none of this in a table: the identity lives in the socket's session and is deleted with it.

# %%
lab.show("good_server.roles", "Role", "Identity")

# %% [markdown]
# ## Rooms at connect
#
# This is the core of the pattern. A socket's rooms follow from its user's identity, so the server can join them again
# on every connect.

# %%
lab.show("good_server.rooms", "base_rooms", "rooms_at_connect")
lab.show("good_server.gateway.gateway", "Gateway.joined", highlight=["request.join"])

# %% [markdown]
# ## The users
#
# These are the users in this notebook: a driver and the office of the company acme, the office of a rival company, an
# admin, a vendor with two tabs, and a provider.

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
    """Counts an event in each tab, after everything sent before has arrived."""
    for tab in opened:
        # the server does not know this event; its answer arrives after all earlier messages
        await tab.ask("lab:settle", {})
    return {name: len(tab.inbox.of(event)) for name, tab in names.items()}


# %% [markdown]
# ## Chat
#
# Users of any role may write to each other. The handler sends to two rooms, the reader's and the sender's own, so that
# the sender's other tabs show the message too. The sending tab is left out, because it already has the message.

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
# Every request gets exactly one acknowledgement: `{"ok": True, "data": …}`, or an error with a code. The message id is
# an *idempotency key*: the same id from the same user gets the same answer, and the message is delivered once:

# %%
first = await vera.ask("chat:send", {"to": "paul", "text": "Thanks!", "id": "m-1"})
again = await vera.ask("chat:send", {"to": "paul", "text": "Thanks!", "id": "m-1"})
arrived = (await heard("chat:message"))["paul"] - counts["paul"]
print("same answer:", first == again, "| delivered:", arrived)

# %% [markdown]
# ## Tracking
#
# A driver sends its position. The driver's identity comes from the token. The driver's own company and the admins
# receive the position. Nobody else is in these rooms, so no filter is needed.

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
# *The figure: the drive as a pale line. Circles are the positions that acme's office received, squares are those of the
# admin. The rival received none.*

# %%
received = {
    name: [(got.data["lng"], got.data["lat"]) for got in tab.inbox.of("tracking:position")]
    for name, tab in viewers.items()
}
seen_by = f"the office saw {seen['office']}, the admin {seen['root']}, the rival {seen['rival']}"
title = f"Of {len(drive)} positions {seen_by}"
lab.draw(diagrams.track(drive, received, title=title))

# %% [markdown]
# ## The role-specific handler
#
# Only drivers report their availability, and this handler is in its own file. A route is data: one line shows an event
# with all its guards, so no handler can exist without guards.

# %%
lab.show("good_server.handlers.driver", "routes", "change")
print("a driver:", (await dan.ask("driver:status", {"status": "busy"}))["ok"])
print("a vendor:", (await vera.ask("driver:status", {"status": "busy"}))["error"]["code"])

# %% [markdown]
# ## An announcement
#
# This is a real broadcast, and it still names its rooms: those of all roles, or of some. A socket is in none of them
# before its handshake is complete.

# %%
lab.show("good_server.rooms", "everyone")
await root.ask("system:announce", {"text": "Back in five minutes.", "level": "info"})
await root.ask("system:announce", {"text": "Mind the ice.", "level": "warning", "roles": ["driver"]})
counts = await heard("system:announcement")
lab.table(["who", "announcements received"], *[[name, str(count)] for name, count in counts.items()])

# %% [markdown]
# ## One gateway
#
# All events pass through one gateway. It applies the guards in a fixed order: rate limit, known event, token not
# expired, role, payload. A time limit ends a handler that takes too long.

# %%
lab.show("good_server.gateway.gateway", "Gateway._serve", highlight=["check_rate", "UnknownEvent", "TokenExpired"])
lab.show("good_server.app", "create_routes")

# %% [markdown]
# Which guard answers? We send requests that should be refused by several guards. The tokens of two users have just
# expired. For a few seconds more the server accepts such a token at connect, because two clocks may differ, but it
# serves nothing except a new token. One user first sends far too many requests.

# %%
GOOD, WRONG = {"to": "paul", "text": "Hello"}, {"status": "asleep"}
vendor = server.token("victor", "vendor")
late, hasty = (server.token(user, "vendor", expires_in=-1) for user in ("lee", "hank"))
flood = [("no:such-event", {})] * 400
planned = {
    "chat": ((), vendor, [("chat:send", GOOD)]),
    "wrong payload": (("payload",), vendor, [("chat:send", WRONG)]),
    "wrong role, wrong payload": (("role", "payload"), vendor, [("driver:status", WRONG)]),
    "the same, token expired": (("token", "role", "payload"), late, [("driver:status", WRONG)]),
    "unknown event, token expired": (("known event", "token"), late, [("no:such-event", {})]),
    "the same, after 399 others": (("rate limit", "known event", "token"), hasty, flood),
}


# %%
async def last_code(http, token, requests):
    """Send the requests on one connection; return the code of the last answer."""
    async with raw_tab(http, server) as tab:
        await tab.connect(token)
        *_, answer = await asyncio.gather(*(tab.ask(event, payload) for event, payload in requests))
    return answer.get("error", {}).get("code")


async with aiohttp.ClientSession() as http:
    passages = [Passage(what, faults, await last_code(http, *sent)) for what, (faults, *sent) in planned.items()]

# %% [markdown]
# *The figure: one row per request, with the guards from left to right. A row ends at the first guard that refuses the
# request, with the code in its answer. Empty diamonds are further faults, which nobody looked at any more.*

# %%
served = [passage.request for passage in passages if passage.code is None]
title = f"The first guard answers: {len(passages) - len(served)} of {len(passages)} requests never reach the handler"
lab.draw(guard_path(passages, title=title))

# %% [markdown]
# So a cheap guard comes before an expensive one, and a flood of wrong requests costs the server little: the payload of
# a request beyond the rate is not even read.

# %% [markdown]
# ## Why it works
#
# | chapter | how |
# |---|---|
# | authentication | before any room is joined, by a token that is verified completely |
# | roles | `role:<role>` rooms |
# | users | `user:<id>` rooms |
# | chat | the two users' rooms, or a topic's room |
# | tracking | the company's room and the room of the admins |
# | clean-up | none: Socket.IO empties rooms |
# | storage | none: rooms exist only while sockets are in them |
#
# **Before you take it to production:** set your own secret (`SERVER_ENV=production` requires it), connect your own
# users and entitlements in place of the token's, and use your own queue in place of the process pool. Delivery is at
# most once, so store first what must not be lost. Here it runs as one process. The next lesson uses several.
#
# Next: [12 · Scale out without touching a handler](12_scaling_out.ipynb)

# %%
await open_things.aclose()

import multiprocessing

assert counts["dan"] == 2, "the driver receives both announcements, everybody else one"
assert seen["rival"] == 0, "the rival receives no position"
assert [passage.stopped_by for passage in passages] == [None, *list(GUARDS)[::-1]], passages
assert not multiprocessing.active_children(), "a server is left running"
