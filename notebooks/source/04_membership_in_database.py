# %% [markdown]
# # 04 · Keep room membership out of the database
#
# **The claim:** a server that keeps in a table who is in a room still sends to everyone who did not come back after a
# crash; a server that asks Socket.IO who is in the room sends to none of them.
#
# *Ten minutes. You need to know what a function is in Python, and what a table in a database is. New here? Begin with
# [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** *who may be in a room* is business data, and belongs in a database. *Who is in it now* is not: only
# Socket.IO knows, and it knows without being told.
#
# **Otherwise:** each message asks the database first, and is then sent to members who left long ago. After a crash the
# table is wrong, and nothing corrects it.
#
# A *room* is a name for a set of connections. A message to the room goes to all of them. A *ghost* is somebody who is
# in the table and has no connection.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab

lesson = lab.lesson(4)
print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## The symptom
#
# "The whole team is in this room", says the page, and half of the team went home hours ago. It was right until the
# last crash. By now there is a script that somebody runs by hand when it gets too bad; it empties the table, and throws
# out those who are really there.

# %% [markdown]
# ## The mistake
#
# Here is the code of the bad server. It reads like what one learns: data that matters goes into the database.

# %%
lab.show(
    "bad_server.mistake_04_saves_membership_in_a_database",
    "Handlers.joined",
    "Handlers.left",
    "Handlers.deliver",
    highlight=["INSERT", "DELETE", "SELECT"],
)

# %% [markdown]
# `joined` runs at every connect and writes the rows; `left` runs at every lost connection and deletes them. What runs
# when the server is killed? Nothing. All connections are gone at once, and all rows stay.

# %% [markdown]
# ## Predict
#
# A room, `job:17`, is full. The server is killed, as a crash or the system's memory guard would do it, and started
# again on the same database. Half of the members come back; for the others the working day is over.
#
# To how many ghosts is each message to the room sent, on the bad server? Put a number in place of `None`. The lesson
# also runs without a guess.

# %%
my_guess = None

# %% [markdown]
# ## Measure the bad server
#
# The cell starts a fresh server in its own process, and a real Socket.IO client for every member. Before the kill a
# message has to reach them all. A *probe*, a piece of the lab inside the server's process, counts to whom each message
# is sent, and whether anybody is there.

# %%
members, messages = 100, 10
bad = await lesson.measure("bad", users=members, messages=messages)

# %% [markdown]
# ## The number
#
# *The figure: one bar for the bad server, the ghosts that one message is sent to, next to the bound it was expected to
# pass.*

# %%
print(f"{bad.details['back']} of {members} members came back")
lesson.numbers(bad=bad)
lesson.one_side("bad", bad, guess=my_guess)

# %% [markdown]
# ## Look closer
#
# The server believes its table. What is true is known to Socket.IO: it holds the connections.

# %%
back, addresses = bad.details["back"], bad.details["addresses"]
lab.table(
    ["after the crash", "what the server believed", "what was true"],
    ["members in the room", f"{addresses:.0f}", str(back)],
    ["ghosts in its table", "0", f"{bad.value:.0f}"],
    [f"sends to nobody, for {messages} messages", "0", f"{bad.also['sends_to_nobody']:.0f}"],
)

# %% [markdown]
# **A question before you read on:** would it help to empty the table whenever the server starts?
#
# <details><summary>The answer</summary>
#
# With a single server it would, after this crash. It is also a promise for ever: nobody may start a second server
# process on the same database, or the start of one throws out the members of the other. And it does not help against
# a row that was never deleted for another reason, such as two tabs of which one was closed: look at `left` once more,
# it deletes the rows of a *user* whenever any *tab* is lost.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server has no table. At every connect the socket joins its rooms, and a message to a room is sent to the
# room. Whether the writer may do so is asked of the room, too.

# %%
lab.show("good_server.gateway.door", "Gateway.joined", highlight=["request.join"])
lab.show("good_server.handlers.chat", "deliver", highlight=["not in request.rooms()", "to=(target, own_tabs)"])

# %% [markdown]
# And who may be in `job:17`? That stays business data. The *token*, a signed note that each client shows when it
# connects, names the rooms of its user; for rooms that are granted later there is a place to plug in your database:

# %%
lab.show("good_server.services.entitlements", "TokenEntitlements")

# %% [markdown]
# ## Measure the good server
#
# The same members, the same kill, the same half that comes back. Only the server is different.

# %%
good = await lesson.measure("good", users=members, messages=messages)
lesson.numbers(bad=bad, good=good)
addresses = [run.details["addresses"] for run in (bad, good)]
print("addresses that one message is sent to: bad {:.0f}, good {:.0f}".format(*addresses))

# %% [markdown]
# The addresses of the bad server are users, one by one. Those of the good one are rooms: the job's, and the writer's
# own, for the writer's other tabs.
#
# After the kill the good server knew nothing, and that was right: there was nothing to know. Each member who came back
# put the room together again by joining it.
#
# Do not read much into the time of a delivery here. The table lies in the same process, on the same machine, and all
# clients are on it too; where a database is asked over a network, each message waits for that.

# %% [markdown]
# ## Side by side
#
# *The figure: ghosts that one message is sent to by the bad and by the good server, on one axis. A dashed line shows
# each bound.*

# %%
lesson.side_by_side(bad, good, guess=my_guess)

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price:** after a restart every room is empty until its members come back, and each connect must carry or fetch
# what its user may join. With many rooms a user that is work at every reconnect, and all users reconnect at once when a
# server restarts. A token that names the rooms costs no query, and is as old as the token: who is thrown out of a job
# stays in the room until you take the socket out, or the token ends.
#
# **Where it bends:** the rule is about *now*. Who is assigned to job 17, who was invited, who read up to which message:
# all of that must survive a crash, and belongs in the database, where the server asks when somebody *joins*, and not
# at each message. "Who is in the room?" can be shown on a page; ask the room at that moment.
#
# With several server processes each knows its own connections only. Socket.IO then passes messages between them through
# a message queue. That is still no table of members: what travels is the message and the room's name.

# %% [markdown]
# ## Turn the knob
#
# How does it grow? Larger and larger rooms, of which half come back.
#
# *The figure: ghosts that one message is sent to against the number of members, a rising line for the bad server and a
# flat one at nought for the good one. To try more, change the list, or the number of messages.*

# %%
swept = await lesson.sweep("users", [10, 20, 40], messages=2)
title = "Each further member means {bad} more ghosts a message on the bad server, {good} on the good one"
lesson.growth(swept, each="member", title=title)

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Fix it, so that a message to the room is sent to nobody who is gone.

# %% tags=["exercise"]
from bad_server import mistake_04_saves_membership_in_a_database as mistake
from good_server import events
from good_server.handlers import chat
from good_server.rooms import base_rooms, user_room


class Handlers(mistake.Handlers):
    async def joined(self, request):
        for room in base_rooms(request.identity):
            await request.join(room)
        rows = [(room, request.identity.user) for room in request.identity.topic_rooms]
        self.database.executemany("INSERT OR IGNORE INTO members VALUES (?, ?)", rows)

    async def deliver(self, request, sent):
        found = self.database.execute("SELECT user FROM members WHERE room = ?", (sent.room,))
        message = chat.compose(request, sent)
        to = [user_room(user) for (user,) in found]
        await request.emit(events.CHAT_MESSAGE, message, to=to, also_to_me=False)
        return {"id": message.id, "at": message.at}


# %% [markdown]
# Run this after each change. It starts a server with your class, runs this lesson's scenario on it with fewer members,
# and shows the numbers.

# %%
await lab.grade(4, Handlers)

# %% [markdown]
# Stuck? Call `lab.hint(4)` in a new cell: each call tells you a little more. After you have passed, `lab.solution(4)`
# shows one way to write the code.

# %% [markdown]
# ## For the interview
#
# *"Where do you keep who is in a chat room?"* Answer aloud first, then open the answer below.

# %%
sql = [run.also["sql_statements_per_message"] for run in (bad, good)]
lab.fold(
    "The answer in thirty seconds",
    f"""Two questions are mixed up there. Who may be in it: in the database, asked when somebody joins.
Who is in it now: nowhere, since Socket.IO's room is exactly its open connections. I killed a
server under a room of {members}, and {bad.details["back"]} came back: with a table each message was still sent
to {bad.value:.0f} who were gone; with rooms, to {good.value:.0f}. And the table cost
{sql[0]:.0f} SQL statement a message, the rooms {sql[1]:.0f}.""",
)

# %% [markdown]
# <details><summary>The follow-up: somebody is thrown out of the job while connected. Who tells the room?</summary>
#
# The code that throws them out. It changes the database, and then takes the user's sockets out of the room; the
# next connect asks the database, and does not join again. The order matters: the right first, then the room, or a
# reconnect in between lets the user in once more.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** `socket.rooms` is `sio.rooms(sid)`; to take all sockets of a user out of a room,
# `io.in("user:7").socketsLeave("job:17")` in Node, and `await sio.leave_room(sid, "job:17")` for each of them in
# Python. Where several processes work together through Redis, messages travel there, and no members are kept.
#
# - Who may is data. Who is there is a fact of the moment.
# - What a crash makes wrong, and nothing makes right again, does not belong in a table.
# - Ask the database when somebody joins, not when somebody writes.
#
# Next: [05 · Let rooms clean themselves](05_manual_disconnect_cleanup.ipynb)

# %%
lesson.check(bad, good)
