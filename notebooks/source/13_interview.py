# %% [markdown]
# # 13 · The interview
#
# **Forty questions about Socket.IO in production**, by theme. Say your answer aloud, then open the written one. Each
# answer quotes what the cell below has just measured on the two servers of this kit: the number of a claim, or the good
# server's answer to a small test request.
#
# *Forty minutes, or ten if you only read the answers. The numbers come from the lessons
# [01](01_stored_socket_ids.ipynb) to [10](10_no_limits.ipynb). [00 · Start here](00_start_here.ipynb) explains the
# terms.*

# %% [markdown]
# ## Measure
#
# All ten experiments run on a fresh bad and a fresh good server each. `lab compare` does the same in a terminal.

# %%
import lab

comparison = await lab.measure_all()
ask = await lab.questions(comparison)

# %%
lab.scoreboard(comparison)

# %% [markdown]
# In the answers below, *claim 01* is the first row of this table, and so on.
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
# *"Design a chat. Users have several tabs and a phone, their connections are bad, and no message may be shown twice."*
#
# 1. **Identity.** The client shows a token at the handshake. Every socket joins `user:<id>`, and the rooms of the
#    conversations that the server grants.
# 2. **Send.** The client creates a message id (the idempotency key) and sends `{to, text, id}`. The server checks
#    payload, entitlement and rate limit, adds sender and time, and stores the message. It emits to the reader's room
#    *and* the sender's own room without the sending socket, and acknowledges.
# 3. **Bad connections.** A client without an acknowledgement sends again with the same id. The server gives the same
#    answer and delivers nothing twice. After a reconnect the client asks for everything since its last message. Live
#    messages and this answer may overlap, so the client discards duplicates by the server's id.
# 4. **Storage.** The database holds the messages and who may be in a conversation. Nothing stores who is connected: the
#    rooms know that.
# 5. **Limits.** Text length, messages per second with a burst, sockets per user, unsent bytes per slow consumer
#    (backpressure).
# 6. **More than one process.** A client manager publishes what is sent to rooms. No handler changes. What does change
#    is where message ids are stored: a retry may reach another process, so an id must be claimed in a shared place, or
#    the store must refuse a second row with the same user and id. (`good_server` claims ids in Redis when there are
#    several processes; see [12 · Scale out](12_scaling_out.ipynb).)

# %%
ask("A chat for many tabs")

# %% [markdown]
# ### Live tracking for a fleet
#
# *"Ten companies each see their own drivers live. An operator sees all drivers. Drivers report every second."*
#
# 1. **Rooms.** `company:<id>` for a company's screens, `role:admin` for the operators. Drivers publish to these rooms
#    but are in neither.
# 2. **Publish.** The driver sends only `{lat, lng}`. The identity comes from the token and the time from the server's
#    clock. The server checks the ranges and applies a separate rate limit.
# 3. **Freshness, not completeness.** A position that was not delivered is not sent again, because the next one is
#    newer. A screen that connects fetches the last known positions once from the store.
# 4. **The price.** Deliveries cost most: positions per second times viewers. Only viewers are in the room.
# 5. **Isolation of companies.** A company sees only its own drivers. This is not a filter in the client: positions of
#    other drivers are never sent to it.
# 6. **Growth.** Shard by company: its drivers and screens belong together, and admins subscribe to all shards.

# %%
ask("Live tracking for a fleet")

# %%
import multiprocessing

assert ask.asked == 42, "forty questions and two designs"
assert comparison.is_shown, "a claim that these answers use was not shown"
assert not multiprocessing.active_children(), "a server is left running"
