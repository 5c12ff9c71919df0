# %% [markdown]
# # 10 · Set limits before production
#
# **The claim:** a server without limits accepts nearly all abusive requests of one client, valid or not and as often as
# they come. A server with limits refuses almost all of them, and the other users hardly notice the abuse.
#
# *About 25 minutes: 13 to read, ten for the exercise. You need to know what a function is in Python, and that every
# user with an account can run a script with a loop. New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** before you serve an event, check three things: is it valid, is it small enough, and is it within the
# rate limit? Put a limit on everything that a client can make grow, most of all on rooms.
#
# **Otherwise:** one script with a valid login fills the memory, keeps the server busy, and makes everyone else wait.
#
# *Validation* checks the form of a message before it is used. A *rate limit* says how often a user may do something. A
# *burst* is many requests at once after a quiet time.

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
# One customer's script has a bug, a loop without a pause, and the page is slow for all customers. The server has not
# crashed, so nothing restarts it. It serves every request as fast as it can.

# %% [markdown]
# ## The mistake
#
# Here is the code of the bad server. Missing code is harder to see than wrong code: these are the places where the good
# server checks something.

# %%
lab.show(
    "bad_server.mistake_10_forgets_limits",
    "Handlers.__init__",
    "Handlers.check_rate",
    "Handlers.read",
    highlight=["no_limit = ", "def check_rate", "model_construct"],
)

# %% [markdown]
# `model_construct` creates the object without checking its values. Both comments give "our own page" as the reason.
# They are right about our own page, but a client need not use our page.

# %% [markdown]
# ## Predict
#
# One client has a valid token. First it sends malformed messages, and messages that are far too big. Then it asks for
# rooms with invented names and writes messages, thousands of each, as fast as it can.
#
# What percentage of these requests does the bad server accept? Put a number in place of `None`. The lesson also runs
# without a guess.

# %%
my_guess = None

# %% [markdown]
# **Try it by hand, if you like:** remove the `#` in the next cell and run the cell. A page appears below it, with both
# servers and a few simulated people. There you send messages and pull plugs, and see on both sides what arrives. The
# page ends when a later cell measures. In a terminal, `lab live 10` opens the same page.

# %%
# lab.show_live(10)

# %% [markdown]
# ## Measure the bad server
#
# The cell starts a fresh server in its own process, with its default limits. First a page that was offline sends its
# stored messages at once, an honest burst. Then comes the abuser, in its own process too. At the same time a few
# *bystanders* write to each other and measure the time of each answer.

# %%
rooms, chats = 2000, 5000
bad = await lesson.measure("bad", rooms=rooms, chats=chats)

# %% [markdown]
# ## The number

# %%
lesson.numbers(bad=bad)
lesson.show_guess(bad, my_guess)

# %% [markdown]
# ## Look closer
#
# The server treated each of these requests as one from our own page. This table shows what they were, and what happened
# to them: *refused* means an error answer, *closed* means that the server closed the connection instead.


# %%
def outcomes(run):
    head = ("accepted", "refused", "closed", "unanswered", "unsent")
    tally = run.details["tally"]
    rows = [[kind, *(f"{of.get(key, 0):,}" for key in head)] for kind, of in tally.items()]
    lab.table(["asked for", *head], *rows)


outcomes(bad)

# %% [markdown]
# Even the bad server refused some malformed messages, but not because it checked them. They caused an exception deep
# inside the handler, and the gateway's last guard turned the exception into an answer. So a client can write errors
# into the log whenever it likes.
#
# **A question before you read on:** each room and each message is small. What is the harm?
#
# <details><summary>The answer</summary>
#
# A room is an entry in a table that lives as long as the connection, and the client decides how many there are. The
# same is true for work: one message costs little, but one event loop serves everyone, and the client that sends most
# gets most of its time. There is no fixed number at which the server breaks. It gets slower and slower, mostly for the
# other users.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server checks each event before it serves it: first the rate limit, then the payload. A *token bucket* does
# the counting: it holds enough tokens for a burst and refills at the rate. Each request takes one token. When the
# bucket is empty, the answer says how long to wait.

# %%
lab.show(
    "good_server.gateway.gateway", "Gateway.check_rate", "Gateway.read", highlight=["wait_seconds(", "read_payload"]
)
lab.show("good_server.token_bucket", "TokenBucket.take")
lab.show("good_server.handlers.rooms", "join", highlight=["rooms_per_socket"])

# %% [markdown]
# The bucket belongs to the *user*, not to the connection, so a second tab gets no additional allowance. For frames that
# are too big, the server closes the connection without reading them. It also closes the connection of a client that
# keeps ignoring the rate limit.

# %% [markdown]
# ## Measure the good server
#
# The same abuser and bystanders. Only the server is different.

# %%
good = await lesson.measure("good", rooms=rooms, chats=chats)
lesson.numbers(bad=bad, good=good)
made, allowed = (f"{run.also['rooms_created']:,.0f}" for run in (bad, good))
accepted = f"{bad.value:.1f} % of the abusive requests were accepted, with limits {good.value:.2f} %"
outcomes(good)

# %% [markdown]
# How does a bucket tell an honest burst from a flood? It does not know them. It only counts.
#
# *The figure: the tokens in the good server's bucket for chat messages, after each request of two users. The honest
# page finds a token for each message of its burst, and its bucket fills up again. The flood empties its bucket, and
# from then on it finds one token each time one is added. A cross may stand for many refused requests.*

# %%
from lab.figures.bucket_level import bucket_level

levels = good.details["levels"]
names = {"burst": "an honest page: a burst, then a calm pace", "flood": "the abuser: as fast as it can"}
of_all = {name: f"{of['taken']} of {of['taken'] + of['refused']:,}" for name, of in levels.items()}
title = f"The honest page finds a token for {of_all['burst']} messages, the flood for {of_all['flood']}"
lab.draw(bucket_level(levels, names, title=title))

# %% [markdown]
# The flood got a token for some more messages than were accepted: a request needs a token from the bucket for chat
# *and* one from the bucket for all events, which the requests for rooms had emptied before.

# %% [markdown]
# ## Side by side
#
# The bystanders only wrote to each other. How long did they wait? These are all their waiting times, the shortest
# first.
#
# *The figure: the time of an answer against the percentage of answers that took no longer. The bad server's line rises
# above that of the good one. If you made a guess, it stands below the title.*

# %%
sides = {"good": good, "bad": bad}
waits = {side: sorted(1000 * one["took"] for one in run.details["busy"]) for side, run in sides.items()}
shares = {side: [100 * rank / len(of) for rank in range(1, len(of) + 1)] for side, of in waits.items()}
longest = {side: f"{max(of):,.0f} ms" for side, of in waits.items()}
title = f"The longest wait of a bystander: {longest['bad']} on the bad server, {longest['good']} on the good one"
lines = {f"{side} server (n={len(of)})": (shares[side], of) for side, of in waits.items()}
figure = charts.levels(lines, title=title, x_label="part of the answers (%)", y_label="took no longer than (ms)")
for line, side in zip(figure.axes[0].lines, sides, strict=True):
    line.set_color(charts.COLOURS[side])
lesson.side_by_side(figure, guess=my_guess, bad=bad, good=good)

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price:** limits also refuse honest users. Here is an example: a page was offline on a train while its user went
# on typing. When it is online again, it sends all stored messages at once. This is the good server with its default
# settings:


# %%
async def burst(size):
    people = [Person("traveller"), Person("friend")]
    async with running("good") as server, tabs(server.target(10), people) as (page, _):
        kept = [page.ask("chat:send", {"to": "friend", "text": f"kept {number}"}) for number in range(size)]
        return [answer.get("error") for answer in await asyncio.gather(*kept)]


bursts = {size: await burst(size) for size in (20, 40, 80)}
rows = [[str(size), str(errors.count(None)), str(size - errors.count(None))] for size, errors in bursts.items()]
lab.table(["messages stored", "accepted", "**refused**"], *rows)

# %%
refusal = next(filter(None, bursts[80]), {})
print("a refusal looks like this:", *(f"{key}: {value}" for key, value in refusal.items()), sep="\n  ")

# %% [markdown]
# The refused messages are lost unless the page reads the answer: `retry_after` says when to send again. The page uses
# the same message id (an *idempotency key*), so no message is delivered twice. A limit can cause data loss if its
# refusal does not say what to do next. Monitor your limits too: count the refusals, and check which users are refused.
#
# **Where it bends:** a limit is a guess about honest use. Measure what your users really do, and set the limit somewhat
# above it, with different limits for different uses: a driver's position comes every second, a report once a day. One
# of your own servers may need no rate limit. Then give it its own identity, and do not switch off the limit for
# everyone.
#
# **What it does not do:** an attacker with a thousand accounts has a thousand allowances. Stop a flood from many
# addresses before it reaches Python, at the proxy or in the network.

# %% [markdown]
# ## Turn the knob
#
# How many rooms can one client create?
#
# *The figure: rooms created against rooms asked for, a rising line for the bad server and a flat one for the good one.
# To try more, change the list of numbers.*

# %%
swept = await lesson.sweep("rooms", [100, 200, 400], chats=100, bystanders=2)
title = "Rooms created per room asked for: {bad} on the bad server, {good} on the good one"
lesson.growth(swept, each="room asked for", of="rooms_created", title=title)

# %% [markdown]
# The line ends only because our list of numbers ends. On a server without limits, only the client decides how many
# rooms it creates. On the good server the abuser does not even reach the room limit: it is not entitled to these
# invented rooms, and soon it hits the rate limit. The room limit is for rooms that a user may join.

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Fix it, so that abuse is refused and an honest burst is not. `Gateway` is
# the base class of all handlers.

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
# Run this after each change. It starts a server with your class, runs this lesson's scenario on it with fewer requests,
# and shows the numbers.

# %%
await lab.grade(10, Handlers)

# %% [markdown]
# Stuck? Call `lab.hint(10)` in a new cell: each call tells you a little more. After you have passed, `lab.solution(10)`
# shows one way to write the code. `Gateway` comes from `good_server.gateway`.

# %% [markdown]
# ## Find it in your own code
#
# `lab check PATH` reads Socket.IO code in Python, JavaScript and TypeScript, and looks for the ten mistakes without
# running anything. The cell checks the bad server's module and a Node file with the same mistake: in both, nothing
# limits how much a client may send. Run it on a folder of your own: an *error* makes the command fail, a *warning* asks
# you to look, and a *question* asks you to answer.

# %%
lab.find_in_code(10)

# %% [markdown]
# ## For the interview
#
# *"What do you set before a Socket.IO server goes to production?"* Answer aloud first, then open the answer below.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""A model for each payload, a maximum frame size, a rate limit with a burst for each user, a maximum of rooms
per socket and of sockets per user, and a refusal that says when to retry. I measured one abusive
client with a valid token: {accepted}.
It created {made} rooms without limits and {allowed} with them. A burst of {max(bursts)} messages from a page that had
been offline was partly refused too, so the client must read `retry_after`, and I monitor the refusals.""",
)

# %% [markdown]
# <details><summary>The follow-up: why a token bucket, and not a fixed number per second?</summary>
#
# Requests come in bursts: a page that is online again sends what it stored, and then nothing for minutes. A fixed
# number per second either refuses the burst, or is so high that it limits nobody. A token bucket allows the burst *and*
# limits the average. It needs two numbers per user, and it can say exactly how long to wait.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** neither library limits events or rooms for you. `maxHttpBufferSize` in Node is
# `max_http_buffer_size` in Python; both are a megabyte by default. For validation, Node has zod or ajv and Python has
# pydantic. A rate limit goes into `socket.use(…)` in Node, and into a namespace's `trigger_event` in Python. In
# `socket.use`, `next(new Error(…))` only stops the event: the client gets no answer until you call its ack yourself.
#
# - Limit everything that a client can make grow.
# - Answer every refused request with a reason and a time to retry. Silence is a bug.
# - Limits have a price: measure an honest burst too.
#
# Next: [11 · The production pattern](11_production_pattern.ipynb)

# %%
lesson.check(bad, good)
