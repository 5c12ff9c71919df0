# %% [markdown]
# # 01 · Never store socket ids
#
# **The claim:** a server that keeps a list of each user's socket ids still holds them long after their connections
# are lost; a server that uses rooms holds none.
#
# *Ten minutes. You need to know what a function is in Python, and what a web page does when the network drops: it
# connects again. New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** put every socket of a user into the room `user:<id>` when it connects, and send to that room.
# Socket.IO takes a socket out of its rooms when the connection is lost, however it is lost.
#
# **Otherwise:** your own list grows with every reconnect. Each message is sent to ids that nobody answers to, and
# memory only ever goes up.
#
# A *socket id* is the name that Socket.IO gives to one connection. A new connection gets a new id: the id names the
# wire, never the person.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.figures import charts

lesson = lab.lesson(1)
print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## The symptom
#
# The server runs for a week and is restarted "because of the memory". Nobody finds the leak: no error is logged, and
# every message arrives. The graph of the memory climbs a little faster on days when the mobile network is bad.

# %% [markdown]
# ## The mistake
#
# Here is the code, cut from the running bad server. It reads well, and it works in the demo.

# %%
lab.show(
    "bad_server.mistake_01_stores_socket_ids",
    "Handlers.joined",
    "Handlers.deliver",
    highlight=["append", "for socket_id in"],
)

# %% [markdown]
# One line writes an id down. Look for the line that takes it out again: there is none. And there is no good place for
# one, as a phone that loses its network does not say goodbye.

# %% [markdown]
# ## Predict
#
# A crowd of users connects. Then, again and again, everybody loses the connection and comes back on a new one: half
# of them are cut off at once, half just fall silent, as a phone in a tunnel does. At the end everyone is connected
# exactly once.
#
# How many ids of lost connections does the bad server still hold? Put a number in place of `None`; without one the
# lesson runs all the same.

# %%
my_guess = None

# %% [markdown]
# ## Measure the bad server
#
# A fresh server in a process of its own, and a real Socket.IO client for every user. At the end a probe walks through
# everything on the server's heap and looks for the ids of connections that are gone.

# %%
users, rounds = 100, 5
bad = await lesson.measure("bad", users=users, rounds=rounds, is_heap_weighed=False)

# %% [markdown]
# ## The number
#
# *The figure: one bar for the bad server, the dead ids it still holds, next to the bound it was expected to pass.*

# %%
print(f"{users} users lost their connections {rounds} times each: {bad.details['ids_lost']} ids died")
lesson.numbers(bad=bad)
lesson.one_side("bad", bad, guess=my_guess)

# %% [markdown]
# ## Look closer
#
# The server believes its list. The truth is what Socket.IO holds: real connections, each watched by a *heartbeat*, a
# small question that the other end has to answer in time.
#
# *The figure: after the last round the connections fall in steps down to one for each user, as heartbeats go
# unanswered; the line of the ids in the list stays where it is.*

# %%
seen = bad.details["connections"]
seconds = [point["seconds"] for point in seen]
listed = [bad.value + users] * len(seen)
lines = {
    "connections held": (seconds, [point["connections"] for point in seen]),
    "ids in the list": (seconds, listed),
}
kept = f"down to {users} connections; the list keeps {listed[-1]:.0f} ids"
title = f"Socket.IO lets go of the dead by itself, {kept}"
lab.draw(charts.levels(lines, title=title, x_label="seconds after the last round", y_label="count"))

# %% [markdown]
# **A question before you read on:** messages still arrive, so why does nobody notice?
#
# <details><summary>The answer</summary>
#
# An emit to an id that is gone is not an error: Socket.IO takes it for a room with nobody in it, and does nothing.
# The message also goes to the one id that is alive, so it arrives. All that is lost is memory and time, a little more
# of both with every reconnect.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server has no list. At every connect the socket joins its rooms, and a message is sent to a room.

# %%
lab.show("good_server.gateway.door", "Gateway.joined", highlight=["request.join"])
lab.show("good_server.gateway.door", "Gateway.left")
lab.show("good_server.handlers.chat", "deliver", highlight=["to=(target, own_tabs)"])

# %% [markdown]
# The method for a lost connection is empty. That is the whole point: what is never written down need not be cleaned up.

# %% [markdown]
# ## Measure the good server
#
# The same users, the same cuts, the same silences; only the server differs.

# %%
good = await lesson.measure("good", users=users, rounds=rounds, is_heap_weighed=False)
lesson.numbers(bad=bad, good=good)

# %% [markdown]
# ## Side by side
#
# *The figure: dead ids held by the bad and by the good server on one axis, each with its bound as a dashed line.*

# %%
lesson.side_by_side(bad, good, guess=my_guess)

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price** is next to nothing: joining a room is an entry in a dict that Socket.IO keeps anyway, and it takes the
# entry out for you. What you give up is the list itself, so questions that you used to ask the list, you ask the room.
#
# **Where it bends:** "who is online?" is a fair question. Ask the room then, at the moment you need to know, and do
# not keep the answer. A socket id may also be used *while you hold the socket*: in the handler of an event, to leave
# the sender out of an emit, or in a log line. The mistake is to keep it until later.

# %% [markdown]
# ## Turn the knob
#
# How does it grow? Fewer users, more and more rounds. A slope says more than one point: what does *each* reconnect
# leave behind?
#
# *The figure: dead ids against rounds, a rising line for the bad server and a flat one at nought for the good one.
# To turn it further, change the list of rounds, or the number of users.*

# %%
swept = await lesson.sweep("rounds", [1, 2, 4], users=10, is_heap_weighed=False)
title = "Each round of reconnects leaves {bad} dead ids on the bad server, {good} on the good one"
lesson.growth(swept, each="round", title=title)

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. It works, and it leaks. Mend it, so that messages arrive and no id of a
# lost connection is held.

# %% tags=["exercise"]
from bad_server import mistake_01_stores_socket_ids as mistake
from good_server import events
from good_server.handlers import chat
from good_server.rooms import rooms_at_connect


class Handlers(mistake.Handlers):
    async def joined(self, request):
        for room in rooms_at_connect(request.identity):
            await request.join(room)
        self.socket_ids[request.identity.user].append(request.sid)

    async def deliver(self, request, sent):
        message = chat.compose(request, sent)
        for socket_id in self.socket_ids[sent.to]:
            await request.emit(events.CHAT_MESSAGE, message, to=(socket_id,))
        return {"id": message.id, "at": message.at}


# %% [markdown]
# Run this after each change. It starts a server with your class, runs the scenario of this lesson on it, with fewer
# users, and answers in numbers.

# %%
await lab.grade(1, Handlers)

# %% [markdown]
# Stuck? `lab.hint(1)` in a cell of its own says a little more each time, and `lab.solution(1)` shows one way to write
# it once you have passed.

# %% [markdown]
# ## For the interview
#
# *"How do you send a message to a user who has several tabs open?"* Answer aloud first, then open.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""Every socket joins the room `user:<id>` at connect, and I emit to that room.
I keep no table of socket ids: a socket id names a connection, and is worthless after the
next reconnect. With a table, {users} users who reconnected {rounds} times left
{bad.value:.0f} dead ids in memory; with rooms, {good.value:.0f}.""",
)

# %% [markdown]
# <details><summary>The follow-up: why not simply remove the id when the socket disconnects?</summary>
#
# One can, and then has to be right on every path: a cut, a silent phone, two tabs, an exception half-way, a server
# that crashes. Socket.IO is right on all of them already, since a room is nothing but its sockets.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** `socket.join("user:7")` is `await sio.enter_room(sid, "user:7")`; `io.to("user:7").emit(…)` is
# `await sio.emit(…, to="user:7")`; `socket.id` is the `sid` that every handler is given.
#
# - A socket id names a connection. A room names whom you mean.
# - What Socket.IO keeps true by itself, do not keep a second time.
# - A leak that loses no message is found by counting, not by waiting for an error.
#
# Next: [02 · Emit to the user's room, not to a socket id](02_emit_by_socket_id.ipynb)

# %%
lesson.check(bad, good)
