# %% [markdown]
# # 05 · Let rooms clean themselves
#
# **The claim:** a server that keeps by hand who is online loses users who still have a tab open, as soon as another of
# their tabs is closed; a server that sends to rooms reaches every one of them.
#
# *Ten minutes. You need to know what a function and a dict are in Python, and that people open the same page in two
# tabs. New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** keep nothing that has to be cleaned up when a connection is lost. Send to the user's room, and let
# Socket.IO empty it.
#
# **Otherwise:** your own list of who is online is right as long as everyone has one tab. Then somebody closes one of
# two, and is offline for everybody, with the page open.
#
# A *room* is a name for a set of connections. A message to the room goes to all of them. Each open tab has a connection
# of its own. Who is online is called *presence*.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab

lesson = lab.lesson(5)
print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## The symptom
#
# "I am looking at the chat right now, and they tell me that I am offline." A reload helps. In the log there is a
# `KeyError` now and then, in the function for a lost connection; somebody has already wrapped it in a `try`.

# %% [markdown]
# ## The mistake
#
# Here is the code, cut from the running bad server: three functions that have to agree about one dict. `joined` runs at
# every connect, `left` at every lost connection, and `deliver` for each message.

# %%
lab.show(
    "bad_server.mistake_05_cleans_up_by_hand",
    "Handlers.joined",
    "Handlers.left",
    "Handlers.deliver",
    highlight=["self.online_since[request.identity.user] = ", "del self.online_since", "in self.online_since"],
)

# %% [markdown]
# The dict has one entry for each *user*. Yet `joined` and `left` run once for each *tab*: set, set, delete. After the
# first of two tabs is closed the entry is gone, and the user is not. And when the second tab is closed, there is
# nothing left to delete.

# %% [markdown]
# ## Predict
#
# Every user has two tabs open. A message written to a user reaches both. Then each closes one of the two, and
# everybody is written to once more.
#
# What percentage of the users gets the second message in the tab that is still open, on the bad server? Put a number in
# place of `None`. The lesson also runs without a guess.

# %%
my_guess = None

# %% [markdown]
# ## Measure the bad server
#
# The cell starts a fresh server in its own process, and a real Socket.IO client for every tab. Half of the tabs that
# close just go, as a browser does. The others first send an event of their own with the name `disconnect`, the name
# that the library gives to a lost connection: whoever cleans up by hand has to be right there, too.

# %%
users = 50
bad = await lesson.measure("bad", users=users)

# %% [markdown]
# ## The number
#
# *The figure: one bar for the bad server, the percentage of users who were still reached with one of two tabs closed,
# next to the bound it was expected to stay below.*

# %%
lesson.numbers(bad=bad)
lesson.one_side("bad", bad, guess=my_guess)

# %% [markdown]
# The errors in the log came last, when the second tabs were closed: a `KeyError` for each `del` of an entry that the
# first tab had already taken along. No socket id is left behind: what this mistake loses is people.

# %% [markdown]
# ## Look closer
#
# The server believes its dict. What is true is known to Socket.IO: it holds the connections.

# %%
reached = sum(user["reached"] for user in bad.details["users"])
lab.table(
    ["with one of two tabs closed", "what the server believed", "what was true"],
    ["users online", str(reached), str(users)],
    ["users not worth sending to", str(users - reached), "0"],
)

# %% [markdown]
# Does it matter how the other tab was closed?

# %%
ways = {"closing": "it just went", "event": "it sent an event named `disconnect`"}
closed = {way: [] for way in ways}
for user in bad.details["users"]:
    closed[user["other_tab_closed_by"]].append(user["reached"])
lab.table(
    ["how the other tab was closed", "users", "still reached"],
    *([words, str(len(closed[way])), str(sum(closed[way]))] for way, words in ways.items()),
)

# %% [markdown]
# It does not. Both servers refuse an event with that name and hang up, so each of those tabs ends as a lost connection
# as well, and `left` runs for it once.
#
# **A question before you read on:** would `self.online_since.pop(user, None)` in place of `del` mend it?
#
# <details><summary>The answer</summary>
#
# It would mend the log, and nothing else. The error is gone, the user is still offline with a tab open; and the only
# hint that something is wrong is gone, too. An error that you silence is a measurement that you throw away.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server has no dict, and nothing to do when a connection is lost.

# %%
lab.show("good_server.gateway.door", "Gateway.joined", "Gateway.left", highlight=["request.join"])
lab.show("good_server.handlers.chat", "deliver", highlight=["to=(target, own_tabs)"])

# %% [markdown]
# It does not ask whether somebody is there before it sends. A room with nobody in it is no error, and costs next to
# nothing: the question was never needed. And a room counts connections, not users: with one of two tabs gone, one is
# in it.

# %% [markdown]
# ## Measure the good server
#
# The same users, the same tabs, closed in the same ways. Only the server is different.

# %%
good = await lesson.measure("good", users=users)
lesson.numbers(bad=bad, good=good)

# %% [markdown]
# ## Side by side
#
# *The figure: users reached with one of two tabs closed, on the bad and on the good server, on one axis. A dashed line
# shows each bound.*

# %%
lesson.side_by_side(bad, good, guess=my_guess)

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price:** there is no list of who is online that you could simply print. A message to somebody who is away is
# composed for nobody; that is cheap. And "online since when?" has no answer, as nobody wrote it down.
#
# **Where it bends:** "is she online?" is a fair question, and presence a fair feature. Ask the room, at the moment you
# need to know. The good server does so itself where it limits how many tabs a user may have open:

# %%
lab.show("good_server.gateway.door", "Gateway.sids_in")

# %% [markdown]
# Two limits to that, plainly. The room is asked in *this* process only: with several server processes behind one
# address, each knows its own connections. And to tell others that somebody has just gone, you do need the function for
# a lost connection; let it ask the room whether *another* tab is left, and keep no count of its own.
#
# Things outside of the rooms may need an end, too: a lock, a shift that a driver has begun, an upload. Do not hang that
# on the lost connection alone, since a server that is killed never runs the function. Let such things expire by time.

# %% [markdown]
# ## Turn the knob
#
# How does it grow? More users, each with two tabs, and both get closed in the end.
#
# *The figure: errors in the server's log against the number of users, a rising line for the bad server and a flat one
# at nought for the good one. To try more, change the list of numbers.*

# %%
swept = await lesson.sweep("users", [5, 10, 20])
title = "Each user who closes two tabs leaves {bad} error in the bad server's log, {good} in the good one's"
lesson.growth(swept, each="user", title=title, of="errors_logged")

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Fix it, so that a user with a tab open is always reached.

# %% tags=["exercise"]
from bad_server import mistake_05_cleans_up_by_hand as mistake
from good_server.handlers import chat


class Handlers(mistake.Handlers):
    async def left(self, request):
        del self.online_since[request.identity.user]

    async def deliver(self, request, sent):
        if sent.to in self.online_since:
            return await chat.deliver(request, sent)
        return {"id": chat.compose(request, sent).id, "at": request.at}


# %% [markdown]
# Run this after each change. It starts a server with your class, runs this lesson's scenario on it with fewer users,
# and shows the numbers.

# %%
await lab.grade(5, Handlers)

# %% [markdown]
# Stuck? Call `lab.hint(5)` in a new cell: each call tells you a little more. After you have passed, `lab.solution(5)`
# shows one way to write the code.

# %% [markdown]
# ## For the interview
#
# *"What do you do in your disconnect handler?"* Answer aloud first, then open the answer below.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""As little as I can; for delivery, nothing. Socket.IO takes a lost socket out of its rooms, so
what I send to `user:<id>` goes to the tabs that are left. I measured {users} users who closed one of
two tabs: with an online list kept by hand {bad.value:.0f} % could still be reached, and the log had
{bad.also["errors_logged"]:.0f} errors; with rooms {good.value:.0f} %, and {good.also["errors_logged"]:.0f} errors.
Where I show who is online I ask the room, and what lives outside of the rooms expires by time.""",
)

# %% [markdown]
# <details><summary>The follow-up: why not count the tabs, plus one at connect and minus one at disconnect?</summary>
#
# It is right for two tabs, and wrong after the first odd path: an exception between the two, a connect that was refused
# after it was counted, a server that is killed with the count saved elsewhere. One step missed is never made up for.
# The room *is* the count, and cannot differ from the connections, as it consists of them.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** in Node a socket has left its rooms when `disconnect` fires, and is still in them at
# `disconnecting`. python-socketio has only the `disconnect` handler, and the socket that goes is still in its rooms
# while that runs: whoever asks there "is anyone left?" has to leave it out. Who is in a room you ask with
# `await io.in("user:7").fetchSockets()` in Node, and with `sio.manager.get_participants("/", "user:7")` in Python.
#
# - One user, many tabs: whatever is kept for each user cannot be cleaned up by each tab.
# - Silencing an error is not mending it.
# - The best clean-up code is none.
#
# Next: [06 · Emit to the room concerned, not to everyone](06_broadcast_to_everyone.ipynb)

# %%
lesson.check(bad, good)
