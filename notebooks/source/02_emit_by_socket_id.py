# %% [markdown]
# # 02 · Emit to the user's room, not to a socket id
#
# **The claim:** a server that sends a finished report to the socket id that asked for it loses every report whose user
# has reconnected in the meantime. A server that sends it to the user's room loses none.
#
# *About 25 minutes: 13 to read, ten for the exercise. You need to know what a function is in Python, and that a web
# page reconnects when the network drops. New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** when you send something later, send it to the room `user:<id>`, which stands for a person. Do not send
# it to a socket id, which stands for one connection of that person.
#
# **Otherwise:** a user who loses the connection while the work is done never receives the result, and nobody sees an
# error.
#
# A *socket id* is the name that Socket.IO gives to one connection. A *room* is a name for a set of connections. A
# message to the room goes to all of them. To *emit* means to send.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.figures.report_timeline import report_timeline

lesson = lab.lesson(2)
print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## The symptom
#
# "I asked for the report and it never came." You look: the report was made and sent, and the log has no error. The user
# asks again, and this time it arrives. It happens mostly on trains, and mostly with the long reports.

# %% [markdown]
# ## The mistake
#
# Here is the code of the bad server. A report takes a while, so the server answers at once with a job number. The job
# keeps `to`, the address to which the report is sent when it is ready.

# %%
lab.show(
    "bad_server.mistake_02_emits_to_a_socket_id",
    "Handlers.request_report",
    highlight=["request.sid"],
)

# %% [markdown]
# `request.sid` is the socket id of the connection that asked. It is correct at the moment of the request. But making
# the report takes time, and in that time a train may enter a tunnel.

# %% [markdown]
# ## Predict
#
# Each user asks for a report. While the reports are made, every connection is cut once, and the client library
# reconnects by itself. Everyone is connected again well before the first report is ready.
#
# What percentage of the reports arrives on the bad server? Put a number in place of `None`. The lesson also runs
# without a guess.

# %%
my_guess = None

# %% [markdown]
# **Try it by hand, if you like:** remove the `#` in the next cell and run the cell. A page appears below it, with both
# servers and a few simulated people. There you send messages and pull plugs, and see on both sides what arrives. The
# page ends when a later cell measures. In a terminal, `lab live 02` opens the same page.

# %%
# lab.show_live(2)

# %% [markdown]
# ## Measure the bad server
#
# The cell starts a fresh server in its own process, and a real Socket.IO client for every user. One more user stays
# connected all the time and asks last. When that user's report arrives, all the others have been sent, so the test need
# not wait any longer.

# %%
users = 50
bad = await lesson.measure("bad", users=users, is_traced=True)

# %% [markdown]
# ## The number

# %%
print(f"{users} users asked, each report took {bad.details['asked_for_seconds']} s")
lesson.numbers(bad=bad)
lesson.show_guess(bad, my_guess)

# %% [markdown]
# Look at the last row of the table. Every report was sent to nobody, and neither the server nor any client saw an
# error.

# %% [markdown]
# ## Look closer
#
# What did the server assume? It kept the socket id from the moment of the request and assumed that it still stood for
# the user. A probe in the server's process noted every emit, and whether a socket was there to receive it.
#
# *The figure: one row per user, for a few users. Each asks (a triangle), is cut (a cross), and is back with a new
# socket id (a bar). When the report is ready, the server emits it (a square) to the id that asked, which is dead. A
# circle would be a report that was received: there is none.*

# %%
seen, believed, true = bad.details, bad.details["emitted"], bad.details["emitted_to_a_socket"]
title = f"Of {believed} reports {believed - true} were emitted to a dead id, though every user was back"
lab.draw(report_timeline({"bad": seen}, title=title))

# %%
last_back = max(user["back"] for user in seen["timeline"])
received = sum(user["received"] is not None for user in seen["timeline"])
print(f"The last user was back {seen['asked_for_seconds'] - last_back:.1f} s before the first report was ready.")
lab.table(
    ["", "what the server believed", "what was true"],
    ["reports sent", f"{believed} (emits)", f"{true} (emits with a socket there)"],
    ["reports received", f"{believed} (no error)", f"{received}"],
)

# %% [markdown]
# **A question before you read on:** why does an emit to an id that no longer exists raise no error?
#
# <details><summary>The answer</summary>
#
# Because Socket.IO has only rooms. A socket id is also the name of a room, which contains that one connection. After
# the connection is lost, that room is empty. Sending to an empty room must be allowed: it is not an error when a user
# is offline.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server stores the user in the job, not the connection.

# %%
lab.show("good_server.handlers.reports", "request_report", highlight=["to = "])
lab.show("good_server.rooms", "user_room")

# %% [markdown]
# The server looks up the recipients when the report is ready, not when it is requested. All connections that are in the
# room at that moment receive it: the one that reconnected, and a second tab too.
#
# An address contains only names: a namespace and rooms. So the job may wait in another process or in Redis, which know
# nothing about connections: a room name is valid there too.

# %% [markdown]
# ## Measure the good server
#
# The same users, the same reports, the same cuts. Only the server is different.

# %%
good = await lesson.measure("good", users=users, is_traced=True)
lesson.numbers(bad=bad, good=good)

# %% [markdown]
# ## Side by side
#
# *The figure: the timeline of both servers. The good server emits to the user's room (a diamond), and the report is
# received (a circle). If you made a guess, it stands below the title.*

# %%
title = f"Reports received: {bad.value:.0f} % sent to the id that asked, {good.value:.0f} % sent to the user's room"
figure = report_timeline({"bad": bad.details, "good": good.details}, title=title)
lesson.side_by_side(figure, guess=my_guess, bad=bad, good=good)

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price:** all tabs of the user receive the report, not only the one that asked. Usually that is what people want.
# If not, put the job number into the event, as this server does, and let the other tabs ignore it.
#
# **Where it bends:** a room stores nothing. It delivers to the sockets that are in it *now*. A user who is offline when
# the report is ready receives nothing from either server, and no error shows it. In this lesson everyone was back in
# time. Store what must not be lost under its job number, so that the user can fetch it after the next connect. The emit
# is then only a notification.
#
# An answer that is sent *at once*, while the handler runs, may go to the socket that asked. Socket.IO has the
# *acknowledgement* for that: what a handler returns goes back to its sender. The job number is returned this way.

# %% [markdown]
# ## Turn the knob
#
# How does it grow? More users, the same report.
#
# *The figure: messages sent to nobody against the number of users, a rising line for the bad server and a flat line at
# zero for the good one. To try more, change the list or `report_milliseconds`. If a report takes less time than a
# reconnect, the run does not count, because the report would be ready before anyone is back.*

# %%
swept = await lesson.sweep("users", [5, 10, 20], report_milliseconds=1000)
title = "Each user who reconnects costs the bad server {bad} result, the good one {good}"
lesson.growth(swept, each="user", title=title, of="sent_into_the_void")

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Fix it, so that the report reaches a user who has reconnected. You may
# import what you need from `good_server` in the same cell.

# %% tags=["exercise"]
from bad_server import mistake_02_emits_to_a_socket_id as mistake


class Handlers(mistake.Handlers):
    async def request_report(self, request, wanted):
        to = request.address(request.sid)
        return {"job": await self.reports.request(wanted.kind, wanted.size, to)}


# %% [markdown]
# Run this after each change. It starts a server with your class, runs this lesson's scenario on it with fewer users,
# and shows the numbers.

# %%
await lab.grade(2, Handlers)

# %% [markdown]
# Stuck? Call `lab.hint(2)` in a new cell: each call tells you a little more. After you have passed, `lab.solution(2)`
# shows one way to write the code.

# %% [markdown]
# ## Find it in your own code
#
# `lab check PATH` reads Socket.IO code in Python, JavaScript and TypeScript, and looks for the ten mistakes without
# running anything. The cell checks the bad server's module and a Node file with the same mistake: in both, work that
# ends later still holds the id of the socket that asked for it. Run it on a folder of your own: an *error* makes the
# command fail, a *warning* asks you to look, and a *question* asks you to answer.

# %%
lab.find_in_code(2)

# %% [markdown]
# ## For the interview
#
# *"A background job is done. How do you tell the user who started it?"* Answer aloud first, then open the answer below.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""I store the user with the job, not the socket id, and emit to the room `user:<id>` when it
is done. The socket id may no longer exist by then. I measured it: {users} users asked, reconnected, and
were all back before their report was ready. Sent to the socket id, {bad.value:.0f} % arrived. Sent to
the room, {good.value:.0f} % arrived. The number of errors was {bad.also["errors_seen"]:.0f}. A room stores nothing, so
I also store the result under its job number, and the client fetches it after the next connect.""",
)

# %% [markdown]
# <details><summary>The follow-up: the user is offline when the job is done. What then?</summary>
#
# The emit reaches nobody. That is fine if the emit was only a notification and the result itself is stored under its
# job number. After each connect the client asks for the jobs that it still waits for, or the server sends a list of
# what is ready. A push notification to the phone works in the same way.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** the mistake is `io.to(socket.id).emit(…)` in Node and `await sio.emit(…, to=sid)` in Python. The
# fix is `io.to("user:7").emit(…)` and `await sio.emit(…, to="user:7")`. Both libraries make a room for every socket id,
# so neither reports an error when that room is empty.
#
# - A connection may be lost between the request and the answer. The user stays the same.
# - Decide where to send at the moment when you send.
# - A room delivers only now. Store what must not be lost.
#
# Next: [03 · Join rooms on every connect](03_join_room_once.ipynb)

# %%
lesson.check(bad, good)
