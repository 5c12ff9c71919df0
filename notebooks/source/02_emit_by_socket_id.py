# %% [markdown]
# # 02 · Emit to the user's room, not to a socket id
#
# **The claim:** a server that sends a finished report to the socket id that asked for it loses every report whose user
# has reconnected meanwhile; a server that sends it to the user's room loses none.
#
# *Ten minutes. You need to know what a function is in Python, and what a web page does when the network drops: it
# connects again. New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** when you send something later than now, send it to the room `user:<id>`, which stands for a person, and
# not to a socket id, which stands for one connection of that person.
#
# **Otherwise:** whoever loses the connection while the work is done never gets the result, and nobody sees an error.
#
# A *socket id* is the name that Socket.IO gives to one connection. A *room* is a name for a set of connections; what
# is sent to the room goes to all of them. To send is called to *emit*.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.figures import charts

lesson = lab.lesson(2)
print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## The symptom
#
# "I asked for the report and it never came." You look: the report was made, no error is in the log, and it was sent.
# The user asks again and now it comes. It happens mostly on trains, and mostly with the long reports.

# %% [markdown]
# ## The mistake
#
# Here is the code, cut from the running bad server. A report takes a while, so the server answers at once with a job
# number. What goes with the job is `to`, the address at which the report is delivered when it is ready.

# %%
lab.show(
    "bad_server.mistake_02_emits_to_a_socket_id",
    "Handlers.request_report",
    highlight=["request.sid"],
)

# %% [markdown]
# `request.sid` is the socket id of the connection that asked. It is right when the report is asked for. Between that
# line and the emit lies all the time that the report takes, and in that time a train goes through a tunnel.

# %% [markdown]
# ## Predict
#
# Users ask for a report each. While the reports are made, every connection is cut once, and the client library
# reconnects by itself. Everyone is connected again well before the first report is ready.
#
# What percentage of the reports arrives on the bad server? Put a number in place of `None`; without one the lesson runs
# all the same.

# %%
my_guess = None

# %% [markdown]
# ## Measure the bad server
#
# A fresh server in a process of its own, and a real Socket.IO client for every user. One more user stays connected all
# the time and asks last: when that report arrives, all the others have been sent, so nobody has to be waited for.

# %%
users = 50
bad = await lesson.measure("bad", users=users)

# %% [markdown]
# ## The number
#
# *The figure: one bar for the bad server, the percentage of reports that reached their user, next to the bound it was
# expected to stay below.*

# %%
print(f"{users} users asked, each report took {bad.details['asked_for_seconds']} s")
lesson.numbers(bad=bad)
lesson.one_side("bad", bad, guess=my_guess)

# %% [markdown]
# Read the last row of the table twice. Every report was sent into the void, and the errors that anybody saw, on the
# server or on a client, are none.

# %% [markdown]
# ## Look closer
#
# What did the server believe? It kept the socket id from the moment of the question, and took it for the user.
#
# *The figure: a row a user. Each asks at about nought seconds, is cut, and is connected again soon after (a bar). When
# the first report is ready (a square), everyone has long been there, and nobody receives one.*

# %%
ready, seen = bad.details["asked_for_seconds"], bad.details["timeline"]
rows = {user["user"]: {"connected": [user["back"]], "ready": [ready]} for user in seen[:6]}
for user in seen[:6]:
    if user["received"] is not None:
        rows[user["user"]]["received"] = [user["received"]]
title = "Back long before the report was ready, and it went to nobody: six users of the bad server"
lab.draw(charts.timeline(rows, title=title, x_label="seconds since the first question"))

# %%
last_back = max(user["back"] for user in seen)
received = sum(user["received"] is not None for user in seen)
print(f"The last user was back {ready - last_back:.1f} s before the first report was ready.")
lab.table(
    ["", "what the server believed", "what was true"],
    ["reports sent to somebody", str(users), f"{users - bad.also['sent_into_the_void']:.0f}"],
    ["reports received", str(users), str(received)],
)

# %% [markdown]
# **A question before you read on:** why does an emit to an id that no longer exists raise no error?
#
# <details><summary>The answer</summary>
#
# Because Socket.IO has only rooms. A socket id is the name of a room too, in which that one connection is. Once the
# connection is lost, it is a room with nobody in it. To send to an empty room is allowed, as it has to be: a user who
# is offline is nobody's mistake.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server keeps the user, not the connection.

# %%
lab.show("good_server.handlers.reports", "request_report", highlight=["to = "])
lab.show("good_server.rooms", "user_room")

# %% [markdown]
# The answer to "where to?" is worked out when the report is ready, not when it is asked for. Whichever connections are
# in the room at that moment get it: the one that came back, and a second tab too.
#
# An address is made of names alone, a namespace and rooms. So the job may wait in another process, or in Redis, where
# nobody knows of connections: the name of a room is as good there as here.

# %% [markdown]
# ## Measure the good server
#
# The same users, the same reports, the same cuts; only the server differs.

# %%
good = await lesson.measure("good", users=users)
lesson.numbers(bad=bad, good=good)

# %% [markdown]
# ## Side by side
#
# *The figure: reports that reached their user on the bad and on the good server, on one axis, each with its bound as a
# dashed line.*

# %%
lesson.side_by_side(bad, good, guess=my_guess)

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price:** all tabs of the user get the report, not only the one that asked. Mostly that is what people want.
# Where it is not, put the job number into the event, as this server does, and let a tab that did not ask pass over it.
#
# **Where it bends:** a room is not a letter box. It delivers to those who are in it *now*; a user who is away when the
# report is ready gets nothing from either server, and no error says so. In this lesson everyone was back in time.
# What must not be lost has to be stored under its job number, where the user can fetch it after the next connect; the
# emit is then only the bell that rings.
#
# An answer that is sent *at once*, while the handler runs, may well go to the socket that asked. For that Socket.IO has
# the *acknowledgement*: what a handler returns goes back to its sender. The job number comes back this way.

# %% [markdown]
# ## Turn the knob
#
# How does it grow? More users, the same report.
#
# *The figure: messages sent to nobody against the number of users, a rising line for the bad server and a flat one at
# nought for the good one. To turn it further, change the list, or `report_milliseconds`; below the time of a reconnect
# the run does not count, as the report would be ready before anyone is back.*

# %%
swept = await lesson.sweep("users", [5, 10, 20], report_milliseconds=1000)
title = "Each user who reconnects costs the bad server {bad} result, the good one {good}"
lesson.growth(swept, each="user", title=title, of="sent_into_the_void")

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Mend it, so that the report reaches a user who has reconnected. Whatever you
# need of `good_server` you may import in the same cell.

# %% tags=["exercise"]
from bad_server import mistake_02_emits_to_a_socket_id as mistake


class Handlers(mistake.Handlers):
    async def request_report(self, request, wanted):
        to = request.address(request.sid)
        return {"job": await self.reports.request(wanted.kind, wanted.size, to)}


# %% [markdown]
# Run this after each change. It starts a server with your class, runs the scenario of this lesson on it, with fewer
# users, and answers in numbers.

# %%
await lab.grade(2, Handlers)

# %% [markdown]
# Stuck? `lab.hint(2)` in a cell of its own says a little more each time, and `lab.solution(2)` shows one way to write
# it once you have passed.

# %% [markdown]
# ## For the interview
#
# *"A background job is done. How do you tell the user who started it?"* Answer aloud first, then open.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""I keep the user with the job, not the socket id, and emit to the room `user:<id>` when it
is done. The socket id may be gone by then. I measured it: {users} users asked, reconnected, and
were all back before their report was ready; sent to the socket id {bad.value:.0f} % arrived, sent to
the room {good.value:.0f} %, and the errors anyone saw were {bad.also["errors_seen"]:.0f}. A room does not store, so
what must not be lost I also keep under its job number, to be fetched after the next connect.""",
)

# %% [markdown]
# <details><summary>The follow-up: the user is offline when the job is done. What then?</summary>
#
# The emit reaches nobody, and that is fine as long as it was only a notice. The result itself is stored under its job
# number. After each connect the client asks for the jobs it still waits for, or the server tells it what is ready. A
# push to the phone is one more bell of the same kind.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** `io.to(socket.id).emit(…)` is the mistake in Node, `await sio.emit(…, to=sid)` in Python; right
# are `io.to("user:7").emit(…)` and `await sio.emit(…, to="user:7")`. Both libraries make a room of every socket id,
# so neither complains when it is empty.
#
# - Between the question and the answer a connection may die. A person does not.
# - Work out where to send when you send.
# - A room delivers now. What must not be lost is stored.
#
# Next: [03 · Join rooms on every connect](03_join_room_once.ipynb)

# %%
lesson.check(bad, good)
