# %% [markdown]
# # 15 · Find out what is wrong
#
# **Servers with an unknown mistake.** Each has one of the ten mistakes of the lessons, two of them, or none. As in
# production, you examine them from outside, with clients, a bad network and a few numbers. Then you say what it is.
#
# *An hour for the five cases, and an hour or more for the examination. You need to know the ten mistakes: the lessons
# [01](01_stored_socket_ids.ipynb) to [10](10_no_limits.ipynb). The same exists in a terminal: `lab diagnose`.*

# %% [markdown]
# ## Set up
#
# All servers look the same from outside: the same events, the same settings, and no name that gives the mistake away.
# Each time that this cell runs, it chooses at random which server has which mistake.

# %%
import lab
from lab.results.claims import load_claims

practice = lab.diagnose()
print(practice)
lab.table(["", "a server with this mistake breaks the rule"], *([claim.id, claim.title] for claim in load_claims()))

# %% [markdown]
# ## The tools
#
# A *tab* is a real Socket.IO client behind a network that you can break. It behaves like a web page: it sends
# `session:login` once, after it has loaded, and reconnects by itself.
#
# | you write | and this happens |
# |---|---|
# | `server = await practice.start("A")` | the server with this letter runs |
# | `ana = await server.open("ana")` | a tab of the user ana opens; once more: her second tab, `ana-2` |
# | `await server.open("dan", "driver", company="acme", rooms=["job:17"])` | a tab with a role, a company and rooms |
# | `await ana.ask("chat:send", {"to": "bob", "text": "hi"})` | an event is sent, and its ack comes back |
# | `await ana.received("chat:message")` | waits until such a message has arrived, and returns it |
# | `await server.cut(ana)` | the connection is reset; the cell waits until the tab has come back by itself |
# | `await ana.link.go_silent()` | the connection stays open, but nothing passes any more, until a heartbeat fails |
# | `await ana.close()` | the tab is closed |
# | `await server.flood(ana, "chat:send", {…}, 50)` | an event is sent many times at once |
# | `await server.restart()` | the server process is killed, and starts again |
# | `await practice.look("A")` | every message so far, and what the *probe* sees inside the server process |
#
# The roles are `admin`, `driver`, `company`, `provider` and `vendor`. A tab shows its token at each connect, also after
# a cut.
#
# The *probe* is the lab's own measuring code in the server process. It knows nothing about the server's mistake.
#
# <details><summary>What the probe counts</summary>
#
# | number | meaning |
# |---|---|
# | connections open | of all clients, also of those that are silent but not yet closed |
# | ids of lost connections | socket ids that your tabs had and have no more |
# | of these still on the heap | those that any object in the server's memory (its *heap*) still contains |
# | emits | how often the server sent a message to somebody |
# | rooms or socket ids in these emits | one emit may name several, such as one room per role |
# | of these with nobody in them | nobody is in them at the moment of the emit |
# | errors logged | lines in the server's log with the level *error* |
# | longest stall of the event loop | the longest time in which the server could serve nobody |
#
# </details>
#
# <details><summary>The events that every server knows</summary>
#
# Every server here answers `session:login`, so that this answer tells you nothing.
#
# | event | payload |
# |---|---|
# | `session:login` | `{}` |
# | `chat:send` | `{"to": "bob", "text": "…"}` or `{"room": "job:17", "text": "…"}` |
# | `room:join`, `room:leave` | `{"room": "job:17"}` |
# | `report:request` | `{"kind": "cpu", "size": 500}` or `{"kind": "outside", "size": 500}` |
# | `tracking:update` | `{"lat": 52.5, "lng": 13.4}`, from a driver |
# | `driver:status` | `{"status": "busy"}`, from a driver |
# | `system:announce` | `{"text": "…", "level": "info"}`, from an admin |
#
# A report is ready after `size` milliseconds, and then arrives as `report:ready`. A report of the kind `cpu` needs the
# processor for this time; one of the kind `outside` waits for another service.
#
# </details>

# %% [markdown]
# ## How to work
#
# 1. **Reproduce the complaint.** Which users, tabs and network does it need?
# 2. **Suspect one mistake, and say what its server would do.** Choose an experiment that can also fail.
# 3. **Compare two moments** (before and after a cut) or **two users** (the one concerned and the one next to them).
# 4. **Answer only when you saw it.** A complaint may be wrong, too: a server may have no mistake.
#
# A wrong answer costs nothing. It tells you an experiment that would show the mistake that you named.

# %% [markdown]
# ## Case 1
#
# This cell starts the server and does a first, harmless experiment: ana writes to bob.

# %%
server = await practice.start("A")
ana, bob = [await server.open(user) for user in ("ana", "bob")]
await ana.ask("chat:send", {"to": "bob", "text": "hello"})
await practice.look("A")

# %% [markdown]
# Your experiments, in as many cells as you like:

# %%
# await server.open("ana")
# await practice.look("A")

# %% [markdown]
# Your answer: the number of the mistake, such as `3`, two of them, such as `(2, 3)`, or `"none"`.

# %%
my_answer = None
await practice.answer("A", my_answer)

# %% [markdown]
# ## Case 2

# %%
server = await practice.start("B")
ana, bob = [await server.open(user) for user in ("ana", "bob")]
await ana.ask("chat:send", {"to": "bob", "text": "hello"})
await practice.look("B")

# %%
# await server.cut(bob)

# %%
my_answer = None
await practice.answer("B", my_answer)

# %% [markdown]
# ## Case 3

# %%
server = await practice.start("C")
ana, bob = [await server.open(user, rooms=["job:17"]) for user in ("ana", "bob")]
await ana.ask("chat:send", {"to": "bob", "text": "hello"})
await ana.ask("chat:send", {"room": "job:17", "text": "hello, all"})
await practice.look("C")

# %%
# bob_too = await server.open("bob", rooms=["job:17"])

# %%
my_answer = None
await practice.answer("C", my_answer)

# %% [markdown]
# ## Case 4

# %%
server = await practice.start("D")
ana, bob = [await server.open(user) for user in ("ana", "bob")]
await ana.ask("chat:send", {"to": "bob", "text": "hello"})
await ana.ask("report:request", {"kind": "cpu", "size": 1})
await ana.received("report:ready")
await practice.look("D")

# %%
# await server.cut(bob)
# await practice.look("D")

# %%
my_answer = None
await practice.answer("D", my_answer)

# %% [markdown]
# ## Case 5
#
# This server has two mistakes, and one of them may hide the other.

# %%
server = await practice.start("E")
ana, bob = [await server.open(user, rooms=["job:17"]) for user in ("ana", "bob")]
await ana.ask("chat:send", {"to": "bob", "text": "hello"})
await practice.look("E")

# %%
# await server.cut(bob)

# %%
my_answer = None
await practice.answer("E", my_answer)

# %% [markdown]
# ## The final examination
#
# Eleven servers, A to K: each of the ten mistakes is on one of them, and one has none. There are no complaints and no
# second try. Examine the servers in any order and put your answers into the last cell; `"?"` gives one up. When all are
# answered, every server is measured with the scenario of its lesson, which takes about a minute. The result is shown
# here and is written as a page.

# %%
exam = lab.examination()
server = await exam.start("A")
ana, bob = [await server.open(user) for user in ("ana", "bob")]
await ana.ask("chat:send", {"to": "bob", "text": "hello"})
await exam.look("A")

# %%
answers = dict.fromkeys("ABCDEFGHIJK")
# answers["A"] = 3
await exam.hand_in(answers)

# %% [markdown]
# ## Remember
#
# - With most of these mistakes every request gets an ack with `ok`. Look at what *arrives*, not at what was
#   acknowledged.
# - Three things find most of them: a second tab, a cut connection, and a user who is not concerned.
# - The rest is found by a number over time: ids held, memory, the longest stall, requests refused.
# - If you ask for help in production, say what you did, what you saw, and what you would have seen otherwise.

# %%
await practice.stop()
await exam.stop()

import multiprocessing

assert not multiprocessing.active_children(), "a server is left running"
