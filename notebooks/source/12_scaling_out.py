# %% [markdown]
# # 12 · Scale out without touching a handler
#
# **The claim:** a server that sends to rooms becomes several processes by a setting; a server that keeps a dict of its
# users loses every message whose addressee is on another process, before anything has gone wrong.
#
# *Twenty minutes. You need [05 · Let rooms clean themselves](05_manual_disconnect_cleanup.ipynb), and a real Redis on
# this machine: `apt install redis-server`.*

# %% [markdown]
# ## In short
#
# **The rule:** address rooms, and let the client manager find out which process has the sockets. What several
# processes share (limits, message ids, a queue) goes through Redis, and nothing waits for Redis for long.
#
# **Otherwise:** the second process is the day on which everything that a process remembers turns out to be half.
#
# A *process* is one running server; one fills one core. *Fan-out* is one message that goes to many sockets. *Redis* is
# a small store in memory with channels: what one process publishes, all that listen hear.

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
# It worked for a year with one process. Since there are two, some users say that half of their messages never arrive,
# and others say that all is well. Nothing is in the log. After a reload it is other users.

# %% [markdown]
# ## The mistake
#
# Nothing in this code mentions processes. That is the trap.

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
# Two processes of that server, with a Redis between them that carries every emit from one to the other. Users are
# spread over both. Each writes one message to the next user; nobody loses a connection.
#
# What percentage of the messages arrives? Put a number in place of `None`.

# %%
my_guess = None

# %% [markdown]
# ## Measure
#
# Each as one process and as two, the bad and the good server, all fresh.

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
# *The figure: what arrived, in percent, of the messages written before anything was cut; the bad server with one and
# with two processes, then the good one.*

# %%
title = f"Before anything is cut, {arrived['bad, two processes']:.0f} % arrive on two processes that keep a dict each"
looks = {name: name[: name.index(",")] for name in arrived}
rows = {name: [value] for name, value in arrived.items()}
lab.draw(figures.bars(rows, title=title, x_label="messages that arrived (%)", looks=looks, guess=my_guess))

# %% [markdown]
# With one process the mistake is invisible here, which is why it passes in the demo and in the tests. Each process's
# dict holds the users of that process, so a message finds its addressee when both happen to be on the same one.
#
# **A question before you read on:** would it help if the balancer sent each user to the same process every time, a
# *sticky* session?
#
# <details><summary>The answer</summary>
#
# No. Ana would always be on the first process and Ben always on the second, and what she writes to him would be lost
# always, not half of the time. Stickiness is for long polling, whose requests belong to one session on one process.
# A WebSocket is one connection from first byte to last: there is nothing to stick.
#
# </details>

# %% [markdown]
# ## The fix
#
# No handler is touched. One place chooses other parts when `SERVER_REDIS_URL` is set:

# %%
lab.show("good_server.app", "create_parts", "create_manager", highlight=["Shared", "settings.redis_url is None"])
lab.show("good_server.handlers.chat", "deliver", highlight=["to=(target, own_tabs)"])

# %%
import good_server

handlers = Path(good_server.__file__).parent / "handlers"
mentions = [path.name for path in handlers.glob("*.py") if "redis" in path.read_text("utf-8").lower()]
assert mentions == [], mentions
print("files in handlers/ that mention Redis:", len(mentions))

# %% [markdown]
# | shared over all processes | how | while Redis is away |
# |---|---|---|
# | rooms | delivered here at once, told to the others | local delivery goes on, the rest is counted as lost |
# | rates of a user | settled in lots of a fifth of a burst | each process's own buckets |
# | sockets of a user, of an address | each process tells its counts | each process's own caps |
# | message ids | claimed in Redis for two minutes | each process's own memory |
# | reports | a queue, and a worker that knows no socket | `busy` |

# %% [markdown]
# ## What two processes bring
#
# One room with some hundred members, spread evenly, and a load generator in a process of its own that only counts
# bytes. One process and two take turns.

# %%
spread = await measure.throughput(members=400, seconds=0.5)
by_clock, by_busiest = spread.times(measure.by_the_clock), spread.times(measure.by_the_busiest)

# %% [markdown]
# *The figure: deliveries a second in thousands, by the clock, for one process and for two; each round is a dot.*

# %%
names = {1: "one process", 2: "two processes"}
rates = {name: [run.each_second / 1000 for run in spread.runs[count]] for count, name in names.items()}
title = f"Two processes deliver {by_clock:.2f} times as much by the clock, {by_busiest:.2f} times by their own CPU"
lab.draw(figures.bars(rates, title=title, x_label="thousand deliveries a second"))

# %% [markdown]
# Where did the cores go? Shares of one core, the median of the rounds:


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
# Rounds differ, as others share this machine; what is claimed of two processes is held by
# `tests/lab/scaling/test_load.py`, which measures longer. The cores are shared by the servers, Redis, the load
# generator and the kernel; what the generator takes, two servers cannot have. The second figure of the title leaves
# that out: deliveries for each second of CPU that the busier server process used, which is what machines of their own
# would give.
#
# A message to *one* user is the other end. It is delivered by one process, and still every process hears of it.

# %% [markdown]
# ## What Redis costs
#
# The same requests to a server alone and to one that tells another, to a user who is not there: what is left is the
# price of the asking, the telling and the hearing.

# %%
costs = await measure.costs()
us = {name: f"{1e6 * value:.1f}" for name, value in vars(costs).items() if isinstance(value, float)}
waits = {place: 1000 * statistics.median(times) for place, times in costs.latencies.items()}
print(" · ".join(f"{place}: {wait:.2f} ms from sender to reader" for place, wait in waits.items()))

# %%
lab.table(
    ["for each", "µs of CPU"],
    ["delivery in a fan-out", us["delivery"]],
    ["message received, checked, answered", us["event"]],
    ["the same, told to Redis: more by", us["publish"]],
    ["emit heard by a process that has nobody for it", us["receive"]],
    ["message id, claimed and kept: more by", us["with_id"]],
    ["Redis' own CPU, an emit to two listeners", us["redis_per_emit"]],
    ["Redis' own CPU, a message id", us["redis_per_id"]],
)

# %% [markdown]
# Those that are "more by" are differences of two measurements and scatter; run the cell again and see how far.
#
# The dear one is the message id: two questions to Redis whose answers are waited for. A position has none, as the next
# one is on its way; a chat message has one, as it may be sent again to another process.

# %% [markdown]
# ## Stop Redis, and start it again
#
# People write at a steady pace, half of them to somebody on the same process, half to the other. Redis is killed in
# the middle, and started again. Nobody helps.

# %%
stopped = await outage.outage()

# %% [markdown]
# *The figure: the percentage of messages that arrived, by the time at which they were sent; one line for neighbours on
# the same process, one for those on the other. The shaded part is the time without Redis; above it what `/readyz` of
# one process said.*

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
    ["emits that the servers counted as not told", f"{stopped.lost_counted:.0f}"],
)

# %% [markdown]
# The servers count more than was missed: each emit is told to the other process, had it somebody for it or not.
# The senders got their acks all the same: the server had taken the message. Delivery is at most once; where that is
# not enough, store the message first and let the emit be only the bell. And everything mended itself.
#
# The other drill is the deploy: two processes restarted one after the other under five hundred clients, each message
# told again with the same id until it is acked. The test `good_server/tests/test_rolling_restart.py` holds it to none
# lost and none heard twice, and is seen to fail where the ids are not shared.

# %% [markdown]
# ## A plan on paper
#
# How far does this go? Take this run's own numbers, and a fleet whose drivers report positions. Change the assumptions,
# not the measurements: this is the knob of this lesson.

# %%
assumed = capacity.Assumed(positions_per_second=0.5, watchers_per_driver=3, core_share=0.5)
measured = capacity.Measured.of(costs)

# %%
lab.table(capacity.HEAD, *capacity.rows(measured, assumed))

# %% [markdown]
# *The figure: server processes against drivers, both in powers of ten; a dashed line for one channel that all processes
# hear, which ends at its wall, and a line that goes on for shards by company.*

# %%
lab.draw(capacity.figure(measured, assumed))

# %% [markdown]
# Read it from the left. One process is enough for a long time. Then a few more, each of which hears everything that
# all of them say. Then more do not help: Redis hands every emit to every process, on one core. That is not a fault of
# Redis but of one channel for everybody. A company's drivers and their office talk to one another and to nobody else,
# so groups of companies get processes and a Redis of their own, and the line goes on straight.
#
# What is not in it: the kernel, TLS, the network, the reconnects of everybody at once after a fault (keep half of each
# core for those), and numbers from a machine like yours.

# %% [markdown]
# ## Where the rule bends
#
# - **At most once, still.** Redis publishes and forgets. A stream could be read again; then somebody has to say who has
#   read how far, and that is a database.
# - **No order between processes.** What one process emits arrives in order; two processes' emits arrive as they come.
# - **Counts are a little late.** A user may have a tab too many for a moment; an allowance may be passed by a lot.
# - **Presence** asked of a room is asked of this process. Over several it is a question to all of them.

# %% [markdown]
# ## For the interview
#
# *"Your Socket.IO server is full. What do you do?"* Answer aloud first, then open.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""Start a second process with a Redis between them, behind any proxy that passes WebSockets on, with no
stickiness. That is a setting if the code sends to rooms. If it keeps a dict of users, half of the messages are gone at
once: I measured {arrived["bad, two processes"]:.0f} % arriving with two processes and
{arrived["bad, one process"]:.0f} % with one. Two processes delivered {by_clock:.1f} times what one did on two cores
that they shared with the load, {by_busiest:.1f} times by their own CPU. Redis costs {us["publish"]} µs for each emit
and {us["receive"]} µs in each process that hears it, so one channel ends somewhere; then I shard by company. And I
decide what happens while Redis is away: local delivery goes on, losses are counted, readiness says degraded.""",
)

# %% [markdown]
# <details><summary>The follow-up: how do you restart without losing anything?</summary>
#
# One process after the other. It stops taking new clients, says goodbye with a time to come back that differs for each,
# finishes what is in hand, and tells the others its last words before it ends. Clients send again what was not acked,
# with the same id, to whichever process they reach; the id is claimed in Redis before anything is delivered, so the
# second one answers with the first one's ack. Who was away meanwhile reads what was stored.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** Node has `@socket.io/redis-adapter` (and one on Redis streams, which lets a client catch up after a
# short absence); python-socketio has `client_manager=socketio.AsyncRedisManager(url)`, and `write_only=True` for a
# program that only emits. Both need stickiness for long polling alone.
#
# - What a process remembers is a part of the truth as soon as there are two.
# - Address rooms, and the number of processes is a setting.
# - Nothing may wait long for the thing that all share.
#
# Next: [13 · The interview](13_interview.ipynb)

# %%
import multiprocessing

assert row.verdict.outcome == "shown", row.verdict.reason
assert acked == len(stopped.sent), "an ack is missing"
assert not stopped.missing(is_near=True), "a local delivery was lost"
assert [word for _, word in stopped.ready][-1] == "ready", stopped.ready
assert not multiprocessing.active_children(), "a server is left running"
print("two processes are one server, and none of them is left running")
