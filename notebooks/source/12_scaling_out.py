# %% [markdown]
# # 12 · Scale out without touching a handler
#
# **The claim:** a server that sends to rooms can run as several processes after one setting is changed. A server that
# keeps a dict of its users loses every message to a user on another process, even when no connection is lost.
#
# *About 20 minutes to read. You need to have read
# [05 · Let rooms clean themselves](05_manual_disconnect_cleanup.ipynb), and you need a real Redis on this machine:
# `apt install redis-server`.*

# %% [markdown]
# ## In short
#
# **The rule:** send to rooms, and let the client manager find out which process has the sockets. Processes share some
# state through Redis (rate limits, message ids, a queue), and nothing waits long for Redis.
#
# **Otherwise:** as soon as there is a second process, each process knows only a part of the users.
#
# A *process* is one running server, and it can use one core. *Fan-out* means that one message goes to many sockets.
# *Redis* is a small in-memory store with channels (*pub/sub*): one process publishes a message, and all subscribers
# receive it.

# %% [markdown]
# ## Set up

# %%
import statistics
from importlib.metadata import version
from pathlib import Path

import lab
from lab.scaling import capacity, figures, measure, outage
from lab.servers.redis import redis_program

print("python-socketio", version("python-socketio"), "· redis", version("redis"))
print("a real Redis:", Path(redis_program()).name)

# %% [markdown]
# ## The symptom
#
# It worked for a year with one process. Now there are two. Some users say that half of their messages never arrive,
# others say that everything works. The log shows nothing. After a reload, other users have the problem.

# %% [markdown]
# ## The mistake
#
# Nothing in this code mentions processes. That makes the mistake hard to see.

# %%
lab.show(
    "bad_server.mistake_01_stores_socket_ids",
    "Handlers.joined",
    "Handlers.deliver",
    highlight=["self.socket_ids[request.identity.user].append", "self.socket_ids[sent.to]"],
)

# %% [markdown]
# ## Predict
#
# Two processes of that server run with a Redis between them, which carries every emit from one to the other. Users are
# spread over both. Each user writes one message to the next user. Nobody loses a connection.
#
# What percentage of the messages arrives? Put a number in place of `None`.

# %%
my_guess = None

# %% [markdown]
# ## Measure
#
# We measure the bad and the good server, each as one process and as two, all of them fresh.

# %%
from lab.compare.two_processes import measure_before_any_cut
from lab.results.claims import load_claims

(row,) = await measure_before_any_cut([claim for claim in load_claims() if claim.id == "01"], workers=2)
arrived = {
    f"{side}, {word}": row.value(side, count)
    for side in ("bad", "good")
    for count, word in ((1, "one process"), (2, "two processes"))
}

# %% [markdown]
# ## The number
#
# *The figure: the percentage of messages that arrived, all written before any connection is cut. First the bad server
# with one and with two processes, then the good one.*

# %%
title = f"Before any cut, {arrived['bad, two processes']:.0f} % arrive on two processes that keep one dict each"
looks = {name: name[: name.index(",")] for name in arrived}
rows = {name: [value] for name, value in arrived.items()}
lab.draw(figures.bars(rows, title=title, x_label="messages that arrived (%)", looks=looks, guess=my_guess))

# %% [markdown]
# With one process this mistake is invisible here, so it passes in the demo and in the tests. Each process's dict holds
# only the users of that process. So a message finds its recipient only when both users happen to be on the same
# process.
#
# **A question before you read on:** would it help if the load balancer sent each user to the same process every time, a
# *sticky session*?
#
# <details><summary>The answer</summary>
#
# No. Ana would always be on the first process and Ben always on the second, so all of her messages to him would be
# lost, not only half of them. Sticky sessions are for long polling, whose requests must all reach the same process. A
# WebSocket is one connection from start to end, so it needs no sticky session. But stock clients, in JavaScript and in
# Python, begin with long polling and upgrade to a WebSocket, unless their option `transports` names only `websocket`.
#
# </details>

# %% [markdown]
# ## The fix
#
# No handler changes. One place in the code chooses other parts when `SERVER_REDIS_URL` is set:

# %%
lab.show("good_server.app", "create_cluster", highlight=["RedisCluster", "settings.redis_url is None"])
lab.show("good_server.handlers.chat", "deliver", highlight=["to=(target, own_tabs)"])

# %%
import good_server

handlers = Path(good_server.__file__).parent / "handlers"
mentions = [path.name for path in handlers.glob("*.py") if "redis" in path.read_text("utf-8").lower()]
assert mentions == [], mentions
print("files in handlers/ that mention Redis:", len(mentions))

# %% [markdown]
# | shared by all processes | how | while Redis is down |
# |---|---|---|
# | rooms | delivered locally at once, published to the others | local delivery continues, the rest is counted as lost |
# | rate limits of a user | synced with Redis every fifth of a burst | each process uses its own buckets |
# | sockets per user and per address | each process publishes its counts | each process uses its own limits |
# | message ids | claimed in Redis for two minutes | each process uses its own memory |
# | reports | a queue, and a worker that knows no sockets | the answer is `busy` |

# %% [markdown]
# ## What two processes bring
#
# One room has members on every process, spread evenly. A load generator in its own process only counts bytes. The cell
# measures one process and two processes in turn. While these servers run, it also measures what single operations cost,
# which we need below.

# %%
async with measure.BothServers() as servers:
    spread = await measure.throughput(servers, members=200, seconds=0.3)
    costs = await measure.costs(servers, spread.runs[1], requests=600, connections=250)
by_clock, by_busiest = spread.times(measure.by_the_clock), spread.times(measure.by_the_busiest)

# %% [markdown]
# *The figure: deliveries per second in thousands, in wall-clock time, for one process and for two. Each round is a
# dot.*

# %%
names = {1: "one process", 2: "two processes"}
rates = {name: [run.each_second / 1000 for run in spread.runs[count]] for count, name in names.items()}
title = f"Two processes deliver {by_clock:.2f} times as much per second, {by_busiest:.2f} times per CPU second"
lab.draw(figures.bars(rates, title=title, x_label="thousand deliveries a second"))

# %% [markdown]
# How much CPU did each program use? The table shows shares of one core, as the median of the rounds:


# %%
def share(count, of):
    return f"{statistics.median(100 * of(run) / run.wall_seconds for run in spread.runs[count]):.0f} %"


# %%
lab.table(
    ["", "one process", "two processes"],
    ["first server process", *(share(count, lambda run: run.server_seconds[0]) for count in (1, 2))],
    ["second server process", "–", share(2, lambda run: run.server_seconds[-1])],
    ["Redis", "–", share(2, lambda run: run.redis_seconds)],
    ["load generator", *(share(count, lambda run: run.generator_seconds) for count in (1, 2))],
)

# %% [markdown]
# The rounds differ, because other programs use this machine too. `tests/lab/scaling/test_load.py` measures longer and
# checks what we claim about two processes. The servers, Redis, the load generator and the kernel share the cores, so
# the servers cannot use what the generator takes. The second number in the title corrects for that: deliveries per
# second of CPU time of the busier server process. Servers on separate machines would reach about that number.
#
# A message to *one* user is the opposite case. One process delivers it, but every process receives it from Redis.

# %% [markdown]
# ## What Redis costs
#
# The first cell of the section above also sent the same requests to the server of one process and to the server of two,
# which publishes to its other process. The recipient is not connected. The difference is the cost of publishing and
# receiving.

# %%
us = {name: f"{1e6 * value:.1f}" for name, value in vars(costs).items() if isinstance(value, float)}
waits = {place: 1000 * statistics.median(times) for place, times in costs.latencies.items()}
print(" · ".join(f"{place}: {wait:.2f} ms from sender to reader" for place, wait in waits.items()))

# %%
lab.table(
    ["for each", "µs of CPU"],
    ["delivery in a fan-out", us["delivery"]],
    ["message received, checked, answered", us["event"]],
    ["extra when the message is published to Redis", us["publish"]],
    ["emit received by a process without a recipient", us["receive"]],
    ["extra when a message id is claimed and stored", us["with_id"]],
    ["Redis' own CPU, an emit to two subscribers", us["redis_per_emit"]],
    ["Redis' own CPU, a message id", us["redis_per_id"]],
)

# %% [markdown]
# The rows with "extra" are differences between two measurements, so they vary. Run the cell again to see how much.
#
# The message id costs most: it needs two requests to Redis, and the server waits for both answers. A position has no
# id, because the next one comes soon. A chat message has one, because a client may send it again to another process.

# %% [markdown]
# ## Stop Redis, and start it again
#
# Users write at a steady pace, half of them to a user on the same process and half to a user on the other. Redis is
# killed in the middle and started again. Nothing else is repaired by hand.

# %%
stopped = await outage.outage()

# %% [markdown]
# *The figure: the percentage of messages that arrived, by the time at which they were sent. One line is for pairs of
# users on the same process, one for pairs on different processes. The shaded part is the time without Redis. Above it
# is the answer of one process's health check, `/readyz`.*

# %%
lab.draw(outage.figure(stopped))

# %%
acked = sum(one.is_acked for one in stopped.sent)
lab.table(
    ["", "count"],
    ["messages written", str(len(stopped.sent))],
    ["acked by the server", str(acked)],
    ["lost on the way to the same process", str(len(stopped.missing(is_near=True)))],
    ["lost on the way to the other process", str(len(stopped.missing(is_near=False)))],
    ["emits that the servers counted as not published", f"{stopped.lost_counted:.0f}"],
)

# %% [markdown]
# The servers count more losses than there are missing messages: they count each emit that was not published to the
# other process, even if no recipient was there. The senders still received their acks, because the server had accepted
# each message. Delivery is at most once. Where that is not enough, store the message first and use the emit only as a
# notification. After Redis started again, everything recovered automatically.
#
# The other exercise is a rolling restart: two processes are restarted one after the other with five hundred clients
# connected, and each client retries a message with the same id until it is acked. The test
# `good_server/tests/cluster/test_rolling_restart.py` checks that no message is lost and none is delivered twice. A
# further check makes sure that the test fails when the processes do not share the ids.

# %% [markdown]
# ## A restart, and everybody comes back
#
# A deploy restarts a server. All its clients lose their connections at the same moment, and all of them come back: a
# *reconnect storm*. Two things spread it. *Jitter* is the random part of the clients' delays: stock clients wait 1 to 5
# seconds, varied by half. *Admission control* is a limit on new connections per second: above it, the server answers
# HTTP 503, and a stock client tries again later.
#
# The cell restarts the server with neither of them, and then with both. To keep the lesson short, it has few clients
# and a short restart, and admission accepts half of the clients per second. They are light clients of the lab with the
# delays of a stock JavaScript client. `lab storm` measures each of the two by itself, too.

# %%
from lab.scaling import storm, storm_report
from lab.scaling.storm_results import BOTH, NEITHER

chosen = {"clients": 100, "rounds": 1, "connects_per_second": 50, "away_seconds": 0.3}
returned = await storm.storms(**chosen, conditions=[NEITHER, BOTH])

# %% [markdown]
# *The figure: connects per second against time, one panel with neither and one with both. Bars are accepted connects,
# the dashed line is refused ones, the shaded part is the time without a server.*

# %%
lab.draw(storm_report.draw(returned))

# %%
head, *values = storm_report.rows(returned)
lab.table(head, *values)

# %%
print(*storm_report.statements(returned), sep="\n")

# %% [markdown]
# Believe these lines, not a rule: jitter and admission are expected to lower the peak, and to let the last client wait
# longer, because each refused attempt makes a client's next delay longer. What they protect is everybody else: the
# clients that are connected already, and the login path. So few clients may not need the protection: then the waits of
# acks and logins are about equal.
#
# The row *listen queue full* shows a limit that no setting of the server has. New connections wait in a short queue of
# the operating system until the server accepts them. When the queue is full, the system drops the connect without any
# error, and the client's system tries again after a second, then after two and four more. Jitter is what helps against
# it, because it spreads the connects before they arrive. The jitter of stock clients ends early, though: delays are cut
# at five seconds, so from the fifth attempt on all clients wait the same five seconds.
#
# Run `lab storm` for two thousand clients, or for your own number. What it prints decides
# `SERVER_CONNECTS_PER_SECOND`, and `good_server/deploy/TUNING.md` says how.

# %% [markdown]
# ## A plan on paper
#
# How far does this scale? This plan uses the numbers of this run, and a fleet whose drivers report positions. Change
# the assumptions, not the measurements. They are the parameters of this lesson.

# %%
assumed = capacity.Assumed(positions_per_second=0.5, watchers_per_driver=3, core_share=0.5)
measured = capacity.Measured.of(costs)

# %%
lab.table(capacity.HEAD, *capacity.rows(measured, assumed))

# %% [markdown]
# *The figure: server processes against drivers, both axes in powers of ten. The dashed line is for one channel that all
# processes subscribe to, and it ends at its limit. The other line, for shards by company, goes on.*

# %%
lab.draw(figures.capacity_lines(measured, assumed))

# %% [markdown]
# Read the figure from the left. One process is enough for a long time. Then a few more are needed, and each of them
# receives everything that all of them publish. After that, more processes do not help: Redis uses one core to send
# every emit to every process. The cause is not Redis but the single channel for everybody. There are two ways out:
#
# - **Divide the users.** A company's drivers and their office exchange messages only with each other. So give each
#   group of companies its own processes and its own Redis (*sharding*), and the line goes on straight. This works with
#   both libraries.
# - **Divide the channel.** With one channel per room, a process subscribes only to the rooms that its own sockets are
#   in, and Redis sends it nothing else. A Redis Cluster divides the channels over its servers (*sharded pub/sub*, since
#   Redis 7). Node has this: `createShardedAdapter` of `@socket.io/redis-adapter` makes a channel for each room by
#   default. The older `createAdapter` of the same package, and `AsyncRedisManager` in Python, send every emit to every
#   process. A room with members on all processes still costs one delivery per process.
#
# The plan does not include the kernel, TLS, the network, or the load when all clients reconnect at once after a failure
# (reserve half of each core for these). It also does not know the speed of your machine. On the command line,
# `lab plan --drivers 10000` measures these costs, makes this table for your number of drivers, and adds the settings
# that follow.

# %% [markdown]
# ## Where the rule bends
#
# - **Delivery is still at most once.** Redis publishes a message and does not store it. A stream can be read again:
#   with Node's streams adapter a client that comes back soon names its last message and gets those after it. For a
#   longer absence you need a database of the messages.
# - **There is no order between processes.** The emits of one process arrive in order. The emits of two processes may
#   arrive in any order.
# - **Counts are slightly late.** For a moment a user may have one tab too many, or exceed an allowance by the part that
#   is not yet synced.
# - **Presence** needs all processes. In python-socketio, `get_participants` knows the sockets of this process only. In
#   Node, `fetchSockets()` asks all processes and waits for their answers, so it is asynchronous, and it gets slower
#   with each process.

# %% [markdown]
# ## For the interview
#
# *"Your Socket.IO server is full. What do you do?"* Answer aloud first, then open the answer below.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""I start a second process, connect both through Redis, and put any proxy that supports WebSockets in front,
without sticky sessions. That is one setting if the code sends to rooms. If it keeps a dict of users, it loses about
half of the messages at once: I measured {arrived["bad, two processes"]:.0f} % received with two processes and
{arrived["bad, one process"]:.0f} % with one. Two processes delivered {by_clock:.1f} times as much as one, on two cores
that they shared with the load, and {by_busiest:.1f} times as much per CPU second. Redis costs {us["publish"]} µs per
emit and {us["receive"]} µs in each process that receives it, so one channel has a limit: I shard by company. And I
decide what happens while Redis is down: local delivery continues, losses are counted, readiness is degraded.""",
)

# %% [markdown]
# <details><summary>The follow-up: how do you restart without losing anything?</summary>
#
# I do a rolling restart: one process after the other. Each process does a graceful shutdown: it accepts no new clients,
# sends each client a different time to reconnect, finishes the running requests (*draining*), and publishes its last
# messages before it ends. Clients send every message without an ack again, with the same id, to any process. The
# process claims the id in Redis before it delivers, so a second process answers with the first one's ack. A user who
# was offline meanwhile reads the stored messages.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** Node has `@socket.io/redis-adapter` (with a sharded variant) and
# `@socket.io/redis-streams-adapter`, which supports connection state recovery: after a short absence a client may get
# its missed messages. python-socketio has `client_manager=socketio.AsyncRedisManager(url)`, without these two. A
# program that only emits uses `write_only=True` in Python and `@socket.io/redis-emitter` in Node. Both need sticky
# sessions only for long polling.
#
# - With two processes, the memory of one process is only a part of the state.
# - Send to rooms, and the number of processes becomes a setting.
# - Nothing may wait long for the shared service.
#
# Next: [13 · The interview](13_interview.ipynb)

# %%
import multiprocessing

assert row.verdict.outcome == "shown", row.verdict.reason
assert acked == len(stopped.sent), "an ack is missing"
assert not stopped.missing(is_near=True), "a local delivery was lost"
assert [word for _, word in stopped.ready][-1] == "ready", stopped.ready
assert not any(run.missing for run in returned.runs), "a client did not come back"
assert not multiprocessing.active_children(), "a server is left running"
print("two processes worked as one server, and none of them is left running")
