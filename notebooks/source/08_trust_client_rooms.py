# %% [markdown]
# # 08 · Let the server decide who is in a room
#
# **The claim:** a server that joins a client to any room that it asks for lets every user with a valid login read other
# people's messages and write in their names. A server that decides from the verified login lets nobody do so.
#
# *About 25 minutes: 13 to read, ten for the exercise. You need to know what a function is in Python, and that anyone
# may open a browser's console and send what they like. New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** a client may *ask* for a room. The server decides, from what it has verified itself. The client never
# decides who the sender of a message is.
#
# **Otherwise:** one user with a console reads everybody's messages and writes as the administrator.
#
# A *token* is a signed note that says who somebody is. The client shows it at connect, and the server checks the
# signature, so the content of the token is *verified*. The content of a later event is not verified: it may be anything
# that somebody typed.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.figures import charts
from lab.figures.room_grid import Grid, room_grid
from lab.scenarios.s08_trust_client_rooms import ATTACKER, PEOPLE, SECRETS, VICTIM

lesson = lab.lesson(8)
print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## The symptom
#
# There is none. The page only asks for rooms that its user belongs in, so every demo and every test passes. Then a
# customer asks how a competitor could know where the drivers were. In the log you find nothing but valid logins.

# %% [markdown]
# ## The mistake
#
# Here is the code of the bad server. A *handler* is the function that answers an event. `change` and `sent` hold what
# the client sent.

# %%
lab.show(
    "bad_server.mistake_08_trusts_the_client",
    "Handlers.join",
    "Handlers.send_chat",
    highlight=["request.join(change.room)", "user=sent.sender.id"],
)

# %% [markdown]
# Look at the two comments again: "the page knows". But the server is not connected to your page. It is connected to a
# program on somebody else's computer, and its user can change that program.

# %% [markdown]
# ## Predict
#
# An attacker, a real user with a valid token, asks for other people's rooms. Then the members of these rooms talk as
# usual: an admin to the admins, a friend to a friend, a driver to the company, a crew in the room of its job.
#
# What percentage of these private messages does the attacker read on the bad server? Put a number in place of `None`.
# The lesson also runs without a guess.

# %%
my_guess = None

# %% [markdown]
# **Try it by hand, if you like:** remove the `#` in the next cell and run the cell. A page appears below it, with both
# servers and a few simulated people. There you send messages and pull plugs, and see on both sides what arrives. The
# page ends when a later cell measures. In a terminal, `lab live 08` opens the same page.

# %%
# lab.show_live(8)

# %% [markdown]
# ## Measure the bad server
#
# The cell starts a fresh server in its own process, and a real Socket.IO client for everyone, including the attacker.
# The attacker guesses no password and forges no signature. It only asks for rooms. To show who is let in where, the
# other users ask for the same rooms.

# %%
rounds = 5
bad = await lesson.measure("bad", rounds=rounds)

# %% [markdown]
# ## The number

# %%
print(f"{rounds * len(SECRETS)} private messages were sent; the attacker got {sum(bad.details['read'])} of them")
lesson.numbers(bad=bad)
lesson.show_guess(bad, my_guess)

# %% [markdown]
# ## Look closer
#
# What did the server assume, and what was true? It accepted every room name, from everybody.
#
# *The figure: one row per person, one column per room. A cell has the server's answer to the person's request to join
# the room, and how many of the room's messages the person received. A frame marks those who belong to the conversation:
# its writer and its readers. Hatched cells are messages that were read by people they were not meant for.*


# %%
def grid_of(side, run):
    return Grid(side, run.details["granted"], run.details["reads"])


meant = [[one.is_for(person) for one in SECRETS] for person in PEOPLE]
writers = [[person == one.author != one.reader for one in SECRETS] for person in PEOPLE]
names = [f"{person.user} ({person.role})" for person in PEOPLE]
looks = {"people": names, "rooms": [one.room for one in SECRETS], "is_meant": meant, "writers": writers}


# %%
def leaked(run):
    """Count the cells in which somebody read what was not meant for that person."""
    rows = zip(run.details["reads"], meant, strict=True)
    return sum(bool(count) and not is_meant for row in rows for count, is_meant in zip(*row, strict=True))


strangers = sum(not is_meant for row in meant for is_meant in row)
title = f"In {leaked(bad)} of {strangers} cases a person got into a room and read what was not meant for that person"
lab.draw(room_grid([grid_of("bad", bad)], title=title, **looks))
print("the server delivered the attacker's messages with these senders:", ", ".join(bad.details["forged"]))

# %% [markdown]
# **A question before you read on:** every message still reached its real reader. Who could have noticed the attack?
#
# <details><summary>The answer</summary>
#
# Nobody. An additional reader takes nothing away from the others, and a granted join is not an error. The forged
# message is worse: it carries a name that its reader trusts, and the server confirms that name. To find this mistake,
# ask for a room that is not yours and expect a refusal. Write that test.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server checks two things. May clients ask for this kind of room at all? And is *this* user entitled to it, by
# the token or by your own records? The first highlighted line checks the kind of room, the second line checks the user.

# %%
lab.show("good_server.handlers.rooms", "join", highlight=["topic_room(change.room)", "may_join"])
lab.show("good_server.services.entitlements", "TokenEntitlements.may_join")
lab.show("good_server.handlers.chat", "compose", highlight=["sender="])

# %% [markdown]
# A client does not ask for the user's own rooms: the server joins them at connect, from the token. The sender also
# comes from the token, so it cannot be forged: the server refuses a payload that contains a `from`.

# %% [markdown]
# ## Measure the good server
#
# The same people, attacker and requests. Only the server is different.

# %%
good = await lesson.measure("good", rounds=rounds)
lesson.numbers(bad=bad, good=good)

# %% [markdown]
# This cell shows how the good server refuses the attacker. The attacker asks for the same rooms again, and then sends a
# message with a forged sender. Each refusal has a code for programs and a text for people, and repeats nothing of what
# was sent.

# %%
from lab.clients.tab import tabs
from lab.servers.running import running

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
# *The figure: the same grid for both servers. On the good server only the framed cells are filled. It refuses requests
# for the rooms of users, roles and companies even from their members: it has joined them at connect, so a client never
# needs to ask. If you made a guess, it stands below the title.*

# %%
title = f"People who read what was not meant for them: {leaked(bad)} of {strangers} cases on the bad server"
title += f", {leaked(good)} on the good one"
figure = room_grid([grid_of("bad", bad), grid_of("good", good)], title=title, **looks)
lesson.side_by_side(figure, guess=my_guess, bad=bad, good=good)

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price:** the server needs to know each user's entitlements. A token that lists the rooms needs no query, but it
# can be out of date. A database query is up to date, but it costs time at each join, and many queries come at once when
# everybody reconnects. Most products need both: a few permanent rooms in the token, and a check for the many temporary
# ones.
#
# **Where it bends:** the client does know some things, such as which job's page is open. So let it *ask*. A public
# room, such as the score of a match, needs no entitlement, but the server must still check its name and limit the
# number of rooms (that is [lesson 10](10_no_limits.ipynb)). A room name that is hard to guess is no substitute: names
# are copied into logs and links, and you cannot take a name back from one reader alone.
#
# **What it does not do:** an entitlement is checked only when a room is joined. A user who loses it while connected
# stays in the room until the server removes the socket. The good server checks again when the token is renewed. If that
# is too late for you, remove the sockets from the room when the entitlement is withdrawn.

# %% [markdown]
# ## Turn the knob
#
# The attacker asks for each room only once. How many messages does it read in each further round of private messages?
#
# *The figure: messages that the attacker read against rounds of private messages, a rising line for the bad server and
# a flat line at zero for the good one. To try more, change the list of rounds.*

# %%
swept = await lesson.sweep("rounds", [1, 5, 10])
reads = {side: [sum(run.details["read"]) for run in swept.runs[side]] for side in ("bad", "good")}
lines = [(side, swept.values, read) for side, read in reads.items()]
most, none = reads["bad"][-1], reads["good"][-1]
title = f"After one join per room the attacker read {most} messages, and {none} on the good server"
labels = {"x_label": "rounds of private messages", "y_label": "messages read", "each": "messages per round"}
lab.draw(charts.growth(lines, title=title, **labels))

# %% [markdown]
# A room is a subscription. A client that is let in by mistake reads everything from then on, as long as its connection
# lasts. The attack itself is only one normal request per room.

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Fix it, so that an attacker cannot join other people's rooms, and the users
# who belong there still can. `request.identity` is what the server has verified. To refuse a request, raise `Forbidden`
# from `good_server.errors`.

# %% tags=["exercise"]
from bad_server import mistake_08_trusts_the_client as mistake


class Handlers(mistake.Handlers):
    async def join(self, request, change):
        await request.join(change.room)
        return {"room": change.room}


# %% [markdown]
# Run this after each change. It starts a server with your class, runs this lesson's scenario on it with fewer rounds,
# and shows the numbers.

# %%
await lab.grade(8, Handlers)

# %% [markdown]
# Stuck? Call `lab.hint(8)` in a new cell: each call tells you a little more. After you have passed, `lab.solution(8)`
# shows one way to write the code. Fix `send_chat` too, and look at how little code is left.

# %% [markdown]
# ## Find it in your own code
#
# `lab check PATH` reads Socket.IO code in Python, JavaScript and TypeScript, and looks for the ten mistakes without
# running anything. The cell checks the bad server's module and a Node file with the same mistake: in both, the client
# names the room that it joins, and nothing checks whether it may. Run it on a folder of your own: an *error* makes the
# command fail, a *warning* asks you to look, and a *question* asks you to answer.

# %%
lab.find_in_code(8)

# %% [markdown]
# ## For the interview
#
# *"A client sends `join` with the name of a room. What does your server do?"* Answer aloud first, then open the answer
# below.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""It treats it as a request. First it checks the kind: may clients ask for this kind of room?
Then the entitlement: may this user be in it, by the verified token or by our records? Only then it joins.
The client never decides its user's own rooms or the sender of a message. I measured the opposite: an
attacker with a valid token asked for {len(SECRETS)} rooms and read {bad.value:.0f} % of the private messages,
and {bad.also["forged_senders_accepted"]:.0f} % of the forged senders were accepted. With the checks it was
{good.value:.0f} % and {good.also["forged_senders_accepted"]:.0f} %.""",
)

# %% [markdown]
# <details><summary>The follow-up: we check the token at connect. Is that enough?</summary>
#
# No. It proves *who* the user is (authentication). It does not say *what the user may do* (authorization). The attacker
# here also has a valid token. Check the authorization at every join and every event, because the answer depends on what
# is asked for. It is the same mistake as a web page that shows any invoice whose number is in the URL.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** the mistake in Node is `socket.on("join", room => socket.join(room))`. In Python it is a handler
# with `await sio.enter_room(sid, room)`. In Node the verified user is in `socket.data`, set by `io.use(…)`. In
# python-socketio it is in the session, set in the `connect` handler, because there is no `io.use`.
#
# - The client may ask. The server decides, from what it has verified.
# - A valid room name is not an entitlement.
# - Test the refusal: ask for a room that is not yours, and expect an error.
#
# Next: [09 · Keep heavy work out of handlers](09_heavy_work_in_handler.ipynb)

# %%
lesson.check(bad, good)
