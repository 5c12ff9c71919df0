# %% [markdown]
# # 01 · Never store socket ids
#
# **The claim:** a server that keeps a list of each user's socket ids still holds them long after their connections are
# lost. A server that uses rooms holds none.
#
# *Ten minutes. You need to know what a function is in Python, and that a web page reconnects when the network drops.
# New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** put every socket of a user into the room `user:<id>` when it connects, and send to that room. Socket.IO
# removes a socket from its rooms when the connection is lost, for any reason.
#
# **Otherwise:** your own list grows with every reconnect. Each message is also sent to ids that no longer exist, and
# the memory in use only grows.
#
# A *socket id* is the name that Socket.IO gives to one connection. A new connection gets a new id: the id identifies
# the connection, not the person.

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
# The server runs for a week and is then restarted "because of the memory". Nobody finds the leak: no error is logged,
# and every message arrives. Memory grows a little faster on days when the mobile network is bad.

# %% [markdown]
# ## The mistake
#
# Here is the code of the bad server. It reads well, and it works in the demo.

# %%
lab.show(
    "bad_server.mistake_01_stores_socket_ids",
    "Handlers.joined",
    "Handlers.deliver",
    highlight=["append", "for socket_id in"],
)

# %% [markdown]
# One line stores an id. No line removes it again. There is also no good place for such a line, because a phone that
# loses its network sends no disconnect message.

# %% [markdown]
# ## Predict
#
# Many users connect. Then everybody loses the connection and reconnects, several times. Half of them are cut off at
# once. The other half just stop sending, like a phone in a tunnel. At the end everyone has exactly one connection.
#
# How many ids of lost connections does the bad server still hold? Put a number in place of `None`. The lesson also runs
# without a guess.

# %%
my_guess = None

# %% [markdown]
# ## Measure the bad server
#
# The cell starts a fresh server in its own process, and a real Socket.IO client for every user. At the end a probe
# searches the server's heap for the ids of connections that no longer exist.

# %%
users, rounds = 100, 5
bad = await lesson.measure("bad", users=users, rounds=rounds, is_heap_weighed=False)

# %% [markdown]
# ## The number
#
# *The figure: one bar for the bad server, the dead ids that it still holds, and the bound that we expected it to
# exceed.*

# %%
print(f"{users} users lost their connections {rounds} times each: {bad.details['ids_lost']} ids died")
lesson.numbers(bad=bad)
lesson.one_side("bad", bad, guess=my_guess)

# %% [markdown]
# ## Look closer
#
# The server relies on its list. Socket.IO knows the truth: it holds the real connections and watches each with a
# *heartbeat*, a small packet that the other end must answer in time.
#
# *The figure: after the last round the number of connections falls in steps to one for each user, because heartbeats
# get no answer. The number of ids in the list does not change.*

# %%
seen = bad.details["connections"]
seconds = [point["seconds"] for point in seen]
listed = [bad.value + users] * len(seen)
lines = {
    "connections held": (seconds, [point["connections"] for point in seen]),
    "ids in the list": (seconds, listed),
}
kept = f"down to {users} connections; the list keeps {listed[-1]:.0f} ids"
title = f"Socket.IO removes dead connections by itself, {kept}"
lab.draw(charts.levels(lines, title=title, x_label="seconds after the last round", y_label="count"))

# %% [markdown]
# **A question before you read on:** why does nobody notice that ids are left over?
#
# <details><summary>The answer</summary>
#
# Because messages still arrive. An emit to an id that no longer exists is not an error: Socket.IO treats the id as an
# empty room and does nothing. The message is also sent to the one id that is alive, so it arrives. Each reconnect costs
# only a little more memory and time.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server has no list. The socket joins its rooms at every connect, and a message is sent to a room.

# %%
lab.show("good_server.gateway.gateway", "Gateway.joined", highlight=["request.join"])
lab.show("good_server.gateway.gateway", "Gateway.left")
lab.show("good_server.handlers.chat", "deliver", highlight=["to=(target, own_tabs)"])

# %% [markdown]
# The method that handles a lost connection is empty. That is the main point: data that is never stored need not be
# cleaned up.

# %% [markdown]
# ## Measure the good server
#
# The same users lose their connections in the same two ways. Only the server is different.

# %%
good = await lesson.measure("good", users=users, rounds=rounds, is_heap_weighed=False)
lesson.numbers(bad=bad, good=good)

# %% [markdown]
# ## Side by side
#
# *The figure: dead ids held by the bad and by the good server, on one axis. A dashed line shows each bound.*

# %%
lesson.side_by_side(bad, good, guess=my_guess)

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price** is very small: joining a room adds an entry to a dict that Socket.IO keeps anyway, and Socket.IO removes
# the entry for you. You give up your own list, so you ask the room instead of the list.
#
# **Where it bends:** "who is online?" is a fair question. Ask the room at the moment when you need to know, and do not
# store the answer. You may also use a socket id *while you hold the socket*: in an event handler, to leave the sender
# out of an emit, or in a log line. The mistake is to store it for later.

# %% [markdown]
# ## Turn the knob
#
# How does it grow? We use fewer users and more and more rounds. A slope says more than one point: how many ids does
# *each* reconnect leave behind?
#
# *The figure: dead ids against rounds, a rising line for the bad server and a flat line at zero for the good one. To
# try more, change the list of rounds or the number of users.*

# %%
swept = await lesson.sweep("rounds", [1, 2, 4], users=10, is_heap_weighed=False)
title = "Each round of reconnects leaves {bad} dead ids on the bad server, {good} on the good one"
lesson.growth(swept, each="round", title=title)

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. It works, and it leaks memory. Fix it, so that messages arrive and no id of
# a lost connection is kept.

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
# Run this after each change. It starts a server with your class, runs this lesson's scenario on it with fewer users,
# and shows the numbers.

# %%
await lab.grade(1, Handlers)

# %% [markdown]
# Stuck? Call `lab.hint(1)` in a new cell: each call tells you a little more. After you have passed, `lab.solution(1)`
# shows one way to write the code.

# %% [markdown]
# ## For the interview
#
# *"How do you send a message to a user who has several tabs open?"* Answer aloud first, then open the answer below.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""Every socket joins the room `user:<id>` at connect, and I emit to that room.
I keep no table of socket ids: a socket id names one connection and is useless after the
next reconnect. With a table, {users} users who reconnected {rounds} times left
{bad.value:.0f} dead ids in memory. With rooms, {good.value:.0f} were left.""",
)

# %% [markdown]
# <details><summary>The follow-up: why not simply remove the id when the socket disconnects?</summary>
#
# You can, but then your code must be correct in every case: a cut connection, a silent phone, two tabs, an exception in
# the middle of a handler, a server crash. Socket.IO already handles all of these cases, because a room contains only
# its open sockets.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** `socket.join("user:7")` is `await sio.enter_room(sid, "user:7")`; `io.to("user:7").emit(…)` is
# `await sio.emit(…, to="user:7")`; `socket.id` is the `sid` that every handler is given.
#
# - A socket id names a connection. A room can name a person or a group.
# - Do not keep a second copy of what Socket.IO already tracks.
# - A leak that loses no message causes no error. Measure to find it.
#
# Next: [02 · Emit to the user's room, not to a socket id](02_emit_by_socket_id.ipynb)

# %%
lesson.check(bad, good)
