# %% [markdown]
# # 06 · Emit to the room concerned, not to everyone
#
# **The claim:** a server that emits to everyone, and leaves it to the clients to keep what concerns them, sends almost
# only what nobody asked for; a server that emits to rooms sends nothing of the kind.
#
# *Ten minutes. You need to know what a function is in Python, and that every message costs bytes on somebody's phone.
# New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** before each emit, name who is concerned, and emit to the rooms that hold exactly them.
#
# **Otherwise:** each message is sent as often as there are clients. Most of it is thrown away at the other end, and
# before it is thrown away anyone can read it.
#
# To *emit* is to send an event to connections. A *delivery* is one message that arrived at one connection: an emit to
# a room with ten connections in it makes ten deliveries.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.figures import charts

lesson = lab.lesson(6)
print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## The symptom
#
# It was fast with the first customers. Now the server is busy all day, phones get warm, and the bill for traffic grows
# faster than the number of users. Then somebody opens a browser's console and watches the drivers of another company.

# %% [markdown]
# ## The mistake
#
# Here is the code, cut from the running bad server. A driver reports a position, and a user writes to a user.

# %%
lab.show(
    "bad_server.mistake_06_broadcasts_to_everyone",
    "Handlers.update",
    "Handlers.deliver",
    highlight=["everyone()"],
)

# %% [markdown]
# The page is right: it shows only what concerns its user. But to filter on the page is to deliver first and to decide
# afterwards. By then the message has been paid for, and has been handed to a stranger.

# %% [markdown]
# ## Predict
#
# A platform with several companies: drivers, people in the companies' offices, a few admins, and many vendors and
# providers who have nothing to do with drivers. Each driver reports a few positions, each of which concerns the admins
# and the office of the driver's own company. Some users write to one other user.
#
# What percentage of all deliveries on the bad server concerns nobody whom it reaches? Put a number in place of `None`;
# without one the lesson runs all the same.

# %%
my_guess = None

# %% [markdown]
# ## Measure the bad server
#
# A fresh server in a process of its own, and a real Socket.IO client for everyone. Each client counts what arrives.

# %%
clients, positions = 200, 5
bad = await lesson.measure("bad", clients=clients, positions=positions)

# %% [markdown]
# ## The number
#
# *The figure: one bar for the bad server, the percentage of deliveries that concerned nobody they reached, next to the
# bound it was expected to pass.*

# %%
lesson.numbers(bad=bad)
lesson.one_side("bad", bad, guess=my_guess)

# %% [markdown]
# The last row is the one to worry about. Waste costs money. What crosses the border of a company is a *leak*: somebody
# received what they must not see.

# %% [markdown]
# ## Look closer
#
# The server believed that it was telling a driver's company. Here is whom it told.
#
# *The figure: a row for the company that a driver belongs to, a column for each group of receivers. The darker a cell,
# the more positions arrived there; the framed cells are the groups that they concern: the company's own office and the
# admins. On the bad server every cell is dark, framed or not.*

# %%
seen = bad.details
names = [group.removeprefix("company-") for group in seen["groups"]]
axes = {"rows": names[: len(seen["companies"])], "columns": names}
axes |= {"x_label": "received by office 0 to 9, and others", "y_label": "driver's company"}
total, meant = (sum(map(sum, seen[key])) for key in ("received", "concerned"))
title = f"{total:,} deliveries of positions, {meant:,} of them to somebody concerned"
lab.draw(charts.fan_out({"bad": seen["received"]}, seen["concerned"], title=title, **axes))

# %% [markdown]
# **A question before you read on:** everybody who was concerned got every position. Why does no test fail?
#
# <details><summary>The answer</summary>
#
# Tests ask whether the right one got it. Hardly any test asks whether the wrong one did not. And with the two browsers
# of a demo there is hardly anybody to waste a message on. Write the other test: connect somebody who is *not*
# concerned, and assert that nothing arrives.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server asks one function who follows a driver, and emits to the rooms that it names. A client is in the room
# of its company because the server put it there at the connect.

# %%
lab.show("good_server.handlers.tracking", "update", highlight=["to=followers_of"])
lab.show("good_server.rooms", "followers_of")
lab.show("good_server.handlers.chat", "deliver", highlight=["to=(target, own_tabs)"])

# %% [markdown]
# Two rooms may hold the same connection. Socket.IO sends it the message once all the same: it gathers the connections
# of all rooms first.

# %% [markdown]
# ## Measure the good server
#
# The same people, the same positions, the same messages; only the server differs.

# %%
good = await lesson.measure("good", clients=clients, positions=positions)
lesson.numbers(bad=bad, good=good)

# %% [markdown]
# ## Side by side
#
# *The first figure: wasted deliveries on the bad and on the good server, on one axis, each with its bound as a dashed
# line. The second: the map from above for both; on the good server only the framed cells have a colour.*

# %%
lesson.side_by_side(bad, good, guess=my_guess)
received = {"bad": bad.details["received"], "good": good.details["received"]}
title = "The bad server tells everyone; the good one tells the driver's own office and the admins"
lab.draw(charts.fan_out(received, good.details["concerned"], title=title, **axes))

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price:** somebody has to think about who is concerned, once for each kind of event, and keep the rooms in step
# with it. When the rule changes (a dispatcher sees two companies), the rooms change. Keep that rule in one function, as
# above, and not in every handler.
#
# **Where it bends:** "the server restarts at noon" concerns everyone, and then a broadcast is right. Even so, the good
# server names its rooms, one for each role: an emit without any room also reaches connections whose login is still
# being checked. Where nearly everyone is concerned, such as the score of the match that all are watching, one large
# room is better than many clever ones.
#
# **What it does not do:** it does not make a large room cheap. The admins here get every position of every driver, and
# with a thousand drivers no admin can read that. Then send less: the drivers on the part of the map that is open, or a
# summary once a second.

# %% [markdown]
# ## Turn the knob
#
# A real driver reports again and again. What does each further round of positions, one from each driver, put on the
# wire?
#
# *The figure: bytes sent against rounds of positions, a steep line for the bad server and a nearly flat one for the
# good one. To turn it further, change the list of rounds, or the number of clients.*

# %%
swept = await lesson.sweep("positions", [1, 3, 5], clients=100, chats=5)
title = "Each round of positions costs {bad} bytes on the bad server, {good} on the good one"
lesson.growth(swept, each="round", of="bytes_on_the_wire", title=title)

# %% [markdown]
# The lines are straight in the number of positions. In the number of *clients* they would not be: with more users there
# are more drivers who report *and* more clients who are told. That is why this mistake is cheap in the first month, and
# is the whole bill in the second year.

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Mend it, so that everyone gets what concerns them, and nobody gets more. The
# names that are imported are all that you need.

# %% tags=["exercise"]
from bad_server import mistake_06_broadcasts_to_everyone as mistake
from good_server import events, rooms
from good_server.events import TrackingPosition
from good_server.handlers import chat


class Handlers(mistake.Handlers):
    async def update(self, request, position):
        message = TrackingPosition(driver=request.identity.user, at=request.at, **position.model_dump())
        await request.emit(events.TRACKING_POSITION, message, to=rooms.everyone())
        return {"at": message.at}

    async def deliver(self, request, sent):
        message = chat.compose(request, sent)
        await request.emit(events.CHAT_MESSAGE, message, to=rooms.everyone(), also_to_me=False)
        return {"id": message.id, "at": message.at}


# %% [markdown]
# Run this after each change. It starts a server with your class, runs the scenario of this lesson on it, with fewer
# clients, and answers in numbers.

# %%
await lab.grade(6, Handlers)

# %% [markdown]
# Stuck? `lab.hint(6)` in a cell of its own says a little more each time, and `lab.solution(6)` shows one way to write
# it once you have passed.

# %% [markdown]
# ## For the interview
#
# *"Drivers send their position every second. How do you get it to those who watch them?"* Answer aloud first, then
# open.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""I ask who is concerned by one position: the driver's own company and the admins. Each of
these is a room that the server fills at the connect, and I emit to those two rooms. With a
broadcast and a filter on the page, {bad.value:.0f} % of the deliveries among {clients} clients were for
nobody, and {bad.also["crossed_a_company_border"]:,.0f} crossed the border of a company: a leak, not only waste. With
rooms it was {good.value:.0f} % and {good.also["crossed_a_company_border"]:,.0f}, for the same useful deliveries.""",
)

# %% [markdown]
# <details><summary>The follow-up: and if one viewer may follow any thousand of ten thousand drivers?</summary>
#
# Then a room for each driver or for each tile of the map, joined and left as the view moves, and the server decides
# who may. What limits it is no longer waste but what one viewer can take in: send each driver's *last* position, a few
# times a second, drop those in between, and drop them first for a viewer who reads too slowly.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** `io.emit(…)` is the broadcast in Node, `await sio.emit(…)` without `to` in Python; right are
# `io.to("company:acme").to("role:admin").emit(…)` and `await sio.emit(…, to=["company:acme", "role:admin"])`. In
# Python an empty `to` means *everyone*: check for it, as the good server does.
#
# - Before the emit, name who is concerned.
# - To filter at the receiver is to deliver to a stranger first.
# - Test that the wrong one gets nothing.
#
# Next: [07 · Let a user have many tabs](07_block_second_tab.ipynb)

# %%
lesson.check(bad, good)
