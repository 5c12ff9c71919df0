# %% [markdown]
# # 13 · The interview
#
# **Questions about Socket.IO in production, by theme and in three levels.** Say your answer aloud, then open the
# written one. An answer quotes a number only where a measured number answers the question, and the number is always one
# of this machine: of a claim, or what the good server answered to a small test request.
#
# *About an hour, and another half an hour for the two designs at the end. In portions of ten minutes it works better:
# `lab quiz` in a terminal asks the same questions, and those that you did not know come back the next day. The numbers
# come from the lessons [01](01_stored_socket_ids.ipynb) to [10](10_no_limits.ipynb). [00 · Start
# here](00_start_here.ipynb) explains the terms.*
#
# - **Level 1** is the basics: everybody who worked with Socket.IO should know it.
# - **Level 2** is daily work with one server.
# - **Level 3** is several servers, limits and design.
#
# Answers are true for Node and for python-socketio, unless they name one of them. What they say about a library was
# tried with it or read in its source; tests in `tests/lab/interview` repeat the most important trials.

# %% [markdown]
# ## The numbers
#
# The cell takes the last numbers of this machine. `lab compare` in a terminal measures all claims; the quick ones are
# measured here if they are missing. It also starts a good server and sends it a few test requests.

# %%
import lab

ask = await lab.questions()

# %%
ask.show_numbers()

# %% [markdown]
# In the answers below, *claim 01* is the first row of this table, and so on.
#
# ## Transports

# %%
ask("Transports")

# %% [markdown]
# ## Rooms

# %%
ask("Rooms")

# %% [markdown]
# ## Namespaces and emits

# %%
ask("Namespaces and emits")

# %% [markdown]
# ## Reconnects

# %%
ask("Reconnects")

# %% [markdown]
# ## Delivery

# %%
ask("Delivery")

# %% [markdown]
# ## Presence

# %%
ask("Presence")

# %% [markdown]
# ## Security

# %%
ask("Security")

# %% [markdown]
# ## Scale

# %%
ask("Scale")

# %% [markdown]
# ## Operations

# %%
ask("Operations")

# %% [markdown]
# ## Python and Node

# %%
ask("Python and Node")

# %% [markdown]
# ## Two designs for the whiteboard
#
# An interviewer wants to hear the same steps each time: requirements, numbers, a data model, the main path, and then
# what happens when something grows or breaks. Take a sheet of paper and half an hour before you read on.
#
# The numbers below are **estimates**: assumptions that you say aloud, and arithmetic. Only the CPU time of a delivery
# is measured. Change an assumption and run the cell again.

# %%
from lab.interview.estimates import ChatLoad, FleetLoad, Hardware, LargeGroup

key = "06.cpu_microseconds_per_useful_delivery.good"
cpu = ask.value(key, otherwise=30)
hardware = Hardware(cpu_microseconds=cpu, sockets_per_process=20_000, most_busy=0.5, spare=1.5)
origin = "measured on this machine" if key in ask.numbers.texts else "assumed, because it was not measured here"
print(f"CPU time of one delivery: {hardware.cpu_microseconds:g} µs, {origin}")

# %% [markdown]
# ### A chat for many tabs
#
# *"Design a chat. Users have several tabs and a phone, their connections are bad, and no message may be lost or shown
# twice."*
#
# **Requirements.** Conversations of two or more members; every device of a member shows every message, in the same
# order; unread counts, typing, read receipts, online and last seen; push to a phone that is away; very large groups.
# Ask what is *not* needed: calls, search, end-to-end encryption.
#
# **Promises.** A message that was acknowledged is stored. It is delivered at least once and shown once. Live delivery
# takes well below a second; while a part is down, live delivery may stop, but nothing acknowledged is lost.

# %%
chat = ChatLoad(
    users=10_000_000,
    online=0.1,
    sockets_per_user=1.5,
    messages_per_user_and_day=40,
    recipients=3,
    busiest_hour=4,
    bytes_per_message=300,
)
lab.table(["estimate", "value", "how"], *chat.rows(hardware))

# %% [markdown]
# <details><summary><b>What the numbers say</b></summary>
#
# The sockets and the deliveries decide the number of servers, the stored messages decide the database. The store is
# partitioned by conversation: each message is written once, read by a range of its sequence numbers, and rarely
# changed. Say which assumption you trust least. It is usually the busiest hour.
#
# </details>
#
# **The data model**
#
# | table | key | holds |
# | --- | --- | --- |
# | conversation | conversation | kind, home region, last sequence number |
# | member | conversation, user | role, delivered up to, read up to, muted |
# | message | conversation, sequence number | sender, client id, text, time of the server |
# | device | user, device | push token, platform |
#
# A unique index on *sender and client id* makes a retry harmless. The unread count is the last sequence number minus
# the number read up to: it is computed, not counted. No table holds sockets.

# %%
from lab.interview.design_figures import coalescing, map_cells, parts

clients, servers, shared = "clients\ntabs and phones", "socket servers\nrooms", "Redis\nemits, leases"
service, store, queue = "chat service\nchecks, numbers", "store\nmessages, members", "queue"
boxes = {clients: (0, 0), servers: (1, 0), shared: (2, 0), service: (1, 1), store: (2, 1), queue: (2, 2)}
boxes |= {"push worker": (1, 2), "push provider": (0, 2)}
flows = [("events, acks", clients, servers), ("publish", servers, shared), ("send", servers, service)]
flows += [("write once", service, store), ("new message", store, queue), ("if no ack", queue, "push worker")]
flows += [("hint", "push worker", "push provider")]
lab.draw(parts(boxes, flows, title="The chat: store first, then deliver live, push only if no device acknowledged"))

# %% [markdown]
# **The main path**
#
# 1. **Identity.** The client shows a token at the handshake. Every socket joins `user:<id>` at every connect.
# 2. **Send.** The client creates an id for the message, keeps the message, and sends `{conversation, text, id}`. The
#    server checks payload, membership and rate limit, assigns the next sequence number of the conversation, and stores
#    the message. Then it acknowledges with the number, and emits to the members' rooms and to the sender's other
#    sockets.
# 3. **Retry.** Without an acknowledgement the client sends again with the same id, on any connection to any process.
#    The unique index finds the first row, and the answer is the same.
# 4. **Catch-up.** After each connect the client sends, for each open conversation, the last number that it has. The
#    server answers from the store. Live messages and this answer may overlap, so the client ignores numbers that it
#    knows, and it fetches a range when it sees a gap.
#
# <details><summary><b>A group of 100,000 members</b></summary>
#
# A member of a small conversation receives a message through the user's room. In a very large group that would be one
# delivery for each member online, for each message (the table below). So a large group is a room of its own, and a
# socket is in it only while its page shows the group. Everybody else gets a counter, and a push at most once in a
# while. The message is stored once. There is no typing, no receipt for each member, and presence is a count. After a
# restart clients join with jitter, and one process emits in portions, so that the event loop stays free in between.
#
# </details>

# %%
group = LargeGroup(members=100_000, online=0.3, looking=0.01, sockets_per_user=1.5)
lab.table(["one message", "value", "that is"], *group.rows(hardware))

# %% [markdown]
# <details><summary><b>Presence</b></summary>
#
# A lease for each user and process in the shared store, with a time to live of a few renewals. Online means that one
# lease is alive. A disconnect starts a grace period before others are told. *Last seen* is the time of the last lease.
# Changes are sent only to those who look at this user now, and they are collected for a second.
#
# </details>
#
# <details><summary><b>Push</b></summary>
#
# The stored message also goes into a queue. A worker waits a few seconds. If any device of the user acknowledged the
# message meanwhile, it does nothing. Otherwise it sends a hint with the conversation's id, and a newer hint replaces an
# older one. A token that the provider calls invalid is deleted. The user's settings decide (muted, at night), and a
# read on one device withdraws the hint on the others.
#
# </details>
#
# <details><summary><b>Several regions</b></summary>
#
# A client connects to the nearest region. Each conversation has a home region, which assigns its numbers, so the order
# needs no agreement between continents. Other regions get its messages by a replicated log and emit them to their own
# rooms. If the link fails, conversations at home here go on; for the others the page shows *sending*, and the client's
# retries store them later, exactly once because of the id. A home can be moved: stop writing, replicate, switch.
#
# </details>
#
# <details><summary><b>What breaks, and what the user sees</b></summary>
#
# - *A socket server dies*: its clients reconnect elsewhere with jitter and catch up. Its leases expire.
# - *Redis is down*: stored messages arrive with the next catch-up, not live. Readiness says degraded.
# - *The store is down*: no acknowledgement, so the page shows *sending*, and the client sends again later.
# - *A slow phone*: its queue is limited, it is disconnected, and it catches up by ranges.
#
# </details>

# %% [markdown]
# ### Live tracking for a fleet
#
# *"Companies see their own drivers live on a map. Our operators see all drivers. Drivers report every few seconds."*
#
# **Requirements.** A company sees its own drivers and no others; an operator sees what is in the visible part of the
# map; a screen that opens shows all last positions at once; tracks of past days; find the nearest free driver. A
# position may be lost, because the next one replaces it. It must not be old.
#
# **Promises.** A shown position is at most a few seconds old, or it is marked as old. A company never *receives*
# another company's drivers: that is not a filter in the page.

# %%
fleet = FleetLoad(
    drivers=50_000,
    seconds_between_positions=2,
    companies=500,
    screens_per_company=5,
    operators=200,
    drivers_in_view=400,
    updates_per_second=1,
    bytes_per_position=100,
)
lab.table(["estimate", "value", "how"], *fleet.rows(hardware))

# %% [markdown]
# <details><summary><b>What the numbers say</b></summary>
#
# To send everything to every operator costs more than all other work together, and nobody can look at it. With map
# cells and one update per second, the operators cost little. All last positions fit into the memory of one machine; the
# tracks do not, and go to a store that is partitioned by driver and day.
#
# </details>
#
# **The data model**
#
# | where | key | holds |
# | --- | --- | --- |
# | last position, in memory | driver | latitude, longitude, heading, speed, time, map cell, company |
# | geographic index, in memory | map cell | drivers in it |
# | track, on disk | driver, day | positions, thinned out, deleted after the agreed time |
# | entitlement, in the database | user | company, role, regions |
#
# Redis offers last position and index in one (`GEOADD`, `GEOSEARCH`), and a time to live for drivers that stop
# reporting needs a second key.
#
# %%
drivers, servers, screens = "drivers\nphones", "socket servers\nrooms, coalescing", "screens\ncompanies, operators"
memory, tracks = "Redis\nlast positions, cells", "tracks\nby driver and day"
boxes = {drivers: (0, 0), servers: (1, 0), screens: (2, 0), memory: (1, 1), tracks: (2, 1)}
flows = [("positions", drivers, servers), ("updates", servers, screens)]
flows += [("replace", servers, memory), ("batches", memory, tracks)]
lab.draw(parts(boxes, flows, title="The fleet: keep the newest position, deliver it to rooms, store tracks beside"))

# %% [markdown]
# **The geographic index.** The map is divided into cells of a fixed grid, for example geohash or H3. A position belongs
# to one cell, so it goes to two rooms: `company:<company>` and `cell:<cell>`. An operator's page joins the cells that
# it shows and leaves the others as the map moves. The server checks the role, and limits the number of cells. Far out
# on the map a page gets counts for each large cell instead of drivers. A driver who leaves a cell is sent once more to
# the old cell, marked as gone.

# %%
lab.draw(map_cells())

# %% [markdown]
# **The main path**
#
# 1. **Report.** The driver sends only `{lat, lng, heading, speed}`. Identity and company come from the token, the time
#    from the server. The server checks ranges, rate and impossible jumps.
# 2. **Keep.** The last position replaces the older one, also when nobody looks. The track goes to its store in batches.
# 3. **Deliver.** Emit to the two rooms; drivers are in neither. In Node such an emit may be `volatile`.
# 4. **Open a screen.** Join first, then read the last positions once, then live updates. An update that is older than
#    what is shown is ignored, by the server's time.
#
# **Coalescing under backpressure.** A screen on a bad connection must not get a growing queue of old positions. For
# each screen the server keeps the newest position of each driver, and sends them together, once per second and only if
# the previous update was written. Under pressure the screen gets fewer updates of the same freshness. The figure
# simulates both rules.

# %%
lab.draw(coalescing(drivers=200, reads_per_second=50, slow_from=5, slow_until=20))

# %% [markdown]
# <details><summary><b>Why the queue is wrong even when it becomes empty again</b></summary>
#
# While the screen reads slowly, the queue grows with every second, and the map shows the past although nothing looks
# broken. After that, the screen reads positions that nobody needs any more. With the newest position per driver, the
# age is limited by the number of drivers divided by the positions that the screen reads per second, however long it
# lasts.
#
# </details>
#
# <details><summary><b>Very many screens look at one place</b></summary>
#
# A large event: thousands of screens join one cell. Split the cell into smaller ones, send the same encoded update to
# all (one encoding for each update, not for each screen), and lower its rate. Screens of the public that may be some
# seconds late can also poll a cached picture of the cell.
#
# </details>
#
# <details><summary><b>Presence and push</b></summary>
#
# A driver is *live* while positions arrive: the time to live of the last position is the lease, and a grace period
# hides tunnels. After it the map shows the last position as old, with its time. The company gets a push for what a
# person must act on, such as a driver who is silent while on a job. Positions are never pushed.
#
# </details>
#
# <details><summary><b>Several regions</b></summary>
#
# Drivers and most screens of a company are in one part of the world, so a company has a home region with its own rooms,
# index and tracks. An operator who looks at another region connects to that region, or gets its coalesced updates
# through a relay: one stream for each cell between regions, not one for each screen. If a region is cut off, its own
# screens go on, and the others show old positions as old.
#
# </details>
#
# <details><summary><b>What breaks, and what the user sees</b></summary>
#
# - *A socket server dies*: drivers and screens reconnect with jitter. Screens read the last positions again.
# - *The index is lost*: it is rebuilt from live positions within a few seconds, because every driver reports.
# - *A driver sends too fast*: the rate limit drops positions, and the answer says when to send again.
# - *A clock is wrong*: it does not matter, because the server sets the time.
#
# </details>

# %%
import multiprocessing

assert ask.all_asked, "a theme has no cell"
assert not multiprocessing.active_children(), "a server is left running"
print(f"{ask.asked} questions and two designs, and no server is left running")
