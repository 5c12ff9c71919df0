# %% [markdown]
# # 03 · Join rooms on every connect
#
# **The claim:** a server that joins a user's rooms once, when the page logs in, no longer reaches that user after the
# first reconnect. A server that joins them on every connect reaches everybody.
#
# *About 25 minutes: 13 to read, ten for the exercise. You need to know what a function is in Python, and that a web
# page reconnects when the network drops. New here? Begin with [00 · Start here](00_start_here.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** join every room in the code that runs at each connect. What this code needs to know must come with the
# connect itself.
#
# **Otherwise:** after a reconnect the connection is open and the page can send, but no message to a room reaches it
# until somebody reloads the page.
#
# A *room* is a name for a set of connections. A message to the room goes to all of them. A new connection is only in
# its own room. It does not inherit the rooms of the connection before it.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.figures.messages_and_rooms import messages_and_rooms

lesson = lab.lesson(3)
print("python-socketio", version("python-socketio"))

# %% [markdown]
# ## The symptom
#
# "The chat goes quiet after lunch. I press reload, and it works again." Your colleagues cannot reproduce it: for them
# it always works. Their laptops do not go to sleep during the demo, and their network does not drop.

# %% [markdown]
# ## The mistake
#
# Here is the code of the bad server. The page sends the event `session:login` once, after it has loaded. An *event* is
# a message with a name, and the function that answers it is its *handler*.

# %%
lab.show(
    "bad_server.mistake_03_joins_the_room_once",
    "Handlers.joined",
    "Handlers.log_in",
    highlight=["async def log_in", "request.join"],
)

# %% [markdown]
# `joined` runs at every connect and does nothing. `log_in` joins the rooms, but it runs only when the page sends its
# event. After a lost connection the client library reconnects by itself without reloading the page, so the event is not
# sent a second time. (The marker `# <-` is not in the file: it shows where to look.)
#
# In this kit a handler gets a `request`. `request.identity` is the user who sent it, and `request.join(room)` puts the
# connection into a room. In plain python-socketio this is `await sio.enter_room(sid, room)`.

# %% [markdown]
# ## Predict
#
# Users log in, each on one page, and are arranged in a ring. Everyone writes a message to the next user, and all
# messages arrive. Then every connection is cut, and the client library reconnects by itself. When everyone is back,
# they write again.
#
# What percentage of the second messages arrives on the bad server? Put a number in place of `None`. The lesson also
# runs without a guess.

# %%
my_guess = None

# %% [markdown]
# **Try it by hand, if you like:** remove the `#` in the next cell and run the cell. A page appears below it, with both
# servers and a few simulated people. There you send messages and pull plugs, and see on both sides what arrives. The
# page ends when a later cell measures. In a terminal, `lab live 03` opens the same page.

# %%
# lab.show_live(3)

# %% [markdown]
# ## Measure the bad server
#
# The cell starts a fresh server in its own process, and a real Socket.IO client for every user. The second messages are
# sent only when every client is connected again, so no message is lost because it was sent too early.

# %%
users = 50
bad = await lesson.measure("bad", users=users, is_traced=True)

# %% [markdown]
# ## The number

# %%
lesson.numbers(bad=bad)
lesson.show_guess(bad, my_guess)

# %% [markdown]
# Before the cut every message arrived. That is why this mistake passes in the demo, and in every test that connects
# only once.

# %% [markdown]
# ## Look closer
#
# What could be noticed from outside? This table compares the time before the cut with the time after the reconnect. A
# probe in the server's process counted the connections and the rooms all the time. An *ack* (acknowledgement) is the
# server's answer to one event.

# %%
seen = bad.details
before = [sample for sample in seen["samples"] if sample["seconds"] < seen["cut"]][-1]
after = seen["samples"][-1]
lab.table(
    ["measured on the bad server", "before the cut", "after the reconnect"],
    ["connections open", str(before["connections"]), str(after["connections"])],
    ["messages with an ack", str(seen["accepted"]["before"]), str(seen["accepted"]["after"])],
    ["**user rooms with a socket in them**", f"**{before['rooms']}**", f"**{after['rooms']}**"],
)

# %% [markdown]
# The first two rows are what a dashboard shows: as many connections as before, and an ack for every message. Only the
# last row is different, and a dashboard does not show it by itself.
#
# *The figure. Above, one row per user, for a few users: the server emits to the user's room (a triangle), the message
# is received (a circle), the connection is cut (a cross) and comes back (a bar), and the server emits again. Below, the
# rooms are empty until the login. After the cut the connections come back, and the rooms stay empty.*

# %%
title = f"Connections came back: {after['connections']}. Rooms that still hold a socket: {after['rooms']}"
lab.draw(messages_and_rooms({"bad": seen}, title=title))

# %% [markdown]
# **A question before you read on:** the message was sent to the room `user:<id>`, and the server acknowledged it. Which
# sockets were in that room?
#
# <details><summary>The answer</summary>
#
# None. When the old connection was lost, Socket.IO correctly removed it from the room. The new connection never joined.
# Sending to an empty room is not an error: it is allowed and does nothing.
#
# </details>

# %% [markdown]
# ## The fix
#
# The good server has no login event and needs none. Each client shows a *token* when it connects: a signed note that
# says who the user is. So the server knows the user's rooms before the first message, and joins them in `joined`.

# %%
lab.show("good_server.gateway.gateway", "Gateway.joined", highlight=["request.join"])
lab.show("good_server.rooms", "rooms_at_connect", "base_rooms")

# %% [markdown]
# The rooms follow from the token: one for the user, one for the role, one for the company if the user works in its
# office, and the topic rooms that the token names, such as `job:17`.
#
# This is the same loop as in the bad server, in another place. The difference is what calls it: a connect, which
# happens every time, and not a page, which loads once.

# %% [markdown]
# ## Measure the good server
#
# The same users are cut in the same way. The clients still send `session:login`. The good server answers that it does
# not know this event, and nothing depends on it. (This answer is the kit's own. In Node nobody answers an unknown
# event. A class-based namespace of python-socketio acks it with an empty list, so a typing error looks like success.)

# %%
good = await lesson.measure("good", users=users, is_traced=True)
lesson.numbers(bad=bad, good=good)

# %% [markdown]
# ## Side by side
#
# *The figure: the same picture for both servers. On the good server the rooms come back with the connections. If you
# made a guess, it stands below the title.*

# %%
title = f"After the reconnect {bad.value:.0f} % arrived; with the rooms joined at connect, {good.value:.0f} %"
figure = messages_and_rooms({"bad": bad.details, "good": good.details}, title=title)
lesson.side_by_side(figure, guess=my_guess, bad=bad, good=good)

# %% [markdown]
# ## The verdict

# %%
lesson.verdict(bad, good)

# %% [markdown]
# ## The price, and where the rule bends
#
# **The price:** the server must know the user at connect, so the client sends the token with every connect and the
# server checks it each time. After a server restart all clients reconnect within a few seconds, so all of these checks
# happen together too. Keep the connect handler short: check the token, join the rooms, and make no query that can wait.
#
# **Where it bends:** some rooms cannot be known at connect, such as the room of the job whose page is open now. The
# client asks for those rooms, and it must ask again after *every* connect. Each time the server checks that the user
# may join. In the client, put this into the `connect` event, which fires on each reconnect, and not into the code that
# runs when the page loads.
#
# **What it does not do:** it does not deliver what was sent while a client was offline. A room delivers to the sockets
# that are in it now. Store what must not be lost, and fetch it after the connect.

# %% [markdown]
# ## Turn the knob
#
# Does the damage grow with the number of users? Look at the figure before you read on.
#
# *The figure: the percentage of messages that arrived against the number of users, two flat lines: the bad server's at
# the bottom and the good server's at the top. To try more, change the list of numbers.*

# %%
swept = await lesson.sweep("users", [5, 20, 40])
title = "Each additional user changes the bad server's share by {bad} %, the good one's by {good} %"
lesson.growth(swept, each="user", title=title)

# %% [markdown]
# Neither line rises, and that is the lesson. The mistake is complete with only a few users: the cause is the design,
# not the load. A load test without a cut would not have found it. A test that cuts one connection finds it.

# %% [markdown]
# ## Your turn
#
# Here is a handler with the mistake in it. Fix it, so that messages also arrive after the reconnect.

# %% tags=["exercise"]
from bad_server import mistake_03_joins_the_room_once as mistake
from good_server.rooms import rooms_at_connect


class Handlers(mistake.Handlers):
    async def joined(self, request):
        """Runs at every connect, the first as well as the hundredth."""

    async def log_in(self, request, _):
        for room in rooms_at_connect(request.identity):
            await request.join(room)
        return {"user": request.identity.user}


# %% [markdown]
# Run this after each change. It starts a server with your class, runs this lesson's scenario on it with fewer users,
# and shows the numbers.

# %%
await lab.grade(3, Handlers)

# %% [markdown]
# Stuck? Call `lab.hint(3)` in a new cell: each call tells you a little more. After you have passed, `lab.solution(3)`
# shows one way to write the code.

# %% [markdown]
# ## Find it in your own code
#
# `lab check PATH` reads Socket.IO code in Python, JavaScript and TypeScript, and looks for the ten mistakes without
# running anything. The cell checks the bad server's module and a Node file with the same mistake: in both, the user's
# rooms are joined in an event of the page, not at connect. Run it on a folder of your own: an *error* makes the command
# fail, a *warning* asks you to look, and a *question* asks you to answer.

# %%
lab.find_in_code(3)

# %% [markdown]
# ## For the interview
#
# *"Users stop receiving messages after their Wi-Fi drops, until they reload. Where do you look?"* Answer aloud first,
# then open the answer below.

# %%
lab.fold(
    "The answer in thirty seconds",
    f"""I look at the code that joins the rooms. A reconnect is a new connection, and it is in no room (unless Node's
connection state recovery succeeds, which nobody should rely on).
If only a login event joins the rooms, and the page sends it once, nobody joins the second time.
I join at every connect, from the verified token. I tested it with {users} users who were
all cut once. With the join at login, {bad.value:.0f} % of the messages arrived afterwards. With the join at
every connect, {good.value:.0f} % arrived. Before the cut {bad.also["received_before"]:.0f} % arrived on both
servers, so a demo does not show the mistake.""",
)

# %% [markdown]
# <details><summary>The follow-up: could the client not simply send its login again whenever it connects?</summary>
#
# It could, and it would help. But then every client must do it: the page, the phone app, and every client that is
# written later. Also, messages are lost in the gap between the connect and the login. The server sees every connect
# anyway. Put the join where nobody can forget it.
#
# </details>

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** in Node, join in `io.on("connection", socket => socket.join("user:7"))`. In python-socketio, join
# in the `connect` handler with `await sio.enter_room(sid, "user:7")`. Node can restore a client's rooms after a short
# loss if *connection state recovery* is turned on. It is off by default, does not always succeed, and python-socketio
# does not have it. So join at every connect in both.
#
# - A reconnect is a new connection, and a new connection is in no room.
# - What must be true after every connect belongs in the code that runs at every connect.
# - Test with a cut connection. A test that connects once says nothing about the reconnect.
#
# Next: [04 · Keep room membership out of the database](04_membership_in_database.ipynb)

# %%
lesson.check(bad, good)
