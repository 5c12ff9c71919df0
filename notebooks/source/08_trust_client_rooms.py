# %% [markdown]
# # 08 · Let the server decide who is in a room
#
# **The claim:** a server that joins a client to whatever room it asks for lets anyone with a valid login read what is
# said to others, and write in their names; a server that decides from the verified login lets nobody.
#
# *Ten minutes. You need to know what a function is in Python, and that anyone may open a browser's console and send
# what they like. New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** a client may *ask* for a room. The server decides, from what it has verified itself. Who a message is
# from is not the client's to say at all.
#
# **Otherwise:** one user with a console reads everybody's messages, and writes as the administrator.
#
# A *token* is a signed note that says who somebody is. It is shown at the connect; the server checks the signature, so
# what stands in the token is *verified*. What stands in an event afterwards is only what somebody typed.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.clients.tab import tabs
from lab.figures import charts
from lab.scenarios.s08_trust_client_rooms import ATTACKER, SECRETS, VICTIM
from lab.servers.running import running

lesson = lab.lesson(8)
print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## The symptom
#
# There is none. The page only asks for rooms that its user belongs in, so every demo and every test is right. Then a
# customer asks how a competitor could know where the drivers were, and in the log you find nothing but valid logins.

# %% [markdown]
# ## The mistake
#
# Here is the code, cut from the running bad server. A *handler* is the function that answers an event; `change` and
# `sent` are what the client sent.

# %%
lab.show(
    "bad_server.mistake_08_trusts_the_client",
    "Handlers.join",
    "Handlers.send_chat",
    highlight=["request.join(change.room)", "user=sent.sender.id"],
)

# %% [markdown]
# Read the two comments once more: "the page knows". But it is not the page that is connected. It is a program on
# somebody else's computer, and you wrote it only until it got there.

# %% [markdown]
# ## Predict
#
# An attacker, a real user with a valid token, asks for rooms that are not theirs. Then those who belong in these
# rooms talk as usual: an admin to the admins, a friend to a friend, a driver to the company, a crew in its job.
#
# What percentage of these private messages does the attacker read on the bad server? Put a number in place of `None`;
# without one the lesson runs all the same.

# %%
my_guess = None

# %% [markdown]
# ## Measure the bad server
#
# A fresh server in a process of its own, and a real Socket.IO client for everyone, the attacker too. The attacker
# breaks nothing: no password is guessed, no signature forged. It only asks.

# %%
rounds = 5
bad = await lesson.measure("bad", rounds=rounds)

# %% [markdown]
# ## The number
#
# *The figure: one bar for the bad server, the percentage of private messages that the attacker read, next to the bound
# it was expected to pass.*

# %%
print(f"{rounds * len(SECRETS)} private messages were sent; the attacker got {sum(bad.details['read'])} of them")
lesson.numbers(bad=bad)
lesson.one_side("bad", bad, guess=my_guess)

# %% [markdown]
# ## Look closer
#
# What did the server believe, and what was true? It believed every name of a room that it was told. Here are the rooms,
# whom they are for, and what the attacker, who is none of these, was answered and got.

# %%
seen = zip(SECRETS, bad.details["joined"], bad.details["read"], strict=True)
lab.table(
    ["room asked for", "what is said there is for", "the server's answer", "read by the attacker"],
    *([f"`{one.room}`", one.reader.user, "ok" if ok else "no", f"**{got}** of {rounds}"] for one, ok, got in seen),
)
print("and these users were believed to have written what the attacker wrote:", ", ".join(bad.details["forged"]))

# %% [markdown]
# **A question before you read on:** every message still reached the one it was for. Who could have noticed?
#
# <details><summary>The answer</summary>
#
# Nobody. One reader more takes nothing away from the others, and a join that is granted is not an error. The forged
# message is worse: it carries a name that its reader trusts, and the server vouches for it. This mistake is found by
# asking for what is not yours and expecting a no. So write that test.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server asks two questions. Is this a kind of room that clients may ask for at all? And is *this* user
# entitled to it, by the token or by your own records? The first line answers the one, the second line the other.

# %%
lab.show("good_server.handlers.rooms", "join", highlight=["topic_room(change.room)", "may_join"])
lab.show("good_server.services.entitlements", "TokenEntitlements.may_join")
lab.show("good_server.handlers.chat", "compose", highlight=["sender="])

# %% [markdown]
# The user's own rooms are not asked for at all: the server fills them at the connect, from the token. And the sender
# is taken from the token too, so there is nothing to forge: a payload that brings a `from` is refused.

# %% [markdown]
# ## Measure the good server
#
# The same people, the same attacker, the same requests; only the server differs.

# %%
good = await lesson.measure("good", rounds=rounds)
lesson.numbers(bad=bad, good=good)

# %% [markdown]
# And here are the words in which the good server says no to the attacker, asked once more: the same rooms, then a
# forged sender. A no is an answer too: it has a code for programs and a text for people, and repeats nothing of what
# was sent.

# %%
forged = {"to": VICTIM.user, "text": "trust me", "from": {"id": "root", "role": "admin"}}
asked = [("room:join", {"room": one.room}) for one in SECRETS] + [("chat:send", forged)]
async with running("good") as server, tabs(server.target(8), [ATTACKER]) as (tab,):
    answers = [await tab.ask(event, payload) for event, payload in asked]
pairs = zip(asked, answers, strict=True)
rows = [(payload.get("room", "a forged `from`"), answer["error"]) for (_, payload), answer in pairs]
lab.table(["asked for", "code", "message"], *([what, f"`{no['code']}`", no["message"]] for what, no in rows))

# %% [markdown]
# ## Side by side
#
# *The figure: private messages read by the attacker on the bad and on the good server, on one axis, each with its bound
# as a dashed line.*

# %%
lesson.side_by_side(bad, good, guess=my_guess)

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price:** somebody has to know who may be where. A token that lists the rooms answers at once, but is as old as
# the token; a question to the database is fresh, but costs a query at each join, and many at once when everybody
# reconnects. Most products need both: the few lasting rooms in the token, the many passing ones asked for.
#
# **Where it bends:** the client does know things, such as which job's page is open. So let it *ask*. A room that is
# open to all, the score of a match, needs no right, but still a form that is checked and a number that is limited
# (that is [lesson 10](10_no_limits.ipynb)). A room with a name that nobody can guess is no substitute: a name is
# copied into logs and links, and cannot be taken back from one reader alone.
#
# **What it does not do:** a right is checked when a room is joined. Who loses the right while connected stays in the
# room until somebody takes them out. The good server looks again when the token is renewed; if that is too late for
# you, take the sockets out of the room at the moment the right is withdrawn.

# %% [markdown]
# ## Turn the knob
#
# The attacker asks for each room once. What is each further round of private messages worth to it?
#
# *The figure: messages that the attacker read against rounds of private messages, a rising line for the bad server and
# a flat one at nought for the good one. To turn it further, change the list of rounds.*

# %%
swept = await lesson.sweep("rounds", [1, 5, 10])
reads = {side: [sum(run.details["read"]) for run in swept.runs[side]] for side in ("bad", "good")}
lines = [(side, swept.values, read) for side, read in reads.items()]
most, none = reads["bad"][-1], reads["good"][-1]
title = f"Asked for once, the rooms gave the attacker {most} messages, and {none} on the good server"
labels = {"x_label": "rounds of private messages", "y_label": "messages read", "each": "messages a round"}
lab.draw(charts.growth(lines, title=title, **labels))

# %% [markdown]
# A room is a subscription. Whoever is let in by mistake reads everything from then on, for as long as the connection
# lasts; the attack itself is one polite request.

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Mend it, so that an attacker gets into no room that is not theirs, and those
# who belong there still do. `request.identity` is what the server has verified; to say no, raise `Forbidden` from
# `good_server.errors`.

# %% tags=["exercise"]
from bad_server import mistake_08_trusts_the_client as mistake


class Handlers(mistake.Handlers):
    async def join(self, request, change):
        await request.join(change.room)
        return {"room": change.room}


# %% [markdown]
# Run this after each change. It starts a server with your class, runs the scenario of this lesson on it, with fewer
# rounds, and answers in numbers.

# %%
await lab.grade(8, Handlers)

# %% [markdown]
# Stuck? `lab.hint(8)` in a cell of its own says a little more each time, and `lab.solution(8)` shows one way to write
# it once you have passed. The forged senders are not graded: mend `send_chat` too, and look at how little is left.

# %% [markdown]
# ## For the interview
#
# *"A client sends `join` with the name of a room. What does your server do?"* Answer aloud first, then open.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""It takes it as a question. First the form: is it a kind of room that clients may ask for?
Then the right: may this user be in it, by the verified token or by our records? Only then the join.
A user's own rooms and the sender of a message are never the client's to say. I measured what happens
otherwise: an attacker with a valid token asked for {len(SECRETS)} rooms and read {bad.value:.0f} % of the private
messages, and {bad.also["forged_senders_accepted"]:.0f} % of the forged senders were believed. With the check it was
{good.value:.0f} % and {good.also["forged_senders_accepted"]:.0f} %.""",
)

# %% [markdown]
# <details><summary>The follow-up: we check the token at the connect. Is that not enough?</summary>
#
# It says *who* it is (authentication). It does not say *what they may do* (authorization). The attacker here has a
# token as good as yours. The second question has to be asked at every join and at every event, since the answer
# depends on what is asked for. It is the same mistake as a web page that shows any invoice whose number is in the URL.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** the mistake in Node is `socket.on("join", room => socket.join(room))`; in Python it is a handler
# with `await sio.enter_room(sid, room)`. In Node the verified user is kept in `socket.data`, set by `io.use(…)`; in
# python-socketio in the session, set in the `connect` handler, as there is no `io.use`.
#
# - The client may ask. The server decides, from what it verified.
# - A name that is well-formed is not yet a right.
# - Test with a no: ask for what is not yours, and expect to be refused.
#
# Next: [09 · Keep heavy work out of handlers](09_heavy_work_in_handler.ipynb)

# %%
lesson.check(bad, good)
