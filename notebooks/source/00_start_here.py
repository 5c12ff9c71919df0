# %% [markdown]
# # 00 · Start here
#
# Many Socket.IO servers remember socket ids. This kit shows, by measuring, why they should remember nothing and use
# **rooms** instead: two servers, one with ten mistakes and one without, and the same clients on both.
#
# *Five minutes. You need a little Python and have seen a web page that updates by itself.*
#
# Run a cell with Shift-Enter, from the top to the bottom. Nothing here leaves your computer.

# %% [markdown]
# ## Four words
#
# - A **socket** is one open connection between one browser tab and the server.
# - A **socket id** is the name that the server gives to that connection. The tab that reconnects gets a new one.
# - A **room** is a name on the server that sockets join. What is sent to the room reaches every socket that is in it
#   at that moment. When a connection is lost, Socket.IO takes its socket out of every room by itself.
# - An **emit** is sending an event, with its data, to sockets: to one, to those in a room, to all.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.clients.tab import Person, tabs
from lab.figures import diagrams
from lab.servers.running import running

print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## A room, live
#
# We start the good server, in a process of its own, and open three tabs: two of Ana's, one of Ben's. Ben writes one
# message to Ana. He does not know how many tabs she has, and the server keeps no list of them: it sends to the room
# `user:ana`.

# %%
async with running("good") as server:
    people = [Person("ana"), Person("ana"), Person("ben")]
    async with tabs(server.target(0), people, reconnection=True) as (laptop, phone, ben):
        await ben.ask("chat:send", {"to": "ana", "text": "lunch?"})
        first = [await tab.received("chat:message") for tab in (laptop, phone)]
        await phone.link.cut()  # the phone loses its network, and comes back by itself
        await phone.connected(2)
        await ben.ask("chat:send", {"to": "ana", "text": "or dinner?"})
        both = [await tab.received("chat:message", 2) for tab in (laptop, phone)]
print("it was at", server.url, "and is gone again")

# %% [markdown]
# *The picture: one message goes to the room `user:ana`. In the room are two sockets, each with its own id; each leads
# to one of Ana's tabs.*

# %%
title = f"One message to a room reached {len(first)} tabs"
sockets = {"laptop": laptop.ids[0], "phone": phone.ids[0]}
lab.draw(diagrams.room("user:ana", sockets, title=title))

# %% [markdown]
# Then the phone lost its network and came back. Look at its socket id, and at the messages that arrived.

# %%
lab.table(
    ["tab", "socket id at first", "socket id after the cut", "messages received"],
    ["laptop", laptop.ids[0], laptop.ids[-1], str(len(both[0]))],
    ["phone", phone.ids[0], phone.ids[-1], str(len(both[1]))],
)

# %% [markdown]
# The phone has a new id, and missed nothing: it joined `user:ana` again when it connected. Whoever had written down
# the old id would now be talking to nobody. That is the whole idea, and the ten lessons are what happens without it.

# %% [markdown]
# ## The scoreboard
#
# Both servers now, and all ten experiments: each on a fresh bad server and on a fresh good one, with the same clients.
# This is what `lab compare` does in a terminal. It is the one slow cell here; it says at the end how long it took.

# %%
comparison = await lab.measure_all()

# %% [markdown]
# *The figure: a row for each claim, its scale from the worst to the best that the metric can say. The bad server's
# squares are on the left, the good server's circles on the right.*

# %%
lab.scoreboard(comparison)

# %% [markdown]
# ## Three ways through
#
# - **You are learning:** read [01](01_stored_socket_ids.ipynb) to [10](10_no_limits.ipynb) in order, a lesson a day.
#   Guess first, then measure, then mend the exercise.
# - **You have an interview on Thursday:** read *In short* and *For the interview* in each lesson, then
#   [13 · The interview](13_interview.ipynb).
# - **You are building one:** read [11 · The production pattern](11_production_pattern.ipynb), then the folder
#   `good_server`, then the lesson of whatever surprised you. When one process is not enough:
#   [12 · Scale out](12_scaling_out.ipynb).
#
# Each lesson has the same order: the rule, the symptom, the bad code, your guess, the measurement, the good code, the
# verdict, the price, a knob to turn, an exercise. `lab progress` in a terminal shows which exercises you have passed.

# %%
import multiprocessing

assert not multiprocessing.active_children(), "a server is left running"
