# %% [markdown]
# # 07 · Let a user have many tabs
#
# **The claim:** a server that closes the older connection when a user opens a second tab makes the tabs disconnect each
# other, and most of them miss the user's messages. A server with one room for all of a user's tabs reaches every tab.
#
# *About 25 minutes: 13 to read, ten for the exercise. You need to know what a function is in Python, and that a web
# page reconnects when its connection is lost. New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** every connection of a user joins the room `user:<id>`, however many connections there are. A message to
# the user is sent to that room.
#
# **Otherwise:** two tabs disconnect each other again and again, and each message reaches only the tab that is connected
# at that moment.
#
# A *tab* here is anything that holds a connection: a browser tab, a phone, a second computer. The *transport* is the
# network connection below Socket.IO, here a WebSocket.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.figures import charts
from lab.figures.connected_spans import UserTabs, connected_spans
from lab.results.statistics import slope
from lab.results.wording import number

lesson = lab.lesson(7)
print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## The symptom
#
# "It says *connecting …* all day." The user's network works, and a colleague has no trouble at all. The difference:
# this user has the page open twice, and has forgotten the second tab, or the phone in the bag.

# %% [markdown]
# ## The mistake
#
# Here is the code of the bad server. It was written for a good reason: somebody wanted one session per user.

# %%
lab.show(
    "bad_server.mistake_07_blocks_the_second_tab",
    "Handlers.joined",
    "Handlers.end_older_sessions",
    highlight=["end_older_sessions(request)", "self.close(sid)"],
)

# %% [markdown]
# `joined` runs at each connect. For a new connection, `close` closes the transport of the older one. But the client
# library of the closed tab does not know the reason. It sees a lost connection, so it reconnects.

# %% [markdown]
# ## Predict
#
# Each user has three tabs. The client library reconnects by itself, after its usual delay. Other users write to them a
# few times. A message should arrive in each of the three tabs.
#
# In what percentage of the tabs does a message arrive on the bad server? Put a number in place of `None`. The lesson
# also runs without a guess.

# %%
my_guess = None

# %% [markdown]
# **Try it by hand, if you like:** remove the `#` in the next cell and run the cell. A page appears below it, with both
# servers and a few simulated people. There you send messages and pull plugs, and see on both sides what arrives. The
# page ends when a later cell measures. In a terminal, `lab live 07` opens the same page.

# %%
# lab.show_live(7)

# %% [markdown]
# ## Measure the bad server
#
# The cell starts a fresh server in its own process, and a real Socket.IO client for every tab.

# %%
users, each = 20, 3
bad = await lesson.measure("bad", users=users, each=each)

# %% [markdown]
# ## The number

# %%
lesson.numbers(bad=bad)
lesson.show_guess(bad, my_guess)

# %% [markdown]
# Look at the reconnects. Nobody needs these connections. The server causes this work itself, as fast as the clients'
# reconnect delays allow. So this number depends on the clients. Those above use the stock delays of the library. In the
# other lessons the clients reconnect much sooner and without jitter (a random part of the delay), so that a measurement
# ends sooner. Here are both:

# %%
from lab.clients.tab import LAB_DELAYS, STOCK_DELAYS

hasty = await lesson.measure("bad", users=users, each=each, window_seconds=1.2, delays=LAB_DELAYS)
waits = {STOCK_DELAYS: bad, LAB_DELAYS: hasty}
rows = [[str(wait), f"{run.also['reconnects_per_second']:,.0f}"] for wait, run in waits.items()]
lab.table(["the clients reconnect after", "reconnects a second"], *rows)

# %% [markdown]
# ## Look closer
#
# The server assumes that it enforces one session per user. This figure shows what really happens to one user.
#
# *The figure: one row per tab of a user, on the bad server. A bar is the time for which the tab was connected: when one
# tab connects, the bar of another ends. Each message to the user arrives in only one row.*


# %%
def tabs_of_one_user(name, side, run):
    return UserTabs(name, side, run.details["users"][:each], run.details["seconds"])


# %%
(first,) = {tab["user"] for tab in bad.details["users"][:each]}
seen = tabs_of_one_user(f"{first}, bad server", "bad", bad)
missed = sum(len(tab["sent"]) - len(tab["received"]) for tab in seen.tabs)
title = f"{each} tabs of one user connect {sum(len(tab['connects']) for tab in seen.tabs)} times"
title += f", and miss {missed} of {sum(len(tab['sent']) for tab in seen.tabs)} messages"
lab.draw(connected_spans([seen], title=title))

# %% [markdown]
# **A question before you read on:** which tab stays connected in the end?
#
# <details><summary>The answer</summary>
#
# None, as long as the tabs are open. The tab that has just connected is the next one to be closed. The library's
# backoff (the delay between two attempts) grows up to a limit while the attempts fail. But every success resets it, and
# each of these connects *is* a success. So the reconnects never stop.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server does nothing special for a second tab. Every connection joins its user's room, and an emit to the room
# reaches all of them.

# %%
lab.show("good_server.gateway.gateway", "Gateway.joined", highlight=["request.join"])
lab.show("good_server.gateway.gateway", "Gateway._evict", highlight=["SessionEvicted", "server.disconnect"])

# %% [markdown]
# There is a limit, as a protection against a script that opens connections without end. Above it, the server ends the
# connection that has been idle longest, which is rarely one that somebody is looking at (*eviction*). The tab gets a
# message that says so, and a DISCONNECT packet before its transport is closed. After this packet the stock clients, in
# JavaScript and in Python, do not reconnect by themselves. So the tabs do not fight.

# %% [markdown]
# ## Measure the good server
#
# The same users, tabs, delays and messages. Only the server is different.

# %%
good = await lesson.measure("good", users=users, each=each)
lesson.numbers(bad=bad, good=good)
fights, calm = (run.also["reconnects_per_second"] for run in (bad, good))

# %% [markdown]
# Would the mistake be harmless if the server sent a DISCONNECT packet in place of closing the transport? The good
# server does that above its limit of tabs. So we measure it with a limit of one tab per user:

# %%
from lab.scenarios import s07_block_second_tab as scenario
from lab.servers.running import running

async with running("good", settings={**scenario.SETTINGS, "SERVER_SOCKETS_PER_USER": "1"}) as server:
    one_tab = await scenario.run(server.target(7), users=users, each=each, window_seconds=2.0)
print(f"{one_tab.also['reconnects_per_second']:,.0f} reconnects a second")
print(f"tabs that receive their user's message: {one_tab.value:.0f} %")

# %% [markdown]
# The tabs do not fight, but all tabs except the newest one receive nothing any more.

# %% [markdown]
# ## Side by side
#
# *The figure: the tabs of one user in the three measurements, on one axis: on the bad server, on the good server with a
# limit of one tab, and on the good server. Only in the last one, all tabs stay connected and receive every message. If
# you made a guess, it stands below the title.*

# %%
runs = {"bad server": ("bad", bad), "good server, one tab allowed": ("good", one_tab)}
runs["good server"] = "good", good
reached = [f"{run.value:.0f} %" for _, run in runs.values()]
title = f"Tabs reached: {reached[0]} when the older transport is closed, {reached[1]} when the older tab gets"
title += f" a DISCONNECT packet, {reached[2]} with one room for all tabs"
panels = [tabs_of_one_user(name, side, run) for name, (side, run) in runs.items()]
figure = connected_spans(panels, title=title)
lesson.side_by_side(figure, guess=my_guess, bad=bad, good=good)

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price:** each tab is a connection, with its own memory, heartbeats and copy of each message. The page must also
# expect other tabs: a message that is read in one tab should be marked as read in all, and not every tab should play a
# sound.
#
# **Where it bends:** some products must allow only one session: a bank, an exam, a licence for one seat. Then enforce
# it at *login*, where sessions are made: the new login makes the older token invalid. The server sends the older tab a
# message with the reason ("you have logged in elsewhere"), disconnects it, and refuses its token from then on. Two tabs
# can only disconnect each other when both may connect. Here only one may.
#
# **What it does not do:** the room does not know which tab a person is looking at. If that matters, let the pages
# report it.

# %% [markdown]
# ## Turn the knob
#
# A user opens one more tab. How many more tabs does a message reach?
#
# *The figure: tabs reached by a message against the tabs that each user has open, a flat line for the bad server and a
# rising one for the good one. To try more, change the list of numbers.*

# %%
swept = await lesson.sweep("each", [1, 2, 4], users=6, messages=3)
opened = swept.values
reached = {side: [of * value / 100 for of, value in zip(opened, swept.of(side), strict=True)] for side in swept.runs}
rise = {side: number(round(slope(opened, tabs), 2)) for side, tabs in reached.items()}
title = f"One more open tab adds {rise['bad']} reached tabs on the bad server, {rise['good']} on the good one"
labels = {"x_label": "tabs open", "y_label": "tabs reached", "each": "tabs reached for each one open"}
lab.draw(charts.growth([(side, opened, tabs) for side, tabs in reached.items()], title=title, **labels))

# %% [markdown]
# With one tab the bad server works perfectly, and a test usually opens only one tab. With more tabs, only one of them
# is connected at a time.

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Fix it, so that a message arrives in all of a user's tabs.

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
# Run this after each change. It starts a server with your class, runs this lesson's scenario on it with fewer users,
# and shows the numbers.

# %%
await lab.grade(7, Handlers)

# %% [markdown]
# Stuck? Call `lab.hint(7)` in a new cell: each call tells you a little more. After you have passed, `lab.solution(7)`
# shows one way to write the code.

# %% [markdown]
# ## Find it in your own code
#
# This mistake can be seen in code only in part: `lab check PATH` asks about a handler that closes another socket of the
# same user, but a server may do that in many ways. The cell checks the bad server's module and a Node file with the
# same mistake. What the tabs then do to each other is measured by `lab compare --only 07`, on the two servers of this
# kit.

# %%
lab.find_in_code(7)

# %% [markdown]
# ## For the interview
#
# *"A user opens your page in a second tab. What happens?"* Answer aloud first, then open the answer below.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""Nothing special: both tabs join the room `user:<id>`, and a message to the user arrives in both.
If the server closes the older tab's transport, its client reconnects and the server closes the newer tab, and so
on. I measured it with {users} users of {each} tabs and the clients' stock delays: {fights:,.0f} reconnects a second,
and a message reached {bad.value:.0f} % of the tabs. With the room it was {calm:,.0f} reconnects and
{good.value:.0f} %. If the product allows only one session, I end the older one at login, by making its token
invalid.""",
)

# %% [markdown]
# <details><summary>The follow-up: we send the older tab a proper disconnect. Does that solve it?</summary>
#
# It stops the reconnects, but it is still wrong. A client that the *server* disconnects does not reconnect by itself,
# neither in JavaScript nor in Python. The tab stays on the screen and receives nothing until somebody reloads the page,
# and the user sees no sign of that. Some pages call `socket.connect()` in their `disconnect` handler when the reason is
# `io server disconnect`. Then the tabs fight again, and without any delay: the library's backoff does not apply to this
# call. If a tab must end, send it a message with the reason, and let the page show it.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** in Node the mistake is a map from user to socket, and `old.conn.close()` on the next connect: the
# client sees a lost transport and reconnects. `old.disconnect()`, `old.disconnect(true)` and, in Python, `await
# sio.disconnect(old_sid)` send the DISCONNECT packet first, so the older tab stays away and is silent. The fix is
# `socket.join("user:7")` and `await sio.enter_room(sid, "user:7")`, for each new connection.
#
# - One user has one room and any number of connections.
# - A client whose transport is closed reconnects. A client that got a DISCONNECT packet does not.
# - Test with two tabs. A test with one tab cannot find this mistake.
#
# Next: [08 · Let the server decide who is in a room](08_trust_client_rooms.ipynb)

# %%
lesson.check(bad, good)
