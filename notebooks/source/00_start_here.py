# %% [markdown]
# # 00 · Start here
#
# Many Socket.IO servers store socket ids. This kit shows with measurements why a server should store none of them and
# use **rooms** instead. It has two servers, one with ten mistakes and one without, and runs the same clients on both.
#
# *Ten minutes. You need to know a little Python, and you have seen a web page that updates by itself.*
#
# Run a cell with Shift-Enter, from the top to the bottom. Nothing here leaves your computer.

# %% [markdown]
# ## Four words
#
# - A **socket** is one open connection between one browser tab and the server.
# - A **socket id** is the name that the server gives to that connection. A tab that reconnects gets a new one.
# - A **room** is a name on the server that sockets join. A message to the room reaches every socket that is in it at
#   that moment. When a connection is lost, Socket.IO removes its socket from every room by itself.
# - An **emit** sends an event with its data to sockets: to one socket, to all sockets in a room, or to all.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.clients.tab import Person, tabs
from lab.figures.room_over_a_cut import room_over_a_cut
from lab.servers.running import running
from lab.servers.state_client import StateClient

print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## A room, live
#
# We start the good server in its own process and open three tabs: two for Ana, one for Ben. Ben writes one message to
# Ana. He does not know how many tabs she has, and the server keeps no list of them: it sends to the room `user:ana`.
# Then the phone loses its network and reconnects by itself, and Ben writes again. Before and after, we ask the server
# which sockets are in the room.

# %%
async with running("good") as server:
    people, state = [Person("ana"), Person("ana"), Person("ben")], StateClient(server.probe)
    async with tabs(server.target(0), people, reconnection=True) as (laptop, phone, ben):
        await ben.ask("chat:send", {"to": "ana", "text": "lunch?"})
        first = [await tab.received("chat:message") for tab in (laptop, phone)]
        before = await state.occupants("/", "user:ana")
        await phone.link.cut()
        await phone.connected(2)
        await ben.ask("chat:send", {"to": "ana", "text": "or dinner?"})
        both = [await tab.received("chat:message", 2) for tab in (laptop, phone)]
        after = await state.occupants("/", "user:ana")
print("the server ran at", server.url, "and has stopped")

# %% [markdown]
# *The figure: the sockets in the room `user:ana` before and after the cut, as the server listed them. Each socket leads
# to one of Ana's tabs. The phone's first socket is gone, and its new socket has taken its place.*

# %%
counts = " and ".join(str(len(received)) for received in both)
title = f"The room followed the phone to its new socket: the tabs received {counts} of 2 messages"
ids = {"laptop": laptop.ids, "phone": phone.ids}
lab.draw(room_over_a_cut("user:ana", list(before), list(after), ids, title=title))

# %% [markdown]
# The same in a table: compare the socket ids, and the messages that arrived.

# %%
lab.table(
    ["tab", "socket id at first", "socket id after the cut", "messages received"],
    ["laptop", laptop.ids[0], laptop.ids[-1], str(len(both[0]))],
    ["phone", phone.ids[0], phone.ids[-1], str(len(both[1]))],
)

# %% [markdown]
# The phone has a new id, and it missed nothing: it joined `user:ana` again when it connected. A server that had stored
# the old id would now send to nobody. That is the main idea of this kit. The ten lessons show what happens without it.

# %% [markdown]
# ## Three ways through
#
# - **You are learning:** read [01](01_stored_socket_ids.ipynb) to [10](10_no_limits.ipynb) in order, one lesson a day.
#   Guess first, then measure, then solve the exercise.
# - **You have an interview on Thursday:** read *In short* and *For the interview* in each lesson, then
#   [13 · The interview](13_interview.ipynb).
# - **You are building such a server:** read [11 · The production pattern](11_production_pattern.ipynb), then the folder
#   `good_server`, then the lessons about the parts that surprised you. When one process is not enough: [12 · Scale
#   out](12_scaling_out.ipynb).
#
# Each lesson has the same order: the rule, the symptom, the bad code, your guess, the measurement, the good code, the
# verdict, the price, a parameter to change, and an exercise. It takes about 25 minutes: 13 to read, ten for the
# exercise. `lab progress` in a terminal shows which exercises you have passed.

# %% [markdown]
# ## Guess first
#
# The scoreboard below shows the answers of all ten lessons. If you are learning, **stop here**, start with
# [01](01_stored_socket_ids.ipynb), and come back after the last lesson. If you want to see the results now, guess
# first: put a number in place of each `None`. Leave out what you do not want to guess.

# %%
guesses = {
    1: None,  # dead socket ids that the bad server holds, after 100 users reconnected 5 times
    2: None,  # % of the results that arrive, when every user reconnected while the result was made
    3: None,  # % of the messages that arrive after a reconnect, when the page joins its rooms once
    4: None,  # % of a room's messages that members receive, after each closed one of two tabs
    5: None,  # % of the users who are reached, after each closed one of two tabs
    6: None,  # % of the deliveries that concern nobody who receives them, with a broadcast to 200 clients
    7: None,  # % of the tabs that receive a message, when each user has 3 and a new tab closes the old one
    8: None,  # % of the private messages that an attacker reads, who may ask for any room
    9: None,  # how many reports' time a bystander waits for an ack, while 8 reports are made
    10: None,  # % of the abusive requests that are accepted
}

# %% [markdown]
# ## The scoreboard
#
# Now we run both servers and all ten experiments. Each experiment runs on a fresh bad server and on a fresh good one,
# with the same clients. This cell measures the one number by which each claim is judged. `lab compare` does it in a
# terminal and measures more, for example memory and idle ack times. This is the only slow cell here. At the end it
# shows how long it took.

# %%
comparison = await lab.measure_all()

# %% [markdown]
# *The figure: one row for each claim. Its scale goes from the worst to the best possible value of the metric. The
# squares are the bad server's values, the circles are the good server's.*

# %%
lab.scoreboard(comparison, guesses)

# %%
import multiprocessing

assert not multiprocessing.active_children(), "a server is left running"
