# %% [markdown]
# # 06 · Emit to the room concerned, not to everyone
#
# **The claim:** a server that emits to everyone, and lets each client filter what concerns it, makes mostly wasted
# deliveries. A server that emits to rooms makes no wasted deliveries.
#
# *About 25 minutes: 13 to read, ten for the exercise. You need to know what a function is in Python, and that every
# message costs bytes on somebody's phone. New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** before each emit, decide which users it concerns, and emit to the rooms that hold exactly them.
#
# **Otherwise:** each message is sent to every client. Most clients discard it, but anyone can read it before it is
# discarded.
#
# To *emit* is to send an event to connections. A *delivery* is one message that arrives at one connection. This is
# called *fan-out*: an emit to a room with ten connections makes ten deliveries.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.figures.deliveries_per_head import deliveries_per_head
from lab.figures.square_and_line import growth_per_doubling, square_and_line

lesson = lab.lesson(6)
print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## The symptom
#
# It was fast with the first customers. Now the server is busy all day, phones get warm, and the traffic bill grows
# faster than the number of users. Then somebody opens the network tab of a browser and sees the drivers of another
# company.

# %% [markdown]
# ## The mistake
#
# Here is the code of the bad server. A driver reports a position, and one user writes to another.

# %%
lab.show(
    "bad_server.mistake_06_broadcasts_to_everyone",
    "Handlers.update",
    "Handlers.deliver",
    highlight=["everyone()"],
)

# %% [markdown]
# `everyone()` names one room per role, and every user is in one of them. `also_to_me=False` leaves out the tab that
# sent the message.
#
# The page works correctly: it shows only what concerns its user. But a filter in the page runs after the delivery. By
# then the traffic has been paid for, and the message has reached a stranger.

# %% [markdown]
# ## Predict
#
# A platform has several companies, with drivers and people in the companies' offices. It also has a few admins, and
# many vendors and providers who have nothing to do with drivers. Each driver reports a few positions. Each position
# concerns the admins and the office of the driver's own company. Some users write to one other user.
#
# What percentage of all deliveries on the bad server goes to clients that they do not concern? Put a number in place of
# `None`. The lesson also runs without a guess.

# %%
my_guess = None

# %% [markdown]
# **Try it by hand, if you like:** remove the `#` in the next cell and run the cell. A page appears below it, with both
# servers and a few simulated people. There you send messages and pull plugs, and see on both sides what arrives. The
# page ends when a later cell measures. In a terminal, `lab live 06` opens the same page.

# %%
# lab.show_live(6)

# %% [markdown]
# ## Measure the bad server
#
# The cell starts a fresh server in its own process, and a real Socket.IO client for everyone. Each client counts what
# arrives. The numbers of clients and positions are those of `lab compare`, so you get the same result as the table in
# the README.

# %%
clients, positions = 200, 2
bad = await lesson.measure("bad", clients=clients, positions=positions)

# %% [markdown]
# ## The number

# %%
lesson.numbers(bad=bad)
lesson.show_guess(bad, my_guess)

# %% [markdown]
# How large the share is follows from who the clients are: here a position concerns the four admins and the four people
# in one office, and a chat message concerns one user, of all these clients. With fewer strangers the share is smaller.
# That it is not zero is the mistake.
#
# The last row is the serious one. Wasted deliveries cost money. A delivery across the border of a company is a *leak*:
# somebody received data that they must not see.

# %% [markdown]
# ## Look closer
#
# The page shows a driver only to the driver's own company and to the admins. This figure shows who really received the
# positions.
#
# *The figure: one row for each company that a driver belongs to, one column for each group of receivers. The shade of a
# cell is the share of the company's positions that each member of the group received: white is none, the darkest shade
# is all of them. The frames mark the groups that the positions concern: the company's own office, and the admins.*

# %%
seen = bad.details
cells = [share for row in seen["received"] for share in row]
meant = sum(map(sum, seen["concerned"]))
title = f"{sum(share > 0 for share in cells)} of {len(cells)} cells received positions; they concern {meant}"
lab.draw(deliveries_per_head({"bad": seen}, title=title))

# %% [markdown]
# **A question before you read on:** every client received all the positions that it needed. Why does no test fail?
#
# <details><summary>The answer</summary>
#
# Tests check that the right client received a message. Very few tests check that the wrong client did not. And a demo
# with two browsers has almost no clients to receive wasted messages. Write the other test: connect a client that is
# *not* concerned, and assert that it receives nothing.
#
# </details>

# %% [markdown]
# ## The fix
#
# In the good server, one function returns the rooms that follow a driver, and the handler emits to those rooms. The
# people in a company's office are in its room, because the server joined them at connect. Its drivers are not.

# %%
lab.show("good_server.handlers.tracking", "update", highlight=["to=followers_of"])
lab.show("good_server.rooms", "followers_of")
lab.show("good_server.handlers.chat", "deliver", highlight=["to=(target, own_tabs)"])

# %% [markdown]
# The same connection may be in both rooms. Socket.IO still sends it the message only once, because it first collects
# the connections of all rooms.

# %% [markdown]
# ## Measure the good server
#
# The same people, positions and messages. Only the server is different.

# %%
good = await lesson.measure("good", clients=clients, positions=positions)
lesson.numbers(bad=bad, good=good)

# %% [markdown]
# ## Side by side
#
# *The figure: the map from above for both servers. On the good server only the framed cells are dark. If you made a
# guess, it stands below the title.*

# %%
made, useful = (f"{bad.details[key]:,}" for key in ("deliveries", "useful"))
title = f"The bad server made {made} deliveries for {useful} useful ones"
figure = deliveries_per_head({"bad": bad.details, "good": good.details}, title=title)
lesson.side_by_side(figure, guess=my_guess, bad=bad, good=good)

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price:** for each kind of event, somebody must decide once which users it concerns, and keep the rooms up to
# date. When the rule changes (for example, a dispatcher sees two companies), the rooms change. Keep that rule in one
# function, as above, and not in every handler.
#
# **Where it bends:** "the server restarts at noon" concerns everyone, so a broadcast is right. Even then the good
# server names its rooms, one for each role: in python-socketio an emit without any room also reaches connections whose
# login is still being checked. In Node it does not, if a function given to `io.use` checks the login: a socket gets
# nothing before it is accepted. When an event concerns nearly everyone, such as the score of a match that all users
# watch, one large room is better than many small ones.
#
# **What it does not do:** it does not make a large room cheap. Here the admins receive every position of every driver,
# and with a thousand drivers no admin can read that. Then send less: only the drivers on the visible part of the map,
# or a summary once a second.

# %% [markdown]
# ## Turn the knob
#
# The platform grows: more companies, each with the same number of drivers and the same office. Every driver sends one
# position. How many deliveries does the server make?
#
# *The figure: deliveries against clients. The squares are the bad server's: twice the clients are twice the drivers and
# twice the receivers, so four times the deliveries, a square. The circles are the good server's: twice the drivers,
# each with the same number of followers, a line. To try more, change the list of clients.*

# %%
swept = await lesson.sweep("clients", [20, 40, 80, 160], positions=1, chats=0)
deliveries = {side: [run.details["deliveries"] for run in swept.runs[side]] for side in ("bad", "good")}
factor = {side: growth_per_doubling(swept.values, deliveries[side]) for side in deliveries}
title = "Twice the clients: {bad:.2g} times the deliveries on the bad server, {good:.2g} on the good"
lab.draw(square_and_line(swept.values, deliveries, title=title.format(**factor)))

# %% [markdown]
# That is why this mistake is cheap in the first month and very expensive in the second year. The good server's line is
# straight only because a position concerns a group that does not grow: one office, and a few admins.

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Fix it, so that everyone receives what concerns them and nothing else. The
# imported names are all that you need. Keep what is right, such as the check that only members write to a room.

# %% tags=["exercise"]
from bad_server import mistake_06_broadcasts_to_everyone as mistake
from good_server import events, rooms
from good_server.errors import Forbidden
from good_server.events import TrackingPosition
from good_server.handlers import chat


class Handlers(mistake.Handlers):
    async def update(self, request, position):
        message = TrackingPosition(driver=request.identity.user, at=request.at, **position.model_dump())
        await request.emit(events.TRACKING_POSITION, message, to=rooms.everyone())
        return {"at": message.at}

    async def deliver(self, request, sent):
        if sent.room is not None and rooms.topic_room(sent.room) not in request.rooms():
            raise Forbidden("only members write to a room")
        message = chat.compose(request, sent)
        await request.emit(events.CHAT_MESSAGE, message, to=rooms.everyone(), also_to_me=False)
        return {"id": message.id, "at": message.at}


# %% [markdown]
# Run this after each change. It starts a server with your class, runs this lesson's scenario on it with fewer clients,
# and shows the numbers.

# %%
await lab.grade(6, Handlers)

# %% [markdown]
# Stuck? Call `lab.hint(6)` in a new cell: each call tells you a little more. After you have passed, `lab.solution(6)`
# shows one way to write the code.

# %% [markdown]
# ## Find it in your own code
#
# `lab check PATH` reads Socket.IO code in Python, JavaScript and TypeScript, and looks for the ten mistakes without
# running anything. The cell checks the bad server's module and a Node file with the same mistake: in both, a position
# is sent to every client that is connected. Run it on a folder of your own: an *error* makes the command fail, a
# *warning* asks you to look, and a *question* asks you to answer.

# %%
lab.find_in_code(6)

# %% [markdown]
# ## For the interview
#
# *"Drivers send their position every second. How do you deliver it to the people who watch them?"* Answer aloud first,
# then open the answer below.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""A position concerns the driver's own company and the admins. Each of them has a room that the
server joins at connect, and I emit to those two rooms. With a broadcast and a filter in the page,
{bad.value:.0f} % of the deliveries to {clients} clients were wasted, and {bad.also["crossed_a_company_border"]:,.0f}
of them crossed the border of a company, which is a leak. With rooms it was {good.value:.0f} % and
{good.also["crossed_a_company_border"]:,.0f}, with the same useful deliveries. The share depends on who the clients are;
the square does not: twice the clients were {factor["bad"]:.2g} times the deliveries with the broadcast, and
{factor["good"]:.2g} times with rooms.""",
)

# %% [markdown]
# <details><summary>The follow-up: what if one viewer may follow any thousand of ten thousand drivers?</summary>
#
# Then use a room for each driver or for each tile of the map. Clients join and leave them as the view moves, and the
# server checks their right to join. Now the limit is not wasted deliveries but how much one viewer can show: send each
# driver's *last* position a few times a second, and leave out the older ones. When a viewer reads too slowly (a *slow
# consumer*), positions are the first thing to leave out.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** a broadcast is `io.emit(…)` in Node and `await sio.emit(…)` without `to` in Python. The fix is
# `io.to("company:acme").to("role:admin").emit(…)` and `await sio.emit(…, to=["company:acme", "role:admin"])`. In both,
# an empty list of rooms means *everyone*: `io.to([]).emit(…)` and `to=[]`. In Python an empty text (`to=""`) does too;
# in Node `io.to("")` is a room that nobody is in. Check for it before each emit: in the good server `Gateway.send`
# refuses an empty target. To leave out the sender's own connection, write `socket.to(room)` in Node and `skip_sid=sid`
# in Python.
#
# - Before each emit, decide which users it concerns.
# - A filter in the client is too late: the message has already been delivered to a stranger.
# - Test that the wrong client receives nothing.
#
# Next: [07 · Let a user have many tabs](07_block_second_tab.ipynb)

# %%
lesson.check(bad, good)
