# %% [markdown]
# # 13 · The interview
#
# **Forty questions about Socket.IO in production**, by theme. Say your answer aloud, then open it. Each answer
# quotes what the cell below found a moment ago on the two servers of this kit: a claim's number, or what the good
# server said to a small question of its own.
#
# *Forty minutes, or ten if you only read the answers. The lessons [01](01_stored_socket_ids.ipynb) to
# [10](10_no_limits.ipynb) are where the numbers come from; [00 · Start here](00_start_here.ipynb) has the words.*

# %% [markdown]
# ## Measure
#
# All ten experiments, on a fresh bad and a fresh good server each: what `lab compare` does in a terminal.

# %%
import lab

comparison = await lab.measure_all()
ask = await lab.questions(comparison)

# %%
lab.scoreboard(comparison)

# %% [markdown]
# Below, *claim 01* is the first row of this table, and so on.
#
# ## Rooms

# %%
ask("Rooms")

# %% [markdown]
# ## Reconnects

# %%
ask("Reconnects")

# %% [markdown]
# ## Delivery

# %%
ask("Delivery")

# %% [markdown]
# ## Security

# %%
ask("Security")

# %% [markdown]
# ## Scale

# %%
ask("Scale")

# %% [markdown]
# ## Python

# %%
ask("Python")

# %% [markdown]
# ## Two designs for the whiteboard
#
# ### A chat for many tabs
#
# *"Design a chat. Users have several tabs and a phone, connections are bad, nothing may be shown twice."*
#
# 1. **Identity.** A token at the handshake; every socket joins `user:<id>`, and the rooms of its conversations that
#    the server grants.
# 2. **Send.** The client makes a message id and sends `{to, text, id}`. The server checks form, right and rate, adds
#    sender and time, stores the message, emits to the reader's room *and* the sender's own room without the sending
#    socket, and acknowledges.
# 3. **Bad connections.** No acknowledgement: send again with the same id; the server answers the same and delivers
#    nothing twice. After a reconnect the client asks for everything since the last message it has, and drops what it
#    has already by the server's id: live messages and this answer may overlap.
# 4. **What is kept where.** Messages and who may be in a conversation: the database. Who is connected: nowhere, the
#    rooms know.
# 5. **Limits.** Text length, messages a second with a burst, sockets a user, bytes owed to a slow reader.
# 6. **More than one process.** A publishing client manager behind the rooms. No handler changes. What does change is
#    where message ids are remembered: a retry may reach another process, so an id is claimed where all look, or the
#    store refuses a second row with the same user and id. (`good_server` claims them in Redis where there are several
#    processes; see [12 · Scale out](12_scaling_out.ipynb).)

# %%
ask("A chat for many tabs")

# %% [markdown]
# ### Live tracking for a fleet
#
# *"Ten companies, each sees its own drivers live; an operator sees all; drivers report every second."*
#
# 1. **Rooms.** `company:<id>` for a company's screens, `role:admin` for the operators. Drivers publish to them and are
#    in neither.
# 2. **Publish.** `{lat, lng}` and no more: who and when come from the token and the clock. Checked ranges, a rate of
#    its own.
# 3. **Freshness, not completeness.** A position that was not delivered is not sent again, the next one is better. A
#    screen that connects fetches the last known positions once, from where they are stored.
# 4. **The price.** Deliveries are what costs: positions a second, times those who look. Nobody else is in the room.
# 5. **Borders.** That a company sees its own drivers only is not a filter in the client: the others are never sent.
# 6. **Growth.** Shard by company: its drivers and screens belong together, and admins subscribe to all shards.

# %%
ask("Live tracking for a fleet")

# %%
import multiprocessing

assert ask.asked == 42, "forty questions and two designs"
assert comparison.is_shown, "a claim that these answers lean on was not shown"
assert not multiprocessing.active_children(), "a server is left running"
