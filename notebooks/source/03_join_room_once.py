# %% [markdown]
# # 03 · Join rooms on every connect
#
# **The claim:** a server that joins a user's rooms once, when the page logs in, no longer reaches that user after the
# first reconnect; a server that joins them on every connect misses nobody.
#
# *Ten minutes. You need to know what a function is in Python, and what a web page does when the network drops: it
# connects again. New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** join every room in the code that runs at each connect, the first as well as the hundredth, from what
# the server already knows of the user.
#
# **Otherwise:** after a reconnect the connection is open and healthy, the page can send, and nothing arrives until
# somebody reloads the page.
#
# A *room* is a name for a set of connections; what is sent to the room goes to all of them. A new connection is in no
# room but its own, whoever was in which room before.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.figures import charts

lesson = lab.lesson(3)
print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## The symptom
#
# "The chat goes quiet after lunch. I press reload, and it works again." Your colleagues cannot reproduce it: with them
# it always works. Their laptops do not go to sleep during the demo, and their network does not drop.

# %% [markdown]
# ## The mistake
#
# Here is the code, cut from the running bad server. The page sends the event `session:login` once, when it has loaded;
# an *event* is a message with a name, and the function that answers it is its *handler*.

# %%
lab.show(
    "bad_server.mistake_03_joins_the_room_once",
    "Handlers.joined",
    "Handlers.log_in",
    highlight=["async def log_in", "request.join"],
)

# %% [markdown]
# `joined` runs at every connect, and does nothing. `log_in` does the right thing, but only when it is asked, and who
# asks a second time? The client library reconnects by itself, deep below the page, and the page is not loaded again.

# %% [markdown]
# ## Predict
#
# A ring of users logs in, each on one page. Everyone writes a message to the next one: all of them arrive. Then every
# connection is cut, and the client library reconnects by itself. Once everyone is back, they write again.
#
# What percentage of the second messages arrives on the bad server? Put a number in place of `None`; without one the
# lesson runs all the same.

# %%
my_guess = None

# %% [markdown]
# ## Measure the bad server
#
# A fresh server in a process of its own, and a real Socket.IO client for every user. The next messages are written only
# when every client says that it is connected again, so nothing is lost by being early.

# %%
users = 50
bad = await lesson.measure("bad", users=users)

# %% [markdown]
# ## The number
#
# *The figure: one bar for the bad server, the percentage of messages that arrived after the reconnect, next to the
# bound it was expected to stay below.*

# %%
lesson.numbers(bad=bad)
lesson.one_side("bad", bad, guess=my_guess)

# %% [markdown]
# Before the cut everything arrived. That is why this passes in the demo, and in every test that connects once.

# %% [markdown]
# ## Look closer
#
# What could anybody have noticed? Here is what can be seen from outside, before the cut and after the reconnect.

# %%
# a run in which the server does not accept every message does not count, and is not returned
seen = bad.details["timeline"]
before, after = (sum(text in user for user in seen) for text in ("before", "after"))
lab.table(
    ["", "before the cut", "after the reconnect"],
    ["connections open", str(users), str(sum("back" in user for user in seen))],
    ["messages the server accepted", str(users), str(users)],
    ["**messages that arrived**", f"**{before}**", f"**{after}**"],
)

# %% [markdown]
# The server believes that all is well: as many connections as before, every message accepted. Only the last row is
# different, and no server prints that row. Now the same for a few single users.
#
# *The figure: a row a user. Each receives the first message, is cut, is connected again a moment later, and receives
# nothing more.*

# %%
rows = {
    user["user"]: {
        "received": [user[text] for text in ("before", "after") if text in user],
        "cut": [bad.details["cut"]],
        "connected": [user["back"]],
    }
    for user in seen[:6]
}
title = "Connected again, and never reached again: six users of the bad server"
lab.draw(charts.timeline(rows, title=title, x_label="seconds since the first login"))

# %% [markdown]
# **A question before you read on:** the message was sent to the room `user:<id>`, and the server said yes to it. Who
# was in that room?
#
# <details><summary>The answer</summary>
#
# Nobody. When the old connection was lost, Socket.IO took it out of the room, as it should. The new connection never
# joined. A room with nobody in it is not an error: to send to it is allowed, and does nothing.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server has no login event, and needs none. Whoever connects shows a *token*, a signed note that says who it
# is; so the server knows the user's rooms before the first message, and joins them in `joined`.

# %%
lab.show("good_server.gateway.door", "Gateway.joined", highlight=["request.join"])
lab.show("good_server.rooms", "rooms_at_connect", "base_rooms")

# %% [markdown]
# The same loop as in the bad server, in another place. What matters is not what is joined, but what calls it: a
# connect, which happens every time, and not a page, which loads once.

# %% [markdown]
# ## Measure the good server
#
# The same users, the same cut. The clients even send `session:login` as before: the good server answers that it knows
# no such event, and nothing depends on it.

# %%
good = await lesson.measure("good", users=users)
lesson.numbers(bad=bad, good=good)

# %% [markdown]
# ## Side by side
#
# *The figure: messages that arrived after the reconnect on the bad and on the good server, on one axis, each with its
# bound as a dashed line.*

# %%
lesson.side_by_side(bad, good, guess=my_guess)

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price:** the server must know who it is at the connect, so the token travels with the connect and is checked
# there, each time. When a whole server's clients come back at once, all of those checks come at once too. Keep what
# runs at a connect short: check the token, join the rooms, no query that can wait.
#
# **Where it bends:** some rooms cannot be known at the connect, such as the one job whose page is open now. For those
# the client asks, and has to ask again after *every* connect; each time the server checks that it may. On the client
# the place is the `connect` event, which fires on each reconnect, and not the code that runs when the page loads.
#
# **What it does not do:** it brings nobody back what was sent while they were away. A room delivers to those who are
# in it now. What must not be lost is stored, and fetched after the connect.

# %% [markdown]
# ## Turn the knob
#
# Does it grow with the number of users? Look before you read on.
#
# *The figure: messages that arrived against the number of users, two level lines, the bad server's at the bottom and
# the good one's at the top. To turn it further, change the list of numbers.*

# %%
swept = await lesson.sweep("users", [5, 20, 40])
title = "Each further user changes the bad server's share by {bad} %, the good one's by {good} %"
lesson.growth(swept, each="user", title=title)

# %% [markdown]
# It does not grow, and that is the lesson. The mistake is complete with a handful of users: it is the design that
# fails, not the traffic. A load test would not have found it; one cut connection does.

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Mend it, so that a message arrives after the reconnect too.

# %% tags=["exercise"]
from bad_server import mistake_03_joins_the_room_once as mistake
from good_server.rooms import rooms_at_connect


class Handlers(mistake.Handlers):
    async def joined(self, request):
        """Runs at every connect, the first as well as the hundredth."""

    async def log_in(self, request, _):
        for room in rooms_at_connect(request.identity):
            await request.join(room)
        return {"user": request.identity.user}


# %% [markdown]
# Run this after each change. It starts a server with your class, runs the scenario of this lesson on it, with fewer
# users, and answers in numbers.

# %%
await lab.grade(3, Handlers)

# %% [markdown]
# Stuck? `lab.hint(3)` in a cell of its own says a little more each time, and `lab.solution(3)` shows one way to write
# it once you have passed.

# %% [markdown]
# ## For the interview
#
# *"Users stop receiving messages after their Wi-Fi drops, until they reload. Where do you look?"* Answer aloud first,
# then open.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""At where the rooms are joined. A reconnect is a new connection, and it is in no room:
if the join hangs on a login event that the page sends once, nobody joins the second time.
I join at every connect, from the verified token. I tested it with {users} users who were
all cut once: joined at login, {bad.value:.0f} % of the messages arrived afterwards; joined
at every connect, {good.value:.0f} %. Before the cut {bad.also["received_before"]:.0f} % arrived on both servers:
no demo shows it.""",
)

# %% [markdown]
# <details><summary>The follow-up: could the client not simply send its login again whenever it connects?</summary>
#
# It could, and it would help. But then every client has to remember it, the page, the phone app, and the one that
# somebody writes next year; and between the connect and the login there is a gap in which messages are lost. The
# server sees every connect anyway. Put the join where it cannot be forgotten.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** in Node the place is `io.on("connection", socket => socket.join("user:7"))`; in python-socketio it
# is the `connect` handler, with `await sio.enter_room(sid, "user:7")`. Node can bring a client's rooms back after a
# short loss (*connection state recovery*), does not always succeed, and python-socketio has no such thing: join all the
# same.
#
# - A reconnect is a new connection, and a new connection is in no room.
# - What has to hold after every connect belongs in the code that runs at every connect.
# - Test with a cut. Whatever connects once proves nothing about the second time.
#
# Next: [04 · Keep room membership out of the database](04_membership_in_database.ipynb)

# %%
lesson.check(bad, good)
