# %% [markdown]
# # 05 · Let rooms clean themselves
#
# **The claim:** a server that tracks by hand who is online no longer reaches a user who closes one of several tabs,
# although another tab is still open. A server that sends to rooms reaches every user.
#
# *About 25 minutes: 13 to read, ten for the exercise. You need to know what a function and a dict are in Python, and
# that people open the same page in two tabs. New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** keep no state that must be cleaned up when a connection is lost. Send to the user's room, and let
# Socket.IO empty it.
#
# **Otherwise:** your own list of online users is correct only while everyone has one tab. When a user closes one of two
# tabs, that user is offline for everybody, although a page is still open.
#
# A *room* is a name for a set of connections. A message to the room goes to all of them. Each open tab has its own
# connection. *Presence* means who is online.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.figures.presence_strips import outcome, presence_strips

lesson = lab.lesson(5)
print("python-socketio", version("python-socketio"))
print(lab.heartbeats())

# %% [markdown]
# ## The symptom
#
# "I am looking at the chat right now, and my colleagues see me as offline." A reload helps. Sometimes the log shows a
# `KeyError` in the function for a lost connection. Somebody has already wrapped it in a `try`.

# %% [markdown]
# ## The mistake
#
# Here is the code of the bad server: three functions that must agree about one dict. `joined` runs at every connect,
# `left` at every lost connection, and `deliver` for each message.

# %%
lab.show(
    "bad_server.mistake_05_cleans_up_by_hand",
    "Handlers.joined",
    "Handlers.left",
    "Handlers.deliver",
    highlight=["self.online_since[request.identity.user] = ", "del self.online_since", "in self.online_since"],
)

# %% [markdown]
# The dict has one entry for each *user*, but `joined` and `left` run once for each *tab*: set, set, delete. After the
# first of two tabs is closed, the entry is gone but the user is still there. When the second tab is closed, there is no
# entry left to delete.

# %% [markdown]
# ## Predict
#
# Every user has two tabs open. A message to a user reaches both tabs. Then each user closes one of the two tabs, and
# one more message is sent to each user.
#
# What percentage of the users receives the second message in the tab that is still open, on the bad server? Put a
# number in place of `None`. The lesson also runs without a guess.

# %%
my_guess = None

# %% [markdown]
# **Try it by hand, if you like:** remove the `#` in the next cell and run the cell. A page appears below it, with both
# servers and a few simulated people. There you send messages and pull plugs, and see on both sides what arrives. The
# page ends when a later cell measures. In a terminal, `lab live 05` opens the same page.

# %%
# lab.show_live(5)

# %% [markdown]
# ## Measure the bad server
#
# The cell starts a fresh server in its own process, and a real Socket.IO client for every tab. Half of the tabs simply
# close, as in a browser. The others first send an event with the name `disconnect`, the name that the library uses for
# a lost connection. A clean-up by hand must handle that case too.

# %%
users = 50
bad = await lesson.measure("bad", users=users, is_traced=True)

# %% [markdown]
# ## The number

# %%
lesson.numbers(bad=bad)
lesson.show_guess(bad, my_guess)

# %% [markdown]
# The errors were logged later, when the second tabs were closed: one `KeyError` for each `del` of an entry that the
# first tab had already deleted. No socket ids are left over. This mistake makes users unreachable.

# %% [markdown]
# ## Look closer
#
# The server relies on its dict: a user who is not in it is offline, and nothing is sent. So each emit shows what the
# server believes. A *probe* in its process counts the emits.

# %%
lab.table(
    ["with one of two tabs closed", "what the server believed", "what was true"],
    ["users online", f"{bad.details['sent_on']} (it sent the message on)", f"{users} (have an open tab)"],
)

# %% [markdown]
# For the figure a few more users are written to ten times a second, while they close first one tab and then the other.
#
# *The figure: a strip per user. Each gray bar is an open tab, two at first. Each mark is a message: a circle arrived in
# a tab, a cross was not sent, because the server took the user for offline. The crosses begin when the first tab
# closes, although the second bar goes on.*

# %%
sent = [(message, user) for user in bad.details["strips"] for message in user["messages"]]
one_open = [message for message, user in sent if min(user["tabs"]) < message["at"] < max(user["tabs"])]
lost = sum(outcome(message) == "offline" for message in one_open)
title = f"{lost} of {len(one_open)} messages to users with one open tab were not sent: taken for offline"
lab.draw(presence_strips({"bad": bad.details["strips"]}, title=title))

# %% [markdown]
# Does it matter how the other tab was closed?

# %%
ways = {"closing": "it just closed", "event": "it sent an event named `disconnect`"}
closed = {way: [] for way in ways}
for user in bad.details["users"]:
    closed[user["other_tab_closed_by"]].append(user["reached"])
lab.table(
    ["how the other tab was closed", "users", "still reached"],
    *([words, str(len(closed[way])), str(sum(closed[way]))] for way, words in ways.items()),
)

# %% [markdown]
# It does not. Both servers refuse an event with that name and close the connection, so `left` runs exactly once for
# each of those tabs too.
#
# **A question before you read on:** would `self.online_since.pop(user, None)` in place of `del` fix it?
#
# <details><summary>The answer</summary>
#
# It would only remove the error from the log. The user is still offline with an open tab, and now nothing shows that
# something is wrong. The error was useful information. Do not silence it; fix its cause.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server has no dict, and does nothing when a connection is lost.

# %%
lab.show("good_server.gateway.gateway", "Gateway.joined", "Gateway.left", highlight=["request.join"])
lab.show("good_server.handlers.chat", "deliver", highlight=["to=(target, own_tabs)"])

# %% [markdown]
# It does not check whether the user is online before it sends. Sending to an empty room is no error and costs very
# little, so the check was never needed. A room contains connections, not users: after one of two tabs closes, one
# connection is left in it.

# %% [markdown]
# ## Measure the good server
#
# The same users close the same tabs in the same ways. Only the server is different.

# %%
good = await lesson.measure("good", users=users, is_traced=True)
lesson.numbers(bad=bad, good=good)

# %% [markdown]
# ## Side by side
#
# *The figure: the strips of both servers. The good server sends as long as it is asked to: while a tab is open the
# message arrives, afterwards the room is empty (a ring). If you made a guess, it stands below the title.*

# %%
title = f"One of two tabs closed: {bad.value:.0f} % of the users reached by the dict, {good.value:.0f} % by the room"
figure = presence_strips({"bad": bad.details["strips"], "good": good.details["strips"]}, title=title)
lesson.side_by_side(figure, guess=my_guess, bad=bad, good=good)

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price:** there is no list of online users that you could simply print. The server also composes messages to
# users who are offline, which costs little. And "online since when?" has no answer, because nothing records it.
#
# **Where it bends:** "is she online?" is a fair question, and presence is a useful feature. Ask the room at the moment
# when you need to know. The good server does this where it limits how many tabs a user may have open:

# %%
lab.show("good_server.gateway.gateway", "Gateway.sids_in")

# %% [markdown]
# This has three limits. First, in python-socketio it lists the sockets of *this* process only. In Node
# `fetchSockets()` asks every process that shares an adapter, and waits for their answers. With many processes, presence
# is better kept as a lease: each process renews an entry for its users, and an entry that nobody renews expires.
#
# Second, a connection that falls silent stays in its room until a heartbeat fails; the first cell of this lesson
# printed after how long. So "online" always means "until a moment ago".
#
# Third, to notify others that somebody has just gone offline, you do need the function for a lost connection. Let it
# check in the room whether *another* tab is left, and keep no counter of its own. Wait a little before you tell others,
# because many lost connections are back within seconds.
#
# Other resources may also need an end: a lock, a driver's shift, an upload. Do not rely only on the lost connection for
# that, because a killed server never runs the function. Let such resources expire after a time.

# %% [markdown]
# ## Turn the knob
#
# How does it grow? We add more users. Each has two tabs and closes both in the end.
#
# *The figure: errors in the server's log against the number of users, a rising line for the bad server and a flat line
# at zero for the good one. To try more, change the list of numbers.*

# %%
swept = await lesson.sweep("users", [5, 10, 20])
title = "Each user who closes two tabs adds {bad} error to the bad server's log, {good} to the good one's"
lesson.growth(swept, each="user", title=title, of="errors_logged")

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Fix it, so that a user with an open tab is always reached.

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
# ## Find it in your own code
#
# `lab check PATH` reads Socket.IO code in Python, JavaScript and TypeScript, and looks for the ten mistakes without
# running anything. The cell checks the bad server's module and a Node file with the same mistake: in both, code that
# runs at a disconnect removes an entry by hand. Run it on a folder of your own: an *error* makes the command fail, a
# *warning* asks you to look, and a *question* asks you to answer.

# %%
lab.find_in_code(5)

# %% [markdown]
# ## For the interview
#
# *"What do you do in your disconnect handler?"* Answer aloud first, then open the answer below.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""As little as possible, and nothing for delivery. Socket.IO removes a lost socket from its rooms, so
a message to `user:<id>` goes to the tabs that are left. I measured {users} users who closed one of
two tabs. With presence kept by hand {bad.value:.0f} % could still be reached, and the log had
{bad.also["errors_logged"]:.0f} errors. With rooms it was {good.value:.0f} %, and the log had
{good.also["errors_logged"]:.0f} errors. To show who is online I ask the room. That covers one process; over several I
keep an entry per user that expires unless it is renewed. Other resources, such as locks, expire after a time, too.""",
)

# %% [markdown]
# <details><summary>The follow-up: why not count the tabs, plus one at connect and minus one at disconnect?</summary>
#
# It works for two tabs, but it is wrong after the first unusual case: an exception between the two steps, a connect
# that was refused after it was counted, or a killed server with the count stored elsewhere. One missed step is never
# corrected. The room *is* the count: Socket.IO changes it together with the connection. For a silent connection it is
# late, until the heartbeat fails. But then it is corrected, every time.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** in Node a socket has left its rooms when `disconnect` fires, and is still in them at
# `disconnecting`. python-socketio has only the `disconnect` handler, and the closing socket is still in its rooms while
# the handler runs. So code that checks there "is anyone left?" must ignore that socket. To list the sockets in a room,
# use `await io.in("user:7").fetchSockets()` in Node: it is asynchronous and asks every process that shares an adapter.
# In Python, `sio.manager.get_participants("/", "user:7")` is not asynchronous and knows only this process.
#
# - A user may have many tabs, so a closed tab must not delete state of the whole user.
# - Silencing an error does not fix it.
# - State that you do not keep needs no clean-up code.
#
# Next: [06 · Emit to the room concerned, not to everyone](06_broadcast_to_everyone.ipynb)

# %%
lesson.check(bad, good)
