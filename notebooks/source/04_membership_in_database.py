# %% [markdown]
# # 04 · Keep room membership out of the database
#
# **The claim:** a server that stores room members in a table still sends to every member who did not come back after a
# crash. A server that uses Socket.IO's rooms sends to none of them.
#
# *Ten minutes. You need to know what a function is in Python, and what a table in a database is. New here? Begin with
# [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** *who may be in a room* is business data and belongs in a database. *Who is in it now* does not: only
# Socket.IO knows that, and it tracks it by itself.
#
# **Otherwise:** each message first costs a database query, and is then sent to members who left long ago. After a crash
# the table is wrong, and nothing corrects it.
#
# A *room* is a name for a set of connections. A message to the room goes to all of them. A *ghost* is a member who is
# in the table but has no connection.

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
# The page says that the whole team is in this room, but half of the team went home hours ago. The list was correct
# until the last crash. Now somebody runs a script by hand when the list is too wrong. The script empties the table, so
# it also removes the members who are really there.

# %% [markdown]
# ## The mistake
#
# Here is the code of the bad server. It follows a common rule: important data goes into the database.

# %%
lab.show(
    "bad_server.mistake_04_saves_membership_in_a_database",
    "Handlers.joined",
    "Handlers.left",
    "Handlers.deliver",
    highlight=["INSERT", "DELETE", "SELECT"],
)

# %% [markdown]
# `joined` runs at every connect and writes the rows. `left` runs at every lost connection and deletes them. When the
# server is killed, no code runs. All connections are lost at once, and all rows stay.

# %% [markdown]
# ## Predict
#
# The room `job:17` is full. The server is killed, as in a crash or when the system runs out of memory, and started
# again on the same database. Half of the members come back. The others have finished work for the day.
#
# To how many ghosts does the bad server send each message to the room? Put a number in place of `None`. The lesson also
# runs without a guess.

# %%
my_guess = None

# %% [markdown]
# ## Measure the bad server
#
# The cell starts a fresh server in its own process, and a real Socket.IO client for every member. Before the kill, one
# message must reach all of them. A *probe*, a part of the lab inside the server's process, counts to how many
# recipients each message is sent, and how many of them are connected.

# %%
members, messages = 100, 10
bad = await lesson.measure("bad", users=members, messages=messages)

# %% [markdown]
# ## The number
#
# *The figure: one bar for the bad server, the ghosts that one message is sent to, and the bound that we expected it to
# exceed.*

# %%
print(f"{bad.details['back']} of {members} members came back")
lesson.numbers(bad=bad)
lesson.one_side("bad", bad, guess=my_guess)

# %% [markdown]
# ## Look closer
#
# The server relies on its table. Socket.IO knows the truth, because it holds the connections.

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
# With a single server it would help after this crash. But then nobody may ever start a second server process on the
# same database: its start would remove the members of the first one. It also does not help when a row stays for another
# reason. For example, a user may close one of two tabs. Look at `left` again: it deletes the rows of a *user* whenever
# any *tab* is lost.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server has no table. At every connect the socket joins its rooms, and a message to a room is sent to that
# room. The server also checks in the room whether the writer is a member.

# %%
lab.show("good_server.gateway.gateway", "Gateway.joined", highlight=["request.join"])
lab.show("good_server.handlers.chat", "deliver", highlight=["not in request.rooms()", "to=(target, own_tabs)"])

# %% [markdown]
# And who may be in `job:17`? That stays business data. The *token*, a signed note that each client shows when it
# connects, lists the user's rooms. For rooms that are granted later, you can plug in your database here:

# %%
lab.show("good_server.services.entitlements", "TokenEntitlements")

# %% [markdown]
# ## Measure the good server
#
# The same server kill, and the same half of the members comes back. Only the server is different.

# %%
good = await lesson.measure("good", users=members, messages=messages)
lesson.numbers(bad=bad, good=good)
addresses = [run.details["addresses"] for run in (bad, good)]
print("addresses that one message is sent to: bad {:.0f}, good {:.0f}".format(*addresses))

# %% [markdown]
# The bad server addresses users one by one. The good server addresses two rooms: the room of the job, and the writer's
# own room for the writer's other tabs.
#
# After the kill the good server had no members, and that was correct: nobody was connected. Each member who came back
# joined the room again.
#
# Do not compare delivery times here. The table is in the same process and on the same machine, and so are all clients.
# When a database is reached over a network, each message waits for it.

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
# **The price:** after a restart every room is empty until its members come back. Each connect must carry or fetch the
# rooms that its user may join. With many rooms per user this is work at every reconnect, and after a server restart all
# users reconnect at once. A token that lists the rooms needs no query, but it can be out of date: a user who is removed
# from a job stays in the room until you remove the socket, or until the token expires.
#
# **Where it bends:** the rule is only about *now*. Who is assigned to job 17, who was invited, who has read which
# messages: all of this must survive a crash and belongs in the database. The server queries it when somebody *joins*,
# not for each message. You may show "who is in the room?" on a page: ask the room at that moment.
#
# With several server processes, each knows only its own connections. Socket.IO then passes messages between them
# through a message queue (pub/sub). That is still no table of members: only the message and the name of the room are
# passed.

# %% [markdown]
# ## Turn the knob
#
# How does it grow? The rooms get larger and larger, and half of the members come back.
#
# *The figure: ghosts that one message is sent to against the number of members, a rising line for the bad server and a
# flat line at zero for the good one. To try more, change the list or the number of messages.*

# %%
swept = await lesson.sweep("users", [10, 20, 40], messages=2)
title = "Each additional member adds {bad} ghosts per message on the bad server, {good} on the good one"
lesson.growth(swept, each="member", title=title)

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Fix it, so that a message to the room is not sent to members who are gone.

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
    f"""These are two questions. Who may be in the room: I store that in the database and query it at join.
Who is in the room now: I do not store that, because Socket.IO's room is exactly its open connections.
I killed a server with {members} members in a room, and {bad.details["back"]} came back. With a table each message
was still sent to {bad.value:.0f} members who were gone, with rooms to {good.value:.0f}. The number of SQL statements
per message was {sql[0]:.0f} with the table and {sql[1]:.0f} with rooms.""",
)

# %% [markdown]
# <details><summary>The follow-up: a user is removed from the job while connected. What updates the room?</summary>
#
# The code that removes the user. It first changes the database, and then removes the user's sockets from the room. The
# next connect queries the database and does not join again. The order matters: if the code changed the room first, a
# reconnect in between would let the user in again.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** `socket.rooms` is `sio.rooms(sid)`. To remove all sockets of a user from a room, use
# `io.in("user:7").socketsLeave("job:17")` in Node, and `await sio.leave_room(sid, "job:17")` for each of them in
# Python. When several processes share Redis, only messages go through Redis. It stores no members.
#
# - Who may be in a room is data. Who is in it now is a temporary fact.
# - Do not store what becomes wrong in a crash and is never corrected.
# - Query the database when somebody joins, not when somebody writes.
#
# Next: [05 · Let rooms clean themselves](05_manual_disconnect_cleanup.ipynb)

# %%
lesson.check(bad, good)
