# %% [markdown]
# # 07 · Let a user have many tabs
#
# **The claim:** a server that throws out the older connection when a user opens a second tab makes the tabs fight, and
# most of them miss what is sent to their user; a server with one room for all of a user's tabs reaches every one.
#
# *Ten minutes. You need to know what a function is in Python, and what a web page does when its connection is closed:
# it connects again. New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** every connection of a user joins the room `user:<id>`, however many there are. Whoever writes to the
# user writes to the room.
#
# **Otherwise:** two tabs throw each other out, again and again, and each message reaches whichever tab happens to be
# connected at that moment.
#
# A *tab* here is anything that holds a connection: a browser's tab, a phone, a second computer.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.figures import charts
from lab.results.statistics import slope
from lab.results.wording import number

lesson = lab.lesson(7)
print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## The symptom
#
# "It says *connecting …* all day." The user's network is fine. Their colleague has no trouble at all. What differs: the
# user has the page open twice, and has forgotten the tab behind the others, or the phone in the bag.

# %% [markdown]
# ## The mistake
#
# Here is the code, cut from the running bad server. It was written for a good reason: somebody wanted one session a
# user.

# %%
lab.show(
    "bad_server.mistake_07_blocks_the_second_tab",
    "Handlers.joined",
    "Handlers.end_older_sessions",
    highlight=["end_older_sessions(request)", "self.close(sid)"],
)

# %% [markdown]
# `joined` runs at each connect. The new connection closes the older one. But the tab that was closed does not know why;
# to its client library this looks like a network that dropped, and for that it has a remedy.

# %% [markdown]
# ## Predict
#
# Users with three tabs each, whose client library reconnects by itself. Others write to these users a few times. A
# message ought to arrive in each of the three tabs.
#
# In what percentage of the tabs does a message arrive on the bad server? Put a number in place of `None`; without one
# the lesson runs all the same.

# %%
my_guess = None

# %% [markdown]
# ## Measure the bad server
#
# A fresh server in a process of its own, and a real Socket.IO client for every tab.

# %%
users, each = 20, 3
bad = await lesson.measure("bad", users=users, each=each)

# %% [markdown]
# ## The number
#
# *The figure: one bar for the bad server, the percentage of tabs that received a message to their user, next to the
# bound it was expected to stay below.*

# %%
lesson.numbers(bad=bad)
lesson.one_side("bad", bad, guess=my_guess)

# %% [markdown]
# Look at the reconnects. Nobody asked for these connections: the server makes work for itself, as fast as the clients'
# pauses allow.

# %% [markdown]
# ## Look closer
#
# The server believes that it keeps order: one user, one session. Here is what its order looks like for one user.
#
# *The figure: a row a tab. Each is connected many times over, as the others throw it out; of the messages sent to the
# user, each arrives in one row only.*

# %%
# of the messages, the first row shows when they were sent: it is the same for all
rows = {
    f"tab {place}": {"connected": tab["connects"], "received": tab["received"]}
    for place, tab in enumerate(bad.details["users"][:each], 1)
}
rows = {"messages": {"sent": bad.details["users"][0]["sent"]}, **rows}
connects = sum(len(tab["connects"]) for tab in bad.details["users"][:each])
title = f"{each} tabs of one user connect {connects} times in {bad.details['seconds']:.1f} s"
lab.draw(charts.timeline(rows, title=title, x_label="seconds since the first message"))

# %% [markdown]
# **A question before you read on:** who wins such a fight?
#
# <details><summary>The answer</summary>
#
# Nobody, for as long as the tabs are open. Whoever has just connected is the one who is thrown out next. The library's
# pause between two tries grows a little, up to a limit, and starts anew after each success; and each of these connects
# *is* a success. So the fight does not die down.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server does not do anything for a second tab, and that is all. Every connection joins its user's room, and an
# emit to the room reaches all of them.

# %%
lab.show("good_server.gateway.door", "Gateway.joined", highlight=["request.join"])
lab.show("good_server.gateway.door", "Gateway._make_way", highlight=["sockets_per_user"])

# %% [markdown]
# There is a limit, against a script that opens connections without end. It closes the one that has been silent longest,
# which is hardly ever one that somebody is looking at. The limit has to be generous: with one tab more than it allows,
# the fight would begin here too.

# %% [markdown]
# ## Measure the good server
#
# The same users, the same tabs, the same messages; only the server differs.

# %%
good = await lesson.measure("good", users=users, each=each)
lesson.numbers(bad=bad, good=good)
fights, calm = (run.also["reconnects_per_second"] for run in (bad, good))

# %% [markdown]
# ## Side by side
#
# *The figure: tabs that received a message to their user, on the bad and on the good server, on one axis, each with its
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
# **The price:** each tab is a connection, with its memory, its heartbeats and its copy of each message. And the page
# has to expect company: what is read in one tab should be read in all, and a sound should not be played by each.
#
# **Where it bends:** some products must allow one session only: a bank, an exam, a licence for one seat. Then decide it
# where sessions are made, at the *login*: the new login makes the older token invalid. The older tab is told why, by a
# message of its own ("you have logged in elsewhere"), and its next connect is refused for good, so it does not come
# back. A fight needs two who may both connect; here only one may.
#
# **What it does not do:** the room does not know which of the tabs a person is looking at. If that matters, let the
# pages say so.

# %% [markdown]
# ## Turn the knob
#
# A user opens one more tab. How many more tabs does a message reach?
#
# *The figure: tabs reached by a message against the tabs that each user has open, a level line for the bad server and a
# rising one for the good one. To turn it further, change the list of numbers.*

# %%
swept = await lesson.sweep("each", [1, 2, 4], users=6, messages=3)
opened = swept.values
reached = {side: [of * value / 100 for of, value in zip(opened, swept.of(side), strict=True)] for side in swept.runs}
rise = {side: number(round(slope(opened, tabs), 2)) for side, tabs in reached.items()}
title = f"A further tab adds {rise['bad']} to those reached on the bad server, {rise['good']} on the good one"
labels = {"x_label": "tabs open", "y_label": "tabs reached", "each": "tabs reached for each one open"}
lab.draw(charts.growth([(side, opened, tabs) for side, tabs in reached.items()], title=title, **labels))

# %% [markdown]
# With one tab the bad server is perfect, and one tab is what a test opens. However many there are, only one of them is
# let live at a time.

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Mend it, so that a message arrives in all of a user's tabs.

# %% tags=["exercise"]
from bad_server import mistake_07_blocks_the_second_tab as mistake
from good_server.gateway import Gateway
from good_server.rooms import user_room


class Handlers(mistake.Handlers):
    async def joined(self, request):
        await Gateway.joined(self, request)
        for sid in self.sids_in(user_room(request.identity.user)):
            if sid != request.sid:
                self.close(sid)


# %% [markdown]
# Run this after each change. It starts a server with your class, runs the scenario of this lesson on it, with fewer
# users, and answers in numbers.

# %%
await lab.grade(7, Handlers)

# %% [markdown]
# Stuck? `lab.hint(7)` in a cell of its own says a little more each time, and `lab.solution(7)` shows one way to write
# it once you have passed.

# %% [markdown]
# ## For the interview
#
# *"A user opens your page in a second tab. What happens?"* Answer aloud first, then open.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""Nothing special: both tabs join the room `user:<id>`, and what is sent to the user arrives in
both. If the server closes the older one, its client reconnects and throws out the newer one, and
so on. I measured it with {users} users of {each} tabs: {fights:,.0f} reconnects a second, and a message
reached {bad.value:.0f} % of the tabs; with the room {calm:,.0f} reconnects and {good.value:.0f} %. If the product
allows one session only, I end the older one at the login, by making its token invalid.""",
)

# %% [markdown]
# <details><summary>The follow-up: we send the older tab a proper disconnect, and nothing fights. Right?</summary>
#
# It is quieter, not right. A JavaScript client that the *server* disconnects does not reconnect by itself; it stays on
# the screen and receives nothing until somebody reloads the page. The user does not see a fight, but a page that has
# silently died. If a tab must go, tell it so, and let the page say it.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** the mistake in Node is a map from user to socket, and `old.disconnect(true)` on the next connect;
# in Python it is `await sio.disconnect(old_sid)`. Right are `socket.join("user:7")` and
# `await sio.enter_room(sid, "user:7")`, for each connection anew.
#
# - One user, one room, any number of connections.
# - A client that is thrown out comes back. Refuse it at the token, or not at all.
# - Test with two tabs. A test with one cannot fail here.
#
# Next: [08 · Let the server decide who is in a room](08_trust_client_rooms.ipynb)

# %%
lesson.check(bad, good)
