# %% [markdown]
# # 04 · Keep room membership out of the database
#
# **The claim:** a server that stores room members in a table no longer reaches a member who closes one of two tabs, and
# after a crash it still sends to members who are gone. A server that uses Socket.IO's rooms reaches every open tab, and
# sends to no member who is gone.
#
# *About 25 minutes: 13 to read, ten for the exercise. You need to know what a function is in Python, and what a table
# in a database is. New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** *who may be in a room* is business data and belongs in a database. *Who is in it now* does not: only
# Socket.IO knows that, and it tracks it by itself.
#
# **Otherwise:** a member who closes one tab loses the messages in the other one, each message costs a database query,
# and after a crash the table is wrong and nothing corrects it.
#
# A *room* is a name for a set of connections. A message to the room goes to all of them. A *ghost* is a member who is
# in the table but has no connection.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.figures.members_and_sockets import members_and_sockets

lesson = lab.lesson(4)
print("python-socketio", version("python-socketio"))
print(lab.heartbeats())

# %% [markdown]
# ## The symptom
#
# "I have the job's chat open, and I did not get the message." A reload helps. The table says that this member is not in
# the room, and nobody knows why. After a crash it is the other way round: the page lists half of the team as present,
# and they went home hours ago. Now somebody runs a script by hand when the list is too wrong.

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
# `joined` runs at every connect and writes the rows. `left` runs at every lost connection and deletes them. A row
# stands for a *user*, and both functions run for each *tab*. And when the server is killed, neither of them runs.

# %% [markdown]
# ## Predict
#
# The room `job:17` has many members, and each has two tabs open. Then each member closes one of the two tabs. One more
# member, who closes nothing, writes to the room.
#
# What percentage of these messages do the members receive in their other tab, on the bad server? Put a number in place
# of `None`. The lesson also runs without a guess.

# %%
my_guess = None

# %% [markdown]
# **Try it by hand, if you like:** remove the `#` in the next cell and run the cell. A page appears below it, with both
# servers and a few simulated people. There you send messages and pull plugs, and see on both sides what arrives. The
# page ends when a later cell measures. In a terminal, `lab live 04` opens the same page.

# %%
# lab.show_live(4)

# %% [markdown]
# ## Measure the bad server
#
# The cell starts a fresh server in its own process, and a real Socket.IO client for every tab. While all tabs are open,
# one message must reach each of them. After the first part the members open their second tabs again. Then the server is
# killed, as in a crash or when the system runs out of memory, and started again on the same database. Half of the
# members come back. A *probe*, a part of the lab inside the server's process, counts the rows of the table, the members
# who have a socket, and the addresses of each message.

# %%
members, messages = 50, 4
bad = await lesson.measure("bad", users=members, messages=messages, is_traced=True)

# %% [markdown]
# ## The number

# %%
print(f"after the crash {bad.details['back']} of {members} members came back")
lesson.numbers(bad=bad)
lesson.show_guess(bad, my_guess)

# %% [markdown]
# A *ghost send* is a send to a member who is gone. It hurts nobody: sending to an empty room does nothing. But it shows
# that the table is wrong, and so is every page that lists the members from it.

# %% [markdown]
# ## Look closer
#
# The server relies on its table. Socket.IO holds the connections.
#
# *The figure: the solid line is the number of members with at least one socket, the dashed line the number of rows in
# the table. One tab of each member closes, and the rows are gone although every member is still connected. The tabs
# open again, and the rows return. The server is killed and started again: half of the members come back, and the rows
# of all members are still there. The member who writes is counted too.*

# %%
seen, steps = bad.details["samples"], bad.details["steps"]
one_tab = [sample for sample in seen if sample["seconds"] < steps["opened again"]][-1]
crashed = seen[-1]
title = f"One tab of each closed: {one_tab['rows']} of {one_tab['connected']} members left in the table."
title += f" After the crash: {crashed['rows']} in the table, {crashed['connected']} connected."
lab.draw(members_and_sockets({"bad": bad.details}, title=title))

# %%
lab.table(
    ["members, the writer included", "what the server believed (rows)", "what was true (with a socket)"],
    ["one of two tabs closed", str(one_tab["rows"]), str(one_tab["connected"])],
    ["after the crash", str(crashed["rows"]), str(crashed["connected"])],
)
print(f"after the crash one message was sent to {bad.details['addresses']:.0f} members")

# %% [markdown]
# **A question before you read on:** would it help to count the tabs, or to keep a row for each socket, and to empty the
# table whenever the server starts?
#
# <details><summary>The answer</summary>
#
# With a single server it would help in this experiment. But then nobody may ever start a second server process on the
# same database: its start would remove the members of the first one. And a row for each socket id is mistake
# [01](01_stored_socket_ids.ipynb) again, in a database. What you would build is a copy of what Socket.IO already has.
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
# The same tabs close, the same server kill, and the same half of the members comes back. Only the server is different.

# %%
good = await lesson.measure("good", users=members, messages=messages, is_traced=True)
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
# *The figure: the same picture for both servers. On the good server the members in the room are always those who have a
# socket. If you made a guess, it stands below the title.*

# %%
title = f"One of two tabs closed: {bad.value:.0f} % received the room's messages, with rooms {good.value:.0f} %"
figure = members_and_sockets({"bad": bad.details, "good": good.details}, title=title)
lesson.side_by_side(figure, guess=my_guess, bad=bad, good=good)

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
# **A room is not exactly the people who listen.** A connection that falls silent stays in its room until a heartbeat
# fails; the first cell of this lesson printed after how long. The difference to the table: it is corrected by itself,
# every time.
#
# **Where it bends:** the rule is only about *now*. Who is assigned to job 17, who was invited, who has read which
# messages: all of this must survive a crash and belongs in the database. The server queries it when somebody *joins*,
# not for each message. You may show "who is in the room?" on a page: ask the room at that moment.
#
# With several server processes, each knows only its own connections. Socket.IO then passes messages between them
# through Redis (pub/sub). That is still no table of members: only the message and the name of the room are passed.

# %% [markdown]
# ## Turn the knob
#
# How does the damage of a crash grow? The rooms get larger and larger, and half of the members come back.
#
# *The figure: ghosts that one message is sent to against the number of members, a rising line for the bad server and a
# flat line at zero for the good one. To try more, change the list or the number of messages.*

# %%
swept = await lesson.sweep("users", [10, 20, 40], messages=2)
title = "Each additional member adds {bad} ghosts per message on the bad server, {good} on the good one"
lesson.growth(swept, each="member", title=title, of="ghost_sends")

# %% [markdown]
# The first harm, a member with an open tab who is not reached, does not grow: it is complete with two members.

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Fix it, so that a message to the room reaches every member with an open
# tab, and is sent to nobody who is gone.

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
# ## Find it in your own code
#
# `lab check PATH` reads Socket.IO code in Python, JavaScript and TypeScript, and looks for the ten mistakes without
# running anything. The cell checks the bad server's module and a Node file with the same mistake: in both, a table in a
# database says who is in a room. Run it on a folder of your own: an *error* makes the command fail, a *warning* asks
# you to look, and a *question* asks you to answer.

# %%
lab.find_in_code(4)

# %% [markdown]
# ## For the interview
#
# *"Where do you keep who is in a chat room?"* Answer aloud first, then open the answer below.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""These are two questions. Who may be in the room: I store that in the database and query it at join.
Who is in the room now: I do not store that, because Socket.IO keeps it and corrects it by itself, a silent connection
after its heartbeat. I measured {members} members who closed one of two tabs. With a table {bad.value:.0f} % of the
room's messages reached them, with rooms {good.value:.0f} %. Then I killed the server, and {bad.details["back"]} members
came back. With the table each message was still sent to {bad.also["ghost_sends"]:.0f} members who were gone, with rooms
to {good.also["ghost_sends"]:.0f}. SQL statements per message: {bad.also["sql_statements_per_message"]:.0f} with the
table, {good.also["sql_statements_per_message"]:.0f} with rooms.""",
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
# `io.in("user:7").socketsLeave("job:17")` in Node, which reaches every process that shares an adapter. In Python, use
# `await sio.leave_room(sid, "job:17")` for each socket, in the process that has it. The Redis adapter (Node) and the
# `AsyncRedisManager` (Python) pass messages between processes. They store no members.
#
# - Who may be in a room is data. Who is in it now is a temporary fact.
# - Do not store what becomes wrong in a crash and is never corrected.
# - Query the database when somebody joins, not when somebody writes.
#
# Next: [05 · Let rooms clean themselves](05_manual_disconnect_cleanup.ipynb)

# %%
lesson.check(bad, good)
