# %% [markdown]
# # 10 · Set limits before production
#
# **The claim:** a server without limits does nearly everything that one client asks of it, however often and however
# wrong; a server with limits does next to nothing of it, and everybody else hardly notices.
#
# *Ten minutes. You need to know what a function is in Python, and that whoever has an account may write a loop.
# New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** before an event is served, ask: is it well-formed, is it not too big, is it not too often? And let
# nothing grow without end that a client can make grow, rooms above all.
#
# **Otherwise:** one script with a valid login fills the memory, keeps the server busy, and makes everyone else wait.
#
# *Validation* is to check what a message looks like before anything is done with it. A *rate* is how often somebody may
# do a thing; a *burst* is many at once, after a rest.

# %% [markdown]
# ## Set up

# %%
import asyncio
from importlib.metadata import version

import lab
from lab.clients.tab import Person, tabs
from lab.figures import charts
from lab.servers.running import running

lesson = lab.lesson(10)
print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## The symptom
#
# A bug in one customer's script, a loop without a pause, and every customer's page is slow. The server has not crashed,
# so nothing restarts it. It does what it is told, as fast as it can.

# %% [markdown]
# ## The mistake
#
# Here is the code, cut from the running bad server. What is missing is harder to see than what is there: these are the
# places where the good server checks something.

# %%
lab.show(
    "bad_server.mistake_10_forgets_limits",
    "Handlers.__init__",
    "Handlers.check_rate",
    "Handlers.read",
    highlight=["no_limit = ", "def check_rate", "model_construct"],
)

# %% [markdown]
# `model_construct` makes the object without looking at the values. "Our own page" is the reason given twice, and it is
# true of our own page. Nobody has to use it.

# %% [markdown]
# ## Predict
#
# One client with a valid token. First it sends malformed messages, and messages far too big. Then it asks for rooms
# that it invents, and writes messages, thousands of each, as fast as it can.
#
# What percentage of these requests does the bad server accept? Put a number in place of `None`; without one the lesson
# runs all the same.

# %%
my_guess = None

# %% [markdown]
# ## Measure the bad server
#
# A fresh server in a process of its own, with the limits that it ships with. The abuser runs in a process of its own
# too; beside it a few *bystanders* write to each other and time each answer.

# %%
rooms, chats = 2000, 5000
bad = await lesson.measure("bad", rooms=rooms, chats=chats)

# %% [markdown]
# ## The number
#
# *The figure: one bar for the bad server, the percentage of abusive requests that were accepted, next to the bound it
# was expected to pass.*

# %%
lesson.numbers(bad=bad)
lesson.one_side("bad", bad, guess=my_guess)

# %% [markdown]
# ## Look closer
#
# The server believed that each of these was a request of our own page. Here is what they were, and what came of them:
# *refused* is an answer that says no, *closed* a connection that the server ended instead.


# %%
def outcomes(run):
    head = ("accepted", "refused", "closed", "unanswered", "unsent")
    tally = run.details["tally"]
    lab.table(["asked for", *head], *([kind, *(f"{of.get(key, 0):,}" for key in head)] for kind, of in tally.items()))


outcomes(bad)

# %% [markdown]
# Even here some malformed messages were refused. Not because anyone checked: the handler stumbled over them, deep
# inside, and the last guard of all turned the exception into an answer. Each is an error in the log, at the client's
# command.
#
# **A question before you read on:** each room and each message is small. What is the harm?
#
# <details><summary>The answer</summary>
#
# A room is an entry in a table that lives as long as the connection, and the client decides how many there are. Work is
# the same: one message costs little, but there is one event loop for everyone, and whoever asks most often gets most
# of it. Nothing breaks at a certain number. It gets slower, for others first.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server asks before it serves: how often, then how well-formed. A *token bucket* counts: it holds a burst, and
# fills up again at the rate. Each request takes one; when it is empty, the answer says how long to wait.

# %%
lab.show("good_server.gateway.door", "Gateway.check_rate", "Gateway.read", highlight=["wait_seconds(", "read_payload"])
lab.show("good_server.limits", "TokenBucket.take")
lab.show("good_server.handlers.rooms", "join", highlight=["rooms_per_socket"])

# %% [markdown]
# The bucket belongs to the *user*, not to the connection: a second tab buys no second allowance. Frames that are too
# big end the connection before anything is read. Who does not slow down when told to is, after a while, hung up on.

# %% [markdown]
# ## Measure the good server
#
# The same abuser, the same bystanders; only the server differs.

# %%
good = await lesson.measure("good", rooms=rooms, chats=chats)
lesson.numbers(bad=bad, good=good)
made, allowed = (f"{run.also['rooms_created']:,.0f}" for run in (bad, good))
accepted = f"{bad.value:.1f} % of the abusive requests were accepted, with limits {good.value:.2f} %"
outcomes(good)

# %% [markdown]
# ## Side by side
#
# *The figure: abusive requests accepted by the bad and by the good server, on one axis, each with its bound as a dashed
# line.*

# %%
lesson.side_by_side(bad, good, guess=my_guess)

# %% [markdown]
# And the bystanders, who did nothing but write to each other? Here are all their waits, the shortest first.
#
# *The figure: how long an answer took, against the part of the answers that took no longer; the bad server's line rises
# far above that of the good one.*

# %%
sides = {"good": good, "bad": bad}
waits = {side: sorted(1000 * one["took"] for one in run.details["busy"]) for side, run in sides.items()}
shares = {side: [100 * rank / len(of) for rank in range(1, len(of) + 1)] for side, of in waits.items()}
longest = {side: f"{max(of):.0f} ms" for side, of in waits.items()}
title = f"The longest wait of a bystander: {longest['bad']} on the bad server, {longest['good']} on the good one"
lines = {f"{side} server (n={len(of)})": (shares[side], of) for side, of in waits.items()}
figure = charts.levels(lines, title=title, x_label="part of the answers (%)", y_label="took no longer than (ms)")
for line, side in zip(figure.axes[0].lines, sides, strict=True):
    line.set_color(charts.COLOURS[side])
lab.draw(figure)

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price:** limits refuse honest people too. Here is one: a page was offline on a train, its user went on typing,
# and when it is back it sends all that it kept at once. The good server, at its defaults:


# %%
async def burst(size):
    async with running("good") as server, tabs(server.target(10), [Person("traveller"), Person("friend")]) as (page, _):
        kept = [page.ask("chat:send", {"to": "friend", "text": f"kept {number}"}) for number in range(size)]
        return [answer.get("error") for answer in await asyncio.gather(*kept)]


bursts = {size: await burst(size) for size in (20, 40, 80)}
rows = [[str(size), str(errors.count(None)), str(size - errors.count(None))] for size, errors in bursts.items()]
lab.table(["messages kept", "accepted", "**refused**"], *rows)
print("what a refusal says:", next(filter(None, bursts[80]), None))

# %% [markdown]
# The refused messages are lost unless the page reads the answer: `retry_after` says when to send again, with the same
# message id, so that nothing is heard twice. A limit without an answer that a client can act on is a way to lose data.
# So is a limit that nobody watches: count the refusals, and look at who is refused.
#
# **Where it bends:** limits are guesses about honest use. Set them from what your users really do, some way above it,
# and differently where use differs: a driver's position comes every second, a report once a day. Another server of
# your own may need no rate; then give it an identity of its own, rather than switch the limit off for all.
#
# **What it does not do:** an attacker with a thousand accounts has a thousand allowances. A flood from many addresses
# is stopped before it reaches Python, at the proxy or the network.

# %% [markdown]
# ## Turn the knob
#
# How many rooms can one client make?
#
# *The figure: rooms created against rooms asked for, a rising line for the bad server and a level one for the good one.
# To turn it further, change the list of numbers.*

# %%
swept = await lesson.sweep("rooms", [100, 200, 400], chats=100, bystanders=2)
title = "Rooms made for each one asked for: {bad} on the bad server, {good} on the good one"
lesson.growth(swept, each="room asked for", of="rooms_created", title=title)

# %% [markdown]
# The line has no end; the list of numbers has. On a server without limits it is the client who chooses where it stops.
# On the good server it does not get to the limit of rooms even: these rooms are invented, so the abuser has no right to
# them, and soon they are asked for too often. The limit is for rooms that one may join.

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Mend it, so that abuse is refused and an honest burst is not. `Gateway` is
# the class that all handlers derive from.

# %% tags=["exercise"]
from bad_server import mistake_10_forgets_limits as mistake


class Handlers(mistake.Handlers):
    def __init__(self, namespace, parts):
        super().__init__(namespace, parts)

    async def check_rate(self, identity, route):
        """Our own page never asks too often."""

    def read(self, route, arguments):
        """Our own page sends only what it should."""
        return route.payload.model_construct(**arguments[0])


# %% [markdown]
# Run this after each change. It starts a server with your class, runs the scenario of this lesson on it, with fewer
# requests, and answers in numbers.

# %%
await lab.grade(10, Handlers)

# %% [markdown]
# Stuck? `lab.hint(10)` in a cell of its own says a little more each time, and `lab.solution(10)` shows one way to write
# it once you have passed. `Gateway` comes from `good_server.gateway`.

# %% [markdown]
# ## For the interview
#
# *"What do you set before a Socket.IO server goes to production?"* Answer aloud first, then open.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""A model for each payload, a largest frame, a rate and a burst for each user, a number of rooms
for each socket and of sockets for each user, and a no that says when to try again. I let one
client with a valid token do as it liked: {accepted}.
It made {made} rooms, then {allowed}. A burst of {max(bursts)} messages from a page that had been offline
was refused in part as well: so the client must read `retry_after`, and I watch who is refused.""",
)

# %% [markdown]
# <details><summary>The follow-up: why a token bucket, and not "so many in each second"?</summary>
#
# People come in bursts: a page that is back sends what it kept, and then nothing for minutes. A fixed number in each
# second refuses the burst, or has to be so high that it limits nobody. A bucket allows the burst *and* holds the
# average. It needs two numbers a user, and it can say exactly how long to wait.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** neither library limits events or rooms for you. `maxHttpBufferSize` in Node is
# `max_http_buffer_size` in Python, both a megabyte unless you say otherwise; what is zod or ajv there is pydantic here;
# the place for a rate is `socket.use(…)` in Node, and a namespace's `trigger_event` in Python.
#
# - Whatever a client can make grow needs an end.
# - A no with a reason and a time is a service; silence is a bug.
# - Limits have costs: measure an honest burst, too.
#
# Next: [11 · The production pattern](11_production_pattern.ipynb)

# %%
lesson.check(bad, good)
