# %% [markdown]
# # 14 · Store the message, then send it
#
# **The claim:** an emit alone reaches a reader at most once. With a history, ids and numbers, every reader ends with
# exactly the conversation, in order.
#
# *About 12 minutes to read. You need to have read
# [03 · Join the room on every connect](03_join_room_once.ipynb).*

# %% [markdown]
# ## In short
#
# **The rule:** the server stores a message before it sends it, and gives it the next number of its conversation. The
# writer repeats a message with the same id until it is acked. The reader drops known numbers and asks for missing ones.
#
# **Otherwise:** what is sent during a lost connection is lost, or a lost ack makes a duplicate.
#
# *At most once*: a message arrives or is lost. *At least once*: it arrives, perhaps twice. No network delivers exactly
# once. But a reader that knows what it has can *show* each message exactly once.

# %% [markdown]
# ## Set up

# %%
from importlib.metadata import version

import lab
from lab.figures.shown_messages import shown_messages
from lab.scaling.guarantees import WAYS, measure

print("python-socketio", version("python-socketio"), "· SQLAlchemy", version("sqlalchemy"))

# %% [markdown]
# ## The symptom
#
# A user comes out of a tunnel. The chat is open and looks complete, but two messages are missing, and nobody knows it.
# Another user sees the same message twice: the sender's phone had lost the ack, and sent the message again.

# %% [markdown]
# ## Predict
#
# Ana, the writer, sends 40 messages to Ben, the reader. Ben's connection is cut 8 times, each time right before a
# message. His client reconnects by itself, and Ana waits for that before her next message. How many of the messages
# does he miss, if the server only emits? Put a number in place of `None`.

# %%
my_guess = None

# %% [markdown]
# ## Measure
#
# The same conversation runs in four ways, each on a new server:
#
# | way | the server | the writer, after a lost ack | the reader |
# |---|---|---|---|
# | at most once | emits | does nothing | shows what arrives |
# | at least once, new ids | stores, then emits | sends again, with a new id | asks for what it missed, shows all |
# | at least once, same id | stores, then emits | sends again, with the same id | asks for what it missed, shows all |
# | exactly the conversation | stores, then emits | sends again, with the same id | asks, and drops known numbers |
#
# No ack is really lost here: the writer acts as if every fourth one were. The reader asks with `history:after` after
# each message and each reconnect: "what comes after my last number?"

# %%
outcomes = {way.name: await measure(way) for way in WAYS}

# %% [markdown]
# ## The number

# %%
first, exact = outcomes["at most once"], outcomes["exactly the conversation"]
print(f"{len(first.written)} messages, {first.cuts} cuts, your guess: {my_guess}, lost by emits alone: {first.lost}")
lab.table(
    ["", "written", "cuts", "sent twice", "lost", "shown again", "exactly the conversation"],
    *(
        [name, *map(str, (len(one.written), one.cuts, one.repeats, one.lost, one.duplicates)), str(one.is_exact)]
        for name, one in outcomes.items()
    ),
)

# %% [markdown]
# *The figure: one row for each way, one mark for each message. A cross is a lost message, a dot is one that the reader
# shows once, a diamond is one that it shows again. The dashed lines are the cuts.*

# %%
title = f"An emit alone loses {first.lost} of {len(first.written)} messages; with history, ids and numbers the reader "
title += f"loses {exact.lost}, and {exact.duplicates} are shown again"
times_shown = {name: outcome.times_shown for name, outcome in outcomes.items()}
lab.draw(shown_messages(times_shown, first.cut_before, title=title))

# %% [markdown]
# - **At most once** is what an emit gives. The reader was in the right room again after each cut, and what was sent
#   in between is lost. Here one message is sent during each cut, and a message just before a cut can be lost, too.
# - **At least once, new ids**: the reader asks for what it missed, so nothing is lost. But the server cannot know
#   that a repeated message is an old one. It stores it again, with a number of its own, and the reader shows both.
# - **At least once, same id**: the server stores the message once, and emits it again, because the process that stored
#   it may have died before its emit. A reader that does not drop known numbers shows it again. A repeated
#   message that was sent during a cut can be shown once: the reader missed both emits, and read it from the history.
#   And a message that was sent once can be shown twice: it came live and from the history.
# - **Exactly the conversation** needs both: the id lets the server store a message once, and the number tells the
#   reader what it has.
#
# **A question before you read on:** the reader drops known numbers. Why are ids needed, too?
#
# <details><summary>The answer</summary>
#
# The server gives a number to each message that it stores. Without an id it cannot know that the second attempt is the
# same message, so it stores it twice, with two numbers. No reader can see that from the numbers.
#
# </details>

# %% [markdown]
# ## How it works
#
# The number and the message are written in one transaction. `_next` adds one to the conversation's last number, and the
# database locks this row until the transaction ends. So numbers have no gaps, also when two processes write at once. A
# repeated message breaks the rule that its id is unique: the transaction is rolled back, and the next message gets the
# number that was not used.

# %%
lab.show("good_server.recipes.history", "History.store", highlight=["self._next(connection"])

# %% [markdown]
# In the reader, `last` is a property: how many messages it has, which is the number of the newest one.

# %%
lab.show("good_server.recipes.reader", "Reader.take", highlight=["self.last + 1"])

# %% [markdown]
# ## Where the rule bends
#
# - A position on a map needs no history: the next one comes soon. At most once is right for it.
# - The lock is per conversation. One room in which thousands write at once waits for its own lock.
# - The live emit is still at most once. A server of several processes sends it to the other processes through Redis. If
#   Redis is down just then, the message is stored, but nothing tells the reader until the next message or the next
#   connect. So a client also asks when a user opens the conversation.

# %% [markdown]
# ## For the interview
#
# *"Does your chat deliver exactly once?"* Answer aloud first, then open the answer below.

# %%
repeated = outcomes["at least once, new ids"]
lab.fold(
    "The answer in thirty seconds",
    f"""No network does. An emit is at most once: I measured {first.lost} of {len(first.written)} messages lost with
{first.cuts} cuts. I store first and give each message the next number of its conversation. The reader asks for what is
after its last number, so {repeated.lost} were lost. But after a lost ack the writer sends again, and with a new id each
time that is a second message: {repeated.duplicates} were shown again. With the same id, and a reader that drops the
numbers that it has, {exact.lost} were lost and {exact.duplicates} shown again.""",
)

# %% [markdown]
# ## Remember
#
# **Node ↔ Python:** connection state recovery of Socket.IO in Node brings back missed packets after a short absence.
# The Python server has none. After a longer absence, and in Python always, only a history in a database helps. The
# JavaScript client can repeat an event without an ack up to `retries` times: put an id of your own into the payload.
#
# - Store first, then send.
# - An id makes a repeated message the same message.
# - A number tells the reader what it has, and what is missing.
#
# Next: [15 · Diagnosis](15_diagnosis.ipynb)

# %%
import multiprocessing

assert first.lost > 0, "nothing was lost without a history"
assert all(one.lost == 0 for one in outcomes.values() if one.way.has_history), "a message was lost"
assert repeated.duplicates > exact.duplicates == 0, "ids made no difference"
assert exact.is_exact, "the reader does not have the conversation"
assert not multiprocessing.active_children(), "a server is left running"
print("exactly the conversation, and no server is left running")
