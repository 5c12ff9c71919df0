# %% [markdown]
# # 01 · Never store socket ids
#
# **The claim:** a server that keeps a list of each user's socket ids still holds them long after their connections are
# lost. A server that uses rooms holds none.
#
# *About 25 minutes: 13 to read, ten for the exercise. You need to know what a function is in Python, and that a web
# page reconnects when the network drops. New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** put every socket of a user into the room `user:<id>` when it connects, and send to that room. Socket.IO
# removes a socket from its rooms when its connection is lost, whatever the reason. If the connection only falls silent,
# Socket.IO notices it by a missed heartbeat.
#
# **Otherwise:** your own list grows with every reconnect. Each message is also sent to ids that no longer exist, so
# each message costs more and more work, and no error shows it.
#
# A *socket id* is the name that Socket.IO gives to one connection. A new connection gets a new id: the id identifies
# the connection, not the person.

# %% [markdown]
# ## Set up
#
# A *heartbeat* is a small packet that the server sends on every connection from time to time. The other end must answer
# it. The servers of this kit use very short heartbeats, so that a lesson need not wait long. The cell prints both.

# %%
from importlib.metadata import version

import lab
from lab.figures.held_ids import held_ids

lesson = lab.lesson(1)
print("python-socketio", version("python-socketio"))
print(lab.heartbeats())

# %% [markdown]
# ## The symptom
#
# The longer the server runs, the more work each message costs it. A restart helps, and then it begins again. The work
# grows with the number of reconnects, not with the number of users: it is worst on days when the mobile network is bad.
# Nobody finds the cause, because no error is logged and every message arrives.

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
# loses its network sends no disconnect message. (The marker `# <-` is not in the file: it shows where to look.)

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
# **Try it by hand, if you like:** remove the `#` in the next cell and run the cell. A page appears below it, with both
# servers and a few simulated people. There you send messages and pull plugs, and see on both sides what arrives. The
# page ends when a later cell measures. In a terminal, `lab live 01` opens the same page.

# %%
# lab.show_live(1)

# %% [markdown]
# ## Measure the bad server
#
# The cell starts a fresh server in its own process, and a real Socket.IO client for every user. At the end a probe
# searches the server's heap, its objects in memory, for the ids of connections that no longer exist. For the figure it
# also searches now and then while the users reconnect.

# %%
users, rounds = 100, 5
bad = await lesson.measure("bad", users=users, rounds=rounds, is_heap_weighed=False, is_traced=True)

# %% [markdown]
# ## The number

# %%
print(f"{users} users lost their connections {rounds} times each: {bad.details['ids_lost']} ids died")
lesson.numbers(bad=bad)
lesson.show_guess(bad, my_guess)

# %% [markdown]
# The row *emits for one message to one user* is the harm: for each message the server emits once to every id in its
# list, dead or alive. Memory grows too, but slowly, because an id is a short string. `lab compare --only 01` measures
# how many bytes each reconnect costs.

# %% [markdown]
# ## Look closer
#
# The server relies on its list. Socket.IO holds the real connections, and watches each of them with heartbeats.
#
# *The figure: at each dotted line every user loses the connection, half of them without a word. The solid line is the
# number of open connections. The blue marks at the bottom are heartbeats that got no answer: a moment later Socket.IO
# drops those connections, and the solid line falls. The dashed line is the number of ids that the server holds. It only
# rises.*

# %%
last = bad.details["samples"][-1]
ids_held, connections = last["ids_held"], last["connections"]
title = f"Socket.IO dropped every dead connection, down to {connections}; the list still holds {ids_held} ids"
lab.draw(held_ids({"bad": bad.details}, title=title))

# %%
unanswered = len(bad.details["unanswered_pings"])
print(f"{unanswered} heartbeats got no answer")
lab.table(
    ["at the end", "what the server believed", "what was true"],
    ["connections of all users", f"{ids_held} (ids that it holds)", f"{connections} (connections open)"],
)

# %% [markdown]
# **A question before you read on:** why does nobody notice that ids are left over?
#
# <details><summary>The answer</summary>
#
# Because messages still arrive. An emit to an id that no longer exists is not an error: Socket.IO treats the id as an
# empty room and does nothing. The message is also sent to the one id that is alive, so it arrives. Each reconnect costs
# only a little more work.
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
good = await lesson.measure("good", users=users, rounds=rounds, is_heap_weighed=False, is_traced=True)
lesson.numbers(bad=bad, good=good)

# %% [markdown]
# ## Side by side
#
# *The figure: the same picture for both servers. On the good server the ids follow the connections: they rise while
# silent connections are still open, and fall with them. If you made a guess, it stands below the title.*

# %%
seen = {"bad": bad.details, "good": good.details}
title = f"Dead ids at the end: {bad.value:.0f} in the list, {good.value:.0f} with rooms"
figure = held_ids(seen, title=title)
lesson.side_by_side(figure, guess=my_guess, bad=bad, good=good)

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
# **Where it bends:** a room is not exactly the users who can hear you. A connection that has fallen silent stays in it
# until its heartbeat fails, at the default settings for up to the interval and the time-out together. What you emit to
# it in that time is lost.
#
# "Who is online?" is a fair question. Ask the room at the moment when you need to know, and do not store the answer
# ([05](05_manual_disconnect_cleanup.ipynb) says what several processes need). You may also use a socket id *while you
# hold the socket*: in an event handler, to leave the sender out of an emit, or in a log line. The mistake is to store
# it for later.

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
# Here is a handler with the mistake in it. It works, and it keeps every id. Fix it, so that messages arrive and no id
# of a lost connection is kept.

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
# ## Find it in your own code
#
# `lab check PATH` reads Socket.IO code in Python, JavaScript and TypeScript, and looks for the ten mistakes without
# running anything. The cell checks the bad server's module and a Node file with the same mistake: in both, a socket id
# is kept in a collection that outlives the handler. Run it on a folder of your own: an *error* makes the command fail,
# a *warning* asks you to look, and a *question* asks you to answer.

# %%
lab.find_in_code(1)

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
{bad.value:.0f} dead ids in memory, and each message took {bad.also["emits_per_message"]:.0f} emits. With rooms,
{good.value:.0f} ids were left, and a message took {good.also["emits_per_message"]:.0f} emit. A silent connection stays
in its room until the heartbeat fails, so a room is not proof that somebody is listening.""",
)

# %% [markdown]
# <details><summary>The follow-up: why not simply remove the id when the socket disconnects?</summary>
#
# You can, but then your code must be correct in every case: a cut connection, a silent phone, two tabs, an exception in
# the middle of a handler, a server crash. Socket.IO already handles all of these cases in one place: it removes a
# socket from every room, whatever ended its connection.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** `socket.join("user:7")` is `await sio.enter_room(sid, "user:7")`; `io.to("user:7").emit(…)` is
# `await sio.emit(…, to="user:7")`; `socket.id` is the `sid` that every handler is given. With *connection state
# recovery* Node may give a client its old id again after a short loss. It does not always succeed, so the id still
# names no person.
#
# - A socket id names a connection. A room can name a person or a group.
# - Do not keep a second copy of what Socket.IO already tracks.
# - A list of dead ids loses no message and causes no error. Measure to find it.
#
# Next: [02 · Emit to the user's room, not to a socket id](02_emit_by_socket_id.ipynb)

# %%
lesson.check(bad, good)
